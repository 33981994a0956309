"""Pure: people who had something beside people who were held out of it: means, their difference, how sure it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

# Fewer people in either group say nothing, whatever the figures look like.
PEOPLE_MIN = 50
# Of the normal distribution: 95 of 100 such intervals hold the true difference.
SPREAD = 1.96


@dataclass(frozen=True, slots=True)
class Group:
    """Sums over the people of one group; `squares` of the margin."""

    people: int = 0
    reached: int = 0
    redeemers: int = 0
    revenue: float = 0.0
    margin: float = 0.0
    squares: float = 0.0
    cost: float = 0.0

    def plus(self, cell: Mapping[str, Any]) -> "Group":
        """With one more cell of an outcome."""
        return Group(
            self.people + cell["people"],
            self.reached + cell["reached"],
            self.redeemers + cell["redeemers"],
            self.revenue + float(cell["revenue"]),
            self.margin + float(cell["margin"]),
            self.squares + float(cell["squares"]),
            self.cost + float(cell["cost"]),
        )

    @property
    def mean(self) -> float:
        """Margin a head."""
        return self.margin / self.people if self.people else 0.0

    @property
    def variance(self) -> float:
        """Of the margin a head; never below 0, whatever rounding did."""
        if self.people < 2:
            return 0.0
        return max(0.0, (self.squares - self.people * self.mean**2) / (self.people - 1))


@dataclass(frozen=True, slots=True)
class Difference:
    """Margin a head more than without, between `low` and `high` by 95 %; `total` for all who were offered.

    `verdict`: `few` (too few people to say), `unclear` (it may be chance), `more` or `less`.
    """

    head: float
    low: float
    high: float
    total: float
    verdict: str


def groups(cells: Iterable[Mapping[str, Any]]) -> tuple[Group, Group]:
    """(offered, held out). Who was offered nothing because no size was worth it belongs to the offered, else the two
    would not be alike."""
    offered, held = Group(), Group()
    for cell in cells:
        if cell["held_out"]:
            held = held.plus(cell)
        else:
            offered = offered.plus(cell)
    return offered, held


def difference(offered: Group, held: Group) -> Difference:
    """How much margin the offer brought."""
    head = offered.mean - held.mean
    if not offered.people or not held.people:
        return Difference(0.0, 0.0, 0.0, 0.0, "few")
    error = sqrt(offered.variance / offered.people + held.variance / held.people)
    low, high = head - SPREAD * error, head + SPREAD * error
    if min(offered.people, held.people) < PEOPLE_MIN:
        verdict = "few"
    else:
        verdict = "more" if low > 0 else "less" if high < 0 else "unclear"
    return Difference(head, low, high, head * offered.people, verdict)
