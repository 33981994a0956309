"""Redeeming: what is taken, what stands against it, what comes back."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from loyalty.program import movements
from loyalty.rewards import fulfillment, stock
from loyalty.rewards.models import Redemption, RedemptionStep, Reward, RewardCode, RewardSlot
from loyalty.rewards.redeeming import give, redeem
from loyalty.rewards.shapes import Gift, Order
from tests.db.loyalty.program import club
from tests.db.loyalty.rewards.store import (
    ADDRESS,
    MUG,
    NOW,
    events_of,
    member,
    opened,
    order,
    points_of,
    state,
    taken,
    violations,
)

pytestmark = pytest.mark.django_db

CODE: dict[str, Any] = {"kind": "reward", "key": "film", "type": "digital", "points": 50, "codes": True}
LINK: dict[str, Any] = {"kind": "reward", "key": "book", "type": "digital", "points": 20, "link": "https://x.test/b"}


def refused(customer_id: int, reward: str, setup: Any, **rest: Any) -> list[tuple[str, str]]:
    with pytest.raises(Problems) as error:
        redeem(Order(reward, **rest), customer_id=customer_id, setup=setup, now=rest.pop("now", NOW))
    return [(one.where, one.problem) for one in error.value.problems]


def test_a_mug_for_points() -> None:
    setup = opened(MUG)
    anna = member("anna", 250, setup)
    done = order(anna, "mug", setup, quantity=2, note="green please")
    assert (done.repeated, done.state, done.points) == (False, "ordered", 200)
    assert (points_of(anna), taken("mug")) == (50, 2)
    row = Redemption.objects.get()
    assert (row.customer_id, row.quantity, row.points, row.source) == (anna, 2, 200, "member")
    assert (row.address, row.note, row.money) == (ADDRESS, "green please", None)
    assert [(one.state, one.at) for one in RedemptionStep.objects.all()] == [("ordered", NOW)]
    assert events_of(anna, "reward.redeemed") == [
        {
            "program": "club",
            "reward": "mug",
            "name": {"en": "Mug", "de": "Becher"},
            "type": "physical",
            "quantity": 2,
            "points": 200,
            "source": "member",
        }
    ]
    assert violations() == {}


def test_every_mistake_is_told_at_once() -> None:
    setup = opened(MUG | {"most": 3, "money": 4.9})
    anna = member("anna", 70, setup)
    found = refused(anna, "mug", setup, quantity=4, address={"name": "Anna", "country": "Germany", "planet": "Mars"})
    assert found == [
        ("quantity", "must be between 1 and 3"),
        ("points", "400 points are wanted, 70 can be used"),
        ("payment", "19.60 are to be paid"),
        ("address.planet", "is no field of an address"),
        ("address.street", "is missing"),
        ("address.postcode", "is missing"),
        ("address.city", "is missing"),
        ("address.country", "is no country code"),
    ]
    assert refused(anna, "mug", setup, price=1, address=ADDRESS) == [("price", "there are 1 prices")]
    assert refused(anna, "mugg", setup) == [("reward", "there is no reward 'mugg'")]
    assert refused(club.customer("ben"), "mug", setup) == [("customer", "is no member of the program")]
    assert (points_of(anna), taken("mug"), Redemption.objects.count()) == (70, 0, 0)


def test_points_and_money() -> None:
    setup = opened({**MUG, "prices": [{"points": 100}, {"points": 40, "money": "4.90"}], "points": None})
    anna = member("anna", 80, setup)
    done = order(anna, "mug", setup, price=1, quantity=2, payment="pay-1")
    row = Redemption.objects.get(id=done.redemption_id)
    assert (row.points, str(row.money), row.currency, row.payment) == (80, "9.80", "EUR", "pay-1")
    assert points_of(anna) == 0


def test_the_same_order_sent_again_is_one() -> None:
    setup = opened(MUG)
    anna = member("anna", 300, setup)
    first = order(anna, "mug", setup, identifier="o-1")
    again = order(anna, "mug", setup, identifier="o-1")
    assert (again.redemption_id, again.repeated, again.points) == (first.redemption_id, True, 100)
    assert refused(anna, "mug", setup, identifier="o-1", quantity=2, address=ADDRESS) == [
        ("id", "stands for another order already")
    ]
    assert (points_of(anna), taken("mug")) == (200, 1)


def test_limits_per_person() -> None:
    setup = opened(MUG | {"per_person": {"max": 2, "per": "month"}})
    anna = member("anna", 1000, setup)
    order(anna, "mug", setup)
    assert refused(anna, "mug", setup, quantity=2, address=ADDRESS) == [
        ("quantity", "1 more may be redeemed by this customer")
    ]
    second = order(anna, "mug", setup)
    assert refused(anna, "mug", setup, address=ADDRESS) == [("reward", "was redeemed as often as one person may")]
    fulfillment.cancel(second.redemption_id, now=NOW)
    order(anna, "mug", setup)
    assert order(anna, "mug", setup, now=NOW + timedelta(days=22)).points == 100
    assert taken("mug") == 3


def test_the_last_piece() -> None:
    setup = opened(MUG | {"stock": 2})
    anna, ben = member("anna", 500, setup), member("ben", 500, setup)
    order(anna, "mug", setup)
    assert refused(ben, "mug", setup, quantity=2, address=ADDRESS) == [("quantity", "only 1 are left")]
    order(ben, "mug", setup)
    assert refused(ben, "mug", setup, address=ADDRESS) == [("reward", "is sold out")]
    with pytest.raises(Problems, match="sold out"):
        stock.take({Reward.objects.get().id: 1})
    assert violations() == {}


def test_who_may_see_it() -> None:
    tiers = [{"kind": "tier", "key": "gold", "rank": 1, "threshold": 500}]
    later = {"redeemable": {"from": (NOW + timedelta(days=1)).isoformat(), "to": (NOW + timedelta(days=2)).isoformat()}}
    setup = opened(*tiers, MUG | {"visible": {"tiers": ["gold"]}}, LINK | later)
    anna = member("anna", 500, setup)
    assert refused(anna, "mug", setup) == [("reward", "'mug' is not there for this customer")]
    assert refused(anna, "book", setup) == [("reward", "cannot be redeemed yet")]
    with pytest.raises(Problems, match="cannot be redeemed any more"):
        order(anna, "book", setup, now=NOW + timedelta(days=2))
    assert order(anna, "book", setup, now=NOW + timedelta(days=1)).state == "delivered"


def test_codes_are_given_once_and_never_come_back() -> None:
    setup = opened(CODE)
    reward = Reward.objects.get()
    added = stock.add_codes(reward_id=reward.id, codes=["AAA", " BBB ", "", "AAA", "CCC"], now=NOW)
    assert (added.added, added.known) == (3, 1)
    assert stock.add_codes(reward_id=reward.id, codes=["CCC", "DDD"], now=NOW).added == 1
    anna = member("anna", 500, setup)
    done = order(anna, "film", setup, quantity=2)
    assert done.state == "delivered"
    assert list(RewardCode.objects.filter(redemption_id=done.redemption_id).values_list("code", flat=True)) == [
        "AAA",
        "BBB",
    ]
    with pytest.raises(Problems, match="delivered the moment"):
        fulfillment.cancel(done.redemption_id, now=NOW, by_member=True)
    assert fulfillment.cancel(done.redemption_id, now=NOW, actor="ada").points == 100
    assert (points_of(anna), taken("film")) == (500, 2)
    order(anna, "film", setup, quantity=2)
    assert refused(anna, "film", setup) == [("reward", "is sold out")]
    assert violations() == {}


def test_codes_whose_time_is_up_leave_the_stock() -> None:
    setup = opened(CODE)
    reward = Reward.objects.get()
    stock.add_codes(reward_id=reward.id, codes=["OLD1", "OLD2"], now=NOW, expires_at=NOW + timedelta(days=1))
    stock.add_codes(reward_id=reward.id, codes=["NEW"], now=NOW)
    anna = member("anna", 500, setup)
    late = NOW + timedelta(days=1)
    with pytest.raises(Problems, match="sold out"):
        order(anna, "film", setup, quantity=2, now=late)
    assert stock.retire_codes(now=late) == 2
    assert stock.retire_codes(now=late) == 0
    reward.refresh_from_db()
    assert (reward.stock, reward.taken) == (1, 0)
    done = order(anna, "film", setup, now=late)
    assert RewardCode.objects.get(redemption_id=done.redemption_id).code == "NEW"
    assert violations() == {}


def test_bad_codes() -> None:
    opened(CODE, MUG)
    film, mug = Reward.objects.get(key="film").id, Reward.objects.get(key="mug").id
    for reward_id, codes, text in ((mug, ["A"], "brings no codes"), (film, ["", " "], "there is no code")):
        with pytest.raises(Problems, match=text):
            stock.add_codes(reward_id=reward_id, codes=codes, now=NOW)
    with pytest.raises(Problems, match=r"codes\[1\]: is longer than 500 characters"):
        stock.add_codes(reward_id=film, codes=["A", "B" * 501], now=NOW)


def test_a_bundle_takes_all_its_parts_and_gives_them_all_back() -> None:
    bundle = {
        "kind": "reward", "key": "box", "type": "bundle", "points": 120, "stock": 5,
        "items": [{"reward": "mug", "quantity": 2}, {"reward": "film"}],
    }  # fmt: skip
    setup = opened(MUG, CODE, bundle)
    stock.add_codes(reward_id=Reward.objects.get(key="film").id, codes=["A", "B", "C"], now=NOW)
    anna = member("anna", 500, setup)
    assert refused(anna, "box", setup) == [("address", "is missing")]
    done = order(anna, "box", setup, quantity=2)
    assert (done.state, done.points, points_of(anna)) == ("ordered", 240, 260)
    assert [taken(key) for key in ("box", "mug", "film")] == [2, 4, 2]
    parts = list(Redemption.objects.filter(parent_id=done.redemption_id).order_by("id"))
    assert [(one.reward.key, one.quantity, one.state, one.points) for one in parts] == [
        ("mug", 4, "ordered", 0),
        ("film", 2, "delivered", 0),
    ]
    assert refused(anna, "box", setup, quantity=2, address=ADDRESS) == [("quantity", "only 1 are left")]
    with pytest.raises(Problems, match="part of a bundle"):
        fulfillment.cancel(parts[0].pk, now=NOW)
    assert fulfillment.cancel(done.redemption_id, now=NOW, actor="ada").points == 240
    assert [taken(key) for key in ("box", "mug", "film")] == [0, 0, 2]
    assert violations() == {}


def test_a_bundle_is_delivered_with_its_last_part() -> None:
    bundle = {"kind": "reward", "key": "box", "type": "bundle", "points": 120, "items": [{"reward": "mug"}]}
    setup = opened(MUG, bundle)
    done = order(member("anna", 500, setup), "box", setup)
    part = Redemption.objects.get(parent_id=done.redemption_id).pk
    assert fulfillment.advance([done.redemption_id], state="delivered", now=NOW) == 0
    assert fulfillment.advance([part], state="shipped", now=NOW, tracking="T1") == 1
    assert state(done.redemption_id) == "ordered"
    assert fulfillment.advance([part], state="delivered", now=NOW) == 1
    assert state(done.redemption_id) == "delivered"


def test_an_hour_has_so_many_places() -> None:
    at = NOW + timedelta(days=7)
    tour = {
        "kind": "reward", "key": "tour", "type": "event", "points": 10, "cancel_before": "2d",
        "slots": [{"at": at.isoformat(), "places": 3}, {"at": (NOW - timedelta(days=1)).isoformat()}],
    }  # fmt: skip
    setup = opened(tour)
    anna = member("anna", 500, setup)
    assert refused(anna, "tour", setup) == [("slot", "is missing")]
    assert refused(anna, "tour", setup, slot=NOW) == [("slot", "is none of the reward's times")]
    assert refused(anna, "tour", setup, slot=NOW - timedelta(days=1)) == [("slot", "has passed")]
    done = order(anna, "tour", setup, slot=at, quantity=2)
    assert refused(anna, "tour", setup, slot=at, quantity=2) == [("slot", "has no room left")]
    assert RewardSlot.objects.get(starts_at=at).taken == 2
    with pytest.raises(Problems, match="the hour is too near"):
        fulfillment.cancel(done.redemption_id, now=at - timedelta(days=2), by_member=True)
    fulfillment.cancel(done.redemption_id, now=at - timedelta(days=2, seconds=1), by_member=True)
    assert RewardSlot.objects.get(starts_at=at).taken == 0
    assert violations() == {}


def test_cancelling_gives_back_exactly_what_was_spent_to_the_lots_it_came_from() -> None:
    setup = opened(MUG | {"points": 70}, wallets=[{"key": "points", "expiry": {"after": "36 months", "until": "year"}}])
    anna = member("anna", 50, setup)
    member_id = club.member_of("anna")
    early = movements.Grant(member_id, 40, expires_at=NOW + timedelta(days=5))
    movements.grant([early], setup=setup, wallet=None, kind="adjust", reason="x", now=NOW)
    done = order(anna, "mug", setup)
    assert fetch("SELECT active, spent FROM lot ORDER BY expires_at") == [(0, 40), (20, 30)]
    late = NOW + timedelta(days=6)
    gone = fulfillment.cancel(done.redemption_id, now=late, reason="too late", by_member=True)
    assert (gone.points, gone.redemptions) == (70, 1)
    assert fetch("SELECT active, spent FROM lot ORDER BY expires_at") == [(40, 0), (50, 0)]
    # What would have expired meanwhile is good for 30 days more.
    assert fetch("SELECT expires_at FROM lot ORDER BY expires_at LIMIT 1") == [(late + timedelta(days=30),)]
    assert movements.expire(setup, now=late) == 0
    row = Redemption.objects.get()
    assert (row.state, row.reason) == ("cancelled", "too late")
    assert fetch("SELECT original_id FROM booking WHERE id = %(id)s", {"id": row.refund_id}) == [(row.booking_id,)]
    assert events_of(anna, "reward.cancelled")[0]["refunded"] == 70
    assert events_of(anna, "points.refunded")[0]["points"] == 70
    with pytest.raises(Problems, match="is cancelled already"):
        fulfillment.cancel(done.redemption_id, now=late)
    assert (points_of(anna), taken("mug")) == (90, 0)
    assert violations() == {}


def test_steps_of_a_parcel() -> None:
    setup = opened(MUG)
    anna = member("anna", 500, setup)
    ids = [order(anna, "mug", setup).redemption_id for _ in range(3)]
    assert fulfillment.advance(ids, state="approved", now=NOW, actor="ada") == 3
    assert fulfillment.advance(ids[:2], state="packed", now=NOW, actor="ada") == 2
    with pytest.raises(Problems, match="is on its way already"):
        fulfillment.cancel(ids[0], now=NOW, by_member=True)
    assert fulfillment.advance(ids, state="shipped", now=NOW, actor="ada", tracking="DHL 1") == 3
    assert fulfillment.advance(ids, state="packed", now=NOW) == 0
    assert fulfillment.advance(ids[:1], state="delivered", now=NOW) == 1
    assert [state(one) for one in ids] == ["delivered", "shipped", "shipped"]
    assert len(events_of(anna, "reward.shipped")) == 3
    assert events_of(anna, "reward.delivered")[0]["tracking"] == "DHL 1"
    assert list(RedemptionStep.objects.filter(redemption_id=ids[0]).values_list("state", "actor")) == [
        ("ordered", None),
        ("approved", "ada"),
        ("packed", "ada"),
        ("shipped", "ada"),
        ("delivered", None),
    ]
    for bad in ("ordered", "cancelled", "lost"):
        with pytest.raises(Problems, match="cannot be set to"):
            fulfillment.advance(ids, state=bad, now=NOW)


def test_gifts_end_with_the_stock_and_come_once() -> None:
    from uuid import UUID

    opened(MUG | {"stock": 2})
    people = [club.customer(f"c{number}") for number in range(3)]
    gifts = [Gift(one, UUID(int=one)) for one in people]
    done = give(gifts, reward="mug", now=NOW, source="prize")
    assert list(done) == people[:2]
    assert give(gifts, reward="mug", now=NOW, source="prize") == done
    assert taken("mug") == 2
    first = done[people[0]]
    assert fulfillment.advance([first], state="packed", now=NOW) == 0
    fulfillment.set_address(first, address=ADDRESS, now=NOW)
    assert fulfillment.advance([first], state="packed", now=NOW) == 1
    with pytest.raises(Problems, match="is packed, delivered or cancelled already"):
        fulfillment.set_address(first, address=ADDRESS, now=NOW)
    assert violations() == {}


def test_sold_out_and_back_again() -> None:
    from loyalty.rewards import wishes

    setup = opened(MUG | {"stock": 1})
    anna, ben = member("anna", 500, setup), member("ben", 30, setup)
    wishes.set_wish(customer_id=ben, reward="mug", setup=setup, now=NOW)
    done = order(anna, "mug", setup)
    assert events_of(ben, "reward.back_in_stock") == []
    fulfillment.cancel(done.redemption_id, now=NOW)
    order(anna, "mug", setup)
    assert stock.restock(reward_id=Reward.objects.get().id, pieces=5, now=NOW) == 5
    stock.restock(reward_id=Reward.objects.get().id, pieces=1, now=NOW)
    assert [one["left"] for one in events_of(ben, "reward.back_in_stock")] == [1, 5]
    assert Reward.objects.get().definition["stock"] == 7


def test_a_wish_is_reached_once_and_ends_with_the_order() -> None:
    from loyalty.rewards import tasks, wishes
    from loyalty.rewards.models import Wish

    setup = opened(MUG, LINK)
    anna = member("anna", 80, setup)
    wishes.set_wish(customer_id=anna, reward="mug", setup=setup, now=NOW)
    assert tasks.notice_wishes(now=NOW) == 0
    movements.grant(
        [movements.Grant(club.member_of("anna"), 20)], setup=setup, wallet=None, kind="adjust", reason="x", now=NOW
    )
    assert (tasks.notice_wishes(now=NOW), tasks.notice_wishes(now=NOW)) == (1, 0)
    assert events_of(anna, "wish.reached") == [{"reward": "mug", "name": {"en": "Mug", "de": "Becher"}, "points": 100}]
    wishes.set_wish(customer_id=anna, reward="book", setup=setup, now=NOW)
    assert tasks.notice_wishes(now=NOW) == 1
    order(anna, "book", setup)
    assert not Wish.objects.exists()
    with pytest.raises(Problems, match="is no member"):
        wishes.set_wish(customer_id=club.customer("ben"), reward="mug", setup=setup, now=NOW)
    wishes.set_wish(customer_id=anna, reward="mug", setup=setup, now=NOW)
    assert wishes.clear_wish(customer_id=anna, setup=setup) is True
    assert wishes.clear_wish(customer_id=anna, setup=setup) is False


def test_a_frozen_member_redeems_nothing_but_gets_points_back() -> None:
    setup = opened(MUG)
    anna = member("anna", 500, setup)
    done = order(anna, "mug", setup)
    execute("UPDATE member SET state = 'frozen'")
    assert refused(anna, "mug", setup, address=ADDRESS) == [("customer", "is frozen")]
    assert fulfillment.cancel(done.redemption_id, now=NOW, actor="ada").points == 100
    assert violations() == {}


POOL: dict[str, Any] = {"kind": "voucher_pool", "key": "card", "benefit": {"type": "gift_card", "amount": 10}}


def test_a_gift_card_is_a_voucher_with_money_on_it() -> None:
    from loyalty.offers.models import Voucher
    from loyalty.rewards import queries

    card = {"kind": "reward", "key": "card", "type": "gift_card", "points": 50, "value": 5, "voucher_pool": "card"}
    setup = opened(POOL, card)
    anna = member("anna", 500, setup)
    done = order(anna, "card", setup, quantity=2)
    assert done.state == "delivered"
    cards = list(Voucher.objects.order_by("id"))
    assert [(one.customer_id, str(one.available)) for one in cards] == [(anna, "5.00"), (anna, "5.00")]
    shown = queries.redemption(done.redemption_id)
    assert shown and sorted(shown["codes"]) == sorted(str(one.code) for one in cards)
    assert fulfillment.cancel(done.redemption_id, now=NOW, actor="ada").points == 100
    assert set(Voucher.objects.values_list("state", "available")) == {(2, 0)}
    again = order(anna, "card", setup)
    execute("UPDATE voucher SET uses = 1 WHERE state = 1")
    with pytest.raises(Problems, match="its voucher was used already"):
        fulfillment.cancel(again.redemption_id, now=NOW, actor="ada")
    assert state(again.redemption_id) == "delivered"
    assert violations() == {}
    execute("UPDATE voucher_pool SET state = 'paused'")
    assert refused(anna, "card", setup) == [("pool", "card is paused")]
