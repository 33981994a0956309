"""Two at once: a statement is made once, a booking is settled once, a payment is not noted twice."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.partners import settlement, statements
from loyalty.partners.models import Statement
from tests.db.loyalty.partners.world import club, partner, violations
from tests.db.loyalty.program.club import buy, customer

pytestmark = pytest.mark.django_db(transaction=True)
APRIL = datetime(2026, 4, 4, 12, tzinfo=UTC)


def at_once(run: Callable[[], Any], times: int = 4) -> list[Any]:
    """What `run` gives in so many threads with a connection each; a refusal is its text."""
    barrier, found = Barrier(times), []

    def go() -> None:
        barrier.wait()
        try:
            found.append(run())
        except Problems as error:
            found.append(str(error))
        finally:
            connection.close()

    threads = [Thread(target=go) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_settled_billed_and_paid_once() -> None:
    setup = club()
    customer("anna")
    for number in range(40):
        buy(setup, f"r{number}", "anna", 100, store="bakery-1")
    taken = at_once(lambda: settlement.follow(limit=15) + settlement.follow(limit=15))
    while found := settlement.follow():
        taken.append(found)
    assert sum(taken) == 40
    assert fetch("SELECT count(*), sum(points) FROM settlement_entry WHERE kind = 1") == [(40, 4000)]
    made = at_once(lambda: statements.close(partner=partner(), month=datetime(2026, 3, 1).date(), now=APRIL))
    assert sum(1 for one in made if one is not None) == 1
    statement = Statement.objects.get()
    assert statement.gross == Decimal("44.76")
    notes = at_once(
        lambda: statements.pay(statement=statement, amount=Decimal("44.76"), reference="x", actor="me", now=APRIL)
    )
    assert sorted(map(str, notes))[0] == "0.00"
    assert sum(1 for one in notes if one == 0) == 1
    assert violations() == {}
