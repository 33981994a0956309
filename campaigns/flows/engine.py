"""The engine's loop body: claim due blocks, run the chains of the people whose rest is over, time the blocks anew.

One transaction holds the execution, the move, the planned messages and the facts. People whose row makes a statement
fail are found by halving and set aside with the reason; the others go on.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import DatabaseError, DataError, IntegrityError, transaction

from campaigns.delivery import ids
from campaigns.flows import blocks
from campaigns.flows.chains import Chain, Move, move_statement
from campaigns.flows.counts import add_counts, write_counts
from campaigns.flows.graph import Graph, Node
from campaigns.flows.models import Flow
from campaigns.flows.step import Wake
from campaigns.flows.versions import Version, version
from campaigns.segments import properties
from loyalty.events import facts
from loyalty.events.types import type_id
from loyalty.kit.batches import halve
from loyalty.kit.chores import hint
from loyalty.kit.logs import fields
from loyalty.kit.sql import Sql, execute, fetch, sql, statement

logger = logging.getLogger("flows")

# Errors that one row's data can cause; anything else (a lost connection, a deadlock) fails the batch as a whole.
ROW_ERRORS = (DataError, IntegrityError)


def advance(*, now: datetime) -> int:
    """Move the people of one claim (up to about 20,000) whose rest is over; how many moved, or 0 when nothing" " is
    due.
    """
    with transaction.atomic():
        prepare_session()
        claim = blocks.claim_due(now=now, states=[Flow.State.RUNNING])
        if claim is None:
            return 0
        due = version(claim.version_id)
        moved = sum(sweep(due, low, high, now=now) for low, high in claim.ranges())
        blocks.time_anew(claim)
        if moved and due.dispatches:
            hint("delivery.send_email")
    logger.debug("flows.batch.done", extra=fields(version=due.id, blocks=len(claim.block_ids), moved=moved))
    # A claim whose people were all woken meanwhile still was work: its timers are right now.
    return max(moved, 1)


def sweep(due: Version, low: int, high: int, *, now: datetime) -> int:
    """Move everybody with an id in [low, high) whose rest is over. The blocks' rows are locked by the caller."""
    rows = fetch(
        "SELECT DISTINCT node FROM enrollment WHERE id >= %(low)s AND id < %(high)s AND version_id = %(version)s"
        " AND status = 1 AND due_at <= %(now)s",
        {"low": low, "high": high, "version": due.id, "now": now},
    )
    moved = 0
    for (number,) in sorted(rows):
        node = due.graph.node(number)
        wake = node.type.wake(node.parameters) if node.rests else None
        if wake is not None:
            # What the queue has not brought yet (an event that arrived late, or came while the person did) is in the
            # timeline: time is only up for those who have no such event there.
            moved += _leave(
                due,
                node,
                0,
                sql("{over} AND {seen}", over=_over(now), seen=_seen(wake, due.graph, now)),
                low,
                high,
                now,
            )
        moved += _leave(due, node, len(due.exits(number)) - 1, _over(now), low, high, now)
    return moved


def _over(now: datetime) -> Sql:
    return sql("e.due_at <= {now}", now=now)


def _seen(wake: Wake, graph: Graph, now: datetime) -> Sql:
    """Condition over enrollment `e`: the timeline has the awaited event within the person's rest.

    One probe by customer per month of the rest. OFFSET 0 leaves the planner only the customer to search by: in a month
    without statistics it took the index (type_id, occurred_at) and read every such event for every person (140,000
    people: 108 s, 7.7 s after). The constant bound prunes the months made ahead.
    """
    return sql(
        """EXISTS (SELECT FROM (
            SELECT v.type_id, v.properties, v.ref FROM event v WHERE v.customer_id = e.customer_id
            AND v.occurred_at > e.since AND v.occurred_at <= e.due_at AND v.occurred_at <= {now} OFFSET 0
        ) v WHERE v.type_id = {type} AND {about})""",
        now=now,
        type=type_id(wake.event),
        about=about(wake, graph, values=Sql("v.properties"), ref=Sql("v.ref")),
    )


