"""What properties events come with: noticed in the intake at first sight, weighed by a chore; never a value of one.

The intake looks at a few events of each batch and remembers what it has seen, so that a process that is warm writes
nothing. How often a property occurs is counted among the newest events of its type.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction

from loyalty.events.schemas import KEY_LENGTH, PROPERTIES_MAX, shape_of
from loyalty.kit.sql import execute, fetch, sql

# Looked at per batch: 5 us each, of 30 us that the intake of an event costs.
NOTICED_PER_BATCH = 100
# Looked at per type when its properties are weighed.
SAMPLE = 1000

Seen = tuple[int, str, str]
_known: set[Seen] = set()


def notice(events: Iterable[tuple[int, Any]], *, count: int, now: datetime) -> int:
    """Note properties and shapes that are new in a batch of `count` (type, properties); how many were new here.

    Looks at no more than `NOTICED_PER_BATCH` of them, spread over the batch. Commits by itself unless the caller holds
    a transaction.
    """
    step = max(1, -(-count // NOTICED_PER_BATCH))
    fresh: set[Seen] = set()
    for type_id, properties in islice(events, 0, None, step):
        if isinstance(properties, dict):
            for key, value in properties.items():
                seen = (type_id, key, shape_of(value) or "")
                if seen not in _known and seen[2] and isinstance(key, str) and 0 < len(key) <= KEY_LENGTH:
                    fresh.add(seen)
    fresh = {seen for seen in fresh if "\0" not in seen[1] and seen[1].isprintable()}
    if fresh:
        _add(fresh, now=now)
        transaction.on_commit(lambda: _known.update(fresh))
    return len(fresh)


def forget() -> None:
    """Remember nothing: the database is another one."""
    _known.clear()


def _add(fresh: set[Seen], *, now: datetime) -> None:
    rows = sorted(fresh)
    # Sorted, so that two batches that bring the same wait for each other instead of deadlocking.
    execute(
        sql(
            """
            INSERT INTO event_property (type_id, key, shape, first_seen_at)
            SELECT n.type_id, n.key, n.shape, {now}
            FROM unnest({types}::int[], {keys}::text[], {shapes}::text[]) AS n (type_id, key, shape)
            WHERE (SELECT count(DISTINCT p.key) FROM event_property p WHERE p.type_id = n.type_id) < {most}
            ORDER BY n.type_id, n.key, n.shape
            ON CONFLICT DO NOTHING""",
            now=now,
            types=[row[0] for row in rows],
            keys=[row[1] for row in rows],
            shapes=[row[2] for row in rows],
            most=PROPERTIES_MAX,
        )
    )


# The shape of a value as `schemas.shape_of` sees it.
_SHAPE = """CASE jsonb_typeof(value)
    WHEN 'string' THEN CASE WHEN value #>> '{{}}' ~ '^\\d{{4}}-\\d\\d-\\d\\d$' THEN 'date'
        WHEN value #>> '{{}}' ~* '^\\d{{4}}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d.*(Z|[+-]\\d\\d(:?\\d\\d)?)$' THEN 'time'
        ELSE 'text' END
    WHEN 'array' THEN 'list' ELSE jsonb_typeof(value) END"""


def weigh(*, now: datetime, limit: int = 50) -> int:
    """Count the properties of up to `limit` types among their newest events; how many types had newer ones.

    One statement: the newest events of a type come from an index, a type without anything new is not read.
    """
    due = fetch(
        sql(
            """
            SELECT t.id, e.occurred_at FROM event_type t CROSS JOIN LATERAL (
                SELECT occurred_at FROM event WHERE type_id = t.id AND occurred_at <= {now}
                ORDER BY occurred_at DESC LIMIT 1
            ) e WHERE t.sampled_to IS NULL OR e.occurred_at > t.sampled_to ORDER BY t.id LIMIT {limit}""",
            now=now,
            limit=limit,
        )
    )
    if not due:
        return 0
    with transaction.atomic():
        execute(
            sql(
                f"""
                WITH due AS (SELECT * FROM unnest({{ids}}::int[], {{upto}}::timestamptz[]) AS due (type_id, upto)),
                sample AS MATERIALIZED (
                    SELECT due.type_id, e.properties FROM due CROSS JOIN LATERAL (
                        SELECT properties FROM event WHERE type_id = due.type_id AND occurred_at <= due.upto
                        ORDER BY occurred_at DESC LIMIT {{sample}}
                    ) e
                ), counted AS (
                    SELECT type_id, key, {_SHAPE} AS shape, count(*) AS n
                    FROM sample CROSS JOIN LATERAL jsonb_each(
                        CASE WHEN jsonb_typeof(properties) = 'object' THEN properties ELSE '{{{{}}}}' END
                    ) WHERE jsonb_typeof(value) <> 'null' AND length(key) BETWEEN 1 AND {{longest}}
                    GROUP BY 1, 2, 3
                ), ranked AS (
                    SELECT *, dense_rank() OVER (PARTITION BY type_id ORDER BY key) AS place FROM counted
                ), stale AS (
                    UPDATE event_property p SET seen = 0 FROM due
                    WHERE p.type_id = due.type_id AND p.seen > 0 AND NOT EXISTS (
                        SELECT FROM counted c WHERE c.type_id = p.type_id AND c.key = p.key AND c.shape = p.shape)
                ), noted AS (
                    INSERT INTO event_property (type_id, key, shape, first_seen_at, seen)
                    SELECT type_id, key, shape, {{now}}, n FROM ranked r
                    WHERE place <= {{most}} AND (
                        (SELECT count(DISTINCT p.key) FROM event_property p WHERE p.type_id = r.type_id) < {{most}}
                        OR EXISTS (SELECT FROM event_property p WHERE p.type_id = r.type_id AND p.key = r.key))
                    ORDER BY type_id, key, shape
                    ON CONFLICT (type_id, key, shape) DO UPDATE SET seen = excluded.seen
                )
                UPDATE event_type t SET sampled_to = due.upto,
                    sampled = (SELECT count(*) FROM sample s WHERE s.type_id = t.id)
                FROM due WHERE t.id = due.type_id""",
                ids=[row[0] for row in due],
                upto=[row[1] for row in due],
                sample=SAMPLE,
                longest=KEY_LENGTH,
                now=now,
                most=PROPERTIES_MAX,
            )
        )
    return len(due)
