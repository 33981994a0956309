"""Pure: the graph of a flow: parse, route, and find every mistake at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from campaigns.flows.definition import END, FlowDocument
from loyalty.kit.problems import Problem, Problems, from_pydantic
from loyalty.kit.registry import Registry

END_NODE = 0
STEPS_MAX = 500


@dataclass(frozen=True, slots=True)
class Node:
    """One step with its routes: `routes[i]` is the node behind exit `exits[i]` (0 = the end)."""

    number: int
    id: str
    type: Any
    parameters: Any
    exits: tuple[str, ...]
    routes: tuple[int, ...]

    @property
    def rests(self) -> bool:
        return bool(self.type.rests)


@dataclass(frozen=True, slots=True)
class Graph:
    """A checked flow. Nodes are numbered from 1 in the order of the list; 0 is the end."""

    document: FlowDocument
    nodes: tuple[Node, ...]

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    def by_id(self, step_id: str) -> Node:
        return next(node for node in self.nodes if node.id == step_id)


def parse(source: Any, step_types: Registry[Any]) -> Graph:
    """Read a flow document; raises Problems with every mistake: fields, step parameters, routes, reach and cycles."""
    if not isinstance(source, dict):
        raise Problems([Problem("", "a flow must be a mapping", "start with key, entry and steps")])
    problems: list[Problem] = []
    document: FlowDocument | None = None
    try:
        document = FlowDocument.model_validate(source)
    except ValidationError as error:
        problems += from_pydantic(error)
    raw_steps = source.get("steps")
    steps = [step for step in raw_steps if isinstance(step, dict)] if isinstance(raw_steps, list) else []
    if len(steps) > STEPS_MAX:
        raise Problems([*problems, Problem("steps", f"{len(steps)} steps are too many", f"at most {STEPS_MAX}")])
    typed = _typed_steps(steps, step_types, problems)
    nodes = _nodes(steps, typed, problems)
    if nodes is not None:
        problems += _unreachable(nodes)
        problems += _cycles_without_rest(nodes)
        problems += _wrong_references(nodes)
    if problems or document is None or nodes is None:
        raise Problems(problems)
    return Graph(document, nodes)


def _typed_steps(steps: list[dict[str, Any]], step_types: Registry[Any], problems: list[Problem]) -> list[Any]:
    """(type, parameters) per step, None where the step is wrong."""
    typed: list[Any] = []
    for index, step in enumerate(steps):
        where = f"steps[{index}]"
        type_name = step.get("type")
        if not isinstance(type_name, str) or type_name not in step_types:
            name = str(type_name)
            wrong = "is missing" if type_name is None else step_types.refusal(name)
            near = "" if name in step_types.announced else _guess(name, step_types)
            problems.append(Problem(f"{where}.type", wrong, f"one of {', '.join(step_types)}{near}"))
            typed.append(None)
            continue
        step_type = step_types.get(type_name)
        try:
            typed.append((step_type, step_type.parameters.model_validate(step)))
        except ValidationError as error:
            problems += [problem.within(where) for problem in from_pydantic(error)]
            typed.append(None)
    return typed


def _nodes(steps: list[dict[str, Any]], typed: list[Any], problems: list[Problem]) -> tuple[Node, ...] | None:
    numbers: dict[str, int] = {}
    for index, step in enumerate(steps):
        step_id = step.get("id")
        if not isinstance(step_id, str):
            continue
        if step_id in numbers:
            problems.append(Problem(f"steps[{index}].id", f"{step_id!r} is used twice", "give each step its own id"))
        elif step_id == END:
            problems.append(
                Problem(f"steps[{index}].id", "'end' is reserved for leaving the flow", "choose another id")
            )
        else:
            numbers[step_id] = index + 1
    nodes: list[Node] = []
    for index, item in enumerate(typed):
        if item is None:
            continue
        step_type, parameters = item
        exits = step_type.exits(parameters)
        asked = {**step_type.targets(parameters), **parameters.exits}
        following = index + 2 if index + 1 < len(steps) else END_NODE
        routes = []
        for name in exits:
            target = asked.pop(name, parameters.next)
            where = f"steps[{index}].exits.{name}" if name in parameters.exits else f"steps[{index}].next"
            routes.append(following if target is None else _number(target, numbers, where, problems))
        for name in asked:
            known = ", ".join(exits) or "none"
            problems.append(Problem(f"steps[{index}].exits.{name}", "this step has no such exit", f"known: {known}"))
        nodes.append(Node(index + 1, parameters.id, step_type, parameters, exits, tuple(routes)))
    return tuple(nodes) if len(nodes) == len(steps) and nodes and not problems else None


def _number(target: str, numbers: dict[str, int], where: str, problems: list[Problem]) -> int:
    if target == END:
        return END_NODE
    if target not in numbers:
        problems.append(
            Problem(where, f"unknown step {target!r}", f"use a step's id or 'end'{_guess(target, numbers)}")
        )
        return END_NODE
    return numbers[target]


def _guess(name: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _unreachable(nodes: tuple[Node, ...]) -> list[Problem]:
    seen: set[int] = set()
    todo = [1]
    while todo:
        number = todo.pop()
        if number == END_NODE or number in seen:
            continue
        seen.add(number)
        todo += nodes[number - 1].routes
    return [
        Problem(
            f"steps[{node.number - 1}]", f"nobody can ever reach step {node.id!r}", "route an exit to it or remove it"
        )
        for node in nodes
        if node.number not in seen
    ]


def _cycles_without_rest(nodes: tuple[Node, ...]) -> list[Problem]:
    """A circle of instant steps would never end: each circle must contain a wait. Iterative three-color search."""
    color: dict[int, int] = {}
    problems: list[Problem] = []
    for start in nodes:
        if start.rests or color.get(start.number):
            continue
        stack: list[tuple[int, int]] = [(start.number, 0)]
        color[start.number] = 1
        while stack:
            number, position = stack[-1]
            routes = nodes[number - 1].routes
            if position == len(routes):
                color[number] = 2
                stack.pop()
                continue
            stack[-1] = (number, position + 1)
            target = routes[position]
            if target == END_NODE or nodes[target - 1].rests:
                continue
            if color.get(target) == 1:
                members = [item for item, _ in stack]
                circle = [nodes[item - 1].id for item in members[members.index(target) :]]
                text = " -> ".join([*circle, circle[0]])
                problems.append(
                    Problem(f"steps[{target - 1}]", f"endless circle {text}", "put a wait into it, or leave by 'end'")
                )
            elif not color.get(target):
                color[target] = 1
                stack.append((target, 0))
    # Two exits may lead into the same circle.
    return list(dict.fromkeys(problems))


def _wrong_references(nodes: tuple[Node, ...]) -> list[Problem]:
    sends = {node.id for node in nodes if node.parameters.type == "send"}
    problems = []
    for node in nodes:
        wake = node.type.wake(node.parameters) if node.rests else None
        if wake and wake.of is not None and wake.of not in sends:
            remedy = f"name a send step: {', '.join(sorted(sends)) or 'there is none'}{_guess(wake.of, sends)}"
            problems.append(Problem(f"steps[{node.number - 1}].of", f"{wake.of!r} is no send step", remedy))
    return problems
