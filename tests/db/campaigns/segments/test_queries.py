"""Previews and explanations."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments import judging, queries, tree
from campaigns.segments.models import Segment
from loyalty.kit.problems import Problems
from tests.db.campaigns.segments.conftest import Shop

RULE = {
    "all": [
        {"attribute": "country", "in": ["DE", "AT"]},
        {"none": [{"event": "purchase", "count": {"gte": 2}, "within": "30d"}]},
    ]
}


@pytest.fixture
def people(shop: Shop) -> list[int]:
    ids = shop.customers(
        {"external_id": "a", "country": "DE", "email": "a@example.com"},
        {"external_id": "b", "country": "AT"},
        {"external_id": "c", "country": "FR"},
        {"external_id": "d"},
    )
    shop.event("b", "purchase", timedelta(days=1))
    shop.event("b", "purchase", timedelta(days=2))
    shop.event("a", "purchase", timedelta(days=30))
    return ids


def test_preview_counts_every_node(shop: Shop, people: list[int]) -> None:
    found = queries.preview(queries.checked(RULE), now=shop.now)
    assert (found.count, found.total) == (1, 4)
    assert [(node.where, node.count) for node in found.nodes] == [
        ("rule", 1),
        ("rule.all[0]", 2),
        ("rule.all[1]", 3),
        ("rule.all[1].none[0]", 1),
    ]
    assert found.nodes[1].sentence == "country is one of DE, AT"
    assert [(person["external_id"], person["email"]) for person in found.sample] == [("a", "a@example.com")]


def test_preview_takes_as_many_queries_for_many_nodes_and_people(shop: Shop, people: list[int]) -> None:
    def count(rule: dict[str, Any]) -> int:
        parsed = tree.parse(rule)
        with CaptureQueriesContext(connection) as captured:
            queries.preview(parsed, now=shop.now)
        return len(captured)

    few = count({"any": [{"attribute": "country", "eq": "DE"}, {"event": "purchase"}]})
    shop.customers(*({"external_id": f"x{n}", "country": "DE"} for n in range(200)))
    many = count({"any": [{"attribute": "country", "eq": str(n)} for n in range(90)] + [{"event": "purchase"}] * 10})
    assert few == many


def test_a_sample_is_bounded(shop: Shop, people: list[int]) -> None:
    everybody = tree.parse({"all": []})
    assert len(queries.preview(everybody, now=shop.now, sample=2).sample) == 2
    assert queries.preview(everybody, now=shop.now, sample=0).sample == []


def test_explain_says_verdict_and_value_at_every_node(shop: Shop, people: list[int]) -> None:
    shop.segment("home", RULE)
    segment = Segment.objects.get(key="home")
    found = queries.explain(tree.parse(RULE), people[1], now=shop.now, segment_id=segment.id)
    assert (found.matches, found.member_since) == (False, None)
    assert [(node.where, node.matches, node.value) for node in found.nodes] == [
        ("rule", False, None),
        ("rule.all[0]", True, "AT"),
        ("rule.all[1]", False, None),
        ("rule.all[1].none[0]", True, "2"),
    ]
    member = queries.explain(tree.parse(RULE), people[0], now=shop.now, segment_id=segment.id)
    assert (member.matches, member.member_since) == (True, shop.now)
    assert member.nodes[3].value == "0"  # 30 days ago is outside of (now - 30d, now]
    unknown = queries.explain(tree.parse(RULE), people[3], now=shop.now)
    assert unknown.nodes[1].value is None


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"attribute": "birth_date", "is_set": True}, None),
        ({"attribute": "email", "is_set": True}, "a@example.com"),
        ({"attribute": "plan", "eq": "gold"}, None),
        ({"event": "never", "count": 0}, "0"),
        ({"event": "never", "sum": 3, "of": "amount"}, None),
        ({"event": "purchase", "days": 1}, "1"),
        ({"event": "purchase", "last": "x", "of": "shop"}, None),
        ({"event": "purchase", "sum": {"gte": 1}, "of": "amount"}, None),
        ({"event": "purchase", "first": {"before": "2026-12-01"}}, "2026-10-22 12:00:00+00"),
        ({"segment": "none"}, None),
        ({"consent": "email"}, None),
    ],
)
def test_values_of_every_operator(shop: Shop, people: list[int], rule: dict[str, Any], value: str | None) -> None:
    found = queries.explain(tree.parse(rule), people[0], now=shop.now)
    assert found.nodes[0].value == value


def test_explaining_nobody_is_an_error(shop: Shop) -> None:
    with pytest.raises(LookupError):
        queries.explain(tree.parse(RULE), 10**9, now=shop.now)


def test_a_rule_that_takes_too_long_is_told_so(shop: Shop, people: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "ASK_TIMEOUT", "20ms")
    slow = queries.Sql("(SELECT count(*) FROM generate_series(1, 100000000)) > 0")
    monkeypatch.setattr(queries.compiler, "compiled", lambda rule, context: slow)
    with pytest.raises(Problems, match="takes longer than 20ms"):
        queries.preview(tree.parse(RULE), now=shop.now)
    assert queries.members(1) == []  # the connection is usable


def test_members_come_in_pages(shop: Shop, people: list[int]) -> None:
    shop.segment("all", {"all": []})
    segment = Segment.objects.get(key="all")
    first = queries.members(segment.id, limit=3)
    rest = queries.members(segment.id, after=first[-1].customer_id, limit=3)
    assert [member.external_id for member in first + rest] == ["a", "b", "c", "d"]
