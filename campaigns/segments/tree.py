"""Pure: a segment rule as people write it: groups (`all`, `any`, `none`) of leaves, each named by its operator.

`parse` checks everything that the rule itself can tell and reports all mistakes at once, with their places; what
needs the database (unknown segments, types of attributes) is checked by `queries.problems_of`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from campaigns.segments.operator import Reads, operators
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion

GROUPS = ("all", "any", "none")
MAX_DEPTH = 20
MAX_LEAVES = 200
MAX_BYTES = 64 * 1024
# Each group is a mapping and a list; a leaf adds a few levels of its own.
_MAX_NESTING = 2 * MAX_DEPTH + 8
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition: its operator's key and parameters, and where it stands (`rule.all[2]`)."""

    operator: str
    parameters: BaseModel
    where: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """`all`, `any` or `none` of the rules in it; `all` of nothing is everybody."""

    kind: str
    rules: "tuple[Rule, ...]"
    where: str


Rule = Group | Leaf


def parse(rule: object, where: str = "rule") -> Rule:
    """The typed rule; raises Problems with every mistake. Input of any depth and size is judged in well under a
    second.
    """
    bounds = _beyond_bounds(rule, where)
    if bounds:
        raise Problems(bounds)
    reader = _Reader()
    parsed = reader.read(rule, where, 1)
    if reader.leaves > MAX_LEAVES:
        reader.problems.insert(
            0, Problem(where, f"has more than {MAX_LEAVES} conditions", "move a part into a segment of its own")
        )
    if reader.problems or parsed is None:
        raise Problems(reader.problems[:_MAX_PROBLEMS])
    return parsed


def readable(rule: object, where: str = "rule") -> Rule | None:
    """What of a rule with mistakes can be read, for the checks that look further; None when nothing can."""
    return None if _beyond_bounds(rule, where) else _Reader().read(rule, where, 1)


def walk(rule: Rule) -> Iterator[Rule]:
    """Every node, each group before what is in it, in the order they were written."""
    yield rule
    if isinstance(rule, Group):
        for inner in rule.rules:
            yield from walk(inner)


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every leaf, in order."""
    return (node for node in walk(rule) if isinstance(node, Leaf))


def reads(rule: Rule) -> Reads:
    """What the whole rule depends on."""
    parts = [operators.get(leaf.operator).reads(leaf.parameters) for leaf in leaves(rule)]
    return Reads(
        events=frozenset().union(*(part.events for part in parts)),
        segments=frozenset().union(*(part.segments for part in parts)),
        windows=tuple(dict.fromkeys(window for part in parts for window in part.windows)),
        clock=any(part.clock for part in parts),
    )


def segment_keys(rule: Rule) -> set[str]:
    """The segments that the rule refers to."""
    return set(reads(rule).segments)


def event_names(rule: Rule) -> set[str]:
    """The event types that the rule looks at."""
    return set(reads(rule).events)


def document(rule: Rule) -> dict[str, Any]:
    """The rule as plain JSON data, each leaf's operator first; `parse` of it gives an equal rule."""
    if isinstance(rule, Leaf):
        rest = {key: value for key, value in rule.source.items() if key != rule.operator}
        return {rule.operator: rule.source[rule.operator], **rest}
    return {rule.kind: [document(inner) for inner in rule.rules]}


