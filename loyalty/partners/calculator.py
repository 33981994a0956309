"""Pure: join a coalition or run a program of one's own: three years of either in money.

Both earn by what members buy more (`uplift`, of their purchases); they differ in who takes part, in what a point costs
and in what has to be paid for running it. All figures are those of the form: it computes, it does not forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

YEARS = 3
_WHOLE = Decimal(1)
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Business:
    """Customers, what one buys in a year, the margin in percent of that."""

    customers: int
    spend: Decimal
    margin: Decimal


@dataclass(frozen=True, slots=True)
class Way:
    """One of the two. Shares, uplift, reward, breakage and fee in percent; the shares are those of customers who take
    part at the end of each year; `reward` is of purchases, `fee` of the points' value; costs in money."""

    shares: Sequence[Decimal]
    uplift: Decimal
    reward: Decimal
    breakage: Decimal
    fee: Decimal
    setup: Decimal
    yearly: Decimal
    per_member: Decimal


@dataclass(frozen=True, slots=True)
class Year:
    """A year of one way; `total` is the result of all years so far."""

    number: int
    members: int
    gain: Decimal
    points: Decimal
    running: Decimal
    result: Decimal
    total: Decimal


def years(business: Business, way: Way) -> list[Year]:
    """The years of that way. A year counts the average of the members at its beginning and its end."""
    found: list[Year] = []
    before, total = Decimal(0), Decimal(0)
    for number in range(1, YEARS + 1):
        share = way.shares[min(number, len(way.shares)) - 1]
        members = business.customers * (before + share) / 2 / _PERCENT
        usual = members * business.spend
        more = usual * way.uplift / _PERCENT
        gain = more * business.margin / _PERCENT
        value = (usual + more) * way.reward / _PERCENT
        points = value * (_PERCENT - way.breakage) / _PERCENT + value * way.fee / _PERCENT
        running = way.yearly + members * way.per_member + (way.setup if number == 1 else 0)
        result = gain - points - running
        total += result
        found.append(Year(number, int(members), *(_whole(one) for one in (gain, points, running, result, total))))
        before = share
    return found


def needed_uplift(business: Business, way: Way) -> Decimal | None:
    """The uplift in percent with which the way has paid for itself after all years; None where none is enough: a point
    costs as much as the margin of what it is given for."""
    low = _total(business, way, Decimal(0))
    high = _total(business, way, _PERCENT)
    slope = (high - low) / _PERCENT
    if slope <= 0:
        return None
    return max(Decimal(0), -low / slope).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _total(business: Business, way: Way, uplift: Decimal) -> Decimal:
    # Linear in the uplift: two points are the whole line.
    tried = Way(way.shares, uplift, way.reward, way.breakage, way.fee, way.setup, way.yearly, way.per_member)
    return sum((year.result for year in years(business, tried)), Decimal(0))


def _whole(amount: Decimal) -> Decimal:
    return amount.quantize(_WHOLE, ROUND_HALF_UP)
