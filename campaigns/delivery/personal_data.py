"""What the outbox holds about people: their messages with attempts and verdicts, and the events that triggered them."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import Sql, execute, fetch_values, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Forget these people's messages. One on the wire at this moment is settled into nothing."""
    ids = list(customer_ids)
    theirs = sql("SELECT id FROM message WHERE customer_id = ANY({ids})", ids=ids)
    rows = execute(
        sql(
            "DELETE FROM message_context WHERE origin_id IN"
            " (SELECT id >> 25 FROM message WHERE customer_id = ANY({ids}))",
            ids=ids,
        )
    )
    for table in ("message_attempt", "message_verdict"):
        rows += execute(sql("DELETE FROM {table} WHERE message_id IN ({theirs})", table=Sql(table), theirs=theirs))
    return rows + execute(sql("DELETE FROM message WHERE customer_id = ANY({ids})", ids=ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    theirs = sql("SELECT id FROM message WHERE customer_id = {id}", id=customer_id)
    origins = sql("SELECT id >> 25 FROM message WHERE customer_id = {id}", id=customer_id)
    queries = {
        "message": sql(
            "SELECT m.*, d.flow_key, d.step, d.purpose FROM message m LEFT JOIN dispatch d ON d.id = m.dispatch_id"
            " WHERE m.customer_id = {id} ORDER BY m.planned_at, m.id",
            id=customer_id,
        ),
        "message_attempt": sql(
            "SELECT * FROM message_attempt WHERE message_id IN ({theirs}) ORDER BY message_id, attempt", theirs=theirs
        ),
        "message_verdict": sql(
            "SELECT * FROM message_verdict WHERE message_id IN ({theirs}) ORDER BY message_id, id", theirs=theirs
        ),
        "message_context": sql(
            "SELECT * FROM message_context WHERE origin_id IN ({origins}) ORDER BY origin_id", origins=origins
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()}


def merge(winner: int, loser: int) -> int:
    """The loser's messages belong to the winner."""
    return execute(
        sql("UPDATE message SET customer_id = {winner} WHERE customer_id = {loser}", winner=winner, loser=loser)
    )


hold_personal_data(PersonalData("campaigns.delivery", erase, export, merge))
