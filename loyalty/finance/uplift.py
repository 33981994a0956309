"""What the program brings: figures of packages above, which compare people with others who were held out.

A package that measures it registers one function with `measure_uplift`; while nobody does, the result shows costs and
no gain, and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Uplift:
    """Margin (or revenue, where no margin is known) of a month that there would not have been without the measure."""

    source: str
    amount: Decimal
    people: int = 0


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


def measured() -> bool:
    """Whether anybody measures."""
    return bool(_measures)


def of_time(program: str, start: datetime, end: datetime) -> list[Uplift]:
    """What all of them found in that time."""
    return [one for _, measure in sorted(_measures.items()) for one in measure(program, start, end)]
