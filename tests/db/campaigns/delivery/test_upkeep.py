"""Rescue, poison, halving, stopped flows, decisions about doubts, rate limits."""

import time
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.channels import outcome
from campaigns.channels.providers.email_recording import planned_outcomes, recorded
from campaigns.delivery import compose, engine, load, queries, settle, throttle
from campaigns.delivery.claim import claim
from campaigns.delivery.models import State
from campaigns.delivery.operations import register_dispatch, resolve_in_doubt, set_dispatch_state
from campaigns.delivery.upkeep import rescue, skip_stopped
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from tests.db.campaigns.delivery.world import (
    World,
    attempts,
    expire_leases,
    fact_names,
    reasons,
    states,
    verdicts,
    violations,
)


def test_claimed_messages_of_a_dead_worker_are_sent_by_another(world: World) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(5))
    claim(channel="email", owner=1, now=world.now, senders={dispatch.sender_id: None})
    assert rescue(now=world.now) == 0
    assert world.send() == 0
    expire_leases()
    assert rescue(now=world.now) == 5
    assert world.send() == 5
    assert states(ids) == [State.SENT] * 5
    assert violations() == {}


def test_a_message_that_kills_its_worker_is_given_up_and_its_neighbors_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.plan(world.dispatch(), world.customers(4))
    poison = ids[1]
    real = compose.compose

    class Killed(BaseException):
        pass

    def deadly(messages: Any, **given: Any) -> Any:
        if any(message.id == poison for message in messages):
            raise Killed
        return real(messages, **given)

    monkeypatch.setattr(engine, "compose", deadly)
    monkeypatch.setattr(engine, "release", lambda owner: 0)  # a dead worker gives nothing back
    for _ in range(6):
        try:
            world.send()
        except Killed:
            expire_leases()
            rescue(now=world.now)
    assert states(ids) == [State.SENT, State.SKIPPED, State.SENT, State.SENT]
    assert reasons(ids)[1] == "render_error"
    assert [code for gate, code, _ in verdicts(poison) if gate == "rescue"].count("trial") == 3
    assert violations() == {}


def test_a_batch_that_fails_is_halved_until_the_bad_row_is_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = world.plan(world.dispatch(), world.customers(40))
    real = load.contexts
    calls = []

    def fragile(messages: Any, *given: Any) -> Any:
        calls.append(len(messages))
        if any(message.id == ids[17] for message in messages):
            raise ValueError("this row")
        return real(messages, *given)

    monkeypatch.setattr(load, "contexts", fragile)
    world.send()
    assert [state for state in states(ids) if state == State.SENT] == [State.SENT] * 39
    assert reasons(ids)[17] == "render_error"
    assert verdicts(ids[17])[0][2]["problem"] == "ValueError"
    assert len(calls) <= 12


def test_an_outcome_that_cannot_be_written_does_not_hold_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.plan(world.dispatch(), world.customers(8))
    monkeypatch.setattr(settle, "clean", lambda text: text)
    planned_outcomes[ids[3]] = outcome.failed("5.0.0", "a zero \0 in it")
    world.send()
    assert states(ids) == [State.SENT] * 3 + [State.STARTED] + [State.SENT] * 4


def test_stopped_flows_leave_nothing_waiting(world: World) -> None:
    dispatch, other = world.dispatch(), world.dispatch(step_no=2, step="other")
    ids = world.plan(dispatch, world.customers(3))
    kept = world.plan(other, world.customers(1))
    set_dispatch_state(dispatch_ids=[dispatch.pk], state="stopped", now=world.now)
    assert skip_stopped(now=world.now) == 3
    assert skip_stopped(now=world.now) == 0
    assert reasons(ids) == ["flow_stopped"] * 3
    assert states(kept) == [State.PLANNED]
    assert set_dispatch_state(dispatch_ids=[dispatch.pk], state="running", now=world.now) == 0
    assert violations() == {}


@pytest.mark.parametrize(
    ("decision", "state", "facts"),
    [("sent", State.SENT, ["message.sent"]), ("give_up", State.FAILED, ["message.failed"]), ("send_again", 0, [])],
)
def test_a_person_decides_about_a_doubt(world: World, decision: str, state: int, facts: list[str]) -> None:
    people = world.customers(2)
    ids = world.plan(world.dispatch(), people)
    planned_outcomes[ids[0]] = outcome.in_doubt("lost")
    world.send()
    done = resolve_in_doubt(message_ids=ids, decision=decision, who="ann", now=world.now, note="asked the provider")
    assert (done.resolved, done.unknown) == (1, 1)
    assert states(ids) == [state, State.SENT]
    assert verdicts(ids[0]) == [("resolution", decision, {"by": "ann", "note": "asked the provider"})]
    assert fact_names(people[0]) == facts
    assert violations() == {}
    planned_outcomes.clear()
    world.send()
    assert states(ids)[0] == (State.SENT if decision == "send_again" else state)
    assert len(attempts(ids[0])) == (2 if decision == "send_again" else 1)
    assert violations() == {}


def test_a_decision_needs_a_name_and_a_known_word(world: World) -> None:
    with pytest.raises(Problems) as caught:
        resolve_in_doubt(message_ids=[1], decision="maybe", who=" ", now=world.now)
    assert [problem.where for problem in caught.value.problems] == ["decision", "who"]


