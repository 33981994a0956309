"""Release, expiry, holds, transfers, corrections, tiers, events, birthdays: what the clock and people bring."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.events.operations import intake
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import holds, movements, names, occasions, operations, queries, tasks, tiering
from loyalty.program.models import Adjustment, Member
from loyalty.program.receipts import key_of
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
TIERS: list[dict[str, Any]] = [
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 100},
    {"kind": "tier", "key": "gold", "rank": 2, "threshold": 500},
]


def tier_of(who: str) -> str | None:
    tier = Member.objects.select_related("tier").get(id=member_of(who)).tier
    return tier.key if tier else None


def test_pending_points_are_released_in_time() -> None:
    setup = applied(BASE, wallets=[{"key": "points", "pending": "14d"}])
    customer("anna")
    buy(setup, "r1", "anna", 30)
    assert balance("anna") == (30, 0, 0, 0)
    assert tasks.release(now=NOW + timedelta(days=14, seconds=-1)) == 0
    assert tasks.release(now=NOW + timedelta(days=14)) == 1
    assert tasks.release(now=NOW + timedelta(days=14)) == 0
    assert balance("anna") == (0, 30, 0, 0)
    assert facts_of("anna", "points.released") == [{"program": "club", "wallet": "points", "points": 30, "balance": 30}]
    assert violations() == {}


def test_the_oldest_points_are_spent_first_and_expire_first() -> None:
    wallet = {"key": "points", "expiry": {"after": "36 months", "until": "year"}}
    setup = applied(BASE, wallets=[wallet])
    customer("anna")
    buy(setup, "old", "anna", 30, occurred_at="2024-05-01T10:00:00Z")
    buy(setup, "new", "anna", 50)
    movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=10, now=NOW)
    assert fetch("SELECT spent, active FROM lot ORDER BY earned_at") == [(10, 20), (0, 50)]
    year_end = datetime(2027, 12, 31, 23, tzinfo=UTC)
    assert movements.expire(setup, now=year_end - timedelta(seconds=1)) == 0
    assert movements.expire(setup, now=year_end) == 1
    assert balance("anna") == (0, 50, 0, 0)
    at = [queries.balance_at(member_of("anna"), wallet_id=setup.wallet_ids["points"], at=t) for t in (NOW, year_end)]
    assert at == [70, 50]
    assert violations() == {}


def test_activity_keeps_points_alive() -> None:
    setup = applied(
        BASE, wallets=[{"key": "points", "expiry": {"after": "2 months", "until": "day", "activity": True}}]
    )
    customer("anna")
    buy(setup, "r1", "anna", 30)
    later = NOW + timedelta(days=50)
    buy(setup, "r2", "anna", 1, now=later)
    assert movements.expire(setup, now=NOW + timedelta(days=80)) == 0
    assert movements.expire(setup, now=later + timedelta(days=63)) == 2
    assert balance("anna") == (0, 0, 0, 0)


def test_holds_are_captured_let_go_or_end() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 100)
    member_id = member_of("anna")

    def held(points: int) -> int:
        done = holds.hold(
            setup=setup, member_id=member_id, wallet=None, points=points, lasts=timedelta(minutes=15), now=NOW
        )
        return done.booking_id

    first, second, third = held(30), held(20), held(10)
    assert balance("anna") == (0, 40, 60, 0)
    with pytest.raises(Problems, match="41 points are wanted, 40 can be used"):
        movements.spend(setup=setup, member_id=member_id, wallet=None, points=41, now=NOW)
    holds.settle_hold(first, capture=True, setup=setup, now=NOW)
    holds.settle_hold(second, capture=False, setup=setup, now=NOW)
    with pytest.raises(Problems, match="is over"):
        holds.settle_hold(second, capture=True, setup=setup, now=NOW)
    assert balance("anna") == (0, 60, 10, 0)
    assert holds.end_holds(setup, now=NOW + timedelta(minutes=14)) == 0
    assert holds.end_holds(setup, now=NOW + timedelta(minutes=15)) == 1
    assert balance("anna") == (0, 70, 0, 0)
    with pytest.raises(Problems, match="is over"):
        holds.settle_hold(third, capture=True, setup=setup, now=NOW)
    assert violations() == {}


def test_transfers_keep_their_dates_and_their_limit() -> None:
    setup = applied(BASE)
    customer("anna")
    customer("ben")
    buy(setup, "r1", "anna", 1500, occurred_at="2025-05-01T10:00:00Z")
    buy(setup, "r2", "ben", 1)
    ids = {"giver_id": member_of("anna"), "taker_id": member_of("ben")}
    movements.transfer(setup=setup, wallet=None, points=900, now=NOW, **ids)
    with pytest.raises(Problems, match="hand on at most 100"):
        movements.transfer(setup=setup, wallet=None, points=101, now=NOW, **ids)
    with pytest.raises(Problems, match="cannot be handed on"):
        movements.transfer(setup=setup, wallet="status", points=1, now=NOW, **ids)
    assert (balance("anna"), balance("ben")) == ((0, 600, 0, 0), (0, 901, 0, 0))
    assert fetch("SELECT DISTINCT expires_at::date, earned_at::date FROM lot WHERE amount = 900")[0][1].year == 2025
    assert violations() == {}


def test_a_correction_needs_four_eyes() -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 10)
    member_id = member_of("anna")

    def asked(points: int) -> int:
        return operations.request_adjustment(
            member_id=member_id, wallet=None, points=points, reason="mistake", by="eva", setup=setup, now=NOW
        )

    def decided(number: int, by: str, approve: bool = True) -> None:
        operations.decide_adjustment(adjustment_id=number, approve=approve, by=by, setup=setup, now=NOW)

    first = asked(40)
    assert balance("anna") == (0, 10, 0, 0)
    with pytest.raises(Problems, match="cannot decide it"):
        decided(first, "eva")
    decided(first, "otto")
    assert balance("anna") == (0, 50, 0, 0)
    with pytest.raises(Problems, match="decided already"):
        decided(first, "otto")
    too_much = asked(-51)
    with pytest.raises(Problems, match="51 points are wanted, 50 can be used"):
        decided(too_much, "otto")
    decided(too_much, "otto", approve=False)
    decided(asked(-50), "otto")
    assert balance("anna") == (0, 0, 0, 0)
    assert list(Adjustment.objects.order_by("id").values_list("state", flat=True)) == [
        "approved",
        "rejected",
        "approved",
    ]
    assert violations() == {}


def test_grants_happen_once_for_any_number_of_members() -> None:
    setup = applied(BASE)
    for who in ("anna", "ben"):
        operations.join(customer_ids=[customer(who)], setup=setup, now=NOW)
    grants = [movements.Grant(member_of(who), 25, key_of("import", who)) for who in ("anna", "ben")]
    for expected in (2, 0):
        done = movements.grant(grants, setup=setup, wallet=None, kind=names.IMPORT, reason="old system", now=NOW)
        assert done == expected
    assert (balance("anna"), balance("ben")) == ((0, 25, 0, 0), (0, 25, 0, 0))
    assert violations() == {}


def test_tiers_rise_at_once_and_fall_after_the_grace_step_by_step() -> None:
    setup = applied(BASE, *TIERS, tiers={"by": "points", "window": "100d", "grace": "30d", "fall": "step"})
    customer("anna")
    buy(setup, "r1", "anna", 99)
    assert tier_of("anna") is None
    buy(setup, "r2", "anna", 401)
    assert tier_of("anna") == "gold"
    assert facts_of("anna", "tier.changed") == [{"program": "club", "from": None, "to": "gold", "direction": "up"}]
    gone = NOW + timedelta(days=100)
    assert tiering.preview(setup, now=gone) == [("gold", "gold", 1)]
    assert tiering.retier_all(setup, now=gone) == tiering.Retiered(0, 0)
    assert tier_of("anna") == "gold"
    assert tiering.retier_all(setup, now=gone + timedelta(days=30)) == tiering.Retiered(0, 1)
    assert tier_of("anna") == "silver"
    tiering.retier_all(setup, now=gone + timedelta(days=31))
    assert tiering.retier_all(setup, now=gone + timedelta(days=62)) == tiering.Retiered(0, 1)
    assert tier_of("anna") is None


@pytest.mark.parametrize(("by", "value"), [("points", 300), ("spend", 300), ("margin", 30), ("visits", 2)])
def test_what_tiers_are_measured_by(by: str, value: int) -> None:
    setup = applied(BASE, *TIERS, tiers={"by": by, "window": "year"})
    customer("anna")
    buy(setup, "r1", "anna", 200, margin=20)
    buy(setup, "r2", "anna", 150, margin=15, items=[{"amount": 100, "margin": 10}, {"amount": 50, "margin": 5}])
    give_back(setup, "b1", "r2", [{"line": 2}])
    member = Member.objects.get(id=member_of("anna"))
    assert queries.tier_progress(member, setup=setup, now=NOW)["value"] == value
    later = datetime(2027, 6, 1, tzinfo=UTC)
    assert tiering.values(setup, [member.pk], now=later) == {member.pk: value}
    assert tiering.values(setup, [member.pk], now=datetime(2028, 6, 1, tzinfo=UTC)) == {}


def test_a_tier_by_hand_stays_until_its_end() -> None:
    setup = applied(BASE, *TIERS, tiers={"window": "12 months"})
    customer("anna")
    buy(setup, "r1", "anna", 120)
    until = NOW + timedelta(days=90)
    operations.set_tier(member_id=member_of("anna"), tier="gold", until=until, setup=setup, now=NOW)
    tiering.retier_all(setup, now=until - timedelta(days=1))
    assert tier_of("anna") == "gold"
    tiering.retier_all(setup, now=until)
    assert tier_of("anna") == "silver"


def test_events_earn_once_and_purchases_of_the_timeline_too() -> None:
    review = {"kind": "earning_rule", "key": "review", "type": "per_event", "event": "review", "points": 50}
    setup = applied(BASE, {**review, "where": {"stars": {"gte": 4}}, "caps": {"times": {"max": 1, "per": "day"}}})
    customer("anna")
    at = NOW.isoformat()
    events = [
        {"id": "1", "customer": "anna", "name": "review", "occurred_at": at, "properties": {"stars": 5}},
        {"id": "2", "customer": "anna", "name": "review", "occurred_at": at, "properties": {"stars": 5}},
        {"id": "3", "customer": "anna", "name": "review", "occurred_at": at, "properties": {"stars": 3}},
        {"id": "4", "customer": "anna", "name": "purchase", "occurred_at": at, "properties": {"amount": "12.50"}},
        {"id": "5", "customer": "anna", "name": "purchase", "occurred_at": at, "properties": {"amount": "much"}},
    ]
    assert intake(events=events, now=NOW).accepted == 5
    buy(setup, "r1", "anna", 7)
    assert tasks.earn(now=NOW) == 6
    assert tasks.earn(now=NOW) == 0
    assert balance("anna") == (0, 69, 0, 0)
    assert violations() == {}


def test_a_birthday_once_a_year_also_for_those_of_february_29() -> None:
    party = {"kind": "earning_rule", "key": "party", "type": "birthday", "points": 100}
    setup = applied(party)
    for who, day in (("anna", "1980-02-28"), ("ben", "1984-02-29"), ("cleo", "1990-03-01"), ("dora", None)):
        operations.join(customer_ids=[customer(who, birth_date=day)], setup=setup, now=NOW)
    at = datetime(2027, 2, 27, 23, 30, tzinfo=UTC)  # the 28th in Berlin
    assert occasions.birthdays(setup, now=at) == 2
    assert occasions.birthdays(setup, now=at + timedelta(hours=5)) == 0
    assert [balance(who)[1] for who in ("anna", "ben", "cleo", "dora")] == [100, 100, 0, 0]
    assert occasions.birthdays(setup, now=datetime(2028, 2, 28, 12, tzinfo=UTC)) == 1
    assert violations() == {}


def test_notices_tell_once_what_expires() -> None:
    setup = applied(BASE, wallets=[{"key": "points", "expiry": {"after": "4 months", "until": "instant"}}])
    customer("anna")
    occasions.notices(setup, now=NOW)
    buy(setup, "r1", "anna", 30)
    ends = fetch("SELECT expires_at FROM lot")[0][0]
    assert occasions.notices(setup, now=ends - timedelta(days=91)) == 0
    assert occasions.notices(setup, now=ends - timedelta(days=89)) == 1
    assert occasions.notices(setup, now=ends - timedelta(days=89)) == 0
    assert occasions.notices(setup, now=ends - timedelta(days=6)) == 2
    assert [fact["in"] for fact in facts_of("anna", "points.expiring")] == ["90d", "30d", "7d"]


def test_who_left_spends_what_is_there_and_may_come_back() -> None:
    setup = applied(BASE)
    customer_id = customer("anna")
    buy(setup, "r1", "anna", 30)
    operations.leave(member_id=member_of("anna"), setup=setup, now=NOW)
    movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=10, now=NOW)
    assert operations.join(customer_ids=[customer_id], setup=setup, now=NOW) == 1
    buy(setup, "r2", "anna", 5)
    assert balance("anna") == (0, 25, 0, 0)
