"""What another rule would change, and who uses what."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.flows.operations import publish, save_flow
from campaigns.segments import differing, judging, queries, sampling, tree, usage
from campaigns.segments.estimates import Estimate, known
from campaigns.segments.models import Segment
from campaigns.segments.stored import stored_segments
from campaigns.segments.usage import Use
from loyalty.kit.problems import Problem, Problems
from tests.db.campaigns.segments.conftest import Shop

GERMANS = {"attribute": "country", "eq": "DE"}
AUSTRIANS = {"attribute": "country", "eq": "AT"}


def flow(shop: Shop, key: str, **document: Any) -> None:
    steps = [{"id": "pause", "type": "wait", "for": "1d"}]
    save_flow(
        document={"kind": "flow", "key": key, "name": {"en": key.title()}, "steps": steps, **document}, now=shop.now
    )


@pytest.fixture
def home(shop: Shop) -> Segment:
    lands = [("a", "DE"), ("b", "DE"), ("c", "AT"), ("d", "FR")]
    shop.customers(*({"external_id": key, "country": land} for key, land in lands))
    shop.segment("home", GERMANS)
    shop.segment("outer", {"none": [{"segment": "home"}]})
    return Segment.objects.get(key="home")


def test_joins_leaves_and_what_begins(shop: Shop, home: Segment) -> None:
    flow(shop, "welcome", entry=[{"segment_entered": "home"}])
    flow(shop, "goodbye", entry=[{"segment_left": "home"}])
    publish(key="welcome", now=shop.now)
    found = queries.diff(tree.parse({"attribute": "country", "in": ["DE", "AT"]}), home.id, now=shop.now)
    assert (found.before, found.after, found.joins, found.leaves, found.exact) == (
        2,
        known(3),
        known(1),
        known(0),
        True,
    )
    assert [person["external_id"] for person in found.joining] == ["c"]
    assert found.leaving == []
    assert found.begins == [Use("home", "flow", "welcome", "joined", True, "Welcome")]
    assert found.outer == ["outer"]
    # The other flow begins for those who leave, but is only a draft.
    assert queries.diff(tree.parse(AUSTRIANS), home.id, now=shop.now).begins == found.begins
    assert shop.members("home") == ["a", "b"]


def test_leaves_and_the_cost(shop: Shop, home: Segment) -> None:
    shop.event("a", "purchase", timedelta(hours=3))
    shop.event("b", "purchase", timedelta(days=3))
    shop.event("a", "login")
    rule = {"all": [{"event": "purchase"}, {"attribute": "birth_date", "anniversary_within": "7d"}]}
    found = queries.diff(tree.parse(rule), home.id, now=shop.now)
    assert (found.joins, found.leaves, found.begins) == (known(0), known(2), [])
    assert [person["external_id"] for person in found.leaving] == ["a", "b"]
    assert (found.cost.events_a_day, found.cost.scans) == (1, True)


def test_a_segment_that_is_not_there_yet(shop: Shop, home: Segment) -> None:
    found = queries.diff(tree.parse(AUSTRIANS), None, now=shop.now)
    assert (found.before, found.joins, found.leaves, found.outer) == (0, known(1), known(0), [])


def test_what_takes_too_long_is_reckoned_from_some(shop: Shop, home: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: Any) -> Any:
        raise Problems([Problem("rule", "takes longer")])

    monkeypatch.setattr(differing, "_whole", slow)
    shop.customers(*({"external_id": f"x{n}", "country": "AT" if n % 2 else "FR"} for n in range(200)))
    monkeypatch.setattr(sampling, "FIRST", 100)
    found = queries.diff(tree.parse(AUSTRIANS), home.id, now=shop.now)
    assert found.exact is False
    assert plausible(found.joins, 101)
    assert found.joins.high < 204
    assert len(found.joining) == 10


def test_the_graph_tells_levels_and_uses(shop: Shop, home: Segment) -> None:
    shop.segment("buyers", {"any": [{"event": "purchase"}, {"segment": "outer"}]})
    flow(shop, "welcome", entry=[{"segment_entered": "home"}])
    with CaptureQueriesContext(connection) as few:
        found = queries.graph()
    assert [(node.kind, node.key, node.level) for node in found.nodes] == [
        ("segment", "buyers", 2),
        ("segment", "home", 0),
        ("segment", "outer", 1),
        ("flow", "welcome", 3),
        ("event", "purchase", -1),
    ]
    assert [(edge.from_key, edge.to_kind, edge.to_key, edge.how) for edge in found.edges] == [
        ("purchase", "segment", "buyers", "asked"),
        ("home", "flow", "welcome", "joined"),
        ("home", "segment", "outer", "asked"),
        ("outer", "segment", "buyers", "asked"),
    ]
    for n in range(5):
        shop.segment(f"s{n}", {"segment": "home"})
    with CaptureQueriesContext(connection) as many:
        queries.graph()
    assert len(few) == len(many)


def test_flows_use_segments_in_entries_and_conditions(shop: Shop, home: Segment) -> None:
    branches = [{"when": {"all": [{"none": [{"segment": "outer"}]}]}, "to": "end"}]
    flow(
        shop,
        "winback",
        entry=[{"segment_left": "home"}, {"schedule": "0 9 * * 1", "segment": "outer"}],
        steps=[{"id": "who", "type": "split", "branches": branches, "otherwise": "end"}],
    )
    flow(shop, "old", entry=[{"segment_left": "home"}])
    found = [use for use in usage.all_uses(stored_segments()) if use.kind == "flow" and use.key == "winback"]
    assert [(use.segment, use.how, use.active) for use in found] == [
        ("home", "left", False),
        ("outer", "asked", False),
        ("outer", "members", False),
    ]
    with pytest.raises(Problems, match="'home' is used by flow old, flow winback, segment outer"):
        from campaigns.segments.operations import delete_segment

        delete_segment(key="home")


def plausible(reckoned: Any, true: int) -> bool:
    """Within four standard errors: who is drawn depends on ids and places, and two miss once in twenty."""
    return bool(abs(reckoned.count - true) <= reckoned.high - reckoned.low)


def people(shop: Shop, count: int) -> None:
    lands = ["DE", "DE", "AT", "FR"]
    shop.customers(*({"external_id": f"p{n}", "country": lands[n % 4]} for n in range(count)))


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were too many customers to ask everybody."""
    monkeypatch.setattr(sampling, "SMALL", -1)
    monkeypatch.setattr(sampling, "FIRST", 200)


