"""What consent holds about people: entries, choices and states go with them; the hashes of suppressed addresses
stay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.consent.entries import ConsentEntry
from loyalty.consent.models import CHANNELS
from loyalty.consent.operations import record
from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    give_back,
    hand_over,
    hold_personal_data,
    share,
    unshare,
)
from loyalty.kit.sql import execute, fetch, fetch_values, identifier, sql, statement

# Of each table whose rows are about people: what makes two rows of one person the same.
_ONE_PER = {
    "topic_choice": ("topic",),
    "contact_preference": (),
    "consent_age": ("channel",),
    "existing_customer": ("channel", "product_group"),
}
_ENTRY_KEY = ("channel", "purpose", "occurred_at", "status", "source")
_ERASED = ("consent_entry", "choice_entry", "consent_state", "opt_in_request", *_ONE_PER)
# What Art. 21 GDPR lets people object to.
_OBJECTED = ("marketing", "profiling")


@contextmanager
def _entries_unlocked() -> Iterator[None]:
    """Let this transaction change entries, which a trigger otherwise refuses."""
    switch = "SELECT set_config('loyalty.consent_rewrite', %(to)s, true)"
    fetch(switch, {"to": "on"})
    yield
    fetch(switch, {"to": "off"})


def erase(customer_ids: Sequence[int]) -> int:
    """Forget what these people declared. Who had withdrawn stays out: the hash of the address is suppressed for it."""
    ids = {"ids": list(customer_ids)}
    execute(statement("loyalty.consent", "keep_objections"), ids)
    with _entries_unlocked():
        return sum(
            execute(sql("DELETE FROM {table} WHERE customer_id = ANY({ids})", table=identifier(table), **ids))
            for table in _ERASED
        )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "consent_entry": "SELECT * FROM consent_entry WHERE customer_id = {id} ORDER BY occurred_at, id",
        "consent_state": "SELECT * FROM consent_state WHERE customer_id = {id} ORDER BY channel, purpose",
        "choice_entry": "SELECT * FROM choice_entry WHERE customer_id = {id} ORDER BY occurred_at, id",
        "topic_choice": "SELECT * FROM topic_choice WHERE customer_id = {id} ORDER BY topic",
        "contact_preference": "SELECT * FROM contact_preference WHERE customer_id = {id}",
        "opt_in_request": "SELECT * FROM opt_in_request WHERE customer_id = {id} ORDER BY requested_at, id",
        "consent_age": "SELECT * FROM consent_age WHERE customer_id = {id} ORDER BY channel",
        "existing_customer": "SELECT * FROM existing_customer WHERE customer_id = {id} ORDER BY id",
        "suppression": (
            "SELECT p.channel, p.purpose, p.reason, p.created_at FROM suppression p JOIN customer c"
            " ON p.digest IN (c.email_digest, c.phone_digest) WHERE c.id = {id} ORDER BY p.id"
        ),
    }
    return {table: fetch_values(sql(query, id=customer_id)) for table, query in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners have declared what both declared; the latest holds, of two at the same instant the withdrawal.

    Choices besides consent: the winner's, else the loser's.
    """
    with _entries_unlocked():
        moved = share(pairs, "consent_entry", _ENTRY_KEY)
        moved["choice_entry"] = hand_over(pairs, "choice_entry")
    moved["opt_in_request"] = hand_over(pairs, "opt_in_request")
    for table, keys in _ONE_PER.items():
        moved |= share(pairs, table, keys)
    _rebuild([*pairs, *pairs.values()])
    return moved


def unmerge(given: Return) -> None:
    """The loser has declared again what it had declared; both states follow from the entries."""
    with _entries_unlocked():
        unshare(given, "consent_entry")
        give_back(given, "choice_entry")
    give_back(given, "opt_in_request", cast="uuid")
    for table in _ONE_PER:
        unshare(given, table)
    _rebuild([given.winner, given.loser])


def _rebuild(customer_ids: Sequence[int]) -> None:
    ids = {"ids": sorted(set(customer_ids))}
    execute("DELETE FROM consent_state WHERE customer_id = ANY(%(ids)s)", ids)
    execute(statement("loyalty.consent", "rebuild_state"), ids)


def objection(customer_ids: Sequence[int], now: datetime, source: str) -> int:
    """Withdraw advertising and profiling on every channel, whether it was granted or not; entries written."""
    entries = [
        ConsentEntry(customer_id, channel, purpose, "withdrawn", source, now)
        for customer_id in sorted(set(customer_ids))
        for channel in CHANNELS
        for purpose in _OBJECTED
    ]
    return record(entries, now=now)


_PROOF = _("to send you only what you agreed to, and to prove that you did")
_KEPT = _("as long as your profile")
TABLES = (
    Held(
        "consent_entry",
        _("What you agreed to and what you withdrew, with the time, the source and the text"),
        _PROOF,
        _("from you"),
        _("nobody writes to you without your consent"),
        _KEPT,
    ),
    Held(
        "consent_state",
        _("What holds of this now"),
        _PROOF,
        _("computed from what you declared"),
        _("nobody writes to you without your consent"),
        _KEPT,
    ),
    Held(
        "opt_in_request",
        _("Your requests to get messages, with the form, the text, the times and the internet addresses of both steps"),
        _("to prove that the owner of the address asked for it"),
        _("from the form and from the click in the mail of confirmation"),
        _("nobody can subscribe you without you"),
        _KEPT,
    ),
    Held(
        "choice_entry",
        _("What you chose about topics, pauses and how often you hear from us, and when"),
        _("to follow your wishes and to show you what you chose"),
        _("from you, on the page of preferences"),
        _("you hear about what you want, as often as you want"),
        _KEPT,
    ),
    Held(
        "topic_choice",
        _("The topics you want and those you do not want"),
        _("to follow your wishes"),
        _("from you, on the page of preferences"),
        _("you hear about what you want"),
        _KEPT,
    ),
    Held(
        "contact_preference",
        _("Your pause and how often you want to hear from us"),
        _("to follow your wishes"),
        _("from you, on the page of preferences"),
        _("you hear from us as often as you want"),
        _KEPT,
    ),
    Held(
        "consent_age",
        _("That we have not heard from you for long"),
        _("to ask you again, and to stop writing when there is no answer"),
        _("computed from your last sign of life"),
        _("old consents do not go on for ever"),
        _KEPT,
    ),
    Held(
        "existing_customer",
        _("Purchases after which the law allows mails about similar goods, and the notice given with them"),
        _("to prove that such a mail was allowed"),
        _("from your purchases"),
        _("you hear of similar goods and may object at any time"),
        _KEPT,
    ),
    Held(
        "suppression",
        _("That an address of yours gets no messages"),
        _("to write to it no more, even when it comes back with a list"),
        _("from you, or from the mail server that does not know the address"),
        _("you are left alone"),
        _("without limit, as a hash that does not tell the address"),
        rows="digest IN (SELECT unnest(ARRAY[email_digest, phone_digest]) FROM customer WHERE id = ANY({ids}))",
        reason=_("A keyed hash stays, so that an address that must not be written to stays so."),
    ),
)

hold_personal_data(PersonalData("loyalty.consent", erase, export, merge, unmerge, TABLES, objection))
