"""Pure: which part of the points that are open will be spent, from what became of those before them.

For every age in months: of all points that reached it, how many were spent and how many lost during it (the hazards of
a life table). A point is worth the chance that it is spent at some later age.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

TREND_MONTHS = 6
# An age that fewer points reached says nothing: a handful of people decide it.
FEWEST = 100


@dataclass(slots=True)
class Cell:
    """Points of one cohort in one month: that came, were spent (less what was given back), went otherwise."""

    came: int = 0
    spent: int = 0
    lost: int = 0


Cohorts = Mapping[date, Mapping[int, Cell]]
"""By month of earning and age in months."""


@dataclass(frozen=True, slots=True)
class Curve:
    """`values[a]` is the chance that a point which reaches age a is spent some day; older ones have the last value.

    `spent[a]` and `lost[a]` are the hazards behind it, as far as there is a history.
    """

    values: Sequence[float]
    spent: Sequence[float] = ()
    lost: Sequence[float] = ()

    def at(self, age: int) -> float:
        """The chance at that age."""
        return self.values[min(max(age, 0), len(self.values) - 1)]


def flat(value: float) -> Curve:
    """The same chance at every age."""
    return Curve([value])


def months_between(first: date, last: date) -> int:
    """Whole months from the first of one month to that of another."""
    return (last.year - first.year) * 12 + last.month - first.month


def curve(cohorts: Cohorts, *, through: date, tail: str) -> Curve:
    """The curve that the months up to `through` show. Ages nobody reached yet: see `definition.Breakage.tail`."""
    spent, lost = _hazards(cohorts, through)
    if not spent:
        return flat(1.0)
    value = _last(spent, lost, tail)
    values = [value]
    for age in range(len(spent) - 1, -1, -1):
        value = spent[age] + (1 - spent[age] - lost[age]) * value
        values.append(value)
    return Curve([min(1.0, max(0.0, one)) for one in reversed(values)], spent, lost)


def _hazards(cohorts: Cohorts, through: date) -> tuple[list[float], list[float]]:
    reached: dict[int, int] = {}
    gone: dict[int, tuple[int, int]] = {}
    for cohort, cells in cohorts.items():
        stock = 0
        for age in range(months_between(cohort, through) + 1):
            cell = cells.get(age, Cell())
            stock += cell.came
            spent, lost = gone.get(age, (0, 0))
            reached[age] = reached.get(age, 0) + stock
            gone[age] = (spent + max(0, cell.spent), lost + max(0, cell.lost))
            stock -= cell.spent + cell.lost
    found_spent, found_lost = [], []
    for age in sorted(reached):
        if reached[age] < FEWEST:
            break
        spent_share = min(1.0, gone[age][0] / reached[age])
        found_spent.append(spent_share)
        found_lost.append(min(1.0 - spent_share, gone[age][1] / reached[age]))
    return found_spent, found_lost


def _last(spent: Sequence[float], lost: Sequence[float], tail: str) -> float:
    """The chance of a point that is older than the history."""
    if tail == "redeem":
        return 1.0
    some = sum(spent[-TREND_MONTHS:]), sum(lost[-TREND_MONTHS:])
    return some[0] / sum(some) if sum(some) > 0 else 1.0
