"""Events over HTTP."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.sql import fetch

BATCH = "/api/v1/events/batch"
TIMELINE = "/api/v1/customers/c1/timeline"


@pytest.fixture
def client(db: None) -> Client:
    key = create_api_key(name="test", scopes=["events:write", "events:read"], now=datetime.now(UTC))
    return Client(headers={"Authorization": f"Bearer {key.secret}"})


def send(client: Client, events: Any) -> Any:
    return client.post(BATCH, {"events": events}, content_type="application/json")


def test_a_batch_is_taken(client: Client, people: dict[str, int]) -> None:
    good = {"id": "1", "customer": "c1", "name": "purchase", "occurred_at": "2026-01-01T00:00:00Z"}
    answer = send(client, [good, good, {"name": "two words", "custommer": "c1"}])
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 1,
        "duplicates": 1,
        "rejected": [
            {
                "index": 2,
                "problems": [
                    {
                        "where": "events[2].customer",
                        "problem": "is missing (give the external id or an object such as {'email': ...})",
                    },
                    {
                        "where": "events[2].name",
                        "problem": "'two words' is no event name (use 1 to 100 of a-z 0-9 _ . : -)",
                    },
                    {
                        "where": "events[2].custommer",
                        "problem": "unknown field (correct its spelling or put it into properties)",
                    },
                ],
            }
        ],
    }
    assert send(client, [good]).json() == {"accepted": 0, "duplicates": 1, "rejected": []}


def test_an_event_that_is_no_object_has_a_place(client: Client) -> None:
    (rejected,) = send(client, ["text"]).json()["rejected"]
    assert rejected["problems"][0]["where"] == "events[0]"


def test_a_batch_beyond_the_limit_is_refused_whole(client: Client, people: dict[str, int]) -> None:
    answer = send(client, [{"customer": "c1", "name": "view"}] * 5001)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    assert answer.json()["error"]["details"][0]["where"] == "events"
    assert fetch("SELECT count(*) FROM event") == [(0,)]
    assert send(client, [{"customer": "c1", "name": "view"}] * 5000).json()["accepted"] == 5000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 422),
        ("[]", 422),
        ("{}", 422),
        ('{"events": 1}', 422),
        ('{"events": [], "more": 1}', 422),
        ('{"events": [', 400),
        ('{"events": ' + "[" * 100_000, 400),
        ('{"events": []}', 202),
    ],
)
def test_a_body_that_is_no_batch_is_answered_in_the_one_shape(client: Client, body: str, status: int) -> None:
    answer = client.post(BATCH, body, content_type="application/json")
    if body == "":
        assert answer.status_code in (400, 422)
    else:
        assert answer.status_code == status
    if answer.status_code != 202:
        assert set(answer.json()["error"]) == {"code", "message", "details"}


def test_not_a_number_is_refused_by_event(client: Client, people: dict[str, int]) -> None:
    body = (
        '{"events": [{"customer": "c1", "name": "view", "properties": {"a": NaN}}, {"customer": "c1", "name": "view"}]}'
    )
    answer = client.post(BATCH, body, content_type="application/json")
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["index"] == 0


def test_without_a_key_or_scope_nothing_goes(db: None, people: dict[str, int]) -> None:
    assert send(Client(), []).status_code == 401
    reader = create_api_key(name="reader", scopes=["events:read"], now=datetime.now(UTC))
    assert send(Client(headers={"Authorization": f"Bearer {reader.secret}"}), []).status_code == 403
    assert Client().get(TIMELINE).status_code == 401


def test_a_timeline_is_read_page_by_page(client: Client, people: dict[str, int]) -> None:
    send(
        client,
        [
            {"customer": "c1", "name": "purchase", "occurred_at": f"2026-01-0{n}T00:00:00Z", "properties": {"n": n}}
            for n in range(1, 6)
        ],
    )
    first = client.get(TIMELINE, {"limit": 2}).json()
    assert [event["properties"]["n"] for event in first["events"]] == [5, 4]
    assert {key: first["events"][0][key] for key in ("name", "occurred_at", "ref")} == {
        "name": "purchase",
        "occurred_at": "2026-01-05T00:00:00Z",
        "ref": None,
    }
    second = client.get(TIMELINE, {"limit": 3, "cursor": first["next"]}).json()
    assert [event["properties"]["n"] for event in second["events"]] == [3, 2, 1]
    assert second["next"] is None


def test_a_timeline_is_filtered(client: Client, people: dict[str, int]) -> None:
    send(client, [{"customer": "c1", "name": name, "occurred_at": "2026-01-01T00:00:00Z"} for name in ("a", "b", "c")])
    assert [event["name"] for event in client.get(TIMELINE, {"name": ["a", "c"]}).json()["events"]] == ["c", "a"]
    border = "2026-01-01T01:00:00+01:00"
    assert len(client.get(TIMELINE, {"from": border}).json()["events"]) == 3
    assert client.get(TIMELINE, {"to": border}).json()["events"] == []


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"to": "x"}, "to"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_a_bad_question_names_its_mistake(
    client: Client, people: dict[str, int], query: dict[str, Any], where: str
) -> None:
    answer = client.get(TIMELINE, query)
    assert answer.status_code == 422
    assert [item["where"] for item in answer.json()["error"]["details"]] == [where]


def test_an_unknown_customer_is_not_found(client: Client) -> None:
    answer = client.get("/api/v1/customers/nobody/timeline")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "No customer has the external id 'nobody'."


def test_the_document_describes_an_event(client: Client) -> None:
    document = json.dumps(client.get("/api/v1/openapi.json").json())
    assert "sent again, the event is a duplicate" in document
