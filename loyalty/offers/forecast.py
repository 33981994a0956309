"""How long limits and budgets of pools and offers last at the pace of the last four weeks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.kit.sql import Sql, fetch, sql
from loyalty.offers import queries
from loyalty.offers.models import Offer, VoucherPool

LOOKED_BACK = timedelta(days=28)
SOON = timedelta(days=14)
# What would last longer is not worth a day.
FARTHEST = 3_650
COLUMNS: dict[type[VoucherPool] | type[Offer], tuple[str, str]] = {
    VoucherPool: ("pool_id", "voucher_pool"),
    Offer: ("offer_id", "offer"),
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """The pace of a day, what is left, and the day on which nothing will be; `empty_on` None: not in sight.

    `by`: what ends first, `total` or `budget`.
    """

    uses_a_day: float
    money_a_day: Decimal
    uses_left: int | None
    money_left: Decimal | None
    empty_on: date | None
    by: str | None

    def soon(self, today: date) -> bool:
        """Within two weeks, or already."""
        return self.empty_on is not None and self.empty_on - today <= SOON

    def plain(self) -> dict[str, Any]:
        """For the API."""
        return {
            "uses_a_day": round(self.uses_a_day, 2),
            "money_a_day": f"{self.money_a_day:.2f}",
            "uses_left": self.uses_left,
            "money_left": None if self.money_left is None else f"{self.money_left:.2f}",
            "empty_on": self.empty_on,
            "by": self.by,
        }


def forecasts(things: Iterable[VoucherPool | Offer], *, now: datetime) -> dict[int, Forecast]:
    """The forecasts of those of one kind that have a limit or a budget, by id; one query for all."""
    limited: list[tuple[VoucherPool | Offer, Any]] = []
    for one in things:
        limits = queries.document_of(COLUMNS[type(one)][1], one.definition).limits
        if limits.total is not None or limits.budget is not None:
            limited.append((one, limits))
    if not limited:
        return {}
    paces = _paces(COLUMNS[type(limited[0][0])][0], [one.pk for one, _ in limited], now)
    found = {}
    for one, limits in limited:
        # Younger than four weeks: by the days there were.
        days = max(1.0, min(LOOKED_BACK, now - one.created_at) / timedelta(days=1))
        uses, money = paces.get(one.pk, (0, Decimal(0)))
        found[one.pk] = forecast(limits, one.uses, one.spent, uses / days, money / Decimal(days), now.date())
    return found


def _paces(column: str, ids: Collection[int], now: datetime) -> dict[int, tuple[int, Decimal]]:
    query = sql(
        "SELECT {column}, count(*), sum(amount) FROM offer_use WHERE {column} = ANY({ids}::int[])"
        " AND at > {since} AND at <= {now} AND state IN ('reserved', 'redeemed') GROUP BY 1",
        column=Sql(column),
        ids=sorted(ids),
        since=now - LOOKED_BACK,
        now=now,
    )
    return {key: (count, amount) for key, count, amount in fetch(query)}


def forecast(limits: Any, uses: int, spent: Decimal, uses_a_day: float, money_a_day: Decimal, today: date) -> Forecast:
    """From what was used and the pace."""
    uses_left = None if limits.total is None else max(0, limits.total - uses)
    money_left = None if limits.budget is None else max(Decimal(0), limits.budget - spent)
    ends: list[tuple[float, str]] = []
    if uses_left is not None and (uses_a_day or not uses_left):
        ends.append((uses_left / uses_a_day if uses_left else 0, "total"))
    if money_left is not None and (money_a_day or not money_left):
        ends.append((float(money_left / money_a_day) if money_left else 0, "budget"))
    days, by = min(ends) if ends else (FARTHEST, None)
    day = today + timedelta(days=int(days)) if days < FARTHEST else None
    return Forecast(uses_a_day, money_a_day, uses_left, money_left, day, by if day else None)


def running_out(*, now: datetime) -> list[tuple[str, str, Forecast]]:
    """(kind, key, forecast) of what is active and will be used up within two weeks."""
    found = []
    for model, (_column, kind) in COLUMNS.items():
        things = {one.pk: one for one in model._default_manager.filter(state="active").order_by("key")}
        for key, one in forecasts(things.values(), now=now).items():
            if one.soon(now.date()):
                found.append((kind, things[key].key, one))
    return found
