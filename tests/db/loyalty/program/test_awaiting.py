"""Points that wait for an event: released by it, by time, or taken back; also when things come in another order."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.customers.joining import merge_customers
from loyalty.events.operations import intake
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import awaiting, movements, operations, purchases, queries, tasks
from loyalty.program.setup import load
from tests.db.loyalty.program.club import (
    BASE,
    NOW,
    applied,
    balance,
    buy,
    customer,
    facts_of,
    give_back,
    member_of,
    violations,
)

pytestmark = pytest.mark.django_db
WAITS: dict[str, Any] = {"event": "delivered", "within": "30d"}
DAY = timedelta(days=1)


def waiting_wallet(**rest: Any) -> list[dict[str, Any]]:
    return [{"key": "points", "pending": {**WAITS, **rest}, "value": 0.01}]


def told(identifier: str, who: str, transaction: Any, *, at: Any = NOW, name: str = "delivered") -> None:
    event = {"id": identifier, "customer": who, "name": name, "occurred_at": at.isoformat()}
    assert intake(events=[{**event, "properties": {"transaction": transaction}}], now=at).accepted == 1


def test_the_event_releases_the_points_of_its_purchase_only() -> None:
    setup = applied(BASE, wallets=waiting_wallet())
    customer("anna")
    buy(setup, "r1", "anna", 10)
    buy(setup, "r2", "anna", 25)
    customer("ben")
    buy(setup, "r3", "ben", 7)
    told("d1", "anna", "r2", at=NOW + DAY)
    told("d2", "anna", "r3", at=NOW + DAY)  # not hers
    tasks.earn(now=NOW + DAY)
    assert (balance("anna"), balance("ben")) == ((10, 25, 0, 0), (7, 0, 0, 0))
    told("d3", "anna", "r2", at=NOW + DAY)
    assert tasks.earn(now=NOW + DAY) == 1
    assert balance("anna") == (10, 25, 0, 0)
    assert [fact["points"] for fact in facts_of("anna", "points.released")] == [25]
    assert tasks.release(now=NOW + 31 * DAY) == 2
    assert (balance("anna"), balance("ben")) == ((0, 35, 0, 0), (0, 7, 0, 0))
    assert violations() == {}


def test_without_the_event_they_are_taken_back_where_it_says_so() -> None:
    setup = applied({**BASE, "budget": {"points": 100}}, wallets=waiting_wallet(then="reverse"))
    customer("anna")
    buy(setup, "r1", "anna", 10)
    buy(setup, "r2", "anna", 25)
    give_back(setup, "b1", "r1", now=NOW + DAY)
    told("d1", "anna", "r2", at=NOW + DAY)
    buy(setup, "r3", "anna", 40, now=NOW + 2 * DAY)
    tasks.earn(now=NOW + 2 * DAY)
    assert tasks.release(now=NOW + 40 * DAY) == 0
    assert tasks.lapse(now=NOW + 40 * DAY) == 1
    assert tasks.lapse(now=NOW + 40 * DAY) == 0
    assert balance("anna") == (0, 25, 0, 0)
    assert fetch("SELECT used_points FROM earning_rule") == [(25,)]
    give_back(setup, "b3", "r3", now=NOW + 41 * DAY)
    assert balance("anna") == (0, 25, 0, 0)
    assert [fact["points"] for fact in facts_of("anna", "points.reversed")] == [10, 40]
    assert violations() == {}


def test_an_event_that_came_before_its_purchase_is_found_at_the_end() -> None:
    setup = applied(BASE, wallets=waiting_wallet(then="reverse"))
    customer("anna")
    told("d1", "anna", "r1", at=NOW - DAY)
    assert tasks.earn(now=NOW) == 1
    buy(setup, "r1", "anna", 10, now=NOW + 35 * DAY, occurred_at=NOW.isoformat())
    assert balance("anna") == (10, 0, 0, 0)
    assert tasks.lapse(now=NOW + 35 * DAY) == 1
    assert balance("anna") == (0, 10, 0, 0)
    assert violations() == {}


def test_purchases_of_the_timeline_and_other_events_wait_too() -> None:
    review = {
        "kind": "earning_rule", "key": "review", "type": "per_event", "event": "review", "points": 5,
        "pending": {"event": "approved", "within": "5d", "then": "reverse"},
    }  # fmt: skip
    applied(BASE, review, wallets=waiting_wallet())
    customer("anna")
    events = [
        {"id": "1", "customer": "anna", "name": "purchase", "occurred_at": NOW.isoformat(),
         "properties": {"amount": "12.50", "transaction": "web-1"}},
        {"id": "2", "customer": "anna", "name": "review", "occurred_at": NOW.isoformat(),
         "properties": {"transaction": 77}},
        {"id": "3", "customer": "anna", "name": "delivered", "occurred_at": NOW.isoformat(),
         "properties": {"transaction": "web-1"}},
    ]  # fmt: skip
    assert intake(events=events, now=NOW).accepted == 3
    assert tasks.earn(now=NOW) == 3
    assert balance("anna") == (5, 12, 0, 0)
    told("4", "anna", 77, name="approved")
    assert tasks.earn(now=NOW) == 1
    assert balance("anna") == (0, 17, 0, 0)


def test_lots_go_on_waiting_when_the_document_changes_and_people_are_joined() -> None:
    setup = applied(BASE, wallets=waiting_wallet())
    customer("anna")
    buy(setup, "r1", "anna", 10)
    applied(BASE, wallets=[{"key": "points", "value": 0.01}])
    operations.listen()
    ben = customer("ben")
    anna = fetch("SELECT id FROM customer WHERE external_id = 'anna'")[0][0]
    merge_customers({anna: ben}, reason="test", now=NOW)
    assert balance("ben") == (10, 0, 0, 0)
    assert awaiting.waiting() == {"delivered"}
    told("d1", "ben", "r1")
    tasks.earn(now=NOW)
    assert balance("ben") == (0, 10, 0, 0)
    operations.listen()
    assert fetch("SELECT count(*) FROM event_subscription s JOIN event_type t ON t.id = s.type_id"
                 " WHERE t.name = 'delivered' AND s.consumer = 'program'") == [(0,)]  # fmt: skip


def test_a_till_is_told_what_points_wait_for() -> None:
    setup = applied(BASE, wallets=waiting_wallet())
    customer("anna")
    booking_id = buy(setup, "r1", "anna", 10)
    shown = queries.outcome(booking_id, setup=setup, now=NOW)["earned"][0]
    assert (shown["state"], shown["waits_for"], shown["available_at"]) == ("pending", "delivered", NOW + 30 * DAY)
    assert queries.lots(member_of("anna"))[0]["awaits"] == "delivered"
    with pytest.raises(Problems):
        movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=1, now=NOW)


def test_a_wrong_document_is_told_where() -> None:
    with pytest.raises(Problems) as caught:
        wallet = {"key": "points", "pending": {"event": "Delivered!", "within": "1 month", "than": "release"}}
        apply_documents([{"kind": "program", "key": "club", "wallets": [wallet]}], now=NOW)
    assert sorted(one.where.rpartition(".")[2] for one in caught.value.problems) == ["event", "than", "within"]


def test_a_batch_of_deliveries_is_a_handful_of_statements(django_assert_max_num_queries: Any) -> None:
    setup = applied(BASE, wallets=waiting_wallet())
    people = [f"c{number}" for number in range(60)]
    for who in people:
        customer(who)
    rows = [{"id": f"r-{who}", "customer": who, "amount": 10} for who in people]
    purchases.commit(rows=rows, setup=setup, now=NOW)
    events = [
        {"id": who, "customer": who, "name": "delivered", "occurred_at": NOW.isoformat(),
         "properties": {"transaction": f"r-{who}"}}
        for who in people
    ]  # fmt: skip
    intake(events=events, now=NOW)
    with django_assert_max_num_queries(40):
        assert tasks.earn(now=NOW) == 120  # the purchases stand in the timeline too
    assert fetch("SELECT sum(active) FROM member_balance") == [(600,)]
    assert load().awaited() == {"delivered"}
