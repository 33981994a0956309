"""Pure: conditions on the properties of an event, `{stars: {gte: 4}, product: [a, b], verified: true}`."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from loyalty.kit.sql import Sql, sql

_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NUMBER = r"^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$"


def _one(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        value = {"in": value} if isinstance(value, list) else {"eq": value}
    for name, operand in value.items():
        if name in _ORDER:
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                raise ValueError(f"{name} compares with a number")
        elif name in ("in", "not_in"):
            if not isinstance(operand, list) or not all(_scalar(item) for item in operand):
                raise ValueError(f"{name} needs a list of texts, numbers or true/false")
        elif name not in ("eq", "ne"):
            raise ValueError(f"unknown comparison {name!r}; known: eq, ne, gt, gte, lt, lte, in, not_in")
        elif not _scalar(operand):
            raise ValueError(f"{name} compares with a text, a number or true/false")
    return value


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


Condition = Annotated[dict[str, Any], BeforeValidator(_one)]
Conditions = Annotated[dict[str, Condition], Field(max_length=20)]


def holds_sql(conditions: Conditions, properties: Sql) -> Sql:
    """Boolean SQL over a jsonb expression; never NULL. A missing property fits ne and not_in only."""
    parts = [
        _sql(sql("({properties} ->> {key})", properties=properties, key=key), name, operand)
        for key, said in conditions.items()
        for name, operand in said.items()
    ]
    return Sql(" AND ").join(parts) if parts else Sql("TRUE")


def _sql(value: Sql, name: str, operand: Any) -> Sql:
    if name in _ORDER:
        return sql(
            "coalesce(CASE WHEN {value} ~ {number} THEN {value}::numeric {sign} {operand}::numeric END, FALSE)",
            value=value,
            number=_NUMBER,
            sign=Sql(_ORDER[name]),
            operand=Decimal(str(operand)),
        )
    texts = [_text(item) for item in (operand if isinstance(operand, list) else [operand])]
    found = sql("coalesce({value} = ANY({texts}::text[]), FALSE)", value=value, texts=texts)
    return sql("NOT {found}", found=found) if name in ("ne", "not_in") else found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def holds(conditions: Conditions, properties: dict[str, Any]) -> bool:
    """The twin of `holds_sql`."""
    return all(
        _holds(properties.get(key), name, operand) for key, said in conditions.items() for name, operand in said.items()
    )


def _holds(value: Any, name: str, operand: Any) -> bool:
    text = None if value is None else _text(value)
    if name in _ORDER:
        if text is None or not re.match(_NUMBER, text):
            return False
        left, right = Decimal(text), Decimal(str(operand))
        return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[name]
    found = text in [_text(item) for item in (operand if isinstance(operand, list) else [operand])]
    return found != (name in ("ne", "not_in"))
