"""What people do with flows: keep, publish, pause, resume, stop, enroll."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from campaigns.channels.models import Sender
from campaigns.content.models import Template
from campaigns.delivery import operations as delivery
from campaigns.delivery import resuming
from campaigns.delivery.models import Dispatch
from campaigns.flows import blocks, engine, queries
from campaigns.flows.checking import check
from campaigns.flows.entering import enter
from campaigns.flows.graph import Graph
from campaigns.flows.models import Enrollment, Flow, FlowVersion
from campaigns.flows.runs import open_publish_runs
from campaigns.flows.versions import live_version_ids, version
from campaigns.flows.waking import CONSUMER
from loyalty.events import queue
from loyalty.kit.chores import hint
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql

GOALS_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Saved:
    """`verdict` is created, updated or unchanged; `before` is the definition it replaced."""

    flow: Flow
    verdict: str
    before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Published:
    """A new version runs; `runs` bulk entries were noted."""

    version: FlowVersion
    runs: int


@transaction.atomic
def save_flow(*, document: dict[str, Any], now: datetime, declared: dict[str, set[str]] | None = None) -> Saved:
    """Keep a flow's definition; what is published runs on unchanged. Raises Problems with every mistake."""
    graph = check(document, declared=declared)
    kept = {name: value for name, value in document.items() if name != "kind"}
    key = graph.document.key
    flow = Flow.objects.select_for_update().filter(key=key).first()
    before = flow.definition if flow else None
    if flow is not None and before == kept:
        return Saved(flow, "unchanged", before)
    if flow is None:
        flow = Flow(key=key, created_at=now)
    flow.name = graph.document.name
    flow.campaign_key = graph.document.campaign
    flow.definition = kept
    flow.updated_at = now
    flow.save()
    return Saved(flow, "updated" if before is not None else "created", before)


