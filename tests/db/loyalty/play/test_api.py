"""The calls: exact answers, and mistakes with their place."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.clock import now
from tests.db.loyalty.play.fair import GAME, POINTS, applied, member

pytestmark = pytest.mark.django_db
OPEN = {"from": "2020-01-01", "to": "2099-12-31"}


@pytest.fixture
def call() -> Any:
    headers = {"Authorization": f"Bearer {create_api_key(name='t', scopes=['*'], now=now()).secret}"}

    def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        sent = None if body is None else json.dumps(body)
        client = Client(headers=headers)
        response = client.generic(method, f"/api/v1/loyalty/{path}", sent or "", content_type="application/json")
        assert response.status_code == status, response.content
        return response.json()

    return ask


def test_challenges(call: Any) -> None:
    document = {"kind": "challenge", "key": "three", "event": "visit", "target": 3, "prizes": [POINTS]}
    hidden = {**document, "key": "secret", "hidden": True}
    applied(document | {"join": "explicit"}, hidden)
    member("anna")
    shown = call("GET", "challenges?customer=anna")["challenges"]
    assert [(one["key"], one["state"], one["joinable"], one["target"]) for one in shown] == [
        ("three", "available", True, "3"),
    ]  # fmt: skip
    begun = call("POST", "challenges/three/join", {"customer": "anna"})
    assert (begun["begun"], begun["challenge"]["state"], begun["challenge"]["share"]) == (1, "open", 0.0)
    assert call("POST", "challenges/three/join", {"customer": "anna"})["begun"] == 0
    assert (
        call("POST", "challenges/three/join", {"customer": "nobody"}, 422)["error"]["details"][0]["where"] == "customer"
    )
    call("POST", "challenges/no/join", {"customer": "anna"}, 404)
    call("GET", "challenges?customer=nobody", status=404)


def test_stamp_cards(call: Any) -> None:
    applied({"kind": "stamp_card", "key": "coffee", "size": 3, "prizes": [POINTS]})
    member("anna")
    given = call("POST", "stamp_cards/coffee/stamps", {"customer": "anna", "id": "r1", "count": 4})
    assert (given["given"], given["stamp_card"]["stamps"], given["stamp_card"]["complete"]) == (4, 1, 1)
    assert call("POST", "stamp_cards/coffee/stamps", {"customer": "anna", "id": "r1", "count": 4})["given"] == 0
    assert call("GET", "stamp_cards?customer=anna")["stamp_cards"][0]["prizes"] == ["50 points"]
    assert [one["state"] for one in call("GET", "prizes?customer=anna")["prizes"]] == ["due"]


def test_games(call: Any) -> None:
    applied(GAME | OPEN | {"age": 18, "free": {"max": 1, "per": "day"}})
    member("anna")
    shown = call("GET", "games?customer=anna")["games"][0]
    assert (shown["plays_left"], shown["needs_age"], shown["from"], shown["rules"]) == (
        1, True, "2020-01-01", "/play/summer/rules",
    )  # fmt: skip
    refused = call("POST", "games/summer/play", {"customer": "anna"}, 422)
    assert [one["where"] for one in refused["error"]["details"]] == ["of_age"]
    won = call("POST", "games/summer/play", {"customer": "anna", "of_age": True, "id": "1"})
    assert (won["outcome"], won["prize"], won["sentence"], won["plays_left"]) == ("won", "all", "50 points", 0)
    assert won["reference"] is not None
    assert call("POST", "games/summer/play", {"customer": "anna", "id": "1"})["repeated"] is True
    assert call("POST", "games/summer/plays", {"customer": "anna", "id": "letter", "plays": 2}) == {
        "given": 2, "plays_left": 2,
    }  # fmt: skip
    assert call("GET", "games/summer/rules?language=de")["language"] == "de"
    call("GET", "games/no/rules", status=404)


def test_badges_and_the_public_page(call: Any) -> None:
    applied(GAME)
    member("anna")
    assert call("GET", "badges?customer=anna") == {"badges": []}
    page = Client().get("/play/summer/rules?language=en")
    assert page.status_code == 200
    assert "Rules of “Summer”" in page.content.decode()
    assert Client().get("/play/nothing/rules").status_code == 404
