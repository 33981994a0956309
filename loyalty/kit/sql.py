"""Composed SQL: text with its parameters, never text with values glued in.

`sql("... {part} ...", part=...)` is the only way to build a statement: a part that is `Sql` is inlined with its
parameters, anything else becomes a bound parameter. Literal percent signs are written plainly. Fixed statements live
in `sql/*.sql` beside the code and are loaded with `statement`.
"""

import json
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

from django.db import connection

_FORMATTER = string.Formatter()


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL in psycopg's format (`%s` marks) and the parameters of its marks, in order."""

    text: str
    params: tuple[Any, ...] = ()

    def join(self, pieces: Iterable["Sql"]) -> "Sql":
        """The pieces with this text between them; empty for none."""
        pieces = list(pieces)
        params = tuple(param for piece in pieces for param in piece.params)
        return Sql(self.text.join(piece.text for piece in pieces), params)


def sql(template: str, **parts: Any) -> Sql:
    """Compose: `{name}` in the template is replaced by the part of that name (see the module)."""
    text: list[str] = []
    params: list[Any] = []
    for literal, name, _spec, _conversion in _FORMATTER.parse(template):
        text.append(literal.replace("%", "%%"))
        if name is None:
            continue
        part = parts[name]
        if isinstance(part, Sql):
            text.append(part.text)
            params.extend(part.params)
        else:
            text.append("%s")
            params.append(part)
    return Sql("".join(text), tuple(params))


def identifier(name: str) -> Sql:
    """A quoted table or column name; for names from the project's own catalog, never from a user."""
    return Sql('"' + name.replace('"', '""').replace("%", "%%") + '"')


def array(values: Iterable[int | UUID]) -> str:
    """The text of an array, for a mark with its type (`{ids}::bigint[]`). Thousands of numbers take a fifth of
    the time of a list, which the driver turns into text one value at a time."""
    return "{" + ",".join(map(str, values)) + "}"


@cache
def statement(package: str, name: str) -> str:
    """The text of `package`'s `sql/<name>.sql`, with `%(name)s` parameters as psycopg takes them."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text()


# The types json and jsonb in PostgreSQL's catalog.
_JSON_TYPES = (114, 3802)


def fetch(query: Sql | str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Run a query on the default connection and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(*_arguments(query, params))
        return cursor.fetchall()


def fetch_dicts(query: Sql | str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Like `fetch`, each row a dict by column name."""
    with connection.cursor() as cursor:
        cursor.execute(*_arguments(query, params))
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def fetch_values(query: Sql | str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Like `fetch_dicts`, columns of JSON as the values they hold (Django's connection gives their text)."""
    with connection.cursor() as cursor:
        cursor.execute(*_arguments(query, params))
        columns = [(column.name, column.type_code in _JSON_TYPES) for column in cursor.description]
        return [
            {
                name: json.loads(value) if is_json and isinstance(value, str) else value
                for (name, is_json), value in zip(columns, row, strict=True)
            }
            for row in cursor.fetchall()
        ]


def execute(query: Sql | str, params: dict[str, Any] | None = None) -> int:
    """Run a statement on the default connection and return its row count."""
    with connection.cursor() as cursor:
        cursor.execute(*_arguments(query, params))
        return cursor.rowcount


def _arguments(query: Sql | str, params: dict[str, Any] | None) -> tuple[str, Sequence[Any] | dict[str, Any] | None]:
    if isinstance(query, Sql):
        return query.text, query.params
    return query, params if params is not None else {}