def about(wake: Wake, graph: Graph, *, values: Sql, ref: Sql) -> Sql:
    """Condition over enrollment `e` that an event is the awaited one: its properties, and the message it is about."""
    condition = properties.where(wake.where, values) if wake.where else Sql("true")
    if wake.of is None:
        return condition
    # The message id holds enrollment and step: no join is needed to know whose answer this is.
    return sql(
        "{condition} AND {enrollment} = e.id AND {step} = {node}",
        condition=condition,
        enrollment=ids.enrollment_sql(ref),
        step=ids.step_sql(ref),
        node=graph.by_id(wake.of).number,
    )


def _leave(due: Version, node: Node, exit_no: int, rows: Sql, low: int, high: int, now: datetime) -> int:
    number, chain = due.exits(node.number)[exit_no]
    exits = node.exits if node.rests else ("go",)

    def run(start: int, end: int) -> int:
        with transaction.atomic():
            ranged = sql("e.id >= {low} AND e.id < {high} AND {rows}", low=start, high=end, rows=rows)
            return run_move(due, chain, node.number, number, exits[number], rows=ranged, now=now, timers=False)

    return halve(
        low, high, run=run, reject=lambda item, error: fail(item, node.number, error, now=now), failures=ROW_ERRORS
    )


def run_move(
    due: Version, chain: Chain, from_node: int, exit_no: int, exit_name: str, *, rows: Sql, now: datetime, timers: bool
) -> int:
    """Run one fused statement and count it; how many people moved."""
    move = Move(due.id, due.graph, chain, from_node, exit_no, now, due.dispatches)
    by_arm: dict[int, int] = dict(fetch(move_statement(move, rows=rows, timers=timers)))
    return write_counts(move, by_arm, left=exit_name)


def leave_early(due: Version, ids: Sequence[int], *, how: str, status: int, now: datetime) -> int:
    """End these enrollments where they stand (an exit event, a stop), with log and fact; how many were still active.

    The blocks are locked by the caller.
    """
    gone = sql(
        "SELECT customer_id, {now}::timestamptz, id, jsonb_build_object('how', {how}::text) FROM moved",
        now=now,
        how=how,
    )
    rows = fetch(
        sql(
            """WITH before AS MATERIALIZED (
                SELECT id, node FROM enrollment
                WHERE id = ANY({ids}) AND status = 1 AND version_id = {version} ORDER BY id FOR UPDATE
            ), moved AS (
                UPDATE enrollment e SET status = {status}, due_at = NULL, since = {now}, visit = e.visit + 1, node = 0
                FROM before b WHERE e.id = b.id AND e.status = 1
                RETURNING e.id, e.customer_id, e.visit, b.node
            ), logged AS (
                INSERT INTO step_log (enrollment_id, visit, at, version_id, from_node, exit, path)
                SELECT id, visit, {now}, {version}, node, -1, '{{}}' FROM moved
            ), {fact}
            SELECT node, count(*) FROM moved GROUP BY node""",
            ids=list(ids),
            version=due.id,
            status=status,
            now=now,
            fact=facts.ctes("gone", "flow.exited", gone),
        )
    )
    counts: Counter[tuple[int, str]] = Counter({(node, how): n for node, n in rows})
    counts[0, how] += sum(n for _, n in rows)
    add_counts(due.id, counts, now=now)
    return sum(n for _, n in rows)


def fail(enrollment_id: int, node: int, error: Exception, *, now: datetime) -> None:
    """Set one enrollment aside that cannot move, with the reason; nothing was sent for it."""
    logger.warning(
        "flows.enrollment.failed", extra=fields(enrollment=enrollment_id, node=node, reason=type(error).__name__)
    )
    execute(
        statement("campaigns.flows", "fail"),
        {"id": enrollment_id, "node": node, "now": now, "reason": reason_of(error)},
    )


def reason_of(error: Exception) -> str:
    """The first line of a database error, which names the bad value; of others only the kind."""
    return str(error).partition("\n")[0][:500] if isinstance(error, DatabaseError) else type(error).__name__


def prepare_session() -> None:
    """Statements of the engine meet tables whose statistics lag behind a bulk entry: a plan for the values at hand,
    no hash join over a whole table, and no parallel workers that the second core needs.
    """
    execute(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true),"
        " set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true)"
    )
