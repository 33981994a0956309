"""People's rights over their timeline, and the invariants that watch over it."""

from datetime import datetime

import pytest

from loyalty.events import facts, operations, personal_data, queue
from loyalty.kit.checks import invariants
from loyalty.kit.erasures import holders
from loyalty.kit.sql import execute, fetch, sql

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def timeline(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["purchase"])
    events = [
        {"id": "1", "customer": "c1", "name": "purchase", "properties": {"amount": 5}},
        {"customer": "c1", "name": "view"},
        {"customer": "c2", "name": "purchase", "occurred_at": "2001-01-01T00:00:00Z"},
    ]
    operations.intake(events=events, now=now)


def violations() -> dict[str, int]:
    mine = [item for item in invariants() if item.key.startswith("events.")]
    return {item.key: len(fetch(item.query)) for item in mine}


def test_the_timeline_is_registered() -> None:
    assert "loyalty.events" in [holder.package for holder in holders()]


def test_erasing_leaves_no_row_of_the_person(people: dict[str, int]) -> None:
    assert personal_data.erase([people["c1"], people["c3"]]) == 3
    for table in ("event", "event_queue"):
        assert fetch(f"SELECT DISTINCT customer_id FROM {table}") == [(people["c2"],)]


def test_an_erased_persons_event_does_not_come_back(people: dict[str, int], now: datetime) -> None:
    personal_data.erase([people["c1"]])
    again = operations.intake(events=[{"id": "1", "customer": "c1", "name": "purchase"}], now=now)
    assert (again.accepted, again.duplicates) == (0, 1)


def test_an_export_gives_every_event(people: dict[str, int], now: datetime) -> None:
    rows = personal_data.export(people["c1"])["event"]
    assert [(row["name"], row["occurred_at"], row["properties"]) for row in rows] == [
        ("purchase", now, {"amount": 5}),
        ("view", now, None),
    ]


def test_a_merge_hands_everything_over(people: dict[str, int], now: datetime) -> None:
    moved = personal_data.merge({people["c1"]: people["c2"]}, now)
    assert {table: len(keys[people["c1"]]) for table, keys in moved.items()} == {"event": 2, "event_queue": 1}
    for table, count in (("event", 3), ("event_queue", 2)):
        assert fetch(f"SELECT customer_id, count(*) FROM {table} GROUP BY 1") == [(people["c2"], count)]


def test_a_sound_timeline_violates_nothing() -> None:
    assert violations() == {
        "events.customer": 0,
        "events.partitions": 0,
        "events.queue_event": 0,
        "events.queue_subscribed": 0,
        "events.type": 0,
    }


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE event SET type_id = 0", "events.type"),
        ("DELETE FROM customer WHERE external_id = 'c2'", "events.customer"),
        ("DELETE FROM event", "events.queue_event"),
        ("DELETE FROM event_subscription", "events.queue_subscribed"),
        (
            "DO $$ BEGIN EXECUTE to_char(now() AT TIME ZONE 'UTC', '\"DROP TABLE event_y\"YYYY\"m\"MM'); END $$",
            "events.partitions",
        ),
    ],
)
def test_damage_is_found(damage: str, found: str) -> None:
    execute(damage)
    assert violations()[found] > 0


def test_facts_violate_nothing(people: dict[str, int], now: datetime) -> None:
    queue.subscribe("flows", ["flow.entered"])
    facts.write("flow.entered", sql("SELECT id, {now}, id, NULL FROM customer", now=now))
    assert set(violations().values()) == {0}
