"""What the request desk holds about people. After an erasure only kind, times and outcome are left, about nobody."""

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
    pairs_sql,
)
from loyalty.kit.sql import execute, fetch_values, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Empty what would tell whose requests they were. Open ones have nobody left to answer: they are done."""
    query = sql(
        "UPDATE rights_request SET customer_id = NULL, contact = NULL, notes = NULL, extension_reason = NULL,"
        " identity_how = NULL, state = CASE state WHEN 'open' THEN 'done' ELSE state END,"
        " closed_at = coalesce(closed_at, statement_timestamp()), outcome = coalesce(outcome, 'erased')"
        " WHERE customer_id = ANY({ids})",
        ids=list(customer_ids),
    )
    return execute(query)


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's requests."""
    query = sql("SELECT * FROM rights_request WHERE customer_id = {id} ORDER BY received_at, id", id=customer_id)
    return {"rights_request": fetch_values(query)}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners' requests are both's; of two open ones of a kind the later is answered by the earlier."""
    query = sql(
        "UPDATE rights_request SET state = 'done', outcome = 'duplicate', closed_at = {now} WHERE id IN"
        " (SELECT id FROM (SELECT r.id, row_number() OVER (PARTITION BY coalesce(pairs.winner, r.customer_id), r.kind"
        " ORDER BY r.due_at, r.id) AS place FROM rights_request r LEFT JOIN {pairs} ON pairs.loser = r.customer_id"
        " WHERE r.state = 'open' AND r.customer_id = ANY({everybody}::bigint[])) AS open WHERE place > 1)",
        now=now,
        pairs=pairs_sql(pairs),
        everybody=[*pairs, *pairs.values()],
    )
    execute(query)
    return {"rights_request": hand_over(pairs, "rights_request")}


def unmerge(given: Return) -> None:
    """The loser's requests are its own again; what was closed as a duplicate stays closed."""
    give_back(given, "rights_request")


TABLES = (
    Held(
        "rights_request",
        _("What you asked of us under data protection law, and how it was answered"),
        _("to answer in time and to prove it"),
        _("from you"),
        _("you get your answer within a month"),
        _("as long as your profile; afterwards without any sign of you"),
        reason=_("Kind, times and outcome stay, to prove that the request was answered."),
    ),
)

hold_personal_data(PersonalData("loyalty.rights", erase, export, merge, unmerge, TABLES))
