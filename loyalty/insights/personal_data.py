"""What is computed about people: to forget, to show, to merge."""

from collections.abc import Sequence
from typing import Any

from loyalty.insights.operations import keep_apart
from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch_values, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Forget what was computed about these people; a computation that runs is waited for."""
    keep_apart()
    return execute(sql("DELETE FROM customer_insight WHERE customer_id = ANY({ids})", ids=list(customer_ids)))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything that is computed about the person."""
    query = sql(
        "SELECT feature, label, to_jsonb(numbers) AS numbers, changed_at FROM customer_insight"
        " WHERE customer_id = {id} ORDER BY feature",
        id=customer_id,
    )
    return {"customer_insight": fetch_values(query)}


def merge(winner: int, loser: int) -> int:
    """The loser's values go; the winner's are computed anew, from the purchases of both, within a day."""
    return erase([loser])


hold_personal_data(PersonalData("loyalty.insights", erase, export, merge))
