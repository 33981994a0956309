"""What people can ask of us: see it, be forgotten, be one with themselves, be told apart."""

from decimal import Decimal

import pytest

from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.kit.sql import fetch
from loyalty.offers import personal_data, redeeming, wallets
from tests.db.loyalty.offers.shop import NOW, applied, basket, code_of, customer, offer, pool, shared, violations

pytestmark = pytest.mark.django_db
TEN = {"type": "percent", "percent": 10}


def set_up() -> tuple[int, str, str]:
    applied(
        pool("ten", TEN),
        pool("card", {"type": "gift_card", "amount": 20}),
        shared("sale", "SALE", {"type": "amount", "amount": 5}, limits={"total": 9}),
        offer("three", {"type": "amount", "amount": 3}),
    )
    anna = customer("anna")
    card = code_of("card", anna)
    ten = code_of("ten", anna)
    wallets.activate(anna, "three", now=NOW)
    redeeming.redeem_now(basket(100, codes=("SALE",), customer="anna", id="t1", store="s1"), now=NOW)
    return anna, ten, card


def test_the_export_shows_every_table() -> None:
    anna, ten, _ = set_up()
    found = personal_data.export(anna)
    assert [(one["pool"], one["code"]) for one in found["voucher"]][1] == ("ten", ten)
    assert [one["offer"] for one in found["offer_wallet"]] == ["three"]
    assert [(one["reference"], one["discount"]) for one in found["offer_reservation"]] == [("t1", Decimal("8.00"))]
    assert sorted((one["pool"] or one["offer"]) for one in found["offer_use"]) == ["sale", "three"]


def test_forgetting_leaves_numbers_and_money() -> None:
    anna, ten, card = set_up()
    erase_customers(customer_ids=[anna])
    assert fetch("SELECT count(*) FROM offer_wallet") == [(0,)]
    assert fetch("SELECT customer_id, reference, store, answer::text FROM offer_reservation") == [
        (None, None, None, "{}")
    ]
    assert fetch("SELECT DISTINCT customer_id, state FROM offer_use") == [(None, "redeemed")]
    assert fetch("SELECT code, state FROM voucher WHERE pool_id <> (SELECT id FROM voucher_pool WHERE key = 'sale')"
                 " ORDER BY id") == [(card, 1), (None, 2)]  # fmt: skip
    assert redeeming.validate(basket(50, codes=(card,)), now=NOW)["paid"] == "20.00"
    assert violations() == {}


def test_people_who_are_one_have_one_wallet_and_can_be_told_apart() -> None:
    anna, ten, card = set_up()
    ben = customer("ben")
    wallets.activate(ben, "three", now=NOW)
    code = code_of("ten", ben)
    joining.join(customer_id=anna, other_id=ben, now=NOW, actor="ada")
    assert {row[0] for row in fetch("SELECT customer_id FROM voucher WHERE customer_id IS NOT NULL")} == {anna}
    assert fetch("SELECT customer_id FROM offer_wallet") == [(anna,)]
    assert redeeming.validate(basket(10, codes=(code,), customer="anna"), now=NOW)["valid"]
    assert violations() == {}
