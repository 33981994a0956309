"""Sending past events to a consumer again: from the timeline into its queue, a day of a type at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loyalty.events.names import fold
from loyalty.events.types import known
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql

# One statement and transaction holds the whole hours that reach this many events together, so that the queue is looked
# through once for many of them, and an hour of a busy day stays well below a million rows.
SLICE = timedelta(hours=1)
EVENTS = 50_000


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of time, `since` <= occurred_at < `until`, and how many events were (or would be) queued."""

    since: datetime
    until: datetime
    events: int


def replay(
    consumer: str,
    names: Sequence[str],
    *,
    since: datetime,
    until: datetime,
    dry_run: bool = False,
) -> Iterator[Span]:
    """Queue the events of these names (none: all that the consumer subscribes to) once more for `consumer`.

    Goes by stretches of whole hours, oldest first, each committed by itself, so it can be stopped and gone on with at
    the last one told. An event that waits in the queue already is not queued again. `dry_run` only counts.
    Raises Problems for a name that nobody had, or a consumer that does not subscribe to it: what nobody subscribes to
    would never be taken.
    """
    ids = _subscribed(consumer, names)
    for low, high, count in _stretches(ids, since, until):
        first, last = max(low, since), min(high, until)
        yield Span(first, last, count if dry_run else _queue(consumer, ids, first, last))


def _subscribed(consumer: str, names: Sequence[str]) -> list[int]:
    mine = {
        type_id
        for (type_id,) in fetch(sql("SELECT type_id FROM event_subscription WHERE consumer = {one}", one=consumer))
    }
    if not mine:
        others = [one for (one,) in fetch("SELECT DISTINCT consumer FROM event_subscription ORDER BY 1")]
        remedy = f"known: {', '.join(others)}" if others else "nobody subscribes to events yet"
        raise Problems([Problem("consumer", f"{consumer!r} subscribes to nothing", remedy)])
    if not names:
        return sorted(mine)
    found = known(fold(name) for name in names)
    problems = []
    for name in names:
        if fold(name) not in found:
            problems.append(Problem("type", f"no event is named {name!r}", "see the page Events of the admin"))
        elif found[fold(name)] not in mine:
            problems.append(Problem("type", f"{consumer} does not subscribe to {name!r}", "leave it out"))
    if problems:
        raise Problems(problems)
    return sorted(found.values())


def _stretches(ids: list[int], since: datetime, until: datetime) -> list[tuple[datetime, datetime, int]]:
    """From, until and count of the stretches that hold events of these types, from an index alone."""
    rows = fetch(
        sql(
            """SELECT date_trunc('hour', occurred_at, 'UTC'), count(*) FROM event
            WHERE type_id = ANY({ids}) AND occurred_at >= {since} AND occurred_at < {until} GROUP BY 1 ORDER BY 1""",
            ids=ids,
            since=since,
            until=until,
        )
    )
    stretches: list[tuple[datetime, datetime, int]] = []
    for hour, count in rows:
        low = hour.astimezone(UTC)
        if stretches and stretches[-1][2] + count <= EVENTS:
            first, _, before = stretches.pop()
            stretches.append((first, low + SLICE, before + count))
        else:
            stretches.append((low, low + SLICE, count))
    return stretches


def _queue(consumer: str, ids: list[int], since: datetime, until: datetime) -> int:
    return execute(
        sql(
            """
            INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, ref, properties)
            SELECT {consumer}, e.id, e.customer_id, e.type_id, e.occurred_at, e.ref, e.properties
            FROM event e
            WHERE e.type_id = ANY({ids}) AND e.occurred_at >= {since} AND e.occurred_at < {until}
            AND NOT EXISTS (SELECT FROM event_queue q WHERE q.consumer = {consumer} AND q.event_id = e.id
                AND q.occurred_at >= {since} AND q.occurred_at < {until})
            ORDER BY e.occurred_at, e.id""",
            consumer=consumer,
            ids=ids,
            since=since,
            until=until,
        )
    )
