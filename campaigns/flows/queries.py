"""Reads about flows: how far people got, and why this person did or did not get each message."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from campaigns.delivery import queries as delivery
from campaigns.delivery.models import Dispatch
from campaigns.flows.counts import ARRIVED, ENTERED
from campaigns.flows.definition import FlowGoal
from campaigns.flows.models import Enrollment, EnrollmentFailure, Flow
from campaigns.flows.versions import Version, version
from campaigns.planning.models import Goal
from campaigns.segments import properties
from loyalty.events.types import type_id
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql

# Counting the goal costs about 5 us a person; flows with more people show what the chore counted last.
COUNT_LIVE_UP_TO = 50_000
ENDINGS = ("finished", "exited", "stopped", "failed")


def stats(flow: Flow) -> dict[str, Any]:
    """The flow in numbers: who entered, is inside, left and how; per step of the running version; its messages; its
    goal.

    `messages` always satisfies planned = sent + skipped + failed + pending + in_doubt.
    """
    by_version = _counts(flow)
    totals: dict[str, int] = defaultdict(int)
    for counts in by_version.values():
        for (node, name), n in counts.items():
            if node == 0:
                totals[name] += n
    dispatches = list(Dispatch.objects.filter(flow_id=flow.pk).order_by("flow_version", "step_no"))
    per_dispatch = delivery.counts([dispatch.pk for dispatch in dispatches])
    answer: dict[str, Any] = {
        "flow": flow.key,
        "state": flow.state,
        "version": flow.current_version.number if flow.current_version else None,
        "entered": totals[ENTERED],
        "active": totals[ENTERED] - sum(totals[name] for name in ENDINGS),
        **{name: totals[name] for name in ENDINGS},
        "held_out": _held_out(flow),
        "refused": EnrollmentFailure.objects.filter(version_id__in=flow.versions.values("id")).count(),
        "messages": _sum_counts(per_dispatch.values()),
        "steps": [],
        "goal": None,
    }
    if flow.current_version is not None:
        current = version(flow.current_version.pk)
        by_step = {d.step_no: per_dispatch.get(d.pk) for d in dispatches if d.flow_version == current.number}
        answer["steps"] = steps(current, by_version.get(current.id, {}), by_step)
        live = totals[ENTERED] <= COUNT_LIVE_UP_TO
        answer["goal"] = goal_numbers(flow, current) if live else _kept_goal(flow)
    return answer


def answer(flow: Flow) -> dict[str, Any]:
    """`stats` as programs get it: the message counts of the whole flow and `exits`, people by how they left, stand at
    the top too. There `failed` counts messages; people whose enrollment failed are in `exits`.
    """
    numbers = stats(flow)
    return {**numbers, "exits": {name: numbers[name] for name in ENDINGS}, **numbers["messages"]}


def steps(current: Version, counts: dict[tuple[int, str], int], messages: dict[int, Any]) -> list[dict[str, Any]]:
    """Each step with how many came, left by which exit, and wait there."""
    rows = []
    for node in current.graph.nodes:
        here = {name: n for (number, name), n in counts.items() if number == node.number}
        arrived = here.pop(ARRIVED, 0)
        left = sum(here.values())
        rows.append(
            {
                "id": node.id,
                "type": node.parameters.type,
                "sentence": node.type.sentence(node.parameters),
                "entered": arrived if node.rests else left,
                "waiting": arrived - left if node.rests else 0,
                "exits": {name: here.get(name, 0) for name in node.exits} | here,
                "messages": messages.get(node.number),
            }
        )
    return rows


def _counts(flow: Flow) -> dict[int, dict[tuple[int, str], int]]:
    rows = fetch(
        "SELECT c.version_id, c.node, c.exit, sum(c.n)::bigint FROM flow_count c JOIN flow_version v ON v.id ="
        " c.version_id"
        " WHERE v.flow_id = %(flow)s GROUP BY 1, 2, 3",
        {"flow": flow.pk},
    )
    found: dict[int, dict[tuple[int, str], int]] = defaultdict(dict)
    for version_id, node, name, n in rows:
        found[version_id][node, name] = n
    return found


def _held_out(flow: Flow) -> int:
    return Enrollment.objects.filter(flow=flow, holdout=True).count() if flow.definition.get("holdout") else 0


def _sum_counts(counts: Any) -> dict[str, int]:
    total = dict.fromkeys(("planned", "sent", "skipped", "failed", "pending", "in_doubt"), 0)
    for item in counts:
        for name in total:
            total[name] += item[name]
    return total


def goal_numbers(flow: Flow, current: Version) -> dict[str, Any] | None:
    """Who reached the flow's goal within its window after entering, treated and held out apart.

    One row per person (the first entry counts); `value` sums the goal's property over the person's goal events in the
    window.
    """
    wanted = _goal(current)
    if wanted is None:
        return None
    value = Sql("NULL::numeric")
    if wanted.value:
        # Money comes as numbers and as decimal texts.
        value = sql("segment_number(v.properties -> {key}::text)", key=wanted.value)
    period = Period.parse(wanted.within)
    window = sql(
        "make_interval(months => {m}, days => {d}, secs => {s})", m=period.months, d=period.days, s=period.seconds or 0
    )
    rows = fetch_dicts(
        sql(
            "SELECT e.holdout, count(*) AS people, count(g.n) AS converted, coalesce(sum(g.value), 0) AS value FROM ("
            "SELECT DISTINCT ON (customer_id) customer_id, holdout, entered_at FROM enrollment WHERE flow_id = {flow}"
            " ORDER BY customer_id, entered_at) e LEFT JOIN LATERAL (SELECT count(*) AS n, sum({value}) AS value"
            " FROM event v"
            " WHERE v.customer_id = e.customer_id AND v.type_id = {type} AND v.occurred_at > e.entered_at"
            " AND v.occurred_at <= e.entered_at + {window} AND {where} HAVING count(*) > 0) g ON true GROUP BY"
            " e.holdout",
            flow=flow.pk,
            value=value,
            type=type_id(wanted.event),
            window=window,
            where=properties.where(wanted.where, Sql("v.properties")) if wanted.where else Sql("true"),
        )
    )
    groups = {
        "treated": {"people": 0, "converted": 0, "value": "0"},
        "held_out": {"people": 0, "converted": 0, "value": "0"},
    }
    for row in rows:
        group = "held_out" if row["holdout"] else "treated"
        groups[group] = {"people": row["people"], "converted": row["converted"], "value": str(row["value"])}
    return {"event": wanted.event, "within": wanted.within, **groups}


def _kept_goal(flow: Flow) -> dict[str, Any] | None:
    return flow.goal_numbers if flow.goal_numbers and "event" in flow.goal_numbers else None


def _goal(current: Version) -> FlowGoal | None:
    goal = current.graph.document.goal
    if not isinstance(goal, str):
        return goal
    found = Goal.objects.filter(key=goal).first()
    if found is None:
        return None
    return FlowGoal(
        event=found.event,
        where=found.conditions,
        within=str(Period(seconds=found.window_seconds)),
        value=found.value_property,
    )


def enrollments(flow: Flow, customer_id: int) -> list[dict[str, Any]]:
    """The person's ways through the flow, oldest first, each with its moves and messages."""
    rows = fetch_dicts(
        "SELECT id, version_id, entry_no, node, status, holdout, entered_at, since, due_at FROM enrollment"
        " WHERE flow_id = %(flow)s AND customer_id = %(customer)s ORDER BY entered_at, id",
        {"flow": flow.pk, "customer": customer_id},
    )
    ids = [row["id"] for row in rows]
    logs = fetch_dicts(
        "SELECT enrollment_id, visit, at, from_node, exit, path FROM step_log WHERE enrollment_id = ANY(%(ids)s)"
        " ORDER BY 1, 2",
        {"ids": ids},
    )
    messages = fetch(
        "SELECT id FROM message WHERE customer_id = %(customer)s AND id >> 25 = ANY(%(ids)s) ORDER BY id",
        {"customer": customer_id, "ids": ids},
    )
    for row in rows:
        graph = version(row["version_id"]).graph
        row["status"] = Enrollment.Status(row["status"]).name.lower()
        row["step"] = graph.node(row["node"]).id if row["node"] else None
        row["moves"] = [
            {"at": log["at"], **_named(graph, log["from_node"], log["exit"], log["path"])}
            for log in logs
            if log["enrollment_id"] == row["id"]
        ]
        row["messages"] = [delivery.passport(found) for (found,) in messages if found >> 25 == row["id"]]
    return rows


