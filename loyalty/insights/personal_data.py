"""What is computed about people: to forget, to show, to merge."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.insights.operations import keep_apart
from loyalty.kit.erasures import Held, Moved, Pairs, PersonalData, Return, hold_personal_data, put_back, take_out
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


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The losers' values go; the winners' are computed anew, from the purchases of both, within a day."""
    keep_apart()
    return {"customer_insight": take_out(pairs, "customer_insight")}


def unmerge(given: Return) -> None:
    """The loser's values are there again; both are computed anew within a day."""
    keep_apart()
    put_back(given, "customer_insight")


TABLES = (
    Held(
        "customer_insight",
        _("What we compute from your purchases, such as how recently, how often and how much you buy"),
        _("to choose what fits you"),
        _("computed from your purchases"),
        _("you get what concerns you and not the rest"),
        _("as long as your profile, computed anew every day"),
    ),
)


hold_personal_data(PersonalData("loyalty.insights", erase, export, merge, unmerge, TABLES))
