"""Challenges are counted from the timeline, whatever the order in which it is told."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from loyalty.kit.problems import Problems
from loyalty.play import starting
from loyalty.play.challenges import lapse
from loyalty.play.models import Award, Challenge, ChallengeRun, CustomerBadge
from tests.db.loyalty.play.fair import NOW, POINTS, applied, days, followed, happened, member, points

pytestmark = pytest.mark.django_db


def challenge(**fields: Any) -> dict[str, Any]:
    return {"kind": "challenge", "key": "three", "event": "visit", "target": 3, "prizes": [POINTS], **fields}


def runs(customer_id: int) -> list[tuple[int, str, int, int]]:
    found = ChallengeRun.objects.filter(customer_id=customer_id).order_by("challenge_id", "number")
    return [(run.number, run.state, int(run.progress), int(run.target)) for run in found]


def test_the_third_event_wins() -> None:
    applied(challenge())
    anna = member("anna")
    for day in range(2):
        happened("visit", "anna", days(day))
    followed(days(2))
    assert runs(anna) == [(1, "open", 2, 3)]
    assert points(anna) == 0
    happened("visit", "anna", days(3))
    happened("visit", "anna", days(4))
    followed(days(5))
    assert runs(anna) == [(1, "done", 3, 3)]
    assert ChallengeRun.objects.get().closed_at == days(3)
    assert points(anna) == 50
    assert list(Award.objects.values_list("state", "origin", "kind")) == [("given", "challenge", "points")]


def test_others_do_not_count() -> None:
    applied(challenge(where={"store": "berlin"}, target=1))
    anna, ben, carl = member("anna"), member("ben", joined=False), member("carl")
    happened("visit", "anna", store="bonn")
    happened("visit", "ben", store="berlin")
    happened("visit", "carl", NOW - timedelta(hours=1), store="berlin")
    happened("other", "anna", store="berlin")
    followed()
    assert (runs(anna), runs(ben), runs(carl)) == ([], [], [])


def test_the_order_of_arrival_does_not_matter() -> None:
    applied(challenge(measure={"sum": "amount"}, target=100, times="unlimited"))
    moments = [(0.1, 60), (0.2, 30), (0.3, 20), (0.4, 90), (0.5, 15)]
    for place, order in enumerate(list(permutations(moments))[::17]):
        who = member(f"p{place}")
        for day, amount in order:
            happened("visit", f"p{place}", days(day), amount=amount)
        followed(days(1))
        found = ChallengeRun.objects.filter(customer_id=who).order_by("number")
        assert [(run.state, run.closed_at) for run in found] == [("done", days(0.3)), ("done", days(0.5))]
        assert points(who) == 100


def test_event_by_event_in_the_wrong_order() -> None:
    applied(challenge())
    anna = member("anna")
    for day in (3, 1, 2):
        happened("visit", "anna", days(day))
        followed(days(4))
    assert runs(anna) == [(1, "done", 3, 3)]
    assert ChallengeRun.objects.get().closed_at == days(3)


def test_many_times_at_once() -> None:
    applied(challenge(target=2, times=3))
    anna = member("anna")
    for _ in range(9):
        happened("visit", "anna", days(1))
    followed(days(2))
    assert runs(anna) == [(1, "done", 2, 2), (2, "done", 2, 2), (3, "done", 2, 2)]
    assert points(anna) == 150
    followed(days(3))
    assert points(anna) == 150


@pytest.mark.parametrize(
    ("measure", "reached"),
    [("count", 5), ("days", 2), ({"sum": "amount"}, 35), ({"distinct": "sku"}, 2)],
)
def test_measures(measure: Any, reached: int) -> None:
    applied(challenge(measure=measure, target=1000))
    anna = member("anna")
    for hour, sku, amount in ((0, "a", 10), (1, "a", 10), (2, "b", 15), (30, None, -5), (31, "b", "many")):
        happened("visit", "anna", NOW + timedelta(hours=hour), **({"sku": sku} if sku else {}), amount=amount)
    followed(days(2))
    assert [int(run.progress) for run in ChallengeRun.objects.filter(customer_id=anna)] == [reached]


def test_a_window_passes_and_a_new_one_begins() -> None:
    applied(challenge(window="7d", times="unlimited"))
    anna = member("anna")
    happened("visit", "anna", days(0))
    happened("visit", "anna", days(1))
    followed(days(2))
    assert lapse(now=days(7), until=days(7)) == 1
    assert runs(anna) == [(1, "lapsed", 2, 3)]
    for day in (8, 9, 10):
        happened("visit", "anna", days(day))
    followed(days(11))
    assert runs(anna) == [(1, "lapsed", 2, 3), (2, "done", 3, 3)]


def test_a_late_event_still_counts_for_the_attempt_that_lapsed() -> None:
    applied(challenge(window="7d"))
    anna = member("anna")
    happened("visit", "anna", days(0))
    happened("visit", "anna", days(1))
    followed(days(2))
    lapse(now=days(8), until=days(8))
    happened("visit", "anna", days(6))
    followed(days(9))
    assert runs(anna) == [(1, "done", 3, 3)]


def test_once_a_calendar_month() -> None:
    applied(challenge(target=2, window="month", times="unlimited"))
    anna = member("anna")
    for day in (1, 2, 3, 22, 23):
        happened("visit", "anna", days(day))
    followed(days(24))
    assert runs(anna) == [(1, "done", 2, 2), (2, "done", 2, 2)]
    second = ChallengeRun.objects.get(number=2)
    assert second.started_at.isoformat() == "2026-03-31T22:00:00+00:00"
    assert second.ends_at is not None and second.ends_at.isoformat() == "2026-04-30T22:00:00+00:00"


def test_a_streak_of_days() -> None:
    applied(challenge(target=2, streak={"every": "day", "times": 3}))
    anna = member("anna")
    for day, times in ((0, 2), (1, 2), (2, 1), (3, 2), (4, 3)):
        for minute in range(times):
            happened("visit", "anna", days(day) + timedelta(minutes=minute))
    followed(days(4.1))
    assert runs(anna) == [(1, "open", 2, 3)]
    run = ChallengeRun.objects.get()
    assert (run.best, run.period_at) == (Decimal(2), datetime.fromisoformat("2026-03-13T23:00:00+00:00"))
    happened("visit", "anna", days(2.1))
    followed(days(4.2))
    # The day that was missing came late: five days in a row, the third of which won.
    assert runs(anna) == [(1, "done", 3, 3)]
    assert ChallengeRun.objects.get().closed_at == days(2.1)


def test_streaks_again() -> None:
    applied(challenge(target=1, streak={"every": "week", "times": 2}, times="unlimited"))
    anna = member("anna")
    for week in range(5):
        happened("visit", "anna", days(7 * week))
    followed(days(30))
    assert runs(anna) == [(1, "done", 2, 2), (2, "done", 2, 2), (3, "open", 1, 2)]


def test_a_personal_target() -> None:
    personal = {"over": "90d", "factor": 1.5, "round": 5, "min": 10, "max": 60}
    applied(challenge(measure={"sum": "amount"}, target=None, personal=personal, window="30d"), now=days(-200))
    for who, spent in (("anna", 90), ("ben", 0), ("carl", 900)):
        member(who)
        if spent:
            happened("visit", who, days(-50), amount=spent)
    Challenge.objects.update(created_at=days(-1))
    for who in ("anna", "ben", "carl"):
        happened("visit", who, days(1), amount=1)
    followed(days(2))
    # 90 in 90 days are 30 in 30 days, half as much again.
    assert [int(run.target) for run in ChallengeRun.objects.order_by("customer_id")] == [45, 10, 60]


def test_joining() -> None:
    applied(challenge(join="explicit", target=2))
    anna, ben = member("anna"), member("ben", joined=False)
    happened("visit", "anna", days(0.1))
    followed(days(1))
    assert runs(anna) == []
    assert starting.join("three", customer_ids=[anna, ben, 999_999], now=days(1)) == 1
    assert starting.join("three", customer_ids=[anna], now=days(1)) == 0
    happened("visit", "anna", days(1.1))
    happened("visit", "anna", days(1.2))
    followed(days(2))
    assert runs(anna) == [(1, "done", 2, 2)]
    assert starting.join("three", customer_ids=[anna], now=days(3)) == 0
    with pytest.raises(Problems, match="there is no challenge 'no'"):
        starting.join("no", customer_ids=[anna], now=NOW)


def test_badges_and_several_prizes() -> None:
    badge = {"kind": "badge", "key": "visitor", "name": "Visitor"}
    applied(badge, challenge(target=1, times=2, prizes=[{"type": "badge", "badge": "visitor"}, POINTS]))
    anna = member("anna")
    happened("visit", "anna", days(1))
    happened("visit", "anna", days(2))
    followed(days(3))
    assert points(anna) == 100
    assert list(CustomerBadge.objects.values_list("customer_id", "times")) == [(anna, 2)]


def test_an_automatic_member_is_welcome() -> None:
    applied(
        challenge(event="sale", target=1), {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1}
    )
    anna = member("anna", joined=False)
    happened("sale", "anna", days(1), amount=10)
    followed(days(2))
    assert runs(anna) == [(1, "done", 1, 1)]
    assert points(anna) == 50


def test_mistakes_are_told_at_once() -> None:
    from loyalty.kit.applying import apply_documents

    applied()
    with pytest.raises(Problems) as told:
        apply_documents(
            [challenge(prizes=[{"type": "badge", "badge": "no"}, {"type": "gold"}, {"type": "points", "point": 1}],
                       audience={"segments": ["no"], "tiers": ["gold"]})],
            now=NOW,
        )  # fmt: skip
    places = [problem.where.partition("three")[2].lstrip("]'\" :.") or problem.where for problem in told.value.problems]
    assert len(places) == 6
