"""Conversions and their credit: exact examples, borders of the window, late arrivals, changed goals."""

import itertools
import random
from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.attribution import invariants, operations, personal_data, queries, tasks  # noqa: F401
from campaigns.attribution.models import Conversion
from loyalty.events import queue
from loyalty.kit.checks import invariants as registered
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql
from tests.db.campaigns.attribution.conftest import NOW, Shop, ago, credits, everything, goal, settle

pytestmark = pytest.mark.django_db


def violations() -> dict[str, int]:
    """How many rows each invariant of this package finds, those without any left out."""
    found = {one.key: len(fetch(one.query)) for one in registered() if one.key.startswith("attribution.")}
    assert len(found) == 6
    return {key: count for key, count in found.items() if count}


def test_three_touches_by_three_models(shop: Shop) -> None:
    goal()
    settle()
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=5))
    shop.click(anna, "text", ago(days=3))
    shop.click(anna, "nudge", ago(days=1))
    shop.buy("anna", ago(hours=1), 100)
    settle()
    assert credits("first_touch") == [("email", "welcome", D(1), D(100))]
    assert credits("last_touch") == [("email", "nudge", D(1), D(100))]
    third, rest = D("0.3333333333"), D("0.3333333334")
    assert credits("linear") == [
        ("email", "welcome", third, D("33.333333")),
        ("sms", "text", third, D("33.333333")),
        ("email", "nudge", rest, D("33.333334")),
    ]
    assert violations() == {}


def test_the_window_is_open_at_its_start_and_closed_at_the_conversion(shop: Shop) -> None:
    goal(window="2d")
    anna = shop.person("anna")
    bought = ago(hours=1)
    shop.click(anna, "welcome", bought - timedelta(days=2))
    shop.click(anna, "text", bought)
    shop.click(anna, "nudge", bought + timedelta(microseconds=1))
    shop.buy("anna", bought)
    settle()
    assert credits("linear") == [("sms", "text", D(1), D(10))]
    execute(sql("DELETE FROM event WHERE occurred_at = {at} AND ref IS NOT NULL", at=bought))
    shop.click(anna, "text", bought - timedelta(days=2) + timedelta(microseconds=1))
    execute("INSERT INTO stale_conversion (conversion_id) SELECT id FROM conversion")
    settle()
    assert credits("linear") == [("sms", "text", D(1), D(10))]


def test_a_conversion_without_a_touch_is_credited_to_none(shop: Shop) -> None:
    goal()
    shop.person("anna")
    shop.buy("anna", ago(hours=1), "12.50")
    settle()
    for model in ("first_touch", "last_touch", "linear"):
        assert credits(model) == [("none", None, D(1), D("12.5"))]
    assert violations() == {}


def test_only_the_persons_own_touches_and_only_those_the_goal_names(shop: Shop) -> None:
    goal(touches=["message.clicked", "message.opened"])
    anna, ben = shop.person("anna"), shop.person("ben")
    shop.click(ben, "welcome", ago(days=1))
    shop.click(anna, "nudge", ago(days=1), "message.opened")
    shop.click(anna, "text", ago(days=1), "message.delivered")
    shop.buy("anna", ago(hours=1))
    settle()
    assert credits("linear") == [("email", "nudge", D(1), D(10))]


def test_a_channel_that_was_touched_twice_gets_two_parts(shop: Shop) -> None:
    goal()
    anna = shop.person("anna")
    for hours in (5, 4, 3):
        shop.click(anna, "welcome", ago(hours=hours))
    shop.click(anna, "text", ago(hours=2))
    shop.buy("anna", ago(hours=1), 8)
    settle()
    assert [(step, share, value) for _, step, share, value in credits("linear")] == [
        *[("welcome", D("0.25"), D(2))] * 3,
        ("text", D("0.25"), D(2)),
    ]


def test_a_message_that_is_gone_still_says_its_channel(shop: Shop) -> None:
    goal()
    anna = shop.person("anna")
    shop.click(anna, "text", ago(days=1))
    execute("DELETE FROM message")
    shop.buy("anna", ago(hours=1))
    settle()
    assert credits("last_touch") == [("sms", None, D(1), D(10))]


