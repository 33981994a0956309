"""Saving and deleting segments: what is refused, and why."""

from typing import Any

import pytest

from campaigns.segments import operations, usage
from campaigns.segments.checks import stored_rules
from campaigns.segments.models import Segment, SegmentMember
from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems
from tests.db.campaigns.segments.conftest import NOW, Shop

GERMANS = {"attribute": "country", "eq": "DE"}


def refused(shop: Shop, rule: Any, key: str = "s", **more: Any) -> list[str]:
    with pytest.raises(Problems) as error:
        shop.segment(key, rule, **more)
    assert not Segment.objects.filter(key=key).exists() or key == "a"
    return [str(problem) for problem in error.value.problems]


def test_unknown_segments_are_told_with_the_nearest_known_one(shop: Shop) -> None:
    shop.segment("employees", GERMANS)
    assert refused(shop, {"all": [{"segment": "employes"}, {"segment": "zzz"}]}) == [
        "rule.all[0].segment: unknown segment 'employes' (did you mean 'employees'?)",
        "rule.all[1].segment: unknown segment 'zzz' (apply that segment first, or in the same call)",
    ]


def test_comparisons_must_fit_the_type_of_the_attribute(shop: Shop) -> None:
    types = {"score": "number", "vip": "boolean", "joined": "date", "tags": "list", "home": "geo", "plan": "choice"}
    documents = [
        {"kind": "attribute", "key": key, "type": kind} | ({"choices": ["gold"]} if kind == "choice" else {})
        for key, kind in types.items()
    ]
    apply_documents(documents, now=NOW)
    problems = refused(
        shop,
        {
            "all": [
                {"attribute": "country", "gt": 5},
                {"attribute": "country", "eq": False},
                {"attribute": "birth_date", "eq": "soon"},
                {"attribute": "score", "contains": "x"},
                {"attribute": "score", "in": [1, "two"]},
                {"attribute": "vip", "eq": "yes"},
                {"attribute": "joined", "gte": 5},
                {"attribute": "tags", "eq": "x"},
                {"attribute": "home", "eq": "x"},
                {"attribute": "plan", "gte": 5},
                {"attribute": "contry", "eq": "DE"},
            ]
        },
    )
    assert [problem.partition(" (")[0].partition(";")[0] for problem in problems] == [
        "rule.all[0].gt: country is a text: gt does not fit a text",
        "rule.all[1].eq: country is a text: false is no text",
        "rule.all[2].eq: birth_date is a date: 'soon' is no date: write 2026-11-21 or 2026-11-21T09:00:00+01:00",
        "rule.all[3].contains: score is a number: contains does not fit a number",
        "rule.all[4].in: score is a number: 'two' is no number",
        "rule.all[5].eq: vip is a boolean: 'yes' is neither true nor false",
        "rule.all[6].gte: joined is a date: 5 is no date: write 2026-11-21 or 2026-11-21T09:00:00+01:00",
        "rule.all[7].eq: tags is a list: eq does not fit a list",
        "rule.all[8].eq: home is a geo: eq does not fit a geo",
        "rule.all[9].gte: plan is a choice: gte does not fit a text",
        "rule.all[10].attribute: unknown attribute 'contry'",
    ]


def test_an_attribute_that_nobody_has_yet_is_no_mistake(shop: Shop) -> None:
    shop.segment("loud", {"attribute": "volume", "gte": 11})
    shop.customers(
        {"external_id": "a", "attributes": {"volume": 11}}, {"external_id": "b", "attributes": {"volume": 3}}
    )
    shop.refresh()
    assert shop.members("loud") == ["a"]


def test_a_cycle_is_refused_with_the_way_around(shop: Shop) -> None:
    shop.segment("a", GERMANS)
    shop.segment("b", {"segment": "a"})
    shop.segment("c", {"none": [{"segment": "b"}]})
    assert refused(shop, {"any": [GERMANS, {"segment": "c"}]}, key="a") == [
        "rule: refers to itself: a -> c -> b -> a (remove one of these references)"
    ]
    assert refused(shop, {"segment": "self"}, key="self", declared={"self"}) == [
        "rule: refers to itself: self -> self (remove one of these references)"
    ]


def test_a_segment_that_is_used_cannot_be_deleted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("inner", GERMANS)
    shop.segment("outer", {"segment": "inner"})
    monkeypatch.setattr(usage, "_users", [lambda: [usage.Use("inner", "flow", "spring", "joined")]])
    with pytest.raises(Problems, match="'inner' is used by flow spring, segment outer"):
        operations.delete_segment(key="inner")
    monkeypatch.setattr(usage, "_users", [])
    assert operations.delete_segment(key="outer") == 1
    assert operations.delete_segment(key="inner") == 1
    assert SegmentMember.objects.count() == 0
    with pytest.raises(Problems, match="there is no segment 'inner'"):
        operations.delete_segment(key="inner")


def document(key: str, rule: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "segment", "key": key, "name": {"en": key}, "rule": rule, **more}


def test_documents_come_back_as_they_went_and_change_nothing(shop: Shop) -> None:
    documents = [
        document("outer", {"all": [{"segment": "inner"}, {"bucket": "autumn", "from": 0, "to": 0.1}]}),
        document("inner", {"event": "purchase", "sum": {"gte": 50.5}, "of": "amount", "within": "1 month"}),
        document("everybody", {"all": []}, description="All of them"),
        document("short", {"event": "purchase", "count": 3, "where": {"shop": ["a", "b"]}}),
    ]
    changes = apply_documents(documents, now=NOW)
    assert [change.verdict for change in changes] == ["created"] * 4
    exported = list(kinds.get("segment").export())
    assert exported == sorted(documents, key=lambda item: item["key"])
    assert [list(leaf) for leaf in exported[1:2]] == [["kind", "key", "name", "rule"]]
    assert [change.verdict for change in apply_documents(exported, now=NOW)] == ["unchanged"] * 4


def test_a_broken_document_tells_every_mistake_and_changes_nothing(shop: Shop) -> None:
    with pytest.raises(Refused) as error:
        apply_documents(
            [
                document("good", GERMANS),
                {"kind": "segment", "key": "bad", "name": 5, "color": "red", "rule": {"any": [{"evnt": "x"}, 7]}},
                {"kind": "segment", "key": "none", "description": 5},
            ],
            now=NOW,
        )
    assert [str(problem) for problem in error.value.problems] == [
        "documents[1].color: unknown field (known: kind, key, name, description, rule)",
        "documents[1].name: must be a text, or texts by language (write {en: ..., de: ...})",
        "documents[1].rule.any[0].evnt: unknown operator 'evnt' (did you mean 'event'?)",
        "documents[1].rule.any[1]: is no rule"
        " (write a condition such as {attribute: country, eq: DE}, or a group all/any/none)",
        "documents[2].rule: is missing (say who belongs to the segment: rule: {all: [...]})",
        "documents[2].description: must be a text (quote it)",
    ]
    assert Segment.objects.count() == 0


def test_a_stored_rule_that_is_not_understood_fails_the_system_check(shop: Shop) -> None:
    shop.segment("good", GERMANS)
    assert stored_rules(None, databases=["default"]) == []
    Segment.objects.create(key="old", rule={"gone": 1}, digest="")
    (error,) = stored_rules(None, databases=["default"])
    assert (error.id, error.msg.partition(" (")[0]) == (
        "segments.E001",
        "segment old: rule.gone: unknown operator 'gone'",
    )
    assert stored_rules(None, databases=None) == []
