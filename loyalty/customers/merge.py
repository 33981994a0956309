"""The statements that merge a staged batch into `customer`, built from the list of columns.

A column of a staged row counts when its bit in `given` is set; attributes are merged key by key. Locks are taken in a
fixed order (customers by id, new customers by external id, identities by key), so no two batches can wait for
each other in a circle.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from loyalty.customers.rows import COLUMNS, Person
from loyalty.kit.sql import Sql, execute, fetch, identifier, sql, statement

BITS = {name: 1 << place for place, name in enumerate(COLUMNS)}
DIGESTS = {"email": "email_digest", "phone": "phone_digest"}
_WRITTEN = (*COLUMNS, *DIGESTS.values())
_STAGED = ("customer_id", "is_new", "given", *_WRITTEN, "attributes", "removed", "row_digest")
_ATTRIBUTES = Sql("((c.attributes - coalesce(s.removed, '{}')) || coalesce(s.attributes, '{}'))")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch comes from: its source, and who wrote it for what reason, if it was a person."""

    source_id: int
    actor: str | None = None
    reason: str | None = None


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _given(name: str) -> Sql:
    return Sql(f"s.given & {BITS[name]} <> 0")


def _differs() -> Sql:
    """Whether the staged row `s` would change the customer `c`."""
    checks = []
    for name in COLUMNS:
        differs = sql("c.{n} IS DISTINCT FROM s.{n}", n=identifier(name))
        if digest := DIGESTS.get(name):
            # A digest that is out of step (made with another key) is mended by the way.
            differs = sql("({a} OR c.{n} IS DISTINCT FROM s.{n})", a=differs, n=identifier(digest))
        checks.append(sql("({given} AND {differs})", given=_given(name), differs=differs))
    checks.append(sql("(s.attributes IS NOT NULL OR s.removed IS NOT NULL) AND {a} <> c.attributes", a=_ATTRIBUTES))
    return sql("({checks})", checks=Sql(" OR ").join(checks))


def _settings() -> Sql:
    owners = {digest: name for name, digest in DIGESTS.items()}
    settings = [
        sql(
            "{n} = CASE WHEN {given} THEN s.{n} ELSE c.{n} END",
            n=identifier(name),
            given=_given(owners.get(name, name)),
        )
        for name in _WRITTEN
    ]
    return Sql(", ").join([*settings, sql("attributes = {a}", a=_ATTRIBUTES)])


def _before() -> Sql:
    """What the fields that the staged row `s` changes hold in the customer `c`: {field: value or null}."""
    columns = [
        sql(
            "CASE WHEN {given} AND c.{n} IS DISTINCT FROM s.{n}"
            " THEN jsonb_build_object({name}::text, c.{n}) ELSE '{{}}' END",
            given=_given(name),
            n=identifier(name),
            name=Sql(f"'{name}'"),
        )
        for name in COLUMNS
    ]
    attributes = Sql(
        "(SELECT coalesce(jsonb_object_agg(key, c.attributes -> key), '{}') FROM"
        " (SELECT jsonb_object_keys(s.attributes) AS key UNION ALL SELECT unnest(s.removed)) given"
        " WHERE c.attributes -> key IS DISTINCT FROM s.attributes -> key)"
    )
    return sql("({parts})", parts=Sql(" || ").join([*columns, attributes]))


_DIFFERS = _differs()
_BEFORE = _before()
_SETTINGS = _settings()
_COLUMN_LIST = Sql(", ").join(identifier(name) for name in _WRITTEN)


@contextmanager
def by_index() -> Iterator[None]:
    """Look customers up by index: with a million of them the planner would scan all for a chunk of 20,000."""
    switch = "SELECT set_config('enable_hashjoin', %(to)s, true), set_config('enable_mergejoin', %(to)s, true)"
    fetch(switch, {"to": "off"})
    yield
    # After an error the transaction is rolled back, and the setting with it.
    fetch(switch, {"to": "on"})


def stage(people: Sequence[Person], digest: Callable[[str], bytes]) -> None:
    """COPY the people into the staging table, emptied first; `digest` hashes an address."""
    with connection.cursor() as cursor:
        cursor.execute(statement("loyalty.customers", "staging"))
        cursor.execute("DELETE FROM customer_staging")
        with cursor.copy(f"COPY customer_staging ({', '.join(_STAGED)}) FROM STDIN") as copy:
            for person in people:
                copy.write_row(_staged(person, digest))


@lru_cache(maxsize=1024)
def _mask(names: tuple[str, ...]) -> int:
    return sum(BITS[name] for name in names)


def _staged(person: Person, digest: Callable[[str], bytes]) -> tuple[Any, ...]:
    values = person.values
    email, phone = values.get("email"), values.get("phone")
    kept = removed = None
    if None not in person.attributes.values():
        kept = person.attributes
    else:
        kept = {key: value for key, value in person.attributes.items() if value is not None}
        removed = [key for key, value in person.attributes.items() if value is None]
    return (
        person.customer_id,
        person.new,
        _mask(tuple(values)),
        *map(values.get, COLUMNS),
        digest(email) if email else None,
        digest(phone) if phone else None,
        _encode(kept) if kept else None,
        removed or None,
        person.row_digest,
    )


def lock(*, everybody: bool) -> list[int]:
    """Lock the staged customers that would change (or everybody staged) in the order of their ids; the ids."""
    query = sql(
        "SELECT c.id FROM customer_staging s JOIN customer c ON c.id = s.customer_id"
        " WHERE NOT s.is_new AND {which} ORDER BY c.id FOR UPDATE OF c",
        which=Sql("true") if everybody else _DIFFERS,
    )
    return [row[0] for row in fetch(query)]


def update(locked: Sequence[int], *, origin: Origin, now: datetime) -> int:
    """Write the staged values of the locked customers where they differ, and what stood there before; the number of
    customers changed."""
    query = sql(
        "WITH differing AS MATERIALIZED (SELECT s.*, {before} AS before"
        " FROM customer_staging s JOIN customer c ON c.id = s.customer_id WHERE c.id = ANY({locked}) AND {differs}),"
        " changed AS (UPDATE customer c SET {settings}, updated_at = {now}, row_digest = s.row_digest,"
        " row_read_at = {now} FROM differing s"
        " WHERE c.id = s.customer_id RETURNING c.id),"
        # A hash that was mended changes no value.
        " revised AS (INSERT INTO customer_revision (customer_id, at, source_id, actor, reason, before)"
        " SELECT customer_id, {now}, {source}, {actor}, {reason}, before FROM differing WHERE before <> '{{}}')"
        " INSERT INTO customer_change (customer_id) SELECT id FROM changed",
        before=_BEFORE,
        settings=_SETTINGS,
        now=now,
        locked=list(locked),
        differs=_DIFFERS,
        source=origin.source_id,
        actor=origin.actor,
        reason=origin.reason,
    )
    return execute(query)


def insert(*, origin: Origin, now: datetime) -> int:
    """Write the staged new customers; raises IntegrityError when another transaction made one of them meanwhile."""
    query = sql(
        "WITH made AS (INSERT INTO customer (id, {columns}, attributes, source_id, row_digest, row_read_at, created_at,"
        " updated_at)"
        " SELECT s.customer_id, {columns}, coalesce(s.attributes, '{{}}'), {source}, s.row_digest, {now}, {now}, {now}"
        " FROM customer_staging s WHERE s.is_new ORDER BY s.external_id, s.customer_id RETURNING id)"
        " INSERT INTO customer_change (customer_id) SELECT id FROM made",
        columns=_COLUMN_LIST,
        source=origin.source_id,
        now=now,
    )
    return execute(query)
