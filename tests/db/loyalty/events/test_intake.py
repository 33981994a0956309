"""The intake: what becomes of a batch."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events import operations, queue, types
from loyalty.events.operations import Intake
from loyalty.kit.sql import execute, fetch

pytestmark = pytest.mark.django_db


def event(customer: object = "c1", **changes: Any) -> dict[str, Any]:
    return {"customer": customer, "name": "purchase"} | changes


def stored() -> list[tuple[Any, ...]]:
    rows = fetch(
        """SELECT c.external_id, t.name, e.occurred_at, e.properties FROM event e
        JOIN customer c ON c.id = e.customer_id JOIN event_type t ON t.id = e.type_id ORDER BY e.id"""
    )
    return [(*row, json.loads(properties or "null")) for *row, properties in rows]


def test_good_events_are_stored(people: dict[str, int], now: datetime) -> None:
    taken = operations.intake(
        events=[
            event("c2", id="a", occurred_at="2026-11-20T10:00:00+02:00", properties={"amount": 9.5, "a\\b": 'q"\t\n'}),
            event("c1", name="Cart.Updated"),
        ],
        now=now,
    )
    assert taken == Intake(2, 0, [])
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert stored() == [
        ("c2", "purchase", at, {"amount": 9.5, "a\\b": 'q"\t\n'}),
        ("c1", "cart.updated", now, None),
    ]
    assert fetch("SELECT DISTINCT received_at, ref FROM event") == [(now, None)]


def test_bad_events_are_told_and_good_ones_go_on(people: dict[str, int], now: datetime) -> None:
    taken = operations.intake(
        events=[event(name="two words"), event(), "text", event({"email": "nobody@example.com"}), event("c3")], now=now
    )
    assert (taken.accepted, taken.duplicates) == (2, 0)
    assert [(index, [problem.where for problem in problems]) for index, problems in taken.rejected] == [
        (0, ["name"]),
        (2, [""]),
        (3, ["customer"]),
    ]
    assert [row[0] for row in stored()] == ["c1", "c3"]


def test_the_same_id_again_changes_nothing(people: dict[str, int], now: datetime) -> None:
    batch = [event(id="a", properties={"n": 1}), event(id="b")]
    assert operations.intake(events=batch, now=now) == Intake(2, 0, [])
    again = [event("c2", id="a", occurred_at="2026-01-01T00:00:00Z", properties={"n": 2}), event(id="c"), *batch]
    assert operations.intake(events=again, now=now + timedelta(days=40)) == Intake(1, 3, [])
    assert [row[3] for row in stored()] == [{"n": 1}, None, None]


def test_the_same_id_twice_in_a_batch_is_one_event(people: dict[str, int], now: datetime) -> None:
    batch = [event(id="a", properties={"n": 1}), event("c2", id="a", properties={"n": 2})]
    assert operations.intake(events=batch, now=now) == Intake(1, 1, [])
    assert stored() == [("c1", "purchase", now, {"n": 1})]


def test_a_refused_event_does_not_use_up_its_id(people: dict[str, int], now: datetime) -> None:
    nobody = event({"phone": "+4930123"}, id="a")
    assert operations.intake(events=[nobody, event(id="a")], now=now).accepted == 1


def test_an_event_without_id_is_always_new(people: dict[str, int], now: datetime) -> None:
    assert operations.intake(events=[event(), event()], now=now) == Intake(2, 0, [])
    assert operations.intake(events=[event()], now=now) == Intake(1, 0, [])


def test_ids_are_apart_by_source(people: dict[str, int], now: datetime) -> None:
    assert operations.intake(events=[event(id="1")], now=now, source="shop") == Intake(1, 0, [])
    assert operations.intake(events=[event(id="1")], now=now, source="till") == Intake(1, 0, [])
    assert operations.intake(events=[event(id=1)], now=now, source="till") == Intake(0, 1, [])


def test_unknown_external_and_anonymous_ids_become_customers(people: dict[str, int], now: datetime) -> None:
    visitor = {"anonymous_id": "v-1"}
    assert operations.intake(events=[event("new"), event(visitor), event("new")], now=now) == Intake(3, 0, [])
    assert [row[0] for row in stored()] == ["new", None, "new"]
    assert operations.intake(events=[event("new"), event(visitor)], now=now) == Intake(2, 0, [])
    assert fetch("SELECT count(*) FROM customer") == [(5,)]
    assert fetch("SELECT count(DISTINCT customer_id) FROM event") == [(2,)]


def test_every_kind_of_reference_finds_its_customer(people: dict[str, int], now: datetime) -> None:
    execute("UPDATE customer SET email = 'a@example.com', email_digest = '\\x00' WHERE external_id = 'c2'")
    execute(
        """INSERT INTO customer_identity (customer_id, kind, value, created_at)
        SELECT id, 'card', '77', now() FROM customer WHERE external_id = 'c3'"""
    )
    batch = [event({"email": "A@example.com"}), event({"card": 77}), event({"external_id": "c1"})]
    assert operations.intake(events=batch, now=now) == Intake(3, 0, [])
    assert [row[0] for row in stored()] == ["c2", "c3", "c1"]


def test_late_and_early_events_find_their_month(people: dict[str, int], now: datetime) -> None:
    times = ["2026-11-22T11:59:00Z", "1990-01-01T00:00:00Z", "2019-07-01T00:30:00+02:00"]
    assert operations.intake(events=[event(occurred_at=at) for at in times], now=now) == Intake(3, 0, [])
    assert fetch("SELECT tableoid::regclass::text FROM event ORDER BY occurred_at") == [
        ("event_y1990m01",),
        ("event_y2019m06",),
        ("event_y2026m11",),
    ]


def test_the_order_of_arrival_does_not_matter(people: dict[str, int], now: datetime) -> None:
    batch = [event(id=str(n), occurred_at=f"2026-{n:02}-05T00:00:00Z", properties={"n": n}) for n in range(1, 11)]
    operations.intake(events=batch[5:], now=now)
    operations.intake(events=[*reversed(batch)], now=now)
    assert [row[3]["n"] for row in sorted(stored(), key=lambda row: row[2])] == list(range(1, 11))


def test_subscribers_get_a_row_each(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase", "cart.updated"])
    queue.subscribe("segments", ["purchase"])
    batch = [
        event(id="a", properties={"n": 1}),
        event(id="a"),
        event(name="page.viewed"),
        event("c2", name="cart.updated"),
    ]
    operations.intake(events=batch, now=now)
    assert fetch(
        """SELECT q.consumer, c.external_id, t.name, q.occurred_at, q.ref, q.properties ->> 'n'
        FROM event_queue q JOIN event e ON e.id = q.event_id AND e.occurred_at = q.occurred_at
        JOIN customer c ON c.id = q.customer_id JOIN event_type t ON t.id = q.type_id
        ORDER BY q.consumer, q.seq"""
    ) == [
        ("flows", "c1", "purchase", now, None, "1"),
        ("flows", "c2", "cart.updated", now, None, None),
        ("segments", "c1", "purchase", now, None, "1"),
    ]


def test_duplicates_are_not_queued(people: dict[str, int], now: datetime) -> None:
    operations.intake(events=[event(id="a")], now=now)
    queue.subscribe("flows", ["purchase"])
    operations.intake(events=[event(id="a")], now=now)
    assert fetch("SELECT count(*) FROM event_queue") == [(0,)]


def test_a_full_catalog_refuses_new_names_only(
    people: dict[str, int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.intake(events=[event()], now=now)
    count = fetch("SELECT count(*) FROM event_type WHERE NOT internal")[0][0]
    monkeypatch.setattr(types, "MAX_TYPES", count + 1)
    taken = operations.intake(events=[event(), event(name="brand.new"), event(name="too.much")], now=now)
    assert taken.accepted == 2
    assert [(index, problems[0].where) for index, problems in taken.rejected] == [(2, "name")]


def test_an_empty_batch_does_nothing(db: None, now: datetime) -> None:
    assert operations.intake(events=[], now=now) == Intake(0, 0, [])


def test_the_number_of_queries_does_not_grow_with_the_batch(people: dict[str, int], now: datetime) -> None:
    def queries(size: int, tag: str) -> int:
        batch = [
            event(f"{tag}-{n}" if n % 2 else {"anonymous_id": f"{tag}-{n}"}, id=f"{tag}-{n}", name=f"{tag}.{n % 7}")
            for n in range(size)
        ]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert operations.intake(events=batch, now=now) == Intake(size, 0, [])
        return len(captured)

    queries(10, "warm")
    few, many = queries(10, "few"), queries(1000, "many")
    assert few == many
