"""Pure: what the properties of a type of event look like: learned from values, declared by people, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loyalty.kit.problems import Problem

# What a value can be declared to be, and what to send then.
SHAPES = {
    "text": "send text, for example 'blue'",
    "number": "send a number without quotes, for example 12.5",
    "money": "send a number or decimal text, for example '12.50'",
    "boolean": "send true or false",
    "date": "send a day as text, for example '2026-11-21'",
    "time": "send an instant with offset as text, for example '2026-11-21T09:30:00+01:00'",
    "list": "send a list, for example ['a', 'b']",
    "object": "send an object, for example {'a': 1}",
}
KEY_LENGTH = 100
PROPERTIES_MAX = 200
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII | re.IGNORECASE)
_MONEY = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Declared:
    """What people decided about one property."""

    type: str
    required: bool = False


Schema = Mapping[str, Declared]


def shape_of(value: Any) -> str | None:
    """What a value looks like, the narrowest of `SHAPES` (never money); None for null, which is as good as missing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        if len(value) >= 10 and value[4] == "-":
            if _is_date(value):
                return "date"
            if _is_time(value):
                return "time"
        return "text"
    return "object" if isinstance(value, dict) else "list"


def check(properties: Any, schema: Schema) -> list[Problem]:
    """Every declared property that is missing or of another type; those that nobody declared are not looked at."""
    given = properties if isinstance(properties, dict) else {}
    problems = []
    for key, declared in schema.items():
        value = given.get(key)
        if value is None:
            if declared.required:
                problems.append(Problem(f"properties.{key}", "is missing", f"add it: {SHAPES[declared.type]}"))
        elif not fits(value, declared.type):
            told = f"is {_article(shape_of(value))}, but must be {_article(declared.type)}"
            problems.append(Problem(f"properties.{key}", told, SHAPES[declared.type]))
    return problems


def fits(value: Any, shape: str) -> bool:
    """Whether a value, not null, can be taken as this shape."""
    if shape == "text":
        return isinstance(value, str)
    if shape == "money":
        return shape_of(value) == "number" or (isinstance(value, str) and _MONEY.fullmatch(value) is not None)
    return shape_of(value) == shape


def read_schema(document: Any, where: str = "properties") -> tuple[dict[str, Declared], list[Problem]]:
    """The schema in a document ({name: type} or {name: {type, required}}) and what is wrong with it."""
    found: dict[str, Declared] = {}
    if not isinstance(document, dict):
        return found, [Problem(where, "is not an object", "write name: type, for example amount: number")]
    problems = []
    if len(document) > PROPERTIES_MAX:
        problems.append(Problem(where, f"has more than {PROPERTIES_MAX} properties", "declare those that matter"))
    for key, given in document.items():
        place = f"{where}.{key}"
        whole = {"type": given} if isinstance(given, str) else given
        if not isinstance(key, str) or not key or len(key) > KEY_LENGTH:
            problems.append(Problem(where, f"{str(key)[:40]!r} is no name", f"use 1 to {KEY_LENGTH} characters"))
        elif not isinstance(whole, dict):
            problems.append(Problem(place, "is no type", f"write one of {', '.join(SHAPES)}"))
        else:
            shape, required = whole.get("type"), whole.get("required", False)
            if shape not in SHAPES:
                problems.append(Problem(f"{place}.type", f"{shape!r} is no type", f"use one of {', '.join(SHAPES)}"))
            if not isinstance(required, bool):
                problems.append(Problem(f"{place}.required", "is neither true nor false", "write true or false"))
            for name in whole.keys() - {"type", "required"}:
                problems.append(Problem(f"{place}.{name}", "unknown field", "known: type, required"))
            if shape in SHAPES and isinstance(required, bool):
                found[key] = Declared(str(shape), required)
    return found, problems


def write_schema(schema: Schema) -> dict[str, Any]:
    """The schema as a document, short where it can be: `amount: number`."""
    return {
        key: {"type": one.type, "required": True} if one.required else one.type for key, one in sorted(schema.items())
    }


def proposed(seen: Mapping[str, Mapping[str, int]], sampled: int) -> dict[str, Declared]:
    """The schema that what was seen suggests: {property: {shape: how often}} among `sampled` events.

    A property of one shape is declared as that; dates and times mixed with other text are text; other mixtures are left
    open. What every one of at least 20 events had is required.
    """
    found: dict[str, Declared] = {}
    for key, shapes in seen.items():
        kinds = {shape for shape, count in shapes.items() if count}
        if kinds <= {"text", "date", "time"} and len(kinds) > 1:
            kinds = {"text"}
        if len(kinds) == 1:
            always = sampled >= 20 and sum(shapes.values()) >= sampled
            found[key] = Declared(kinds.pop(), always)
    return found


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _article(shape: str | None) -> str:
    return {"text": "text", "money": "money", "object": "an object", None: "null"}.get(shape, f"a {shape}")
