"""Writing customers: a batch at a time, by one staging pass and one merge."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction

from loyalty.customers import identities, merge
from loyalty.customers.catalog import LEARNED_MAX, attribute_fields
from loyalty.customers.joining import Overtaken, join_people
from loyalty.customers.models import Attribute, Source
from loyalty.customers.queries import Owner, by_address, by_external_id, former_ids, identity_owners
from loyalty.customers.rows import Key, Person, Reader, fold, reader_of, taken
from loyalty.customers.sources import source_id
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.kit.uses import uses

# Two transactions that make the same people at once: the later one starts over and finds them. More than one repetition
# needs a third party each time.
ATTEMPTS = 10
# Who makes a customer that has only an address holds the lock of the address's bucket: no unique index does it there.
LOCK_CLASS = 0x6C6F79
LOCK_BUCKETS = 64


@dataclass(frozen=True, slots=True)
class Upserted:
    """`ids[i]` is the customer of row i (None: rejected); rows accepted, of which people new or really changed;
    attributes that nobody had announced, with their types."""

    accepted: int
    rejected: list[tuple[int, list[Problem]]]
    ids: list[int | None]
    created: int = 0
    changed: int = 0
    learned: Mapping[str, str] = field(default_factory=dict)


def upsert_customers(
    rows: Sequence[object],
    *,
    now: datetime,
    source: str,
    written: bool = False,
    refused: Mapping[int, list[Problem]] | None = None,
    lock_all: bool = False,
    actor: str | None = None,
    reason: str | None = None,
    digests: Sequence[bytes] | None = None,
) -> Upserted:
    """Make or change the customers that the rows speak of (see `rows`); wrong rows are told, the others written.

    A row finds its customer by `external_id`; without one, or when that is new, by an identity, email or phone, but
    never one who has another external id. `source` is where the rows come from, `actor` who wrote them for what
    `reason`: what a value was before is kept with them (see `history`). `written`: values are texts of cells.
    `refused` holds mistakes that the caller found itself: these rows are not written. `lock_all` locks unchanged
    customers too, for callers who go on writing about them in the same transaction.
    `digests` are the rows' hashes (see `seen`).
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(), merge.by_index():
                origin = merge.Origin(source_id(source, now=now), actor, reason)
                return _upsert(rows, now, origin, written, refused or {}, lock_all, digests)
        except Overtaken:
            if attempt == ATTEMPTS:
                raise
        except IntegrityError as error:
            if attempt == ATTEMPTS or getattr(error.__cause__, "sqlstate", None) != "23505":
                raise
    raise AssertionError("unreachable")


def _upsert(
    rows: Sequence[object],
    now: datetime,
    origin: merge.Origin,
    written: bool,
    refused: Mapping[int, list[Problem]],
    lock_all: bool,
    digests: Sequence[bytes] | None,
) -> Upserted:
    fields = attribute_fields()
    reader = reader_of(fields, written=written, room=LEARNED_MAX - len(fields))
    people, problems = _read(reader, rows, refused)
    if digests is not None:
        for person in people:
            person.row_digest = digests[person.rows[0]]
    people, clashes = fold(people)
    _learn(reader, now=now, source=origin.source_id)
    people, more_clashes = _find(people, now=now)
    for person, clash in (*clashes, *more_clashes):
        problems |= {index: [clash] for index in person.rows}
    new = [person for person in people if person.customer_id is None]
    _number(new)
    merge.stage(people, partial(address_digest, key=settings.ADDRESS_KEY))
    locked = merge.lock(everybody=lock_all) if len(new) < len(people) else []
    changed = merge.update(locked, origin=origin, now=now) if locked else 0
    if new:
        merge.insert(origin=origin, now=now)
    identities.identify(people, origin=origin, now=now)
    ids: list[int | None] = [None] * len(rows)
    for person in people:
        for index in person.rows:
            ids[index] = person.customer_id
    return Upserted(len(rows) - len(problems), sorted(problems.items()), ids, len(new), changed, dict(reader.learned))


