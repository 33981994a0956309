"""Two at once: the same ids, the same new names, the same new months."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import transaction

from loyalty.events import operations, partitions, types
from loyalty.kit.sql import execute, fetch

pytestmark = pytest.mark.django_db(transaction=True)


def batch(ids: list[int], **more: Any) -> list[dict[str, Any]]:
    return [{"id": str(n), "customer": "c1", "name": "purchase"} | more for n in ids]


def test_the_same_batch_at_once_is_stored_once(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]]
) -> None:
    """Against each other's order, so that unordered keys would deadlock."""
    ids = list(range(3000))
    first, second = together(
        lambda: operations.intake(events=batch(ids), now=now),
        lambda: operations.intake(events=batch(ids[::-1]), now=now),
    )
    assert first.accepted + second.accepted == 3000
    assert first.duplicates + second.duplicates == 3000
    assert fetch("SELECT count(*) FROM event") == [(3000,)]
    assert fetch("SELECT count(*) FROM event_key") == [(3000,)]


def test_an_id_that_is_being_written_is_waited_for(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]]
) -> None:
    """The second answers only when the first has committed: a duplicate is durable when it is answered."""

    def slow() -> float:
        with transaction.atomic():
            operations.intake(events=batch([1]), now=now)
            time.sleep(0.5)
        return time.monotonic()

    def quick() -> tuple[float, operations.Intake]:
        time.sleep(0.2)
        return time.monotonic(), operations.intake(events=batch([1]), now=now)

    _, (_, taken) = together(slow, quick)
    assert (taken.accepted, taken.duplicates) == (0, 1)


def test_an_id_whose_writer_failed_is_taken(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]]
) -> None:
    def failing() -> None:
        with transaction.atomic():
            operations.intake(events=batch([1]), now=now)
            time.sleep(0.5)
            transaction.set_rollback(True)

    def quick() -> operations.Intake:
        time.sleep(0.2)
        return operations.intake(events=batch([1]), now=now)

    assert together(failing, quick)[1].accepted == 1
    assert fetch("SELECT count(*) FROM event") == [(1,)]


def test_the_same_unknown_customer_at_once_is_made_once(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]]
) -> None:
    def send(tag: str) -> operations.Intake:
        events = [{"id": f"{tag}{n}", "customer": f"new-{n}", "name": "purchase"} for n in range(200)]
        return operations.intake(events=events, now=now)

    results = together(lambda: send("a"), lambda: send("b"))
    assert [taken.accepted for taken in results] == [200, 200]
    assert fetch("SELECT count(*) FROM customer WHERE external_id LIKE 'new-%%'") == [(200,)]


def test_the_same_new_name_at_once_is_learned_once(now: datetime, together: Callable[..., list[Any]]) -> None:
    names = [f"race.{n}" for n in range(50)]
    first, second = together(lambda: types.type_ids(names), lambda: types.type_ids(names[::-1]))
    assert first == second
    assert fetch("SELECT count(*) FROM event_type WHERE name LIKE 'race.%%'") == [(50,)]


def test_the_same_new_months_at_once_are_made_once(together: Callable[..., list[Any]]) -> None:
    first, last = datetime(1991, 1, 1, tzinfo=UTC), datetime(1991, 12, 31, tzinfo=UTC)
    made = together(*[lambda: partitions.ensure(first, last)] * 4)
    assert sum(made) == 12
    assert fetch(
        """SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'event'::regclass AND c.relname LIKE 'event_y1991%%'"""
    ) == [(12,)]


def test_making_a_month_disturbs_neither_readers_nor_writers(
    people: dict[str, int], now: datetime, other: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """A report that reads the timeline and an import that writes it are both open while a month is made."""
    operations.intake(events=batch([1]), now=now)
    other.execute("SELECT count(*) FROM event")
    other.execute("INSERT INTO event (customer_id, type_id, occurred_at, received_at) VALUES (1, 1, now(), now())")
    execute("SET lock_timeout = '2s'")
    assert operations.intake(events=batch([2], occurred_at="1992-05-05T00:00:00Z"), now=now).accepted == 1
    assert other.execute("SELECT count(*) FROM event").fetchone() == (3,)
    execute("RESET lock_timeout")


def test_readers_go_on_while_a_month_is_being_made(
    people: dict[str, int], now: datetime, other: psycopg.Connection[tuple[Any, ...]]
) -> None:
    operations.intake(events=batch([1]), now=now)
    with transaction.atomic():
        partitions.ensure(datetime(1993, 1, 1, tzinfo=UTC), datetime(1993, 2, 1, tzinfo=UTC))
        other.execute("SET lock_timeout = '2s'")
        assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)
        other.execute("INSERT INTO event (customer_id, type_id, occurred_at, received_at) VALUES (1, 1, now(), now())")
