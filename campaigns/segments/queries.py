"""Reading segments: their documents, members, previews and explanations."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext

from campaigns.segments import compile as compiler
from campaigns.segments import dependencies, differing, estimates, judging, sampling, tree, usage
from campaigns.segments import references as outside
from campaigns.segments.differing import Difference
from campaigns.segments.models import Segment
from campaigns.segments.operator import operators
from campaigns.segments.stored import references, stored_segments
from loyalty.customers.catalog import attribute_fields
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql

SAMPLE = 10
# Fewer hits than this in a sample say little about how many there are, so that counting everybody is worth a try.
RARE = 50


@dataclass(frozen=True, slots=True)
class NodeCount:
    """How many customers one node of a rule holds for: about `count`, and `low` to `high` in 95 of 100 cases (all the
    same when counted).
    """

    where: str
    sentence: str
    count: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Who a rule would hold for: `nodes` in the order they were written, the whole rule first.

    `exact` says that `count` was counted, not estimated from `looked_at` of `total` customers; the whole rule may be
    exact while inner nodes are not. `sample` is some of those it holds for.
    """

    count: int
    low: int
    high: int
    exact: bool
    looked_at: int
    total: int
    sample: list[dict[str, Any]]
    nodes: list[NodeCount]


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """What one node says about one customer, and the value it was judged on (None: nothing known)."""

    where: str
    sentence: str
    matches: bool
    value: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a customer is in or out, by the data of now; `member_since` is what is stored (None: no member)."""

    matches: bool
    member_since: datetime | None
    nodes: list[NodeVerdict]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A segment, or what it reads (event, list; level -1), or who uses it (flow; the last level). Segments that refer
    to no other are at level 0.
    """

    kind: str
    key: str
    name: Any
    level: int
    members: int | None = None
    build_ms: int | None = None
    built_at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """What is used, and by what; `how` as in `usage.Use`."""

    from_kind: str
    from_key: str
    to_kind: str
    to_key: str
    how: str


