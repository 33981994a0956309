"""Replay, lateness, and that the order of arrival does not matter."""

import itertools
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from loyalty.events import arrivals, operations, queries, queue
from loyalty.events.replay import Span, replay
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, statement

pytestmark = pytest.mark.django_db


def send(now: datetime, *ages: timedelta, name: str = "purchase") -> None:
    events = [
        {
            "id": f"{name}-{age}",
            "customer": "c1",
            "name": name,
            "occurred_at": now - age,
            "properties": {"age": str(age)},
        }
        for age in ages
    ]
    assert operations.intake(events=events, now=now).rejected == []


def taken(consumer: str) -> list[str]:
    with transaction.atomic():
        queue.take(consumer, 100)
        return [age for (age,) in fetch("SELECT properties->>'age' FROM taken_event ORDER BY seq")]


def test_past_events_go_to_a_consumer_once_more(
    people: dict[str, int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.events.replay.EVENTS", 1)
    send(now, timedelta(hours=5), timedelta(hours=3), timedelta(hours=1))
    queue.subscribe("test", ["purchase", "other"])
    send(now, timedelta(minutes=1), name="other")
    assert taken("test") == ["0:01:00"]
    since, until = now - timedelta(hours=4), now
    counted = list(replay("test", [], since=since, until=until, dry_run=True))
    assert [span.events for span in counted] == [1, 2]
    assert taken("test") == []
    assert list(replay("test", ["Purchase"], since=since, until=until)) == [
        Span(now - timedelta(hours=3), now - timedelta(hours=2), 1),
        Span(now - timedelta(hours=1), now, 1),
    ]
    # What waits already is not queued twice.
    assert sum(span.events for span in replay("test", ["purchase"], since=since, until=until)) == 0
    assert taken("test") == ["3:00:00", "1:00:00"]


def test_quiet_hours_go_together(people: dict[str, int], now: datetime) -> None:
    send(now, timedelta(hours=5), timedelta(hours=3), timedelta(hours=1))
    queue.subscribe("test", ["purchase"])
    spans = list(replay("test", [], since=now - timedelta(hours=4), until=now))
    assert spans == [Span(now - timedelta(hours=3), now, 2)]
    assert taken("test") == ["3:00:00", "1:00:00"]


def test_a_replay_that_nobody_would_take_is_refused(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("test", ["other"])
    send(now, timedelta(hours=1))
    day = timedelta(days=1)
    for consumer, names, where in (("nobody", [], "consumer"), ("test", ["purchase"], "type"), ("test", ["x"], "type")):
        with pytest.raises(Problems) as refused:
            list(replay(consumer, names, since=now - day, until=now))
        assert [problem.where for problem in refused.value.problems] == [where]


def test_the_command_tells_what_it_did(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("test", ["purchase"])
    send(now, timedelta(hours=1))
    taken("test")
    out = StringIO()
    call_command(
        "replay_events", consumer="test", since="2026-11-21T00:00:00Z", until="2026-11-22T00:00:00Z", stdout=out
    )
    assert out.getvalue() == "2026-11-21 11:00 .. 12:00 UTC: 1\n1 events wait for test again.\n"
    assert taken("test") == ["1:00:00"]
    with pytest.raises(CommandError, match="has no offset"):
        call_command("replay_events", consumer="test", since="2026-11-21")
    with pytest.raises(CommandError, match="subscribes to nothing"):
        call_command("replay_events", consumer="flaws", since="2026-11-21T00:00:00Z")


def test_the_order_of_arrival_does_not_matter(people: dict[str, int], now: datetime) -> None:
    ages = [timedelta(minutes=5), timedelta(days=3), timedelta(days=40), timedelta(days=400)]
    seen: set[tuple[Any, ...]] = set()
    for order in itertools.permutations(ages):
        point = transaction.savepoint()
        queue.subscribe("test", ["purchase"])
        for age in order:
            send(now, age)
        timeline = tuple(event.properties["age"] for event in queries.timeline(people["c1"]).events)
        assert sorted(taken("test")) == sorted(str(age) for age in ages)
        seen.add(timeline)
        transaction.savepoint_rollback(point)
    assert seen == {tuple(str(age) for age in ages)}


def test_lateness_is_counted_and_folded_into_hours(people: dict[str, int], now: datetime) -> None:
    send(now, timedelta(0), timedelta(seconds=0.5), timedelta(seconds=30), timedelta(days=30))
    send(now, timedelta(seconds=30))  # again: a duplicate is no arrival
    hour = arrivals.Hour(now, (2, 0, 1, 0, 0, 0, 0, 0, 1))
    assert arrivals.hours(since=now, until=now + timedelta(hours=1)) == [hour]
    assert arrivals.fold(now=now) == 0
    assert arrivals.fold(now=now + timedelta(minutes=1)) == 3
    assert fetch("SELECT count(*) FROM event_arrival") == [(0,)]
    assert arrivals.hours(since=now, until=now + timedelta(hours=1)) == [hour]
    assert arrivals.fold(now=now + timedelta(minutes=1)) == 0
    send(now + timedelta(minutes=5), timedelta(seconds=1))
    arrivals.fold(now=now + timedelta(minutes=6))
    assert arrivals.hours(since=now, until=now + timedelta(hours=1))[0].buckets == (3, 0, 1, 0, 0, 0, 0, 0, 1)
    arrivals.fold(now=now + timedelta(days=91))
    assert arrivals.hours(since=now, until=now + timedelta(hours=1)) == []


def test_events_from_the_future_are_not_late(people: dict[str, int], now: datetime) -> None:
    send(now, timedelta(minutes=-10))
    assert fetch("SELECT bucket, events FROM event_arrival") == [(0, 1)]


@pytest.mark.parametrize(
    ("buckets", "share", "bound"),
    [
        ((50, 45, 5, 0, 0, 0, 0, 0, 0), 0.5, 1),
        ((50, 45, 5, 0, 0, 0, 0, 0, 0), 0.95, 10),
        ((50, 45, 5, 0, 0, 0, 0, 0, 0), 0.99, 60),
        ((1, 0, 0, 0, 0, 0, 0, 0, 1), 0.99, None),
        ((0,) * 9, 0.5, None),
    ],
)
def test_percentiles_are_upper_bounds(buckets: tuple[int, ...], share: float, bound: int | None) -> None:
    assert arrivals.percentile(buckets, share) == bound


def test_the_statement_knows_how_many_bounds_there_are() -> None:
    assert f"SELECT %(now)s, {len(arrivals.BOUNDS)} - newer" in statement("loyalty.events", "take_in")
