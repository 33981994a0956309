"""Two connections at once: nobody moves twice, nobody is lost, nobody waits for ever."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from campaigns.flows import engine, operations, runs, waking
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import fetch

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)
SEND = {"id": "hello", "type": "send", "template": "hello"}
AWAIT = {
    "id": "bought",
    "type": "wait_for_event",
    "event": "purchase",
    "timeout": "1d",
    "exits": {"happened": "thanks", "timeout": "again"},
}


def side_by_side(*jobs: Callable[[], object]) -> None:
    """Run the jobs at once, each on its own connection; raises the first error."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait()
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def drain(work: Callable[..., int], at: datetime) -> Callable[[], None]:
    def run() -> None:
        while work(now=at):
            pass

    return run


def assert_whole() -> None:
    assert [item for item in map(verdict, invariants()) if not item.holds] == []


def test_three_workers_move_everybody_once(people, publish, enter) -> None:
    people(30_000)
    publish([{"id": "rest", "type": "wait", "for": "1d"}, SEND])
    enter()
    at = NOW + timedelta(days=1)
    side_by_side(*[drain(engine.advance, at)] * 3)
    assert fetch("SELECT count(*), count(DISTINCT customer_id) FROM message") == [(30_000, 30_000)]
    assert fetch("SELECT status, count(*) FROM enrollment GROUP BY 1") == [(2, 30_000)]
    assert_whole()


def test_an_event_and_the_timeout_at_the_same_moment_are_one_exit(people, publish, enter, happen) -> None:
    ids = people(4_000)
    publish([AWAIT, {**SEND, "id": "again", "next": "end"}, {**SEND, "id": "thanks"}])
    enter()
    at = NOW + timedelta(days=1)
    happen(ids, "purchase", at=at, pull=False)
    side_by_side(drain(engine.advance, at), drain(waking.pull, at), drain(waking.pull, at))
    # The event came at the very instant of the timeout, which still is inside the wait.
    steps = Counter(step for (step,) in fetch("SELECT (id >> 3) & 1023 FROM message"))
    assert steps == {3: 4_000}
    assert fetch("SELECT count(DISTINCT customer_id) FROM message") == [(4_000,)]
    assert_whole()


def test_entries_from_two_sides_enroll_each_person_once(people, publish, happen) -> None:
    ids = people(2_000)
    publish([{"id": "rest", "type": "wait", "for": "1d"}], entry=[{"segment_entered": "everybody"}, {"event": "cart"}])
    happen(ids, "cart", at=NOW, pull=False)
    side_by_side(drain(runs.advance_runs, NOW), drain(waking.pull, NOW), drain(waking.pull, NOW))
    assert fetch("SELECT count(*), count(DISTINCT customer_id) FROM enrollment") == [(2_000, 2_000)]
    assert_whole()


def test_exits_wakes_and_sweeps_together_do_not_deadlock(people, publish, enter, happen) -> None:
    ids = people(6_000)
    again = {**SEND, "id": "again", "next": "bought"}
    publish(
        [AWAIT, again, {**SEND, "id": "thanks", "next": "bought"}], exit_on=[{"event": "returned"}], reentry="always"
    )
    enter()
    for day in range(1, 4):
        at = NOW + timedelta(days=day)
        happen(ids[day::7], "purchase", at=at - timedelta(hours=1), pull=False)
        happen(ids[day::11], "returned", at=at - timedelta(hours=1), pull=False)
        side_by_side(
            drain(engine.advance, at), drain(waking.pull, at), drain(engine.advance, at), drain(waking.pull, at)
        )
    assert fetch("SELECT count(*) FROM enrollment WHERE status = 4") == [(0,)]
    assert_whole()


def test_two_publishers_make_one_version(people, publish) -> None:
    people(1)
    publish([SEND])
    operations.save_flow(
        document={"key": "test", "entry": [{"api": True}], "steps": [{"id": "x", "type": "exit"}]}, now=NOW
    )
    side_by_side(*[lambda: operations.publish(key="test", now=NOW)] * 2)
    assert fetch("SELECT number FROM flow_version ORDER BY 1") == [(1,), (2,)]


def test_an_import_that_stays_open_delays_no_step(people, publish, enter, happen) -> None:
    [person] = people(1)
    publish([AWAIT, {**SEND, "id": "again", "next": "end"}, {**SEND, "id": "thanks"}])
    enter()
    import psycopg

    settings = connections["default"].get_connection_params()
    wanted = {name: settings[name] for name in ("dbname", "user", "password", "host", "port") if settings.get(name)}
    with psycopg.connect(**wanted) as other:
        other.execute("INSERT INTO event_type (name, internal, first_seen_at) VALUES ('busy', false, now())")
        happen([person], "purchase", at=NOW + timedelta(hours=1))
        assert fetch("SELECT (id >> 3) & 1023 FROM message") == [(3,)]
        other.rollback()
