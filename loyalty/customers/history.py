"""Reading the history of profiles: where each value comes from, how old it is, and what stood there before.

A revision keeps what the changed fields held before it, so a first import costs nothing. A value's origin is therefore
the newest revision that names its field; a field that none names is as the person came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty.customers.catalog import attribute_fields
from loyalty.customers.identities import FIELD
from loyalty.customers.rows import COLUMNS
from loyalty.kit.sql import Sql, fetch_values, identifier, sql


@dataclass(frozen=True, slots=True)
class Origin:
    """Since when a value stands and who brought it; `source_class` is zero, first, second or third where decided.

    `name` is what the source is called, by language.
    """

    since: datetime
    source: str | None
    source_class: str | None
    actor: str | None = None
    reason: str | None = None
    name: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One write that changed the person: `changes` is {field: (before, after)}."""

    id: int
    at: datetime
    source: str | None
    source_class: str | None
    actor: str | None
    reason: str | None
    changes: Mapping[str, tuple[Any, Any]]
    name: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The person's fields as they are, each one's origin, and the revisions, newest first."""

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    revisions: list[Revision]


def history(customer_id: int, *, decided: Mapping[str, str | None] | None = None) -> History:
    """Everything that is known about how the profile came to be; empty for nobody.

    Two queries, and one for the classes `decided` by field, unless the caller knows them.
    """
    current, came = _current(customer_id)
    if came is None:
        return History({}, {}, [])
    rows = _revisions(customer_id)
    after = dict(current)
    origins: dict[str, Origin] = {}
    revisions: list[Revision] = []
    for row in rows:
        changes = {}
        by = (row["at"], row["source"], row["source_class"], row["actor"], row["reason"])
        for field, before in row["before"].items():
            changes[field] = (before, after.get(field))
            after[field] = before
            origins.setdefault(field, Origin(*by, name=row["name"]))
        revisions.append(Revision(row["id"], *by, changes, name=row["name"]))
    values = {field: value for field, value in current.items() if value is not None}
    if decided is None:
        decided = {name: field.source_class for name, field in attribute_fields().items()}
    return History(values, {name: _known(origins.get(name, came), decided.get(name)) for name in values}, revisions)


def _known(origin: Origin, decided: str | None) -> Origin:
    """The origin with the class that was decided for its field; it goes before that of the source."""
    return replace(origin, source_class=decided) if decided else origin


def profile_at(customer_id: int, *, at: datetime) -> dict[str, Any]:
    """The fields as they stood at an instant; {} for nobody, and before the person came."""
    current, came = _current(customer_id)
    if came is None or at < came.since:
        return {}
    for row in _revisions(customer_id):
        if row["at"] <= at:
            break
        current |= row["before"]
    return {field: value for field, value in current.items() if value is not None}


def _current(customer_id: int) -> tuple[dict[str, Any], Origin | None]:
    """The fields as they are (identities as lists under their own names), and how the person came."""
    query = sql(
        "SELECT {columns}, c.attributes, c.created_at, s.key AS source, s.source_class, s.name, (SELECT"
        " jsonb_object_agg({prefix} || kind, found) FROM (SELECT kind, jsonb_agg(value ORDER BY id) AS found"
        " FROM customer_identity WHERE customer_id = c.id GROUP BY kind) AS identity) AS identities"
        " FROM customer c LEFT JOIN customer_source s ON s.id = c.source_id WHERE c.id = {id}",
        columns=Sql(", ").join(sql("c.{n}", n=identifier(name)) for name in COLUMNS),
        prefix=FIELD,
        id=customer_id,
    )
    rows = fetch_values(query)
    if not rows:
        return {}, None
    row = rows[0]
    came = Origin(row["created_at"], row["source"], row["source_class"], name=row["name"])
    fields = {name: _plain(row[name]) for name in COLUMNS}
    return {**fields, **row["attributes"], **(row["identities"] or {})}, came


def _revisions(customer_id: int) -> list[dict[str, Any]]:
    query = sql(
        "SELECT r.id, r.at, s.key AS source, s.source_class, s.name, r.actor, r.reason, r.before"
        " FROM customer_revision r LEFT JOIN customer_source s ON s.id = r.source_id"
        " WHERE r.customer_id = {id} ORDER BY r.id DESC",
        id=customer_id,
    )
    return fetch_values(query)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
