"""What the program brings: figures of packages above, which compare people with others who were held out.

A package that measures it registers one function with `measure_uplift`; while nobody does, the result shows costs and
no gain, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Uplift:
    """Margin (or revenue, where no margin is known) of a month that there would not have been without the measure.

    `people` had the measure, `others` were held out; with 95 % certainty the amount is between `low` and `high`.
    `verdict`: `more`, `less`, `unclear` (it may be chance) or `few` (too few people to say). `of`: margin, or revenue
    where no purchase tells its margin. Too few people, and revenue, are shown and not counted.
    """

    source: str
    amount: Decimal
    people: int = 0
    others: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    verdict: str = "more"
    name: Mapping[str, str] = field(default_factory=dict)
    of: str = "margin"

    @property
    def counted(self) -> Decimal:
        """What of it stands in the result."""
        return Decimal(0) if self.verdict == "few" or self.of != "margin" else self.amount

    def plain(self) -> dict[str, Any]:
        """As it is kept with its month."""
        return {
            "source": self.source,
            "name": dict(self.name),
            "of": self.of,
            "amount": f"{self.amount:.2f}",
            "people": self.people,
            "others": self.others,
            "low": None if self.low is None else f"{self.low:.2f}",
            "high": None if self.high is None else f"{self.high:.2f}",
            "verdict": self.verdict,
        }


Measure = Callable[[str, datetime, datetime], list[Uplift]]

_measures: dict[str, Measure] = {}


def measure_uplift(name: str, measure: Measure) -> None:
    """Register who measures: a function of the program's key and the time; raises ValueError for a name twice."""
    if name in _measures:
        raise ValueError(f"uplift {name!r} is registered twice")
    _measures[name] = measure


def forget_uplift(name: str) -> None:
    """For tests: take a function out again."""
    _measures.pop(name, None)


def of_time(program: str, start: datetime, end: datetime) -> list[Uplift]:
    """What all of them found in that time."""
    return [one for _, measure in sorted(_measures.items()) for one in measure(program, start, end)]
