"""The customers part of the HTTP API, from outside."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.consent.models import ConsentEntry, ConsentState
from loyalty.customers.models import Customer
from loyalty.kit import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def call() -> Any:
    secret = create_api_key(name="shop", scopes=["customers:read", "customers:write"], now=clock.now()).secret

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = body if isinstance(body, str) else json.dumps(body)
        response = Client(raise_request_exception=False).generic(
            method,
            f"/api/v1/customers/{path}",
            text if body is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        return response.status_code, response.json() if response.content else None

    return send


CONSENT = {
    "channel": "email",
    "purpose": "marketing",
    "status": "granted",
    "source": "checkout",
    "at": "2026-01-02T03:04:05+01:00",
}


def test_a_batch_is_upserted_with_its_consents(call: Any) -> None:
    rows = [
        {"external_id": "ada", "email": "ada@example.com", "attributes": {"vip": True}, "consents": [CONSENT]},
        {"external_id": "bob", "identities": {"card": "1"}},
    ]
    assert call("POST", "batch", {"customers": rows}) == (200, {"accepted": 2, "rejected": []})
    assert call("POST", "batch", {"customers": rows}) == (200, {"accepted": 2, "rejected": []})
    entry = ConsentEntry.objects.get()
    assert (entry.customer_id, entry.source) == (Customer.objects.get(external_id="ada").pk, "checkout")
    assert entry.occurred_at.isoformat() == "2026-01-02T02:04:05+00:00"
    assert ConsentState.objects.get().status == "granted"


def test_every_mistake_of_every_row_is_told_and_good_rows_go_in(call: Any) -> None:
    rows = [
        {
            "external_id": "a",
            "email": "x",
            "country": "Germany",
            "consents": [{**CONSENT, "at": "yesterday", "source": ""}, {"channel": "pigeon", "why": 1}],
        },
        {"external_id": "b", "consents": [CONSENT]},
        {"first_name": "nobody"},
        {"external_id": "c", "consents": {}},
    ]
    status, answer = call("POST", "batch", {"customers": rows})
    assert (status, answer["accepted"]) == (200, 1)
    assert [
        (row["index"], [problem["where"].partition(".")[2] or problem["where"] for problem in row["problems"]])
        for row in answer["rejected"]
    ] == [
        (
            0,
            [
                "email",
                "country",
                "consents[0].source",
                "consents[0].at",
                "consents[1].why",
                "consents[1].channel",
                "consents[1].purpose",
                "consents[1].status",
                "consents[1].source",
                "consents[1].at",
            ],
        ),
        (2, ["customers[2]"]),
        (3, ["consents"]),
    ]
    assert answer["rejected"][0]["problems"][1]["problem"] == (
        "'Germany' is not a country (use the two letters of ISO 3166 such as DE)"
    )
    assert Customer.objects.get().external_id == "b"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "customers"),
        ({"customers": 1}, "customers"),
        ({"customers": [{}] * 5001}, "customers"),
        ("{broken", ""),
    ],
)
def test_a_body_that_is_no_batch_is_refused_in_the_one_shape(call: Any, body: Any, where: str) -> None:
    status, answer = call("POST", "batch", body)
    assert status in (400, 413, 422)
    assert set(answer["error"]) == {"code", "message", "details"}
    if where:
        assert answer["error"]["details"][0]["where"] == where


def test_a_customer_is_shown_changed_exported_and_erased(call: Any) -> None:
    row = {"external_id": "ada", "email": "ada@example.com", "attributes": {"vip": True}, "identities": {"card": "1"}}
    call("POST", "batch", {"customers": [{**row, "consents": [CONSENT]}]})
    status, shown = call("GET", "ada")
    assert status == 200
    assert (shown["email"], shown["attributes"], shown["identities"]) == (
        "ada@example.com",
        {"vip": True},
        {"card": ["1"]},
    )
    status, shown = call("PATCH", "ada", {"city": "Rome", "email": None, "attributes": {"vip": None, "size": 3}})
    assert (status, shown["city"], shown["email"], shown["attributes"]) == (200, "Rome", None, {"size": 3})
    status, exported = call("GET", "ada/export")
    assert status == 200
    assert exported["purposes"] == ["marketing"]
    assert exported["origins"] == ["api", "checkout"]
    assert exported["tables"]["customer"][0]["city"] == "Rome"
    assert exported["tables"]["customer_identity"][0]["value"] == "1"
    assert exported["tables"]["consent_entry"][0]["source"] == "checkout"
    assert call("DELETE", "ada") == (204, None)
    assert call("GET", "ada")[0] == call("DELETE", "ada")[0] == call("GET", "ada/export")[0] == 404
    assert (Customer.objects.count(), ConsentEntry.objects.count()) == (0, 0)


def test_a_change_with_mistakes_tells_them_all_and_changes_nothing(call: Any) -> None:
    call("POST", "batch", {"customers": [{"external_id": "ada", "city": "Rome"}]})
    status, answer = call(
        "PATCH", "ada", {"external_id": "eve", "city": "Paris", "phone": "1", "attributes": {"country": "Q"}}
    )
    assert status == 422
    assert [item["where"] for item in answer["error"]["details"]] == ["phone", "attributes.country", "external_id"]
    status, answer = call("PATCH", "ada", {"adress": "x"})
    assert (status, answer["error"]["details"][0]["where"]) == (422, "adress")
    assert Customer.objects.get().city == "Rome"


@pytest.mark.parametrize("name", ["%00", "%ED%A0%80", "x" * 3000, "%20", "batch"])
def test_odd_addresses_are_answered_with_an_error_in_the_one_shape(call: Any, name: str) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        status, answer = call(method, name, body)
        assert status in (404, 405)
        assert set(answer["error"]) == {"code", "message", "details"}
