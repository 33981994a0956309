"""Plants rows about people in every table that the catalog says is about people; no list to forget one in."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loyalty.events import partitions
from loyalty.kit.sql import Sql, execute, fetch, identifier, sql

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Written by the merge itself.
OWN = {"customer_merge", "customer_gone"}
# Derived: rebuilt from other rows, so rows without those cannot stand.
DERIVED = {"consent_state"}


@dataclass(frozen=True)
class Column:
    name: str
    type: str


def tables() -> list[str]:
    """Every table of the product (partitions with their parent)."""
    rows = fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname !~ '^(django|auth|axes)_' ORDER BY 1"
    )
    return [name for (name,) in rows]


def columns(table: str) -> list[Column]:
    """Columns that must be given: neither identity nor generated."""
    rows = fetch(
        sql(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = {t}::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = '' ORDER BY attnum",
            t=table,
        )
    )
    return [Column(*row) for row in rows]


def tables_about_people() -> list[str]:
    """The tables that name a customer."""
    return [
        table
        for table in tables()
        if table not in OWN | DERIVED and any(column.name == "customer_id" for column in columns(table))
    ]


def free(table: str) -> None:
    """Let the table take anything: its checks and references go (the test's transaction brings them back)."""
    rows = fetch(
        sql("SELECT conname FROM pg_constraint WHERE conrelid = {t}::regclass AND contype IN ('c', 'f')", t=table)
    )
    for (name,) in rows:
        execute(sql("ALTER TABLE {t} DROP CONSTRAINT IF EXISTS {c}", t=identifier(table), c=identifier(name)))


_numbers = iter(range(1_000_000, 9_000_000))


def plant(table: str, customer_id: int | None, canary: str, **given: Any) -> None:
    """One row about the customer (None: one that hangs on another row) with the canary in text and JSON columns."""
    if table == "event":
        partitions.ensure(NOW, NOW)
    values = {column.name: given.get(column.name, _value(column, canary)) for column in columns(table)}
    if customer_id is not None:
        values["customer_id"] = customer_id
    query = sql(
        "INSERT INTO {t} ({names}) VALUES ({values})",
        t=identifier(table),
        names=Sql(", ").join(identifier(name) for name in values),
        values=Sql(", ").join(sql("{value}", value=value) for value in values.values()),
    )
    execute(query)


def _value(column: Column, canary: str) -> Any:
    number = next(_numbers)
    kind = column.type
    if kind in ("text", "character varying"):
        return f"{canary} {number}"
    if kind in ("json", "jsonb"):
        return json.dumps({"canary": canary, "n": number})
    if kind == "smallint":
        return number % 30_000
    if kind in ("numeric", "double precision", "real"):
        return number % 9  # fits every precision, a share of numeric(7, 6) too
    if kind in ("bigint", "integer"):
        return number
    if kind == "boolean":
        return False
    if kind == "date":
        return NOW.date()
    if kind.startswith("timestamp"):
        return NOW
    if kind == "uuid":
        return uuid.uuid4()
    if kind == "bytea":
        return f"{canary} {number}".encode()
    if kind.endswith("[]"):
        return []
    raise AssertionError(f"what is a {kind}?")


def dump(leave: set[str] | None = None) -> dict[str, list[str]]:
    """All rows of all tables as text."""
    found = {}
    for table in tables():
        if table not in (leave or set()):
            found[table] = [row for (row,) in fetch(sql("SELECT t::text FROM {t} t ORDER BY 1", t=identifier(table)))]
    return found


def traces(customer_id: int, canary: str) -> dict[str, list[str]]:
    """Rows that name the customer or hold the canary (as text, or in bytes)."""
    found = {}
    for table in tables():
        named = [column.name for column in columns(table) if column.name in ("customer_id", "winner_id", "loser_id")]
        numbered = Sql(" OR ").join(sql("{c} = {id}", c=identifier(name), id=customer_id) for name in named)
        query = sql(
            "SELECT t::text FROM {t} t WHERE t::text LIKE {text} OR t::text LIKE {bytes}{numbered}",
            t=identifier(table),
            text=f"%{canary}%",
            bytes=f"%{canary.encode().hex()}%",
            numbered=sql(" OR {n}", n=numbered) if named else Sql(""),
        )
        rows = [row for (row,) in fetch(query)]
        if rows:
            found[table] = rows
    return found
