"""A program's first minutes with the API: its description, a batch of customers, a batch of events, a look back."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.clock import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def call() -> Any:
    secret = create_api_key(name="shop", scopes=["*"], now=now()).secret
    client = Client()

    def send(method: str, path: str, body: object = None) -> tuple[int, Any]:
        response = client.generic(
            method,
            f"/api/v1/{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        return response.status_code, json.loads(response.content) if response.content else None

    return send


def test_customers_and_their_events_in_and_out(call: Any) -> None:
    ada = {
        "external_id": "ada",
        "email": "ada@example.com",
        "locale": "de",
        "attributes": {"shoe_size": 39},
        "consents": [
            {
                "channel": "email",
                "purpose": "marketing",
                "status": "granted",
                "source": "checkout",
                "at": "2026-01-02T03:04:05Z",
            }
        ],
    }
    status, answer = call(
        "POST", "customers/batch", {"customers": [ada, {"external_id": "bob", "email": "no address"}]}
    )
    assert status == 200
    assert answer["accepted"] == 1
    assert [item["index"] for item in answer["rejected"]] == [1]

    event = {
        "id": "o-1",
        "customer": "ada",
        "name": "purchase",
        "occurred_at": "2026-01-05T10:00:00+01:00",
        "properties": {"amount": 59.9},
    }
    by_address = {**event, "id": "o-2", "customer": {"email": "ADA@example.com"}}
    status, answer = call("POST", "events/batch", {"events": [event, by_address, event, {"name": "purchase"}]})
    assert status == 202
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert [item["index"] for item in answer["rejected"]] == [3]
    assert call("POST", "events/batch", {"events": [event]})[1] == {"accepted": 0, "duplicates": 1, "rejected": []}

    status, person = call("GET", "customers/ada")
    assert (status, person["email"]) == (200, "ada@example.com")
    status, timeline = call("GET", "customers/ada/timeline")
    assert status == 200
    assert [item["name"] for item in timeline["events"]].count("purchase") == 2


def test_a_segment_by_put_is_previewed_read_and_put_again(call: Any) -> None:
    call("POST", "customers/batch", {"customers": [{"external_id": "ada", "country": "DE"}, {"external_id": "bob"}]})
    rule = {"all": [{"attribute": "country", "eq": "DE"}]}
    assert call("PUT", "segments/germans", {"name": {"en": "Germans"}, "rule": rule})[0] == 201
    assert call("GET", "segments/germans")[1]["rule"] == rule
    status, preview = call("POST", "segments/preview", {"rule": rule})
    assert (status, preview["count"]) == (200, 1)
    status, answer = call("PUT", "segments/germans", {"rule": {"all": [{"attribute": "country", "equals": "DE"}]}})
    assert (status, answer["error"]["code"]) == (422, "invalid")
    assert answer["error"]["details"][0]["where"].startswith("rule.all[0]")


def test_the_description_is_served_without_a_key_and_without_other_hosts() -> None:
    client = Client()
    document = client.get("/api/v1/openapi.json").json()
    for path in ("/api/v1/events/batch", "/api/v1/customers/batch", "/api/v1/segments/{key}", "/api/v1/flows/{key}"):
        assert path in document["paths"]
    page = client.get("/api/v1/docs").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_root_leads_to_the_admin() -> None:
    response = Client().get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")
