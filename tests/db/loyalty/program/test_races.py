"""Real connections at once: nobody spends what is not there, nothing happens twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from loyalty.customers.erasing import erase_customers
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import holds, movements, purchases, returns
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, member_of, violations

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[int], Any], times: int, workers: int = 20) -> list[Any]:
    def run(number: int) -> Any:
        try:
            return work(number)
        except Problems:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(times)))


def test_200_redemptions_of_points_for_10() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 60)
    buy(setup, "r2", "anna", 45)
    member_id = member_of("anna")

    def redeem(number: int) -> Any:
        if number % 2:
            return movements.spend(setup=setup, member_id=member_id, wallet=None, points=10, now=NOW)
        return holds.hold(setup=setup, member_id=member_id, wallet=None, points=10, lasts=timedelta(hours=1), now=NOW)

    done = at_once(redeem, 200)
    assert sum(one is not None for one in done) == 10
    pending, active, locked, owed = balance("anna")
    assert (pending, active, owed) == (0, 5, 0)
    assert locked + sum(row[0] for row in fetch("SELECT spent FROM lot")) == 100
    assert violations() == {}


def test_one_purchase_sent_by_many_tills_at_once_is_one() -> None:
    setup = applied(BASE)
    customer("anna")
    row = {"id": "r1", "customer": "anna", "amount": 10}
    done = at_once(lambda number: purchases.commit(rows=[row], setup=setup, now=NOW), 40)
    assert len({one.bookings[0] for one in done}) == 1
    assert [one.rejected for one in done] == [[]] * 40
    assert sum(not one.repeated for one in done) == 1
    assert balance("anna") == (0, 10, 0, 0)
    back = at_once(
        lambda number: returns.give_back(rows=[{"id": f"b{number}", "transaction": "r1"}], setup=setup, now=NOW), 20
    )
    assert sum(not one.rejected for one in back) == 1
    assert balance("anna") == (0, 0, 0, 0)
    assert violations() == {}


def test_batches_chores_and_erasure_of_the_same_people_do_not_deadlock() -> None:
    setup = applied(BASE, wallets=[{"key": "points", "pending": "1d", "expiry": {"after": "1 month", "until": "day"}}])
    people = [f"c{number}" for number in range(30)]
    ids = [customer(who) for who in people]

    def work(number: int) -> Any:
        kind = number % 4
        if kind == 0:
            return movements.release(setup, now=NOW + timedelta(days=2), limit=10)
        if kind == 1:
            return movements.expire(setup, now=NOW + timedelta(days=40), limit=10)
        if kind == 2 and number > 20:
            return erase_customers(customer_ids=[ids[number % 30]])
        order = people if number % 3 else people[::-1]
        rows = [{"id": f"r{number}-{who}", "customer": who, "amount": 10} for who in order]
        return purchases.commit(rows=rows, setup=setup, now=NOW)

    done = at_once(work, 48, workers=8)
    assert None not in done
    assert violations() == {}
    assert fetch(
        "SELECT count(*) FROM event e WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = e.customer_id)"
    ) == [(0,)]
