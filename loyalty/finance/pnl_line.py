"""What a line of the program's result is: one file each in `lines/`, found by its name."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from loyalty.kit.registry import Registry
from loyalty.kit.sql import fetch, sql
from loyalty.program.setup import Setup


@dataclass(frozen=True, slots=True)
class Span:
    """The month of a program that is looked at: from `start` up to, not including, `end`; `rows` are its bookings."""

    setup: Setup
    month: date
    start: datetime
    end: datetime
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Line:
    """An amount that makes the result better (over 0) or worse. `quantity` are points, orders... behind it, `parts`
    what it is the sum of, as JSON values."""

    key: str
    amount: Decimal
    quantity: int | None = None
    parts: tuple[dict[str, Any], ...] = ()


class PnlLine(Protocol):
    """Computes its lines of one month by a fixed number of queries; `order` is its place in the statement, `names` what
    its lines are called (lazy translations)."""

    order: int
    names: dict[str, Any]

    def lines(self, span: Span) -> list[Line]: ...


pnl_lines: Registry[PnlLine] = Registry("line of the result", package="loyalty.finance.lines")


def all_lines(span: Span) -> list[Line]:
    """Every line of the month that is not 0, in order."""
    parts = sorted(pnl_lines.items(), key=lambda item: (item[1].order, item[0]))
    return [line for _, part in parts for line in part.lines(span) if line.amount or line.quantity or line.parts]


def line_names() -> dict[str, Any]:
    """What all lines are called."""
    parts = sorted(pnl_lines.items(), key=lambda item: (item[1].order, item[0]))
    return {key: name for _, part in parts for key, name in part.names.items()}


def there(*tables: str) -> bool:
    """Whether all these tables exist: a package may be missing, then its line is."""
    return fetch(
        sql("SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest({tables}::text[]) AS t", tables=list(tables))
    )[0][0]
