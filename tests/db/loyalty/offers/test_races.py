"""Real connections at once: the last ten are ten, a gift card pays once, nothing is held twice."""

from decimal import Decimal

import pytest

from loyalty.customers.erasing import erase_customers
from loyalty.kit.sql import fetch
from loyalty.offers import holding, issuing, redeeming
from loyalty.offers.issuing import Brought, Wanted
from tests.db.loyalty.offers.shop import NOW, applied, basket, code_of, customer, money, pool, shared, violations
from tests.db.loyalty.program.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
TEN = {"type": "percent", "percent": 10}


def test_200_redemptions_of_the_last_ten() -> None:
    applied(shared("last", "LAST10", TEN, limits={"total": 10}))

    def redeem(number: int) -> bool:
        checkout = basket(100, codes=("LAST10",), id=f"t{number}", mode="all")
        if number % 2:
            return redeeming.redeem_now(checkout, now=NOW).state == "redeemed"
        return redeeming.reserve(checkout, now=NOW).state == "reserved"

    done = at_once(redeem, 200)
    assert sum(one is True for one in done) == 10
    assert fetch("SELECT count(*) FROM offer_use") == [(10,)]
    assert fetch("SELECT uses, spent FROM voucher_pool") == [(10, Decimal("100.00"))]
    assert violations() == {}


def test_200_redemptions_of_ten_single_codes() -> None:
    applied(pool("ten", TEN))
    codes = [code_of("ten") for _ in range(10)]
    done = at_once(
        lambda number: redeeming.redeem_now(
            basket(100, codes=(codes[number % 10],), id=f"t{number}", mode="all"), now=NOW
        ),
        200,
    )
    assert sum(one is not None for one in done) == 10
    assert fetch("SELECT uses, count(*) FROM voucher GROUP BY 1") == [(1, 10)]
    assert violations() == {}


def test_a_budget_holds_against_many_tills() -> None:
    applied(shared("sale", "SALE", TEN, limits={"budget": 55}))
    done = at_once(
        lambda number: redeeming.redeem_now(basket(100, codes=("SALE",), id=f"t{number}", mode="all"), now=NOW), 60
    )
    assert sum(one is not None for one in done) == 5
    assert fetch("SELECT spent FROM voucher_pool") == [(Decimal("50.00"),)]
    assert violations() == {}


def test_one_person_at_many_tills_uses_it_once() -> None:
    applied(shared("sale", "SALE", TEN, limits={"person": 1}))
    customer("anna")
    done = at_once(
        lambda number: redeeming.redeem_now(
            basket(100, codes=("SALE",), customer="anna", id=f"t{number}", mode="all"), now=NOW
        ),
        40,
    )
    assert sum(one is not None for one in done) == 1
    assert violations() == {}


def test_a_gift_card_at_many_tills_pays_what_is_on_it() -> None:
    applied(pool("card", {"type": "gift_card", "amount": 50}))
    card = code_of("card")
    done = at_once(lambda number: redeeming.redeem_now(basket(8, codes=(card,), id=f"t{number}"), now=NOW), 40)
    assert sum(Decimal(one.answer["paid"]) for one in done) == 50
    assert money(card) == ("0.00", "0.00")
    assert violations() == {}


def test_one_checkout_sent_many_times_is_one() -> None:
    applied(shared("sale", "SALE", TEN))
    done = at_once(lambda number: redeeming.redeem_now(basket(100, codes=("SALE",), id="t1"), now=NOW), 40)
    assert len({one.token for one in done}) == 1
    assert sum(not one.repeated for one in done) == 1
    assert fetch("SELECT count(*) FROM offer_use") == [(1,)]


def test_redeem_and_release_at_once_are_one_of_both() -> None:
    applied(pool("ten", TEN, limits={"total": 30}), pool("card", {"type": "gift_card", "amount": 5}))
    tokens = []
    for number in range(15):
        codes = (code_of("ten"), code_of("card"))
        tokens.append(redeeming.reserve(basket(100, codes=codes, id=f"t{number}"), now=NOW).token)

    def either(number: int) -> str:
        act = redeeming.redeem if number % 2 else redeeming.release
        return act(tokens[number // 4], now=NOW).state

    done = [one for one in at_once(either, 60) if one]
    states = fetch("SELECT state, count(*) FROM offer_reservation GROUP BY 1")
    assert sum(count for _, count in states) == 15
    assert set(done) <= {"redeemed", "released"}
    assert violations() == {}


def test_stock_is_handed_out_once() -> None:
    applied(pool("shop", TEN, codes={"type": "imported"}))
    issuing.bring("shop", [Brought(f"CODE{number}") for number in range(25)], now=NOW)
    people = [customer(f"c{number}") for number in range(40)]
    done = at_once(lambda number: issuing.issue("shop", [Wanted(people[number])], source="t", now=NOW)[0], 40)
    codes = [one.code for one in done if one]
    assert (len(codes), len(set(codes))) == (25, 25)


def test_checkouts_erasing_and_running_out_at_once() -> None:
    applied(pool("ten", TEN, limits={"total": 500}), shared("sale", "SALE", TEN, limits={"budget": 100_000}))
    people = [customer(f"c{number}") for number in range(12)]
    codes = [code_of("ten", one) for one in people]

    def act(number: int) -> None:
        who = number % 12
        if number % 5 == 4:
            erase_customers(customer_ids=[people[who]])
        elif number % 7 == 3:
            holding.end_due(now=NOW.replace(hour=13))
        else:
            checkout = basket(10, 20, codes=(codes[who], "SALE"), customer=f"c{who}", id=f"t{number}")
            held = redeeming.reserve(checkout, now=NOW)
            redeeming.redeem(held.token, now=NOW)

    at_once(act, 120)
    assert violations() == {}
    assert fetch("SELECT count(*) FROM offer_use WHERE customer_id > 0") == [(0,)]
