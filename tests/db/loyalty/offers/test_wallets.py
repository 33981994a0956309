"""Offers: shown to those they are for, activated, used at the till by themselves, with points that come back."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import redeeming, wallets
from loyalty.offers.models import Offer, VoucherPool
from loyalty.program import setup as programs
from tests.db.loyalty.offers.shop import NOW, applied, basket, customer, offer, pool, reasons, shared, violations
from tests.db.loyalty.program import club
from tests.db.loyalty.program.club import balance, facts_of

pytestmark = pytest.mark.django_db
THREE: dict[str, Any] = {"type": "amount", "amount": 3}


def states(customer_id: int, **at: Any) -> dict[str, str]:
    return {one.key: one.state for one in wallets.wallet(customer_id, now=at.get("now", NOW))}


def test_an_offer_is_activated_and_then_used_by_itself() -> None:
    applied(offer("three", THREE, limits={"person": 1}))
    anna = customer("anna")
    answer = redeeming.validate(basket(10, customer="anna"), now=NOW)
    assert [(one["name"], one["reason"]) for one in answer["recommendations"]] == [("three", "inactive")]
    assert states(anna) == {"three": "open"}
    assert wallets.activate(anna, "three", now=NOW).state == "active"
    assert wallets.activate(anna, "three", now=NOW).state == "active"
    assert facts_of("anna", "offer.activated") == [{"offer": "three"}]
    done = redeeming.redeem_now(basket(10, customer="anna", id="t1"), now=NOW)
    assert done.answer["discount"] == "3.00"
    assert states(anna) == {"three": "used"}
    assert redeeming.validate(basket(10, customer="anna"), now=NOW)["discount"] == "0.00"
    assert facts_of("anna", "offer.redeemed")[0]["offer"] == "three"
    with pytest.raises(Problems, match="as often as one person may: 1"):
        wallets.activate(anna, "three", now=NOW)
    redeeming.give_back(done.token, now=NOW)
    assert states(anna) == {"three": "active"}
    assert violations() == {}


def test_who_sees_which_offer() -> None:
    applied(
        offer("all", THREE, activate=False),
        offer("some", THREE, given=True),
        offer("gold", THREE, when={"tiers": []} | {"stores": ["s1"]}),
        offer("over", THREE, when={"to": "2026-03-09"}),
        offer("paused", THREE, state="paused"),
    )
    anna, ben = customer("anna"), customer("ben")
    assert states(anna) == {"all": "active", "gold": "open"}
    assert wallets.give("some", [anna], now=NOW) == 1
    assert wallets.give("some", [anna, ben], now=NOW) == 1
    assert states(anna) == {"all": "active", "gold": "open", "some": "open"}
    with pytest.raises(Problems, match="cannot be used at the moment"):
        wallets.activate(anna, "paused", now=NOW)
    with pytest.raises(Problems, match="did you mean 'over'"):
        wallets.activate(anna, "ove", now=NOW)
    answer = redeeming.validate(basket(10, offers=["some", "nope"], customer="anna"), now=NOW)
    assert reasons(answer) == {"some": "inactive", "nope": "unknown_offer"}


def test_offers_for_a_segment() -> None:
    rule = {"all": [{"attribute": "country", "eq": "DE"}]}
    applied({"kind": "segment", "key": "vip", "name": {"en": "VIP"}, "rule": rule})
    applied(offer("vip", THREE, activate=False, when={"segments": ["vip"]}))
    anna, ben = customer("anna"), customer("ben")
    execute(
        sql(
            "INSERT INTO segment_member (segment_id, customer_id, since) SELECT id, {anna}, {now} FROM segment",
            anna=anna,
            now=NOW,
        )
    )
    assert (states(anna), states(ben)) == ({"vip": "active"}, {})
    assert redeeming.validate(basket(10, customer="anna"), now=NOW)["discount"] == "3.00"
    assert redeeming.validate(basket(10, customer="ben"), now=NOW)["discount"] == "0.00"
    with pytest.raises(Problems) as caught:
        applied(offer("x", THREE, when={"segments": ["nobody"], "tiers": ["none"]}))
    assert [problem.where.rpartition(": ")[2] for problem in caught.value.problems] == [
        "when.tiers[0]",
        "when.segments[0]",
    ]


def test_points_come_with_the_purchase_and_go_with_its_return() -> None:
    setup = club.applied(club.BASE)
    anna = club.customer("anna")
    applied(
        offer("double", {"type": "multiplier", "times": 3, "only": {"category": ["tea"]}}, activate=False),
        offer("bonus", {"type": "points", "points": 90}, activate=False),
    )
    lines = [{"sku": "a", "category": "tea", "amount": 20}, {"sku": "b", "amount": 10}]
    held = redeeming.reserve({"id": "t1", "customer": "anna", "items": lines}, now=NOW)
    booking = club.buy(setup, "t1", "anna", items=lines)
    assert balance("anna")[1] == 30
    done = redeeming.redeem(held.token, now=NOW, booking_id=booking)
    # Twice 20 more on tea, and 90 over both lines.
    assert done.answer["points"] == 130
    assert balance("anna")[1] == 160
    assert fetch("SELECT line_numbers, parts FROM lot WHERE rule_id IS NULL ORDER BY amount") == [
        ([1], [40]),
        ([1, 2], [60, 30]),
    ]
    club.give_back(setup, "b1", "t1", [{"line": 1}])
    assert balance("anna")[1] == 40
    club.give_back(setup, "b2", "t1")
    assert balance("anna") == (0, 0, 0, 0)
    assert violations() == {}
    assert programs.load().key == "club"
    assert anna > 0


def test_bonus_points_without_a_purchase_in_the_ledger() -> None:
    club.applied(club.BASE)
    anna = club.customer("anna")
    execute(
        sql(
            "INSERT INTO member (program_id, customer_id, state, joined_at) SELECT id, {c}, 'active', {now}"
            " FROM program", c=anna, now=NOW,
        )
    )  # fmt: skip
    execute("INSERT INTO member_balance (member_id, wallet_id) SELECT m.id, w.id FROM member m, wallet w")
    applied(shared("bonus", "BONUS", {"type": "points", "points": 25}))
    done = redeeming.redeem_now(basket(10, codes=("BONUS",), customer="anna", id="t1"), now=NOW)
    assert (done.answer["points"], balance("anna")[1]) == (25, 25)
    assert redeeming.redeem(done.token, now=NOW).repeated
    assert balance("anna")[1] == 25
    assert violations() == {}


def test_documents_go_round_and_mistakes_are_told_with_their_place() -> None:
    documents = [
        pool("five", {"type": "amount", "amount": 5}, valid={"for": "30d"}, name={"en": "Five"}),
        shared("again", "AGAIN", {"type": "next_order", "pool": "five"}, limits={"total": 10}),
        offer("three", THREE, when={"minimum": 10}),
    ]
    applied(*reversed(documents))
    exported = [one for kind in ("voucher_pool", "offer") for one in kinds.get(kind).export()]
    assert [change.verdict for change in apply_documents(exported, now=NOW)] == ["unchanged"] * 3
    assert (VoucherPool.objects.count(), Offer.objects.count()) == (2, 1)
    with pytest.raises(Problems) as caught:
        applied(
            pool("p", {"type": "percent", "percent": 110, "maxx": 3}),
            pool("q", {"type": "next_order", "pool": "fiv"}),
            shared("r", "AGAIN", THREE),
        )
    told = "\n".join(map(str, caught.value.problems))
    assert "benefit.percent.percent" in told
    assert "did you mean 'five'?" in told
    assert "is a code of another pool" in told


def test_what_has_codes_cannot_become_something_else() -> None:
    applied(shared("s", "SALE", THREE))
    with pytest.raises(Problems, match="there are codes already"):
        applied(pool("s", THREE))
    with pytest.raises(Problems, match="a gift card stays one"):
        applied(pool("s", {"type": "gift_card", "amount": 5}))


def test_a_pool_that_ended_issues_nothing() -> None:
    applied(pool("p", THREE, valid={"to": "2026-03-10"}, timezone="Europe/Berlin"))
    from loyalty.offers import issuing

    [issued] = issuing.issue("p", [issuing.Wanted(None)], source="t", now=NOW)
    assert issued is not None
    assert issued.valid_until is not None
    assert issued.valid_until.isoformat() == "2026-03-10T23:00:00+00:00"
    with pytest.raises(Problems, match="ended on 2026-03-10"):
        issuing.issue("p", [issuing.Wanted(None)], source="t", now=NOW + timedelta(days=1))
