"""Asking what every node of a rule says, within a bound of time: what previews, explanations and differences share."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from campaigns.segments import compile as compiler
from campaigns.segments import tree
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql

# Somebody waits in front of a page; a rule that takes longer is told so.
ASK_TIMEOUT = "10s"
# Hash tables of event subqueries over a million customers must fit, else PostgreSQL probes them row by row.
ASK_MEMORY = "128MB"


def columns(rule: tree.Rule, conditions: Sequence[Sql]) -> tuple[Sql, list[Sql]]:
    """One boolean column per leaf (`l0`, `l1`, ...), and each node of the rule in terms of those columns."""
    named = [
        sql("(({condition}) IS TRUE) AS {name}", condition=condition, name=Sql(f"l{number}"))
        for number, condition in enumerate(conditions)
    ]
    # Of nothing, for a rule without conditions.
    named = named or [Sql("TRUE AS l0")]
    numbers = {leaf.where: number for number, leaf in enumerate(tree.leaves(rule))}

    def expression(node: tree.Rule) -> Sql:
        if isinstance(node, tree.Leaf):
            return Sql(f"l{numbers[node.where]}")
        return compiler.combined(node.kind, [expression(inner) for inner in node.rules])

    return Sql(", ").join(named), [expression(node) for node in tree.walk(rule)]


def planned_cost(query: Sql) -> float:
    """What PostgreSQL reckons a query costs, in its own unit."""
    answer = fetch(sql("EXPLAIN (FORMAT JSON) {query}", query=query))[0][0]
    plan = json.loads(answer) if isinstance(answer, str) else answer
    return float(plan[0]["Plan"]["Total Cost"])


@contextmanager
def bounded() -> Iterator[None]:
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