@dataclass(frozen=True, slots=True)
class Graph:
    """What hangs together."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]


@dataclass(frozen=True, slots=True)
class Member:
    """One member; `customer_id` is the cursor for the next page."""

    customer_id: int
    external_id: str | None
    since: datetime


def document_of(segment: Segment) -> dict[str, Any]:
    """The segment as the document that `apply` would leave unchanged."""
    rule = segment.rule
    # When an operator was removed, the rule is shown as it was written, so that it can be mended.
    with suppress(Problems):
        rule = tree.document(tree.parse(rule))
    description = {"description": segment.description} if segment.description else {}
    return {"kind": "segment", "key": segment.key, "name": segment.name, **description, "rule": rule}


def problems_of(
    rule: tree.Rule, *, declared: Collection[str] = (), brought: Mapping[str, Collection[str]] | None = None
) -> list[Problem]:
    """Mistakes that only the database can tell: unknown segments, comparisons that do not fit an attribute's type.

    `declared` are segment keys that are about to exist, `brought` keys of other things by kind.
    """
    fields = attribute_fields()
    known = set(Segment.objects.values_list("key", flat=True)) | set(declared)
    problems = []
    for leaf in tree.leaves(rule):
        operator = operators.get(leaf.operator)
        problems += [problem.within(leaf.where) for problem in operator.check(leaf.parameters, fields)]
        for key in sorted(operator.reads(leaf.parameters).segments - known):
            near = get_close_matches(key, known, n=1, cutoff=0.6)
            remedy = f"did you mean {near[0]!r}?" if near else "apply that segment first, or in the same call"
            problems.append(Problem(f"{leaf.where}.{leaf.operator}", f"unknown segment {key!r}", remedy))
    return problems + outside.unknown(rule, brought=brought)


def parsed(
    rule: object, *, declared: Collection[str] = (), brought: Mapping[str, Collection[str]] | None = None
) -> tree.Rule:
    """The typed rule; raises Problems, to which what the database can tell of the sound conditions is added."""
    try:
        return tree.parse(rule)
    except Problems as refused:
        sound = tree.readable(rule)
        more = problems_of(sound, declared=declared, brought=brought) if sound is not None else []
        raise Problems([*refused.problems, *more]) from None


def checked(rule: object) -> tree.Rule:
    """A rule to be evaluated without being stored; raises Problems, also for what only the database can tell."""
    found = parsed(rule)
    problems = problems_of(found)
    if problems:
        raise Problems(problems)
    return found


def cycle_problems(key: str, rule: tree.Rule) -> list[Problem]:
    """A problem when the segment `key` with this rule would refer to itself."""
    graph = references(stored_segments()) | {key: frozenset(tree.segment_keys(rule))}
    path = dependencies.cycle(graph, key)
    if not path:
        return []
    return [Problem("rule", f"refers to itself: {' -> '.join(path)}", "remove one of these references")]


def members(segment_id: int, *, after: int = 0, limit: int = 100) -> list[Member]:
    """A page of members in the order of their ids, those beyond `after`."""
    rows = fetch(
        sql(
            "SELECT m.customer_id, c.external_id, m.since FROM segment_member m"
            " LEFT JOIN customer c ON c.id = m.customer_id"
            " WHERE m.segment_id = {segment_id} AND m.customer_id > {after} ORDER BY m.customer_id LIMIT {limit}",
            segment_id=segment_id,
            after=after,
            limit=limit,
        )
    )
    return [Member(*row) for row in rows]


def preview(rule: tree.Rule, *, now: datetime, sample: int = SAMPLE, exact: bool = False) -> Preview:
    """Count, sample and the count at every node: of everybody where there are few customers or with `exact`, else
    estimated from some within a fraction of a second. The whole rule is counted where that is cheap, too.
    """
    with judging.bounded():
        whole = exact or sampling.few_customers(sampling.SMALL)
        counted = (sampling.count_all if whole else sampling.count_some)(rule, now=now, sample=sample)
        found = [estimates.estimate(hits, counted.looked_at, counted.total) for hits in counted.hits]
        matching = counted.matching
        if counted.hits[0] < RARE and not found[0].exact:
            cheap = sampling.count_cheaply(rule, now=now, sample=sample)
            if cheap is not None:
                found[0], matching = estimates.known(cheap[0]), cheap[1]
        people = sampling.people(matching)
    root = found[0]
    nodes = [
        NodeCount(node.where, sentence(node), one.count, one.low, one.high)
        for node, one in zip(tree.walk(rule), found, strict=True)
    ]
    return Preview(root.count, root.low, root.high, root.exact, counted.looked_at, counted.total, people, nodes)


def diff(rule: tree.Rule, segment_id: int | None, *, now: datetime, sample: int = SAMPLE) -> Difference:
    """What saving this rule would change: who joins and leaves, which flows begin for them, what it costs."""
    return differing.difference(rule, segment_id, now=now, sample=sample)


def graph() -> Graph:
    """All segments with what they refer to and who uses them, for a drawing; a fixed number of queries."""
    stored = stored_segments()
    links = references(stored)
    levels = dependencies.levels(links)
    nodes = {
        ("segment", row.key): GraphNode(
            kind="segment",
            key=row.key,
            name=row.name,
            level=levels.get(row.key, 0),
            members=row.member_count,
            build_ms=row.build_ms,
            built_at=row.built_at,
            problem=row.problem,
        )
        for row in Segment.objects.order_by("key")
    }
    edges = set()
    for key, item in stored.items():
        edges |= {GraphEdge("event", name, "segment", key, "asked") for name in item.reads.events}
        for leaf in tree.leaves(item.rule):
            named = operators.get(leaf.operator).references(leaf.parameters)
            edges |= {GraphEdge(one.kind, one.key, "segment", key, "asked") for one in named}
    for use in usage.all_uses(stored):
        edges.add(GraphEdge("segment", use.segment, use.kind, use.key, use.how))
        nodes.setdefault(
            (use.kind, use.key), GraphNode(use.kind, use.key, use.name, max(levels.values(), default=0) + 1)
        )
    for edge in edges:
        for kind, key in ((edge.from_kind, edge.from_key), (edge.to_kind, edge.to_key)):
            nodes.setdefault((kind, key), GraphNode(kind, key, None, -1))
    return Graph(list(nodes.values()), sorted(edges, key=lambda edge: astuple(edge)))


def explain(rule: tree.Rule, customer_id: int, *, now: datetime, segment_id: int | None = None) -> Explanation:
    """The verdict and the value at every node for one customer; raises LookupError when there is no such customer."""
    scope = sql("SELECT {id}::bigint", id=customer_id)
    context = compiler.context([rule], now=now, scope=scope)
    leaves = list(tree.leaves(rule))
    columns, combined = judging.columns(rule, [compiler.compiled(leaf, context) for leaf in leaves])
    shown = [operators.get(leaf.operator).value(leaf.parameters, context) or Sql("NULL") for leaf in leaves]
    values = Sql(", ").join(sql("({value})::text AS {name}", value=v, name=Sql(f"v{i}")) for i, v in enumerate(shown))
    verdicts = Sql(", ").join(combined)
    query = sql(
        "SELECT {verdicts}{values} FROM (SELECT {columns}{shown} FROM customer c WHERE c.id = {id} OFFSET 0) x",
        verdicts=verdicts,
        values=Sql("".join(f", v{i}" for i in range(len(leaves)))),
        columns=columns,
        shown=sql(", {values}", values=values) if leaves else Sql(""),
        id=customer_id,
    )
    with judging.bounded():
        rows = fetch(query)
        since = _member_since(segment_id, customer_id)
    if not rows:
        raise LookupError(f"there is no customer {customer_id}")
    nodes = list(tree.walk(rule))
    judged, read = rows[0][: len(nodes)], iter(rows[0][len(nodes) :])
    found = [
        NodeVerdict(node.where, sentence(node), matches, next(read) if isinstance(node, tree.Leaf) else None)
        for node, matches in zip(nodes, judged, strict=True)
    ]
    return Explanation(found[0].matches, since, found)


def sentence(node: tree.Rule) -> str:
    """One node in words, in the active language."""
    if isinstance(node, tree.Leaf):
        return operators.get(node.operator).sentence(node.parameters)
    if not node.rules:
        return gettext("Everybody")
    return {
        "all": gettext("All of these hold"),
        "any": gettext("At least one of these holds"),
        "none": gettext("None of these holds"),
    }[node.kind]


def _member_since(segment_id: int | None, customer_id: int) -> datetime | None:
    if segment_id is None:
        return None
    rows = fetch(
        sql(
            "SELECT since FROM segment_member WHERE segment_id = {segment_id} AND customer_id = {customer_id}",
            segment_id=segment_id,
            customer_id=customer_id,
        )
    )
    return rows[0][0] if rows else None
