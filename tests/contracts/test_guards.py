"""What every guard must keep: it judges sets, adds no row, refuses with its own public code, and says so with facts."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.delivery.claim import claim
from campaigns.delivery.guard import ExitRule, Scope, guards, in_order, judgment
from campaigns.delivery.models import State
from campaigns.delivery.reasons import CODES
from campaigns.delivery.start import start
from loyalty.consent.operations import suppress
from loyalty.kit.sql import Sql, execute, fetch, sql
from tests.db.campaigns.delivery.world import NOW, World, reasons, states, verdicts, violations

EVERYTHING = Scope(
    channel="email",
    purpose=Sql("'marketing'::text"),
    entered_at=Sql("now()"),
    customer_id=Sql("r.id"),
    now=NOW,
    holdout=Sql("r.holdout"),
    dispatch_state=Sql("'running'::text"),
    sender_state=Sql("'active'::text"),
    exits=[ExitRule(Sql("true"), [{"event": "purchase"}])],
    message_id=Sql("r.id"),
    topic=Sql("'news'::text"),
    product_group=Sql("'coffee'::text"),
)


@pytest.fixture
def world(db: None) -> World:
    return World().prepare()


@pytest.mark.parametrize("key", list(guards))
def test_every_guard_has_a_public_code_and_its_own_place(key: str) -> None:
    guard = guards.get(key)
    assert guard.code in CODES
    assert [other for name, other in guards.items() if other.order == guard.order] == [guard]


@pytest.mark.parametrize("key", list(guards))
@pytest.mark.parametrize("purpose", ["marketing", "service", "transactional"])
def test_every_guard_judges_every_row_once(world: World, key: str, purpose: str) -> None:
    people = world.customers(5) + world.customers(5, consent=None, email=None)
    suppress("email", addresses=[f"c{people[0]}@example.com"], reason="unsubscribed", now=world.now)
    suppress("email", addresses=[f"c{people[0]}@example.com"], reason="objection", purpose=purpose, now=world.now)
    part = guards.get(key).part(EVERYTHING)
    assert part is not None
    columns = Sql("").join(sql(", {value}", value=value) for value in part.columns.values())
    rows = fetch(
        sql(
            "SELECT r.id, ({refuses}) IS TRUE{columns}"
            " FROM (SELECT unnest({ids}::bigint[]) AS id, false AS holdout) AS r"
            " LEFT JOIN customer c ON c.id = r.id {joins}",
            refuses=part.refuses,
            columns=columns,
            joins=part.joins,
            ids=people,
        )  # fmt: skip
    )
    assert sorted(row[0] for row in rows) == people


def test_the_judgment_is_one_select_however_many_people(world: World) -> None:
    dispatch = world.dispatch()
    counts = []
    for size in (1, 50):
        people = world.customers(size)
        with CaptureQueriesContext(connection) as queries:
            world.plan(dispatch, people)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("purpose", "status", "expected"),
    [
        ("marketing", None, "no_consent"),
        ("marketing", "withdrawn", "no_consent"),
        ("marketing", "granted", "-"),
        ("service", None, "-"),
        ("service", "withdrawn", "no_consent"),
        ("service", "granted", "-"),
        ("transactional", None, "-"),
    ],
)
def test_consent_by_purpose(world: World, purpose: str, status: str | None, expected: str) -> None:
    people = world.customers(1, consent=None)
    if status:
        world.consent(people, status=status, purpose=purpose)
    ids = world.plan(world.dispatch(purpose=purpose), people)
    assert reasons(ids) == [expected]
    assert states(ids) == [State.PLANNED if expected == "-" else State.SKIPPED]
    assert violations() == {}


@pytest.mark.parametrize(
    ("purpose", "reason", "scope", "expected"),
    [
        ("marketing", "hard_bounce", "", "suppressed"),
        ("marketing", "complaint", "", "suppressed"),
        ("marketing", "objection", "marketing", "suppressed"),
        ("marketing", "objection", "service", "-"),
        ("service", "complaint", "", "suppressed"),
        ("service", "objection", "marketing", "-"),
        ("transactional", "complaint", "", "-"),
        ("transactional", "hard_bounce", "", "suppressed"),
    ],
)
def test_suppression_by_purpose(world: World, purpose: str, reason: str, scope: str, expected: str) -> None:
    people = world.customers(1)
    suppress("email", addresses=[f"C{people[0]}@Example.com"], reason=reason, purpose=scope, now=world.now)
    ids = world.plan(world.dispatch(purpose=purpose), people)
    assert reasons(ids) == [expected]
    if expected != "-":
        assert verdicts(ids[0])[0][2]["reason"] == reason


def test_the_first_gate_that_refuses_gives_the_reason(world: World) -> None:
    people = world.customers(1, consent=None, email=None)
    ids = world.plan(world.dispatch(), people, holdout=True)
    assert [key for key, _ in in_order()][:4] == ["dispatch_state", "exit", "holdout", "address"]
    assert reasons(ids) == ["holdout"]
    assert [(gate, code) for gate, code, _ in verdicts(ids[0])] == [("holdout", "holdout")]


def test_an_exit_event_after_the_entry_counts_with_its_conditions(world: World) -> None:
    before, after, cheap, other = people = world.customers(4)
    hour = timedelta(hours=1)
    world.event(before, "purchase", world.now - hour, amount=50)
    world.event(after, "purchase", world.now + hour, amount=50)
    world.event(cheap, "purchase", world.now + hour, amount=5)
    world.event(other, "visit", world.now + hour, amount=50)
    dispatch = world.dispatch(exit_on=[{"event": "purchase", "where": {"amount": {"gte": 10}}}])
    ids = world.plan(dispatch, people)
    assert reasons(ids) == ["-", "exited", "-", "-"]


def test_what_changed_since_the_planning_is_seen_at_the_start(world: World) -> None:
    gone, withdrawn, dead, bought, fine = people = world.customers(5)
    dispatch = world.dispatch(exit_on=[{"event": "purchase"}])
    ids = world.plan(dispatch, people)
    execute(sql("UPDATE customer SET email = NULL, email_digest = NULL WHERE id = {id}", id=gone))
    world.consent([withdrawn], status="withdrawn", at=world.now)
    suppress("email", addresses=[f"c{dead}@example.com"], reason="hard_bounce", now=world.now)
    world.event(bought, "purchase", world.now + timedelta(minutes=1))
    world.send()
    assert reasons(ids) == ["no_address", "no_consent", "suppressed", "exited", "-"]
    assert states(ids) == [State.SKIPPED] * 4 + [State.SENT]
    assert [verdicts(i)[0][0] for i in ids[:4]] == ["address", "consent", "suppression", "exit"]
    assert violations() == {}


@pytest.mark.parametrize(
    ("change", "state", "code"),
    [
        ("UPDATE dispatch SET state = 'stopped'", State.SKIPPED, "flow_stopped"),
        ("UPDATE dispatch SET state = 'paused'", State.PLANNED, "flow_paused"),
        ("UPDATE sender SET state = 'paused'", State.PLANNED, "sender_paused"),
    ],
)
def test_a_stop_or_pause_reaches_what_is_claimed_already(world: World, change: str, state: State, code: str) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(2))
    taken = claim(channel="email", owner=7, now=world.now, senders={dispatch.sender_id: None}).messages
    execute(change)
    assert start(taken, channel="email", owner=7, at=world.now, exits={}) == {}
    assert states(ids) == [state] * 2
    assert [(code_) for _, code_, _ in verdicts(ids[0])] == [code]


def test_an_erased_person_is_refused_for_want_of_an_address(world: World) -> None:
    people = world.customers(1)
    ids = world.plan(world.dispatch(), people)
    execute(sql("DELETE FROM customer WHERE id = {id}", id=people[0]))
    world.send()
    assert reasons(ids) == ["no_address"]


@pytest.mark.parametrize("channel", ["sms", "telegram", "letter"])
def test_other_channels_judge_by_their_own_address(world: World, channel: str) -> None:
    part = judgment(
        Scope(
            channel=channel, purpose=Sql("'service'::text"), entered_at=Sql("now()"), customer_id=Sql("c.id"), now=NOW
        )
    )
    people = world.customers(1)
    rows = fetch(
        sql(
            "WITH j AS (SELECT c.id{columns} FROM customer c {joins} WHERE c.id = ANY({ids})) SELECT {code} FROM j",
            columns=part.columns,
            joins=part.joins,
            ids=people,
            code=part.code,
        )  # fmt: skip
    )
    assert rows == [("no_address",)]
