"""Over HTTP: history, differences, the graph, estimates, lists of segments and deleting them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.segments import sampling
from loyalty.kit import clock
from tests.db.campaigns.segments.conftest import Shop
from tests.db.campaigns.segments.test_api import Caller

GERMANS = {"attribute": "country", "eq": "DE"}


@pytest.fixture
def caller(shop: Shop) -> Caller:
    shop.now = clock.now() - timedelta(days=3)
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "DE"}, {"external_id": "c"})
    shop.segment("home", GERMANS, name={"en": "Home"})
    shop.now += timedelta(days=1)
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh()
    return Caller("segments:read", "segments:write")


def iso(shop: Shop, later: timedelta) -> str:
    return (shop.now + later).isoformat().replace("+00:00", "Z")


def test_members_of_an_instant(caller: Caller, shop: Shop) -> None:
    before = caller.get(f"segments/home/members?at={iso(shop, -timedelta(hours=1))}").json()
    assert [(one["external_id"], one["until"] is None) for one in before["members"]] == [("a", False), ("b", True)]
    assert (before["count"], before["next"]) == (2, None)
    after = caller.get(f"segments/home/members?at={iso(shop, timedelta(hours=1))}").json()
    assert [one["external_id"] for one in after["members"]] == ["b"]
    first = caller.get(f"segments/home/members?limit=1&at={iso(shop, -timedelta(hours=1))}").json()
    rest = caller.get(f"segments/home/members?limit=1&after={first['next']}&at={iso(shop, -timedelta(hours=1))}").json()
    assert [one["external_id"] for one in first["members"] + rest["members"]] == ["a", "b"]
    assert (first["count"], rest["count"]) == (2, None)
    assert caller.get("segments/home/members?at=yesterday").status_code == 422
    assert caller.get("segments/home/members?at=2026-05-03T12:00:00").status_code == 422
    assert caller.get("segments/home/members?at=0001-01-01T00:00:00Z").json()["members"] == []


def test_history_of_a_segment_and_of_a_customer(caller: Caller, shop: Shop) -> None:
    found = caller.get("segments/home/history").json()
    assert [(one["members"], one["joined"], one["left"]) for one in found["sizes"]] == [
        (2, 2, 0),
        (1, 0, 1),
        (1, 0, 0),
        (1, 0, 0),
    ]
    assert [one["rule"] for one in found["definitions"]] == [GERMANS]
    hours = caller.get(
        f"segments/home/history?step=hour&from={iso(shop, -timedelta(hours=3))}&to={iso(shop, timedelta(0))}"
    )
    assert [one["members"] for one in hours.json()["sizes"]] == [2, 2, 2, 1]
    person = caller.get("segments/home/history/a").json()
    assert person["is_member"] is False
    (stay,) = person["stays"]
    assert stay["segment"] == "home"
    assert abs(datetime.fromisoformat(stay["until"]) - shop.now) < timedelta(seconds=1)
    assert caller.get("segments/home/history/c").json()["stays"] == []


@pytest.mark.parametrize(
    "path",
    [
        "segments/home/history?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "segments/home/history?from=0001-01-01T00:00:00Z",
        "segments/home/history?to=0001-01-01T00:00:00Z",
        "segments/home/history?step=week",
        "segments/home/history?from=noon",
    ],
)
def test_histories_of_impossible_times_are_refused(caller: Caller, path: str) -> None:
    assert caller.get(path).status_code == 422


def test_a_far_end_is_no_burden(caller: Caller) -> None:
    found = caller.get("segments/home/history?step=hour&from=1990-01-01T00:00:00Z&to=9999-01-01T00:00:00Z")
    assert found.status_code == 422


def test_diff(caller: Caller) -> None:
    found = caller.post("segments/home/diff", {"rule": {"attribute": "country", "is_set": False}}).json()
    assert (found["before"], found["exact"]) == (1, True)
    assert found["joins"] == {"count": 1, "low": 1, "high": 1}
    assert found["leaves"]["count"] == 1
    assert [one["external_id"] for one in found["joining"] + found["leaving"]] == ["c", "b"]
    assert (found["begins"], found["outer"], found["cost"]["scans"]) == ([], [], False)
    assert caller.get("segments/home").json()["rule"] == GERMANS


def test_diff_refuses_what_saving_would_refuse(caller: Caller) -> None:
    caller.put("segments/outer", {"rule": {"segment": "home"}})
    answer = caller.post("segments/home/diff", {"rule": {"segment": "outer"}})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["problem"] == (
        "refers to itself: home -> outer -> home (remove one of these references)"
    )
    assert caller.post("segments/home/diff", {"rule": {"evnt": 1}}).status_code == 422
    assert caller.post("segments/none/diff", {"rule": GERMANS}).status_code == 404


def test_preview_says_that_it_estimates(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = caller.post("segments/preview", {"rule": GERMANS}).json()
    assert (whole["exact"], whole["count"], whole["low"], whole["high"], whole["looked_at"]) == (True, 1, 1, 1, 3)
    monkeypatch.setattr(sampling, "SMALL", -1)
    monkeypatch.setattr(sampling, "FIRST", 1)
    monkeypatch.setattr(sampling, "ROUNDS_SECONDS", 0.0)
    monkeypatch.setattr(sampling, "CHEAP", 0.0)
    some = caller.post("segments/preview", {"rule": GERMANS}).json()
    assert (some["exact"], some["total"], some["looked_at"] < 3, some["nodes"][0]["high"] > 0) == (False, 3, True, True)
    exact = caller.post("segments/preview", {"rule": GERMANS, "exact": True}).json()
    assert (exact["exact"], exact["count"]) == (True, 1)


def test_list_graph_and_delete(caller: Caller) -> None:
    caller.put("segments/outer", {"rule": {"any": [{"segment": "home"}, {"event": "purchase"}]}})
    first = caller.get("segments?limit=1").json()
    rest = caller.get(f"segments?limit=1&after={first['next']}").json()
    assert [one["key"] for one in first["segments"] + rest["segments"]] == ["home", "outer"]
    graph = caller.get("segments/graph").json()
    assert [(node["kind"], node["key"], node["level"]) for node in graph["nodes"]] == [
        ("segment", "home", 0),
        ("segment", "outer", 1),
        ("event", "purchase", -1),
    ]
    assert len(graph["edges"]) == 2
    refused = caller.client.delete("/api/v1/segments/home")
    assert (refused.status_code, refused.json()["error"]["details"][0]["problem"]) == (
        422,
        "'home' is used by segment outer (change these first)",
    )
    assert caller.client.delete("/api/v1/segments/outer").status_code == 204
    assert caller.client.delete("/api/v1/segments/home").status_code == 204
    assert caller.client.delete("/api/v1/segments/home").status_code == 404


def test_reading_needs_no_right_to_write(caller: Caller) -> None:
    reader = Caller("segments:read")
    paths: list[Any] = ["segments", "segments/graph", "segments/home/history", "segments/home/history/a"]
    assert [reader.get(path).status_code for path in paths] == [200] * 4
    assert reader.post("segments/home/diff", {"rule": GERMANS}).status_code == 200
    assert reader.client.delete("/api/v1/segments/home").status_code == 403
