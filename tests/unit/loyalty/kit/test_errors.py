"""Every way in which a call of the API can fail has one shape."""

import json
from typing import Any

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from ninja import Router, Schema
from ninja.errors import HttpError, Throttled
from ninja.security import HttpBearer
from pydantic import ConfigDict

from loyalty.kit.api import Api
from loyalty.kit.errors import ApiError, ApiErrors
from loyalty.kit.problems import Problem, Problems


def refused(sqlstate: str) -> DataError:
    """As Django raises it for what PostgreSQL says."""
    error = DataError("out of range\nLINE 1: ...")
    error.__cause__ = (psycopg.errors.lookup(sqlstate) if sqlstate else psycopg.DataError)("out of range")
    return error


class Key(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> str | None:
        return token if token == "good" else None


class Event(Schema):
    model_config = ConfigDict(extra="forbid")
    name: str
    amount: int = 0


class Batch(Schema):
    events: list[Event]


ERRORS: dict[str, Exception] = {
    "problems": Problems([Problem("rule.all[0]", "is odd", "make it even")]),
    "missing": Http404("no segment 'x'"),
    "denied": PermissionDenied("This key may not publish."),
    "conflict": ApiError(409, "It runs already.", [Problem("state", "running")]),
    "http": HttpError(400, "Cannot parse"),
    "throttled": Throttled(wait=7),
    "database": OperationalError("connection refused at 10.0.0.1"),
    "unstorable": refused("22009"),
    "nul": refused(""),
    "our_mistake": refused("22012"),
    "crash": RuntimeError("secret detail"),
}

router = Router()


@router.post("/batch", auth=Key())
def batch(request: HttpRequest, payload: Batch, limit: int = 1) -> dict[str, int]:
    return {"accepted": len(payload.events)}


@router.get("/raise/{name}")
def fail(request: HttpRequest, name: str) -> None:
    raise ERRORS[name]


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("outside of ninja")


api = Api()
api.add_router("", router)
urlpatterns = [path("api/v1/", api.urls), path("api/crash", crash)]


@pytest.fixture
def client() -> Any:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=["loyalty.kit.errors.ApiErrors"]):
        yield Client(raise_request_exception=False)


def error(response: Any) -> dict[str, Any]:
    body = response.json()
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["code", "details", "message"]
    found: dict[str, Any] = body["error"]
    return found


@pytest.mark.parametrize(
    ("name", "status", "code", "message"),
    [
        ("problems", 422, "invalid", "The input was refused; every mistake is in the details."),
        ("missing", 404, "not_found", "no segment 'x'"),
        ("denied", 403, "forbidden", "This key may not publish."),
        ("conflict", 409, "conflict", "It runs already."),
        ("http", 400, "bad_request", "Cannot parse"),
        ("throttled", 429, "too_many_requests", "Too many requests."),
        ("database", 503, "unavailable", "The database does not answer at the moment; try again."),
        ("unstorable", 422, "invalid", "The input was refused; every mistake is in the details."),
        ("nul", 422, "invalid", "The input was refused; every mistake is in the details."),
        ("our_mistake", 500, "internal", "Something went wrong on our side; it was logged."),
        ("crash", 500, "internal", "Something went wrong on our side; it was logged."),
    ],
)
def test_what_a_view_raises(client: Client, name: str, status: int, code: str, message: str) -> None:
    response = client.get(f"/api/v1/raise/{name}")
    assert response.status_code == status
    assert (error(response)["code"], error(response)["message"]) == (code, message)


def test_problems_become_details_with_their_remedy(client: Client) -> None:
    assert error(client.get("/api/v1/raise/problems"))["details"] == [
        {"where": "rule.all[0]", "problem": "is odd (make it even)"}
    ]


def test_waiting_times_are_headers(client: Client) -> None:
    assert client.get("/api/v1/raise/throttled").headers["Retry-After"] == "7"
    assert client.get("/api/v1/raise/database").headers["Retry-After"] == "5"


def post(client: Client, body: object, *, key: str = "good", query: str = "") -> Any:
    data = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"}
    return client.post(f"/api/v1/batch{query}", data=data, content_type="application/json", headers=headers)


def test_input_mistakes_come_all_at_once_with_places_as_the_caller_wrote_them(client: Client) -> None:
    response = post(client, {"events": [{"name": "a"}, {"amount": "x", "colour": 1}]}, query="?limit=many")
    assert response.status_code == 422
    assert error(response)["details"] == [
        {"where": "events[1].name", "problem": "is missing (add it)"},
        {
            "where": "events[1].amount",
            "problem": "Input should be a valid integer, unable to parse string as an integer",
        },
        {"where": "events[1].colour", "problem": "unknown field (remove it or correct its spelling)"},
        {"where": "limit", "problem": "Input should be a valid integer, unable to parse string as an integer"},
    ]


def test_a_body_that_is_no_json_or_no_object(client: Client) -> None:
    assert (post(client, "{").status_code, error(post(client, "{"))["code"]) == (400, "bad_request")
    assert error(post(client, []))["code"] == "invalid"


def test_a_missing_or_wrong_key(client: Client) -> None:
    response = post(client, {"events": []}, key="bad")
    assert (response.status_code, error(response)["code"]) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_unknown_addresses_wrong_methods_and_crashes_outside_of_ninja(client: Client) -> None:
    assert error(client.get("/api/v1/nothing"))["code"] == "not_found"
    response = client.delete("/api/v1/batch")
    assert (response.status_code, error(response)["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"
    assert error(client.get("/api/crash"))["code"] == "internal"


def test_an_oversized_body(client: Client) -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
        response = post(client, {"events": [{"name": "x" * 200}]})
    assert (response.status_code, error(response)["code"]) == (413, "too_large")


def test_pages_outside_of_the_api_are_left_alone() -> None:
    middleware = ApiErrors(lambda request: HttpResponse("no", status=404))
    assert middleware(RequestFactory().get("/admin/x")).content == b"no"


def test_the_openapi_document_describes_the_error_of_every_operation(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    reference = {"$ref": "#/components/schemas/Error"}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["responses"]["default"]["content"]["application/json"]["schema"] == reference
    assert document["components"]["schemas"]["Error"]["required"] == ["error"]
