"""Steps about points: what they order is booked once, and only for those who can pay and are not held out."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.flows import engine, operations, runs
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from loyalty.program import fulfilling, holds, membership, movements
from loyalty.program.models import Member
from loyalty.program.setup import Setup, load
from tests.db.loyalty.program.club import violations

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
END = {"id": "after", "type": "wait", "for": "365d"}


@pytest.fixture
def club(db: None) -> Setup:
    apply_documents(
        [
            {"kind": "program", "key": "club"},
            {"kind": "tier", "key": "gold", "rank": 1, "threshold": 1000},
        ],
        now=NOW,
    )
    return load()


def work(setup: Setup) -> int:
    while runs.advance_runs(now=NOW):
        pass
    while engine.advance(now=NOW):
        pass
    done = 0
    while found := fulfilling.work(setup, now=NOW):
        done += found
    return done


def balances() -> list[tuple[str, int, int]]:
    return fetch(
        "SELECT c.external_id, b.active, b.locked FROM member_balance b JOIN member m ON m.id = b.member_id"
        " JOIN customer c ON c.id = m.customer_id ORDER BY c.id"
    )


def orders() -> list[tuple[str, int | None, str | None]]:
    return fetch("SELECT kind, points, refusal FROM points_order ORDER BY customer_id, position")


def give(setup: Setup, people: list[int], points: int) -> None:
    membership.join(people, setup=setup, now=NOW)
    members = membership.of_customers(people, program_id=setup.id)
    grants = [movements.Grant(members[one][0], points) for one in people]
    movements.grant(grants, setup=setup, wallet=None, kind="import", reason=None, now=NOW)


def test_points_are_given_once_and_with_their_reason(club, people, publish) -> None:
    people(3)
    publish([{"id": "gift", "type": "award_points", "points": 200, "reason": "winback"}, END])
    assert work(club) == 3
    assert work(club) == 0
    assert balances() == [("c1", 200, 0), ("c2", 200, 0), ("c3", 200, 0)]
    rows = fetch("SELECT DISTINCT kind, details ->> 'reason' FROM booking")
    assert rows == [("occasion", "winback")]
    earned = "SELECT count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.name = 'points.earned'"
    assert fetch(earned) == [(3,)]
    assert violations() == {}


def test_who_is_held_out_gets_nothing(club, people, publish) -> None:
    people(40)
    publish([{"id": "gift", "type": "award_points", "points": 10}, END], holdout=0.5)
    done = work(club)
    held = fetch("SELECT count(*) FROM enrollment WHERE holdout")[0][0]
    assert (done, held > 0) == (40 - held, True)


def test_only_who_can_pay_pays(club, people, publish) -> None:
    rich, poor, _stranger = people(3)
    give(club, [rich], 500)
    give(club, [poor], 499)
    publish(
        [
            {"id": "pay", "type": "spend_points", "points": 500, "exits": {"done": "gold", "too_few": "after"}},
            {"id": "gold", "type": "set_tier", "tier": "gold", "for": "30d"},
            END,
        ]
    )
    assert work(club) == 2
    assert balances() == [("c1", 0, 0), ("c2", 499, 0)]
    assert orders() == [("spend", 500, None), ("tier", None, None)]
    member = Member.objects.select_related("tier").get(customer_id=rich)
    assert member.tier is not None
    assert (member.tier.key, member.tier_fixed_until) == ("gold", NOW + timedelta(days=30))
    told = fetch(
        "SELECT e.properties ->> 'to', e.properties ->> 'direction' FROM event e JOIN event_type t ON t.id = e.type_id"
        " WHERE t.name = 'tier.changed'"
    )
    assert told == [("gold", "up")]
    assert violations() == {}


def test_what_is_ordered_counts_before_it_is_booked(club, people, publish) -> None:
    (one,) = people(1)
    give(club, [one], 120)
    publish(
        [
            {"id": "keep", "type": "lock_points", "points": 100, "for": "2d"},
            {"id": "rest", "type": "wait", "for": "1s"},
            {"id": "pay", "type": "spend_points", "points": 100},
            END,
        ]
    )
    while runs.advance_runs(now=NOW):
        pass
    while engine.advance(now=NOW + timedelta(seconds=2)):
        pass
    assert orders() == [("lock", 100, None)]
    assert fetch("SELECT exit, sum(n) FROM flow_count WHERE node = 3 AND exit <> 'arrived' GROUP BY 1") == [
        ("too_few", 1)
    ]
    assert fulfilling.work(club, now=NOW) == 1
    assert balances() == [("c1", 20, 100)]
    assert holds.end_holds(club, now=NOW + timedelta(days=3)) == 1
    assert balances() == [("c1", 120, 0)]
    assert violations() == {}


def test_what_cannot_be_done_says_why(club, people, publish) -> None:
    first, second = people(2)
    give(club, [first, second], 100)
    publish([{"id": "pay", "type": "spend_points", "points": 100}, END])
    while runs.advance_runs(now=NOW):
        pass
    member = Member.objects.get(customer_id=first)
    movements.spend(setup=club, member_id=member.pk, wallet=None, points=60, now=NOW)
    execute("UPDATE member SET state = 'frozen' WHERE customer_id = %(id)s", {"id": second})
    assert fulfilling.work(club, now=NOW) == 2
    assert orders() == [("spend", 100, "too few points"), ("spend", 100, "frozen")]
    assert balances() == [("c1", 40, 0), ("c2", 100, 0)]


def test_the_number_of_queries_does_not_grow(club, people, publish, django_assert_max_num_queries) -> None:
    people(300)
    publish([{"id": "gift", "type": "award_points", "points": 1}, END])
    while runs.advance_runs(now=NOW):
        pass
    with django_assert_max_num_queries(25):
        assert fulfilling.work(club, now=NOW) == 300


def test_mistakes_are_told_at_their_place(people) -> None:
    steps = [{"id": "gift", "type": "award_points", "points": 5}]
    flow = {"kind": "flow", "key": "x", "entry": [{"api": True}], "steps": steps}
    with pytest.raises(Problems) as caught:
        apply_documents([flow], now=NOW)
    assert [(one.where, one.problem) for one in caught.value.problems] == [
        ("steps[0].program", "there is no loyalty program")
    ]
    apply_documents([{"kind": "program", "key": "club", "wallets": [{"key": "status", "spendable": False}]}], now=NOW)
    flow["steps"] = [
        {"id": "a", "type": "award_points", "points": 0},
        {"id": "b", "type": "spend_points", "points": 5},
        {"id": "c", "type": "set_tier", "tier": "gold"},
        {"id": "d", "type": "award_points", "points": 5, "wallet": "stars"},
    ]
    with pytest.raises(Problems) as caught:
        apply_documents([flow], now=NOW)
    assert [(one.where, one.problem) for one in caught.value.problems] == [
        ("steps[0].points", "Input should be greater than or equal to 1"),
        ("steps[1].wallet", "status is no wallet to pay with"),
        ("steps[2].tier", "unknown tier 'gold'"),
        ("steps[3].wallet", "there is no wallet 'stars' in club"),
    ]
    # A program that comes with the flow is good enough.
    flow["steps"] = [{"id": "a", "type": "award_points", "points": 5, "program": "second"}]
    apply_documents([flow, {"kind": "program", "key": "second"}], now=NOW)
    operations.publish(key="x", now=NOW)
