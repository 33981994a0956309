"""Chores of the timeline."""

from datetime import datetime

from loyalty.events import partitions, queue
from loyalty.kit.chores import chore


@chore("events.partitions", queue="maintenance", every=3600, order=10)
def make_partitions(*, now: datetime) -> int:
    """Keep 12 months of partitions ahead, so that no live event ever has to make its own."""
    return partitions.ensure_around(now=now)


@chore("events.leftovers", queue="maintenance", every=3600, order=90)
def drop_leftovers(*, now: datetime) -> int:
    """Drop what waits for consumers that subscribe to nothing any more."""
    return queue.drop_leftovers()
