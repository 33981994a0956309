"""How many receipts had a card: by month, program and store, counted once a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from loyalty.kit.sql import execute, fetch, sql

EVERY = timedelta(hours=24)
# Purchases that came so long ago are counted anew: tills that were offline, claims.
BACK = timedelta(days=35)
# However much there is, no more of the latest bookings are read.
MOST_READ = 2_000_000


def due(key: str, *, now: datetime) -> bool:
    """Whether a day has passed since the last time; notes that it is done now."""
    return bool(
        execute(
            sql(
                "INSERT INTO till_reckoning (key, done_at) VALUES ({key}, {now}) ON CONFLICT (key) DO UPDATE"
                " SET done_at = excluded.done_at WHERE till_reckoning.done_at <= {then}",
                key=key,
                now=now,
                then=now - EVERY,
            )
        )
    )


@transaction.atomic
def compute(*, now: datetime, zone: str = "") -> int:
    """Count the receipts of the months that may still change; how many rows."""
    zone = zone or settings.TIME_ZONE
    local = (now - BACK).astimezone(ZoneInfo(zone))
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    execute(sql("DELETE FROM store_month WHERE month >= {start}", start=start.date()))
    return execute(
        sql(
            "INSERT INTO store_month (month, program_id, store, with_card, without_card, amount_with, amount_without)"
            " SELECT date_trunc('month', at AT TIME ZONE {zone})::date, program_id, coalesce(store, ''),"
            " count(*) FILTER (WHERE card), count(*) FILTER (WHERE NOT card),"
            " coalesce(sum(amount) FILTER (WHERE card), 0), coalesce(sum(amount) FILTER (WHERE NOT card), 0) FROM ("
            "   SELECT b.occurred_at AS at, b.program_id, b.store, b.amount, TRUE AS card FROM ("
            "     SELECT id, kind, occurred_at, program_id, store, amount FROM booking ORDER BY id DESC LIMIT {most}) b"
            "   WHERE b.kind = 'purchase' AND b.occurred_at >= {start}"
            "   AND NOT EXISTS (SELECT FROM unmatched_receipt u WHERE u.booking_id = b.id AND u.occurred_at >= {start})"
            "   AND NOT EXISTS (SELECT FROM receipt_photo p WHERE p.booking_id = b.id)"
            "   UNION ALL SELECT occurred_at, program_id, store, amount, FALSE FROM unmatched_receipt"
            "   WHERE occurred_at >= {start}"
            "   UNION ALL SELECT b.occurred_at, b.program_id, b.store, b.amount, FALSE FROM receipt_photo p"
            "   JOIN booking b ON b.id = p.booking_id WHERE b.occurred_at >= {start} AND NOT EXISTS ("
            "     SELECT FROM unmatched_receipt u WHERE u.booking_id = b.id)"
            " ) receipts GROUP BY 1, 2, 3",
            zone=zone,
            start=start,
            most=MOST_READ,
        )
    )


@dataclass(frozen=True, slots=True)
class Share:
    """Receipts with and without a card; money likewise."""

    label: str
    with_card: int
    without_card: int
    amount_with: Decimal
    amount_without: Decimal

    @property
    def percent(self) -> Decimal | None:
        """The share of receipts with a card; None without any."""
        whole = self.with_card + self.without_card
        return (Decimal(100) * self.with_card / whole).quantize(Decimal("0.1")) if whole else None

    @property
    def percent_of_sales(self) -> Decimal | None:
        """The share of the money."""
        whole = self.amount_with + self.amount_without
        return (100 * self.amount_with / whole).quantize(Decimal("0.1")) if whole else None


_SUMS = "sum(with_card)::int, sum(without_card)::int, sum(amount_with), sum(amount_without)"


def by_month(*, months: int = 13, store: str | None = None) -> list[tuple[datetime, Share]]:
    """(month, share), oldest first."""
    rows = fetch(
        sql(
            f"SELECT month, {_SUMS} FROM store_month WHERE ({{store}}::text IS NULL OR store = {{store}}::text)"
            " GROUP BY month ORDER BY month DESC LIMIT {months}",
            store=store,
            months=months,
        )
    )
    return [(row[0], Share(str(row[0]), *row[1:])) for row in rows[::-1]]


def by_store(month: object) -> list[Share]:
    """The stores of a month, the most receipts first."""
    rows = fetch(
        sql(
            f"SELECT store, {_SUMS} FROM store_month WHERE month = {{month}} GROUP BY store"
            " ORDER BY sum(with_card + without_card) DESC, store LIMIT 500",
            month=month,
        )
    )
    return [Share(*row) for row in rows]
