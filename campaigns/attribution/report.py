"""Pure: the shape of the credit report and its sums."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """Credit of one dispatch, or of channel 'none': conversions and revenue, exact."""

    channel: str
    campaign: str | None
    flow: str | None
    step: str | None
    conversions: Decimal
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Total:
    """One row of the report; `share` is its part of all conversions of the report, 0 when there are none."""

    conversions: Decimal
    revenue: Decimal
    share: float


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Goal events beside what is credited. `waiting` events stand in the queue, `uncredited` conversions are due."""

    goal_events: int
    goal_value: Decimal
    conversions: Decimal
    revenue: Decimal
    waiting: int
    uncredited: int

    @property
    def conversions_difference(self) -> Decimal:
        """0 when every goal event is credited exactly once."""
        return self.conversions - self.goal_events

    @property
    def revenue_difference(self) -> Decimal:
        return self.revenue - self.goal_value


@dataclass(frozen=True, slots=True)
class Report:
    """Credit for one goal by one model, for conversions in `[start, end)`; rows by key, most conversions first."""

    goal: str
    model: str
    start: datetime | None
    end: datetime
    window: timedelta
    total: Total
    channels: dict[tuple[str | None, ...], Total]
    campaigns: dict[tuple[str | None, ...], Total]
    flows: dict[tuple[str | None, ...], Total]
    messages: dict[tuple[str | None, ...], Total]
    reconciliation: Reconciliation


def sums(lines: Iterable[Line], key: Callable[[Line], tuple[str | None, ...]]) -> dict[tuple[str | None, ...], Total]:
    """The lines summed by key, most conversions first."""
    lines = list(lines)
    conversions: defaultdict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    revenue: defaultdict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        conversions[key(line)] += line.conversions
        revenue[key(line)] += line.revenue
    whole = sum((line.conversions for line in lines), ZERO)
    ordered = sorted(conversions, key=lambda found: (-conversions[found], tuple(part or "" for part in found)))
    return {found: Total(conversions[found], revenue[found], float(conversions[found] / whole)) for found in ordered}
