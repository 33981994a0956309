"""Exporting customers as CSV that `import_customers` reads again: streamed, in constant memory."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from loyalty.customers.catalog import attribute_fields
from loyalty.customers.rows import COLUMNS, IDENTITY_KINDS
from loyalty.customers.showing import written
from loyalty.kit.spreadsheets import cell
from loyalty.kit.sql import Sql, identifier, sql

ROWS = 2_000


def header() -> list[str]:
    """The columns of an export: built-in fields, keys, then every attribute by key."""
    attributes = sorted(field.key for field in attribute_fields().values() if not field.column)
    return [*COLUMNS, *(f"identities.{kind}" for kind in IDENTITY_KINDS), *(f"attributes.{key}" for key in attributes)]


def export_customers(*, people: Sql | None = None, restricted: bool = False) -> Iterator[str]:
    """The header, then one line a person, by id; `people` selects `customer_id` of those meant, else everybody.

    Whose data is restricted is left out unless `restricted`. Several keys of a kind stand in one cell, separated by
    `|`. Runs inside one transaction of its own, so that it shows one moment.
    """
    columns = header()
    yield _line(columns)
    attributes = [name.removeprefix("attributes.") for name in columns if name.startswith("attributes.")]
    wanted = [Sql("true") if restricted else Sql("c.restricted_at IS NULL")]
    if people is not None:
        wanted.append(sql("c.id IN ({people})", people=people))
    query = sql(
        "SELECT {columns}, c.attributes, (SELECT jsonb_object_agg(kind, found) FROM (SELECT kind,"
        " string_agg(value, '|' ORDER BY id) AS found FROM customer_identity WHERE customer_id = c.id GROUP BY kind) i)"
        " FROM customer c WHERE {wanted} ORDER BY c.id",
        columns=Sql(", ").join(sql("c.{n}", n=identifier(name)) for name in COLUMNS),
        wanted=Sql(" AND ").join(wanted),
    )
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(query.text, query.params)
        while rows := cursor.fetchmany(ROWS):
            yield "".join(_person(row, attributes) for row in rows)


def _person(row: Sequence[Any], attributes: Sequence[str]) -> str:
    *values, own, keys = row
    own, keys = _json(own), _json(keys)
    cells = [
        *("" if value is None else str(value) for value in values),
        *(keys.get(kind, "") for kind in IDENTITY_KINDS),
        *(written(own.get(key)) for key in attributes),
    ]
    return _line([cell(one, numbers=True) for one in cells])


def _json(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return found or {}


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
