"""Pure: the comparisons a rule may make, their operands, and which kinds of values each one fits."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from campaigns.segments import patterns
from loyalty.events.names import NAME_REMEDY, fold, is_name
from loyalty.kit.periods import Period, local

MAX_LIST = 1_000
MAX_KEY = 100
# Outside these, Python or PostgreSQL would overflow when a zone is applied, and nobody means it.
YEARS = range(1800, 2501)
MAX_NUMBER = Decimal(10) ** 30

DECIMAL_TEXT = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")

NEGATIVE = frozenset({"ne", "not_in"})
NEEDS_CLOCK = frozenset({"within", "anniversary_within"})

_EQUALITY = frozenset({"eq", "ne", "in", "not_in", "is_set"})
_ORDER = frozenset({"gt", "gte", "lt", "lte"})
_TEXT = frozenset({"contains", "starts_with", "ends_with", "matches"})
_TIME = frozenset({"before", "after", "within", "anniversary_within"})

# Which comparisons fit a value of which kind; `any` is a JSON value that nobody declared: the operand says how to
# read it.
FITTING: dict[str, frozenset[str]] = {
    "text": _EQUALITY | _TEXT,
    "number": _EQUALITY | _ORDER,
    "date": _EQUALITY | _ORDER | _TIME,
    "boolean": _EQUALITY,
    "list": frozenset({"contains", "in", "not_in", "is_set"}),
    "geo": frozenset({"is_set"}),
    "any": _EQUALITY | _ORDER | _TEXT | _TIME,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A day or a wall time as people write it; `at` turns it into an instant: midnight for a day, offset-less in
    `zone`.
    """

    day: date | None = None
    wall: datetime | None = None

    @classmethod
    def parse(cls, value: object) -> "Moment":
        """From ISO 8601 text (`2026-11-21`, `2026-11-21T09:00+01:00`), a date or a datetime; raises ValueError."""
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
            except ValueError:
                value = None
        if isinstance(value, datetime):
            found = cls(wall=value)
        elif isinstance(value, date):
            found = cls(day=value)
        else:
            raise ValueError("is no date: write 2026-11-21 or 2026-11-21T09:00:00+01:00")
        if (value.year) not in YEARS:
            raise ValueError(f"the year must lie between {YEARS.start} and {YEARS.stop - 1}")
        return found

    def at(self, zone: str) -> datetime:
        """The instant, aware, in UTC."""
        if self.day is not None:
            return local(self.day, time(), zone)
        wall = self.wall
        if wall is None:
            raise ValueError("a moment is a day or a wall time")
        return wall.astimezone(UTC) if wall.tzinfo else local(wall.date(), wall.time(), zone)

    def __str__(self) -> str:
        return (self.day or self.wall or date.min).isoformat()


def scalar(value: Any) -> Any:
    """Text, a finite number (as Decimal) or true/false; raises ValueError."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        return number(value)
    if value is None:
        raise ValueError("null is no value to compare with; use is_set: false")
    raise ValueError("must be a text, a number or true/false")


def number(value: Any) -> Decimal:
    """A finite number from a JSON number or decimal text; raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("true/false is no number")
    if isinstance(value, str):
        if not DECIMAL_TEXT.fullmatch(value.strip()):
            raise ValueError("is no number")
        return Decimal(value.strip())
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        value = Decimal(str(value))
    elif isinstance(value, int):
        # Compared as int first: turning an int of thousands of digits into text is refused by Python.
        if abs(value) > int(MAX_NUMBER):
            raise ValueError("is too large a number")
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("is no number")
    if abs(value) > MAX_NUMBER:
        raise ValueError("is too large a number")
    return value


def _orderable(value: Any) -> Decimal | Moment:
    if isinstance(value, (date, datetime)):
        return Moment.parse(value)
    if isinstance(value, str) and not DECIMAL_TEXT.fullmatch(value.strip()):
        try:
            return Moment.parse(value)
        except ValueError:
            raise ValueError("is neither a number nor a date (2026-11-21)") from None
    return number(value)


