"""What attribution holds about people: their conversions and the credit for them."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Conversions go with the events they are made of, credit with them."""
    gone = sql("DELETE FROM conversion WHERE customer_id = ANY({ids}) RETURNING id", ids=list(customer_ids))
    conversions = [row[0] for row in fetch(gone)]
    # A statement of its own, to see credit that was being written while the first one waited for locks.
    credits = execute(sql("DELETE FROM credit WHERE conversion_id = ANY({ids})", ids=conversions))
    execute(sql("DELETE FROM stale_conversion WHERE conversion_id = ANY({ids})", ids=conversions))
    return len(conversions) + credits


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    conversions = "SELECT * FROM conversion WHERE customer_id = {id} ORDER BY id"
    credits = (
        "SELECT k.* FROM credit k JOIN conversion c ON c.id = k.conversion_id"
        " WHERE c.customer_id = {id} ORDER BY k.conversion_id, k.model, k.touch_no"
    )
    return {
        "conversion": fetch_dicts(sql(conversions, id=customer_id)),
        "credit": fetch_dicts(sql(credits, id=customer_id)),
    }


def merge(winner: int, loser: int) -> int:
    """The winner takes the conversions; all of theirs are credited anew, for touches of both may have helped."""
    moved = execute(
        sql("UPDATE conversion SET customer_id = {winner} WHERE customer_id = {loser}", winner=winner, loser=loser)
    )
    execute(
        sql(
            "INSERT INTO stale_conversion (conversion_id) SELECT id FROM conversion WHERE customer_id = {winner}",
            winner=winner,
        )
    )
    return moved


hold_personal_data(PersonalData("campaigns.attribution", erase, export, merge))
