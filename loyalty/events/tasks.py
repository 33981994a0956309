"""Chores of the timeline."""

from datetime import datetime

from loyalty.events import arrivals, learning, partitions, queue, retention
from loyalty.kit.chores import chore


@chore("events.partitions", queue="maintenance", every=3600, order=10)
def make_partitions(*, now: datetime) -> int:
    """Keep 12 months of partitions ahead, so that no live event ever has to make its own."""
    return partitions.ensure_around(now=now)


@chore("events.leftovers", queue="maintenance", every=3600, order=90)
def drop_leftovers(*, now: datetime) -> int:
    """Drop what waits for consumers that subscribe to nothing any more."""
    return queue.drop_leftovers()


@chore("events.arrivals", queue="maintenance", every=60, order=90)
def fold_arrivals(*, now: datetime) -> int:
    """Sum up how late events came."""
    return arrivals.fold(now=now)


@chore("events.properties", queue="maintenance", every=300, order=90)
def weigh_properties(*, now: datetime) -> int:
    """Count which properties the newest events of each type have."""
    return learning.weigh(now=now)


@chore("events.retention", queue="maintenance", every=3600, order=90)
def remove_expired(*, now: datetime) -> int:
    """Take expired events out of one month."""
    return retention.remove_next(now=now)


@chore("events.ids", queue="maintenance", every=3600, order=90)
def forget_ids(*, now: datetime) -> int:
    """Forget the ids of events that came long ago."""
    return retention.forget_ids(now=now)
