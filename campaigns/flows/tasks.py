"""The engine's chores."""

from datetime import datetime

from campaigns.flows import counts, engine, operations, runs, waking
from loyalty.kit.chores import chore
from loyalty.kit.sql import fetch


@chore("flows.runs", queue="triggers", every=5, order=30)
def advance_runs(*, now: datetime) -> int:
    """Let scheduled and publish-time entries in, a batch at a time."""
    return runs.open_scheduled_runs(now=now) + runs.advance_runs(now=now)


@chore("flows.pull", queue="triggers", every=1, order=32)
def pull(*, now: datetime) -> int:
    """Work queued events: exits, wakes, entries; also what a resumed flow has to make up for."""
    taken = waking.pull(now=now)
    for (consumer,) in fetch("SELECT DISTINCT consumer FROM event_queue WHERE consumer LIKE 'flows:%%'", None):
        taken += waking.pull(now=now, consumer=consumer, only_flow=int(consumer.partition(":")[2]))
    return taken


@chore("flows.advance", queue="flows", every=1, order=40)
def advance(*, now: datetime) -> int:
    """Move people whose rest is over."""
    return engine.advance(now=now)


@chore("flows.stopped", queue="flows", every=10, order=41)
def clear_stopped(*, now: datetime) -> int:
    """End the enrollments of stopped flows."""
    return operations.clear_stopped(now=now)


@chore("flows.goals", queue="reports", every=60, order=80)
def count_goals(*, now: datetime) -> int:
    """Count the goals of flows for their pages."""
    return operations.count_goals(now=now)


@chore("flows.fold_counts", queue="maintenance", every=60, order=90)
def fold_counts(*, now: datetime) -> int:
    """Fold the counters' deltas."""
    return counts.fold()
