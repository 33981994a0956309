"""Pure: what templates see of the world: texts, numbers and lists in plain objects, cut to size.

`Values` answers a missing key with `Missing`, so compiled templates look names up by plain subscription, which is
five times as fast as a call and reaches nothing but keys: no attribute of any Python object can be named.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined

TEXT_MAX = 10_000
ITEMS_MAX = 100
DEPTH_MAX = 10


class Missing(StrictUndefined):
    """A value that is not there: false, like all beneath it; other uses raise UndefinedError with its name."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return f"{self._undefined_name} has no value and no default"

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __getitem__(self, key: object) -> "Missing":  # type: ignore[override]
        return self


class Values(dict[str, Any]):
    """An object in a template: keys with values, nothing else."""

    __slots__ = ()

    def __missing__(self, key: str) -> Missing:
        return Missing(name=key)


def _sendable(text: str) -> str:
    """Without NUL and lone surrogates, which no message can carry; looking at values is cheaper than at whole mails."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    return text


def shielded(value: Any, depth: int = 0) -> Any:
    """The value as templates may see it, None for nothing: cut to size, unknown kinds of objects left out."""
    kind = type(value)
    if kind is str:
        return _sendable(value[:TEXT_MAX]) or None
    if kind is int or kind is float or kind is bool or kind is Values or value is None:
        return value
    if kind is dict or isinstance(value, Mapping):
        if depth >= DEPTH_MAX:
            return None
        made = Values()
        for key, item in value.items():
            kind = type(item)
            # Most values, without a call. ASCII is told in no time; other text goes the long way.
            if kind is int or (
                kind is str and item and item.isascii() and len(item) <= TEXT_MAX and "\x00" not in item
            ):
                made[key] = item
            elif (seen := shielded(item, depth + 1)) is not None:
                made[key] = seen
        return made
    if kind is list or isinstance(value, (list, tuple)):
        return None if depth >= DEPTH_MAX else [shielded(item, depth + 1) for item in value[:ITEMS_MAX]]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (str, int, float, Decimal)):
        return _sendable(str(value)[:TEXT_MAX]) or None
    return None
