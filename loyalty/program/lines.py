"""Pure: which lines of a receipt a rule means, in SQL, for one line in Python, and in words."""

from typing import Any

from loyalty.kit.sql import Sql, sql
from loyalty.program.rule_definition import Lines


def matches_sql(only: Lines, without: Lines) -> Sql:
    """Boolean SQL over the alias `line`; never NULL."""
    parts = [sql("coalesce({one}, FALSE)", one=one) for one in _parts(only)]
    if without:
        parts += [sql("NOT coalesce({one}, FALSE)", one=one) for one in _parts(without)]
    return Sql(" AND ").join(parts) if parts else Sql("TRUE")


def _parts(lines: Lines) -> list[Sql]:
    columns = (("sku", lines.sku), ("category", lines.category), ("brand", lines.brand))
    found = [sql("line.{name} = ANY({values}::text[])", name=Sql(name), values=v) for name, v in columns if v]
    if lines.label:
        found.append(sql("line.labels && {values}::text[]", values=lines.label))
    return found


def matches(line: dict[str, Any], only: Lines, without: Lines) -> bool:
    """The twin of `matches_sql`."""
    if not all(_hit(line, name, wanted) for name, wanted in _given(only)):
        return False
    return not any(_hit(line, name, wanted) for name, wanted in _given(without))


def _given(lines: Lines) -> list[tuple[str, list[str]]]:
    return [(name, values) for name in ("sku", "category", "brand", "label") if (values := getattr(lines, name))]


def _hit(line: dict[str, Any], name: str, wanted: list[str]) -> bool:
    if name == "label":
        return bool(set(line.get("labels") or ()) & set(wanted))
    return line.get(name) in wanted
