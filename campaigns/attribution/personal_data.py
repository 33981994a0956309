"""What attribution holds about people: their conversions and the credit for them."""

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


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners take the conversions; all of theirs are credited anew, for touches of both may have helped."""
    moved = hand_over(pairs, "conversion")
    _credit_anew(list(pairs.values()))
    return {"conversion": moved}


def unmerge(given: Return) -> None:
    """The loser's conversions are its own again; each is credited with its own touches."""
    give_back(given, "conversion")
    _credit_anew([given.winner, given.loser])


def _credit_anew(customer_ids: Sequence[int]) -> None:
    execute(
        sql(
            "INSERT INTO stale_conversion (conversion_id) SELECT id FROM conversion WHERE customer_id = ANY({ids})",
            ids=list(customer_ids),
        )
    )


_PURPOSE = _("to see which messages help and to stop those that do not")
TABLES = (
    Held(
        "conversion",
        _("What you did after messages that wanted it, such as a purchase"),
        _PURPOSE,
        _("from your purchases and visits"),
        _("fewer messages that nobody needs"),
        _("as long as the event it stands for"),
    ),
    Held(
        "credit",
        _("Which messages before it get a share of that"),
        _PURPOSE,
        _("computed"),
        _("fewer messages that nobody needs"),
        _("as long as the event it stands for"),
        rows="conversion_id IN (SELECT id FROM conversion WHERE customer_id = ANY({ids}))",
    ),
)

hold_personal_data(PersonalData("campaigns.attribution", erase, export, merge, unmerge, TABLES))
