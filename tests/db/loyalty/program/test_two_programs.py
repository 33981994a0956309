"""Two programs in one installation: each has its own members, points, rules, tiers, waits and end."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty.events.operations import intake
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import ending, movements, operations, purchases, returns, tasks
from loyalty.program.setup import Setup, load
from tests.db.loyalty.program.club import BASE, NOW, PROGRAM, customer, violations

pytestmark = pytest.mark.django_db
WAITS = {"event": "delivered", "within": "30d"}


def both() -> tuple[Setup, Setup]:
    apply_documents(
        [
            PROGRAM,
            {**PROGRAM, "key": "crew", "purchase_event": None, "wallets": [{"key": "coins", "pending": WAITS}],
             "tiers": {"by": "spend", "window": "ever"}},
            {**BASE, "program": "club"},
            {**BASE, "key": "crew_base", "program": "crew", "points": 3},
            {"kind": "tier", "key": "gold", "program": "club", "rank": 1, "threshold": 5},
            {"kind": "tier", "key": "captain", "program": "crew", "rank": 1, "threshold": 10},
        ],
        now=NOW,
    )  # fmt: skip
    return load("club"), load("crew")


def has(program: str) -> list[Any]:
    return fetch(
        "SELECT b.pending, b.active FROM member_balance b JOIN wallet w ON w.id = b.wallet_id JOIN program p"
        " ON p.id = w.program_id WHERE p.key = %(key)s AND w.position = 0",
        {"key": program},
    )


def buy(setup: Setup, identifier: str, amount: int, **rest: Any) -> None:
    row = {"id": identifier, "customer": "anna", "amount": amount, **rest}
    assert purchases.commit(rows=[row], setup=setup, now=NOW).rejected == []


def test_a_customer_of_both_has_two_ledgers() -> None:
    club, crew = both()
    customer("anna")
    buy(club, "r1", 20)
    buy(crew, "r2", 10)
    tiers = fetch("SELECT p.key, t.key FROM member m JOIN program p ON p.id = m.program_id JOIN tier t"
                  " ON t.id = m.tier_id ORDER BY 1")  # fmt: skip
    assert tiers == [("club", "gold"), ("crew", "captain")]
    assert (has("club"), has("crew")) == ([(0, 20)], [(30, 0)])
    told = {"id": "d", "customer": "anna", "name": "delivered", "occurred_at": NOW.isoformat()}
    intake(events=[{**told, "properties": {"transaction": "r2"}}], now=NOW)
    tasks.earn(now=NOW)
    assert (has("club"), has("crew")) == ([(0, 20)], [(0, 30)])
    with pytest.raises(Problems):
        load()
    gone = returns.give_back(rows=[{"id": "b", "transaction": "r1"}], setup=crew, now=NOW)
    assert [wrong[0].where for _place, wrong in gone.rejected] == ["transaction"]
    assert violations() == {}


def test_one_id_of_a_till_is_one_purchase_in_the_whole_installation() -> None:
    club, crew = both()
    customer("anna")
    buy(club, "r1", 20)
    again = purchases.commit(rows=[{"id": "r1", "customer": "anna", "amount": 7}], setup=crew, now=NOW)
    assert [wrong[0].where for _place, wrong in again.rejected] == ["id"]


def test_one_ends_and_the_other_goes_on() -> None:
    club, crew = both()
    anna = customer("anna")
    last = date(2026, 3, 31)
    asked = ending.request(setup=crew, earns=last, spends=date(2027, 3, 31), by="otto", now=NOW)
    ending.decide(ending_id=asked, approve=True, by="petra", setup=crew, now=NOW)
    after = NOW + timedelta(days=30)
    assert operations.join(customer_ids=[anna], setup=load("club"), now=after) == 1
    with pytest.raises(Problems):
        operations.join(customer_ids=[anna], setup=load("crew"), now=after)
    for key in ("club", "crew"):
        row = {"id": f"late-{key}", "customer": "anna", "amount": 10}
        assert purchases.commit(rows=[row], setup=load(key), now=after).rejected == []
    assert (has("club"), has("crew")) == ([(0, 10)], [(0, 0)])
    for _ in range(4):
        tasks.end(now=after)
    member = fetch("SELECT m.id FROM member m WHERE m.program_id = %(p)s", {"p": club.id})[0][0]
    movements.spend(setup=club, member_id=member, wallet=None, points=10, now=after)
    assert violations() == {}
