"""The calls of portals, tills and suppliers."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.clock import now
from tests.db.loyalty.program import club
from tests.db.loyalty.rewards.store import ADDRESS, MUG, member, opened, taken, violations

pytestmark = pytest.mark.django_db
BOOK = {"kind": "reward", "key": "book", "type": "digital", "points": 250, "link": "https://x.test/b"}


class Portal:
    """A client with a key."""

    def __init__(self, *scopes: str) -> None:
        self.client = Client()
        self.key = create_api_key(name="portal", scopes=list(scopes), now=now()).secret

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = getattr(self.client, method)(
            f"/api/v1/loyalty/{path}",
            data=None if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )
        assert response.status_code == status, response.content
        return response.json()


@pytest.fixture
def portal() -> Portal:
    setup = opened(MUG, BOOK)
    member("anna", 200, setup)
    return Portal("loyalty:read", "loyalty:write")


def test_the_shop_of_a_member(portal: Portal) -> None:
    found = portal("get", "rewards?customer=anna")
    assert found["categories"] == [{"key": "home", "name": {}}]
    rows = [
        (one["key"], one["available"], one["missing"], one["why_not"], one["reason"], one["left"], one["most"])
        for one in found["rewards"]
    ]
    assert rows == [
        ("mug", True, 0, "", "reachable", 10, 10),
        ("book", False, 50, "points", "near", None, 10),
    ]
    assert found["rewards"][0]["prices"] == [{"points": 100, "money": None, "currency": None, "sentence": "100 points"}]
    assert found["rewards"][1]["reason_sentence"] == "50 points to go"
    assert [one["key"] for one in portal("get", "rewards?customer=anna&affordable=true")["rewards"]] == ["mug"]
    assert [one["key"] for one in portal("get", "rewards?search=BECH")["rewards"]] == ["mug"]
    assert portal("get", "rewards?type=digital")["rewards"][0]["why_not"] == "member"
    assert portal("get", "rewards?category=garden")["rewards"] == []
    assert portal("get", "rewards/mug?customer=anna")["name"] == {"en": "Mug", "de": "Becher"}
    portal("get", "rewards/nothing", status=404)
    portal("get", "rewards?customer=nobody", status=404)


def test_redeem_follow_and_cancel(portal: Portal) -> None:
    body = {"customer": "anna", "reward": "mug", "id": "o-1", "address": ADDRESS}
    done = portal("post", "redemptions", body)
    assert (done["status"], done["state"], done["points"], done["customer"]) == ("redeemed", "ordered", 100, "anna")
    again = portal("post", "redemptions", body)
    assert (again["status"], again["id"]) == ("duplicate", done["id"])
    portal("post", "redemptions", body | {"quantity": 2}, status=409)
    where = f"redemptions/{done['id']}"
    assert portal("post", f"{where}/state", {"state": "packed"})["state"] == "packed"
    refused = portal("post", f"{where}/state", {"state": "approved"}, status=409)
    assert refused["error"]["details"] == [{"where": "state", "problem": "approved does not follow on packed"}]
    refused = portal("post", f"{where}/cancel", {"by_member": True}, status=422)
    assert refused["error"]["details"][0]["problem"].startswith("is on its way already")
    gone = portal("post", f"{where}/cancel", {"reason": "changed my mind"})
    assert (gone["state"], gone["reason"], gone["refund"] is not None) == ("cancelled", "changed my mind", True)
    assert [step["state"] for step in gone["steps"]] == ["ordered", "packed", "cancelled"]
    assert club.balance("anna") == (0, 200, 0, 0)
    assert taken("mug") == 0
    page = portal("get", "redemptions?customer=anna")
    assert ([row["id"] for row in page["redemptions"]], page["next"]) == ([done["id"]], None)
    assert portal("get", "redemptions?state=ordered")["redemptions"] == []
    assert violations() == {}


def test_what_is_refused(portal: Portal) -> None:
    refused = portal("post", "redemptions", {"customer": "anna", "reward": "book"}, status=422)
    assert refused["error"]["details"] == [
        {"where": "points", "problem": "250 points are wanted, 200 can be used (50 are missing)"}
    ]
    portal("post", "redemptions", {"customer": "nobody", "reward": "mug"}, status=422)
    portal("post", "redemptions", {"customer": "anna", "reward": "mug", "colour": "red"}, status=422)
    portal("post", "redemptions", {"customer": "anna", "reward": "mug", "quantity": 0}, status=422)
    portal("get", "redemptions?state=lost", status=422)
    portal("get", "redemptions/1", status=404)
    portal("get", f"redemptions/{10**30}", status=404)
    portal("post", "redemptions/1/cancel", {}, status=404)
    reader = Portal("loyalty:read")
    reader("post", "redemptions", {"customer": "anna", "reward": "mug"}, status=403)


def test_pages_of_redemptions(portal: Portal) -> None:
    for number in range(2):
        portal("post", "redemptions", {"customer": "anna", "reward": "mug", "id": f"o-{number}", "address": ADDRESS})
    first = portal("get", "redemptions?limit=1")
    second = portal("get", f"redemptions?limit=1&after={first['next']}")
    ids = [row["id"] for row in first["redemptions"] + second["redemptions"]]
    assert (ids, second["next"]) == ([ids[1] + 1, ids[1]], None)


def test_a_wish(portal: Portal) -> None:
    assert portal("get", "members/anna/wish")["wish"] is None
    found = portal("put", "members/anna/wish", {"reward": "book"})["wish"]
    assert (found["key"], found["missing"], found["wished"], found["reason"]) == ("book", 50, True, "wish")
    assert portal("get", "rewards?customer=anna")["rewards"][0]["key"] == "book"
    portal("put", "members/anna/wish", {"reward": "nothing"}, status=422)
    assert portal("delete", "members/anna/wish")["wish"] is None


def test_a_link_is_shown_once_it_is_paid(portal: Portal) -> None:
    setup = opened(BOOK | {"points": 150})
    assert setup
    assert "link" not in portal("get", "rewards/book?customer=anna")
    done = portal("post", "redemptions", {"customer": "anna", "reward": "book"})
    assert (done["state"], done["link"]) == ("delivered", "https://x.test/b")
