"""Pure: the books of one month: what is owed at its end, and the bookings that lead there from what was owed before.

Points that come and go during the month count at the chances of the month before; the last booking is what the new
chances make of the points that stay. So opening and bookings are the closing amount, to the cent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from loyalty.finance.breakage import Cell, Cohorts, Curve, months_between
from loyalty.program import names

CENT = Decimal("0.01")

ISSUED, RETURNED, REDEEMED, REFUNDED, EXPIRED, CORRECTED, ESTIMATE = (
    "issued", "returned", "redeemed", "refunded", "expired", "corrected", "estimate",
)  # fmt: skip
# (account of the points ledger, whether points come from it) -> the line of the books.
LINES = {
    (names.ISSUED, True): ISSUED,
    (names.REVERSED, False): RETURNED,
    (names.SPENT, False): REDEEMED,
    (names.SPENT, True): REFUNDED,
    (names.EXPIRED, False): EXPIRED,
}
# The account of the bookkeeping (`definition.Accounts`) against which a line is booked.
AGAINST = {
    ISSUED: "issue",
    RETURNED: "issue",
    REDEEMED: "redemption",
    REFUNDED: "redemption",
    EXPIRED: "breakage",
    CORRECTED: "correction",
    ESTIMATE: "breakage",
}


@dataclass(frozen=True, slots=True)
class Flow:
    """Points of one wallet: see `models.PointFlow`."""

    cohort: date
    month: date
    counter: int
    incoming: bool
    points: int

    @property
    def line(self) -> str:
        """The line of the books it belongs to; what is handed on, imported or pays a debt is a correction too."""
        return LINES.get((self.counter, self.incoming), CORRECTED)

    @property
    def signed(self) -> int:
        """By what it changes the points that are open."""
        return self.points if self.incoming else -self.points


@dataclass(frozen=True, slots=True)
class Row:
    """A booking: over 0 it makes more owed."""

    line: str
    wallet: str
    points: int | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Age:
    """Points open at the month's end by the month in which they were earned: what all of them would cost (`worth`), and
    what will be needed (`amount`)."""

    wallet: str
    cohort: date
    age: int
    points: int
    chance: float
    worth: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Books:
    """One wallet's month."""

    opening: Decimal
    closing: Decimal
    rows: list[Row]
    ages: list[Age]

    @property
    def points(self) -> int:
        return sum(one.points for one in self.ages)


def cents(amount: Decimal) -> Decimal:
    """To the cent, halves away from 0."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def last_day(month: date) -> date:
    """The last day of a month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def cohorts(flows: Iterable[Flow]) -> Cohorts:
    """The flows as the curve reads them."""
    found: dict[date, dict[int, Cell]] = {}
    for flow in flows:
        cell = found.setdefault(flow.cohort, {}).setdefault(max(0, months_between(flow.cohort, flow.month)), Cell())
        if flow.counter == names.SPENT:
            cell.spent -= flow.signed
        elif flow.incoming:
            cell.came += flow.points
        else:
            cell.lost += flow.points
    return found


def stock(flows: Iterable[Flow], *, through: date) -> dict[date, int]:
    """Points open at the end of that month by the month in which they were earned."""
    found: dict[date, int] = {}
    for flow in flows:
        if flow.month <= through:
            found[flow.cohort] = found.get(flow.cohort, 0) + flow.signed
    return {cohort: points for cohort, points in sorted(found.items()) if points}


def close(
    wallet: str, flows: Sequence[Flow], *, month: date, cost: Decimal, before: Curve, after: Curve, opening: Decimal
) -> Books:
    """The books of a wallet: `before` are the chances of the month before, `after` those that hold at the end."""
    ages = []
    for cohort, points in stock(flows, through=month).items():
        age = months_between(cohort, month)
        chance = after.at(age + 1)
        ages.append(Age(wallet, cohort, age, points, chance, points * cost, points * cost * Decimal(repr(chance))))
    closing = cents(sum((one.amount for one in ages), Decimal(0)))
    sums: dict[str, tuple[int, Decimal]] = {}
    for flow in flows:
        if flow.month != month:
            continue
        points, amount = sums.get(flow.line, (0, Decimal(0)))
        worth = cost * Decimal(repr(before.at(months_between(flow.cohort, month))))
        sums[flow.line] = points + flow.signed, amount + flow.signed * worth
    rows = [Row(line, wallet, sums[line][0], cents(sums[line][1])) for line in AGAINST if line in sums]
    change = closing - opening - sum((row.amount for row in rows), Decimal(0))
    if change:
        rows.append(Row(ESTIMATE, wallet, None, change))
    return Books(opening, closing, [row for row in rows if row.amount or row.points], ages)


def bookings(rows: Iterable[Mapping[str, Any]], accounts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows with debit and credit: what makes more owed stands in credit of the liability."""
    found = []
    for row in rows:
        amount, other = Decimal(row["amount"]), accounts[AGAINST[row["line"]]]
        debit, credit = (other, accounts["liability"]) if amount >= 0 else (accounts["liability"], other)
        found.append({**row, "debit": debit, "credit": credit, "amount": abs(amount)})
    return found
