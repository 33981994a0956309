"""How long events are kept: whole months go, by dropping their partition or by writing it anew without what expired.

Events of a type expire when the whole month in which they happened is older than the type's retention, so at most a
month late. A month of which nothing is left is dropped; else what stays is copied beside it and takes its place.
Nothing is deleted row by row: no dead rows, no vacuum. While a month is copied, only writers of this very month wait
(readers go on); the timeline itself is locked for the swap of names, for which nobody waits longer than `LOCK_WAIT`.
"""

import time as clock_time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction

from loyalty.events import partitions
from loyalty.events.models import EventRemoval, EventType
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, execute, fetch, identifier, sql

LOCK_WAIT = "300ms"
SWAP_ATTEMPTS = 10
SWAP_PAUSE_SECONDS = 0.2
_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Due:
    """A month in which types (by id) have expired."""

    month: date
    types: tuple[int, ...]


def hold() -> datetime | None:
    """From which instant on a legal hold keeps everything; None for no hold. Raises ValueError for a setting that is
    neither empty nor `all` nor a day."""
    text = str(settings.LEGAL_HOLD).strip()
    if not text:
        return None
    if text == "all":
        return partitions.EARLIEST
    return datetime.combine(date.fromisoformat(text), time(), UTC)


def cutoffs(*, now: datetime) -> dict[int, datetime]:
    """Before which instant events of each type have expired; types that are kept without end are left out."""
    usual = str(settings.EVENT_RETENTION).strip() or None
    rows = EventType.objects.values_list("id", "retention")
    return {key: Period.parse(text).subtract_from(now) for key, own in rows if (text := own or usual)}


def due(*, now: datetime) -> list[Due]:
    """The months in which something has expired, oldest first; one probe of an index per month and expired type."""
    limits = cutoffs(now=now)
    held = hold()
    months = partitions.existing()
    asked = [
        (month, type_id)
        for month in months
        for type_id, limit in limits.items()
        if (end := partitions.end_of(month)) <= limit and (held is None or end <= held)
    ]
    if not asked:
        return []
    rows = fetch(
        sql(
            """
            SELECT w.low, w.type_id FROM unnest({lows}::timestamptz[], {highs}::timestamptz[], {types}::int[])
                AS w (low, high, type_id)
            WHERE EXISTS (
                SELECT FROM event e WHERE e.type_id = w.type_id AND e.occurred_at >= w.low AND e.occurred_at < w.high
                LIMIT 1
            ) ORDER BY 1, 2""",
            lows=[partitions.start_of(month) for month, _ in asked],
            highs=[partitions.end_of(month) for month, _ in asked],
            types=[type_id for _, type_id in asked],
        )
    )
    found: dict[date, list[int]] = {}
    for low, type_id in rows:
        found.setdefault(partitions.month_of(low), []).append(type_id)
    return [Due(month, tuple(types)) for month, types in found.items()]


def remove_next(*, now: datetime) -> int:
    """Take what expired out of the oldest month that has any; how many events went, 0 when none or when the timeline
    was too busy for the swap (nothing has changed then)."""
    todo = due(now=now)
    if not todo:
        return 0
    try:
        return _remove(todo[0], now=now)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _NOT_AVAILABLE:
            raise
        return 0


