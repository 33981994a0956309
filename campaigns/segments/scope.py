"""Who is to be looked at again, and because of what: the temporary table `segment_scope` of one delta.

A row without segment and type asks every segment; one with a type those that read it; one with a segment that one and
those that refer to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db import connection

from campaigns.segments import compile as compiler
from campaigns.segments import foresight
from campaigns.segments.stored import Stored
from loyalty.events import queue, types
from loyalty.kit.sql import Sql, execute, fetch, sql

CONSUMER = "segments"
# Customers and events taken at once: 20,000 take about half a second per ten segments.
BATCH = 20_000

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS segment_scope (customer_id bigint, segment_id int, type_id int) ON COMMIT DELETE ROWS"""


def take(stored: Mapping[str, Stored], now: datetime) -> int:
    """Fill the table from the queues and with what the clock changed for these segments; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        cursor.execute("DELETE FROM segment_scope")
    changed = execute(
        sql(
            """WITH picked AS MATERIALIZED (
                SELECT id FROM customer_change ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED
            ), gone AS (
                DELETE FROM customer_change c USING picked WHERE c.id = picked.id RETURNING c.customer_id
            ) INSERT INTO segment_scope (customer_id) SELECT DISTINCT customer_id FROM gone""",
            limit=BATCH,
        )
    )
    happened = queue.take(CONSUMER, BATCH)
    if happened:
        execute(
            Sql(
                "INSERT INTO segment_scope (customer_id, type_id) SELECT DISTINCT customer_id, type_id FROM taken_event"
            )
        )
    return changed + happened + _take_expired(stored, now)


def types_ahead(type_ids: Iterable[int], now: datetime) -> set[int]:
    """Those types that have events dated later than now."""
    wanted = sorted(set(type_ids))
    if not wanted:
        return set()
    ahead = sql(
        "SELECT t FROM unnest({types}::int[]) t WHERE EXISTS"
        " (SELECT FROM event e WHERE e.type_id = t AND e.occurred_at > {now}::timestamptz)",
        types=wanted,
        now=now,
    )
    return {row[0] for row in fetch(ahead)}


def _take_expired(stored: Mapping[str, Stored], now: datetime) -> int:
    """Add, for each segment, for whom the clock alone may have changed the answer since it was last checked: whose
    events left one of its windows or were dated ahead then, and who was foreseen to change.
    """
    clock = compiler.context([], now=now).clock
    ids = types.known({name for item in stored.values() for name in item.reads.events})
    selects = []
    for item in stored.values():
        if item.checked_at is None or item.checked_at >= now:
            continue
        before = replace(clock, now=item.checked_at)
        spans = [(name, before.opening(window), clock.opening(window)) for name, window in item.reads.windows]
        if item.ahead:
            spans += [(name, item.checked_at, now) for name in item.reads.events]
        selects += [_events_between(ids[name], item.id, after, until) for name, after, until in spans if name in ids]
    selects += foresight.crossed(stored.values(), now)
    if not selects:
        return 0
    return execute(
        sql("INSERT INTO segment_scope (customer_id, segment_id) {selects}", selects=Sql(" UNION ").join(selects))
    )


def _events_between(type_id: int, segment_id: int, after: datetime, until: datetime) -> Sql:
    return sql(
        "SELECT e.customer_id, {segment_id}::int FROM event e WHERE e.type_id = {type_id}"
        " AND e.occurred_at > {after}::timestamptz AND e.occurred_at <= {until}::timestamptz",
        segment_id=segment_id,
        type_id=type_id,
        after=after,
        until=until,
    )
