"""Segments over HTTP, as a program outside uses them."""

import time
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from tests.db.campaigns.segments.conftest import Shop

RULE = {"all": [{"attribute": "country", "in": ["DE", "AT"]}, {"none": [{"event": "purchase", "within": "30d"}]}]}


class Caller:
    """A program with a key."""

    def __init__(self, *scopes: str) -> None:
        key = create_api_key(name="-".join(scopes).replace(":", "-"), scopes=scopes, now=clock.now())
        self.client = Client(headers={"Authorization": f"Bearer {key.secret}"})

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/{path}")

    def put(self, path: str, body: Any) -> Any:
        return self.client.put(f"/api/v1/{path}", body, content_type="application/json")

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api/v1/{path}", body, content_type="application/json")


@pytest.fixture
def caller(shop: Shop) -> Caller:
    shop.now = clock.now()
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"}, {"external_id": "c"})
    shop.event("b", "purchase")
    return Caller("segments:read", "segments:write")


def test_put_get_members_and_explain(caller: Caller) -> None:
    made = caller.put("segments/home", {"name": {"en": "Home"}, "rule": RULE})
    assert made.status_code == 201, made.json()
    assert made.json()["member_count"] == 1
    assert made.json()["rule"] == RULE
    assert caller.put("segments/home", {"name": {"en": "Home"}, "rule": RULE}).status_code == 200
    assert caller.get("segments/home").json()["name"] == {"en": "Home"}
    page = caller.get("segments/home/members").json()
    assert [member["external_id"] for member in page["members"]] == ["a"]
    assert (page["count"], page["next"]) == (1, None)
    found = caller.get("segments/home/explain/b").json()
    assert found["matches"] is False
    assert [(node["where"], node["matches"], node["value"]) for node in found["nodes"]] == [
        ("rule", False, None),
        ("rule.all[0]", True, "AT"),
        ("rule.all[1]", False, None),
        ("rule.all[1].none[0]", True, "1"),
    ]


def test_members_in_pages(caller: Caller) -> None:
    caller.put("segments/all", {"rule": {"all": []}})
    first = caller.get("segments/all/members?limit=2").json()
    rest = caller.get(f"segments/all/members?limit=2&after={first['next']}").json()
    assert [member["external_id"] for member in first["members"] + rest["members"]] == ["a", "b", "c"]
    assert rest["next"] is None


def test_preview(caller: Caller) -> None:
    found = caller.post("segments/preview", {"rule": RULE}).json()
    assert (found["count"], found["total"]) == (1, 3)
    assert [node["count"] for node in found["nodes"]] == [1, 2, 2, 1]
    assert [person["external_id"] for person in found["sample"]] == ["a"]


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"attribute": "country", "eq": "DE"}
    for _ in range(depth):
        rule = {"all": [rule]}
    return rule


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ({"any": [{"evnt": "purchase"}, {"segment": "nowhere"}]}, "rule.any[0].evnt"),
        ({"all": [{"segment": "nowhere"}]}, "rule.all[0].segment"),
        ({"attribute": "country", "gt": 5}, "rule.gt"),
        (nested(200), "rule"),
        ({"any": [{"attribute": "country", "eq": str(n)} for n in range(10_000)]}, "rule"),
        ({"attribute": "country", "matches": "(a+)+$"}, "rule.matches"),
        ({"attribute": "country", "_connector": "OR 1=1"}, "rule._connector"),
        ({"attribute": 'x"; select pg_sleep(5)', "in": "(select 1)"}, "rule.in"),
        ({"country__in": "x"}, "rule.country__in"),
    ],
)
def test_refused_rules_name_their_places(caller: Caller, rule: dict[str, Any], where: str) -> None:
    for answer in (caller.put("segments/bad", {"rule": rule}), caller.post("segments/preview", {"rule": rule})):
        assert answer.status_code == 422
        assert where in [detail["where"] for detail in answer.json()["error"]["details"]]
    assert caller.get("segments/bad").status_code == 404


def test_names_that_look_like_sql_are_only_names(caller: Caller) -> None:
    rule = {
        "any": [{"attribute": 'x"; select pg_sleep(5) --', "eq": "'; --"}, {"attribute": "%s %(x)s {y}", "ne": "%"}]
    }
    assert caller.post("segments/preview", {"rule": rule}).json()["count"] == 3


def test_scopes_and_absent_things(caller: Caller, shop: Shop) -> None:
    assert caller.get("segments/none").status_code == 404
    assert caller.get("segments/none/members").status_code == 404
    caller.put("segments/all", {"rule": {"all": []}})
    assert caller.get("segments/all/explain/nobody").status_code == 404
    reader = Caller("segments:read")
    assert reader.put("segments/all", {"rule": {"all": []}}).status_code == 403
    assert Client().get("/api/v1/segments/all").status_code == 401
    assert caller.put("segments/preview", {"rule": {"all": []}}).status_code in (405, 422)


def test_a_place_in_the_document_is_told(caller: Caller) -> None:
    answer = caller.put("segments/x", {"key": "y", "rule": {"all": []}})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["where"] == "key"
    assert caller.put("segments/x", {"name": "X"}).json()["error"]["details"][0]["where"] == "rule"
    assert caller.put("segments/x", {"rule": [], "color": 1}).status_code == 422


@pytest.mark.parametrize("depth", [400, 1_000, 20_000])
def test_bodies_of_any_depth_are_refused_at_once(caller: Caller, depth: int) -> None:
    body = '{"rule": ' + '{"all": [' * depth + "{}" + "]}" * depth + "}"
    began = time.perf_counter()
    for send, path in ((caller.client.put, "segments/deep"), (caller.client.post, "segments/preview")):
        answer = send(f"/api/v1/{path}", body, content_type="application/json")
        assert answer.status_code in (400, 422), answer.content
    assert time.perf_counter() - began < 1