def _read(
    reader: Reader, rows: Sequence[object], refused: Mapping[int, list[Problem]]
) -> tuple[list[Person], dict[int, list[Problem]]]:
    people: list[Person] = []
    problems: dict[int, list[Problem]] = {}
    for index, row in enumerate(rows):
        person, found = reader.read(index, row)
        if found or index in refused:
            problems[index] = [*found, *refused.get(index, ())]
        else:
            people.append(person)
    return people, problems


def _learn(reader: Reader, *, now: datetime, source: int) -> None:
    """Keep the attributes that the rows brought unannounced; a learned type that did not hold becomes text."""
    if reader.learned:
        names = sorted(reader.learned)
        query = sql(
            "INSERT INTO attribute (key, type, name, learned, source_id, created_at)"
            " SELECT key, type, '{{}}', true, {source}, {now}"
            " FROM unnest({keys}::text[], {types}::text[]) AS new (key, type)"
            " ORDER BY key ON CONFLICT (key) DO NOTHING",
            source=source,
            now=now,
            keys=names,
            types=[reader.learned[name] for name in names],
        )
        execute(query)
    if reader.widened:
        query = sql(
            "UPDATE attribute SET type = 'text' WHERE key IN"
            " (SELECT key FROM attribute WHERE learned AND key = ANY({keys}) ORDER BY key FOR UPDATE)",
            keys=sorted(reader.widened),
        )
        execute(query)


def _find(people: list[Person], *, now: datetime) -> tuple[list[Person], list[tuple[Person, Problem]]]:
    """Give the people that exist their ids, two of the same customer become one; (people, refused with the reason)."""
    external_ids = by_external_id(one.external_id for one in people if one.external_id is not None)
    former = former_ids(
        one.external_id for one in people if one.external_id is not None and one.external_id not in external_ids
    )
    for person in people:
        person.customer_id = external_ids.get(person.external_id or "")
        if person.external_id in former:
            # The id of somebody who was joined to another: it names that one and is no longer anybody's own.
            person.customer_id = former[person.values.pop("external_id") or ""]
    owners = identity_owners(one for person in people for one in person.identities)
    _recognize([person for person in people if person.customer_id is None], owners)
    nameless = [person for person in people if person.customer_id is None and person.external_id is None]
    if nameless:
        _lock_addresses(one for person in nameless for one in person.known_by())
        _recognize(nameless, owners)
    joined = join_people(people, owners, now=now)
    found: dict[int, Person] = {}
    kept: list[Person] = []
    refused: list[tuple[Person, Problem]] = []
    for person in people:
        same = found.get(person.customer_id) if person.customer_id is not None else None
        if same is not None and same.external_id and person.external_id:
            person.customer_id = same = None
        clash = next(
            (one for one in person.identities if one in joined and joined[one].customer_id != person.customer_id), None
        )
        if clash is not None:
            refused.append((person, taken(*clash)))
        elif same is not None:
            same.take(person)
        else:
            kept.append(person)
            if person.customer_id is not None:
                found[person.customer_id] = person
    if refused and by_external_id(one.external_id for one, _ in refused if one.external_id and not one.customer_id):
        # Another transaction made them between the two looks: their keys are their own.
        raise Overtaken
    return kept, refused


def _recognize(people: Sequence[Person], owners: Mapping[Key, Owner]) -> None:
    """Give people the ids of the customers who have their keys, unless those have another external id."""
    emails = [value for person in people for kind, value in person.known_by() if kind == "email"]
    phones = [value for person in people for kind, value in person.known_by() if kind == "phone"]
    addresses = {("email", one): ids for one, ids in by_address("email", emails).items()} if emails else {}
    addresses |= {("phone", one): ids for one, ids in by_address("phone", phones).items()} if phones else {}
    for person in people:
        stranger = person.external_id is not None
        for one in person.known_by():
            owner = owners.get(one)
            if owner is not None and not (stranger and owner.known):
                person.customer_id = owner.customer_id
            elif one in addresses:
                person.customer_id = addresses[one][1 if stranger else 0]
            if person.customer_id is not None:
                break


def _lock_addresses(keys: Iterable[Key]) -> None:
    buckets = sorted({zlib.crc32(":".join(one).encode()) % LOCK_BUCKETS for one in keys})
    fetch(sql("SELECT pg_advisory_xact_lock({c}, bucket) FROM unnest({b}::int[]) AS bucket", c=LOCK_CLASS, b=buckets))


