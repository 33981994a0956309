"""Events: what happened ends flows, wakes those who wait for it, and lets people in. In this order, as a set.

The queue is pulled at the engine's own pace; each event stands in it until the transaction that worked it commits.
"""

import logging
from datetime import datetime

from django.db import transaction

from campaigns.flows import blocks, engine
from campaigns.flows.definition import Entry
from campaigns.flows.engine import ROW_ERRORS
from campaigns.flows.entering import enter
from campaigns.flows.models import BLOCK_BITS, Enrollment, Flow
from campaigns.flows.versions import Version, live_version_ids, version
from campaigns.segments import properties
from campaigns.segments.models import Segment
from loyalty.events import queue
from loyalty.events.types import type_id
from loyalty.kit.batches import halve
from loyalty.kit.logs import fields
from loyalty.kit.sql import Sql, execute, fetch, sql

logger = logging.getLogger("flows")

CONSUMER = "flows"
# Events per transaction: measured 235,000 events per second joined at 10,000; more only holds locks longer.
PULL_EVENTS = 10_000

_TABLE = "CREATE TEMP TABLE IF NOT EXISTS woken (id bigint, node smallint, exit smallint) ON COMMIT DELETE ROWS"


def pull(*, now: datetime, consumer: str = CONSUMER, only_flow: int | None = None) -> int:
    """Work one batch of queued events; how many were taken. A batch that fails is put back and worked in halves."""
    return _pull(PULL_EVENTS, now=now, consumer=consumer, only_flow=only_flow)