def test_one_touch_may_serve_several_conversions_and_goals(shop: Shop) -> None:
    goal()
    goal(key="big", where={"amount": {"gte": 50}}, window="30d")
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=10))
    shop.click(anna, "nudge", ago(days=2))
    for amount, days in ((20, 1), (80, 0.5)):
        shop.buy("anna", ago(days=days), amount)
    settle()
    assert [row[0] for row in fetch("SELECT count(*) FROM conversion GROUP BY goal_id ORDER BY goal_id")] == [2, 1]
    assert credits("linear") == [
        ("email", "nudge", D(1), D(20)),
        *sorted(
            [
                ("email", "nudge", D(1), D(80)),
                ("email", "welcome", D("0.5"), D(40)),
                ("email", "nudge", D("0.5"), D(40)),
            ],
            key=lambda row: credits("linear").index(row),
        ),
    ]
    assert violations() == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (12.345, "12.35"),
        ("12.5", "12.50"),
        (-20, "-20.00"),
        ("-20.01", "-20.01"),
        ("12,50", "0"),
        ("1e5", "0"),
        (1e300, "0"),
        (True, "0"),
        (None, "0"),
        ([1], "0"),
        ({"amount": 1}, "0"),
        ("", "0"),
        (999_999_999, "999999999.00"),
        (1_000_000_000, "0"),
        ("9" * 40, "0"),
    ],
)
def test_values_are_read_or_count_as_nothing(shop: Shop, given: object, kept: str) -> None:
    goal()
    anna = shop.person("anna")
    for step in ("welcome", "text", "nudge"):
        shop.click(anna, step, ago(days=1))
    shop.buy("anna", ago(hours=1), given)
    settle()
    assert fetch("SELECT value FROM conversion") == [(D(kept),)]
    assert sum(value for *_, value in credits("linear")) == D(kept)
    assert violations() == {}


def test_order_of_arrival_changes_nothing(shop: Shop) -> None:
    goal()
    anna = shop.person("anna")
    steps = [
        lambda: shop.click(anna, "welcome", ago(days=5)),
        lambda: shop.click(anna, "text", ago(days=3)),
        lambda: shop.click(anna, "nudge", ago(days=3)),
        lambda: shop.buy("anna", ago(days=2), 30),
        lambda: shop.buy("anna", ago(hours=1), 70),
    ]
    outcomes = []
    rng = random.Random(3)
    for order in rng.sample(list(itertools.permutations(range(5))), 12):
        execute("DELETE FROM event")
        execute("DELETE FROM event_key")
        execute("UPDATE goal_count SET cursor = NULL, search_no = 1, due_at = now() - interval '1 year'")
        settle()
        for index in order:
            steps[index]()
            if rng.random() < 0.6:
                settle()
        settle()
        outcomes.append(everything())
    assert len(outcomes[0]) == 2 * (1 + 1 + 3)
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert violations() == {}


def test_the_same_event_twice_counts_once(shop: Shop) -> None:
    goal()
    settle()
    shop.person("anna")
    shop.buy("anna", ago(hours=1))
    execute(
        """INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, ref, properties)
        SELECT consumer, event_id, customer_id, type_id, occurred_at, ref, properties FROM event_queue"""
    )
    settle()
    assert Conversion.objects.count() == 1
    settle(NOW + timedelta(hours=1))
    assert Conversion.objects.count() == 1


