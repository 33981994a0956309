"""Writes: coming in, joining, leaving, what members agree to and correct, and how the portal presents itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.consent import choices, optin
from loyalty.consent.operations import ConsentEntry, record
from loyalty.customers.correcting import correct_customer
from loyalty.customers.models import Customer
from loyalty.events import facts, partitions
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.portal import letters, sessions
from loyalty.portal.definition import PortalDocument
from loyalty.portal.models import EntryRequest, Portal
from loyalty.program import operations as program
from loyalty.program import queries as ledger
from loyalty.program.models import Program
from loyalty.program.setup import Setup
from loyalty.rights import operations as rights

SOURCE = "portal"
# What members may put right by themselves; the address they sign in with is not among it.
OWN_FIELDS = ("first_name", "last_name", "birth_date", "phone", "postcode", "city")


@transaction.atomic
def save_portal(document: PortalDocument, *, now: datetime) -> Change:
    """Create the portal or change it to `document`; raises Problems."""
    if document.program is not None and not Program.objects.filter(key=document.program).exists():
        known = ", ".join(Program.objects.order_by("key").values_list("key", flat=True)) or "none"
        raise Problems([Problem("program", f"there is no program {document.program!r}", f"known: {known}")])
    found = Portal.objects.select_for_update().filter(key=document.key).first()
    before, after = found.definition if found else None, document.as_document()
    if before == after:
        return Change("portal", document.key, "unchanged", before, after)
    fields = {"definition": after, "updated_at": now}
    Portal.objects.update_or_create(key=document.key, defaults=fields, create_defaults=fields | {"created_at": now})
    return Change("portal", document.key, "created" if before is None else "updated", before, after)


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody is in: the secret of the session's cookie, and whether they joined the program by it."""

    secret: str
    customer_id: int
    joined: bool


@transaction.atomic
def enter(
    asked: EntryRequest, *, setup: Setup | None, ip: str | None, user_agent: str | None, now: datetime
) -> Entered | None:
    """Let in who has the link or the code, once; None when it is over by now.

    A request to join is a double opt-in: it makes a member, and grants what was agreed to, with its proof.
    """
    customer_id = asked.customer_id
    # The person first, then the request: in the order of erasing and joining people.
    if customer_id is None or not _lock(customer_id) or not letters.settle(asked.id, now=now):
        return None
    joined = False
    if asked.kind == "join" and asked.opt_in_id is not None:
        done = optin.confirm(asked.opt_in_id, ip=ip, user_agent=user_agent, now=now)
        if done.state == optin.CONFIRMED:
            _tell(customer_id, [(*one, "granted") for one in done.granted], now)
            _introduce(customer_id, asked.details or {}, now)
        if done.state in (optin.CONFIRMED, optin.ALREADY) and setup is not None:
            joined = program.join(customer_ids=[customer_id], setup=setup, now=now) > 0
    secret = sessions.begin(customer_id, user_agent=user_agent, now=now)
    return Entered(secret, customer_id, joined)


def _lock(customer_id: int) -> bool:
    return bool(fetch(sql("SELECT FROM customer WHERE id = {id} FOR UPDATE", id=customer_id)))


def _introduce(customer_id: int, details: Mapping[str, Any], now: datetime) -> None:
    """Take over what the form said and the profile does not know yet."""
    person = Customer.objects.get(pk=customer_id)
    said = {name: details[name] for name in ("first_name", "last_name", "birth_date") if details.get(name)}
    new = {name: value for name, value in said.items() if getattr(person, name) is None}
    if new:
        correct_customer(customer_id=customer_id, row=new, now=now, source=SOURCE)