def _pull(limit: int, *, now: datetime, consumer: str, only_flow: int | None) -> int:
    try:
        with transaction.atomic():
            engine.prepare_session()
            taken = queue.take(consumer, limit)
            if taken:
                _work(now=now, only_flow=only_flow)
            return taken
    except ROW_ERRORS as error:
        if limit == 1:
            return _set_aside(error, consumer=consumer)
        return _pull(max(1, limit // 2), now=now, consumer=consumer, only_flow=only_flow)


def _set_aside(error: Exception, *, consumer: str) -> int:
    """Take the one event that no flow can work out of the queue; it stays in the timeline, the log says which."""
    with transaction.atomic():
        taken = queue.take(consumer, 1)
        rows = fetch("SELECT event_id FROM taken_event")
    logger.error("flows.event.refused", extra=fields(event=rows[0][0] if rows else None, reason=type(error).__name__))
    return taken


def _work(*, now: datetime, only_flow: int | None) -> None:
    execute("ANALYZE taken_event")
    types = {row[0] for row in fetch("SELECT DISTINCT type_id FROM taken_event")}
    versions = [version(version_id) for version_id in live_version_ids()]
    by_flow: dict[int, list[Version]] = {}
    for item in versions:
        if only_flow is None or item.flow_id == only_flow:
            by_flow.setdefault(item.flow_id, []).append(item)
    flows = {flow.pk: flow for flow in Flow.objects.filter(pk__in=by_flow)}
    for flow_id, items in sorted(by_flow.items()):
        flow = flows[flow_id]
        running = flow.state == Flow.State.RUNNING
        for item in items:
            _move_inside(item, types, wakes=running, now=now)
        if running:
            for item in items:
                if item.id == flow.current_version_id:
                    _let_in(item, types, now=now)


def _move_inside(item: Version, types: set[int], *, wakes: bool, now: datetime) -> None:
    """Exits and wakes of one version. Whom they concern is found first, then all their blocks are locked in order."""
    execute(_TABLE)
    execute("DELETE FROM woken")
    document = item.graph.document
    found = 0
    for exit_on in document.exit_on:
        if type_id(exit_on.event) in types:
            condition = properties.where(exit_on.where, Sql("t.properties")) if exit_on.where else Sql("true")
            found += _find(item, exit_on.event, sql("{c} AND t.occurred_at > e.entered_at", c=condition), node=None)
    for node in item.graph.nodes if wakes else ():
        wake = node.type.wake(node.parameters) if node.rests else None
        if wake and type_id(wake.event) in types:
            condition = engine.about(wake, item.graph, values=Sql("t.properties"), ref=Sql("t.ref"))
            within = Sql("t.occurred_at > e.since AND t.occurred_at <= e.due_at")
            found += _find(item, wake.event, sql("{c} AND {w}", c=condition, w=within), node=node.number)
    if not found:
        return
    blocks.lock([row[0] for row in fetch(f"SELECT DISTINCT id >> {BLOCK_BITS} FROM woken")])
    leaving = [row[0] for row in fetch("SELECT DISTINCT id FROM woken WHERE exit < 0 ORDER BY id")]
    if leaving:
        engine.leave_early(item, leaving, how="exited", status=Enrollment.Status.EXITED, now=now)
    for (number,) in fetch("SELECT DISTINCT node FROM woken WHERE exit = 0 ORDER BY node"):
        ids = [
            row[0]
            for row in fetch("SELECT DISTINCT id FROM woken WHERE node = %(n)s AND exit = 0 ORDER BY id", {"n": number})
        ]
        _wake(item, number, ids, now=now)


def _find(item: Version, event: str, condition: Sql, *, node: int | None) -> int:
    """Note the active people of the version whom an event of this name concerns.

    Fenced (`OFFSET 0`), so that each event looks up its person: before the first statistics of `enrollment` are taken,
    the planner expects one row of a flow and would compare all its people with all events.
    """
    here = sql("e.node = {node}", node=node) if node is not None else Sql("true")
    return execute(
        sql(
            "INSERT INTO woken (id, node, exit) SELECT e.id, e.node, {exit} FROM taken_event t"
            " CROSS JOIN LATERAL (SELECT * FROM enrollment e WHERE e.flow_id = {flow}"
            " AND e.customer_id = t.customer_id AND e.status = 1 AND e.version_id = {version} AND {here} OFFSET 0) e"
            " WHERE t.type_id = {type} AND {condition}",
            exit=Sql("0" if node is not None else "-1"),
            flow=item.flow_id,
            type=type_id(event),
            version=item.id,
            here=here,
            condition=condition,
        )
    )


def _wake(item: Version, node_number: int, ids: list[int], *, now: datetime) -> int:
    """Let these people leave their rest by `happened`."""
    node = item.graph.node(node_number)
    exit_no, chain = item.exits(node_number)[0]

    def run(low: int, high: int) -> int:
        with transaction.atomic():
            rows = sql("e.id = ANY({ids})", ids=ids[low:high])
            return engine.run_move(
                item, chain, node_number, exit_no, node.exits[exit_no], rows=rows, now=now, timers=True
            )

    def reject(index: int, error: Exception) -> None:
        engine.fail(ids[index], node_number, error, now=now)

    return halve(0, len(ids), run=run, reject=reject, failures=ROW_ERRORS)


def _let_in(item: Version, types: set[int], *, now: datetime) -> None:
    for entry in item.graph.document.entry:
        candidates = _candidates(entry, types)
        if candidates is not None:
            enter(item, candidates, now=now)


def _candidates(entry: Entry, types: set[int]) -> Sql | None:
    """Who among the taken events comes in by this entry; None when it has nothing to do with them."""
    if entry.kind == "event":
        if type_id(str(entry.event)) not in types:
            return None
        key = sql("hashtextextended(t.properties->>{key}, 0)", key=entry.key) if entry.key else Sql("0::bigint")
        return sql(
            "SELECT t.customer_id, coalesce({key}, 0), t.occurred_at, coalesce(t.properties, '{{}}'::jsonb) FROM"
            " taken_event t"
            " WHERE t.type_id = {type} AND {where}",
            key=key,
            type=type_id(str(entry.event)),
            where=properties.where(entry.where, Sql("t.properties")) if entry.where else Sql("true"),
        )
    fact = {"segment_entered": "segment.joined", "segment_left": "segment.left"}.get(entry.kind)
    if fact is None or type_id(fact) not in types:
        return None
    segment = Segment.objects.filter(key=getattr(entry, entry.kind)).first()
    if segment is None:
        return None
    return sql(
        "SELECT t.customer_id, 0::bigint, t.occurred_at, NULL::jsonb FROM taken_event t WHERE t.type_id = {type}"
        " AND t.ref = {segment}",
        type=type_id(fact),
        segment=segment.pk,
    )
