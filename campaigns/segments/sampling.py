"""Counting a rule among some customers, so that an answer takes a fraction of a second however many there are.

Customers are drawn by random ids, looked up in the primary key, and event conditions keep to them (1,000 of 1M: 10 to
100 ms by rule).
The same seed draws the same people again, so that counts do not flicker while somebody edits a rule. How many are drawn
follows from how long the first ones took.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from time import perf_counter
from typing import Any

from django.db import DatabaseError, transaction

from campaigns.segments import compile as compiler
from campaigns.segments import judging, tree
from loyalty.kit.sql import Sql, execute, fetch, fetch_dicts, sql

# Up to so many customers everybody is asked: 50,000 take some tens of milliseconds.
SMALL = 50_000
# The first round tells what one customer costs, the second takes the time that is left.
FIRST, MOST = 1_000, 20_000
ROUNDS_SECONDS = 0.15
# Up to so many customers they are counted (30 ms per million, from the primary key); beyond, statistics tell.
COUNTED = 2_000_000
# With fewer customers than this among the ids, drawing ids misses too often, and rows are drawn by reading all.
SPARSE = 0.1
# A whole count that PostgreSQL reckons below this takes about 0.1 s (50,000: 0.2 to 0.7 s, measured at 1M customers).
CHEAP = 20_000.0
CHEAP_TIMEOUT = "150ms"
_SEED = 20_261_121


@dataclass(frozen=True, slots=True)
class Counted:
    """How many customers were looked at, how many there are, the hits of every node, and some who match."""

    looked_at: int
    total: int
    hits: list[int]
    matching: list[int]


@dataclass(frozen=True, slots=True)
class Base:
    """All customers: about how many, and between which ids."""

    total: int
    low: int
    high: int


def few_customers(limit: int) -> bool:
    """Whether there are at most so many. Counted: statistics of a fresh table say nothing."""
    return int(fetch(sql("SELECT count(*) FROM (SELECT FROM customer LIMIT {most}) c", most=limit + 1))[0][0]) <= limit


def count_all(rule: tree.Rule, *, now: datetime, sample: int) -> Counted:
    """Every node's count among all customers, from one scan."""
    context = compiler.context([rule], now=now)
    columns, nodes = judging.columns(rule, [compiler.compiled(leaf, context) for leaf in tree.leaves(rule)])
    counts = sql(
        "SELECT count(*){counts} FROM (SELECT {columns} FROM customer c OFFSET 0) x",
        counts=_counts(nodes),
        columns=columns,
    )
    total, *hits = fetch(counts)[0]
    matching: list[int] = []
    if sample and hits[0]:
        picked = sql(
            "SELECT c.id FROM customer c WHERE {condition} LIMIT {sample}",
            condition=compiler.compiled(rule, context),
            sample=sample,
        )
        matching = sorted(row[0] for row in fetch(picked))
    return Counted(total, total, hits, matching)


def count_some(rule: tree.Rule, *, now: datetime, sample: int) -> Counted:
    """Every node's count among as many customers as the time allows; two rounds at most."""
    draw = Draw(base())
    began = perf_counter()
    counted = _count(rule, draw.people(FIRST), draw.base.total, now, sample)
    took = perf_counter() - began
    more = int(FIRST * (ROUNDS_SECONDS - took) / max(took, 0.001))
    if draw.sparse or more < FIRST // 2:
        return counted
    further = _count(rule, draw.people(min(more, MOST)), draw.base.total, now, sample)
    return Counted(
        counted.looked_at + further.looked_at,
        counted.total,
        [a + b for a, b in zip(counted.hits, further.hits, strict=True)],
        [*counted.matching, *further.matching][:sample],
    )


