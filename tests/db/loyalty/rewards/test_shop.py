"""The shop as somebody sees it: what is shown, in which order, why; documents; draws."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.sql import execute, fetch
from loyalty.rewards import draws, queries, tasks, wishes
from loyalty.rewards.models import Redemption, Reward, RewardDraw
from tests.db.loyalty.program import club
from tests.db.loyalty.rewards.store import (
    MUG,
    NOW,
    applied,
    events_of,
    member,
    opened,
    order,
    taken,
    violations,
)

pytestmark = pytest.mark.django_db
TEA: dict[str, Any] = {"kind": "reward", "key": "tea", "type": "digital", "points": 300, "likes": ["Tea"]}


def keys(setup: Any, customer_id: int | None, **rest: Any) -> list[tuple[str, str]]:
    return [(one.key, one.reason) for one in queries.shop(setup=setup, now=NOW, customer_id=customer_id, **rest)]


def test_the_order_is_personal_and_says_why() -> None:
    far = {"kind": "reward", "key": "car", "type": "physical", "points": 90_000, "featured": True}
    setup = opened(club.BASE, MUG | {"stock": 1}, TEA, far, {**TEA, "key": "sofa", "likes": [], "points": 5000})
    anna, ben = member("anna", 100, setup), member("ben", 200, setup)
    items = [{"sku": "x", "category": "tea", "amount": 3}]
    club.buy(setup, "r1", "anna", items=items)
    assert keys(setup, anna) == [
        ("tea", "affinity"), ("mug", "reachable"), ("car", "featured"), ("sofa", "other"),
    ]  # fmt: skip
    wishes.set_wish(customer_id=anna, reward="sofa", setup=setup, now=NOW)
    assert keys(setup, anna)[0] == ("sofa", "wish")
    order(ben, "mug", setup)
    assert keys(setup, anna)[-1] == ("mug", "reachable")
    assert queries.shop(setup=setup, now=NOW, customer_id=anna)[-1].why_not == "stock"
    assert keys(setup, None) == [("car", "featured"), ("sofa", "other"), ("tea", "other"), ("mug", "other")]


def test_segments_tiers_and_dates() -> None:
    gold = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 50}
    vips = {"kind": "segment", "key": "vips", "name": {"en": "VIPs"}, "rule": {"attribute": "city", "eq": "Köln"}}
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    setup = opened(
        club.BASE,
        gold,
        vips,
        {**TEA, "key": "for_vips", "visible": {"segments": ["vips"]}},
        {**TEA, "key": "for_gold", "visible": {"tiers": ["gold"]}},
        {**TEA, "key": "tomorrow", "visible": {"from": tomorrow}},
        {**TEA, "key": "until_now", "visible": {"to": NOW.isoformat()}},
        {**TEA, "key": "paused", "state": "paused"},
    )
    anna, ben = member("anna", 0, setup), member("ben", 0, setup)
    club.buy(setup, "r1", "anna", 60)
    segment = fetch("SELECT id FROM segment WHERE key = 'vips'")[0][0]
    execute(
        "INSERT INTO segment_member (segment_id, customer_id, since) VALUES (%(s)s, %(c)s, now())",
        {"s": segment, "c": ben},
    )
    assert [key for key, _ in keys(setup, anna)] == ["for_gold"]
    assert [key for key, _ in keys(setup, ben)] == ["for_vips"]
    assert keys(setup, None) == []


def test_the_number_of_queries_does_not_grow() -> None:
    setup = opened(MUG, *[{**TEA, "key": f"tea{number}", "categories": ["home"]} for number in range(30)])
    anna = member("anna", 500, setup)
    order(anna, "mug", setup)
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert len(queries.shop(setup=setup, now=NOW, customer_id=anna, search="mug")) == 1
    with CaptureQueriesContext(connection) as many:
        assert len(queries.shop(setup=setup, now=NOW, customer_id=anna)) == 31
    assert len(many) == len(few) <= 7


def test_documents_come_back_as_they_were_and_change_nothing() -> None:
    tea = TEA | {"visible": {"from": "2026-01-01T00:00:00+01:00"}, "per_person": 2, "money": 1.5, "value": None}
    box = {"kind": "reward", "key": "box", "type": "bundle", "points": 9, "items": [{"reward": "mug", "quantity": 2}]}
    tour = {"kind": "reward", "key": "tour", "type": "event", "points": 1, "slots": [{"at": "2026-05-01T10:00:00Z"}]}
    home = {"kind": "reward_category", "key": "home", "name": {"en": "Home"}, "position": 5}
    opened(MUG, tea, box, tour, home)
    exported = [*kinds.get("reward_category").export(), *kinds.get("reward").export()]
    assert applied(*exported) == ["unchanged"] * 5
    assert [one["key"] for one in exported] == ["home", "mug", "tea", "tour", "box"]
    assert applied(MUG | {"points": 5}, MUG | {"key": "cup"}) == ["updated", "created"]
    assert Reward.objects.get(key="mug").points == 5


def test_every_mistake_of_a_document() -> None:
    with pytest.raises(Refused) as error:
        opened(
            {**MUG, "visible": {"tiers": ["gld"], "segments": ["vipz"]}, "wallet": "status"},
            {"kind": "reward", "key": "a", "type": "cashback", "points": 5, "codes": True, "colour": "red"},
            {"kind": "reward", "key": "b", "type": "cashback", "points": 5, "codes": True},
            {"kind": "reward", "key": "c", "type": "bundle", "points": 5, "items": [{"reward": "zzz"}]},
            {"kind": "reward", "key": "d", "type": "physical"},
        )
    text = str(error.value)
    for part in (
        "visible.tiers[0]: there is no tier 'gld'",
        "visible.segments[0]: there is no segment 'vipz'",
        "wallet: status is no wallet to pay with",
        "unknown field 'colour'",
        "codes: a reward of type cashback brings no code; value: how much is a cashback worth?",
        "items[0].reward: there is no reward 'zzz'",
        "points: give either points (and money) or a list of prices",
    ):
        assert part in text
    assert not Reward.objects.exists()


def test_what_was_redeemed_keeps_its_kind_and_its_stock() -> None:
    tour = {"kind": "reward", "key": "tour", "type": "event", "points": 1, "slots": [{"at": "2026-05-01T10:00:00Z"}]}
    setup = opened(MUG, tour)
    anna = member("anna", 500, setup)
    order(anna, "mug", setup, quantity=3)
    order(anna, "tour", setup, slot=Reward.objects.get(key="tour").rewardslot_set.get().starts_at)
    with pytest.raises(Refused) as error:
        apply_documents([MUG | {"stock": 2}, {**MUG, "key": "tour", "type": "service"}], now=NOW)
    assert "stock: 3 were redeemed already" in str(error.value)
    with pytest.raises(Refused, match="1 places are booked"):
        apply_documents([tour | {"slots": []}], now=NOW)
    assert applied(MUG | {"stock": 3}) == ["updated"]


def test_a_draw_can_be_counted_again() -> None:
    ticket = {
        "kind": "reward", "key": "ticket", "type": "draw_ticket", "points": 10,
        "draw": {"at": (NOW + timedelta(days=1)).isoformat(), "winners": 2, "prize": "mug"},
    }  # fmt: skip
    setup = opened(MUG, ticket)
    people = [member(f"c{number}", 100, setup) for number in range(6)]
    for place, one in enumerate(people[:5]):
        order(one, "ticket", setup, quantity=place + 1)
    assert tasks.hold_draws(now=NOW) == 0
    day = NOW + timedelta(days=1)
    assert (tasks.hold_draws(now=day), tasks.hold_draws(now=day)) == (1, 0)
    held = RewardDraw.objects.get()
    assert (held.tickets, held.winners, taken("mug")) == (15, 2, 2)
    from hashlib import sha256

    tickets = Redemption.objects.filter(reward__key="ticket")
    best = {
        row.customer_id: min(sha256(f"{held.seed}:{row.pk}:{n}".encode()).digest() for n in range(1, row.quantity + 1))
        for row in tickets
    }
    winners = sorted(best, key=lambda one: best[one])[:2]
    assert set(tickets.filter(won=True).values_list("customer_id", flat=True)) == set(winners)
    prizes = Redemption.objects.filter(reward__key="mug")
    assert {(one.customer_id, one.source, one.points, one.state) for one in prizes} == {
        (one, "draw", 0, "ordered") for one in winners
    }
    assert [row["prize"] for row in events_of(winners[0], "reward.won")] == ["mug"]
    assert draws.hold(held.reward_id, now=day) is None
    assert violations() == {}
