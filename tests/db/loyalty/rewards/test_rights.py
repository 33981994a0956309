"""Forgetting, showing, merging and telling apart people who redeemed something."""

import pytest

from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.kit.erasures import holders
from loyalty.rewards import fulfillment, stock, wishes
from loyalty.rewards.models import Redemption, Reward, RewardCode, Wish
from tests.db.loyalty.program import club
from tests.db.loyalty.rewards.store import MUG, NOW, member, opened, order, points_of, state, taken, violations

pytestmark = pytest.mark.django_db
FILM = {"kind": "reward", "key": "film", "type": "digital", "points": 5, "codes": True}


def test_who_is_forgotten_leaves_numbers() -> None:
    setup = opened(MUG, FILM)
    stock.add_codes(reward_id=Reward.objects.get(key="film").id, codes=["A", "B"], now=NOW)
    anna = member("anna", 500, setup)
    waiting = order(anna, "mug", setup, note="for Anna", identifier="o-1").redemption_id
    sent = order(anna, "mug", setup).redemption_id
    fulfillment.advance([sent], state="shipped", now=NOW, tracking="T1")
    fulfillment.advance([sent], state="delivered", now=NOW)
    order(anna, "film", setup)
    wishes.set_wish(customer_id=anna, reward="mug", setup=setup, now=NOW)
    erase_customers(customer_ids=[anna])
    assert (state(waiting), state(sent), taken("mug"), taken("film")) == ("cancelled", "delivered", 1, 1)
    rows = Redemption.objects.values_list("customer_id", "address", "note", "tracking", "key_digest")
    assert set(rows) == {(None, None, None, None, None)}
    assert list(RewardCode.objects.order_by("id").values_list("code", flat=True)) == ["", "B"]
    assert not Wish.objects.exists()
    assert violations() == {}


def test_a_person_sees_their_redemptions() -> None:
    setup = opened(MUG, FILM)
    stock.add_codes(reward_id=Reward.objects.get(key="film").id, codes=["A"], now=NOW)
    anna = member("anna", 500, setup)
    order(anna, "mug", setup)
    order(anna, "film", setup)
    wishes.set_wish(customer_id=anna, reward="mug", setup=setup, now=NOW)
    holder = next(one for one in holders() if one.package == "loyalty.rewards")
    shown = holder.export(anna)
    assert [row["reward"] for row in shown["reward_redemption"]] == ["mug", "film"]
    assert shown["reward_redemption"][0]["address"]["city"] == "Köln"
    assert [row["code"] for row in shown["reward_code"]] == ["A"]
    assert [row["state"] for row in shown["reward_redemption_step"]] == ["ordered", "delivered"]
    assert [row["reward"] for row in shown["wish"]] == ["mug"]


def test_merging_and_telling_apart() -> None:
    setup = opened(MUG)
    anna, twin = member("anna", 300, setup), member("anna2", 300, setup)
    done = order(twin, "mug", setup)
    wishes.set_wish(customer_id=twin, reward="mug", setup=setup, now=NOW)
    joined = joining.join(customer_id=anna, other_id=twin, now=NOW, actor="ada")
    assert Redemption.objects.get().customer_id == anna
    assert Wish.objects.get().customer_id == anna
    assert fulfillment.cancel(done.redemption_id, now=NOW).points == 100
    assert points_of(anna) == 600
    again = order(anna, "mug", setup)
    assert violations() == {}
    assert joined is not None
    merge_id = club.fetch("SELECT id FROM customer_merge")[0][0]
    joining.undo_merge(merge_id=merge_id, now=NOW, actor="ada")
    assert Redemption.objects.get(id=again.redemption_id).customer_id == anna
    assert (
        Redemption.objects.get(id=done.redemption_id).customer_id
        == club.fetch("SELECT id FROM customer WHERE external_id = 'anna2'")[0][0]
    )
    assert violations() == {}
