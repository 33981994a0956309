"""Retention: months go whole or are written anew; what is still wanted stays, readers never stop."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from loyalty.events import operations, partitions, queue, retention
from loyalty.events.catalog import Definition, define
from loyalty.events.models import EventRemoval
from loyalty.kit.sql import execute, fetch

JANUARY = date(2025, 1, 1)


def sent(now: datetime, *events: tuple[str, str]) -> None:
    """Events (name, day in January 2025 or a whole date) of c1, each with an id."""
    taken = operations.intake(
        events=[
            {
                "id": f"{name}-{day}",
                "customer": "c1",
                "name": name,
                "occurred_at": f"{day if '-' in day else '2025-01-' + day}T10:00:00Z",
                "properties": {"day": day},
            }
            for name, day in events
        ],
        now=now,
    )
    assert taken.rejected == []


def keep(name: str, period: str | None, now: datetime) -> None:
    define(Definition(key=name, retention=period), now=now)


def names_in(month: date) -> list[str]:
    rows = fetch(
        f"SELECT t.name FROM {partitions.name_of(month)} e JOIN event_type t ON t.id = e.type_id ORDER BY e.occurred_at"
    )
    return [name for (name,) in rows]


@pytest.mark.django_db
def test_a_month_is_written_anew_without_what_expired(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("test", ["page_viewed", "purchase"])
    sent(now, ("page_viewed", "03"), ("purchase", "05"), ("page_viewed", "31"), ("page_viewed", "2026-10-05"))
    keep("page_viewed", "400d", now)
    assert retention.due(now=now) == [retention.Due(JANUARY, (retention.due(now=now)[0].types[0],))]
    assert retention.remove_next(now=now) == 2
    assert names_in(JANUARY) == ["purchase"]
    assert fetch("SELECT count(*) FROM event") == [(2,)]
    assert fetch("SELECT properties->>'day' FROM event_queue ORDER BY occurred_at") == [("05",), ("2026-10-05",)]
    assert EventRemoval.objects.values_list("at", "month", "removed", "kept").get() == (
        now,
        JANUARY,
        {"page_viewed": 2},
        1,
    )
    assert retention.remove_next(now=now) == 0
    # The month still takes and finds events, by the same indexes.
    sent(now, ("purchase", "07"))
    assert names_in(JANUARY) == ["purchase", "purchase"]
    indexes = fetch("SELECT count(*) FROM pg_index WHERE indrelid = 'event_y2025m01'::regclass AND indisvalid")
    assert indexes == fetch("SELECT count(*) FROM pg_index WHERE indrelid = 'event'::regclass")


@pytest.mark.django_db
def test_a_month_of_which_nothing_is_wanted_is_dropped(people: dict[str, int], now: datetime) -> None:
    sent(now, ("page_viewed", "03"), ("purchase", "05"))
    keep("page_viewed", "400d", now)
    keep("purchase", "12 months", now)
    assert retention.remove_next(now=now) == 2
    assert JANUARY not in partitions.existing()
    assert fetch("SELECT count(*) FROM event") == [(0,)]
    assert EventRemoval.objects.values_list("removed", "kept").get() == ({"page_viewed": 1, "purchase": 1}, 0)
    sent(now, ("purchase", "2025-01-09"))
    assert JANUARY in partitions.existing()


@pytest.mark.django_db
def test_a_month_that_is_not_over_for_a_type_stays(people: dict[str, int], now: datetime) -> None:
    sent(now, ("page_viewed", "03"))
    end = datetime(2025, 2, 1, tzinfo=UTC)
    keep("page_viewed", "400d", now)
    assert retention.due(now=end + timedelta(days=400) - timedelta(microseconds=1)) == []
    assert [one.month for one in retention.due(now=end + timedelta(days=400))] == [JANUARY]


@pytest.mark.django_db
def test_the_usual_retention_holds_for_types_without_their_own(
    people: dict[str, int], now: datetime, settings: Any
) -> None:
    sent(now, ("page_viewed", "03"), ("purchase", "05"))
    keep("purchase", "10 years", now)
    assert retention.remove_next(now=now) == 0
    settings.EVENT_RETENTION = "1 year"
    assert retention.remove_next(now=now) == 1
    assert names_in(JANUARY) == ["purchase"]


@pytest.mark.django_db
def test_a_legal_hold_stops_removals(people: dict[str, int], now: datetime, settings: Any) -> None:
    sent(now, ("page_viewed", "03"), ("page_viewed", "2024-12-05"))
    keep("page_viewed", "30d", now)
    settings.LEGAL_HOLD = "all"
    assert retention.due(now=now) == []
    settings.LEGAL_HOLD = "2025-01-01"
    assert [one.month for one in retention.due(now=now)] == [date(2024, 12, 1)]
    held = {one.name: one.goes_at for one in retention.outlook(now=now) if one.oldest}
    assert held == {"page_viewed": now}


@pytest.mark.django_db
def test_the_outlook_says_what_goes_when(people: dict[str, int], now: datetime) -> None:
    sent(now, ("page_viewed", "2026-10-05"), ("purchase", "2026-10-06"))
    keep("page_viewed", "400d", now)
    found = {one.name: one for one in retention.outlook(now=now) if one.oldest}
    assert found["page_viewed"].goes_at == datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=400)
    assert (found["purchase"].retention, found["purchase"].goes_at) == ("", None)


@pytest.mark.django_db(transaction=True)
def test_a_busy_timeline_is_left_alone_and_finished_later(
    people: dict[str, int], now: datetime, other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SWAP_ATTEMPTS", 2)
    monkeypatch.setattr(retention, "SWAP_PAUSE_SECONDS", 0.0)
    sent(now, ("page_viewed", "03"), ("purchase", "05"))
    keep("page_viewed", "400d", now)
    other.execute("SELECT count(*) FROM event")  # holds its lock until the transaction ends
    assert retention.remove_next(now=now) == 0
    assert names_in(JANUARY) == ["page_viewed", "purchase"]
    assert fetch("SELECT to_regclass('event_y2025m01_kept')") == [(None,)]
    other.rollback()
    assert retention.remove_next(now=now) == 1
    assert names_in(JANUARY) == ["purchase"]


@pytest.mark.django_db(transaction=True)
def test_events_of_the_month_wait_for_the_copy_and_are_kept(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(now, ("page_viewed", "03"), ("purchase", "05"))
    keep("page_viewed", "400d", now)
    copied = threading.Event()
    swap = retention._swap

    def slow_swap(month: date, *, keep: bool) -> None:
        copied.set()
        swap(month, keep=keep)

    monkeypatch.setattr(retention, "_swap", slow_swap)

    def late() -> None:
        assert copied.wait(10)
        sent(now, ("purchase", "20"))

    removed, error = together(lambda: retention.remove_next(now=now), late)
    assert (removed, error) == (1, None)
    assert names_in(JANUARY) == ["purchase", "purchase"]


@pytest.mark.django_db
def test_an_intake_whose_month_was_dropped_makes_it_again(
    people: dict[str, int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(now, ("purchase", "05"))
    looked = []

    def ensure(months: Any) -> int:
        looked.append(sorted(months))
        if len(looked) == 1:
            execute("ALTER TABLE event DETACH PARTITION event_y2025m01; DROP TABLE event_y2025m01")
            return 0
        return made(months)

    made = partitions.ensure_months
    monkeypatch.setattr(partitions, "ensure_months", ensure)
    sent(now, ("purchase", "06"))
    assert looked == [[JANUARY], [JANUARY]]
    assert fetch("SELECT properties->>'day' FROM event") == [("06",)]


@pytest.mark.django_db
def test_ids_are_forgotten_after_their_time(people: dict[str, int], now: datetime, settings: Any) -> None:
    sent(now - timedelta(days=500), ("purchase", "05"))
    sent(now, ("purchase", "06"))
    settings.EVENT_ID_MEMORY = ""
    assert retention.forget_ids(now=now) == 0
    settings.EVENT_ID_MEMORY = "400d"
    assert retention.forget_ids(now=now) == 1
    assert fetch("SELECT received_at FROM event_key") == [(now,)]
    assert retention.forget_ids(now=now + timedelta(hours=1)) == 0
    assert fetch("SELECT position, ended_at FROM event_sweep") == [(0, now)]
    assert retention.forget_ids(now=now + timedelta(days=401)) == 1


@pytest.mark.django_db
def test_the_walk_through_the_ids_goes_on_where_it_stopped(
    people: dict[str, int], now: datetime, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.EVENT_ID_MEMORY = "1d"
    execute(
        "INSERT INTO event_key (digest, received_at)"
        " SELECT md5(n::text)::uuid, '2020-01-01' FROM generate_series(1, 1000) AS n"
    )
    monkeypatch.setattr(retention, "BLOCKS", 1)
    monkeypatch.setattr(retention, "SWEEP_SECONDS", 0.0)
    assert retention.forget_ids(now=now) == 1  # nothing done yet, but there is more to do
    monkeypatch.setattr(retention, "SWEEP_SECONDS", 60.0)
    assert retention.forget_ids(now=now) == 1000
    assert fetch("SELECT count(*) FROM event_key") == [(0,)]