def _scalars(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, for example [DE, AT]")
    if not value:
        raise ValueError("the list is empty")
    if len(value) > MAX_LIST:
        raise ValueError(f"the list has more than {MAX_LIST} entries; make it an attribute instead")
    return tuple(scalar(item) for item in value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
        raise ValueError("must be a text of at least one character")
    return value if isinstance(value, str) else str(value)


def _element(value: Any) -> Any:
    found = scalar(value)
    if found == "":
        raise ValueError("must be a text of at least one character")
    return found


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a regular expression as text")
    problem = patterns.problem_of(value)
    if problem:
        raise ValueError(f"the regular expression {problem}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _window(value: Any) -> Period:
    period = Period.parse(value)
    if period.seconds == 0 or (period.seconds is None and not period.months and not period.days):
        raise ValueError("the window is empty; give it a length such as 7d")
    return period


def _event_name(value: Any) -> str:
    name = fold(value) if isinstance(value, str) else ""
    if not is_name(name):
        raise ValueError(f"is no event name: {NAME_REMEDY}")
    return name


def _keys(value: Any) -> tuple[str, ...]:
    keys = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(key, str) and 0 < len(key) <= MAX_KEY for key in keys):
        raise ValueError("must be a key or a list of keys")
    if not 0 < len(keys) <= MAX_LIST:
        raise ValueError(f"must name 1 to {MAX_LIST} keys")
    return tuple(keys)


# The operands as pydantic fields: each is read by the function beside it.
Scalar = Annotated[Any, BeforeValidator(scalar)]
Orderable = Annotated[Any, BeforeValidator(_orderable)]
Scalars = Annotated[Any, BeforeValidator(_scalars)]
Element = Annotated[Any, BeforeValidator(_element)]
Text = Annotated[Any, BeforeValidator(_text)]
Pattern = Annotated[Any, BeforeValidator(_pattern)]
Truth = Annotated[Any, BeforeValidator(_truth)]
Instant = Annotated[Any, BeforeValidator(Moment.parse)]
Window = Annotated[Any, BeforeValidator(_window)]
EventName = Annotated[str, BeforeValidator(_event_name)]
Keys = Annotated[Any, BeforeValidator(_keys)]


class Comparisons(BaseModel):
    """Comparisons with one value, which must all hold: `{gte: 18, lt: 30}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    eq: Scalar = None
    ne: Scalar = None
    gt: Orderable = None
    gte: Orderable = None
    lt: Orderable = None
    lte: Orderable = None
    in_: Scalars = Field(None, alias="in")
    not_in: Scalars = None
    contains: Element = None
    starts_with: Text = None
    ends_with: Text = None
    matches: Pattern = None
    is_set: Truth = None
    before: Instant = None
    after: Instant = None
    within: Window = None
    anniversary_within: Window = None

    @model_validator(mode="after")
    def _says_something(self) -> "Comparisons":
        if not any(True for _ in self.said()):
            raise ValueError(f"says no comparison; known: {', '.join(NAMES)}")
        return self

    def said(self) -> Iterator[tuple[str, Any]]:
        """The comparisons that were written, as (name, operand)."""
        for name in NAMES:
            attribute = "in_" if name == "in" else name
            if attribute in self.model_fields_set:
                yield name, getattr(self, attribute)


NAMES = tuple("in" if name == "in_" else name for name in Comparisons.model_fields)


def from_shorthand(value: Any) -> Any:
    """A plain value means `eq`, a list means `in`; mappings stay."""
    if isinstance(value, dict | Comparisons):
        return value
    return {"in": value} if isinstance(value, list | tuple) else {"eq": value}


Compared = Annotated[Comparisons, BeforeValidator(from_shorthand)]


def misfit(name: str, operand: Any, kind: str) -> str | None:
    """Why this comparison cannot be made with values of that kind, or None when it can."""
    if name not in FITTING[kind]:
        return f"{name} does not fit a {kind}; possible: {', '.join(n for n in NAMES if n in FITTING[kind])}"
    if name not in _EQUALITY | _ORDER or name == "is_set":
        return None
    for item in operand if name in ("in", "not_in") else (operand,):
        problem = _operand_misfit(item, kind)
        if problem:
            return problem
    return None


def _operand_misfit(operand: Any, kind: str) -> str | None:
    """Why a value of that kind can never equal or be ordered against the operand."""
    if kind == "text" and isinstance(operand, bool):
        return f"{str(operand).lower()} is no text; if a word was meant, quote it (YAML reads NO and yes as true/false)"
    if kind == "boolean" and not isinstance(operand, bool):
        return f"{_quoted(operand)} is neither true nor false"
    try:
        if kind == "number":
            if isinstance(operand, Moment):
                return f"{operand} is no number"
            number(operand)
        elif kind == "date" and not isinstance(operand, Moment):
            Moment.parse(operand)
    except ValueError as error:
        return f"{_quoted(operand)} {error}"
    return None


def _quoted(operand: Any) -> str:
    return repr(operand[:60]) if isinstance(operand, str) else str(operand)
