"""Writing consent: append what people declared, suppress addresses."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from loyalty.consent.entries import ConsentEntry, check
from loyalty.customers.addresses import email, phone
from loyalty.customers.values import Parser, Refused, plain_text
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql, statement

__all__ = ["ConsentEntry", "record", "suppress", "withdraw"]

# Where a channel's address stands in the profile.
PHONE_CHANNELS = ("sms", "whatsapp", "phone")
ADDRESSED_CHANNELS = ("email", *PHONE_CHANNELS)


def record(entries: Sequence[ConsentEntry], *, now: datetime) -> int:
    """Append the declarations and bring the current state up to them; the number that were not known yet.

    The latest declaration holds, whatever the order of arrival; of two at the same instant the withdrawal. Customers
    are locked first, in the order of their ids: the send guard takes the same locks, so no message starts after a
    withdrawal has committed. Entries about customers who are gone are left out. Raises Problems.
    """
    if not entries:
        return 0
    problems = [one.within(f"[{i}]") for i, entry in enumerate(entries) for one in check(entry, now=now)]
    if problems:
        raise Problems(problems)
    with transaction.atomic():
        locked = _lock(sql("id = ANY({ids})", ids=sorted({entry.customer_id for entry in entries})))
        values = {
            "customers": [entry.customer_id for entry in entries],
            "channels": [entry.channel for entry in entries],
            "purposes": [entry.purpose for entry in entries],
            "statuses": [entry.status for entry in entries],
            "times": [entry.at for entry in entries],
            "sources": [entry.source.strip() for entry in entries],
            "texts": [entry.text_version for entry in entries],
            "evidence": [Jsonb(dict(entry.evidence)) if entry.evidence else None for entry in entries],
        }
        rows = fetch(statement("loyalty.consent", "record"), {**values, "locked": locked, "now": now})
        return int(rows[0][0])


def withdraw(
    customer_ids: Iterable[int],
    *,
    channel: str,
    source: str,
    at: datetime,
    now: datetime,
    purposes: Sequence[str] = ("marketing",),
) -> int:
    """These people withdrew these purposes on a channel; the number of entries written."""
    entries = [
        ConsentEntry(customer_id, channel, purpose, "withdrawn", source, at)
        for customer_id in sorted(set(customer_ids))
        for purpose in purposes
    ]
    return record(entries, now=now)


def suppress(
    channel: str,
    *,
    reason: str,
    now: datetime,
    addresses: Sequence[str] = (),
    digests: Sequence[bytes] = (),
    customer_ids: Sequence[int] = (),
    purpose: str = "",
) -> int:
    """Put addresses on the suppression list of a channel; the number that were not on it yet.

    Customers with these addresses are locked first like for a withdrawal, and queued for the segments. Digests alone
    find no customers: give their ids too where they are known. Raises Problems for an address that is none.
    """
    given, refused = _normalized(channel, addresses)
    if refused:
        raise Problems(problem.within(f"[{place}]") for place, problem in refused)
    return _suppress(channel, given, digests, customer_ids, reason, purpose, now)


def suppress_valid(
    channel: str, addresses: Sequence[str], *, reason: str, purpose: str, now: datetime
) -> tuple[int, int, list[tuple[int, list[Problem]]]]:
    """Like `suppress`, but what is no address is told and left out: (taken, new on the list, refused by place)."""
    given, refused = _normalized(channel, addresses)
    added = _suppress(channel, given, (), (), reason, purpose, now)
    return len(given), added, [(place, [problem]) for place, problem in refused]


def _suppress(
    channel: str,
    given: Sequence[str],
    digests: Sequence[bytes],
    customer_ids: Sequence[int],
    reason: str,
    purpose: str,
    now: datetime,
) -> int:
    hashes = {address_digest(address, key=settings.ADDRESS_KEY) for address in given} | {bytes(one) for one in digests}
    if not hashes:
        return 0
    column = Sql("phone") if channel in PHONE_CHANNELS else Sql("lower(email)")
    wanted = sql("id = ANY({ids})", ids=list(customer_ids))
    if given:
        addressed = sql("{column} = ANY({given})", column=column, given=[address.lower() for address in given])
        wanted = sql("({wanted} OR {addressed})", wanted=wanted, addressed=addressed)
    with transaction.atomic():
        locked = _lock(wanted)
        added = execute(
            sql(
                "INSERT INTO suppression (channel, digest, purpose, reason, created_at)"
                " SELECT {channel}, digest, {purpose}, {reason}, {now} FROM unnest({digests}::bytea[]) AS digest"
                " ORDER BY digest ON CONFLICT DO NOTHING",
                channel=channel,
                purpose=purpose,
                reason=reason,
                now=now,
                digests=sorted(hashes),
            )
        )
        if added and locked:
            execute(sql("INSERT INTO customer_change (customer_id) SELECT unnest({ids}::bigint[])", ids=locked))
    return added


def _lock(which: Sql) -> list[int]:
    return [row[0] for row in fetch(sql("SELECT id FROM customer WHERE {w} ORDER BY id FOR UPDATE", w=which))]


def normalized(channel: str, address: str) -> str:
    """The address as the profile would hold it; as it came when it is none."""
    given, _refused = _normalized(channel, [address])
    return given[0] if given else address


def _normalized(channel: str, addresses: Sequence[str]) -> tuple[list[str], list[tuple[int, Problem]]]:
    """The addresses as the profile would hold them, without which their hashes would never meet."""
    read: Parser = phone if channel in PHONE_CHANNELS else email if channel == "email" else plain_text
    found: list[str] = []
    refused: list[tuple[int, Problem]] = []
    for place, address in enumerate(addresses):
        try:
            found.append(read(address))
        except Refused as wrong:
            refused.append((place, Problem("address", wrong.problem, wrong.remedy)))
    return found, refused
