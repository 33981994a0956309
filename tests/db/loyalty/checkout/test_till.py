"""The way of a purchase at the till, from the card to the return; and every wrong turn leaves the ledger alone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.cards import codes
from loyalty.cards import operations as cards
from loyalty.checkout import selling, stores, tasks, unmatched
from loyalty.checkout.models import Store
from loyalty.customers.erasing import erase_customers
from loyalty.kit.clock import now
from loyalty.kit.sql import execute, fetch, sql
from tests.db.loyalty.cards.wallet import SERIES, STAFF, numbers, series
from tests.db.loyalty.offers.shop import applied as offered
from tests.db.loyalty.offers.shop import code_of, pool, uses
from tests.db.loyalty.offers.shop import violations as wrong_offers
from tests.db.loyalty.program.club import BASE, applied, balance, customer, facts_of, violations

pytestmark = pytest.mark.django_db
TEN = pool("ten", {"type": "percent", "percent": 10})
GIFT = pool("gift", {"type": "gift_card", "amount": 20})
ITEMS = [{"sku": "a", "amount": 80}, {"sku": "b", "amount": 20, "quantity": 2}]
COUNTS = "SELECT (SELECT count(*) FROM booking), (SELECT count(*) FROM entry), (SELECT count(*) FROM sale)"


class Till:
    """A client with a key."""

    def __init__(self) -> None:
        self.client = Client()
        made = create_api_key(name="till", scopes=["loyalty:read", "loyalty:write"], now=now())
        self.key, self.key_id = made.secret, made.id

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = getattr(self.client, method)(
            f"/api/v1/loyalty/{path}",
            data=None if body is None else json.dumps(body, default=str),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )
        assert response.status_code == status, response.content
        return response.json()

    def refused(self, path: str, body: Any, status: int) -> list[tuple[str, str]]:
        """What is wrong; and nothing of it is in the ledger, nor anywhere else."""
        before = fetch(COUNTS), fetch("SELECT count(*), coalesce(sum(uses), 0) FROM voucher")
        error = self("post", path, body, status)["error"]
        assert (fetch(COUNTS), fetch("SELECT count(*), coalesce(sum(uses), 0) FROM voucher")) == before
        return [(one["where"], one["problem"].partition(" (")[0]) for one in error["details"]]


@pytest.fixture
def till() -> Till:
    applied(BASE)
    series(SERIES, STAFF)
    offered(TEN, GIFT)
    return Till()


def card_of(external_id: str) -> tuple[int, str]:
    customer_id = customer(external_id)
    return customer_id, cards.ensure_card(customer_id=customer_id, now=now())


def sound() -> bool:
    return violations() == {} and wrong_offers() == {} and _checkout() == []


def _checkout() -> list[str]:
    from loyalty.kit.checks import invariants, verdict

    return [one.key for one in invariants() if one.key.startswith(("checkout.", "cards.")) and not verdict(one).holds]


def test_from_the_card_to_the_return(till: Till) -> None:
    anna, number = card_of("anna")
    code = code_of("ten", anna)
    seen = till("post", "identify", {"card": f"{number[:4]}-{number[4:]}"})
    assert (seen["customer"], seen["identified_by"], seen["state"]) == ("anna", "card", "none")
    assert [one["code"] for one in seen["vouchers"]] == [code]
    body = {"id": "r1", "customer": {"card": number}, "items": ITEMS}
    simulated = till("post", "transactions/simulate", body)
    assert (simulated["points"], simulated["vouchers"]) == (100, None)
    assert [(one["kind"], one["name"], one["saves"]) for one in simulated["recommendations"]] == [
        ("voucher", code, "10.00")
    ]
    assert fetch(COUNTS) == [(0, 0, 0)]
    body["codes"] = [code]
    held = till("post", "transactions/reserve", body)
    assert (held["status"], held["to_pay"], held["discount"], uses(code)) == ("reserved", "90.00", "10.00", 1)
    again = till("post", "transactions/reserve", body)
    assert (again["status"], again["reservation"]) == ("duplicate", held["reservation"])
    commit = {"id": "r1", "reservation": held["reservation"]}
    done = till("post", "transactions/commit", commit)
    assert (done["status"], done["amount"], done["points"], done["to_pay"]) == ("committed", "90.00", 90, "90.00")
    twice = till("post", "transactions/commit", commit)
    assert twice == {**done, "status": "duplicate"}
    back = till("post", "transactions/return", {"id": "b1", "transaction": "r1", "items": [{"sku": "b"}]})
    assert (back["amount"], back["reversed"], back["vouchers_restored"], uses(code)) == (
        "18.00", {"points": 18}, False, 1,
    )  # fmt: skip
    rest = till("post", "transactions/void", {"transaction": "r1"})
    assert (rest["amount"], rest["vouchers_restored"], uses(code)) == ("72.00", True, 0)
    assert balance("anna") == (0, 0, 0, 0)
    assert sound()


def test_vouchers_without_a_reservation(till: Till) -> None:
    anna, number = card_of("anna")
    code, gift = code_of("ten", anna), code_of("gift", anna)
    body = {"id": "r1", "customer": "anna", "items": ITEMS, "codes": [code, gift]}
    done = till("post", "transactions/commit", body)
    assert (done["amount"], done["points"], done["to_pay"], done["discount"]) == ("90.00", 90, "70.00", "10.00")
    assert till("post", "transactions/commit", body) == {**done, "status": "duplicate"}
    assert till.refused("transactions/commit", {**body, "codes": [gift]}, 409)[0][0] == "id"
    assert till.refused("transactions/commit", {**body, "id": "r2"}, 422) != []
    assert fetch("SELECT gross, discount, paid, customer_id FROM sale") == [(100, 10, 20, anna)]
    assert till("post", "transactions/return", {"id": "b1", "transaction": "r1"})["vouchers_restored"] is True
    assert sound()


def test_points_are_held_for_the_basket_and_taken_once(till: Till) -> None:
    card_of("anna")
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "amount": 50})
    held = till("post", "transactions/reserve", {"id": "r2", "customer": "anna", "amount": 10, "spend": 40})
    assert (held["balances"][0]["available"], held["balances"][0]["locked"], held["to_pay"]) == (10, 40, None)
    assert till.refused("transactions/commit", {"id": "r3", "customer": "anna", "amount": 1, "spend": 20}, 422) == [
        ("spend", "20 points are wanted, 10 can be used")
    ]
    # Another basket under the same id takes the first one's place.
    other = till("post", "transactions/reserve", {"id": "r2", "customer": "anna", "amount": 10, "spend": 45})
    assert (other["balances"][0]["locked"], other["status"]) == (45, "reserved")
    assert till.refused("transactions/commit", {"id": "r2", "reservation": held["reservation"]}, 409) == [
        ("reservation", "was released")
    ]
    done = till("post", "transactions/commit", {"id": "r2", "reservation": other["reservation"]})
    assert (done["spent"], balance("anna")) == ({"points": 45}, (0, 15, 0, 0))
    assert till("post", "transactions/release", {"reservation": other["reservation"]}, 409)["error"]["details"] == [
        {"where": "reservation", "problem": "was committed as 'r2' (void the transaction)"}
    ]
    assert till.refused("transactions/reserve", {"id": "r2", "customer": "anna", "amount": 1}, 409)[0][0] == "id"
    third = till("post", "transactions/reserve", {"id": "r3", "customer": "anna", "amount": 1, "spend": 5})
    assert till("post", "transactions/release", {"reservation": third["reservation"]})["status"] == "released"
    assert till("post", "transactions/release", {"reservation": third["reservation"]})["status"] == "over"
    assert balance("anna") == (0, 15, 0, 0)
    assert sound()


def test_a_reservation_that_ran_out(till: Till) -> None:
    anna, _ = card_of("anna")
    code = code_of("ten", anna)
    body = {"id": "r1", "customer": "anna", "items": ITEMS, "codes": [code]}
    held = till("post", "transactions/reserve", body)
    execute("UPDATE held_basket SET ends_at = now() - interval '1 minute'")
    wrong = till.refused("transactions/commit", {"id": "r1", "reservation": held["reservation"]}, 409)
    assert [(where, problem.partition(" at ")[0]) for where, problem in wrong] == [("reservation", "ran out")]
    assert tasks.expire(now=now()) == 1
    assert tasks.expire(now=now()) == 0
    wrong = till.refused("transactions/commit", {"id": "r1", "reservation": held["reservation"]}, 409)
    assert wrong[0][0] == "reservation"
    assert till("post", "transactions/commit", {"id": "r1", "reservation": "no-such"}, 404)["error"]["code"] == (
        "not_found"
    )


def test_cards_that_open_nothing(till: Till) -> None:
    _, number = card_of("anna")
    cards.replace(number=number, reason="lost", by="kim", now=now())
    body = {"id": "r1", "customer": {"card": number}, "amount": 5}
    assert till.refused("transactions/commit", body, 422) == [("customer", f"{number} was replaced")]
    assert till.refused("identify", {"card": number, "external_id": "anna"}, 422) == [
        ("card", f"{number} was replaced")
    ]
    body["customer"] = {"card": "2790000000001"}
    assert till.refused("transactions/reserve", body, 422) == [("customer", "'2790000000001' has a wrong check digit")]
    body["customer"] = {"card": "no"}
    assert till.refused("transactions/simulate", body, 422) == [("customer", "there is no card 'no'")]
    assert till.refused("identify", {"phone": "+4915112345678", "email": "x@y.de"}, 422) == [
        ("phone", "nobody is known by phone '+4915112345678'"),
        ("email", "nobody is known by email 'x@y.de'"),
    ]
    assert till.refused("identify", {}, 422) == [("", "nothing to go by")]


def test_priority_of_keys_and_what_does_not_fit(till: Till) -> None:
    _, number = card_of("anna")
    ben = customer("ben")
    execute(sql("UPDATE customer SET phone = '+4915112345678', email = 'b@x.de' WHERE id = {b}", b=ben))
    seen = till("post", "identify", {"phone": "0049 151 12345678", "card": number})
    assert (seen["customer"], seen["identified_by"]) == ("anna", "card")
    assert seen["conflicts"] == {"phone": "belongs to somebody else"}
    assert till("post", "identify", {"email": "B@x.de", "card": "42"})["customer"] == "ben"
    execute("UPDATE customer SET phone = '+4915112345678'")
    assert till.refused("identify", {"phone": "+4915112345678"}, 422) == [
        ("phone", "several customers have this phone")
    ]


def test_a_code_from_a_phone_is_good_for_minutes(till: Till) -> None:
    anna, number = card_of("anna")
    text = till("get", "members/anna/code")["text"]
    assert till("post", "identify", {"qr": text})["identified_by"] == "qr"
    assert till("post", "identify", {"qr": number})["identified_by"] == "card"
    body = {"id": "r1", "customer": {"qr": text}, "amount": 5}
    assert till("post", "transactions/commit", body)["points"] == 5
    old = codes.code_for(anna, now=now() - timedelta(minutes=6))
    body = {"id": "r2", "customer": {"qr": old}, "amount": 5}
    wrong = till.refused("transactions/commit", body, 422)
    assert [(where, problem.partition(" at ")[0]) for where, problem in wrong] == [("customer", "ran out")]
    # An offline till scanned it in time.
    scanned = {**body, "occurred_at": now() - timedelta(minutes=3)}
    assert till("post", "transactions/commit", scanned)["points"] == 5
    assert till.refused("identify", {"qr": "LCx"}, 422) == [("qr", "is no code of ours")]


def test_a_card_from_stock_collects_for_somebody_without_a_name(till: Till) -> None:
    number = numbers(cards.issue(series="plastic", amount=1, by="kim", now=now()).batch_id)[0]
    body = {"id": "r1", "customer": {"card": number}, "amount": 30}
    assert till("post", "transactions/simulate", body)["points"] == 30
    assert fetch("SELECT count(*) FROM customer") == [(0,)]
    assert till("post", "transactions/commit", body)["points"] == 30
    anna = customer("anna")
    till("post", f"cards/{number}/assign", {"customer": "anna"})
    assert balance("anna") == (0, 30, 0, 0)
    assert fetch("SELECT id FROM customer") == [(anna,)]
    assert sound()


def test_staff_serve_others(till: Till) -> None:
    number = numbers(cards.issue(series="staff", amount=1, by="kim", now=now()).batch_id)[0]
    anna, plastic = card_of("anna")
    body = {"id": "r1", "customer": "anna", "amount": 5, "staff": number}
    assert till("post", "transactions/commit", body)["status"] == "committed"
    assert till("post", "transactions/commit", body)["status"] == "duplicate"
    cards.assign(number=number, customer_id=anna, by="kim", now=now())
    assert till.refused("transactions/commit", {**body, "id": "r2"}, 422) == [("staff", "is the customer")]
    assert till.refused("transactions/commit", {**body, "id": "r3", "staff": plastic}, 422) == [
        ("staff", f"'{plastic}' is no card of staff")
    ]
    assert fetch("SELECT count(*) FROM sale WHERE staff_card_id IS NOT NULL") == [(1,)]


def test_a_key_of_one_store_speaks_for_no_other(till: Till) -> None:
    customer("anna")
    applied(BASE, {"kind": "store", "key": "cologne", "name": {"en": "Cologne"}, "geo": [50.9, 6.9]})
    stores.tie(store_id=Store.objects.get().pk, prefix=till.key[:12], now=now())
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "amount": 5})
    assert fetch("SELECT store FROM booking") == [("cologne",)]
    assert till("post", "transactions/commit", {"id": "r2", "customer": "anna", "amount": 5, "store": "bonn"}, 403)
    assert stores.untie(store_id=Store.objects.get().pk) == 1
    till("post", "transactions/commit", {"id": "r2", "customer": "anna", "amount": 5, "store": "bonn"})


def test_a_receipt_without_a_card_is_claimed_once(till: Till) -> None:
    anna, ben = customer("anna"), customer("ben")
    body = {"id": "r1", "customer": None, "items": ITEMS, "store": "cologne", "receipt": "4711"}
    kept = till("post", "transactions/commit", body)
    assert (kept["status"], kept["booking"], kept["amount"], kept["points"]) == ("unmatched", None, "100.00", 0)
    assert len(kept["claim_code"]) == 14
    assert till("post", "transactions/commit", body) == {**kept, "status": "duplicate"}
    assert till.refused("transactions/commit", {**body, "items": ITEMS[:1]}, 409)[0][0] == "id"
    back = till("post", "transactions/return", {"id": "b1", "transaction": "r1", "items": [{"line": 2, "quantity": 1}]})
    assert (back["amount"], back["booking"]) == ("10.00", None)
    wrong = {"id": "b2", "transaction": "r1", "items": [{"line": 2, "quantity": 2}]}
    assert till.refused("transactions/return", wrong, 422) == [("items[0]", "2 come back, 1 are left")]
    claimed = till("post", "receipts/claim", {"customer": "anna", "code": kept["claim_code"].lower()})
    assert (claimed["points"], balance("anna")) == (100, (0, 90, 0, 0))
    assert till("post", "receipts/claim", {"customer": "anna", "code": kept["claim_code"]})["status"] == "duplicate"
    assert till.refused("receipts/claim", {"customer": "ben", "code": kept["claim_code"]}, 409) == [
        ("receipt", "was claimed by somebody else")
    ]
    assert till("post", "transactions/commit", body)["status"] == "duplicate"
    assert [one["amount"] for one in facts_of("anna", "receipt.claimed")] == [100]
    again = till(
        "post", "transactions/return", {"id": "b1", "transaction": "r1", "items": [{"line": 2, "quantity": 1}]}
    )
    assert again["status"] == "duplicate"
    till("post", "transactions/void", {"transaction": "r1"})
    assert balance("anna") == (0, 0, 0, 0)
    assert sound()
    erase_customers(customer_ids=[anna, ben])
    assert fetch("SELECT number, row, customer_id FROM unmatched_receipt") == [(None, None, None)]


def test_who_guesses_receipts_has_to_wait(till: Till) -> None:
    customer("anna")
    at = now()
    kept = till("post", "transactions/commit", {"id": "r1", "customer": None, "amount": 12, "occurred_at": at})
    claim = {"customer": "anna", "number": "r1", "day": at.date().isoformat()}
    for _ in range(unmatched.ATTEMPTS - 1):
        assert till.refused("receipts/claim", {**claim, "amount": 13}, 422) == [("number", "there is no such receipt")]
    assert till.refused("receipts/claim", {"customer": "anna"}, 422) == [("", "nothing to go by")]
    assert till("post", "receipts/claim", {**claim, "amount": 12})["points"] == 12
    assert till.refused("receipts/claim", {"customer": "anna", "code": "AAAA-AAAA-AAAA"}, 422) == [
        ("code", "there is no such receipt")
    ]
    assert till.refused("receipts/claim", {"customer": "anna", "code": kept["claim_code"]}, 422) == [
        ("", "too many receipts were named that do not exist")
    ]


def test_receipts_lapse(till: Till) -> None:
    anna = customer("anna")
    old = now() - timedelta(days=91)
    kept = till("post", "transactions/commit", {"id": "r1", "customer": None, "amount": 12, "occurred_at": old})
    assert till.refused("receipts/claim", {"customer": "anna", "code": kept["claim_code"]}, 409) == [
        ("receipt", "is older than 90 days")
    ]
    assert tasks.lapse(now=now()) == 1
    assert fetch("SELECT state, row, number FROM unmatched_receipt") == [("lapsed", None, None)]
    assert till.refused("transactions/void", {"transaction": "r1"}, 409) == [
        ("transaction", "is too old: its lines are not kept any more")
    ]
    assert fetch("SELECT count(*) FROM member WHERE customer_id = %(a)s", {"a": anna}) == [(0,)]


def test_more_than_was_bought_does_not_come_back(till: Till) -> None:
    customer("anna")
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "items": ITEMS})
    body = {"id": "b1", "transaction": "r1", "items": [{"sku": "b", "quantity": 3}]}
    assert till.refused("transactions/return", body, 422) == [("items[0]", "3 come back, 2 are left")]
    till("post", "transactions/void", {"transaction": "r1"})
    assert till.refused("transactions/return", {"id": "b2", "transaction": "r1"}, 422) == [
        ("transaction", "was voided: all of it came back")
    ]
    assert till("post", "transactions/void", {"transaction": "r1"})["status"] == "duplicate"
    assert till("post", "transactions/void", {"transaction": "no"}, 404)["error"]["code"] == "not_found"
    assert sound()


def test_a_queue_of_an_offline_till_with_a_wrong_clock(till: Till) -> None:
    anna, number = card_of("anna")
    code = code_of("ten", anna)
    fresh = numbers(cards.issue(series="plastic", amount=1, by="kim", now=now()).batch_id)[0]
    sent = now() + timedelta(hours=3)
    at = (sent - timedelta(hours=1)).isoformat()
    rows = [
        {"id": "q1", "customer": {"card": number}, "amount": 10, "occurred_at": at},
        {"id": "q2", "customer": {"card": fresh}, "amount": 20, "occurred_at": at},
        {"id": "q3", "customer": None, "amount": 30, "occurred_at": at},
        {"id": "q4", "customer": "anna", "items": ITEMS, "codes": [code], "occurred_at": at},
        {"id": "q5", "customer": {"card": "1"}, "amount": 5},
        {"id": "q6", "customer": "anna", "amount": 5, "occurred_at": "yesterday"},
        "nothing",
    ]
    done = till("post", "transactions/batch", {"transactions": rows, "sent_at": sent})
    assert (done["accepted"], done["duplicates"]) == (4, 0)
    assert [one["index"] for one in done["rejected"]] == [4, 5, 6]
    assert [one["index"] for one in done["receipts"]] == [2]
    times = [row[0] for row in fetch("SELECT occurred_at FROM booking")]
    assert {round((now() - one).total_seconds() / 3600, 1) for one in times} == {1.0}
    later = {"transactions": rows[:4], "sent_at": sent + timedelta(seconds=90)}
    again = till("post", "transactions/batch", later)
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (0, 4, [])
    assert balance("anna") == (0, 100, 0, 0)
    wrong = {"transactions": rows[:1], "sent_at": now() - timedelta(days=3)}
    assert [where for where, _ in till.refused("transactions/batch", wrong, 422)] == ["sent_at"]
    assert sound()


def test_wrong_baskets(till: Till) -> None:
    customer("anna")
    lines = [("", "items: vouchers and offers look at lines: give them")]
    for body, expected in (
        ({"id": "x", "customer": "anna", "amount": 1, "codes": ["A"]}, lines),
        ({"id": "x", "customer": None, "amount": 1, "spend": 4}, [("customer", "is missing")]),
        ({"id": "x", "amount": 1}, [("customer", "is missing")]),
        ({"id": "x", "reservation": "y", "amount": 1}, [("amount", "unknown field 'amount'")]),
        ({"id": "x", "customer": "anna", "amount": 1, "occurred_at": "2999-01-01T00:00:00Z"},
         [("occurred_at", "2999-01-01T00:00:00+00:00 lies in the future")]),
        ({"id": "x", "customer": "anna", "items": ITEMS, "codes": ["NO-SUCH"]}, None),
    ):  # fmt: skip
        found = till.refused("transactions/commit", body, 422)
        assert found == expected or (expected is None and len(found) == 1)


def test_a_held_basket_is_let_go_by_its_own_clock(till: Till) -> None:
    customer("anna")
    setup = applied(BASE)
    till("post", "transactions/commit", {"id": "r1", "customer": "anna", "amount": 50})
    held = till("post", "transactions/reserve", {"id": "r2", "customer": "anna", "amount": 10, "spend": 40})
    later = now() + timedelta(minutes=16)
    assert selling.release(held["reservation"], setup=setup, now=later) is True
    from loyalty.program import holds

    assert holds.end_holds(setup, now=later) == 1
    assert balance("anna") == (0, 50, 0, 0)
