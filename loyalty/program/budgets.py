"""Budgets of earning rules: what is left, how fast it goes, the day when it will be used up.

What a budget had paid out is noted for each day, so that a forecast reads a row of a rule and not its history.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty.kit.logs import fields
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program.purchases import budget_points
from loyalty.program.setup import Setup

logger = logging.getLogger(__name__)

# The pace is that of so many days; who is told how early.
DAYS = 28
SOON_DAYS = 14
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Forecast:
    """A budget of `limit` points. `per_day` is the pace of the last four weeks, or since the rule began; `empty_on` the
    day when nothing is left at that pace, None where nothing is given. `worth` is what a point is worth."""

    rule: str
    limit: int
    used: int
    per_day: Decimal
    empty_on: date | None
    empty_since: datetime | None
    worth: Decimal
    soon: bool

    @property
    def rest(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def empty(self) -> bool:
        return self.rest == 0

    @property
    def percent(self) -> int:
        """How much of it is used, 0 to 100."""
        return min(100, self.used * 100 // self.limit) if self.limit else 100

    def money(self, points: int | Decimal) -> Decimal | None:
        """What so many points are worth; None where nobody said."""
        return (points * self.worth).quantize(CENT) if self.worth else None


def forecasts(setup: Setup, *, now: datetime) -> dict[int, Forecast]:
    """The budgets of the active rules, by rule; one query for all."""
    limits = {rule.id: limit for rule in setup.rules if (limit := budget_points(rule, setup)) is not None}
    if not limits:
        return {}
    zone = ZoneInfo(setup.zone)
    today = now.astimezone(zone).date()
    found = {}
    rules = {rule.id: rule for rule in setup.rules}
    for rule_id, used, created_at, empty_at, day, then in fetch(
        sql(
            "SELECT r.id, r.used_points, r.created_at, r.budget_empty_at, u.day, u.used_points FROM earning_rule r"
            " LEFT JOIN LATERAL (SELECT day, used_points FROM earning_rule_use WHERE rule_id = r.id"
            " AND day >= {since}::date AND day < {today}::date ORDER BY day LIMIT 1) u ON TRUE"
            " WHERE r.id = ANY({ids}::int[])",
            since=today - timedelta(days=DAYS),
            today=today,
            ids=sorted(limits),
        )
    ):
        since, before = created_at, 0
        if day is not None and created_at < now - timedelta(days=DAYS):
            since, before = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone), then
        days = Decimal(max(86_400, int((now - since).total_seconds()))) / 86_400
        pace = max(Decimal(0), used - before) / days
        rest = max(0, limits[rule_id] - used)
        lasts = int(rest / pace) if pace else None
        # Whoever gives a point a year has no last day that a calendar knows.
        ends = today + timedelta(days=lasts) if lasts is not None and lasts < 36_500 else None
        found[rule_id] = Forecast(
            rules[rule_id].document.key, limits[rule_id], used, pace.quantize(CENT), ends, empty_at,
            rules[rule_id].worth, rest == 0 or (lasts is not None and lasts < SOON_DAYS),
        )  # fmt: skip
    return found


def note(setup: Setup, *, now: datetime) -> int:
    """Write down what the budgets have paid out today, and log those that were used up since; how many were."""
    limits = {rule.id: limit for rule in setup.rules if (limit := budget_points(rule, setup)) is not None}
    if not limits:
        return 0
    execute(
        sql(
            "INSERT INTO earning_rule_use (rule_id, day, used_points) SELECT id, {today}::date, used_points"
            " FROM earning_rule WHERE id = ANY({ids}::int[]) ORDER BY id"
            " ON CONFLICT (rule_id, day) DO UPDATE SET used_points = excluded.used_points"
            " WHERE earning_rule_use.used_points <> excluded.used_points",
            today=now.astimezone(ZoneInfo(setup.zone)).date(),
            ids=sorted(limits),
        )
    )
    changed = fetch(
        sql(
            "UPDATE earning_rule r SET budget_empty_at = CASE WHEN r.used_points >= l.points"
            " THEN {now}::timestamptz END"
            " FROM unnest({ids}::int[], {points}::bigint[]) AS l (id, points) WHERE r.id = l.id"
            " AND (r.used_points >= l.points) <> (r.budget_empty_at IS NOT NULL)"
            " RETURNING r.key, r.budget_empty_at IS NOT NULL, r.used_points",
            now=now,
            ids=list(limits),
            points=list(limits.values()),
        )
    )
    for key, empty, used in changed:
        if empty:
            logger.warning("an earning rule stopped: its budget is used up", extra=fields(rule=key, points=used))
    return sum(1 for _, empty, _ in changed if empty)


def by_day(rule_id: int, *, today: date, days: int = DAYS) -> Sequence[tuple[date, int]]:
    """(day, points given on it, returns taken off) of the last days; days before the first look are missing."""
    rows = fetch(
        sql(
            "SELECT day, used_points - lag(used_points) OVER (ORDER BY day) FROM earning_rule_use"
            " WHERE rule_id = {id} AND day >= {since}::date ORDER BY day",
            id=rule_id,
            since=today - timedelta(days=days),
        )
    )
    return [(day, int(points)) for day, points in rows if points is not None]
