"""What the portal holds about people: who asked to come in and where they are signed in."""

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
from loyalty.kit.sql import execute, fetch_values, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Sign these people out and forget that they asked to come in."""
    ids = list(customer_ids)
    gone = execute(sql("DELETE FROM member_session WHERE customer_id = ANY({ids})", ids=ids))
    # Also what has not been looked at yet, by the address that is about to go.
    return gone + execute(
        sql(
            "DELETE FROM portal_entry WHERE customer_id = ANY({ids}) OR (state = 'asked' AND address_digest IN"
            " (SELECT email_digest FROM customer WHERE id = ANY({ids})))",
            ids=ids,
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's sign-ins and sessions, without the hashes of their secrets."""
    return {
        "portal_entry": fetch_values(
            sql(
                "SELECT kind, state, address, details, locale, ip, user_agent, requested_at, expires_at, used_at"
                " FROM portal_entry WHERE customer_id = {id} ORDER BY requested_at",
                id=customer_id,
            )
        ),
        "member_session": fetch_values(
            sql(
                "SELECT started_at, seen_at, expires_at, user_agent FROM member_session WHERE customer_id = {id}"
                " ORDER BY id",
                id=customer_id,
            )
        ),
    }


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners are signed in where the losers were."""
    return {
        "portal_entry": hand_over(pairs, "portal_entry"),
        "member_session": hand_over(pairs, "member_session"),
    }


def unmerge(given: Return) -> None:
    """The losers' sign-ins and sessions are their own again."""
    give_back(given, "portal_entry", cast="uuid")
    give_back(given, "member_session")


TABLES = (
    Held(
        "portal_entry",
        _("Your sign-ins to the member portal: when, from where, by which browser"),
        _("to let nobody in but you"),
        _("from your browser, when you sign in"),
        _("you need no password"),
        _("one day after the link has expired"),
    ),
    Held(
        "member_session",
        _("Browsers in which you are signed in to the member portal"),
        _("so that you need not sign in each time"),
        _("from your browser, when you sign in"),
        _("you stay signed in, and can sign out everywhere"),
        _("until you sign out, or for 30 days after your last visit"),
    ),
)

hold_personal_data(PersonalData("loyalty.portal", erase, export, merge, unmerge, TABLES))
