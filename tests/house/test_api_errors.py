"""Every operation of the API, called wrongly in every way, answers in the one shape."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.clock import now
from loyalty.urls import api

pytestmark = pytest.mark.django_db


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, description) of everything that the OpenAPI document lists."""
    paths = api.get_openapi_schema()["paths"]
    return [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]


OPERATIONS = operations()
SECURED = [item for item in OPERATIONS if item[2].get("security")]
# Those that name a thing, make none, and want no body.
OF_THINGS = [item for item in OPERATIONS if "{" in item[1] and item[0] != "put" and not item[2].get("requestBody")]
WITH_BODY = [item for item in OPERATIONS if item[2].get("requestBody")]


def label(item: object) -> str:
    return item if isinstance(item, str) else ""


def filled(path: str) -> str:
    """The path with a name in each place that nobody has."""
    for name in [part.partition("}")[0] for part in path.split("{")[1:]]:
        path = path.replace("{" + name + "}", "987654321")
    return path


def shaped(response: Any) -> str:
    """The code of an error answer, after a look at its shape."""
    assert response.status_code >= 400
    body = json.loads(response.content)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["message"]
    assert all(set(detail) == {"where", "problem"} for detail in body["error"]["details"])
    return str(body["error"]["code"])


@pytest.fixture
def key() -> dict[str, str]:
    return {"Authorization": f"Bearer {create_api_key(name='house', scopes=['*'], now=now()).secret}"}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def test_every_operation_needs_a_key() -> None:
    assert [f"{method} {path}" for method, path, operation in OPERATIONS if not operation.get("security")] == []


@pytest.mark.parametrize(("method", "path", "operation"), SECURED, ids=label)
def test_without_a_key(client: Client, method: str, path: str, operation: dict[str, Any]) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        response = client.generic(method.upper(), filled(path), headers=headers)
        assert (response.status_code, shaped(response)) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY, ids=label)
@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', '{"no_such_field": 1}', '{"\\u0000": "\\u0000"}', ""])
def test_with_a_body_nobody_asked_for(
    client: Client, key: dict[str, str], method: str, path: str, operation: dict[str, Any], body: str
) -> None:
    response = client.generic(method.upper(), filled(path), body, content_type="application/json", headers=key)
    assert response.status_code in (400, 404, 409, 422), response.content
    shaped(response)


@pytest.mark.parametrize(("method", "path", "operation"), OF_THINGS, ids=label)
def test_for_what_is_not_there(
    client: Client, key: dict[str, str], method: str, path: str, operation: dict[str, Any]
) -> None:
    response = client.generic(method.upper(), filled(path), headers=key)
    # A partner's own calls ask who asks before they look: this key is no partner's.
    expected = (403, "forbidden") if "/loyalty/partner/" in path else (404, "not_found")
    assert (response.status_code, shaped(response)) == expected


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=label)
def test_with_a_method_it_does_not_take(
    client: Client, key: dict[str, str], method: str, path: str, operation: dict[str, Any]
) -> None:
    response = client.generic("TRACE", filled(path), headers=key)
    assert (response.status_code, shaped(response)) == (405, "method_not_allowed")


def test_unknown_addresses(client: Client) -> None:
    assert shaped(client.get("/api/v1/no/such/thing")) == "not_found"
    assert shaped(client.get("/api/")) == "not_found"


def test_an_oversized_body(client: Client, key: dict[str, str], settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = client.post("/api/v1/events/batch", "x" * 2_000, content_type="application/json", headers=key)
    assert (response.status_code, shaped(response)) == (413, "too_large")
