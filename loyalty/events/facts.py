"""Facts: what the system itself did, written into the timeline as a set, in the transaction of the deed.

The caller's rows become events and, where somebody subscribed to the fact, queue rows, in the caller's own statement.
"""

from loyalty.events.types import type_id
from loyalty.kit.sql import Sql, execute, fetch, identifier, sql

_COLUMNS = Sql("customer_id, type_id, occurred_at, ref, properties")


def ctes(name: str, fact: str, rows: Sql, *, ask: bool = True) -> Sql:
    """The CTEs that write `fact` for `rows`: `name AS (INSERT .. RETURNING id, customer_id, type_id, occurred_at, ref,
    properties)`, followed by `, name_queue AS (..)` if the fact has a subscriber. No WITH before, no comma after.

    `rows` selects customer_id, occurred_at, ref, properties in this order, one row per fact; it may name CTEs that
    stand before these. `received_at` is the transaction's own time. The months of the rows must have partitions: those
    from 3 months ago to 12 months ahead have; for others call `partitions.ensure` first. Costs one query for the
    subscribers; with `ask=False` none, for small sets where the question costs more than a CTE that finds nobody.
    Raises Problems for a malformed name.
    """
    fact_type = type_id(fact)
    written = sql(
        """{name} AS (
            INSERT INTO event (customer_id, type_id, occurred_at, received_at, ref, properties)
            SELECT f.customer_id, {type}, f.occurred_at, now(), f.ref::bigint, f.properties::jsonb
            FROM ({rows}) AS f (customer_id, occurred_at, ref, properties)
            RETURNING id, {columns})""",
        name=identifier(name),
        type=fact_type,
        rows=rows,
        columns=_COLUMNS,
    )
    if ask and not _has_subscriber(fact_type):
        return written
    queued = sql(
        """, {queue} AS (
            INSERT INTO event_queue (consumer, event_id, {columns})
            SELECT s.consumer, e.id, e.customer_id, e.type_id, e.occurred_at, e.ref, e.properties
            FROM {name} e JOIN event_subscription s ON s.type_id = e.type_id)""",
        queue=identifier(f"{name}_queue"),
        name=identifier(name),
        columns=_COLUMNS,
    )
    return Sql(written.text + queued.text, written.params + queued.params)


def write(fact: str, rows: Sql) -> int:
    """Write `fact` for `rows` (as in `ctes`) by itself; how many were written."""
    return int(fetch(sql("WITH {ctes} SELECT count(*) FROM fact", ctes=ctes("fact", fact, rows)))[0][0])


def _has_subscriber(fact_type: int) -> bool:
    return execute(sql("SELECT FROM event_subscription WHERE type_id = {type} LIMIT 1", type=fact_type)) > 0
