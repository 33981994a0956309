"""The calls of tills and portals."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch
from tests.db.loyalty.program.club import BASE, applied, balance, customer, violations

pytestmark = pytest.mark.django_db
TIER = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 100, "name": {"en": "Gold"}}


class Till:
    """A client with a key."""

    def __init__(self) -> None:
        self.client = Client()
        self.key = create_api_key(name="till", scopes=["loyalty:read", "loyalty:write"], now=now()).secret

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
def till() -> Till:
    applied(BASE, TIER)
    customer("anna")
    return Till()


def test_simulate_commit_return_and_void(till: Till) -> None:
    body = {"id": "r1", "customer": "anna", "items": [{"sku": "a", "amount": 80}, {"sku": "b", "amount": "40.50"}]}
    simulated = till("post", "transactions/simulate", body)
    assert (simulated["status"], simulated["points"], simulated["tier"], simulated["booking"]) == (
        "simulated", 120, "gold", None,
    )  # fmt: skip
    assert fetch("SELECT count(*) FROM booking") == [(0,)]
    done = till("post", "transactions/commit", body)
    assert (done["status"], done["points"], done["tier"]) == ("committed", 120, "gold")
    assert done["earned"][0]["sentence"] == "1 point for every 1 EUR spent."
    assert {**simulated, "status": "", "booking": 0} == {**done, "status": "", "booking": 0}
    assert till("post", "transactions/commit", body) == {**done, "status": "duplicate"}
    till("post", "transactions/commit", {**body, "store": "x"}, 409)
    back = till("post", "transactions/return", {"id": "b1", "transaction": "r1", "items": [{"sku": "a"}]})
    assert (back["kind"], back["reversed"], back["tier"], back["amount"]) == ("return", {"points": 80}, None, "80.00")
    paid = till("post", "transactions/commit", {"id": "r2", "customer": "anna", "amount": 0, "spend": 40})
    assert (paid["spent"], paid["balances"][0]["available"]) == ({"points": 40}, 0)
    undone = till("post", "transactions/void", {"transaction": "r2"})
    assert (undone["refunded"], undone["balances"][0]["available"]) == ({"points": 40}, 40)
    assert balance("anna") == (0, 40, 0, 0)
    assert violations() == {}


@pytest.mark.parametrize(
    ("call", "body", "status", "where"),
    [
        ("commit", {"id": "x", "customer": {"card": "404"}, "amount": 1}, 422, ["customer"]),
        ("commit", {"id": "x", "customer": "anna", "amount": 1, "spend": 5}, 422, ["spend"]),
        ("commit", {"id": "x", "customer": "anna", "amount": 1, "occurred_at": "2999-01-01T00:00:00Z"}, 422,
         ["occurred_at"]),
        ("commit", {"id": "x", "customer": "anna"}, 422, [""]),
        ("commit", {"id": "x", "customer": "anna", "amount": 1, "program": "clup"}, 422, ["program"]),
        ("return", {"id": "b", "transaction": "never"}, 404, []),
        ("void", {"transaction": "never"}, 404, []),
    ],
)  # fmt: skip
def test_wrong_input_is_told_and_leaves_the_ledger_alone(
    till: Till, call: str, body: Any, status: int, where: list[str]
) -> None:
    error = till("post", f"transactions/{call}", body, status)["error"]
    assert [one["where"].replace("body", "") for one in error["details"]] == where
    assert fetch("SELECT (SELECT count(*) FROM booking), (SELECT count(*) FROM entry)") == [(0, 0)]


def test_a_batch_of_an_offline_till(till: Till) -> None:
    rows = [{"id": f"r{n}", "customer": "anna", "amount": 10} for n in range(3)]
    done = till("post", "transactions/batch", {"transactions": [*rows, {"id": "r9"}, rows[0]]})
    assert (done["accepted"], done["duplicates"]) == (3, 0)
    assert [one["index"] for one in done["rejected"]] == [3, 4]
    assert done["rejected"][0]["problems"][0]["where"] == "transactions[3].customer"
    assert till("post", "transactions/batch", {"transactions": rows}) == {
        "accepted": 0, "duplicates": 3, "rejected": [], "receipts": [],
    }  # fmt: skip
    assert balance("anna") == (0, 30, 0, 0)


def test_members_their_balance_ledger_lots_and_tier(till: Till) -> None:
    till("get", "members/anna", status=404)
    joined = till("post", "members", {"customer": "anna"})
    assert (joined["program"], joined["customer"], joined["state"]) == ("club", "anna", "active")
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "amount": 60})
    till("post", "members/anna/spend", {"points": 15, "reason": "mug"})
    assert till("get", "members/anna/balance")["balances"][0]["available"] == 45
    ledger = till("get", "members/anna/ledger?limit=1")
    entry = ledger["entries"][0]
    assert (entry["points"], entry["from"], entry["to"], entry["kind"], entry["reason"]) == (
        15, "active", "spent", "spend", "mug",
    )  # fmt: skip
    rest = till("get", f"members/anna/ledger?after={ledger['next']}")
    assert [(one["from"], one["to"], one["points"]) for one in rest["entries"]] == [("issued", "active", 60)]
    assert rest["next"] is None
    assert [lot["active"] for lot in till("get", "members/anna/lots")["lots"]] == [45]
    progress = till("get", "members/anna/tier")
    assert (progress["tier"], progress["next_tier"], progress["missing"]) == (None, "gold", "40.00")
    assert till("put", "members/anna/tier", {"tier": "gold"})["tier"] == "gold"
    assert till("get", "tiers")["tiers"][0]["members"] == 1
    assert till("delete", "members/anna")["state"] == "left"


def test_holds_transfers_and_corrections(till: Till) -> None:
    customer("ben")
    till("post", "members", {"customer": "ben"})
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "amount": 60})
    hold = till("post", "members/anna/holds", {"points": 20, "lasts": "1h"})
    assert hold["balances"][0]["locked"] == 20
    assert till("post", f"holds/{hold['booking']}/capture")["points"] == 20
    till("post", f"holds/{hold['booking']}/release", status=422)
    till("post", "holds/999999/release", status=404)
    till("post", "members/anna/holds", {"points": 1, "lasts": "soon"}, 422)
    assert till("post", "members/anna/transfer", {"points": 10, "to": "ben"})["balances"][0]["available"] == 30
    till("post", "members/anna/transfer", {"points": 31, "to": "ben"}, 422)
    asked = till("post", "members/anna/adjustments", {"points": 5, "reason": "mistake"})
    assert asked["state"] == "requested"
    assert (balance("anna"), balance("ben")) == ((0, 30, 0, 0), (0, 10, 0, 0))
    assert [rule["key"] for rule in till("get", "programs")["programs"][0]["rules"]] == ["base"]
