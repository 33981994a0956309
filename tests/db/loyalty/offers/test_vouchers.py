"""Codes are made, brought and handed out; baskets are judged, held, redeemed, let go and given back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.offers import issuing, operations, redeeming, tasks
from loyalty.offers.issuing import Brought, Wanted
from loyalty.offers.models import Reservation, Use, Voucher
from tests.db.loyalty.offers.shop import (
    NOW,
    applied,
    basket,
    code_of,
    customer,
    items,
    money,
    pool,
    reasons,
    shared,
    uses,
    violations,
)
from tests.db.loyalty.program import club
from tests.db.loyalty.program.club import facts_of

pytestmark = pytest.mark.django_db
TEN: dict[str, Any] = {"type": "percent", "percent": 10}
CARD: dict[str, Any] = {"type": "gift_card", "amount": 50}


def refused(call: Any) -> list[str]:
    with pytest.raises(Problems) as caught:
        call()
    return [str(problem) for problem in caught.value.problems]


def test_made_codes_follow_the_pattern_and_are_all_different() -> None:
    applied(pool("ten", TEN, codes={"pattern": "TEN-?????-?????"}))
    ids = [customer(f"c{number}") for number in range(300)]
    issued = issuing.issue("ten", [Wanted(one) for one in ids], source="test", now=NOW)
    found = [one.code for one in issued if one]
    assert len(set(found)) == 300
    assert {len(code) for code in found} == {15}
    assert all(code.startswith("TEN-") and code[9] == "-" for code in found)
    assert not set("ILOU") & set("".join(code[4:] for code in found))
    assert set("".join(found)) > set("0123456789")
    assert len(facts_of("c7", "voucher.issued")) == 1
    assert facts_of("c7", "voucher.issued")[0] == {"pool": "ten", "type": "percent", "code": found[7]}
    assert violations() == {}


def test_issuing_is_one_statement_for_any_number_and_once_for_each_key() -> None:
    applied(pool("ten", TEN))
    ids = [customer(f"c{number}") for number in range(50)]
    keys = [uuid4() for _ in ids]
    counts = []
    for some in (slice(0, 5), slice(5, 50)):
        wanted = [Wanted(one, key) for one, key in zip(ids[some], keys[some], strict=True)]
        with CaptureQueriesContext(connection) as caught:
            issuing.issue("ten", wanted, source="test", now=NOW)
        counts.append(len(caught))
    assert counts[0] >= counts[1]
    before = issuing.issue("ten", [Wanted(ids[3], keys[3])], source="test", now=NOW)
    again = issuing.issue("ten", [Wanted(ids[3], keys[3]), Wanted(ids[3], keys[3])], source="test", now=NOW)
    assert again == before * 2
    assert Voucher.objects.count() == 50


def test_codes_are_read_as_people_type_them() -> None:
    applied(pool("ten", TEN))
    anna = customer("anna")
    code = code_of("ten", anna)
    sloppy = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    answer = redeeming.validate(basket(100, codes=(sloppy,), customer="anna"), now=NOW)
    assert answer["discount"] == "10.00"
    assert answer["applied"][0]["name"] == sloppy
    assert answer["to_pay"] == "90.00"


def test_brought_codes_are_handed_out_until_none_is_left() -> None:
    applied(pool("shop", TEN, codes={"type": "imported", "low": 2}))
    brought = [Brought("AAAA-1111"), Brought("aaaa 1111"), Brought("BBBB2222"), Brought("x")]
    done = issuing.bring("shop", brought, now=NOW)
    assert (done.accepted, done.doubles) == (2, 1)
    assert [(place, str(problems[0])) for place, problems in done.rejected] == [(3, "code: 'x' has not 4 to 60 signs")]
    assert issuing.bring("shop", brought[:1], now=NOW).doubles == 1
    anna, ben, cleo = customer("anna"), customer("ben"), customer("cleo")
    issued = issuing.issue("shop", [Wanted(anna), Wanted(ben), Wanted(cleo)], source="test", now=NOW)
    assert [one.code if one else None for one in issued] == ["AAAA-1111", "BBBB2222", None]
    assert refused(lambda: operations.issue_by_hand("shop", cleo, by="ada", now=NOW)) == [
        "pool: no code is left in stock (bring more codes)"
    ]


def test_a_code_in_stock_cannot_be_used() -> None:
    applied(pool("shop", TEN, codes={"type": "imported"}))
    issuing.bring("shop", [Brought("AAAA1111")], now=NOW)
    answer = redeeming.validate(basket(10, codes=("AAAA1111", "nope")), now=NOW)
    assert reasons(answer) == {"AAAA1111": "not_issued", "nope": "unknown"}
    assert not answer["valid"]


def test_reserve_redeem_and_again() -> None:
    applied(pool("ten", TEN))
    anna = customer("anna")
    code = code_of("ten", anna)
    checkout = basket(100, 50, codes=(code,), customer="anna", id="t1")
    held = redeeming.reserve(checkout, now=NOW)
    assert (held.state, held.ends_at, held.answer["discount"]) == ("reserved", NOW + timedelta(minutes=15), "15.00")
    assert [line["discount"] for line in held.answer["lines"]] == ["10.00", "5.00"]
    assert uses(code) == 1
    assert redeeming.reserve(checkout, now=NOW).repeated
    other = refused(lambda: redeeming.reserve(checkout | {"items": items(1)}, now=NOW))
    assert other == ["id: 't1' was used for something else (use a new id for a new checkout)"]
    answer = redeeming.validate(basket(100, codes=(code,), customer="anna"), now=NOW)
    assert reasons(answer) == {code: "used"}
    done = redeeming.redeem(held.token, now=NOW)
    assert (done.state, done.repeated) == ("redeemed", False)
    assert redeeming.redeem(held.token, now=NOW).repeated
    assert facts_of("anna", "voucher.redeemed") == [
        {"pool": "ten", "code": code, "discount": 15.0, "currency": "EUR", "transaction": "t1"}
    ]
    assert refused(lambda: redeeming.release(held.token, now=NOW)) == [
        "reservation: was redeemed (give it back with the purchase)"
    ]
    assert violations() == {}


def test_what_ran_out_is_free_again() -> None:
    applied(pool("ten", TEN))
    anna = customer("anna")
    code = code_of("ten", anna)
    first = redeeming.reserve(basket(100, codes=(code,), customer="anna", id="t1"), now=NOW)
    late = NOW + timedelta(minutes=15)
    told = refused(lambda: redeeming.redeem(first.token, now=late))
    assert told == ["reservation: ran out at 2026-03-10 12:15 UTC (look at the basket and reserve again)"]
    # Another checkout does not wait for the chore.
    second = redeeming.reserve(basket(100, codes=(code,), customer="anna", id="t2"), now=late)
    assert second.answer["discount"] == "10.00"
    assert Reservation.objects.get(pk=first.id).state == "released"
    assert tasks.release(now=late) == 0
    assert tasks.release(now=late + timedelta(minutes=15)) == 1
    assert uses(code) == 0
    assert refused(lambda: redeeming.redeem(first.token, now=NOW))[0].startswith("reservation: was released")
    assert violations() == {}


def test_release_and_return() -> None:
    applied(
        pool("ten", TEN),
        pool("once", {"type": "amount", "amount": 5}, returned="keep"),
    )
    anna = customer("anna")
    ten, once = code_of("ten", anna), code_of("once", anna)
    held = redeeming.reserve(basket(100, codes=(ten, once), customer="anna", id="t1"), now=NOW)
    assert held.answer["discount"] == "14.50"
    assert redeeming.release(held.token, now=NOW).state == "released"
    assert redeeming.release(held.token, now=NOW).repeated
    assert (uses(ten), uses(once)) == (0, 0)
    done = redeeming.redeem_now(basket(100, codes=(ten, once), customer="anna", id="t2"), now=NOW)
    back = redeeming.give_back(done.token, now=NOW)
    assert (back.state, uses(ten), uses(once)) == ("returned", 0, 1)
    assert redeeming.give_back(done.token, now=NOW).repeated
    assert sorted(Use.objects.filter(reservation_id=done.id).values_list("state", flat=True)) == [
        "redeemed",
        "returned",
    ]
    assert [one["pool"] for one in facts_of("anna", "voucher.returned")] == ["ten"]
    assert violations() == {}


def test_a_gift_card_pays_until_it_is_empty() -> None:
    applied(pool("card", CARD), pool("ten", TEN))
    anna = customer("anna")
    card, ten = code_of("card"), code_of("ten", anna)
    held = redeeming.reserve(basket(40, codes=(card, ten), customer="anna", id="t1", shipping=4), now=NOW)
    assert {name: held.answer[name] for name in ("total", "discount", "paid", "to_pay")} == {
        "total": "44.00",
        "discount": "4.00",
        "paid": "40.00",
        "to_pay": "0.00",
    }
    assert money(card) == ("10.00", "40.00")
    done = redeeming.redeem(held.token, now=NOW)
    assert money(card) == ("10.00", "0.00")
    assert redeeming.refund(done.token, Decimal("12.50"), key="r1", now=NOW) == Decimal("12.50")
    assert redeeming.refund(done.token, Decimal("12.50"), key="r1", now=NOW) == 0
    assert money(card) == ("22.50", "0.00")
    redeeming.give_back(done.token, now=NOW)
    assert money(card) == ("50.00", "0.00")
    second = redeeming.redeem_now(basket(80, codes=(card,), id="t2"), now=NOW)
    assert second.answer["to_pay"] == "30.00"
    answer = redeeming.validate(basket(80, codes=(card,)), now=NOW)
    assert reasons(answer) == {card: "empty"}
    assert violations() == {}


def test_money_on_a_card_lapses_at_its_end() -> None:
    applied(pool("card", CARD, valid={"for": "10d"}))
    card = code_of("card", amount=Decimal("20.00"))
    assert tasks.lapse(now=NOW + timedelta(days=9)) == 0
    assert tasks.lapse(now=NOW + timedelta(days=10)) == 1
    assert money(card) == ("0.00", "0.00")
    assert fetch("SELECT from_account, to_account, amount FROM gift_entry ORDER BY id") == [
        (1, 2, Decimal("20.00")),
        (2, 5, Decimal("20.00")),
    ]
    assert violations() == {}


def test_a_personal_code_is_for_its_person() -> None:
    applied(pool("ten", TEN), pool("anybody", TEN, transferable=True))
    anna = customer("anna")
    customer("ben")
    code, free = code_of("ten", anna), code_of("anybody", anna)
    for who, reason in (("ben", "not_yours"), (None, "unknown_customer")):
        answer = redeeming.validate(basket(10, codes=(code,), customer=who), now=NOW)
        assert reasons(answer) == {code: reason}
        assert redeeming.validate(basket(10, codes=(free,), customer=who), now=NOW)["valid"]


def test_limits_of_a_shared_code() -> None:
    applied(shared("sale", "SALE", TEN, limits={"person": 1, "total": 2}))
    for name in ("anna", "ben", "cleo"):
        customer(name)
    redeeming.redeem_now(basket(10, codes=("sale",), customer="anna", id="t1"), now=NOW)
    answer = redeeming.validate(basket(10, codes=("sale",), customer="anna"), now=NOW)
    assert reasons(answer) == {"sale": "person"}
    redeeming.redeem_now(basket(10, codes=("SALE",), customer="ben", id="t2"), now=NOW)
    told = refused(
        lambda: redeeming.reserve(basket(10, codes=("SALE",), customer="cleo", id="t3", mode="all"), now=NOW)
    )
    assert told == ["codes[0]: This was used as often as it can be."]
    assert violations() == {}


def test_a_budget_is_a_hard_stop_and_is_counted_when_it_comes_later() -> None:
    applied(shared("sale", "SALE", TEN))
    redeeming.redeem_now(basket(100, codes=("SALE",), id="t1"), now=NOW)
    applied(shared("sale", "SALE", TEN, limits={"budget": 25}))
    assert fetch("SELECT uses, spent FROM voucher_pool") == [(1, Decimal("10.00"))]
    held = redeeming.reserve(basket(100, codes=("SALE",), id="t2"), now=NOW)
    assert held.answer["discount"] == "10.00"
    answer = redeeming.validate(basket(60, codes=("SALE",)), now=NOW)
    assert reasons(answer) == {"SALE": "budget"}
    assert redeeming.validate(basket(50, codes=("SALE",)), now=NOW)["discount"] == "5.00"
    redeeming.release(held.token, now=NOW)
    assert redeeming.validate(basket(60, codes=("SALE",)), now=NOW)["discount"] == "6.00"
    assert violations() == {}


def test_a_voucher_for_the_next_purchase_comes_and_goes_with_this_one() -> None:
    applied(
        pool("five", {"type": "amount", "amount": 5}, valid={"for": "30d"}),
        shared("again", "AGAIN", {"type": "next_order", "pool": "five"}),
    )
    anna = customer("anna")
    done = redeeming.redeem_now(basket(50, codes=("AGAIN",), customer="anna", id="t1"), now=NOW)
    [issued] = done.answer["issued"]
    assert issued["valid_until"] == (NOW + timedelta(days=30)).isoformat()
    voucher = Voucher.objects.get(code=issued["code"])
    assert (voucher.customer_id, voucher.state) == (anna, 1)
    redeeming.give_back(done.token, now=NOW)
    voucher.refresh_from_db()
    assert voucher.state == 2


def test_people_are_reminded_once() -> None:
    applied(pool("ten", TEN, valid={"for": "30d"}, remind=["7d", "1d"]))
    anna = customer("anna")
    code = code_of("ten", anna)
    assert tasks.remind(now=NOW + timedelta(days=22)) == 0
    assert tasks.remind(now=NOW + timedelta(days=23)) == 1
    assert tasks.remind(now=NOW + timedelta(days=23, hours=1)) == 0
    assert tasks.remind(now=NOW + timedelta(days=29)) == 1
    assert [one["in"] for one in facts_of("anna", "voucher.expiring")] == ["7d", "1d"]
    assert facts_of("anna", "voucher.expiring")[0]["code"] == code


def test_a_withdrawn_code_is_refused() -> None:
    applied(pool("card", CARD))
    card = code_of("card")
    voucher = Voucher.objects.get(code=card)
    assert issuing.void([voucher.pk], now=NOW) == 1
    assert issuing.void([voucher.pk], now=NOW) == 0
    assert reasons(redeeming.validate(basket(10, codes=(card,)), now=NOW)) == {card: "void"}
    assert violations() == {}


def test_wrong_input_says_where_and_what_to_do() -> None:
    assert refused(lambda: redeeming.validate({"item": []}, now=NOW)) == [
        "item: unknown field 'item' (did you mean 'items'?)"
    ]
    assert refused(lambda: redeeming.validate(basket(1, customer="nobody"), now=NOW)) == [
        "customer: nobody is known by this (leave it out or create the customer)"
    ]
    token = UUID(int=7)
    assert refused(lambda: redeeming.redeem(token, now=NOW)) == [
        f"reservation: there is no {token} (reserve the basket first)"
    ]
    future = (NOW + timedelta(hours=1)).isoformat()
    [told] = refused(lambda: redeeming.validate(basket(1, at=future), now=NOW))
    assert told.endswith("lies in the future (set the clock of the till right)")
    applied(pool("ten", TEN), shared("sale", "SALE", TEN))
    assert refused(lambda: issuing.issue("te", [], source="t", now=NOW)) == [
        "pool: there is no voucher pool 'te' (did you mean 'ten'?)"
    ]
    assert refused(lambda: issuing.issue("sale", [Wanted(None)], source="t", now=NOW)) == [
        "pool: sale has one code for all (hand out the code SALE)"
    ]


def test_a_big_basket_is_a_fixed_number_of_queries() -> None:
    applied(*(shared(f"p{n}", f"CODE{n}", TEN, limits={"person": 1}) for n in range(20)))
    customer("anna")
    counts = []
    # What is looked up once a process is no part of it.
    redeeming.redeem_now(basket(1, codes=("CODE0",), customer="anna", id="t0"), now=NOW)
    for many in (2, 20):
        codes = tuple(f"CODE{n}" for n in range(many))
        with CaptureQueriesContext(connection) as caught:
            redeeming.redeem_now(basket(*[10] * many, codes=codes, customer="anna", id=f"t{many}"), now=NOW)
        counts.append(len(caught))
    assert counts[0] == counts[1]
    assert fetch("SELECT count(*) FROM offer_use") == [(20,)]


def test_a_program_that_protects_its_margin() -> None:
    applied(shared("ten", "TEN10", {"type": "percent", "percent": 10}))
    below = {"codes": ["TEN10"], "items": [{"amount": 100, "margin": 9}]}
    assert redeeming.validate(below, now=NOW)["discount"] == "10.00"
    club.applied(protect_margin=True)
    assert reasons(redeeming.validate(below, now=NOW)) == {"TEN10": "margin"}
    assert redeeming.validate(below | {"items": [{"amount": 100, "margin": 10}]}, now=NOW)["discount"] == "10.00"
    mixed = redeeming.validate({"codes": ["TEN10"], "items": [{"amount": 100, "margin": 9}, {"amount": 50}]}, now=NOW)
    assert (mixed["discount"], mixed["applied"][0]["spared"]) == ("5.00", [1])
    applied(shared("floor", "FLOOR", {"type": "amount", "amount": 5}, margin_floor=20))
    kept = {"codes": ["FLOOR"], "items": [{"amount": 100, "margin": 24}]}
    assert reasons(redeeming.validate(kept, now=NOW)) == {"FLOOR": "margin"}