def test_a_preview_of_many_is_estimated(shop: Shop, sampled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    people(shop, 2000)
    monkeypatch.setattr(sampling, "ROUNDS_SECONDS", 0.0)
    found = queries.preview(tree.parse({"all": [GERMANS, {"none": [AUSTRIANS]}]}), now=shop.now)
    assert (found.exact, found.total) == (False, 2000)
    assert 150 <= found.looked_at <= 250
    for node, true in zip(found.nodes, (1000, 1000, 1500, 500), strict=True):
        assert plausible(node, true), node
        assert node.high - node.low < 300
    assert [person["country"] for person in found.sample] == ["DE"] * 10
    again = queries.preview(tree.parse({"all": [GERMANS, {"none": [AUSTRIANS]}]}), now=shop.now)
    assert again == found


def test_everybody_is_counted_when_asked(shop: Shop, sampled: None) -> None:
    people(shop, 400)
    found = queries.preview(tree.parse(GERMANS), now=shop.now, exact=True)
    assert (found.exact, found.count, found.low, found.high, found.looked_at) == (True, 200, 200, 200, 400)


def test_two_rounds_draw_nobody_twice(shop: Shop, sampled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    people(shop, 600)
    monkeypatch.setattr(sampling, "ROUNDS_SECONDS", 100.0)
    found = queries.preview(tree.parse(GERMANS), now=shop.now)
    assert (found.looked_at, found.exact, found.count) == (600, True, 300)


def test_what_is_rare_is_counted_where_that_is_cheap(
    shop: Shop, sampled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(shop, 2000)
    shop.customers({"external_id": "z", "country": "CH"})
    monkeypatch.setattr(sampling, "ROUNDS_SECONDS", 0.0)
    rule = tree.parse({"all": [{"attribute": "country", "eq": "CH"}]})
    found = queries.preview(rule, now=shop.now)
    assert (found.count, found.exact, found.looked_at < 2001) == (1, True, True)
    assert [person["external_id"] for person in found.sample] == ["z"]
    monkeypatch.setattr(sampling, "CHEAP", 0.0)
    found = queries.preview(rule, now=shop.now)
    assert (found.exact, found.low, found.high > 1) == (False, 0, True)


def test_ids_with_wide_gaps_are_drawn_by_reading_all(shop: Shop, sampled: None) -> None:
    people(shop, 500)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('customer', 'id'), max(id) + 1000000) FROM customer")
    shop.customers({"external_id": "far", "country": "AT"})
    assert sampling.Draw(sampling.base()).sparse
    found = queries.preview(tree.parse(GERMANS), now=shop.now)
    assert 0 < found.looked_at < 501
    assert plausible(found, 250)


def test_nobody_at_all(shop: Shop, sampled: None) -> None:
    found = queries.preview(tree.parse({"all": []}), now=shop.now)
    assert (found.count, found.total, found.sample, found.exact) == (0, 0, [], True)


def test_a_rule_over_events_is_asked_of_the_sample_only(shop: Shop, sampled: None) -> None:
    people(shop, 400)
    for n in range(0, 400, 20):
        shop.event(f"p{n}", "purchase")
    with CaptureQueriesContext(connection) as captured:
        found = queries.preview(tree.parse({"event": "purchase"}), now=shop.now)
    counting = [query["sql"] for query in captured if "WITH picked" in query["sql"]]
    assert counting
    assert all("e.customer_id IN (SELECT p.id FROM picked p)" in statement for statement in counting)
    assert plausible(found.nodes[0], 20)


def test_planned_cost_is_a_number(shop: Shop) -> None:
    assert judging.planned_cost(judging.Sql("SELECT 1")) < 1
    assert Estimate(1, 1, 1).exact