def _tell(customer_id: int, changes: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """The facts `consent.granted` and `consent.withdrawn` of (channel, purpose, status)."""
    partitions.ensure(now, now)
    for status in sorted({status for _, _, status in changes}):
        some = [(channel, purpose) for channel, purpose, said in changes if said == status]
        facts.write(
            f"consent.{status}",
            sql(
                """SELECT {customer}::bigint, {now}::timestamptz, NULL::bigint,
                    jsonb_build_object('channel', channel, 'purpose', purpose, 'source', {source}::text)
                FROM unnest({channels}::text[], {purposes}::text[]) AS c (channel, purpose)""",
                customer=customer_id,
                now=now,
                source=SOURCE,
                channels=[channel for channel, _ in some],
                purposes=[purpose for _, purpose in some],
            ),
        )


def join(*, customer_id: int, setup: Setup, now: datetime) -> bool:
    """Make a member of somebody who is signed in, or take them back; False when they are one."""
    return program.join(customer_ids=[customer_id], setup=setup, now=now) > 0


@transaction.atomic
def leave(*, customer_id: int, setup: Setup, silence: bool, erase: bool, now: datetime) -> None:
    """End the membership; `silence` also withdraws every consent, `erase` asks for everything to be forgotten.

    Raises Problems for somebody who is no member.
    """
    _lock(customer_id)
    member = ledger.member_of(customer_id, program_id=setup.id)
    if member is None:
        raise Problems([Problem("member", "is no member")])
    if member.state != "left":
        program.leave(member_id=member.pk, setup=setup, now=now)
    if silence:
        granted = {key: False for key, status in _decided(customer_id).items() if status == "granted"}
        save_consents(customer_id=customer_id, wanted=granted, text={}, evidence={}, now=now)
    if erase:
        ask_erasure(customer_id=customer_id, now=now)


def ask_erasure(*, customer_id: int, now: datetime) -> bool:
    """File the wish to be forgotten, with the identity checked by the sign-in; False when there is one already."""
    filed = rights.file_request(kind="erase", customer_id=customer_id, now=now, actor=SOURCE)
    if filed.new:
        rights.check_identity(
            request_id=filed.request.pk, how="signed in to the member portal by a mailed link", now=now, actor=SOURCE
        )
    return filed.new


@transaction.atomic
def save_consents(
    *,
    customer_id: int,
    wanted: Mapping[tuple[str, str], bool],
    text: Mapping[tuple[str, str], str],
    evidence: Mapping[str, Any],
    now: datetime,
    chosen: choices.Choices | None = None,
    text_version: str | None = None,
) -> int:
    """Bring consents and choices to what the person chose; how many changed.

    An empty box for what was never granted is no declaration. `text` is what was agreed to, kept as evidence.
    """
    if not _lock(customer_id):
        return 0
    decided = _decided(customer_id)
    statuses = {key: "granted" if yes else "withdrawn" for key, yes in wanted.items() if yes or key in decided}
    changes = {key: status for key, status in statuses.items() if decided.get(key) != status}
    entries = [
        ConsentEntry(
            customer_id=customer_id,
            channel=channel,
            purpose=purpose,
            status=status,
            source=SOURCE,
            at=now,
            text_version=text_version if status == "granted" else None,
            evidence={**evidence, **({"text": text[channel, purpose]} if (channel, purpose) in text else {})}
            if status == "granted"
            else None,
        )
        for (channel, purpose), status in sorted(changes.items())
    ]
    if entries:
        record(entries, now=now)
        _tell(customer_id, [(*key, status) for key, status in sorted(changes.items())], now)
    saved = choices.save(customer_id=customer_id, choices=chosen, source=SOURCE, now=now) if chosen else 0
    return len(entries) + saved


def _decided(customer_id: int) -> dict[tuple[str, str], str]:
    query = sql("SELECT channel, purpose, status FROM consent_state WHERE customer_id = {id}", id=customer_id)
    return {(channel, purpose): status for channel, purpose, status in fetch(query)}


def correct(*, customer_id: int, row: Mapping[str, str | None], now: datetime) -> bool:
    """Put the own profile right; whether anything changed. Raises Problems, all at once."""
    given = {name: row[name] or None for name in OWN_FIELDS if name in row}
    done = correct_customer(
        customer_id=customer_id, row=given, now=now, source=SOURCE, actor=SOURCE, reason="member portal"
    )
    return done.fields
