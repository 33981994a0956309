"""What the outbox holds about people: their messages with attempts and verdicts, and the events that triggered them."""

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


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The losers' messages belong to the winners."""
    return {"message": hand_over(pairs, "message")}


def unmerge(given: Return) -> None:
    """The loser's messages are its own again."""
    give_back(given, "message")


_THEIRS = "message_id IN (SELECT id FROM message WHERE customer_id = ANY({ids}))"
_KEPT = _("as long as your profile")
_PROOF = _("to send each message at most once and to tell you why you got it or did not")
TABLES = (
    Held(
        "message",
        _("The messages we sent you or decided not to send"),
        _PROOF,
        _("made when a campaign plans a message"),
        _("you can ask why you got a message"),
        _KEPT,
    ),
    Held(
        "message_attempt",
        _("When we tried to deliver them and what the mail server answered"),
        _PROOF,
        _("from the provider who delivers"),
        _("messages that did not arrive are found"),
        _KEPT,
        rows=_THEIRS,
    ),
    Held(
        "message_verdict",
        _("Why a message was not sent, or later"),
        _PROOF,
        _("decided by our rules from your consents and choices"),
        _("you can ask why you did not get a message"),
        _KEPT,
        rows=_THEIRS,
    ),
    Held(
        "message_context",
        _("What a message was about, such as the order it confirms, and what it said where that must be proven"),
        _("to fill in the message"),
        _("from the event that caused the message"),
        _("messages speak of your order, not of orders in general"),
        _KEPT,
        rows="origin_id IN (SELECT id >> 25 FROM message WHERE customer_id = ANY({ids}))",
    ),
)

hold_personal_data(PersonalData("campaigns.delivery", erase, export, merge, unmerge, TABLES))
