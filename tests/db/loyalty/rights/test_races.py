"""Several connections at once on the same people: no deadlock, no lost key, no row of somebody who is gone."""

import contextlib
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer, CustomerIdentity, CustomerMerge
from loyalty.customers.operations import upsert_customers
from loyalty.events import operations as events
from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from tests.db.loyalty.customers.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
NOW = clock.now()


def orphans() -> int:
    """Events of nobody."""
    return fetch("SELECT count(*) FROM event e WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = e.customer_id)")[
        0
    ][0]


def test_merges_imports_and_intake_on_the_same_people() -> None:
    count = 60
    known = upsert_customers([{"external_id": f"k{i}"} for i in range(count)], now=NOW, source="t").ids

    def importing() -> None:
        for turn in range(4):
            rows: list[dict[str, Any]] = [
                {
                    "external_id": f"k{i}",
                    "city": f"c{turn}",
                    "identities": {"card": f"card{i}", "device": f"d{turn}-{i}"},
                }
                for i in range(count)
            ]
            random.Random(turn).shuffle(rows)
            assert upsert_customers(rows, now=NOW, source="import").rejected == []

    def visiting() -> int:
        taken = 0
        for turn in range(6):
            batch: list[dict[str, Any]] = [
                {"customer": {"card": f"card{i}"}, "name": "purchase", "id": f"{turn}-{i}"} for i in range(count)
            ]
            random.Random(turn + 10).shuffle(batch)
            taken += events.intake(events=batch, now=NOW).accepted
        return taken

    def claiming() -> None:
        order = list(range(count))
        random.Random(3).shuffle(order)
        for i in order:
            joining.claim(customer_id=known[i] or 0, kind="card", value=f"card{i}", now=NOW, actor="ada")

    _, taken, _ = at_once(importing, visiting, claiming)
    assert taken == 6 * count
    while joining.sweep(now=NOW):
        pass
    assert orphans() == 0
    assert fetch("SELECT count(*) FROM event")[0][0] == 6 * count
    assert Customer.objects.count() == count
    owners = dict(CustomerIdentity.objects.filter(kind="card").values_list("value", "customer_id"))
    assert owners == {f"card{i}": known[i] for i in range(count)}


def test_the_same_pair_from_both_sides_is_joined_once() -> None:
    pairs = [
        (upsert_customers([{"external_id": f"a{i}"}, {"external_id": f"b{i}"}], now=NOW, source="t").ids)
        for i in range(20)
    ]

    def side(first: int) -> int:
        done = 0
        for pair in pairs:
            try:
                joining.join(customer_id=pair[first] or 0, other_id=pair[1 - first] or 0, now=NOW, actor="ada")
                done += 1
            except Problems:
                pass
        return done

    left, right = at_once(lambda: side(0), lambda: side(1))
    assert left + right == 20
    assert (Customer.objects.count(), CustomerMerge.objects.count()) == (20, 20)


def test_people_are_erased_while_they_are_joined_imported_and_heard_of() -> None:
    count = 40
    ids = upsert_customers([{"external_id": f"k{i}"} for i in range(count)], now=NOW, source="t").ids
    people = [one for one in ids if one is not None]

    def erasing() -> None:
        for i in range(0, count, 8):
            erase_customers(customer_ids=people[i : i + 8])

    def joins() -> None:
        for one, other in zip(people[::2], people[1::2], strict=True):
            with contextlib.suppress(Problems):
                joining.join(customer_id=one, other_id=other, now=NOW, actor="ada")

    def hearing() -> None:
        for turn in range(5):
            batch = [{"customer": f"k{i}", "name": "visit", "id": f"{turn}-{i}"} for i in range(count)]
            random.Random(turn).shuffle(batch)
            events.intake(events=batch, now=NOW)

    at_once(erasing, joins, hearing)
    while joining.sweep(now=NOW):
        pass
    assert orphans() == 0
    assert fetch("SELECT count(*) FROM customer_gone") == [(0,)]


def meanwhile(write: Callable[[], None]) -> tuple[threading.Thread, threading.Event, threading.Event]:
    """A transaction that reads who is there, waits, and writes then."""
    read, go = threading.Event(), threading.Event()

    def run() -> None:
        with transaction.atomic():
            fetch("SELECT id FROM customer")
            read.set()
            go.wait(10)
            write()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert read.wait(10)
    return thread, read, go


def event_of(customer_id: int) -> None:
    fetch(
        "INSERT INTO event (customer_id, type_id, occurred_at, received_at)"
        f" SELECT {customer_id}, id, now(), now() FROM event_type LIMIT 1 RETURNING id"
    )


def test_an_event_resolved_before_an_erasure_and_committed_after_is_swept() -> None:
    gone = upsert_customers([{"external_id": "a"}], now=NOW, source="t").ids[0] or 0
    events.intake(events=[{"customer": "a", "name": "visit"}], now=NOW)
    thread, _, go = meanwhile(lambda: event_of(gone))
    erase_customers(customer_ids=[gone])
    # The other transaction is still open: nobody may forget yet that somebody went.
    assert joining.sweep(now=NOW) == 0
    go.set()
    thread.join(10)
    assert orphans() == 1
    assert joining.sweep(now=NOW) == 1
    assert orphans() == 0
    assert joining.sweep(now=NOW) == 0


def test_an_event_resolved_before_a_merge_follows_the_person_and_goes_back_with_the_undo() -> None:
    ids = upsert_customers([{"external_id": "a"}, {"identities": {"card": "1"}}], now=NOW, source="t").ids
    winner, loser = ids[0] or 0, ids[1] or 0
    events.intake(events=[{"customer": {"card": "1"}, "name": "visit"}], now=NOW)
    thread, _, go = meanwhile(lambda: event_of(loser))
    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    assert joining.sweep(now=NOW) == 0
    go.set()
    thread.join(10)
    assert joining.sweep(now=NOW) == 1
    assert fetch("SELECT customer_id, count(*) FROM event GROUP BY 1") == [(winner, 2)]
    joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="ada")
    assert fetch("SELECT customer_id, count(*) FROM event GROUP BY 1") == [(loser, 2)]
