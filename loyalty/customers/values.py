"""Pure: reading the values of customer fields: typed, strict, with a sentence for what is wrong.

Each parser takes what JSON or a CSV cell holds and returns the value as it is stored (text as `str`, dates as
`YYYY-MM-DD`, numbers as `int` or exact `float`, money as a decimal string or `{"amount", "currency"}`), or raises
`Refused`. Parsers are never given None: that clears a field.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

TYPES = ("text", "number", "money", "date", "boolean", "choice", "list", "geo")
TEXT_MAX = 10_000
LIST_MAX = 500
# Every decimal of up to 15 digits survives the way through a double, which is what JSON readers make of it.
DIGITS_MAX = 15

Parser = Callable[[Any], Any]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
_WRITTEN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")
_TRUE = {"true", "yes", "1", "ja", "wahr"}
_FALSE = {"false", "no", "0", "nein", "falsch"}


class Refused(ValueError):
    """A value that cannot be taken: what is wrong, and what to do."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def shown(value: Any) -> str:
    """The value as a message quotes it, cut when long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def plain_text(value: Any) -> str:
    """Text as given, without surrounding space; numbers are taken as their digits."""
    if type(value) is str:
        text = value.strip()
        if text.isascii() and "\0" not in text and len(text) <= TEXT_MAX:
            return text
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    else:
        raise Refused(f"{shown(value)} is not text")
    if len(text) > TEXT_MAX:
        raise Refused(f"is {len(text):,} characters long", f"at most {TEXT_MAX:,} are kept")
    if "\0" in text:
        raise Refused("contains a NUL character", "remove it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Refused("contains half a character (a lone surrogate)", "repair the encoding") from None
    return text


def number(value: Any) -> int | float:
    """A finite number of at most 15 digits."""
    return _stored_number(_decimal(value, "a number"))


def money(value: Any) -> str | dict[str, str]:
    """`"12.50"`, `"12.50 EUR"` or `{"amount": "12.50", "currency": "EUR"}`; kept as decimal string or object."""
    currency = None
    amount = value
    if isinstance(value, dict):
        if set(value) - {"amount", "currency"} or "amount" not in value:
            raise Refused(f"{shown(value)} is not an amount of money", 'write {"amount": "12.50", "currency": "EUR"}')
        amount, currency = value["amount"], value.get("currency")
    elif isinstance(value, str) and " " in value.strip():
        amount, _, currency = value.strip().rpartition(" ")
    exact = _decimal(amount, "an amount of money")
    if currency is None:
        return f"{exact:f}"
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise Refused(f"{shown(currency)} is not a currency", "use the ISO 4217 code such as EUR")
    return {"amount": f"{exact:f}", "currency": currency.upper()}


def day(value: Any) -> str:
    """`YYYY-MM-DD`; of an ISO date and time the date as written."""
    if isinstance(value, str):
        text = value.strip()
        whole = _DATE_TIME.fullmatch(text)
        if whole:
            text = whole.group(1)
        if _DATE.fullmatch(text):
            try:
                date.fromisoformat(text)
            except ValueError:
                raise Refused(f"{shown(value)} is no day of the calendar") from None
            return text
    raise Refused(f"{shown(value)} is not a date", "write it as YYYY-MM-DD")


def boolean(value: Any) -> bool:
    """true or false; 1 and 0, yes and no."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Refused(f"{shown(value)} is not true or false", "write true or false")


def choice(choices: Sequence[str]) -> Parser:
    """One of `choices`."""
    known = frozenset(choices)

    def parse(value: Any) -> str:
        text = plain_text(value)
        if text not in known:
            raise Refused(f"{shown(value)} is not one of the choices", f"known: {', '.join(choices)}")
        return text

    return parse


def items(value: Any) -> list[str | int | float]:
    """A list of texts and numbers; in a CSV cell separated by `|`."""
    if isinstance(value, str):
        return [plain_text(item) for item in value.split("|") if item.strip()]
    if not isinstance(value, list):
        raise Refused(f"{shown(value)} is not a list", 'write ["a", "b"], in CSV a|b')
    if len(value) > LIST_MAX:
        raise Refused(f"has {len(value)} items", f"at most {LIST_MAX} are kept")
    numeric = (int, float)
    return [
        number(item) if isinstance(item, numeric) and not isinstance(item, bool) else plain_text(item) for item in value
    ]


def geo(value: Any) -> dict[str, float]:
    """`{"lat": 50.94, "lon": 6.96}`, `[50.94, 6.96]` or `"50.94,6.96"`, in degrees."""
    pair = value
    if isinstance(value, dict) and set(value) == {"lat", "lon"}:
        pair = [value["lat"], value["lon"]]
    elif isinstance(value, str):
        pair = value.split(",")
    if not isinstance(pair, list) or len(pair) != 2:
        raise Refused(f"{shown(value)} is not a place", 'write {"lat": 50.94, "lon": 6.96}, in CSV 50.94,6.96')
    lat, lon = (float(_decimal(part, "a coordinate", digits=20)) for part in pair)
    if abs(lat) > 90 or abs(lon) > 180:
        raise Refused(f"{shown(value)} is not on earth", "latitude is -90 to 90, longitude -180 to 180")
    return {"lat": lat, "lon": lon}


PARSERS: dict[str, Parser] = {
    "text": plain_text,
    "number": number,
    "money": money,
    "date": day,
    "boolean": boolean,
    "list": items,
    "geo": geo,
}


def guess_type(value: Any, *, written: bool) -> str:
    """The type of an attribute that nobody announced, from its first value; `written`: the value is the text of a cell.

    Raises Refused for an object that is neither money nor a place.
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "list"
    if isinstance(value, dict):
        if set(value) == {"lat", "lon"}:
            return "geo"
        if "amount" in value and set(value) <= {"amount", "currency"}:
            return "money"
        raise Refused("an attribute cannot be an object", "give its parts as attributes of their own")
    text = str(value).strip()
    if _DATE.fullmatch(text):
        return "date"
    # A leading zero is kept as text: it is part of a postcode or a card number.
    if written and _WRITTEN_NUMBER.fullmatch(text) and len(text.lstrip("-").replace(".", "")) <= DIGITS_MAX:
        return "number"
    if written and text.lower() in ("true", "false"):
        return "boolean"
    return "text"


def _decimal(value: Any, what: str, *, digits: int = DIGITS_MAX) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(f"{shown(value)} is not {what}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refused(f"{value} is not {what}")
        value = repr(value)
    if isinstance(value, int) and abs(value) >= 10**DIGITS_MAX:
        raise Refused("has too many digits", f"at most {DIGITS_MAX} are kept")
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        remedy = "write the decimal point as '.', without thousands separators" if "," in text else ""
        raise Refused(f"{shown(value)} is not {what}", remedy)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise Refused(f"{shown(value)} is not {what}") from None
    if len(exact.as_tuple().digits) > digits or abs(exact.adjusted()) > digits:
        raise Refused(f"{shown(value)} has too many digits", f"at most {digits} are kept")
    return exact


def _stored_number(exact: Decimal) -> int | float:
    return int(exact) if exact == exact.to_integral_value() else float(exact)
