"""Many tills at once, by real connections: one purchase, one use of a voucher, one claim."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.checkout import reversing, selling, unmatched
from loyalty.checkout.baskets import Basket, Reserved
from loyalty.kit.sql import fetch
from tests.db.loyalty.offers.shop import applied as offered
from tests.db.loyalty.offers.shop import code_of, shared, uses
from tests.db.loyalty.offers.shop import violations as wrong_offers
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, violations
from tests.db.loyalty.program.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = [{"sku": "a", "amount": 100}]
TEN = {"type": "percent", "percent": 10}


def basket(identifier: str, **rest: Any) -> Basket:
    return Basket.model_validate({"id": identifier, "customer": "anna", "items": ITEMS, **rest})


def test_one_reservation_committed_by_many_is_one_purchase() -> None:
    setup = applied(BASE)
    offered({"kind": "voucher_pool", "key": "ten", "benefit": TEN})
    anna = customer("anna")
    buy(setup, "r0", "anna", 40)
    code = code_of("ten", anna)
    held = selling.reserve(basket("r1", codes=[code], spend=40), setup=setup, now=NOW)
    given = Reserved(id="r1", reservation=str(held.token))
    done = at_once(lambda _: selling.commit_reserved(given, setup=setup, now=NOW), 40)
    assert len({one.booking_id for one in done}) == 1
    assert sum(not one.repeated for one in done) == 1
    assert (balance("anna"), uses(code)) == ((0, 90, 0, 0), 1)
    assert (violations(), wrong_offers()) == ({}, {})


def test_commit_and_release_and_time_meet() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r0", "anna", 40)
    held = selling.reserve(basket("r1", spend=40), setup=setup, now=NOW)
    given = Reserved(id="r1", reservation=str(held.token))

    def work(number: int) -> Any:
        if number % 3 == 0:
            return selling.commit_reserved(given, setup=setup, now=NOW).booking_id
        if number % 3 == 1:
            return selling.release(str(held.token), setup=setup, now=NOW)
        return selling.expire(now=NOW + timedelta(hours=1), limit=10)

    at_once(work, 30)
    state, booking_id = fetch("SELECT state, booking_id FROM held_basket")[0]
    assert (state == "committed") == (booking_id is not None)
    assert balance("anna") == ((0, 100, 0, 0) if booking_id else (0, 40, 0, 0)) or state == "expired"
    assert violations() == {}


def test_the_last_ten_uses_of_a_code_for_sixty_tills() -> None:
    setup = applied(BASE)
    offered(shared("ten", "TEN", TEN, limits={"total": 10}))
    for number in range(60):
        customer(f"c{number}")

    def sell(number: int) -> Any:
        given = basket(f"r{number}", customer=f"c{number}", codes=["TEN"])
        if number % 2:
            return selling.sell(given, setup=setup, now=NOW)
        held = selling.reserve(given, setup=setup, now=NOW)
        reserved = Reserved(id=f"r{number}", reservation=str(held.token))
        return selling.commit_reserved(reserved, setup=setup, now=NOW)

    done = [one for one in at_once(sell, 60) if one is not None]
    assert len(done) == 10
    assert fetch("SELECT count(*) FROM booking") == [(10,)]
    assert fetch("SELECT count(*) FROM sale WHERE discount = 10") == [(10,)]
    assert (violations(), wrong_offers()) == ({}, {})


def test_purchases_returns_and_vouchers_of_one_customer_do_not_wait_in_a_circle() -> None:
    setup = applied(BASE)
    offered(shared("ten", "TEN", TEN))
    customer("anna")

    def work(number: int) -> Any:
        identifier = f"r{number // 3}"
        given = basket(identifier, codes=["TEN"])
        if number % 3 == 0:
            return selling.sell(given, setup=setup, now=NOW)
        if number % 3 == 1:
            held = selling.reserve(basket(f"h{number}", codes=["TEN"]), setup=setup, now=NOW)
            return selling.commit_reserved(Reserved(id=f"h{number}", reservation=str(held.token)), setup=setup, now=NOW)
        return reversing.void({"transaction": identifier}, setup=setup, now=NOW)

    at_once(work, 90)
    sold = fetch("SELECT count(*) FROM booking WHERE kind = 'purchase'")[0][0]
    voided = fetch("SELECT count(*) FROM booking WHERE kind = 'void'")[0][0]
    assert sold == 60
    assert balance("anna") == (0, 90 * (sold - voided), 0, 0)
    assert fetch("SELECT count(*) FROM sale WHERE restored_at IS NOT NULL") == [(voided,)]
    assert (violations(), wrong_offers()) == ({}, {})


def test_a_receipt_claimed_by_many_at_once_is_one_persons() -> None:
    setup = applied(BASE)
    people = {name: customer(name) for name in (f"c{number}" for number in range(20))}
    row = {"id": "r1", "customer": None, "amount": 30}
    kept = unmatched.keep([Basket.model_validate(row)], setup=setup, now=NOW)[0]
    assert isinstance(kept, unmatched.Receipt)

    def claim(number: int) -> Any:
        name = f"c{number}"
        return unmatched.claim(
            customer_id=people[name], reference=name, setup=setup, now=NOW, actor="x", code=kept.printed
        )

    done = [one for one in at_once(claim, 20) if one is not None]
    assert len(done) == 1
    assert fetch("SELECT count(*), sum(amount) FROM lot") == [(1, 30)]
    assert violations() == {}
