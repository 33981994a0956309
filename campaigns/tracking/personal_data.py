"""What tracking holds about people: their hits."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Hits go with the person."""
    return execute(sql("DELETE FROM hit WHERE customer_id = ANY({ids})", ids=list(customer_ids)))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's hits."""
    return {"hit": fetch_dicts(sql("SELECT * FROM hit WHERE customer_id = {id} ORDER BY id", id=customer_id))}


def merge(winner: int, loser: int) -> int:
    """The winner takes the loser's hits."""
    return execute(sql("UPDATE hit SET customer_id = {winner} WHERE customer_id = {loser}", winner=winner, loser=loser))


hold_personal_data(PersonalData("campaigns.tracking", erase, export, merge))