def test_history_before_the_goal_is_found_in_steps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "SEARCH", 3)
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=6))
    for number in range(20):
        shop.buy("anna", ago(hours=number // 3))
    assert fetch("SELECT count(*) FROM event_queue WHERE consumer = 'attribution'") == [(0,)]
    goal()
    settle()
    assert Conversion.objects.count() == 20
    assert [row[0] for row in fetch("SELECT search_no FROM goal_count")] == [2]
    assert violations() == {}


def test_the_second_search_finds_what_was_written_while_the_goal_was_made(shop: Shop) -> None:
    goal()
    settle()
    shop.person("anna")
    shop.buy("anna", ago(hours=1))
    execute("DELETE FROM event_queue WHERE consumer = 'attribution'")
    settle()
    assert Conversion.objects.count() == 0
    settle(NOW + operations.SEARCH_AGAIN)
    assert Conversion.objects.count() == 1
    assert fetch("SELECT search_no, due_at FROM goal_count") == [(3, None)]
    assert violations() == {}


@pytest.mark.parametrize(
    ("change", "conversions", "linear"),
    [
        ({"window": "1d"}, 2, [("email", "nudge", D(1), D(20)), ("email", "nudge", D(1), D(80))]),
        ({"value": None}, 2, None),
        ({"where": {"amount": {"gte": 50}}}, 1, None),
        ({"event": "signup"}, 1, [("none", None, D(1), D(7))]),
        ({"touches": ["message.opened"]}, 2, [("none", None, D(1), D(20)), ("none", None, D(1), D(80))]),
    ],
)
def test_a_changed_goal_is_counted_anew(
    shop: Shop, change: dict[str, object], conversions: int, linear: list[object] | None
) -> None:
    goal()
    anna = shop.person("anna")
    shop.person("ben")
    shop.click(anna, "welcome", ago(days=4))
    shop.click(anna, "nudge", ago(hours=20))
    shop.buy("anna", ago(hours=2), 20)
    shop.buy("anna", ago(hours=1), 80)
    shop.buy("ben", ago(days=20), 7, event="signup")
    settle()
    assert len(credits("linear")) == 4
    goal(**change)
    settle()
    assert Conversion.objects.count() == conversions
    if linear is not None:
        assert credits("linear") == linear
    if change.get("value", 1) is None:
        assert {value for *_, value in credits("linear")} == {D(0)}
    assert violations() == {}
    goal()
    settle()
    assert len(credits("linear")) == 4
    assert violations() == {}


def test_subscriptions_follow_the_goals(shop: Shop) -> None:
    def subscribed() -> list[str]:
        query = """SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id
            WHERE s.consumer = 'attribution' ORDER BY 1"""
        return [row[0] for row in fetch(query)]

    goal()
    assert operations.subscribe() == 2
    assert subscribed() == ["message.clicked", "purchase"]
    goal(event="signup", touches=["message.opened"])
    assert operations.subscribe() == 4
    assert subscribed() == ["message.opened", "signup"]
    assert operations.subscribe() == 0


def test_a_goal_that_is_gone_takes_its_figures_with_it(shop: Shop) -> None:
    goal()
    shop.person("anna")
    shop.buy("anna", ago(hours=1))
    settle()
    execute("DELETE FROM goal")
    settle()
    for table in ("conversion", "credit", "goal_count", "stale_conversion", "event_subscription"):
        assert fetch(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_a_goal_that_cannot_be_compiled_does_not_stop_the_others(shop: Shop) -> None:
    goal(key="broken")
    execute('UPDATE goal SET conditions = \'{"amount": {"nonsense": 1}}\'')
    goal()
    shop.person("anna")
    shop.buy("anna", ago(hours=1))
    settle()
    assert Conversion.objects.count() == 1


def test_query_count_does_not_grow_with_the_batch(shop: Shop) -> None:
    goal()
    settle()
    people = {name: shop.person(name) for name in (f"p{number}" for number in range(30))}

    def batch(names: list[str]) -> tuple[int, int]:
        for name in names:
            shop.click(people[name], "welcome", ago(days=1))
            shop.buy(name, ago(hours=1))
        with CaptureQueriesContext(connection) as first:
            assert operations.convert() == 2 * len(names)
        with CaptureQueriesContext(connection) as second:
            operations.credit()
        return len(first), len(second)

    names = list(people)
    assert batch(names[:2]) == batch(names[2:])


def test_erasing_merging_and_showing_a_person(shop: Shop) -> None:
    goal()
    anna, ben = shop.person("anna"), shop.person("ben")
    shop.click(anna, "welcome", ago(days=1))
    shop.buy("anna", ago(hours=1))
    shop.buy("ben", ago(hours=2))
    settle()
    shown = personal_data.export(anna)
    assert (len(shown["conversion"]), len(shown["credit"])) == (1, 3)
    execute(sql("UPDATE event SET customer_id = {anna} WHERE customer_id = {ben}", anna=anna, ben=ben))
    assert len(personal_data.merge({ben: anna}, ago())["conversion"][ben]) == 1
    settle()
    assert credits("last_touch") == [("email", "welcome", D(1), D(10))] * 2
    assert violations() == {}
    execute("DELETE FROM event")
    assert personal_data.erase([anna]) == 2 + 6
    assert everything() == []


def test_invariants_notice_wrong_rows(shop: Shop) -> None:
    goal()
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=1))
    shop.buy("anna", ago(hours=1))
    settle()
    execute("UPDATE credit SET share = 0.5 WHERE model = 'linear'")
    assert set(violations()) == {"attribution.credit_sums_to_its_conversion"}
    execute("UPDATE credit SET share = 1, touched_at = now() + interval '1 day' WHERE model = 'linear'")
    assert set(violations()) == {"attribution.no_credit_to_a_later_touch"}
    execute("DELETE FROM credit WHERE model = 'linear'")
    assert violations() == {}, "no other conversion has that model"
    execute("DELETE FROM conversion")
    assert set(violations()) == {
        "attribution.credit_belongs_to_a_conversion",
        "attribution.goal_events_are_conversions",
    }


def test_two_subscribers_of_one_event_do_not_disturb_each_other(shop: Shop) -> None:
    goal()
    settle()
    queue.subscribe("somebody", ["purchase"])
    shop.person("anna")
    shop.buy("anna", ago(hours=1))
    settle()
    assert fetch("SELECT consumer FROM event_queue") == [("somebody",)]
    assert Conversion.objects.count() == 1


def test_unknown_goal_and_model_are_told_together() -> None:
    with pytest.raises(Problems) as refused:
        queries.report(goal="none", model="markow", start=None, end=NOW)
    assert [problem.where for problem in refused.value.problems] == ["model", "goal"]
    assert "first_touch, last_touch, linear" in refused.value.problems[0].remedy
