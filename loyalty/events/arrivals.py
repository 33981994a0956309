"""How late events come: what lies between the moment something happened and the moment we were told.

The intake counts its batch by lateness in its own statement; a chore folds these counts into hours. So the figures cost
nothing to read and name nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.kit.sql import execute, fetch, sql

# Seconds; bucket n holds what came at most bound n late and more than bound n-1, the last one the rest.
BOUNDS = (1, 10, 60, 300, 3600, 6 * 3600, 86_400, 7 * 86_400)
# Batches are folded once they are that old, so that the statement seldom meets one being written.
FOLD_AFTER = timedelta(seconds=30)
FOLD_AT_ONCE = 50_000
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Hour:
    """Events received in one hour, by bucket of lateness."""

    hour: datetime
    buckets: tuple[int, ...]


def instants(now: datetime) -> list[datetime]:
    """The bounds as instants before `now`, oldest first; `take_in.sql` knows that there are eight."""
    return [now - timedelta(seconds=bound) for bound in reversed(BOUNDS)]


def fold(*, now: datetime) -> int:
    """Add finished batches to their hours and forget hours past keeping; how many counts were folded."""
    folded = execute(
        sql(
            """
            WITH gone AS (
                DELETE FROM event_arrival WHERE ctid IN (
                    SELECT ctid FROM event_arrival WHERE received_at < {before}
                    ORDER BY received_at LIMIT {limit} FOR UPDATE SKIP LOCKED
                ) RETURNING received_at, bucket, events
            )
            INSERT INTO event_arrival_hour (hour, bucket, events)
            SELECT date_trunc('hour', received_at, 'UTC'), bucket, sum(events) FROM gone GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (hour, bucket) DO UPDATE SET events = event_arrival_hour.events + excluded.events""",
            before=now - FOLD_AFTER,
            limit=FOLD_AT_ONCE,
        )
    )
    execute(sql("DELETE FROM event_arrival_hour WHERE hour < {before}", before=now - KEPT))
    return folded


def hours(*, since: datetime, until: datetime) -> list[Hour]:
    """The hours from `since` to `until` in which events came, oldest first, with what is not folded yet."""
    rows = fetch(
        sql(
            """
            SELECT hour, bucket, sum(events)::bigint FROM (
                SELECT hour, bucket, events FROM event_arrival_hour
                UNION ALL SELECT date_trunc('hour', received_at, 'UTC'), bucket, events FROM event_arrival
            ) a WHERE hour >= {since} AND hour < {until} GROUP BY 1, 2 ORDER BY 1, 2""",
            since=since,
            until=until,
        )
    )
    found: dict[datetime, list[int]] = {}
    for hour, bucket, events in rows:
        found.setdefault(hour, [0] * (len(BOUNDS) + 1))[bucket] += events
    return [Hour(hour, tuple(buckets)) for hour, buckets in found.items()]


def percentile(buckets: Sequence[int], share: float) -> int | None:
    """Within how many seconds this share of the events came, as an upper bound from `BOUNDS`; None when that is more
    than the last bound or when there are none."""
    total, so_far = sum(buckets), 0
    for count, bound in zip(buckets, BOUNDS, strict=False):
        so_far += count
        if total and so_far >= share * total:
            return bound
    return None
