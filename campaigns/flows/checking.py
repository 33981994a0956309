"""What must be true of a flow before it may be kept: structure by `graph`, references by the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cronsim import CronSim, CronSimError

from campaigns.flows.definition import Entry, FlowDocument
from campaigns.flows.graph import Graph, parse
from campaigns.flows.step import Declared, step_types
from campaigns.planning.models import Campaign, Goal
from campaigns.segments import properties
from campaigns.segments.models import Segment
from loyalty.kit.problems import Problem, Problems


def check(source: Any, *, declared: Declared | None = None) -> Graph:
    """The checked graph of a flow document; raises Problems with every mistake, of structure and of reference."""
    declared = declared or {}
    problems: list[Problem] = []
    graph: Graph | None = None
    try:
        graph = parse(source, step_types)
    except Problems as error:
        problems += error.problems
    if graph is None:
        raise Problems(problems + _loose_checks(source, declared))
    problems += check_references(graph, declared)
    if problems:
        raise Problems(problems)
    return graph


def check_references(graph: Graph, declared: Declared) -> list[Problem]:
    """Names in the flow that mean nothing here."""
    document = graph.document
    problems = _entries(document.entry, declared)
    for i, exit_on in enumerate(document.exit_on):
        problems += properties.check(exit_on.where, f"exit_on[{i}].where")
    problems += _campaign_and_goal(document, declared)
    for node in graph.nodes:
        found = node.type.check(node.parameters, declared)
        problems += [problem.within(f"steps[{node.number - 1}]") for problem in found]
    return problems


def _loose_checks(source: Any, declared: Declared) -> list[Problem]:
    """Reference mistakes of the parts that are well formed, so that one broken step does not hide them."""
    problems: list[Problem] = []
    if not isinstance(source, dict):
        return problems
    entries = source.get("entry")
    typed: list[Entry | None] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        try:
            typed.append(Entry.model_validate(entry))
        except ValueError:
            typed.append(None)
    problems += _entries(typed, declared)
    steps = source.get("steps")
    for i, step in enumerate(steps if isinstance(steps, list) else []):
        type_name = step.get("type") if isinstance(step, dict) else None
        if not isinstance(type_name, str) or type_name not in step_types:
            continue
        step_type = step_types.get(type_name)
        try:
            parameters = step_type.parameters.model_validate(step)
        except ValueError:
            continue
        problems += [problem.within(f"steps[{i}]") for problem in step_type.check(parameters, declared)]
    return problems


def _entries(entries: Sequence[Entry | None], declared: Declared) -> list[Problem]:
    problems: list[Problem] = []
    wanted = {
        (i, field): getattr(entry, field)
        for i, entry in enumerate(entries)
        if entry
        for field in ("segment_entered", "segment_left", "segment")
        if getattr(entry, field)
    }
    known = set(Segment.objects.filter(key__in=set(wanted.values())).values_list("key", flat=True))
    known |= declared.get("segment", set())
    for (i, field), key in wanted.items():
        if key not in known:
            problems.append(
                Problem(f"entry[{i}].{field}", f"unknown segment {key!r}", "apply the segment first or correct the key")
            )
    for i, entry in enumerate(entries):
        if entry:
            problems += _times(entry, i)
            problems += properties.check(entry.where, f"entry[{i}].where")
    return problems


def _times(entry: Entry, index: int) -> list[Problem]:
    if entry.kind == "schedule":
        try:
            CronSim(str(entry.schedule), datetime(2026, 1, 1))  # noqa: DTZ001 - only the syntax is asked
        except CronSimError as error:
            remedy = 'write five fields, such as "0 9 * * 1" for Mondays at 9'
            return [Problem(f"entry[{index}].schedule", f"{entry.schedule!r} is no cron expression: {error}", remedy)]
    if entry.kind == "at":
        try:
            at = datetime.fromisoformat(str(entry.at))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            return [Problem(f"entry[{index}].at", f"{entry.at!r} is no instant", "write 2026-12-24T18:00:00+01:00")]
    return []


def _campaign_and_goal(document: FlowDocument, declared: Mapping[str, set[str]]) -> list[Problem]:
    problems = []
    campaign = document.campaign
    if (
        campaign
        and campaign not in declared.get("campaign", set())
        and not Campaign.objects.filter(key=campaign).exists()
    ):
        problems.append(Problem("campaign", f"unknown campaign {campaign!r}", "apply the campaign first"))
    goal = document.goal
    if isinstance(goal, str):
        if goal not in declared.get("goal", set()) and not Goal.objects.filter(key=goal).exists():
            problems.append(
                Problem("goal", f"unknown goal {goal!r}", "apply the goal first, or write event and within")
            )
    elif goal:
        problems += properties.check(goal.where, "goal.where")
    return problems
