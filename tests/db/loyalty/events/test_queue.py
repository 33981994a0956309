"""The pull queue: subscribing, taking, and who need not wait for whom."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from loyalty.events import facts, operations, queue, tasks
from loyalty.kit.chores import all_chores
from loyalty.kit.sql import execute, fetch, sql


def send(count: int, now: datetime, **more: Any) -> None:
    events = [{"customer": "c1", "name": "purchase", "properties": {"n": n}} | more for n in range(count)]
    assert operations.intake(events=events, now=now).accepted == count


def taken() -> list[int]:
    return [n for (n,) in fetch("SELECT (properties ->> 'n')::int FROM taken_event ORDER BY seq")]


@pytest.mark.django_db
def test_events_are_taken_once_and_oldest_first(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    send(5, now)
    with transaction.atomic():
        assert queue.take("flows", 3) == 3
        assert taken() == [0, 1, 2]
        assert queue.take("flows", 3) == 2
        assert taken() == [3, 4]
        assert queue.take("flows", 3) == 0
        assert taken() == []


@pytest.mark.django_db
def test_what_is_taken_is_whole(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["message.clicked"])
    rows = sql("SELECT {id}::bigint, {now}::timestamptz, 77, NULL", id=people["c2"], now=now)
    assert facts.write("message.clicked", rows) == 1
    with transaction.atomic():
        queue.take("flows", 10)
        assert fetch(
            """SELECT e.id = q.event_id, q.customer_id, t.name, q.occurred_at, q.ref, q.properties
            FROM taken_event q JOIN event e USING (customer_id, type_id, occurred_at)
            JOIN event_type t ON t.id = q.type_id"""
        ) == [(True, people["c2"], "message.clicked", now, 77, None)]


@pytest.mark.django_db
def test_consumers_do_not_disturb_each_other(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    queue.subscribe("segments", ["purchase"])
    send(2, now)
    with transaction.atomic():
        assert queue.take("flows", 10) == 2
        assert queue.take("segments", 10) == 2


@pytest.mark.django_db(transaction=True)
def test_a_rollback_puts_events_back(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    send(2, now)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert queue.take("flows", 10) == 2
        raise ZeroDivisionError
    with transaction.atomic():
        assert queue.take("flows", 10) == 2
    with transaction.atomic():
        assert queue.take("flows", 10) == 0
        assert taken() == []


@pytest.mark.django_db(transaction=True)
def test_taking_without_a_transaction_is_refused(people: dict[str, int]) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        queue.take("flows", 10)


@pytest.mark.django_db
def test_unsubscribing_ends_it_and_clears_what_waits(people: dict[str, int], now: datetime) -> None:
    assert queue.subscribe("flows", ["purchase", "Purchase", "cart.updated"]) == 2
    assert queue.subscribe("flows", ["purchase"]) == 0
    send(2, now)
    send(1, now, name="cart.updated")
    assert queue.unsubscribe("flows", ["purchase"]) == 1
    send(2, now)
    assert fetch("SELECT t.name FROM event_queue q JOIN event_type t ON t.id = q.type_id") == [("cart.updated",)]


@pytest.mark.django_db
def test_leftovers_of_a_gone_consumer_are_dropped(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    queue.subscribe("gone", ["purchase"])
    send(2, now)
    execute("DELETE FROM event_subscription WHERE consumer = 'gone'")
    assert tasks.drop_leftovers(now=now) == 2
    assert tasks.drop_leftovers(now=now) == 0
    assert fetch("SELECT DISTINCT consumer FROM event_queue") == [("flows",)]


@pytest.mark.django_db(transaction=True)
def test_a_long_transaction_elsewhere_holds_nothing_up(
    people: dict[str, int], now: datetime, other: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """An import that stays open has written events and queue rows with lower numbers; later ones are taken at once."""
    queue.subscribe("flows", ["purchase"])
    other.execute(
        """WITH e AS (
            INSERT INTO event (customer_id, type_id, occurred_at, received_at)
            SELECT %s, type_id, %s, %s FROM event_subscription RETURNING *
        ) INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, properties)
        SELECT 'flows', id, customer_id, type_id, occurred_at, '{"n": 99}' FROM e""",
        [people["c1"], now, now],
    )
    send(2, now)
    with transaction.atomic():
        assert queue.take("flows", 10) == 2
        assert taken() == [0, 1]
    other.commit()
    with transaction.atomic():
        assert queue.take("flows", 10) == 1
        assert taken() == [99]


@pytest.mark.django_db(transaction=True)
def test_what_another_session_takes_is_skipped_not_waited_for(
    people: dict[str, int], now: datetime, other: psycopg.Connection[tuple[Any, ...]]
) -> None:
    queue.subscribe("flows", ["purchase"])
    send(4, now)
    other.execute("SELECT FROM event_queue ORDER BY seq LIMIT 2 FOR UPDATE")
    execute("SET lock_timeout = '2s'")
    with transaction.atomic():
        assert queue.take("flows", 10) == 2
        assert taken() == [2, 3]
    other.rollback()
    execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)
def test_two_takers_share_without_doubles(
    people: dict[str, int], now: datetime, together: Callable[..., list[Any]]
) -> None:
    queue.subscribe("flows", ["purchase"])
    send(2000, now)

    def work() -> list[int]:
        mine: list[int] = []
        while True:
            with transaction.atomic():
                if not queue.take("flows", 100):
                    return mine
                mine += taken()

    first, second = together(work, work)
    assert sorted(first + second) == list(range(2000))
    assert fetch("SELECT count(*) FROM event_queue") == [(0,)]


@pytest.mark.django_db
def test_taking_reads_only_the_head_of_the_queue(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    execute(
        """INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at)
        SELECT 'flows', n, 1, 1, now() FROM generate_series(1, 50000) n"""
    )
    execute("ANALYZE event_queue")
    with connection.cursor() as cursor:
        cursor.execute(
            """EXPLAIN SELECT seq FROM event_queue WHERE consumer = 'flows'
            ORDER BY seq LIMIT 500 FOR UPDATE SKIP LOCKED"""
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using event_queue_pkey" in plan
    assert "Sort" not in plan


def test_the_chores_are_registered() -> None:
    orders = {chore.key: chore.order for chore in all_chores() if chore.key.startswith("events.")}
    assert orders == {
        "events.partitions": 10,
        "events.arrivals": 90,
        "events.ids": 90,
        "events.leftovers": 90,
        "events.properties": 90,
        "events.retention": 90,
    }
