"""How long limits last, what personal offers show and answer, and texts with prices."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.sql import execute, sql
from loyalty.offers import diagnoses, forecast, operations, rounds
from loyalty.offers.definition import OfferDocument
from loyalty.offers.models import Offer, OfferRound, VoucherPool
from tests.db.loyalty.offers.shop import NOW, applied, customer, offer, pool
from tests.db.loyalty.program import club

pytestmark = pytest.mark.django_db
THREE: dict[str, Any] = {"type": "amount", "amount": 3}
PERSONAL: dict[str, Any] = {"sizes": [3, 5], "margin": 40, "basis": "interest"}


def used(column: str, identifier: int, times: int, amount: float, days: int) -> None:
    """So many uses of so much, so many days ago."""
    voucher = 1 if column == "pool_id" else None
    execute(
        sql(
            "INSERT INTO offer_use (reservation_id, pool_id, voucher_id, offer_id, state, at, amount, paid, lines)"
            " SELECT 1, {p}::int, {v}::bigint, {o}::int, 'redeemed', {at}, {amount}, 0, '{{}}'"
            " FROM generate_series(1, {n})",
            p=identifier if voucher else None,
            v=voucher,
            o=None if voucher else identifier,
            at=NOW - timedelta(days=days),
            amount=amount,
            n=times,
        )
    )


def test_the_day_on_which_nothing_is_left() -> None:
    applied(
        pool("money", THREE, limits={"budget": 1000}),
        pool("count", THREE, limits={"total": 100, "budget": 1000}),
        pool("still", THREE, limits={"total": 10}),
        pool("free", THREE),
    )
    old = NOW - timedelta(days=60)
    VoucherPool.objects.update(created_at=old)
    found = {one.key: one for one in VoucherPool.objects.all()}
    used("pool_id", found["money"].pk, 28, 10, 3)
    used("pool_id", found["money"].pk, 99, 10, 29)
    used("pool_id", found["count"].pk, 56, 5, 1)
    VoucherPool.objects.filter(key="money").update(uses=127, spent=800)
    VoucherPool.objects.filter(key="count").update(uses=80, spent=280)
    ahead = forecast.forecasts(VoucherPool.objects.all(), now=NOW)
    assert found["free"].pk not in ahead
    money, count = ahead[found["money"].pk], ahead[found["count"].pk]
    # 10 a day are spent, 200 are left; two uses a day, 20 are left, and 10 a day of 720.
    assert (money.uses_a_day, money.money_a_day, money.money_left) == (1.0, 10, 200)
    assert (money.empty_on, money.by, money.soon(NOW.date())) == (date(2026, 3, 30), "budget", False)
    assert (count.empty_on, count.by, count.soon(NOW.date())) == (date(2026, 3, 20), "total", True)
    assert ahead[found["still"].pk].plain() == {
        "uses_a_day": 0, "money_a_day": "0.00", "uses_left": 10, "money_left": None, "empty_on": None, "by": None,
    }  # fmt: skip
    assert [(kind, key) for kind, key, _ in forecast.running_out(now=NOW)] == [("voucher_pool", "count")]


def test_a_young_offer_by_the_days_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    applied(offer("own", THREE, limits={"total": 10}))
    Offer.objects.update(created_at=NOW - timedelta(days=2), uses=6)
    used("offer_id", Offer.objects.get().pk, 6, 3, 1)
    [one] = forecast.forecasts(Offer.objects.all(), now=NOW).values()
    assert (one.uses_a_day, one.empty_on) == (3.0, date(2026, 3, 11))
    monkeypatch.setattr(diagnoses, "now", lambda: NOW)
    assert [(one.level, "offer own" in one.text) for one in diagnoses.look_at_budgets()] == [("warning", True)]


def test_texts_that_compare_prices_are_warned_of() -> None:
    text = {"de": "Jetzt 9,99 € statt 19,99 €", "en": "Now 9.99"}
    document = OfferDocument.model_validate(offer("own", THREE, description=text))
    change = operations.save_offer(document, now=NOW)
    assert [(one.where, "statt 19,99 €" in one.problem) for one in change.warnings] == [("description.de", True)]
    assert operations.save_offer(document, now=NOW).warnings != ()


def personal_shop() -> int:
    setup = club.applied(club.BASE)
    anna = customer("anna")
    for number in range(3):
        at = (NOW - timedelta(days=5 + number)).isoformat()
        club.buy(setup, f"a{number}", "anna", 40, occurred_at=at)
    applied(offer("own", THREE, name={"en": "Your own"}, activate=False, personal=PERSONAL))
    rounds.go_on(now=NOW)
    return anna


def test_the_call_of_results() -> None:
    personal_shop()
    applied(offer("plain", THREE))
    secret = create_api_key(name="t", scopes=("loyalty:read",), now=NOW).secret
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    found = client.get("/api/v1/loyalty/offers/own/results").json()
    assert found["in_all"]["difference"]["verdict"] == "few"
    assert (found["rounds"][0]["state"], found["rounds"][0]["result"]) == ("running", None)
    assert found["rounds"][0]["rates"][0]["reach"] == 0.15
    assert client.get("/api/v1/loyalty/offers/plain/results").status_code == 404
    assert (
        client.get("/api/v1/loyalty/offers").json()["offers"][0]["sentence"].startswith("3 EUR / 5 EUR, from 1.2 times")
    )


def cell(size: float | None, held_out: bool, people: int, margin: float, squares: float) -> dict[str, Any]:
    return {
        "band": 1, "step": 1, "size": size, "held_out": held_out, "people": people, "reached": people // 4,
        "redeemers": 0 if held_out else people // 5, "revenue": 10.0 * people, "margin": margin, "squares": squares,
        "cost": 0.0,
    }  # fmt: skip


def test_pages() -> None:
    anna = personal_shop()
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(User.objects.create_superuser("boss", password="x"))
    page = f"/admin/offers/offer/{Offer.objects.get().pk}/change/"
    text = client.get(page).content.decode()
    assert "No round is measured yet" in text and "25 to under 50 EUR" in text
    OfferRound.objects.update(
        state="measured",
        outcome=[cell(3.0, False, 1000, 5000, 26_000), cell(None, True, 1000, 4000, 17_000)],
    )
    text = client.get(page).content.decode()
    assert "brings more than it costs" in text and "+1.00 EUR margin a head" in text and "+1,000.00 EUR for all" in text
    OfferRound.objects.update(outcome=[cell(3.0, False, 20, 100, 520), cell(None, True, 20, 80, 340)])
    assert "too few people to say" in client.get(page).content.decode()
    assert "3 EUR / 5 EUR" in client.get("/admin/offers/offer/").content.decode()
    OfferRound.objects.update(ends_at=NOW + timedelta(days=9_000))
    text = client.get(f"/admin/customers/customer/{anna}/change/").content.decode()
    assert "Your own" in text and ("brings most" in text or "Held out" in text or "by chance" in text)
    assert "your_next_purchase" in client.get("/admin/offers/offers/new/?like=personal").content.decode()
