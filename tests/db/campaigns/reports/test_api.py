"""The attribution report over HTTP."""

from typing import Any

import pytest
from django.test import Client

from campaigns.attribution.tasks import convert, credit
from campaigns.planning.definition import GoalDocument
from campaigns.planning.operations import save_goal
from loyalty.access.operations import create_api_key
from loyalty.events.operations import intake
from loyalty.kit import clock

pytestmark = pytest.mark.django_db
URL = "/api/v1/reports/attribution"
FIGURES = {"conversions", "revenue", "share", "margin", "cost", "roi"}


@pytest.fixture
def key() -> str:
    return create_api_key(name="reports", scopes=["reports:read"], now=clock.now()).secret


@pytest.fixture(autouse=True)
def sold() -> None:
    """Two orders without a touch."""
    now = clock.now()
    save_goal(GoalDocument(key="order", event="purchase", value="amount"), now=now)
    events = [
        {"id": str(number), "customer": f"c{number}", "name": "purchase", "properties": {"amount": amount}}
        for number, amount in enumerate((10, 5.5))
    ]
    assert intake(events=events, now=now).accepted == 2
    while convert(now=now) + credit(now=now):
        pass


def get(client: Client, key: str, **query: Any) -> Any:
    return client.get(URL, query, headers={"Authorization": f"Bearer {key}"})


def test_answer(client: Client, key: str) -> None:
    answer = get(client, key, goal="order", model="linear")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["goal"], body["model"], body["window"], body["from"]) == ("order", "linear", "7d", None)
    assert body["total"] == {
        "conversions": 2.0,
        "revenue": 15.5,
        "share": 1.0,
        "margin": None,
        "cost": None,
        "roi": None,
    }
    assert body["channels"] == [{"channel": "none"} | body["total"]]
    assert body["campaigns"] == [{"campaign": None} | body["total"]]
    assert body["flows"] == [{"flow": None} | body["total"]]
    assert body["messages"] == [{"flow": None, "step": None, "channel": "none"} | body["total"]]
    assert body["reconciliation"] == {
        "goal_events": 2,
        "goal_value": 15.5,
        "conversions": 2.0,
        "revenue": 15.5,
        "conversions_difference": 0.0,
        "revenue_difference": 0.0,
        "waiting": 0,
        "uncredited": 0,
    }


def test_periods_and_windows(client: Client, key: str) -> None:
    assert (
        get(client, key, goal="order", **{"from": "2001-01-01", "to": "2001-02-01"}).json()["total"]["conversions"] == 0
    )
    assert get(client, key, goal="order", **{"from": "2001-01-01"}).json()["total"]["conversions"] == 2
    body = get(client, key, goal="order", **{"from": "2001-01-01T00:00:00+01:00", "window": "14d"}).json()
    assert (body["from"], body["window"], body["total"]["conversions"]) == ("2001-01-01T00:00:00+01:00", "14d", 2)
    assert get(client, key, goal="order", **{"from": "2026-07-01"}).json()["from"] == "2026-06-30T22:00:00Z"


def test_every_mistake_is_told(client: Client, key: str) -> None:
    answer = get(client, key, goal="x", model="markow", window="1 month", **{"from": "yesterday", "to": "12"})
    assert answer.status_code == 422
    details = answer.json()["error"]["details"]
    assert [detail["where"] for detail in details] == ["from", "to", "window", "model", "goal"]
    assert "known: first_touch, last_touch, linear" in details[3]["problem"]
    assert "known: order" in details[4]["problem"]
    assert get(client, key).status_code == 422
    wrong = get(client, key, goal="order", **{"from": "2026-02-01", "to": "2026-01-01"})
    assert wrong.json()["error"]["details"][0]["where"] == "to"


def test_needs_a_key_with_the_scope(client: Client) -> None:
    assert client.get(URL, {"goal": "order"}).status_code == 401
    other = create_api_key(name="events", scopes=["events:write"], now=clock.now()).secret
    assert get(client, other, goal="order").status_code == 403


def test_is_described(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    operation = document["paths"][URL]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"goal", "model", "from", "to", "window"}
    figures = document["components"]["schemas"]["Figures"]["properties"]
    assert set(figures) == FIGURES
    assert all(figures[name]["description"] for name in FIGURES)
