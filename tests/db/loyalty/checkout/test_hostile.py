"""Somebody who wants more than is due: claims, returns, PINs and refunds against each other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from django.db import connection
from PIL import Image

from loyalty.checkout import photos, reversing, selling, unmatched
from loyalty.checkout.baskets import Basket, Reserved
from loyalty.checkout.models import ClaimAttempt, UnmatchedReceipt
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.program import step_up
from loyalty.program.setup import Setup, load
from tests.db.loyalty.checkout.test_till import Till
from tests.db.loyalty.program.club import BASE, NOW, PROGRAM, applied, balance, buy, customer, member_of, violations
from tests.db.loyalty.program.test_races import at_once

ITEMS = [{"sku": "a", "amount": 30}]


def kept(setup: Setup, identifier: str = "r1", **rest: Any) -> unmatched.Receipt:
    basket = Basket.model_validate({"id": identifier, "customer": None, "items": ITEMS, **rest})
    found = unmatched.keep([basket], setup=setup, now=NOW)[0]
    assert isinstance(found, unmatched.Receipt)
    return found


def claim(who: int, name: str, setup: Setup, **by: Any) -> unmatched.Claimed:
    return unmatched.claim(customer_id=who, reference=name, setup=setup, now=NOW, actor="x", **by)


def apart(work: Any) -> Any:
    """Do it on a connection of its own."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


@pytest.mark.django_db(transaction=True)
def test_a_return_that_meets_a_claim_does_not_open_the_receipt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = applied(BASE)
    anna, ben = customer("anna"), customer("ben")
    receipt = kept(setup)
    found = unmatched.find
    claimed = Event()

    def slow(identifier: str) -> Any:
        seen = found(identifier)
        if not claimed.is_set():
            claimed.set()
            apart(lambda: claim(anna, "anna", setup, code=receipt.code))
        return seen

    monkeypatch.setattr(unmatched, "find", slow)
    with pytest.raises(selling.Conflict):
        reversing.give_back(
            {"id": "b1", "transaction": "r1", "items": [{"line": 1, "quantity": "0.5"}]}, setup=setup, now=NOW
        )
    assert UnmatchedReceipt.objects.get().state == "claimed"
    with pytest.raises(Problems):
        claim(ben, "ben", setup, code=receipt.code)
    assert balance("anna") == (0, 30, 0, 0)
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_are_no_more_than_five() -> None:
    setup = applied(BASE)
    ben = customer("ben")
    kept(setup)
    day = NOW.date()

    def guess(number: int) -> Any:
        return claim(ben, "ben", setup, number="r1", day=day, amount=Decimal(number))

    done = at_once(guess, 60)
    assert [one for one in done if one is not None] == []
    assert ClaimAttempt.objects.count() == unmatched.ATTEMPTS
    assert UnmatchedReceipt.objects.get().state == "open"


@pytest.mark.django_db
def test_points_of_two_wallets_are_counted_together_before_the_pin() -> None:
    wallets = [{**PROGRAM["wallets"][0], "key": key} for key in ("points", "miles")]
    rule = {**BASE, "key": "miles", "wallet": "miles"}
    setup = applied(BASE, rule, wallets=wallets, pin={"spend_above": 50})
    customer("anna")
    buy(setup, "r0", "anna", 100)
    basket = {"id": "r1", "customer": "anna", "items": ITEMS, "spend": {"points": 40, "miles": 40}}
    with pytest.raises(step_up.PinRefused):
        selling.reserve(Basket.model_validate(basket), setup=setup, now=NOW)
    step_up.set_pin(member_id=member_of("anna"), pin="4713", current=None, setup=setup, now=NOW)
    held = selling.reserve(Basket.model_validate({**basket, "pin": "4713"}), setup=setup, now=NOW)
    selling.commit_reserved(Reserved(id="r1", reservation=str(held.token)), setup=setup, now=NOW)
    assert (balance("anna"), balance("anna", "miles")) == ((0, 90, 0, 0), (0, 90, 0, 0))
    assert violations() == {}


