"""Entry: a set of people comes into a flow's current version, each at most once for what brought them.

`entering` is a temporary table of the transaction: the candidates first, then only those whom re-entry allows. An
advisory lock per flow makes "is there an active or recent enrollment" and the insert one step; the unique key of
enrollment (flow, customer, entry key, entry number) would refuse a second one even without it.
"""

import logging
from datetime import datetime

from django.db import transaction

from campaigns.flows import blocks
from campaigns.flows.chains import Move, entry_statement
from campaigns.flows.counts import write_counts
from campaigns.flows.definition import FlowDocument, Reentry
from campaigns.flows.engine import ROW_ERRORS, reason_of
from campaigns.flows.graph import END_NODE
from campaigns.flows.versions import Version
from loyalty.kit.batches import halve
from loyalty.kit.buckets import place_sql
from loyalty.kit.chores import hint
from loyalty.kit.logs import fields
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, execute, fetch, sql

logger = logging.getLogger("flows")

# Namespace of the advisory locks "entering flow n".
ENTRY_LOCK = 0x464C4F57

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS entering (
    n int, customer_id bigint, entry_key bigint, entry_no int, event jsonb
) ON COMMIT DELETE ROWS"""


def enter(target: Version, candidates: Sql, *, now: datetime) -> int:
    """Let `candidates` (a select of customer_id, entry_key, occurred_at, event jsonb) in; how many came.

    Several candidates for one (customer, entry key) are one: the earliest. Runs inside the caller's transaction.
    """
    execute(_TABLE)
    execute("DELETE FROM entering")
    execute("SELECT pg_advisory_xact_lock(%(space)s, %(flow)s)", {"space": ENTRY_LOCK, "flow": target.flow_id})
    document = target.graph.document
    n = execute(
        sql(
            """INSERT INTO entering (n, customer_id, entry_key, entry_no, event)
            SELECT row_number() OVER (ORDER BY s.customer_id) - 1, s.customer_id, s.entry_key,
                   coalesce(last.entry_no, 0) + 1, s.event
            FROM (
                SELECT DISTINCT ON (customer_id, entry_key) customer_id, entry_key, event
                FROM ({candidates}) AS raw (customer_id, entry_key, occurred_at, event)
                ORDER BY customer_id, entry_key, occurred_at
            ) s
            LEFT JOIN LATERAL (
                SELECT e.entry_no, e.status, e.entered_at FROM enrollment e
                WHERE e.flow_id = {flow} AND e.customer_id = s.customer_id AND e.entry_key = s.entry_key
                ORDER BY e.entry_no DESC LIMIT 1
            ) last ON true
            WHERE last.entry_no IS NULL OR {again}""",
            candidates=candidates,
            flow=target.flow_id,
            again=_again(document, now),
        )
    )
    if not n:
        return 0

    def run(low: int, high: int) -> int:
        with transaction.atomic():
            return _insert(target, low, high, now=now)

    def reject(index: int, error: Exception) -> None:
        _refuse(target, index, error, now=now)

    entered = halve(0, n, run=run, reject=reject, failures=ROW_ERRORS)
    if entered and target.dispatches:
        hint("delivery.send_email")
    return entered


def _again(document: FlowDocument, now: datetime) -> Sql:
    """Condition on the last enrollment: may the person come again? Never while still inside."""
    if document.reentry == "never":
        return Sql("false")
    if document.reentry == "always":
        return Sql("last.status <> 1")
    assert isinstance(document.reentry, Reentry)  # noqa: S101 - the model's third form
    since = Period.parse(document.reentry.after).subtract_from(now)
    return sql("(last.status <> 1 AND last.entered_at <= {since})", since=since)


def _insert(target: Version, low: int, high: int, *, now: datetime) -> int:
    """Enroll the candidates with low <= n < high."""
    share = target.graph.document.holdout
    holdout = Sql("false")
    if share:
        holdout = sql(
            "({place} < {share}::float8)",
            place=place_sql(f"holdout:{target.flow_key}", Sql("x.customer_id")),
            share=share,
        )
    reserved = blocks.reserve(target.id, high - low)
    move = Move(target.id, target.graph, target.chain(1), END_NODE, 0, now, target.dispatches)
    statement = entry_statement(move, flow_id=target.flow_id, holdout=holdout, ids=reserved.ids(), low=low, high=high)
    by_arm: dict[int, int] = dict(fetch(statement))
    return write_counts(move, by_arm, left=None)


def _refuse(target: Version, index: int, error: Exception, *, now: datetime) -> None:
    """Note a candidate who cannot enter, with the reason; the others came in."""
    logger.warning("flows.entry.failed", extra=fields(flow=target.flow_key, reason=type(error).__name__))
    execute(
        "INSERT INTO enrollment_failure (version_id, customer_id, node, at, reason)"
        " SELECT %(version)s, customer_id, 0, %(now)s, %(reason)s FROM entering WHERE n = %(n)s",
        {"version": target.id, "now": now, "reason": reason_of(error), "n": index},
    )
