"""Purchases and returns: what they earn, that they happen once, what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.kit.sql import fetch
from loyalty.program import purchases, returns
from tests.db.loyalty.program.club import (
    BASE,
    NOW,
    applied,
    balance,
    buy,
    customer,
    facts_of,
    give_back,
    violations,
)

pytestmark = pytest.mark.django_db
DOUBLE = {
    "kind": "earning_rule", "key": "double", "type": "multiplier", "factor": 2, "only": {"brand": ["acme"]},
    "priority": 200,
}  # fmt: skip
ITEMS = [
    {"sku": "a", "brand": "acme", "amount": "10.60", "quantity": 2},
    {"sku": "b", "category": "food", "price": "3.50", "quantity": 3},
]


def rule(key: str, **fields: Any) -> dict[str, Any]:
    return {**BASE, "key": key, **fields}


def refused(setup: Any, **row: Any) -> list[str]:
    done = purchases.commit(rows=[row], setup=setup, now=NOW)
    assert done.bookings == [None]
    return [str(problem) for problem in done.rejected[0][1]]


def test_a_purchase_earns_points_and_stands_in_the_timeline() -> None:
    setup = applied(BASE)
    customer("anna")
    booking_id = buy(setup, "r1", "anna", "49.99", store="cologne", channel="pos")
    assert balance("anna") == (0, 49, 0, 0)
    assert facts_of("anna", "points.earned") == [{"program": "club", "wallet": "points", "points": 49, "balance": 49}]
    assert facts_of("anna", "purchase") == [
        {"amount": 49.99, "currency": "EUR", "store": "cologne", "channel": "pos", "transaction": "r1"}
    ]
    assert fetch("SELECT expires_at FROM lot WHERE booking_id = %(id)s", {"id": booking_id})[0][0].isoformat() == (
        "2029-12-31T23:00:00+00:00"
    )
    assert violations() == {}


def test_the_same_id_is_one_purchase() -> None:
    setup = applied(BASE)
    customer("anna")
    first = buy(setup, "r1", "anna", 20)
    row = {"id": "r1", "customer": "anna", "amount": 20}
    again = purchases.commit(rows=[row, row], setup=setup, now=NOW)
    assert (again.bookings, again.repeated, again.rejected) == ([first, first], {0, 1}, [])
    assert refused(setup, id="r1", customer="anna", amount=21) == [
        "id: 'r1' was used for something else (use a new id for a new transaction)"
    ]
    assert balance("anna") == (0, 20, 0, 0)


def test_every_mistake_is_told_and_the_good_rows_are_booked() -> None:
    setup = applied(BASE)
    customer("anna")
    rows: list[dict[str, Any]] = [
        {"id": "r1", "customer": "anna", "amount": 10},
        {"id": "r2", "customer": {"card": "777"}, "amount": 10},
        {"id": "r3", "customer": "anna", "amount": -1, "color": "red"},
        {"id": "r4", "customer": "anna", "amount": 10, "currency": "USD", "spend": {"status": 5},
         "occurred_at": (NOW + timedelta(hours=1)).isoformat()},
        {"id": "r5", "customer": "anna", "amount": 10, "spend": 500},
        {"id": "r1", "customer": "anna", "amount": 11},
    ]  # fmt: skip
    done = purchases.commit(rows=rows, setup=setup, now=NOW)
    assert [one is not None for one in done.bookings] == [True, False, False, False, False, False]
    assert {place: [problem.where for problem in problems] for place, problems in done.rejected} == {
        1: ["customer"],
        2: ["amount", "color"],
        3: ["occurred_at", "currency", "spend.status"],
        4: ["spend"],
        5: ["id"],
    }
    assert balance("anna") == (0, 10, 0, 0)
    assert violations() == {}


def test_a_batch_takes_a_members_purchases_one_after_the_other() -> None:
    setup = applied(rule("base", caps={"day": 25}))
    customer("anna")
    rows = [
        {"id": f"r{n}", "customer": "anna", "amount": 10, "occurred_at": (NOW - timedelta(minutes=n)).isoformat()}
        for n in range(4)
    ]
    rows.append({"id": "pay", "customer": "anna", "amount": 1, "spend": 25})
    done = purchases.commit(rows=rows, setup=setup, now=NOW)
    assert done.rejected == []
    assert fetch("SELECT amount FROM lot ORDER BY earned_at") == [(10,), (10,), (5,)]
    assert balance("anna") == (0, 0, 0, 0)


def test_lines_multipliers_and_returns_by_line() -> None:
    setup = applied(BASE, DOUBLE)
    customer("anna")
    booking_id = buy(setup, "r1", "anna", items=ITEMS)
    # 10.60 + 10.50 = 21.10 -> 21 points, of which 10 for the first line; twice for acme -> 10 more.
    lots = fetch(
        "SELECT amount, line_numbers, parts FROM lot WHERE booking_id = %(id)s ORDER BY id", {"id": booking_id}
    )
    assert lots == [(21, [1, 2], [10, 11]), (10, [1], [10])]
    give_back(setup, "b1", "r1", [{"sku": "a", "quantity": 1}])
    assert balance("anna") == (0, 21, 0, 0)
    give_back(setup, "b2", "r1", [{"line": 2}])
    assert balance("anna") == (0, 10, 0, 0)
    give_back(setup, "b3", "r1")
    assert balance("anna") == (0, 0, 0, 0)
    assert [one["amount"] for one in facts_of("anna", "purchase.returned")] == [5.3, 10.5, 5.3]
    assert violations() == {}


def test_no_more_comes_back_than_was_bought() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", items=ITEMS)
    rows = [
        {"id": "b1", "transaction": "r1", "items": [{"line": 1, "quantity": 3}, {"sku": "zzz"}, {"line": 2}]},
        {"id": "b2", "transaction": "unknown"},
        {"id": "b3", "transaction": "r1", "items": [{"line": 1, "sku": "a"}]},
    ]
    done = returns.give_back(rows=rows, setup=setup, now=NOW)
    assert {place: [str(problem) for problem in problems] for place, problems in done.rejected} == {
        0: ["items[0]: 3 come back, 2 are left", "items[1]: the purchase has no article 'zzz'"],
        1: ["transaction: there is no 'unknown' (send the id of a committed purchase)"],
        2: ["items[0]: give either line (1 is the first) or sku"],
    }
    assert balance("anna") == (0, 21, 0, 0)
    assert violations() == {}


def test_points_that_are_spent_are_owed_until_new_ones_pay() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 100)
    buy(setup, "r2", "anna", 5, spend=80)
    give_back(setup, "b1", "r1")
    # 100 come back: 20 + 5 are there, 75 are owed.
    assert balance("anna") == (0, 0, 0, 75)
    assert refused(setup, id="r3", customer="anna", amount=1, spend=1) == [
        "spend: 1 points are wanted, 0 can be used (spend at most 0)"
    ]
    buy(setup, "r4", "anna", 90)
    assert balance("anna") == (0, 15, 0, 0)
    assert violations() == {}


def test_a_wallet_may_forgive() -> None:
    setup = applied(BASE, wallets=[{"key": "points", "negative": "forgive"}])
    customer("anna")
    buy(setup, "r1", "anna", 100)
    buy(setup, "r2", "anna", 0, spend=80)
    give_back(setup, "b1", "r1")
    assert balance("anna") == (0, 0, 0, 0)
    assert violations() == {}


def test_a_void_undoes_everything_once() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 100)
    buy(setup, "r2", "anna", 50, spend=60)
    assert balance("anna") == (0, 90, 0, 0)
    done = returns.void(rows=[{"transaction": "r2"}], setup=setup, now=NOW)
    assert done.rejected == []
    assert balance("anna") == (0, 100, 0, 0)
    again = returns.void(rows=[{"transaction": "r2"}], setup=setup, now=NOW)
    assert (again.bookings, again.repeated) == (done.bookings, {0})
    late = returns.give_back(rows=[{"id": "b1", "transaction": "r2"}], setup=setup, now=NOW)
    assert [str(problem) for problem in late.rejected[0][1]] == ["transaction: was voided: all of it came back"]
    assert violations() == {}


def test_priority_exclusive_groups_and_stops() -> None:
    setup = applied(
        rule("a", priority=1, exclusive="one", when={"minimum": 100}, points=3),
        rule("b", priority=2, exclusive="one", points=2),
        rule("c", priority=3, stop=True, when={"stores": ["cologne"]}),
        rule("d", priority=4),
    )
    for who in ("anna", "ben", "cleo"):
        customer(who)
    buy(setup, "r1", "anna", 100)
    buy(setup, "r2", "ben", 10)
    buy(setup, "r3", "cleo", 10, store="cologne")
    keys = "SELECT r.key, l.amount FROM lot l JOIN earning_rule r ON r.id = l.rule_id WHERE l.member_id ="
    lots = {
        who: fetch(f"{keys} (SELECT m.id FROM member m JOIN customer c ON c.id = m.customer_id"
                   " WHERE c.external_id = %(w)s) ORDER BY r.priority", {"w": who})
        for who in ("anna", "ben", "cleo")
    }  # fmt: skip
    assert lots == {
        "anna": [("a", 300), ("d", 100)],
        "ben": [("b", 20), ("d", 10)],
        "cleo": [("b", 20), ("c", 10)],
    }


def test_a_budget_stops_hard_and_a_return_frees_it() -> None:
    setup = applied(rule("base", budget={"money": 1}))  # a point is worth a cent: 100 points
    for who in ("anna", "ben", "cleo"):
        customer(who)
    rows = [{"id": f"r-{who}", "customer": who, "amount": 60} for who in ("anna", "ben", "cleo")]
    purchases.commit(rows=rows, setup=setup, now=NOW)
    assert [balance(who)[1] for who in ("anna", "ben", "cleo")] == [60, 40, 0]
    give_back(setup, "b1", "r-anna")
    buy(setup, "r4", "cleo", 70)
    assert balance("cleo") == (0, 60, 0, 0)
    assert fetch("SELECT used_points FROM earning_rule") == [(100,)]


def test_times_hours_and_days_are_those_of_the_program() -> None:
    setup = applied(rule("base", when={"weekdays": ["tue"], "hours": ["12:30", "13:30"]}, caps={"times": {"max": 1}}))
    customer("anna")
    buy(setup, "r1", "anna", 10, occurred_at="2026-03-10T11:29:59Z")
    buy(setup, "r2", "anna", 10, occurred_at="2026-03-10T11:30:00Z")
    buy(setup, "r3", "anna", 10, occurred_at="2026-03-10T11:31:00Z")
    buy(setup, "r4", "anna", 10, occurred_at="2026-03-09T11:31:00Z")
    assert fetch("SELECT b.reference FROM lot l JOIN booking b ON b.id = l.booking_id") == [("r2",)]


def test_the_ledger_refuses_to_be_changed() -> None:
    from django.db import IntegrityError, transaction

    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 10)
    for statement in ("UPDATE entry SET amount = 1", "DELETE FROM booking", "UPDATE booking SET amount = 1"):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            fetch(f"{statement} RETURNING 1")


def test_the_number_of_queries_does_not_grow_with_the_batch(django_assert_max_num_queries: Any) -> None:
    setup = applied(BASE, DOUBLE)
    for n in range(60):
        customer(f"c{n}")
    buy(setup, "warm", "c0", 1)
    with django_assert_max_num_queries(26):
        rows = [{"id": f"r{n}", "customer": f"c{n}", "items": ITEMS} for n in range(60)]
        assert purchases.commit(rows=rows, setup=setup, now=NOW).rejected == []
    with django_assert_max_num_queries(26):
        rows = [{"id": f"b{n}", "transaction": f"r{n}"} for n in range(60)]
        assert returns.give_back(rows=rows, setup=setup, now=NOW).rejected == []
    assert fetch("SELECT count(*), sum(active) FROM member_balance WHERE active > 0") == [(1, 1)]
    assert violations() == {}
