"""Reading segments: their documents, members, previews and explanations."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext
from psycopg.errors import QueryCanceled

from campaigns.segments import compile as compiler
from campaigns.segments import dependencies, tree
from campaigns.segments import references as outside
from campaigns.segments.models import Segment
from campaigns.segments.operator import operators
from campaigns.segments.stored import references, stored_segments
from loyalty.customers.catalog import attribute_fields
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql

SAMPLE = 10
# Somebody waits in front of a page; a rule that takes longer is told so.
ASK_TIMEOUT = "10s"
# Hash tables of event subqueries over a million customers must fit, else PostgreSQL probes them row by row.
ASK_MEMORY = "128MB"


@dataclass(frozen=True, slots=True)
class NodeCount:
    """How many customers one node of a rule holds for."""

    where: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Who a rule would hold for: `nodes` in the order they were written, the whole rule first."""

    count: int
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


def preview(rule: tree.Rule, *, now: datetime, sample: int = SAMPLE) -> Preview:
    """Count, sample and the count at every node, from one scan of the customers (and one more for the sample)."""
    context = compiler.context([rule], now=now)
    columns, combined = _columns(rule, [compiler.compiled(leaf, context) for leaf in tree.leaves(rule)])
    counts = sql(
        "SELECT count(*){counts} FROM (SELECT {columns} FROM customer c OFFSET 0) x",
        counts=Sql("").join(sql(", count(*) FILTER (WHERE {node})", node=node) for node in combined),
        columns=columns,
    )
    picked = sql(
        """WITH hit AS MATERIALIZED (SELECT c.id FROM customer c WHERE {condition} LIMIT {sample})
        SELECT c.id, c.external_id, c.first_name, c.last_name, c.email, c.country
        FROM hit JOIN customer c USING (id) ORDER BY c.id""",
        condition=compiler.compiled(rule, context),
        sample=sample,
    )
    with _bounded():
        total, *found = fetch(counts)[0]
        people = fetch_dicts(picked) if sample and found[0] else []
    nodes = [NodeCount(node.where, sentence(node), count) for node, count in zip(tree.walk(rule), found, strict=True)]
    return Preview(found[0], total, people, nodes)


def explain(rule: tree.Rule, customer_id: int, *, now: datetime, segment_id: int | None = None) -> Explanation:
    """The verdict and the value at every node for one customer; raises LookupError when there is no such customer."""
    scope = sql("SELECT {id}::bigint", id=customer_id)
    context = compiler.context([rule], now=now, scope=scope)
    leaves = list(tree.leaves(rule))
    columns, combined = _columns(rule, [compiler.compiled(leaf, context) for leaf in leaves])
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
    with _bounded():
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


def _columns(rule: tree.Rule, conditions: Sequence[Sql]) -> tuple[Sql, list[Sql]]:
    """One boolean column per leaf (`l0`, `l1`, ...), and each node of the rule in terms of those columns."""
    named = [
        sql("(({condition}) IS TRUE) AS {name}", condition=condition, name=Sql(f"l{number}"))
        for number, condition in enumerate(conditions)
    ]
    numbers = {leaf.where: number for number, leaf in enumerate(tree.leaves(rule))}

    def expression(node: tree.Rule) -> Sql:
        if isinstance(node, tree.Leaf):
            return Sql(f"l{numbers[node.where]}")
        return compiler.combined(node.kind, [expression(inner) for inner in node.rules])

    return Sql(", ").join(named), [expression(node) for node in tree.walk(rule)]


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


@contextmanager
def _bounded() -> Iterator[None]:
    """A transaction with a time limit; raises Problems for a rule that takes longer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)",
                [ASK_TIMEOUT, ASK_MEMORY],
            )
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        remedy = "narrow its windows, or move a part into a segment of its own"
        raise Problems([Problem("rule", f"takes longer than {ASK_TIMEOUT} to answer", remedy)]) from None
