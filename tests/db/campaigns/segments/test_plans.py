"""That conditions are answered from the indexes made for them, looked at in real plans over real amounts of rows."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments import compile as compiler
from campaigns.segments import history, queries, refresh, sampling, tree
from campaigns.segments.operations import save_segment
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


def plan_of(statement: str) -> list[dict[str, Any]]:
    """Every node of the plan of a statement as it was sent."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + statement.replace("%", "%%"), [])
        answer = cursor.fetchall()[0][0]
    waiting = [json.loads(answer)[0]["Plan"] if isinstance(answer, str) else answer[0]["Plan"]]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.get("Plans", [])
    return found


def sent(work: Callable[[], Any], part: str) -> str:
    """The first statement that `work` sent with this part in it."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return next(query["sql"] for query in captured if part in query["sql"])


def test_a_sampled_preview_reads_neither_all_customers_nor_all_events(
    many_events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "SMALL", -1)
    monkeypatch.setattr(sampling, "FIRST", 20)
    rule = tree.parse({"all": [{"attribute": "country", "eq": "DE"}, {"event": "purchase", "count": {"gte": 2}}]})
    found = plan_of(sent(lambda: queries.preview(rule, now=NOW), "WITH picked"))
    # Months without any event are read whole, which costs nothing.
    assert [node for node in found if node["Node Type"] == "Seq Scan" and node["Total Cost"] > 0] == []


def test_the_past_of_one_person_and_of_one_segment_is_found_by_index(many_events: None) -> None:
    execute(
        sql(
            "INSERT INTO segment_past (segment_id, customer_id, since, until)"
            " SELECT s, c.id, {now}, {now} + interval '1 day' FROM customer c, generate_series(1, 10) s",
            now=NOW,
        )
    )
    execute(Sql("ANALYZE segment_past"))
    page = plan_of(sent(lambda: history.members_at(3, NOW), "segment_past"))
    person = plan_of(sent(lambda: history.stays(3), "segment_past"))
    indexes = [{node["Index Name"] for node in found if "Index Name" in node} for found in (page, person)]
    assert "segment_past_pkey" in indexes[0]
    assert "segment_past_customer" in indexes[1]
    for found in (page, person):
        assert not any(node["Node Type"] == "Seq Scan" and node["Relation Name"] == "segment_past" for node in found)


def test_foreseen_changes_are_asked_of_the_foreseen_only(many_events: None) -> None:
    save_segment(key="birthdays", rule={"attribute": "birth_date", "anniversary_within": "7d"}, now=NOW)
    refresh.build_next(now=NOW)
    execute(Sql("INSERT INTO segment_foreseen SELECT s.id, c.id FROM segment s, customer c LIMIT 50"))
    execute(Sql("ANALYZE segment_foreseen"))
    later = NOW + timedelta(minutes=5)
    found = plan_of(sent(lambda: refresh.follow_changes(now=later), "segment_foreseen"))
    assert not any(node["Node Type"] == "Seq Scan" and node["Relation Name"] == "customer" for node in found)
