"""Writing what happened: the one intake of events from outside."""

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from loyalty.customers import operations as customers
from loyalty.customers import queries as customer_queries
from loyalty.customers.rows import IDENTITY_KINDS
from loyalty.events import arrivals, learning, partitions, schemas, types
from loyalty.events.catalog import locked_schemas
from loyalty.events.incoming import Incoming, Limits, Reference, read
from loyalty.kit.problems import Problem
from loyalty.kit.sql import statement

# Ids are unique per source. The API and files share one, so that history sent again by the other way changes nothing.
SOURCE = "events"
ULID_LENGTH = 26

NO_PARTITION = "23514"

# Whom an event may name besides an external id.
KINDS = frozenset({"email", "phone", *IDENTITY_KINDS})
# Of these an unknown one becomes a customer of whom nothing else is known, until somebody claims it.
PSEUDONYMS = ("anonymous_id", "card", "receipt")
_UNKNOWN = Problem("customer", "nobody is known by this", "send the customer first, or use the external id")


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a batch: `accepted` are new events; `rejected` as (index in the batch, problems) by index."""

    accepted: int
    duplicates: int
    rejected: list[tuple[int, list[Problem]]] = field(default_factory=list)


def intake(*, events: Sequence[object], now: datetime, source: str = SOURCE) -> Intake:
    """Take a batch into the timeline: good events are stored, bad ones told with every mistake, in one transaction.

    An event is {"id", "customer", "name", "occurred_at", "properties"} as in the API. The same id of one source again,
    also within the batch, is a duplicate and changes nothing; an event without id is always new. Without `occurred_at`
    it happened `now`. Unknown external ids, visitors, cards and receipts become customers. The number of queries does
    not depend on the size of the batch; 5,000 events are the usual one.
    """
    limits = Limits(KINDS, partitions.EARLIEST, now + partitions.LATEST_AHEAD)
    good: list[tuple[int, Incoming]] = []
    rejected: list[tuple[int, list[Problem]]] = []
    for index, event in enumerate(events):
        result = read(event, limits)
        if isinstance(result, Incoming):
            result.occurred_at = result.occurred_at or now
            good.append((index, result))
        else:
            rejected.append((index, result))
    # Names and months come first and, unless the caller holds a transaction, commit by themselves: others wait for
    # whoever makes the same one only as long as that takes, not until a whole batch is in.
    type_ids = types.learn({event.name for _, event in good}, now=now)
    partitions.ensure_months({partitions.month_of(event.occurred_at or now) for _, event in good})
    good, wrong = _check_schemas(good, events, type_ids)
    rejected += wrong
    learning.notice(_with_types(good, events, type_ids), count=len(good), now=now)
    try:
        accepted, duplicates, more = _take(good, type_ids, now=now, source=source)
    except IntegrityError as error:
        # Retention dropped a month between the look at it and the insert.
        if getattr(error.__cause__, "sqlstate", None) != NO_PARTITION:
            raise
        partitions.ensure_months({partitions.month_of(event.occurred_at or now) for _, event in good})
        accepted, duplicates, more = _take(good, type_ids, now=now, source=source)
    rejected += more
    rejected.sort(key=lambda item: item[0])
    return Intake(accepted, duplicates, rejected)


def _take(
    good: Sequence[tuple[int, Incoming]], type_ids: dict[str, int], *, now: datetime, source: str
) -> tuple[int, int, list[tuple[int, list[Problem]]]]:
    """Store what can be stored: (new, duplicates, rejected)."""
    rejected: list[tuple[int, list[Problem]]] = []
    rows, duplicates = [], 0
    seen: set[str] = set()
    with transaction.atomic():
        people = _people({event.customer for _, event in good}, now=now)
        for index, event in good:
            problems = _unresolved(event, type_ids, people)
            if problems:
                rejected.append((index, problems))
                continue
            digest = _digest(source, event.id)
            if digest is not None and digest in seen:
                duplicates += 1
                continue
            seen.add(digest or "")
            rows.append((index, digest, people[event.customer], type_ids[event.name], event))
        accepted = _store(rows, now=now)
    return accepted, duplicates + len(rows) - accepted, rejected


def _check_schemas(
    good: list[tuple[int, Incoming]], events: Sequence[Any], type_ids: dict[str, int]
) -> tuple[list[tuple[int, Incoming]], list[tuple[int, list[Problem]]]]:
    """The events that keep to the schemas of locked types, and what is wrong with the others."""
    locked = locked_schemas(type_ids.values())
    if not locked:
        return good, []
    kept, wrong = [], []
    for index, event in good:
        schema = locked.get(type_ids.get(event.name, 0))
        problems = schemas.check(events[index].get("properties"), schema) if schema else []
        if problems:
            wrong.append((index, problems))
        else:
            kept.append((index, event))
    return kept, wrong


def _with_types(
    good: list[tuple[int, Incoming]], events: Sequence[Any], type_ids: dict[str, int]
) -> Iterable[tuple[int, Any]]:
    return ((type_ids[one.name], events[index].get("properties")) for index, one in good if one.name in type_ids)


def _people(references: Iterable[Reference], *, now: datetime) -> dict[Reference, int | None]:
    """The customer of each reference, made where an external or anonymous id is new; None for nobody."""
    asked = list(references)
    shaped = [one if isinstance(one, str) else {one[0]: one[1]} for one in asked]
    found: dict[Reference, int | None] = dict(zip(asked, customer_queries.resolve(shaped), strict=True))
    missing = [one for one, customer_id in found.items() if customer_id is None]
    external = sorted(one for one in missing if isinstance(one, str))
    nobodys = sorted(one for one in missing if isinstance(one, tuple) and one[0] in PSEUDONYMS)
    if external or nobodys:
        made = customers.ensure_customers(external, (), identities=nobodys, now=now)
        found |= {one: made.get(("external_id", one)) for one in external}
        found |= {one: made.get(one) for one in nobodys}
    return found


def _unresolved(event: Incoming, type_ids: dict[str, int], people: dict[Reference, int | None]) -> list[Problem]:
    problems = []
    if people[event.customer] is None:
        problems.append(_UNKNOWN)
    if event.name not in type_ids:
        problems.append(Problem("name", types.FULL, types.FULL_REMEDY))
    return problems


def _digest(source: str, event_id: str | None) -> str | None:
    """16 bytes of an event's key in hexadecimal, None for an event without id.

    The first 4 bytes are the same for ids that are usually made one after another (counters; UUIDs and ULIDs that begin
    with the time), the other 12 are md5(source ':' id), not for secrecy. Plain md5 would send each row of a batch to
    another page of the index: 4,500 instead of 2,800 bytes of WAL per event right after a checkpoint (2M keys).
    """
    if event_id is None:
        return None
    near = event_id[:8] if len(event_id) >= ULID_LENGTH else event_id[:-3]
    whole = hashlib.md5(f"{source}:{event_id}".encode(), usedforsecurity=False).hexdigest()
    return f"{zlib.crc32(f'{source}:{near}'.encode()):08x}{whole[8:]}"


def _store(rows: Sequence[tuple[int, str | None, int | None, int, Incoming]], *, now: datetime) -> int:
    """COPY into the staging table and merge from there (one INSERT per event: 1,000 events/s); how many were new."""
    if not rows:
        return 0
    text = "".join(
        f"{place}\t{digest or NULL}\t{customer}\t{type_id}\t{event.occurred_at}\t{_escaped(event.properties)}\n"
        for place, digest, customer, type_id, event in rows
    )
    with connection.cursor() as cursor:
        cursor.execute(statement("loyalty.events", "staging"))
        cursor.execute("DELETE FROM event_staging")
        with cursor.copy(f"COPY event_staging ({COLUMNS}) FROM STDIN") as copy:
            copy.write(text)
        cursor.execute(statement("loyalty.events", "take_in"), {"now": now, "bounds": arrivals.instants(now)})
        return int(cursor.fetchone()[0])


COLUMNS = "place, digest, customer_id, type_id, occurred_at, properties"
NULL = "\\N"


def _escaped(properties: str | None) -> str:
    # JSON text carries neither tabs nor line breaks, so the backslash is all that COPY could misread.
    return NULL if properties is None else properties.replace("\\", "\\\\")
