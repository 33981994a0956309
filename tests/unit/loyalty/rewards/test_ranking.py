"""Which reward stands first, who may have one, what an order must say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.program.rule_definition import Times
from loyalty.rewards import names, ranking
from loyalty.rewards.definition import Price, RewardDocument
from loyalty.rewards.eligibility import Person, left_for, missing, period_start, visible, why_not
from loyalty.rewards.orders import check_address, content_of, key_of
from loyalty.rewards.ranking import Facts, affinity, rank, reach
from loyalty.rewards.shapes import Order

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
TASTE = {"tea": 8, "home": 2}


def test_reasons() -> None:
    assert rank(Facts(["home"], 100, 0, wished=True), TASTE).reason == "wish"
    assert (rank(Facts(["Tea"], 100, 0), TASTE).reason, rank(Facts(["Tea"], 100, 0), TASTE).about) == (
        "affinity",
        "Tea",
    )
    assert rank(Facts(["garden"], 100, 100), TASTE).reason == "reachable"
    assert rank(Facts(["garden"], 100, 75), TASTE).reason == "near"
    assert rank(Facts(["garden"], 100, 74), TASTE).reason == "other"
    assert rank(Facts(["garden"], 100, 0, featured=True), TASTE).reason == "featured"
    assert affinity(["home", "tea"], TASTE) == (1.0, "tea")
    assert affinity(["home"], TASTE) == (0.25, "home")
    assert affinity(["home"], {}) == (0.0, "")


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_points_never_push_a_reward_down(points: int, low: int, more: int) -> None:
    assert 0 <= reach(points, low) <= reach(points, low + more) <= 1
    assert rank(Facts([], points, low), {}).score <= rank(Facts([], points, low + more), {}).score


def test_what_cannot_be_had_stands_behind() -> None:
    assert rank(Facts(["tea"], 1, 9, obtainable=False), TASTE).score < rank(Facts([], 9, 0), {}).score


def test_periods_begin_at_midnight_of_the_zone() -> None:
    zone = "Europe/Berlin"
    at = datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert period_start("day", at, zone) == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert period_start("week", at, zone) == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert period_start("month", at, zone) == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert period_start("year", at, zone) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert period_start("ever", at, zone) is None
    # The night on which the clocks go forward.
    assert period_start("day", NOW, zone) == datetime(2026, 3, 28, 23, tzinfo=UTC)


def test_limits() -> None:
    before = [NOW - timedelta(days=40), NOW]
    assert left_for(None, before, NOW, "UTC") is None
    assert left_for(Times(max=3), before, NOW, "UTC") == 1
    assert left_for(Times(max=1), before, NOW, "UTC") == 0
    assert left_for(Times(max=3, per="month"), before, NOW, "UTC") == 2
    assert missing([Price(points=500), Price(points=200)], 150) == 50


def test_why_not_says_the_first_reason() -> None:
    document = RewardDocument.model_validate(
        {"key": "x", "type": "service", "points": 10, "redeemable": {"from": NOW + timedelta(days=1)}}
    )
    person = Person("active", points={"points": 10})

    def word(**changes: object) -> str:
        given_: dict[str, object] = {"reward_id": 1, "wallet": "points", "left": None, "zone": "UTC"} | changes
        return why_not(document, given_.pop("person", person), now=given_.pop("now", NOW), **given_)  # type: ignore

    later = NOW + timedelta(days=1)
    assert word(person=Person("frozen")) == "member"
    assert word() == "later"
    assert word(now=later) == ""
    assert word(now=later, left=0) == "stock"
    assert word(now=later, person=Person("left")) == "points"


def test_who_sees_it() -> None:
    document = RewardDocument.model_validate(
        {"key": "x", "type": "service", "points": 1, "visible": {"tiers": ["gold"], "segments": ["a", "b"]}}
    )
    assert visible(document, Person("active", "gold", frozenset({"b"})), NOW)
    assert not visible(document, Person("active", "gold"), NOW)
    assert not visible(document, Person("active", None, frozenset({"a"})), NOW)


@pytest.mark.parametrize("kind", names.TYPES)
def test_states_only_go_forward(kind: str) -> None:
    for state in names.STATES:
        for following in names.following(kind, state):
            assert names.STATES.index(following) > names.STATES.index(state)
            assert state in names.before(kind, following)
    assert names.following(kind, names.DELIVERED) == names.following(kind, names.CANCELLED) == ()


def test_orders() -> None:
    one = Order("mug", address={"name": "A"}, identifier="1")
    assert content_of(one, 1) == content_of(Order("mug", address={"name": "A"}, identifier="2"), 1)
    assert content_of(one, 1) != content_of(one, 2)
    assert content_of(one, 1) != content_of(Order("mug", quantity=2, address={"name": "A"}), 1)
    assert key_of("1") != key_of("2")
    good = {"name": "A", "street": "B 1", "postcode": "1", "city": "C", "country": "DE"}
    assert check_address(good, wanted=True) == check_address(None, wanted=False) == []
    assert [one.where for one in check_address(good | {"street": " ", "country": "de"}, wanted=True)] == [
        "address.street",
        "address.country",
    ]


def test_reward_types_take_what_they_need() -> None:
    for wrong, text in (
        ({"type": "donation", "points": 5}, "value: how much is a donation worth"),
        ({"type": "physical", "points": 5, "slots": [{"at": NOW}]}, "slots: only services and events"),
        ({"type": "draw_ticket", "points": 5}, "draw: a draw ticket"),
        ({"type": "bundle", "points": 5}, "items: a bundle"),
        ({"type": "digital", "points": 5, "codes": True, "stock": 3}, "stock: the codes are the stock"),
        ({"type": "physical", "points": 5, "prices": [{"points": 1}]}, "points: give either"),
    ):
        with pytest.raises(ValueError, match=text):
            RewardDocument.model_validate({"key": "x", **wrong})
    assert RewardDocument.model_validate({"key": "x", "type": "physical", "points": 0}).options == [Price(points=0)]
    assert ranking.WISH == "wish"