def _named(graph: Any, from_node: int, exit_no: int, path: list[int]) -> dict[str, Any]:
    if from_node == 0:
        left = ENTERED
    elif exit_no < 0:
        left = "left early"
    else:
        exits = graph.node(from_node).exits
        left = exits[exit_no] if exit_no < len(exits) else "go"
    return {
        "from": graph.node(from_node).id if from_node else None,
        "exit": left,
        "ran": [graph.node(n).id for n in path],
    }


def why_not_entered(flow: Flow, customer_id: int, *, now: datetime) -> list[str]:
    """In words: what each way in asks, and whether this person meets it; for people who never came in."""
    reasons = []
    if flow.state != Flow.State.RUNNING or flow.current_version is None:
        return [f"the flow is {flow.state}: nobody enters"]
    for entry in version(flow.current_version.pk).graph.document.entry:
        key = entry.segment_entered or entry.segment_left or entry.segment
        if key:
            member = fetch(
                "SELECT m.since FROM segment_member m JOIN segment s ON s.id = m.segment_id WHERE s.key = %(key)s"
                " AND m.customer_id = %(customer)s",
                {"key": key, "customer": customer_id},
            )
            inside = f"has been in it since {member[0][0]:%Y-%m-%d %H:%M}" if member else "is not in it"
            reasons.append(f"entry {entry.kind} {key}: the person {inside}")
        elif entry.event:
            seen = fetch(
                "SELECT max(occurred_at) FROM event WHERE customer_id = %(customer)s AND type_id = %(type)s",
                {"customer": customer_id, "type": type_id(entry.event)},
            )[0][0]
            last = f"last happened {seen:%Y-%m-%d %H:%M}" if seen else "never happened"
            reasons.append(
                f"entry event {entry.event}: {last}; the flow runs since"
                f" {flow.current_version.published_at:%Y-%m-%d %H:%M}"
            )
        else:
            reasons.append(f"entry {entry.kind}: no such entry took place for this person")
    return reasons