def test_a_rate_limit_holds_over_all_workers(world: World) -> None:
    sender = world.sender(limits={"per_second": 20})
    ids = world.plan(world.dispatch(sender_id=sender.pk), world.customers(60))
    began = time.monotonic()
    world.send(seconds=1.0)
    first = len(recorded)
    assert 20 <= first <= 20 + 20 * (time.monotonic() - began) + 1
    world.send(seconds=20)
    assert len(recorded) == 60
    assert time.monotonic() - began >= 1.9
    assert states(ids) == [State.SENT] * 60


def test_tokens_run_out_and_come_back(world: World) -> None:
    sender = world.sender()
    assert throttle.take(sender.pk, rate=10, most=100) == 10
    assert throttle.take(sender.pk, rate=10, most=100) == 0
    throttle.give_back(sender.pk, 4)
    assert throttle.take(sender.pk, rate=10, most=3) == 3
    execute("UPDATE sender_budget SET refilled_at = refilled_at - interval '1 hour'")
    assert throttle.take(sender.pk, rate=10, most=100) == 10


def test_a_dispatch_is_registered_once(world: World) -> None:
    first = world.dispatch()
    again = register_dispatch(
        step="hello", step_no=1, channel="email", purpose="marketing", sender_id=first.sender_id,
        template_version_id=first.template_version_id, flow_id=1, flow_version=1, now=world.now,
    )  # fmt: skip
    assert again.pk == first.pk
    assert world.dispatch(flow_version=2).pk != first.pk


def test_a_big_campaign_does_not_starve_a_small_one(world: World) -> None:
    big, small = world.dispatch(), world.dispatch(step_no=2, step="trigger")
    world.plan(big, world.customers(300))
    late = world.plan(small, world.customers(3))
    taken = claim(channel="email", owner=1, now=world.now, senders={big.sender_id: None}, rows=100).messages
    assert {message.id for message in taken} >= set(late)
    assert len(taken) <= 100


def test_queries_do_not_grow_with_the_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SMALLEST_CHUNK", engine.LARGEST_CHUNK)
    dispatch = world.dispatch()
    counts = []
    for size in (1, 2, 90):  # the first one warms what a process keeps
        world.plan(dispatch, world.customers(size))
        with CaptureQueriesContext(connection) as captured:
            assert world.send() == size
        counts.append(len(captured))
    assert counts[1] == counts[2]


def test_every_statement_of_a_run_works_by_key(world: World) -> None:
    """EXPLAIN refuses sequential scans of the large tables."""
    dispatch = world.dispatch(exit_on=[{"event": "purchase"}])
    world.plan(dispatch, world.customers(30))
    execute("ANALYZE message")
    with CaptureQueriesContext(connection) as captured:
        world.send()
    large = ("message", "customer", "consent_state", "message_attempt", "event")
    checked = 0
    execute(engine.BY_KEY)
    for query in captured.captured_queries:
        text = query["sql"].strip()
        if not text.upper().startswith(("SELECT", "WITH", "UPDATE", "INSERT")) or "to_regclass" in text:
            continue
        plan = "\n".join(row[0] for row in fetch("EXPLAIN " + text.replace("%", "%%")))
        checked += 1
        for table in large:
            assert f"Seq Scan on {table} " not in plan, plan
            assert f"Seq Scan on {table}\n" not in plan, plan
    execute(engine.BY_KEY_NO_MORE)
    assert checked >= 8


def test_the_passport_names_every_gate_in_order(world: World) -> None:
    people = world.customers(1) + world.customers(1, consent=None)
    sent, refused = world.plan(world.dispatch(campaign_key="autumn"), people)
    world.send()
    passport = queries.passport(sent)
    assert passport is not None
    assert [gate["gate"] for gate in passport["gates"]] == [
        "dispatch_state", "exit", "holdout", "address", "suppression", "consent", "preference_topic",
        "preference_pause", "frequency_cap", "sender_state",
    ]  # fmt: skip
    assert {gate["verdict"] for gate in passport["gates"]} == {"passed"}
    assert (passport["state"], passport["reason"], passport["campaign"]) == ("sent", None, "autumn")
    assert [attempt["outcome"] for attempt in passport["attempts"]] == ["sent"]
    assert [fact["name"] for fact in passport["facts"]] == ["message.sent"]
    passport = queries.passport(refused)
    assert passport is not None
    assert [gate["verdict"] for gate in passport["gates"]] == ["passed"] * 5 + ["refused"] + ["not_asked"] * 4
    assert passport["gates"][5]["code"] == "no_consent"
    assert passport["gates"][5]["facts"]["status"] is None
    assert queries.passport(1) is None


def test_sub_chunks_follow_the_pace_of_the_wire(world: World) -> None:
    """They begin with 10 and double while the wire keeps up; on a slow one they stay small."""
    run = engine.Run("email", lambda: world.now)
    sizes = []
    for per_message in (0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0019, 0.02):
        answer: Future[list[outcome.Outcome]] = Future()
        flight = engine.Flight([(n, 1) for n in range(run.size)], answer, left_at=100.0)
        flight.landed_at = 100.0 + run.size * per_message
        run._learn_size(flight)
        sizes.append(run.size)
    assert sizes == [20, 40, 80, 100, 100, 21, 10]


def test_a_slow_provider_ends_the_run_in_time_and_the_rest_goes_back(world: World) -> None:
    sender = world.sender(settings={"delay": 0.2})
    ids = world.plan(world.dispatch(sender_id=sender.pk), world.customers(100))
    began = time.monotonic()
    handled = world.send(seconds=0.5)
    assert time.monotonic() - began < 2
    assert 0 < handled < 100
    assert sorted(states(ids)) == [State.PLANNED] * (100 - handled) + [State.SENT] * handled