@transaction.atomic
def publish(*, key: str, now: datetime) -> Published:
    """Make the kept definition the running version. People inside stay on theirs. Raises Problems."""
    flow = _locked(key)
    graph = check(flow.definition)
    _need_senders(graph)
    if flow.state == Flow.State.PAUSED:
        raise Problems(
            [Problem("", "the flow is paused", "resume it first, so that the policy for those waiting is chosen")]
        )
    current = flow.current_version
    if current is not None and current.definition == flow.definition and flow.state == Flow.State.RUNNING:
        return Published(current, 0)
    number = (flow.versions.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    published = FlowVersion.objects.create(flow=flow, number=number, definition=flow.definition, published_at=now)
    _register_dispatches(flow, published, graph)
    flow.current_version = published
    flow.state = Flow.State.RUNNING
    flow.paused_at = None
    flow.updated_at = now
    flow.save()
    runs = open_publish_runs(flow, now=now)
    subscribe()
    hint("flows.runs")
    return Published(published, runs)


def _need_senders(graph: Graph) -> None:
    """A flow may be written before its sender, but not run without one."""
    sends = [node for node in graph.nodes if node.parameters.type == "send"]
    channels = dict(
        Template.objects.filter(key__in={n.parameters.template for n in sends}).values_list("key", "channel")
    )
    served = set(Sender.objects.values_list("channel", flat=True))
    missing = [
        Problem(f"steps[{node.number - 1}].sender", f"there is no sender for {channel}", "apply a sender first")
        for node in sends
        if (channel := channels[node.parameters.template]) not in served
    ]
    if missing:
        raise Problems(missing)


def _register_dispatches(flow: Flow, published: FlowVersion, graph: Graph) -> None:
    exit_on = [item.model_dump() for item in graph.document.exit_on] or None
    for node in graph.nodes:
        if node.parameters.type != "send":
            continue
        template = Template.objects.get(key=node.parameters.template, current_version_id__isnull=False)
        sender_key = node.parameters.sender or template.sender_key
        senders = Sender.objects.filter(channel=template.channel)
        sender = senders.get(key=sender_key) if sender_key else senders.get()
        delivery.register_dispatch(
            step=node.id,
            step_no=node.number,
            channel=template.channel,
            purpose=template.purpose,
            template_version_id=int(template.current_version_id or 0),
            sender_id=sender.pk,
            now=published.published_at,
            flow_id=flow.pk,
            flow_key=flow.key,
            flow_version=published.number,
            campaign_key=graph.document.campaign,
            exit_on=exit_on,
        )


def subscribe() -> None:
    """Ask the timeline for just the events that some live version reads."""
    names: set[str] = set()
    for version_id in live_version_ids():
        graph = version(version_id).graph
        for entry in graph.document.entry:
            if entry.kind == "event":
                names.add(str(entry.event))
            if entry.kind == "segment_entered":
                names.add("segment.joined")
            if entry.kind == "segment_left":
                names.add("segment.left")
        names |= {item.event for item in graph.document.exit_on}
        names |= {wake.event for node in graph.nodes if node.rests and (wake := node.type.wake(node.parameters))}
    if names:
        queue.subscribe(CONSUMER, sorted(names))
    subscribed = fetch(
        "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id WHERE s.consumer = %(c)s",
        {"c": CONSUMER},
    )
    gone = {row[0] for row in subscribed} - names
    if gone:
        queue.unsubscribe(CONSUMER, sorted(gone))


@transaction.atomic
def pause(*, key: str, now: datetime) -> Flow:
    """Hold everything: nobody moves, nothing starts, also what is planned already. Raises Problems."""
    flow = _locked(key, Flow.MAY_PAUSE, "pause")
    flow.state = Flow.State.PAUSED
    flow.paused_at = flow.updated_at = now
    flow.save(update_fields=["state", "paused_at", "updated_at"])
    delivery.set_dispatch_state(flow_id=flow.pk, now=now, state=Dispatch.State.PAUSED)
    return flow


@transaction.atomic
def resume(*, key: str, now: datetime, policy: str | dict[str, str] = "send_now") -> Flow:
    """Go on: `send_now`, `shift` (everything later by the pause) or `{"skip_older_than": "2d"}`. Raises Problems."""
    flow = _locked(key, Flow.MAY_RESUME, "resume")
    paused_at = flow.paused_at or now
    if policy == "shift":
        shift = now - paused_at
        _lock_blocks(flow)
        execute(
            "UPDATE enrollment SET due_at = due_at + %(shift)s WHERE flow_id = %(flow)s AND status = 1 AND"
            " due_at IS NOT NULL",
            {"shift": shift, "flow": flow.pk},
        )
        execute(
            "UPDATE flow_block SET next_due = next_due + %(shift)s WHERE version_id IN"
            " (SELECT id FROM flow_version WHERE flow_id = %(flow)s)",
            {"shift": shift, "flow": flow.pk},
        )
        resuming.shift_planned(flow_id=flow.pk, by=shift)
    elif isinstance(policy, dict) and set(policy) == {"skip_older_than"}:
        resuming.expire_planned(flow_id=flow.pk, before=_before(policy["skip_older_than"], now), now=now)
    elif policy != "send_now":
        remedy = 'choose "send_now", "shift" or {"skip_older_than": "2d"}'
        raise Problems([Problem("policy", f"unknown policy {policy!r}", remedy)])
    flow.state = Flow.State.RUNNING
    flow.paused_at = None
    flow.updated_at = now
    flow.save(update_fields=["state", "paused_at", "updated_at"])
    delivery.set_dispatch_state(flow_id=flow.pk, now=now, state=Dispatch.State.RUNNING)
    _replay(flow, since=paused_at)
    hint("flows.advance")
    hint("delivery.send_email")
    return flow


def _lock_blocks(flow: Flow) -> None:
    """Blocks before enrollments, in id order, as everybody does who moves people."""
    execute(
        "SELECT FROM flow_block WHERE version_id IN (SELECT id FROM flow_version WHERE flow_id = %(flow)s)"
        " AND next_due IS NOT NULL ORDER BY id FOR UPDATE",
        {"flow": flow.pk},
    )


def _before(text: str, now: datetime) -> datetime:
    try:
        return Period.parse(text).subtract_from(now)
    except ValueError as error:
        raise Problems([Problem("policy.skip_older_than", str(error))]) from None


def _replay(flow: Flow, *, since: datetime) -> None:
    """Queue what arrived during the pause once more, for this flow alone: entries and wakes were not taken" "
    meanwhile.
    """
    execute(
        sql(
            "INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, ref, properties)"
            " SELECT {consumer}, v.id, v.customer_id, v.type_id, v.occurred_at, v.ref, v.properties FROM event v"
            " JOIN event_subscription s ON s.type_id = v.type_id AND s.consumer = {all}"
            " WHERE v.received_at >= {since} AND v.occurred_at >= {early}",
            consumer=replay_consumer(flow.pk),
            all=CONSUMER,
            since=since,
            # A bound on the partition key, so that a replay does not read years of months.
            early=since - timedelta(days=31),
        )
    )


def replay_consumer(flow_id: int) -> str:
    """The queue of what one flow has to make up for."""
    return f"{CONSUMER}:{flow_id}"


@transaction.atomic
def stop(*, key: str, now: datetime) -> Flow:
    """End the flow for everybody inside; what is planned is skipped (`flow_stopped`). Raises Problems."""
    flow = _locked(key, Flow.MAY_STOP, "stop")
    flow.state = Flow.State.STOPPED
    flow.paused_at = None
    flow.updated_at = now
    flow.save(update_fields=["state", "paused_at", "updated_at"])
    delivery.set_dispatch_state(flow_id=flow.pk, now=now, state=Dispatch.State.STOPPED)
    subscribe()
    hint("flows.stopped")
    return flow


def clear_stopped(*, now: datetime) -> int:
    """End the enrollments of one claim of a stopped flow; how many, or 0 when none is left."""
    with transaction.atomic():
        engine.prepare_session()
        claim = blocks.claim_due(now=datetime.max.replace(tzinfo=now.tzinfo), states=[Flow.State.STOPPED])
        if claim is None:
            return 0
        ended = 0
        for low, high in claim.ranges():
            ids = fetch(
                "SELECT id FROM enrollment WHERE id >= %(low)s AND id < %(high)s AND status = 1 ORDER BY id",
                {"low": low, "high": high},
            )
            ended += engine.leave_early(
                version(claim.version_id),
                [row[0] for row in ids],
                how="stopped",
                status=Enrollment.Status.STOPPED,
                now=now,
            )
        blocks.time_anew(claim)
        return max(ended, 1)


def count_goals(*, now: datetime) -> int:
    """Keep the goal's numbers of one large running flow whose last count is older than five minutes; how many."""
    due = Q(goal_numbers=None) | Q(goal_numbers__as_of__lt=(now - GOALS_EVERY).isoformat())
    flow = Flow.objects.filter(due, state=Flow.State.RUNNING, current_version__isnull=False).order_by("id").first()
    if flow is None or flow.current_version_id is None:
        return 0
    numbers = queries.goal_numbers(flow, version(flow.current_version_id)) or {}
    Flow.objects.filter(pk=flow.pk).update(goal_numbers={**numbers, "as_of": now.isoformat()})
    return 1


@transaction.atomic
def enroll(*, key: str, customer_ids: Sequence[int], now: datetime, event: dict[str, Any] | None = None) -> int:
    """Let these customers into a running flow that has an `api` entry; how many came. Raises Problems."""
    flow = _locked(key)
    if flow.state != Flow.State.RUNNING or flow.current_version_id is None:
        raise Problems([Problem("", f"the flow is {flow.state}, nobody can enter", "publish or resume it")])
    current = version(flow.current_version_id)
    if not any(entry.kind == "api" for entry in current.graph.document.entry):
        raise Problems([Problem("entry", "the flow has no entry by API", "add `- {api: true}` and publish")])
    candidates = sql(
        "SELECT c.id, 0::bigint, {now}::timestamptz, {event}::jsonb FROM customer c WHERE c.id = ANY({ids})",
        now=now,
        event=json.dumps(event or {}),
        ids=list(customer_ids),
    )
    return enter(current, candidates, now=now)


def _locked(key: str, may: tuple[str, ...] = (), verb: str = "") -> Flow:
    # No join here: after waiting for the lock, a joined version would still be that of before the wait.
    flow = Flow.objects.select_for_update().filter(key=key).first()
    if flow is None:
        raise Problems([Problem("key", f"unknown flow {key!r}", "apply it first")])
    if may and flow.state not in may:
        raise Problems(
            [Problem("state", f"the flow is {flow.state}, cannot {verb} it", f"possible when {' or '.join(may)}")]
        )
    return flow