def _remove(one: Due, *, now: datetime) -> int:
    name = partitions.name_of(one.month)
    table, fresh = identifier(name), identifier(f"{name}_kept")
    types = list(one.types)
    with transaction.atomic():
        execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        execute(sql("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=table))
        gone = dict(
            fetch(
                sql(
                    """SELECT t.name, e.n FROM (
                        SELECT type_id, count(*) AS n FROM {table} WHERE type_id = ANY({types}) GROUP BY type_id
                    ) e JOIN event_type t ON t.id = e.type_id ORDER BY t.name""",
                    table=table,
                    types=types,
                )
            )
        )
        kept = 0
        if fetch(sql("SELECT FROM {table} WHERE type_id <> ALL({types}) LIMIT 1", table=table, types=types)):
            execute(Sql(partitions.create_text(one.month, f"{name}_kept")))
            kept = execute(
                sql(
                    "INSERT INTO {fresh} SELECT * FROM {table} WHERE type_id <> ALL({types})",
                    fresh=fresh,
                    table=table,
                    types=types,
                )
            )
        # What waits in a queue would be worked without its event.
        execute(
            sql(
                "DELETE FROM event_queue"
                " WHERE type_id = ANY({types}) AND occurred_at >= {low} AND occurred_at < {high}",
                types=types,
                low=partitions.start_of(one.month),
                high=partitions.end_of(one.month),
            )
        )
        _swap(one.month, keep=kept > 0)
        EventRemoval.objects.create(at=now, month=one.month, removed=gone, kept=kept)
    if kept:
        execute(sql("ANALYZE {table}", table=table))
    return sum(gone.values())


def _swap(month: date, *, keep: bool) -> None:
    """Put the copy in the place of the month, or drop the month; tries again while others hold the timeline."""
    name = partitions.name_of(month)
    statements = [f"ALTER TABLE event DETACH PARTITION {name}", f"DROP TABLE {name}"]
    if keep:
        statements += [f"ALTER TABLE {name}_kept RENAME TO {name}", partitions.attach_text(month)]
    partitions.take_turns()
    for attempt in range(1, SWAP_ATTEMPTS + 1):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(";\n".join(statements))
            return
        except OperationalError as error:
            busy = getattr(error.__cause__, "sqlstate", None) == _NOT_AVAILABLE
            if not busy or attempt == SWAP_ATTEMPTS:
                raise
            clock_time.sleep(SWAP_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What goes when, for one type: `retention` ("" without end), the oldest event, and when its month goes."""

    type_id: int
    name: str
    title: dict[str, str]
    retention: str
    own: bool
    oldest: datetime | None
    goes_at: datetime | None


def outlook(*, now: datetime) -> list[Outlook]:
    """Every type by name; the oldest event of each is one probe of an index per month, found from its beginning."""
    oldest = dict(
        fetch(
            "SELECT t.id, e.occurred_at FROM event_type t CROSS JOIN LATERAL ("
            "SELECT occurred_at FROM event WHERE type_id = t.id ORDER BY occurred_at LIMIT 1) e"
        )
    )
    usual = str(settings.EVENT_RETENTION).strip()
    held = hold()
    found = []
    for one in EventType.objects.order_by("internal", "name"):
        first, text = oldest.get(one.pk), one.retention or usual
        goes = None
        if first is not None and text:
            end = partitions.end_of(partitions.month_of(first))
            goes = None if held is not None and end > held else max(Period.parse(text).add_to(end), now)
        found.append(Outlook(one.pk, one.name, one.title, text, bool(one.retention), first, goes))
    return found


def removals(*, limit: int = 50) -> Iterable[EventRemoval]:
    """What was removed, newest first."""
    return EventRemoval.objects.order_by("-at", "-id")[:limit]


# Ids of events are remembered in the order they came; a walk through the table by its blocks needs no index on time.
BLOCKS = 2000
SWEEP_SECONDS = 5.0
SWEEP_EVERY = timedelta(days=1)


def memory() -> Period | None:
    """How long ids of events are remembered; None without end."""
    text = str(settings.EVENT_ID_MEMORY).strip()
    return Period.parse(text) if text else None


def forget_ids(*, now: datetime) -> int:
    """Forget ids of events that came longer ago than `EVENT_ID_MEMORY`; how many went in these few seconds.

    One walk a day through the blocks of the table, which goes on at the next tick where this one stopped.
    """
    period = memory()
    if period is None or hold() is not None:
        return 0
    before, gone, started = period.subtract_from(now), 0, clock_time.monotonic()
    with transaction.atomic():
        execute("INSERT INTO event_sweep (name, position) VALUES ('event_key', 0) ON CONFLICT DO NOTHING")
        rows = fetch(
            "SELECT position, ended_at, pg_relation_size('event_key') / current_setting('block_size')::bigint"
            " FROM event_sweep WHERE name = 'event_key' FOR UPDATE SKIP LOCKED"
        )
        if not rows:
            return 0
        position, ended_at, blocks = rows[0]
        if position == 0 and ended_at is not None and now < ended_at + SWEEP_EVERY:
            return 0
        while position <= blocks and clock_time.monotonic() - started < SWEEP_SECONDS:
            gone += execute(
                sql(
                    "DELETE FROM event_key WHERE ctid >= {low}::tid AND ctid < {high}::tid AND received_at < {before}",
                    low=f"({position},0)",
                    high=f"({position + BLOCKS},0)",
                    before=before,
                )
            )
            position += BLOCKS
        ended = position > blocks
        execute(
            sql(
                "UPDATE event_sweep SET position = {position}, ended_at = {ended} WHERE name = 'event_key'",
                position=0 if ended else position,
                ended=now if ended else ended_at,
            )
        )
    return gone if ended else max(gone, 1)
