"""Facts of the system itself, written as a set inside somebody's statement."""

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events import facts, queue
from loyalty.kit.sql import Sql, fetch, sql

pytestmark = pytest.mark.django_db


def rows(people: dict[str, int], now: datetime) -> Sql:
    return sql(
        """SELECT id, {now}, 7000 + id, jsonb_build_object('percent', '100 %') FROM customer
        WHERE id = ANY({ids}) ORDER BY id""",
        now=now,
        ids=sorted(people.values()),
    )


def test_facts_are_written_as_a_set(people: dict[str, int], now: datetime) -> None:
    assert facts.write("message.sent", rows(people, now)) == 3
    assert fetch(
        """SELECT e.customer_id, t.name, e.occurred_at, e.ref - e.customer_id, e.properties ->> 'percent'
        FROM event e JOIN event_type t ON t.id = e.type_id ORDER BY 1"""
    ) == [(one, "message.sent", now, 7000, "100 %") for one in sorted(people.values())]


def test_plain_nulls_will_do(people: dict[str, int], now: datetime) -> None:
    assert facts.write("segment.joined", sql("SELECT {id}, {now}, NULL, NULL", id=people["c1"], now=now)) == 1
    assert fetch("SELECT ref, properties FROM event") == [(None, None)]


def test_without_subscriber_there_is_no_queue_part(people: dict[str, int], now: datetime) -> None:
    assert "sent_queue" not in facts.ctes("sent", "message.sent", rows(people, now)).text
    queue.subscribe("flows", ["message.clicked"])
    assert "sent_queue" not in facts.ctes("sent", "message.sent", rows(people, now)).text
    queue.subscribe("flows", ["message.sent"])
    assert "sent_queue" in facts.ctes("sent", "message.sent", rows(people, now)).text


def test_subscribers_get_what_was_written(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["message.sent"])
    queue.subscribe("reports", ["message.sent"])
    facts.write("message.sent", rows(people, now))
    assert fetch(
        """SELECT q.consumer, count(*), count(e.id) FROM event_queue q
        LEFT JOIN event e ON e.id = q.event_id AND e.customer_id = q.customer_id AND e.ref = q.ref
            AND e.occurred_at = q.occurred_at AND e.type_id = q.type_id AND e.properties = q.properties
        GROUP BY 1 ORDER BY 1"""
    ) == [("flows", 3, 3), ("reports", 3, 3)]


def test_the_caller_goes_on_in_the_same_statement(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["message.sent"])
    statement = sql(
        "WITH picked AS (SELECT id FROM customer WHERE external_id = {who}), {facts} SELECT customer_id, ref FROM sent",
        who="c2",
        facts=facts.ctes("sent", "message.sent", sql("SELECT id, {now}, 5, NULL FROM picked", now=now)),
    )
    assert fetch(statement) == [(people["c2"], 5)]
    assert fetch("SELECT customer_id FROM event_queue") == [(people["c2"],)]


def test_writing_costs_the_same_for_any_number(people: dict[str, int], now: datetime) -> None:
    def queries(count: int) -> int:
        many = sql("SELECT n, {now}, NULL, NULL FROM generate_series(1, {count}) AS n", now=now, count=count)
        with CaptureQueriesContext(connection) as captured:
            assert facts.write("flow.entered", many) == count
        return len(captured)

    assert queries(1) == queries(5000)
