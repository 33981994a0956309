"""What the timeline holds about people: to forget, to show, to merge.

Keys of events (`event_key`) stay: they are hashes of event ids, belong to nobody, and keep an event of an erased person
from coming back when it is sent again.
"""

import json
from collections.abc import Sequence
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Remove these people's events, also those that wait in the queue; how many rows went."""
    ids = list(customer_ids)
    gone = execute(sql("DELETE FROM event_queue WHERE customer_id = ANY({ids})", ids=ids))
    return gone + execute(sql("DELETE FROM event WHERE customer_id = ANY({ids})", ids=ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """All events of the person, oldest first."""
    rows = fetch_dicts(
        sql(
            """
            SELECT t.name, e.occurred_at, e.received_at, e.ref, e.properties
            FROM event e JOIN event_type t ON t.id = e.type_id
            WHERE e.customer_id = {id} ORDER BY e.occurred_at, e.id""",
            id=customer_id,
        )
    )
    return {"event": [{**row, "properties": json.loads(row["properties"] or "null")} for row in rows]}


def merge(winner: int, loser: int) -> int:
    """Hand the loser's events to the winner; how many rows moved."""
    moved = execute(sql("UPDATE event_queue SET customer_id = {to} WHERE customer_id = {of}", to=winner, of=loser))
    return moved + execute(sql("UPDATE event SET customer_id = {to} WHERE customer_id = {of}", to=winner, of=loser))


hold_personal_data(PersonalData("loyalty.events", erase, export, merge))
