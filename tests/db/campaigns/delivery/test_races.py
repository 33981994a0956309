"""What two sessions at once may never do to a message, on real commits."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction

from campaigns.channels import outcome
from campaigns.channels.providers import email_recording
from campaigns.delivery.claim import claim
from campaigns.delivery.models import State
from campaigns.delivery.settle import Handed, settle
from campaigns.delivery.start import start
from campaigns.delivery.upkeep import rescue
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.operations import record
from loyalty.kit.sql import execute, fetch, sql
from tests.db.campaigns.delivery.world import World, attempts, expire_leases, reasons, states, violations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    email_recording.forget()
    yield World().prepare()
    email_recording.forget()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_two_workers_never_claim_the_same_message(world: World) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(400))
    got: list[int] = []

    def work(owner: int) -> None:
        while taken := claim(
            channel="email", owner=owner, now=world.now, senders={dispatch.sender_id: None}, rows=30
        ).messages:
            got.extend(message.id for message in taken)

    threads = [in_thread(lambda owner=owner: work(owner)) for owner in (1, 2, 3)]  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(ids)


def test_no_message_starts_after_an_opt_out_has_committed(world: World) -> None:
    """The withdrawal holds the customer's row; the start waits for it and then sees it."""
    dispatch = world.dispatch()
    people = world.customers(1)
    ids = world.plan(dispatch, people)
    taken = claim(channel="email", owner=1, now=world.now, senders={dispatch.sender_id: None}).messages
    holding, release = threading.Event(), threading.Event()

    def opt_out() -> None:
        entry = ConsentEntry(people[0], "email", "marketing", "withdrawn", "test", world.now)
        with transaction.atomic():
            record([entry], now=world.now)
            holding.set()
            release.wait(10)

    thread = in_thread(opt_out)
    assert holding.wait(10)
    started: list[dict[int, int]] = []
    starter = in_thread(lambda: started.append(start(taken, channel="email", owner=1, at=world.now, exits={})))
    time.sleep(0.3)
    assert started == []
    release.set()
    thread.join()
    starter.join()
    assert started == [{}]
    assert (states(ids), reasons(ids)) == ([State.SKIPPED], ["no_consent"])
    assert violations() == {}


def test_an_opt_out_waits_for_a_start_under_way(world: World) -> None:
    dispatch = world.dispatch()
    people = world.customers(1)
    world.plan(dispatch, people)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM customer WHERE id = %s FOR NO KEY UPDATE", people)
        done: list[int] = []
        entry = ConsentEntry(people[0], "email", "marketing", "withdrawn", "test", world.now)
        thread = in_thread(lambda: done.append(record([entry], now=world.now)))
        time.sleep(0.3)
        assert done == []
        cursor.execute("COMMIT")
    thread.join()
    assert done == [1]


def test_who_lost_the_lease_settles_nothing(world: World) -> None:
    dispatch = world.dispatch()
    people = world.customers(1)
    ids = world.plan(dispatch, people)
    taken = claim(channel="email", owner=1, now=world.now, senders={dispatch.sender_id: None}).messages
    assert start(taken, channel="email", owner=1, at=world.now, exits={}) == {ids[0]: 1}
    late = [Handed(ids[0], 1, outcome.sent())]
    assert settle([Handed(ids[0], 2, outcome.sent())], channel="email", owner=1, at=world.now) == 0
    assert settle(late, channel="email", owner=2, at=world.now) == 0
    expire_leases()
    assert rescue(now=world.now) == 1
    assert settle(late, channel="email", owner=1, at=world.now) == 0
    assert states(ids) == [State.IN_DOUBT]
    assert "worker was lost" in (attempts(ids[0])[0][2] or "")
    assert fetch("SELECT count(*) FROM event")[0][0] == 0
    assert violations() == {}


def test_who_lost_the_claim_starts_nothing(world: World) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(2))
    senders = {dispatch.sender_id: None}
    old = claim(channel="email", owner=1, now=world.now, senders=senders).messages
    assert start(old, channel="email", owner=9, at=world.now, exits={}) == {}
    expire_leases()
    assert rescue(now=world.now) == 2
    new = claim(channel="email", owner=2, now=world.now, senders=senders).messages
    assert start(old, channel="email", owner=1, at=world.now, exits={}) == {}
    assert start(new, channel="email", owner=2, at=world.now, exits={}) == dict.fromkeys(ids, 1)
    assert start(new, channel="email", owner=2, at=world.now, exits={}) == {}


def test_settling_twice_is_settling_once(world: World) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(1))
    taken = claim(channel="email", owner=1, now=world.now, senders={dispatch.sender_id: None}).messages
    start(taken, channel="email", owner=1, at=world.now, exits={})
    handed = [Handed(ids[0], 1, outcome.sent("first"))]
    assert settle(handed, channel="email", owner=1, at=world.now) == 1
    assert settle([Handed(ids[0], 1, outcome.failed("5.0.0", "no"))], channel="email", owner=1, at=world.now) == 0
    assert states(ids) == [State.SENT]
    assert fetch("SELECT count(*) FROM event")[0][0] == 1


def test_three_workers_send_everything_once(world: World) -> None:
    ids = world.plan(world.dispatch(), world.customers(600))
    threads = [in_thread(world.send) for _ in range(3)]
    for thread in threads:
        thread.join()
    assert states(ids) == [State.SENT] * 600
    assert sorted(email.id for email in email_recording.recorded) == sorted(ids)
    assert violations() == {}


def test_a_lost_database_connection_loses_and_doubles_nothing(world: World) -> None:
    """The connection is cut while messages are on the wire; the outcome is written over a new one."""
    sender = world.sender(settings={"delay": 0.5})
    ids = world.plan(world.dispatch(sender_id=sender.pk), world.customers(3))
    pid: list[int] = []

    def work() -> None:
        pid.append(fetch("SELECT pg_backend_pid()")[0][0])
        world.send()

    thread = in_thread(work)
    for _ in range(100):
        time.sleep(0.02)
        if states(ids) == [State.STARTED] * 3:
            break
    execute(sql("SELECT pg_terminate_backend({pid})", pid=pid[0]))
    thread.join()
    assert states(ids) == [State.SENT] * 3
    assert len(email_recording.recorded) == 3
    assert violations() == {}
