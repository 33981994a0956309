"""A program that ends: asked for and approved by two, undone until it begins, nobody earns after it, all may spend."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty.events.operations import intake
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import ending, fulfilling, movements, names, operations, orders, queries, referrals, tasks
from loyalty.program.setup import Setup, load
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
LAST = date(2026, 6, 30)
SPEND = date(2027, 6, 30)
AFTER = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # July in Berlin


def ending_club(earns: date = LAST, spends: date = SPEND) -> tuple[Setup, int]:
    setup = applied(BASE)
    for who in ("anna", "ben"):
        customer(who)
        buy(setup, f"first-{who}", who, 100)
    asked = ending.request(setup=setup, earns=earns, spends=spends, by="otto", now=NOW)
    ending.decide(ending_id=asked, approve=True, by="petra", setup=setup, now=NOW)
    return load(), asked


def wrong(act: Any) -> list[str]:
    with pytest.raises(Problems) as caught:
        act()
    return [one.where for one in caught.value.problems]


def test_two_people_end_a_program_and_days_must_fit() -> None:
    setup = applied(BASE)
    asked = {"setup": setup, "by": "otto", "now": NOW}
    assert wrong(lambda: ending.request(earns=date(2026, 3, 9), spends=date(2026, 3, 8), **asked)) == [
        "last_earning_day",
        "last_spending_day",
    ]
    number = ending.request(earns=LAST, spends=SPEND, **asked)
    assert wrong(lambda: ending.request(earns=LAST, spends=SPEND, **asked)) == ["program"]
    decide = {"ending_id": number, "setup": setup, "now": NOW}
    assert wrong(lambda: ending.decide(approve=True, by="otto", **decide)) == ["by"]
    assert load().earns_until is None
    ending.decide(approve=True, by="petra", **decide)
    assert wrong(lambda: ending.decide(approve=True, by="petra", **decide)) == ["ending"]
    assert (load().earns_until, load().spends_until) == (LAST, SPEND)


def test_what_it_would_cost_is_shown_before() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 100)
    seen = ending.preview(setup, earns=LAST, spends=SPEND)
    assert [(one.wallet, one.points, one.cut) for one in seen.losses] == [("points", 100, 100)]
    assert (seen.members, seen.worth, seen.cut_worth, seen.short) == (1, Decimal("1.00"), Decimal("1.00"), False)
    assert ending.preview(setup, earns=LAST, spends=date(2027, 6, 1)).short
    late = ending.preview(setup, earns=LAST, spends=date(2030, 1, 1))
    assert (late.cut_worth, late.short) == (Decimal(0), False)


def test_everybody_is_told_once_and_again_when_it_goes_on() -> None:
    setup, number = ending_club()
    assert [ending.work(setup, now=NOW, limit=1) for _ in range(3)] == [1, 1, 0]
    told = {"program": "club", "earns_until": "2026-06-30", "spends_until": "2027-06-30", "points": 100}
    assert facts_of("anna", "program.ending") == [told]
    ending.undo(ending_id=number, by="otto", setup=setup, now=NOW)
    setup = load()
    assert [ending.work(setup, now=NOW, limit=1) for _ in range(3)] == [1, 1, 0]
    assert [len(facts_of(who, "program.continues")) for who in ("anna", "ben")] == [1, 1]
    assert setup.earns_until is None
    ending.request(setup=setup, earns=LAST, spends=SPEND, by="otto", now=NOW)


def test_nothing_is_earned_afterwards_and_all_can_be_spent() -> None:
    setup, number = ending_club()
    buy(setup, "in-time", "anna", 10, now=AFTER + timedelta(hours=3), occurred_at="2026-06-30T21:59:00Z")
    late = buy(setup, "late", "anna", 50, now=AFTER, spend=20)
    assert balance("anna") == (0, 90, 0, 0)
    notice = queries.outcome(late, setup=setup, now=AFTER)["notice"]
    assert notice == "The program ends: points are not earned any more. You can use yours until 30 Jun 2027."
    give_back(setup, "back", "late", now=AFTER)
    assert balance("anna") == (0, 110, 0, 0)
    event = {"id": "e", "customer": "anna", "name": "purchase", "occurred_at": AFTER.isoformat()}
    intake(events=[{**event, "properties": {"amount": 5}}], now=AFTER)
    tasks.earn(now=AFTER)
    given = movements.grant(
        [movements.Grant(member_of("anna"), 5)], setup=setup, wallet=None, kind=names.OCCASION, reason=None, now=AFTER
    )
    cara = customer("cara")
    assert wrong(lambda: operations.join(customer_ids=[cara], setup=setup, now=AFTER)) == ["program"]
    assert wrong(lambda: referrals.refer(code="X", friend_customer_id=cara, setup=setup, now=AFTER)) == ["program"]
    assert (given, balance("anna")) == (0, (0, 110, 0, 0))
    assert wrong(lambda: ending.undo(ending_id=number, by="petra", setup=setup, now=AFTER)) == ["ending"]
    while tasks.end(now=AFTER):
        pass
    assert fetch("SELECT DISTINCT expires_at FROM lot") == [(datetime(2027, 6, 30, 22, tzinfo=UTC),)]
    movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=10, now=AFTER)
    assert tasks.expire(now=datetime(2027, 6, 30, 22, tzinfo=UTC)) == 3
    assert [balance(who) for who in ("anna", "ben")] == [(0, 0, 0, 0)] * 2
    assert violations() == {}


def test_a_flow_that_gives_points_is_told_why_not() -> None:
    setup, _number = ending_club()
    anna = fetch("SELECT id FROM customer WHERE external_id = 'anna'")[0][0]
    fetch(
        "INSERT INTO points_order (program_id, wallet_id, customer_id, kind, points, source, key, wanted_at)"
        " SELECT p.id, min(w.id), %(c)s, %(kind)s, 5, 'test', gen_random_uuid(), %(now)s FROM program p"
        " JOIN wallet w ON w.program_id = p.id GROUP BY p.id RETURNING id",
        {"c": anna, "kind": orders.AWARD, "now": AFTER},
    )
    assert fulfilling.work(setup, now=AFTER) == 1
    assert fetch("SELECT refusal FROM points_order") == [(fulfilling.ENDED,)]


def test_rules_say_until_when_they_hold() -> None:
    setup, _number = ending_club()
    assert str(setup.rules[0].document.when.end) == "2026-06-30"
    assert not setup.earning_over(datetime(2026, 6, 30, 21, 59, tzinfo=UTC))
    assert setup.earning_over(datetime(2026, 6, 30, 22, 0, tzinfo=UTC))