def _number(new: Sequence[Person]) -> None:
    """Take ids for the new customers."""
    if not new:
        return
    query = sql(
        "SELECT nextval(pg_get_serial_sequence('customer', 'id')) FROM generate_series(1, {count})", count=len(new)
    )
    for person, (customer_id,) in zip(new, fetch(query), strict=True):
        person.customer_id, person.new = customer_id, True


def ensure_customers(
    external_ids: Sequence[str], anonymous_ids: Sequence[str], *, now: datetime, identities: Sequence[Key] = ()
) -> dict[tuple[str, str], int]:
    """Make customers who are nothing but an id where there are none: for events about people we do not know yet.

    `identities` are further ones, as (kind, value). The answer maps ("external_id", id), ("anonymous_id", id) and the
    identities to customers; ids that cannot be ids are missing in it.
    """
    keys = [("external_id", one) for one in external_ids] + [("anonymous_id", one) for one in anonymous_ids]
    keys += identities
    rows = [{"external_id": value} if kind == "external_id" else {"identities": {kind: value}} for kind, value in keys]
    done = upsert_customers(rows, now=now, source="events")
    return {one: customer_id for one, customer_id in zip(keys, done.ids, strict=True) if customer_id is not None}


def save_attribute(attribute: Attribute, *, now: datetime) -> None:
    """Define the attribute under its key, or redefine the one that is there; a learned one becomes a defined one.

    Values that do not fit a new type stay in the profiles and count as missing.
    """
    Attribute.objects.update_or_create(
        key=attribute.key,
        defaults={
            "type": attribute.type,
            "name": attribute.name,
            "choices": attribute.choices,
            "source_class": attribute.source_class,
            "purpose": attribute.purpose,
            "learned": False,
        },
        create_defaults={
            "key": attribute.key,
            "type": attribute.type,
            "name": attribute.name,
            "choices": attribute.choices,
            "source_class": attribute.source_class,
            "purpose": attribute.purpose,
            "learned": False,
            "created_at": now,
        },
    )


# Removing a value is an update of the profile; more than this many belong into an import that clears the field.
DELETED_MAX = 100_000


def delete_attribute(*, key: str, now: datetime, actor: str | None = None) -> int:
    """Delete the attribute and its values, which stay in the history; how many people had one.

    Raises Problems while a segment, flow or template names it, and for more than DELETED_MAX people.
    """
    with transaction.atomic():
        problems = [
            Problem("", f"{use.kind} {use.key!r} uses the attribute {key!r}", "change that first")
            for use in uses("attribute", key)
        ]
        if problems:
            raise Problems(problems)
        Attribute.objects.select_for_update().filter(key=key).delete()
        count = sql(
            "SELECT count(*) FROM (SELECT FROM customer WHERE attributes ? {key} LIMIT {most}) AS found",
            key=key,
            most=DELETED_MAX + 1,
        )
        if fetch(count)[0][0] > DELETED_MAX:
            remedy = "clear it with an import (--empty clear) first"
            raise Problems([Problem("", f"more than {DELETED_MAX:,} people have a value", remedy)])
        query = sql(
            "WITH had AS MATERIALIZED (SELECT id, jsonb_build_object({key}::text, attributes -> {key}) AS before"
            " FROM customer WHERE attributes ? {key} ORDER BY id FOR UPDATE),"
            " cleared AS (UPDATE customer c SET attributes = c.attributes - {key}, updated_at = {now}"
            " FROM had WHERE c.id = had.id RETURNING c.id),"
            " revised AS (INSERT INTO customer_revision (customer_id, at, source_id, actor, reason, before)"
            " SELECT id, {now}, {source}, {actor}, {reason}, before FROM had)"
            " INSERT INTO customer_change (customer_id) SELECT id FROM cleared",
            key=key,
            now=now,
            source=source_id("admin", now=now),
            actor=actor,
            reason="attribute deleted",
        )
        return execute(query)


def save_source(*, source_id: int, source_class: str | None, name: dict[str, str]) -> None:
    """Say how values from a source are known, and what it is called."""
    Source.objects.filter(pk=source_id).update(source_class=source_class, name=name)
