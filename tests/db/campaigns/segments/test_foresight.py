"""Answers that the clock alone changes are followed at their instant, without looking at everybody each time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments import foresight, refresh, tree
from campaigns.segments.models import Foreseen, Segment
from tests.db.campaigns.segments.conftest import Shop

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(seconds=5)
BIRTHDAYS = {"attribute": "birth_date", "anniversary_within": "7d"}
FRESH = {"attribute": "joined", "within": "30d"}


@pytest.fixture(autouse=True)
def midnight_in_utc(settings: object) -> None:
    settings.TIME_ZONE = "UTC"


def test_a_birthday_comes_into_the_window_at_midnight(shop: Shop, full_builds: list[int]) -> None:
    shop.customers({"external_id": "a", "birth_date": "1980-11-28"}, {"external_id": "b", "birth_date": "1980-12-24"})
    shop.segment("birthdays", BIRTHDAYS)
    assert Segment.objects.get().rebuild_at is None
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    while shop.now < midnight - HOUR:
        shop.refresh(HOUR)
    shop.now = midnight - TICK
    shop.refresh()
    assert Foreseen.objects.count() == 1
    assert shop.members("birthdays") == []
    shop.refresh(TICK)
    assert shop.members("birthdays") == ["a"]
    assert shop.facts("birthdays") == [("a", "joined")]
    shop.refresh(8 * DAY)
    assert shop.members("birthdays") == []
    assert full_builds == [Segment.objects.get().id]


def test_an_instant_leaves_its_window_to_the_microsecond(shop: Shop, full_builds: list[int]) -> None:
    joined = shop.now - 30 * DAY + timedelta(minutes=20)
    shop.customers(
        {"external_id": "a", "attributes": {"joined": joined.isoformat()}},
        {"external_id": "b", "attributes": {"joined": (shop.now + timedelta(minutes=30)).isoformat()}},
    )
    shop.segment("fresh", FRESH)
    assert shop.members("fresh") == ["a"]
    shop.refresh(timedelta(minutes=20) - timedelta(microseconds=1))
    assert shop.members("fresh") == ["a"]
    shop.refresh(timedelta(microseconds=1))
    assert shop.members("fresh") == []
    shop.refresh(timedelta(minutes=10))
    assert shop.members("fresh") == ["b"]
    assert len(full_builds) == 1


def test_who_changes_within_the_hour_is_foreseen_too(shop: Shop) -> None:
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    shop.segment("fresh", FRESH)
    shop.refresh(TICK)
    assert Foreseen.objects.count() == 0
    joined = shop.now - 30 * DAY + timedelta(minutes=20)
    shop.customers({"external_id": "a", "attributes": {"joined": joined.isoformat()}})
    shop.refresh(TICK)
    assert shop.members("fresh") == ["a"]
    assert Foreseen.objects.count() == 1
    shop.refresh(timedelta(minutes=20))
    assert shop.members("fresh") == []


def test_two_conditions_that_change_in_opposite_ways_hide_nothing(shop: Shop) -> None:
    """Until 12:20 the first holds, from 12:30 on the second: at both ends of the hour the answer is yes."""
    ends = (shop.now - 30 * DAY + timedelta(minutes=20)).isoformat()
    begins = (shop.now + timedelta(minutes=30)).isoformat()
    shop.customers({"external_id": "a", "attributes": {"one": ends, "two": begins}})
    rule = {"any": [{"attribute": "one", "within": "30d"}, {"attribute": "two", "within": "30d"}]}
    shop.segment("either", rule)
    seen = []
    for _ in range(6):
        seen.append(shop.members("either"))
        shop.refresh(timedelta(minutes=7))
    assert seen == [["a"], ["a"], ["a"], [], [], ["a"]]


def test_hours_without_a_tick_are_caught_up(shop: Shop, full_builds: list[int]) -> None:
    gone, come = shop.now - 30 * DAY + 3 * HOUR, shop.now + 5 * HOUR
    shop.customers(
        {"external_id": "a", "attributes": {"joined": gone.isoformat()}},
        {"external_id": "b", "attributes": {"joined": come.isoformat()}},
    )
    shop.segment("fresh", FRESH)
    shop.refresh(2 * DAY)
    assert shop.members("fresh") == ["b"]
    assert len(full_builds) == 1


def test_windows_over_events_and_the_clock_in_one_rule(shop: Shop) -> None:
    shop.customers({"external_id": "a", "attributes": {"joined": (shop.now - 29 * DAY).isoformat()}})
    shop.event("a", "purchase", 89 * DAY + 12 * HOUR)
    shop.segment("either", {"any": [FRESH, {"event": "purchase", "within": "90d"}]})
    shop.segment("both", {"all": [FRESH, {"event": "purchase", "within": "90d"}]})
    shop.segment("outer", {"all": [{"segment": "either"}, {"none": [{"segment": "both"}]}]})
    shop.refresh(11 * HOUR)
    assert (shop.members("either"), shop.members("both"), shop.members("outer")) == (["a"], ["a"], [])
    shop.refresh(HOUR)
    assert (shop.members("either"), shop.members("both"), shop.members("outer")) == (["a"], [], ["a"])
    shop.refresh(11 * HOUR)
    assert shop.members("either") == ["a"]
    shop.refresh(HOUR)
    assert (shop.members("either"), shop.members("outer")) == ([], [])


def test_an_idle_tick_asks_nobody_but_the_foreseen(shop: Shop) -> None:
    shop.customers({"external_id": "a", "birth_date": "1980-11-29"})
    shop.segment("birthdays", BIRTHDAYS)
    shop.refresh(TICK)
    with CaptureQueriesContext(connection) as captured:
        assert shop.refresh(TICK) == 0
    asked = [query["sql"] for query in captured if "FROM customer c" in query["sql"]]
    assert all("segment_foreseen" in statement for statement in asked)


def test_a_look_ahead_that_fails_is_noted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.customers({"external_id": "a", "birth_date": "1980-11-29"})
    shop.segment("birthdays", BIRTHDAYS)
    monkeypatch.setattr(foresight, "_changes", lambda *arguments: refresh.Sql("1/(c.id - c.id) > 0"))
    shop.now += 2 * HOUR
    assert refresh.foresee_next(now=shop.now) is False
    segment = Segment.objects.get()
    assert (segment.problem, segment.rebuild_at) == ("division by zero", shop.now + refresh.RETRY)


@pytest.mark.parametrize(
    ("rule", "minutes"),
    [
        (BIRTHDAYS, 60),
        ({"any": [BIRTHDAYS, {"attribute": "joined", "within": "15m"}]}, 15),
        ({"attribute": "joined", "within": "10s"}, 1),
        ({"attribute": "joined", "within": "1 month"}, 60),
        ({"event": "purchase", "within": "5m"}, 60),
    ],
)
def test_how_far_ahead_is_looked(rule: dict[str, object], minutes: int) -> None:
    assert foresight.horizon(tree.parse(rule)) == timedelta(minutes=minutes)
