"""Timelines, lag and the catalog in figures."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events import facts, operations, queries, queue
from loyalty.events.queries import Lag
from loyalty.kit.problems import Problems
from loyalty.kit.sql import sql

pytestmark = pytest.mark.django_db


def fill(now: datetime) -> None:
    """Twelve purchases of c1, one each five days back, two at the same instant; a view; something of c2."""
    events = [
        {
            "customer": "c1",
            "name": "purchase",
            "occurred_at": (now - timedelta(days=5 * n)).isoformat(),
            "properties": {"n": n},
        }
        for n in range(11)
    ]
    events.append({**events[10], "properties": {"n": 11}})
    events.append({"customer": "c1", "name": "view", "occurred_at": (now - timedelta(days=7)).isoformat()})
    events.append({"customer": "c2", "name": "purchase"})
    assert operations.intake(events=events, now=now).accepted == 14


def test_newest_first_page_by_page(people: dict[str, int], now: datetime) -> None:
    fill(now)
    seen, after, pages = [], None, 0
    while True:
        page = queries.timeline(people["c1"], names=["Purchase"], after=after, limit=5)
        seen += [event.properties["n"] for event in page.events]
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert seen == [*range(10), 11, 10]
    assert pages == 3


def test_a_page_that_ends_exactly_has_no_next(people: dict[str, int], now: datetime) -> None:
    fill(now)
    assert queries.timeline(people["c1"], names=["purchase"], limit=12).next is None
    assert queries.timeline(people["c3"]) == queries.TimelinePage([], None)


def test_an_event_that_arrives_meanwhile_neither_repeats_nor_hides(people: dict[str, int], now: datetime) -> None:
    fill(now)
    first = queries.timeline(people["c1"], names=["purchase"], limit=5)
    fill(now)
    second = queries.timeline(people["c1"], names=["purchase"], limit=2, after=first.next)
    assert [event.properties["n"] for event in second.events] == [5, 5]


def test_filters(people: dict[str, int], now: datetime) -> None:
    fill(now)
    span = queries.timeline(people["c1"], since=now - timedelta(days=10), until=now)
    assert [(event.name, event.properties.get("n")) for event in span.events] == [
        ("purchase", 1),
        ("view", None),
        ("purchase", 2),
    ]
    assert queries.timeline(people["c1"], names=["never.seen"]).events == []
    both = queries.timeline(people["c1"], names=["view", "purchase"])
    assert len(both.events) == 13


def test_facts_stand_in_the_timeline_with_their_reference(people: dict[str, int], now: datetime) -> None:
    facts.write("message.sent", sql("SELECT {id}, {now}, 4711, NULL", id=people["c1"], now=now))
    (event,) = queries.timeline(people["c1"]).events
    assert (event.name, event.occurred_at, event.ref, event.properties) == ("message.sent", now, 4711, {})


@pytest.mark.parametrize("cursor", ["", "!", "abc", "MS4y.", "LTEuLTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ", "ü"])
def test_a_forged_cursor_is_refused(people: dict[str, int], cursor: str) -> None:
    with pytest.raises(Problems):
        queries.timeline(people["c1"], after=cursor)


def test_a_timeline_is_read_by_index(people: dict[str, int], now: datetime) -> None:
    fill(now)
    with CaptureQueriesContext(connection) as captured:
        queries.timeline(people["c1"], since=now - timedelta(days=60), limit=5)
    (query,) = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + query["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on event_y" not in plan
    assert "event_y2026m08" not in plan  # pruned by `since`


def test_lag_tells_what_waits_and_since_when(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    queue.subscribe("segments", ["view"])
    fill(now)
    operations.intake(events=[{"customer": "c1", "name": "purchase"}], now=now + timedelta(hours=1))
    assert queries.lag() == [Lag("flows", 14, now), Lag("segments", 1, now)]
    queue.take("segments", 10)
    assert queries.lag()[1] == Lag("segments", 0, None)
    queue.take("flows", 13)
    assert queries.lag()[0] == Lag("flows", 1, now + timedelta(hours=1))


def test_the_catalog_counts_a_span(people: dict[str, int], now: datetime) -> None:
    fill(now)
    counts = {row.name: row for row in queries.type_counts(since=now - timedelta(days=10), until=now)}
    assert (counts["purchase"].events, counts["purchase"].last_at) == (2, now - timedelta(days=5))
    assert (counts["view"].events, counts["view"].first_seen_at) == (1, now)
    assert (counts["message.sent"].events, counts["message.sent"].internal) == (0, True)