class _Reader:
    """Collects the mistakes of one rule while reading it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.leaves = 0

    def read(self, rule: object, where: str, depth: int) -> Rule | None:
        """The rule at `where`, or None after its mistakes were noted."""
        if not isinstance(rule, dict) or not rule:
            remedy = "write a condition such as {attribute: country, eq: DE}, or a group all/any/none"
            self._refuse(where, "is no rule", remedy)
            return None
        named = [key for key in rule if key in GROUPS]
        if named:
            return self._group(rule, named, where, depth)
        return self._leaf(rule, where)

    def _group(self, rule: dict[Any, Any], named: list[str], where: str, depth: int) -> Group | None:
        kind = named[0]
        others = [str(key)[:80] for key in rule if key != kind]
        if others:
            self._refuse(
                where,
                f"a group has one key, but beside {kind!r} there is {', '.join(map(repr, others[:5]))}",
                f"put it into the list of {kind!r}",
            )
        if depth > MAX_DEPTH:
            self._refuse(where, f"is nested deeper than {MAX_DEPTH} groups", "move the inner part into its own segment")
            return None
        inner = rule[kind]
        place = f"{where}.{kind}"
        if not isinstance(inner, list):
            self._refuse(place, "must be a list of rules", "begin each condition with a dash")
            return None
        if not inner and kind != "all":
            self._refuse(place, "is empty", "add a condition")
            return None
        parsed: list[Rule] = []
        for number, item in enumerate(inner):
            if self.leaves > MAX_LEAVES:
                break
            child = self.read(item, f"{place}[{number}]", depth + 1)
            if child is not None:
                parsed.append(child)
        return Group(kind, tuple(parsed), where)

    def _leaf(self, rule: dict[Any, Any], where: str) -> Leaf | None:
        self.leaves += 1
        named = [key for key in rule if isinstance(key, str) and key in operators]
        if not named:
            self._unknown(rule, where)
            return None
        key = named[0]
        if len(named) > 1:
            self._refuse(
                where,
                f"names several operators: {', '.join(named)}",
                "put each into a condition of its own, within all",
            )
            return None
        if not all(isinstance(name, str) for name in rule):
            self._refuse(where, "has a field whose name is no text", "quote the name")
            return None
        operator = operators.get(key)
        source = _plain(rule)
        try:
            parameters = operator.parameters.model_validate(source)
        except ValidationError as error:
            self.problems += [
                with_suggestion(problem, operator.vocabulary(problem.where)).within(where)
                for problem in from_pydantic(error)
            ]
            return None
        mistakes = operator.mistakes(parameters)
        self.problems += [problem.within(where) for problem in mistakes]
        return None if mistakes else Leaf(key, parameters, where, source)

    def _unknown(self, rule: dict[Any, Any], where: str) -> None:
        first = str(next(iter(rule)))[:80]
        known = [*operators, *GROUPS]
        near = [] if first in operators.announced else get_close_matches(first, known, n=1, cutoff=0.6)
        self._refuse(
            f"{where}.{first}",
            operators.refusal(first),
            f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}",
        )

    def _refuse(self, where: str, problem: str, remedy: str) -> None:
        self.problems.append(Problem(where, problem, remedy))


def _plain(value: Any) -> Any:
    """JSON data of what a YAML or JSON reader gave: dates as ISO text, Decimals as numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _beyond_bounds(rule: object, where: str) -> list[Problem]:
    """What makes the input unfit to be looked at closely: size, nesting, characters that no database stores.

    It walks with a stack of its own and stops at the first bound, so that no input can exhaust Python's.
    """
    size = 0
    stack: list[tuple[object, int]] = [(rule, 0)]
    while stack:
        item, depth = stack.pop()
        if depth > _MAX_NESTING:
            remedy = "move the inner part into its own segment"
            return [Problem(where, f"is nested deeper than {MAX_DEPTH} groups", remedy)]
        size += 2
        match item:
            case dict():
                stack += [(part, depth + 1) for pair in item.items() for part in pair]
                size += 2 * len(item)
            case list() | tuple():
                stack += [(part, depth + 1) for part in item]
            case str():
                size += len(item)
                if "\0" in item or any("\ud800" <= char <= "\udfff" for char in item):
                    return [
                        Problem(where, "contains a character that cannot be stored", "remove NUL and lone surrogates")
                    ]
            case float() if not math.isfinite(item):
                return [Problem(where, "contains a number that is not finite", "write a plain number")]
            case int():
                size += item.bit_length() // 3
        if size > MAX_BYTES or len(stack) > MAX_BYTES:
            return [Problem(where, f"is larger than {MAX_BYTES // 1024} KB", "move a part into a segment of its own")]
    return []
