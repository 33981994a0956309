"""Pure: the filters a template may use; everything else of Jinja2's is out of reach.

No filter calls its argument, looks up an attribute by name or can make a text longer than `CAP` characters.
"""

import html
import json
import re
from collections.abc import Callable
from datetime import tzinfo
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined
from markupsafe import Markup, escape

from campaigns.content.formats import Formats, NotFormattable, to_number
from campaigns.content.values import Missing

Filter = Callable[..., Any]

CAP = 10_000
URL_CAP = 2_000
ITEMS = 100
SCHEMES = frozenset({"http", "https", "mailto", "tel"})
# What a link becomes whose address is not one we let through: it leads nowhere.
NOWHERE = "#"
# Most addresses; told by one match (0.5 us) instead of being taken apart (4 us).
_USUAL_URL = re.compile(r"https?://[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]{1,5})?(?:[/?#][!#-;=?-\[\]_a-z{|}~]*)?\Z")


class FilterError(ValueError):
    """A filter got something it cannot work with; the text never repeats the value."""


def _text(value: object) -> str:
    if type(value) is str:
        return value if len(value) <= CAP else value[:CAP]
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Markup):
        return html.unescape(str(value))[:CAP]
    if isinstance(value, (str, int, float, Decimal)):
        return str(value)[:CAP]
    raise FilterError("needs a text or a number, not a list or an object")


def _items(value: object) -> list[Any]:
    if isinstance(value, Undefined):
        return list(value)
    if isinstance(value, (list, tuple)):
        return list(value[:ITEMS])
    raise FilterError("needs a list")


def _count(value: object, most: int = CAP) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise FilterError(f"needs a whole number between 0 and {most}")
    return value


def default(value: object, fallback: object = "", boolean: bool = False) -> object:
    """The value, or `fallback` where there is none; with `true` also instead of an empty one."""
    return fallback if isinstance(value, Undefined) or (boolean and not value) else value


def upper(value: object) -> str:
    """In capitals."""
    return _text(value).upper()[:CAP]


def lower(value: object) -> str:
    """In small letters."""
    return _text(value).lower()[:CAP]


def capitalize(value: object) -> str:
    """First letter large, the others small."""
    return _text(value).capitalize()[:CAP]


def title(value: object) -> str:
    """Every word with a large first letter."""
    return _text(value).title()[:CAP]


def trim(value: object) -> str:
    """Without blanks at both ends."""
    return _text(value).strip()


def truncate(value: object, length: int = 255, end: str = "…") -> str:
    """At most `length` characters, cut between words, with `end` where something was cut."""
    text = _text(value)
    if len(text) <= _count(length):
        return text
    cut = text[: max(0, length - len(_text(end)))]
    return ((cut.rpartition(" ")[0] or cut) + _text(end))[:CAP]


def replace(value: object, old: str, new: str) -> str:
    """With every `old` made `new`."""
    if not _text(old):
        raise FilterError("needs a text to look for")
    text, new = _text(value), _text(new)
    most = (CAP - len(text)) // len(new) + 1 if new else -1
    return text.replace(_text(old), new, most)[:CAP]


def length(value: object) -> int:
    """How many items or characters."""
    if isinstance(value, (Undefined, str, list, tuple, dict)):
        return len(value)
    raise FilterError("needs a list or a text")


def first(value: object) -> object:
    """The first item; none for an empty list, so that `default` works."""
    items = _items(value)
    return items[0] if items else Missing(name="first item")


def last(value: object) -> object:
    """The last item; none for an empty list, so that `default` works."""
    items = _items(value)
    return items[-1] if items else Missing(name="last item")


def join(value: object, separator: str = "") -> str:
    """The items of a list with `separator` between them."""
    return _text(separator).join(_text(item) for item in _items(value))[:CAP]


def rounded(value: object, digits: int = 0) -> Decimal | int:
    """The number rounded, halves to the even digit."""
    number = round(to_number(value), _count(digits, 10))
    return number if digits else int(number)


def integer(value: object, fallback: int = 0) -> int:
    """The whole part of a number, `fallback` where there is no number."""
    try:
        return int(to_number(value))
    except NotFormattable:
        return _count(fallback, 10**9)


def decimal(value: object) -> Decimal:
    """A text as a number, to reckon with."""
    return to_number(value)


def absolute(value: object) -> Decimal:
    """The number without its sign."""
    return abs(to_number(value))


