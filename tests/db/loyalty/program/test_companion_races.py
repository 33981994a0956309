"""Real connections at once, beside the ledger: orders, households, friends, PINs and events that release points."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.customers import joining
from loyalty.events.operations import intake
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import awaiting, fulfilling, households, movements, orders, referrals, tasks
from tests.db.loyalty.program.club import (
    BASE,
    NOW,
    applied,
    balance,
    buy,
    customer,
    give_back,
    member_of,
    violations,
)
from tests.db.loyalty.program.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
FRIENDS: dict[str, Any] = {
    "kind": "earning_rule", "key": "friends", "type": "referral", "points": 500, "friend_points": 200, "after": "1d",
    "minimum": 1, "most": 100,
}  # fmt: skip


def order(setup: Any, who: str, points: int, kind: str, count: int = 1) -> None:
    fetch(
        "INSERT INTO points_order (program_id, wallet_id, customer_id, kind, points, source, key, wanted_at)"
        " SELECT %(p)s, %(w)s, c.id, %(kind)s, %(n)s, 'test', gen_random_uuid(), %(now)s FROM customer c,"
        " generate_series(1, %(count)s) WHERE c.external_id = %(who)s RETURNING id",
        {"p": setup.id, "w": setup.wallet_ids["points"], "who": who, "n": points, "kind": kind, "now": NOW,
         "count": count},
    )  # fmt: skip


def test_orders_are_carried_out_once_whoever_works() -> None:
    setup = applied(BASE)
    for who in ("anna", "ben"):
        customer(who)
        buy(setup, f"r-{who}", who, 100)
        order(setup, who, 10, orders.AWARD, 10)
        order(setup, who, 30, orders.SPEND, 20)

    def work(number: int) -> Any:
        if number % 4 == 3:
            return movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=1, now=NOW)
        return fulfilling.work(setup, now=NOW, limit=7)

    at_once(work, 80)
    while fulfilling.work(setup, now=NOW):
        pass
    assert fetch("SELECT count(*) FROM points_order WHERE settled_at IS NULL") == [(0,)]
    done = dict(fetch("SELECT kind, count(*) FROM booking WHERE kind IN ('occasion') GROUP BY 1"))
    assert done == {"occasion": 20}
    given, left, spent = fetch("SELECT sum(amount), sum(active), sum(spent) FROM lot")[0]
    assert (given, left + spent) == (400, 400)
    refused = fetch("SELECT count(*) FROM points_order WHERE refusal = 'too few points'")[0][0]
    singles = fetch("SELECT count(*) FROM booking b JOIN entry e ON e.booking_id = b.id WHERE b.kind = 'spend'"
                    " AND e.amount = 1 AND b.key_digest IS NULL")[0][0]  # fmt: skip
    assert spent == (40 - refused) * 30 + singles
    assert violations() == {}


def test_a_household_never_spends_more_than_it_has_nor_beyond_the_limit() -> None:
    setup = applied(BASE, households={"size": 3, "monthly_limit": 70})
    for who in ("anna", "ben", "cleo"):
        customer(who)
        buy(setup, f"r-{who}", who, 100)
    home = households.found(owner_id=member_of("anna"), name=None, setup=setup, now=NOW)
    entered = at_once(
        lambda number: (
            households.add(
                household_id=home, member_id=member_of(("ben", "cleo")[number % 2]), role="adult", setup=setup, now=NOW
            )
            or True
        ),
        8,
    )
    assert sum(one is True for one in entered) == 2
    spenders = {who: member_of(who) for who in ("anna", "ben", "cleo")}

    def spend(number: int) -> Any:
        who = ("ben", "cleo")[number % 2]
        return households.spend(member_id=spenders[who], wallet=None, points=10, setup=setup, now=NOW)

    done = at_once(spend, 120)
    spent = 10 * sum(one is not None for one in done)
    foreign = dict(
        fetch(
            "SELECT b.member_id, sum(e.amount) FROM booking b JOIN entry e ON e.booking_id = b.id"
            " WHERE b.kind = 'spend' AND e.member_id <> b.member_id GROUP BY 1"
        )
    )
    assert max(foreign.values()) <= 70
    assert sum(balance(who)[1] for who in spenders) == 300 - spent
    assert spent >= 200
    everything = at_once(
        lambda number: households.spend(
            member_id=spenders["anna"], wallet=None, points=10, setup=setup, now=NOW + timedelta(days=1)
        ),
        60,
    )
    assert sum(one is not None for one in everything) == (300 - spent) // 10
    assert violations() == {}


def test_who_leaves_while_spending_takes_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = applied(BASE, households={"size": 3, "monthly_limit": 70})
    for who in ("anna", "ben"):
        customer(who)
        buy(setup, f"r-{who}", who, 100)
    home = households.found(owner_id=member_of("anna"), name=None, setup=setup, now=NOW)
    ben = member_of("ben")
    households.add(household_id=home, member_id=ben, role="adult", setup=setup, now=NOW)
    fit = households._fit

    def slow(ids: list[int], **rest: Any) -> None:
        monkeypatch.setattr(households, "_fit", fit)
        at_once(lambda _: households.leave(member_id=ben), 1)
        fit(ids, **rest)

    monkeypatch.setattr(households, "_fit", slow)
    with pytest.raises(Problems, match="just left"):
        households.spend(member_id=ben, wallet=None, points=50, setup=setup, now=NOW)
    assert [balance(who)[1] for who in ("anna", "ben")] == [100, 100]
    assert violations() == {}


def test_a_friend_comes_once_and_is_rewarded_once() -> None:
    setup = applied(BASE, FRIENDS)
    friends = [customer(f"friend{number}") for number in range(6)]
    codes = []
    for who in ("anna", "ben"):
        customer(who)
        buy(setup, f"r-{who}", who, 1)
        codes.append(referrals.code_of(member_of(who), now=NOW))
    came = at_once(
        lambda number: referrals.refer(
            code=codes[number % 2], friend_customer_id=friends[number % 6], setup=setup, now=NOW
        ),
        48,
    )
    assert sum(one is not None for one in came) == 6
    assert fetch("SELECT count(*), count(DISTINCT friend_id) FROM referral") == [(6, 6)]
    for number in range(6):
        buy(setup, f"f-{number}", f"friend{number}", 5, now=NOW + timedelta(hours=1))
    late = NOW + timedelta(days=3)

    def qualify(number: int) -> Any:
        if number % 5 == 4:
            return give_back(setup, f"back-{number}", "f-0", now=late) if number == 4 else None
        return referrals.qualify(setup, now=late, limit=2)

    at_once(qualify, 40, workers=8)
    while referrals.qualify(setup, now=late):
        pass
    rewarded = fetch("SELECT count(*) FROM referral WHERE state = 'rewarded'")[0][0]
    assert rewarded in (5, 6)
    assert fetch("SELECT coalesce(sum(amount), 0) FROM lot l JOIN earning_rule r ON r.id = l.rule_id"
                 " WHERE r.key = 'friends'") == [(700 * rewarded,)]  # fmt: skip
    assert violations() == {}


def test_deliveries_lapses_and_joining_at_once() -> None:
    pending = {"event": "delivered", "within": "10d", "then": "reverse"}
    setup = applied(BASE, wallets=[{"key": "points", "pending": pending, "value": 0.01}])
    people = [f"c{number}" for number in range(20)]
    ids = {who: customer(who) for who in people}
    for who in people:
        for number in range(3):
            buy(setup, f"{who}-{number}", who, 10)
    told = [
        {"id": f"d-{who}-{number}", "customer": who, "name": "delivered", "occurred_at": NOW.isoformat(),
         "properties": {"transaction": f"{who}-{number}"}}
        for who in people for number in range(2)
    ]  # fmt: skip
    assert intake(events=told, now=NOW).accepted == 40
    late = NOW + timedelta(days=11)

    def work(number: int) -> Any:
        if number % 3 == 0:
            return tasks.earn(now=NOW)
        if number % 3 == 1:
            return awaiting.lapse(setup, now=late, limit=5)
        if number < 30:
            winner, loser = ids[people[10 + number % 10]], ids[people[number % 10]]
            return joining.join(customer_id=winner, other_id=loser, now=NOW, actor="t")
        return movements.release(setup, now=late)

    at_once(work, 60, workers=8)
    while tasks.earn(now=NOW) or awaiting.lapse(setup, now=late):
        pass
    assert fetch("SELECT sum(active), sum(reversed), sum(pending) FROM lot") == [(400, 200, 0)]
    assert violations() == {}
