"""Types of events: properties are learned, decided on, enforced, and come back as text."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events import catalog, learning, operations
from loyalty.events.models import EventType
from loyalty.events.schemas import Declared
from loyalty.events.types import type_id
from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch

pytestmark = pytest.mark.django_db

DOCUMENT = {
    "kind": "event_type",
    "key": "purchase",
    "name": {"en": "Purchase", "de": "Kauf"},
    "description": {"en": "A paid order."},
    "properties": {"amount": {"type": "money", "required": True}, "sku": "text"},
    "locked": True,
    "retention": "400d",
}


def send(now: datetime, *properties: dict[str, Any] | None, name: str = "purchase") -> operations.Intake:
    events = [{"customer": "c1", "name": name, "properties": one} for one in properties]
    return operations.intake(events=events, now=now)


def learned(name: str = "purchase") -> list[tuple[str, str, int]]:
    return fetch(
        "SELECT p.key, p.shape, p.seen FROM event_property p JOIN event_type t ON t.id = p.type_id"
        " WHERE t.name = %(name)s ORDER BY 1, 2",
        {"name": name},
    )


def test_properties_are_learned_with_the_first_event_and_weighed_by_the_chore(
    people: dict[str, int], now: datetime
) -> None:
    send(now, {"amount": 5, "sku": "a", "none": None}, {"amount": "5"}, None)
    assert learned() == [("amount", "number", 0), ("amount", "text", 0), ("sku", "text", 0)]
    assert learning.weigh(now=now) == 1
    assert learned() == [("amount", "number", 1), ("amount", "text", 1), ("sku", "text", 1)]
    assert EventType.objects.values_list("sampled", "sampled_to").get(name="purchase") == (3, now)
    assert learning.weigh(now=now) == 0


def test_a_warm_process_writes_nothing_about_properties(people: dict[str, int], now: datetime) -> None:
    send(now, {"amount": 5})
    learning._known.add((type_id("purchase"), "amount", "number"))  # as after the commit
    with CaptureQueriesContext(connection) as queries:
        send(now, {"amount": 6})
    assert [query["sql"] for query in queries if "event_property" in query["sql"]] == []
    learning.forget()


def test_the_shapes_of_the_chore_are_those_of_the_intake(people: dict[str, int], now: datetime) -> None:
    shapes = {
        "a": "2026-11-21",
        "b": "2026-11-21T09:30:00+01:00",
        "c": "2026-11-21T09:30:00Z",
        "d": "plain",
        "e": [1],
        "f": {"x": 1},
        "g": True,
        "h": 1.5,
    }
    send(now, shapes)
    before = [row[:2] for row in learned()]
    learning.weigh(now=now)
    assert learned() == [(*row, 1) for row in before]
    assert [shape for _, shape in before] == ["date", "time", "time", "text", "list", "object", "boolean", "number"]


def test_only_so_many_properties_of_a_type_are_learned(people: dict[str, int], now: datetime) -> None:
    send(now, {f"p{number}": 1 for number in range(200)})
    assert send(now, {"one_more": 1}).accepted == 1
    learning.weigh(now=now)
    counted = "SELECT count(DISTINCT key), count(*) FILTER (WHERE key = 'one_more') FROM event_property"
    assert fetch(counted) == [(200, 0)]


def test_a_locked_type_refuses_what_does_not_keep_to_it(people: dict[str, int], now: datetime) -> None:
    apply_documents([DOCUMENT], now=now)
    taken = send(now, {"amount": "9.50", "color": "blue"}, {"amount": True, "sku": 5}, None)
    assert taken.accepted == 1
    assert [(index, [problem.where for problem in problems]) for index, problems in taken.rejected] == [
        (1, ["properties.amount", "properties.sku"]),
        (2, ["properties.amount"]),
    ]
    assert taken.rejected[1][1] == [
        Problem("properties.amount", "is missing", "add it: send a number or decimal text, for example '12.50'")
    ]
    assert fetch("SELECT properties->>'color' FROM event") == [("blue",)]


def test_locking_costs_one_query_a_batch(people: dict[str, int], now: datetime) -> None:
    apply_documents([DOCUMENT], now=now)
    send(now, {"amount": 1})
    counts = []
    for size in (2, 40):
        with CaptureQueriesContext(connection) as queries:
            send(now, *[{"amount": 1}] * size)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_what_was_learned_can_be_locked_and_unlocked(people: dict[str, int], now: datetime) -> None:
    send(now, *[{"amount": 5, "sku": "a"}] * 25, {"amount": 7})
    learning.weigh(now=now)
    event_type = EventType.objects.get(name="purchase")
    assert catalog.lock(event_type.pk) == {"amount": Declared("number", True), "sku": Declared("text", False)}
    assert send(now, {"sku": "b"}).accepted == 0
    catalog.unlock(event_type.pk)
    assert send(now, {"sku": "b"}).accepted == 1


def test_types_come_back_as_they_were_applied(now: datetime) -> None:
    assert [change.verdict for change in apply_documents([DOCUMENT], now=now)] == ["created"]
    assert list(kinds.get("event_type").export()) == [DOCUMENT]
    assert [change.verdict for change in apply_documents([DOCUMENT], now=now)] == ["unchanged"]
    changed = {**DOCUMENT, "locked": False, "retention": "2 years"}
    assert [change.verdict for change in apply_documents([changed], now=now)] == ["updated"]
    exported = {name: value for name, value in {**changed, "retention": "24 months"}.items() if name != "locked"}
    assert list(kinds.get("event_type").export()) == [exported]


def test_every_mistake_in_a_document_is_told(now: datetime) -> None:
    wrong = {"kind": "event_type", "key": "purchase", "properties": {"a": "int"}, "locked": True, "retention": "1h"}
    with pytest.raises(Refused) as refused:
        apply_documents([wrong], now=now)
    assert [problem.where for problem in refused.value.problems] == ["properties.a.type", "retention", "properties"]
    with pytest.raises(Refused) as refused:
        apply_documents([{"kind": "event_type", "key": "message.sent", "locked": True, "colour": 1}], now=now)
    assert [problem.where for problem in refused.value.problems] == ["colour"]


def test_facts_may_be_named_and_kept_but_not_locked(now: datetime) -> None:
    fact = {"kind": "event_type", "key": "message.opened", "name": {"en": "Read"}, "retention": "90d"}
    assert apply_documents([fact], now=now)[0].verdict == "created"
    with pytest.raises(Refused):
        apply_documents([{**fact, "properties": {"a": "text"}}], now=now)
    with pytest.raises(Problems):
        catalog.lock(type_id("message.opened"))


def test_late_events_teach_too(people: dict[str, int], now: datetime) -> None:
    send(now, {"amount": 5})
    learning.weigh(now=now)
    operations.intake(
        events=[
            {
                "customer": "c1",
                "name": "purchase",
                "occurred_at": (now - timedelta(days=200)).isoformat(),
                "properties": {"shop": "Köln"},
            }
        ],
        now=now,
    )
    assert ("shop", "text", 0) in learned()