@pytest.mark.django_db
def test_a_receipt_is_looked_for_in_its_own_program_only() -> None:
    applied(BASE)
    apply_documents([{**PROGRAM, "key": "cafe"}, {**BASE, "key": "other", "program": "cafe"}], now=NOW)
    anna = customer("anna")
    kept(load("club"))
    kept(load("cafe"), "r2", receipt="r1")
    given = {"number": "r1", "day": date(2026, 3, 10), "amount": Decimal(30)}
    assert claim(anna, "anna", load("club"), **given).booking_id
    assert balance("anna") == (0, 30, 0, 0)


@pytest.mark.django_db
def test_days_at_the_end_of_time_are_no_receipts() -> None:
    applied(BASE)
    customer("anna")
    till = Till()
    for day in ("9999-12-31", "0001-01-01"):
        body = {"customer": "anna", "number": "r1", "day": day, "amount": 30}
        till("post", "receipts/claim", body, status=422)


@pytest.mark.django_db
@pytest.mark.parametrize("pin", ["\ud800\ud800", "\0\0\0\0", "４７１３", "+4713", "4713 ", "1e3 "])
def test_odd_pins_are_wrong_and_nothing_else(pin: str) -> None:
    setup = applied(BASE, pin={"spend_above": 50})
    customer("anna")
    buy(setup, "r0", "anna", 100)
    step_up.set_pin(member_id=member_of("anna"), pin="4713", current=None, setup=setup, now=NOW)
    till = Till()
    till("post", "members/anna/spend", {"points": 60, "pin": pin}, status=422)
    till("put", "members/anna/pin", {"pin": "9163", "current": pin}, status=422)
    till("put", "members/anna/pin", {"pin": pin, "current": "4713"}, status=422)
    assert balance("anna") == (0, 100, 0, 0)


def photo(who: int, setup: Setup, color: int) -> int:
    out = BytesIO()
    Image.new("RGB", (300, 400), (color, 0, 0)).save(out, "PNG")
    return photos.send(customer_id=who, program_id=setup.id, content=out.getvalue(), note=None, now=NOW)[0]


@pytest.mark.django_db
def test_one_receipt_on_two_photos_is_booked_once_whatever_store_is_read() -> None:
    store = {"kind": "store", "key": "cologne", "name": {"en": "Cologne"}}
    setup = applied(BASE, store, {**store, "key": "bonn"})
    people = [customer(name) for name in ("anna", "ben", "cleo")]
    sent = [photo(who, setup, 40 * place) for place, who in enumerate(people)]
    given: dict[str, Any] = {"number": "4711", "day": NOW.date(), "amount": Decimal(30), "setup": setup, "by": "berta"}
    photos.book(sent[0], store="cologne", now=NOW, **given)
    for store_read in ("cologne", None):
        with pytest.raises(Problems, match="booked already"):
            photos.book(sent[1], store=store_read, now=NOW, **given)
    # Another store counts its receipts by itself.
    photos.book(sent[2], store="bonn", now=NOW, **given)
    assert [balance(name) for name in ("anna", "cleo")] == [(0, 30, 0, 0)] * 2
    assert violations() == {}


@pytest.mark.django_db
def test_a_purchase_with_the_card_is_not_booked_again_from_its_photo() -> None:
    setup = applied(BASE)
    anna = customer("anna")
    buy(setup, "till 3 / 99812", "anna", 30)
    given: dict[str, Any] = {"number": "4711", "day": NOW.date(), "store": None, "setup": setup, "by": "b", "now": NOW}
    with pytest.raises(Problems, match="with the card"):
        photos.book(photo(anna, setup, 1), amount=Decimal(30), **given)
    photos.book(photo(anna, setup, 80), amount=Decimal(31), **given)
    again = photo(anna, setup, 160)
    photos.book(again, amount=Decimal(30), another=True, **{**given, "number": "4712"})
    assert balance("anna") == (0, 91, 0, 0)