def times(value: object, factor: object) -> Decimal:
    """The number multiplied."""
    return to_number(to_number(value) * to_number(factor))


def url(value: object) -> str:
    """The address if it is a full http, https, mailto or tel one, otherwise `#`."""
    return safe_url(value)


def urlencode(value: object) -> str:
    """Fit to stand as a value in the query of an address."""
    return quote(_text(value)[: CAP // 9], safe="")


def nl2br(value: object) -> Markup:
    """Escaped, with line ends as line breaks."""
    return Markup("<br>\n").join(escape(line) for line in _text(value).splitlines()[:200])


def as_json(value: object) -> str:
    """As a JSON value with its quotes, for webhook bodies."""
    if isinstance(value, Undefined):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > CAP:
        raise FilterError("is too long")
    return text


def safe_url(value: object) -> str:
    """Like the filter `url`; `value` may be escaped HTML."""
    address = _text(value).strip()
    if _USUAL_URL.match(address) and len(address) <= URL_CAP:
        return address
    if len(address) > URL_CAP or not address.isprintable() or "\\" in address or " " in address:
        return NOWHERE
    try:
        parts = urlsplit(address)
    except ValueError:
        return NOWHERE
    if parts.scheme not in SCHEMES or (parts.scheme in ("http", "https") and not parts.hostname):
        return NOWHERE
    return address


PLAIN: dict[str, Filter] = {
    "default": default,
    "d": default,
    "upper": upper,
    "lower": lower,
    "capitalize": capitalize,
    "title": title,
    "trim": trim,
    "truncate": truncate,
    "replace": replace,
    "length": length,
    "count": length,
    "first": first,
    "last": last,
    "join": join,
    "round": rounded,
    "int": integer,
    "float": decimal,
    "abs": absolute,
    "times": times,
    "url": url,
    "urlencode": urlencode,
}


def localized(formats: Formats) -> dict[str, Filter]:
    """The filters whose output depends on the locale; instants are seen from the customer's time zone."""

    @pass_context
    def date(context: Context, value: object, style: str = "medium") -> str:
        return formats.date(_known(value), style, _zone(context))

    @pass_context
    def time(context: Context, value: object, style: str = "short") -> str:
        return formats.time(_known(value), style, _zone(context))

    @pass_context
    def datetime(context: Context, value: object, style: str = "medium") -> str:
        return formats.datetime(_known(value), style, _zone(context))

    def number(value: object, digits: int | None = None) -> str:
        return formats.number(_known(value), None if digits is None else _count(digits, 10))

    def money(value: object, currency: str = "EUR") -> str:
        return formats.money(_known(value), currency)

    def percent(value: object, digits: int = 0) -> str:
        return formats.percent(_known(value), _count(digits, 10))

    return {"date": date, "time": time, "datetime": datetime, "number": number, "money": money, "percent": percent}


def _known(value: object) -> object:
    return str(value) if isinstance(value, Undefined) else value  # str() raises with the value's name


def _zone(context: Context) -> tzinfo | None:
    zone = context.parent.get("_zone")
    return zone if isinstance(zone, tzinfo) else None


def for_html() -> dict[str, Filter]:
    """Filters that write markup."""
    return {"escape": escape, "e": escape, "nl2br": nl2br}


def for_text() -> dict[str, Filter]:
    """The same names where the output is plain text."""
    return {"escape": _text, "e": _text, "nl2br": _text, "json": as_json}


# What lint knows: every filter by name, as a function whose signature tells the arguments after the value.
SIGNATURES: dict[str, tuple[int, int]] = {
    "default": (0, 2), "d": (0, 2), "upper": (0, 0), "lower": (0, 0), "capitalize": (0, 0), "title": (0, 0), "trim":
    (0, 0),
    "truncate": (0, 2), "replace": (2, 2), "length": (0, 0), "count": (0, 0), "first": (0, 0), "last": (0, 0), "join":
    (0, 1),
    "round": (0, 1), "int": (0, 1), "float": (0, 0), "abs": (0, 0), "times": (1, 1), "url": (0, 0), "urlencode": (0, 0),
    "date": (0, 1), "time": (0, 1), "datetime": (0, 1), "number": (0, 1), "money": (0, 1), "percent": (0, 1),
    "escape": (0, 0), "e": (0, 0), "nl2br": (0, 0), "json": (0, 0),
}  # fmt: skip
