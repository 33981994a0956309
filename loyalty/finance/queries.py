"""Reads of the books, for pages and calls: a few rows a month, whatever the number of members."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from loyalty.finance import books
from loyalty.finance.breakage import Curve
from loyalty.finance.definition import ValuationDocument
from loyalty.finance.models import BookMonth, Valuation

MONTHS = 25
# Points older than this stand together in tables: three years are the usual life of a point.
OLDEST_SHOWN = 36


@dataclass(frozen=True, slots=True)
class AgeGroup:
    """Points open at a month's end, of ages from `first` to `last` months."""

    first: int
    last: int | None
    points: int
    worth: Decimal
    amount: Decimal


def months(program_id: int, *, limit: int = MONTHS) -> list[BookMonth]:
    """The newest months, oldest first."""
    return list(BookMonth.objects.filter(program_id=program_id).order_by("-month")[:limit])[::-1]


def month_of(program_id: int, month: date | None = None) -> BookMonth | None:
    """That month, the newest for None."""
    found = BookMonth.objects.filter(program_id=program_id).order_by("-month")
    return found.filter(month=month).first() if month else found.first()


def document(program_id: int) -> ValuationDocument:
    """How the program's points are valued."""
    found = Valuation.objects.filter(program_id=program_id).first()
    return ValuationDocument.model_validate(found.definition if found else {})


def bookings(entry: BookMonth, valued: ValuationDocument) -> list[dict[str, Any]]:
    """The month's bookings with debit and credit; those of 0 are left out."""
    accounts = valued.accounts.model_dump()
    return [row for row in books.bookings(entry.rows, accounts) if row["amount"]]


def age_groups(entry: BookMonth) -> list[AgeGroup]:
    """What is owed by the age of the points: half years, and everything older together."""
    found: dict[int, list[dict[str, Any]]] = {}
    for age in entry.ages:
        found.setdefault(min(max(0, age["age"]), OLDEST_SHOWN) // 6 * 6, []).append(age)
    return [
        AgeGroup(
            first,
            None if first >= OLDEST_SHOWN else first + 5,
            sum(one["points"] for one in ages),
            sum((Decimal(one["worth"]) for one in ages), Decimal(0)),
            sum((Decimal(one["amount"]) for one in ages), Decimal(0)),
        )
        for first, ages in sorted(found.items())
    ]


def curves(entry: BookMonth) -> dict[str, Curve]:
    """The chances that held at the month's end, by wallet."""
    return {key: Curve(values) for key, values in entry.curves.items() if key != "closing"}


def sums(found: Sequence[BookMonth]) -> dict[str, tuple[Decimal, int | None]]:
    """The lines of the result over these months."""
    totals: dict[str, tuple[Decimal, int | None]] = {}
    for entry in found:
        for line in entry.lines:
            amount, quantity = totals.get(line["key"], (Decimal(0), None))
            counted = line["quantity"]
            both = counted if quantity is None else quantity + (counted or 0)
            totals[line["key"]] = amount + Decimal(line["amount"]), both
    return totals


def csv_rows(found: Sequence[BookMonth], valued: ValuationDocument) -> Iterator[list[str]]:
    """The bookings for an accounting program, one row each, dated on the month's last day."""
    yield ["date", "reference", "debit", "credit", "amount", "currency", "line", "wallet", "points", "state"]
    for entry in found:
        last = books.last_day(entry.month)
        for number, row in enumerate(bookings(entry, valued), 1):
            yield [
                last.isoformat(), f"{entry.program.key}-{entry.month:%Y-%m}-{number}", row["debit"], row["credit"],
                f"{row['amount']:.2f}", entry.currency, row["line"], row["wallet"],
                "" if row["points"] is None else str(row["points"]), "closed" if entry.closed_at else "open",
            ]  # fmt: skip
