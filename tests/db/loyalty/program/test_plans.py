"""That booking purchases neither reads history nor multiplies sets by each other, looked at in the plans of real calls
over real amounts of rows, with statistics and without."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program import membership, purchases
from loyalty.program.setup import Setup
from tests.db.loyalty.program.club import BASE, NOW, applied

pytestmark = pytest.mark.django_db

# What grows with the years. Of a small number of people a batch may well look at all.
GROWING = {"booking", "lot", "entry", "event"}
MEMBERS = 12_000
BATCH = 400
RULES: list[dict[str, Any]] = [
    BASE,
    {"kind": "earning_rule", "key": "acme", "type": "multiplier", "factor": 2, "only": {"brand": ["acme"]},
     "priority": 200},
    {"kind": "earning_rule", "key": "big", "type": "per_purchase", "points": 1, "when": {"minimum": 10},
     "exclusive": "x", "caps": {"day": 500}, "priority": 210},
    {"kind": "earning_rule", "key": "piece", "type": "per_product", "points": 3, "only": {"category": ["food"]},
     "exclusive": "x", "priority": 220},
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 500},
]  # fmt: skip


@pytest.fixture
def club() -> Setup:
    """12,000 members with 8,000 purchases of the past, on a disk without a seek time."""
    execute(Sql("SET LOCAL random_page_cost = 1.1"))
    setup = applied(*RULES, tiers={"by": "points", "window": "12 months"})
    execute(
        sql(
            "INSERT INTO customer (external_id, created_at, updated_at) SELECT 'c' || n, {now}, {now}"
            " FROM generate_series(1, {many}) n",
            now=NOW,
            many=MEMBERS,
        )
    )
    membership.join([row[0] for row in fetch("SELECT id FROM customer")], setup=setup, now=NOW)
    for table in ("customer", "member", "member_balance"):
        execute(Sql(f"ANALYZE {table}"))
    for start in range(1, 8_000, 4_000):
        purchases.commit(rows=receipts("old", range(start, start + 4_000)), setup=setup, now=NOW)
    return setup


def receipts(name: str, people: range) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{name}-{n}",
            "customer": f"c{n}",
            "items": [
                {"sku": "a", "brand": "acme" if n % 2 else "other", "amount": n % 90 + 1},
                {"sku": "b", "category": "food", "quantity": 2, "amount": 5},
            ],
        }
        for n in people
    ]


def plans(setup: Setup, name: str) -> list[tuple[str, dict[str, Any]]]:
    """(statement, plan) of everything that one batch asks, other than its housekeeping."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        done = purchases.commit(rows=receipts(name, range(100, 100 + BATCH)), setup=setup, now=NOW)
    assert done.rejected == []
    found = []
    for query in captured.captured_queries:
        text = query["sql"]
        if text.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "WITH")) and "pg_class" not in text:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + text)
                [[plan]] = cursor.fetchall()
            found.append((text, (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("statistics", [False, True])
def test_a_batch_reads_no_history_and_multiplies_no_sets(club: Setup, statistics: bool) -> None:
    if statistics:
        for table in ("booking", "lot", "entry", "event"):
            execute(Sql(f"ANALYZE {table}"))
    found = plans(club, "new")
    assert sum("INSERT INTO lot" in text for text, _ in found) == 1
    for text, plan in found:
        for node in nodes(plan):
            if node["Node Type"] == "Seq Scan":
                table = node["Relation Name"]
                assert table not in GROWING and not table.startswith("event_y"), (table, text[:200])
            if node["Node Type"] == "Nested Loop":
                # A few subscribers or wallets may each look at the batch; none of its own rows at the rest of it.
                assert not all(reads_batch(side) for side in node["Plans"]), (node["Plans"], text[:200])


def reads_batch(plan: dict[str, Any]) -> bool:
    return any(node["Node Type"] == "CTE Scan" for node in nodes(plan))
