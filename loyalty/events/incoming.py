"""Pure: reading one event as it comes from outside; tells every mistake in it, or what to store.

Limits are there so that no single event can make a batch, an index or a template slow; they are part of the documented
format. Every event passes through `read`: about 4 us each, so the fast way is written out and the slow one only names
what is wrong.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.events.names import FACTS, NAME_REMEDY, fold, is_name
from loyalty.kit.problems import Problem

FIELDS = ("id", "customer", "name", "occurred_at", "properties")
ID_LENGTH = 200
PROPERTIES_BYTES = 32 * 1024
PROPERTIES_DEPTH = 10

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# A NUL inside a JSON string; an even number of backslashes before it would make it plain text.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_OFFSET_REMEDY = "write it as 2026-11-21T09:30:00+01:00 or 2026-11-21T08:30:00Z"

Reference = str | tuple[str, str]
"""Whom an event is about: an external id, or a kind of identity with its value."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What depends on the installation and the moment: kinds of identity known, earliest and latest instant taken."""

    kinds: frozenset[str]
    earliest: datetime
    latest: datetime


@dataclass(slots=True)
class Incoming:
    """A well-formed event: folded name, properties as JSON text (None: none); `occurred_at` None if not given."""

    id: str | None
    customer: Reference
    name: str
    occurred_at: datetime | None
    properties: str | None


def read(event: object, limits: Limits) -> Incoming | list[Problem]:
    """The event, or everything that is wrong with it (places relative to the event)."""
    if not isinstance(event, dict):
        return [Problem("", "is not an object", f"give an object with {', '.join(FIELDS)}")]
    problems: list[Problem] = []
    result = Incoming(
        _id(event.get("id"), problems),
        _customer(event.get("customer"), limits, problems),
        _name(event.get("name"), problems),
        _instant(event.get("occurred_at"), limits, problems),
        _properties(event.get("properties"), problems),
    )
    for field in event:
        if field not in FIELDS:
            problems.append(
                Problem(str(field)[:100], "unknown field", "correct its spelling or put it into properties")
            )
    return problems or result


def _id(value: object, problems: list[Problem]) -> str | None:
    if value is None:
        return None
    text = _text(value)
    if text is None or not text:
        problems.append(Problem("id", "is no text", "give the event's own id, or leave it out"))
    elif len(text) > ID_LENGTH:
        problems.append(Problem("id", f"is longer than {ID_LENGTH} characters", "shorten it or use a hash"))
    elif not _is_storable(text):
        problems.append(Problem("id", "contains characters that are no text"))
    return text


def _customer(value: object, limits: Limits, problems: list[Problem]) -> Reference:
    if value is None:
        problems.append(Problem("customer", "is missing", "give the external id or an object such as {'email': ...}"))
        return ""
    if not isinstance(value, dict):
        return _identity("customer", value, problems)
    if len(value) != 1:
        problems.append(Problem("customer", "names not exactly one identity", "give one, such as {'email': ...}"))
        return ""
    kind, identity = next(iter(value.items()))
    if kind == "external_id":
        return _identity("customer.external_id", identity, problems)
    if kind not in limits.kinds:
        known = ", ".join(sorted(limits.kinds | {"external_id"}))
        problems.append(Problem("customer", f"{str(kind)[:100]!r} is no kind of identity", f"known: {known}"))
        return ""
    return kind, _identity(f"customer.{kind}", identity, problems)


def _identity(where: str, value: object, problems: list[Problem]) -> str:
    text = _text(value)
    if text is None or not text.strip():
        problems.append(Problem(where, "is no text", "give the external id or an object such as {'email': ...}"))
        return ""
    if len(text) > ID_LENGTH:
        problems.append(Problem(where, f"is longer than {ID_LENGTH} characters"))
    elif not _is_storable(text):
        problems.append(Problem(where, "contains characters that are no text"))
    return text.strip()


def _name(value: object, problems: list[Problem]) -> str:
    if value is None:
        problems.append(Problem("name", "is missing", "say what happened, for example purchase"))
        return ""
    name = fold(value) if isinstance(value, str) else ""
    if not is_name(name):
        problems.append(Problem("name", f"{str(value)[:100]!r} is no event name", NAME_REMEDY))
    elif name in FACTS:
        problems.append(Problem("name", f"{name} is written by the system itself", "use another name"))
    return name


def _instant(value: object, limits: Limits, problems: list[Problem]) -> datetime | None:
    if value is None:
        return None
    instant = value if isinstance(value, datetime) else None
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value.strip())
        except ValueError:
            instant = None
    if instant is None:
        problems.append(Problem("occurred_at", f"{str(value)[:100]!r} is no ISO 8601 time", _OFFSET_REMEDY))
    elif instant.tzinfo is None:
        problems.append(Problem("occurred_at", f"{str(value)[:100]!r} has no offset from UTC", _OFFSET_REMEDY))
    elif instant < limits.earliest:
        problems.append(Problem("occurred_at", f"is before {limits.earliest:%Y-%m-%d}", "correct the date"))
    elif instant > limits.latest:
        problems.append(Problem("occurred_at", "is more than a day in the future", "correct the date or the clock"))
    else:
        return instant
    return None


def _properties(value: object, problems: list[Problem]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.append(Problem("properties", "is not an object", "give an object, for example {'amount': 12.5}"))
        return None
    if not value:
        return None
    try:
        text = _encode(value)
        size = len(text.encode())
    except UnicodeEncodeError:
        problems.append(Problem("properties", "contains half a Unicode character", "send well-formed UTF-8"))
        return None
    except (TypeError, ValueError, RecursionError):
        problems.append(Problem("properties", "cannot be written as JSON", "no NaN, no Infinity, no endless nesting"))
        return None
    if size > PROPERTIES_BYTES:
        problems.append(Problem("properties", f"is larger than {PROPERTIES_BYTES // 1024} KB", "send less"))
    # Only what has that many brackets can be that deep.
    elif text.count("{") + text.count("[") > PROPERTIES_DEPTH and _depth(value) > PROPERTIES_DEPTH:
        problems.append(Problem("properties", f"is nested deeper than {PROPERTIES_DEPTH} levels", "flatten it"))
    elif "\\u0000" in text and _NUL.search(text):
        problems.append(Problem("properties", "contains a NUL character", "remove it"))
    return text


def _depth(value: Any) -> int:
    """How many objects and lists lie within each other; stops counting one past the limit."""
    depth, level = 0, [value]
    while level and depth <= PROPERTIES_DEPTH:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
    return depth


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _is_storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