def count_cheaply(rule: tree.Rule, *, now: datetime, sample: int) -> tuple[int, list[int]] | None:
    """The whole rule's count and some who match, if PostgreSQL finds them at little cost; else None."""
    condition = compiler.condition(rule, now=now)
    query = sql("SELECT c.id FROM customer c WHERE {condition}", condition=condition)
    if judging.planned_cost(query) > CHEAP:
        return None
    counted = sql(
        "WITH hit AS MATERIALIZED ({query}) SELECT count(*),"
        " (SELECT array_agg(id) FROM (SELECT id FROM hit ORDER BY id LIMIT {sample}) x) FROM hit",
        query=query,
        sample=sample,
    )
    try:
        with transaction.atomic():
            execute(sql("SELECT set_config('statement_timeout', {time}, true)", time=CHEAP_TIMEOUT))
            count, matching = fetch(counted)[0]
            execute(sql("SELECT set_config('statement_timeout', {time}, true)", time=judging.ASK_TIMEOUT))
    except DatabaseError:
        return None
    return count, matching or []


def base() -> Base:
    """How many customers there are and between which ids, in about 30 ms per million."""
    rows = fetch(
        Sql(
            "SELECT (SELECT reltuples FROM pg_class WHERE oid = 'customer'::regclass)::bigint,"
            " (SELECT min(id) FROM customer), (SELECT max(id) FROM customer)"
        )
    )
    total, low, high = rows[0]
    if total <= COUNTED:
        total = fetch(Sql("SELECT count(*) FROM customer"))[0][0]
    return Base(total, low or 0, high or 0)


class Draw:
    """Customers drawn at random, none twice."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.span = base.high - base.low + 1
        self.sparse = base.total < SPARSE * self.span
        self._random = Random(_SEED)  # noqa: S311 - a sample, no secret
        self._seen: set[int] = set()

    def people(self, wanted: int) -> Sql:
        """SELECT of about so many customers' ids."""
        if self.sparse:
            percent = min(100.0, 100 * wanted / max(self.base.total, 1))
            return sql("SELECT c.id FROM customer c TABLESAMPLE BERNOULLI ({percent}) REPEATABLE (7)", percent=percent)
        return sql("SELECT c.id FROM customer c WHERE c.id = ANY({ids}::bigint[])", ids=self._ids(wanted))

    def _ids(self, wanted: int) -> list[int]:
        ids: list[int] = []
        probes = min(wanted * self.span // max(self.base.total, 1), self.span - len(self._seen))
        bits = self.span.bit_length()
        while len(ids) < probes:
            # Below a power of two, so that the same people are drawn while customers are added.
            offset = self._random.getrandbits(bits)
            if offset < self.span and offset not in self._seen:
                self._seen.add(offset)
                ids.append(self.base.low + offset)
        return ids


def _count(rule: tree.Rule, people: Sql, total: int, now: datetime, sample: int) -> Counted:
    context = compiler.context([rule], now=now, scope=Sql("SELECT p.id FROM picked p"))
    columns, nodes = judging.columns(rule, [compiler.compiled(leaf, context) for leaf in tree.leaves(rule)])
    query = sql(
        "WITH picked AS MATERIALIZED ({people})"
        " SELECT count(*), (array_agg(x.id) FILTER (WHERE {root}))[1:{sample}]{counts}"
        " FROM (SELECT c.id, {columns} FROM customer c WHERE c.id IN (SELECT p.id FROM picked p) OFFSET 0) x",
        people=people,
        root=nodes[0],
        sample=sample,
        counts=_counts(nodes),
        columns=columns,
    )
    looked_at, matching, *hits = fetch(query)[0]
    return Counted(looked_at, total, hits, matching or [])


def _counts(nodes: Sequence[Sql]) -> Sql:
    return Sql("").join(sql(", count(*) FILTER (WHERE {node})", node=node) for node in nodes)


def people(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These customers as a sample shows them."""
    if not ids:
        return []
    return fetch_dicts(
        sql(
            "SELECT c.id, c.external_id, c.first_name, c.last_name, c.email, c.country FROM customer c"
            " WHERE c.id = ANY({ids}::bigint[]) ORDER BY c.id",
            ids=list(ids),
        )
    )
