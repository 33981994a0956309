"""Real connections at once: nobody gets a piece that is not there, nobody spends points that are not there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from loyalty.customers.erasing import erase_customers
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.rewards import fulfillment, stock
from loyalty.rewards.models import Redemption, Reward, RewardCode
from loyalty.rewards.redeeming import give
from loyalty.rewards.shapes import Gift
from tests.db.loyalty.rewards.store import MUG, NOW, member, opened, order, points_of, taken, violations

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[int], Any], times: int, workers: int = 20) -> list[Any]:
    def run(number: int) -> Any:
        try:
            return work(number)
        except Problems:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(times)))


def test_200_redemptions_of_the_last_10_items_by_members_with_points_for_one() -> None:
    setup = opened(MUG | {"stock": 10})
    people = [member(f"c{number}", 100, setup) for number in range(40)]
    done = at_once(lambda number: order(people[number % 40], "mug", setup), 200)
    assert sum(one is not None for one in done) == 10
    assert (taken("mug"), Redemption.objects.count()) == (10, 10)
    assert sorted(points_of(one) for one in people) == [0] * 10 + [100] * 30
    assert violations() == {}


def test_200_redemptions_with_the_last_points_of_one_member() -> None:
    setup = opened(MUG | {"stock": 500})
    anna = member("anna", 1095, setup)
    done = at_once(lambda number: order(anna, "mug", setup), 200)
    assert sum(one is not None for one in done) == 10
    assert (taken("mug"), points_of(anna)) == (10, 95)
    assert violations() == {}


def test_200_redemptions_of_the_last_10_codes() -> None:
    setup = opened({"kind": "reward", "key": "film", "type": "digital", "points": 5, "codes": True})
    reward = Reward.objects.get()
    stock.add_codes(reward_id=reward.id, codes=[f"code-{number}" for number in range(10)], now=NOW)
    people = [member(f"c{number}", 1000, setup) for number in range(20)]
    done = at_once(lambda number: order(people[number % 20], "film", setup), 200)
    assert sum(one is not None for one in done) == 10
    given = list(RewardCode.objects.values_list("redemption_id", flat=True))
    assert len(set(given)) == 10 and None not in given
    assert violations() == {}


def test_one_order_sent_many_times_is_one() -> None:
    setup = opened(MUG)
    anna, ben = member("anna", 1000, setup), member("ben", 1000, setup)
    done = at_once(lambda number: order(anna, "mug", setup, identifier="o-1"), 40)
    assert len({one.redemption_id for one in done}) == 1
    assert sum(not one.repeated for one in done) == 1
    # The same id by two people at the same time is an order of one of them.
    done = at_once(lambda number: order((anna, ben)[number % 2], "mug", setup, identifier="o-2"), 20)
    assert len({one.redemption_id for one in done if one}) == 1
    assert points_of(anna) + points_of(ben) == 1800
    assert violations() == {}


def test_a_redemption_is_cancelled_once() -> None:
    setup = opened(MUG)
    anna = member("anna", 100, setup)
    done = order(anna, "mug", setup)
    gone = at_once(lambda number: fulfillment.cancel(done.redemption_id, now=NOW), 20)
    assert [one.points for one in gone if one] == [100]
    assert (points_of(anna), taken("mug")) == (100, 0)
    assert violations() == {}


def test_ordering_cancelling_packing_giving_and_erasing_at_once_do_not_deadlock() -> None:
    bundle = {
        "kind": "reward", "key": "box", "type": "bundle", "points": 10,
        "items": [{"reward": "mug"}, {"reward": "bag"}],
    }  # fmt: skip
    setup = opened(MUG | {"stock": 60, "points": 10}, MUG | {"key": "bag", "stock": 60, "points": 10}, bundle)
    people = [member(f"c{number}", 100, setup) for number in range(12)]

    def work(number: int) -> Any:
        kind, who = number % 6, people[number % 11]
        if kind == 5 and number > 60:
            return erase_customers(customer_ids=[people[11], people[number % 3]])
        if kind == 4:
            return give([Gift(one, UUID(int=number * 100 + one)) for one in people], reward="bag", now=NOW)
        if kind == 3:
            ids = list(Redemption.objects.order_by("-id").values_list("id", flat=True)[:20])
            return fulfillment.advance(ids, state="shipped", now=NOW)
        if kind == 2:
            last = Redemption.objects.filter(parent_id=None).order_by("-id").first()
            return last and fulfillment.cancel(last.pk, now=NOW)
        return order(who, ("box", "mug", "bag")[number % 3], setup)

    at_once(work, 120, workers=10)
    assert violations() == {}
    assert fetch("SELECT bool_and(taken <= stock) FROM reward WHERE stock IS NOT NULL") == [(True,)]
