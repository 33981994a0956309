"""That conditions are answered from the indexes made for them, looked at in real plans over real amounts of rows."""

import json
from typing import Any

import pytest

from campaigns.segments import compile as compiler
from campaigns.segments import tree
from loyalty.events import partitions, types
from loyalty.kit.sql import Sql, execute, fetch, sql
from tests.db.campaigns.segments.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_events() -> None:
    """20,000 customers with 100,000 events in two months, on a disk without a seek time."""
    execute(Sql("SET LOCAL random_page_cost = 1.1"))
    partitions.ensure_around(now=NOW)
    first, second = types.type_id("purchase"), types.type_id("page_view")
    execute(
        sql(
            "INSERT INTO customer (external_id, country, attributes, created_at, updated_at)"
            " SELECT n::text, CASE WHEN n % 10 = 0 THEN 'DE' ELSE 'AT' END,"
            " jsonb_build_object('plan', 'p' || n % 2000),"
            " {now}, {now} FROM generate_series(1, 20000) n",
            now=NOW,
        )
    )
    execute(
        sql(
            "INSERT INTO event (customer_id, type_id, occurred_at, received_at)"
            " SELECT c.id, CASE WHEN c.id % 10 = 0 THEN {first}::int ELSE {second}::int END,"
            " {now} - n * interval '10 days' - (c.id % 86400) * interval '1 second', {now}"
            " FROM customer c, generate_series(1, 5) n",
            first=first,
            second=second,
            now=NOW,
        )
    )
    execute(Sql("ANALYZE customer"))
    execute(Sql("ANALYZE event"))
    # What waits in the index's pending list makes it look dear; autovacuum empties it in real life.
    fetch(Sql("SELECT gin_clean_pending_list('customer_attributes')"))


def nodes(rule: dict[str, Any], scope: Sql | None = None) -> list[dict[str, Any]]:
    """Every node of the plan of counting the rule's customers."""
    condition = compiler.condition(tree.parse(rule), now=NOW, scope=scope)
    within = sql(" AND c.id IN ({scope})", scope=scope) if scope else Sql("")
    query = sql(
        "EXPLAIN (FORMAT JSON) SELECT count(*) FROM customer c WHERE {condition}{within}",
        condition=condition,
        within=within,
    )
    answer = fetch(query)[0][0]
    waiting = [json.loads(answer)[0]["Plan"] if isinstance(answer, str) else answer[0]["Plan"]]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.get("Plans", [])
    return found


def scans_all_events(found: list[dict[str, Any]]) -> bool:
    return any(node["Node Type"] == "Seq Scan" and node["Relation Name"].startswith("event_y") for node in found)


@pytest.mark.parametrize(
    "rule",
    [
        {"event": "purchase", "within": "15d"},
        {"event": "purchase", "count": {"gte": 3}, "within": "15d"},
        {"none": [{"event": "purchase", "within": "10d"}]},
        {"any": [{"event": "purchase", "within": "3d"}, {"event": "purchase", "count": 0, "within": "10d"}]},
    ],
)
def test_event_rules_read_the_index_on_type_and_time(many_events: None, rule: dict[str, Any]) -> None:
    found = nodes(rule)
    assert not scans_all_events(found)
    conditions = [node["Index Cond"] for node in found if node.get("Index Name", "").startswith("event_y")]
    assert conditions
    for condition in conditions:
        assert "type_id" in condition
        assert "occurred_at" in condition


def test_partitions_outside_of_the_window_are_not_read(many_events: None) -> None:
    found = nodes({"event": "purchase", "within": "15d"})
    assert {node["Relation Name"] for node in found if node.get("Relation Name", "").startswith("event_y")} == {
        "event_y2026m11"
    }


def test_a_delta_reads_neither_all_customers_nor_all_events(many_events: None) -> None:
    scope = sql(
        "SELECT unnest({ids}::bigint[])", ids=[row[0] for row in fetch(Sql("SELECT id FROM customer LIMIT 20"))]
    )
    found = nodes({"all": [{"attribute": "country", "eq": "DE"}, {"event": "purchase", "within": "40d"}]}, scope)
    assert not scans_all_events(found)
    assert not any(node["Node Type"] == "Seq Scan" and node["Relation Name"] == "customer" for node in found)


def test_a_rare_value_of_a_custom_attribute_is_found_by_its_index(many_events: None) -> None:
    found = nodes({"attribute": "plan", "in": ["p7", "p8"]})
    assert {node.get("Index Name") for node in found} >= {"customer_attributes"}


def test_a_negated_event_rule_is_one_hash_table_not_one_probe_per_customer(many_events: None) -> None:
    query = sql(
        "EXPLAIN SELECT count(*) FROM customer c WHERE {condition}",
        condition=compiler.condition(tree.parse({"none": [{"event": "purchase", "within": "15d"}]}), now=NOW),
    )
    plan = "\n".join(row[0] for row in fetch(query))
    assert "hashed SubPlan" in plan or "Anti Join" in plan
