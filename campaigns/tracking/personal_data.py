"""What tracking holds about people: their hits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    give_back,
    hand_over,
    hold_personal_data,
)
from loyalty.kit.sql import execute, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Hits go with the person."""
    return execute(sql("DELETE FROM hit WHERE customer_id = ANY({ids})", ids=list(customer_ids)))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's hits."""
    return {"hit": fetch_dicts(sql("SELECT * FROM hit WHERE customer_id = {id} ORDER BY id", id=customer_id))}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners take the losers' hits."""
    return {"hit": hand_over(pairs, "hit")}


def unmerge(given: Return) -> None:
    """The loser's hits are its own again."""
    give_back(given, "hit")


TABLES = (
    Held(
        "hit",
        _("When you opened a message or followed a link in it, if you agreed to that, and when you unsubscribed"),
        _("to see what interests you, and to prove that you unsubscribed"),
        _("from your mail program or browser"),
        _("you get more of what interests you and less of the rest"),
        _("as long as your profile"),
    ),
)

hold_personal_data(PersonalData("campaigns.tracking", erase, export, merge, unmerge, TABLES))
