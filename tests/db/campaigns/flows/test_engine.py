"""The engine on real rows: who stands where, what was planned, and what must not happen."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.flows import engine, operations, queries, runs, waking
from campaigns.flows.models import BLOCK_SIZE, Enrollment, Flow
from loyalty.events import partitions
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import execute, fetch
from tests.db.campaigns.flows.conftest import put_everybody_in

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SENT, SKIPPED = 0, 6
pytestmark = pytest.mark.django_db

SEND = {"id": "hello", "type": "send", "template": "hello"}
WINBACK = [
    {"id": "value", "type": "split", "otherwise": "slow",
     "branches": [{"when": {"all": [{"attribute": "country", "eq": "DE"}]}, "to": "fast"}]},
    {"id": "fast", "type": "wait", "for": "1d", "next": "hello"},
    {"id": "slow", "type": "wait", "for": "2d"},
    SEND,
    {"id": "bought", "type": "wait_for_event", "event": "purchase", "timeout": "3d",
     "exits": {"happened": "done", "timeout": "again"}},
    {"id": "again", "type": "send", "template": "hello", "next": "end"},
    {"id": "done", "type": "exit"},
]  # fmt: skip


def advance(at: datetime) -> None:
    while engine.advance(now=at):
        pass


def standing() -> dict[tuple[int, int], int]:
    """(node, status) -> people."""
    return {
        (node, status): n for node, status, n in fetch("SELECT node, status, count(*) FROM enrollment GROUP BY 1, 2")
    }


def messages() -> dict[tuple[int, int], int]:
    """(step number, state) -> messages."""
    rows = fetch("SELECT (id >> 3) & 1023, state, count(*) FROM message GROUP BY 1, 2")
    return {(step, state): n for step, state, n in rows}


def assert_invariants() -> None:
    broken = [item for item in map(verdict, invariants()) if not item.holds]
    assert broken == []


def test_people_walk_the_whole_flow(people, publish, enter, happen) -> None:
    german, french = people(3, country="DE"), people(2, country="FR")
    flow = publish(WINBACK)
    enter()
    assert standing() == {(2, 1): 3, (3, 1): 2}
    advance(NOW + timedelta(days=1))
    assert standing() == {(5, 1): 3, (3, 1): 2}
    assert messages() == {(4, SENT): 3}
    advance(NOW + timedelta(days=2))
    assert messages() == {(4, SENT): 5}
    happen([german[0], french[0]], "purchase", at=NOW + timedelta(days=2, hours=1))
    assert standing() == {(0, 3): 2, (5, 1): 3}
    advance(NOW + timedelta(days=5))
    assert standing() == {(0, 3): 2, (0, 2): 3}
    assert messages() == {(4, SENT): 5, (6, SENT): 3}
    stats = queries.stats(flow)
    assert (stats["entered"], stats["finished"], stats["exited"], stats["active"]) == (5, 3, 2, 0)
    assert stats["messages"]["planned"] == stats["messages"]["pending"] == 8
    by_id = {step["id"]: step for step in stats["steps"]}
    assert by_id["value"]["exits"] == {"branch1": 3, "otherwise": 2}
    assert by_id["bought"]["exits"] == {"happened": 2, "timeout": 3}
    assert by_id["bought"]["waiting"] == 0
    facts = fetch(
        "SELECT t.name, count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.internal GROUP BY 1"
    )
    assert {name: n for name, n in facts if name.startswith("flow.")} == {"flow.entered": 5, "flow.exited": 5}
    assert_invariants()


def test_running_again_changes_nothing(people, publish, enter) -> None:
    people(4)
    publish(WINBACK)
    enter()
    advance(NOW + timedelta(days=1))
    before = (standing(), messages(), fetch("SELECT count(*) FROM step_log"))
    advance(NOW + timedelta(days=1))
    enter()
    while waking.pull(now=NOW + timedelta(days=1)):
        pass
    assert (standing(), messages(), fetch("SELECT count(*) FROM step_log")) == before


def test_the_number_of_queries_does_not_grow_with_the_batch(people, publish, enter) -> None:
    counts = []
    people(5)
    publish(WINBACK, reentry="never")
    for n in (0, 300):
        people(n)
        put_everybody_in(NOW)
        execute("UPDATE flow_run SET cursor = 0, finished_at = NULL")
        with CaptureQueriesContext(
            connection,
        ) as caught:
            enter()
            advance(NOW + timedelta(days=1))
        counts.append(len(caught))
    assert counts[1] <= counts[0]


def test_blocks_are_filled_before_new_ones_are_made(people, publish, enter) -> None:
    people(10)
    publish([SEND, {"id": "rest", "type": "wait", "for": "1d"}])
    enter()
    people(BLOCK_SIZE)
    put_everybody_in(NOW)
    execute("UPDATE flow_run SET cursor = 0, finished_at = NULL")
    enter()
    assert fetch("SELECT used FROM flow_block ORDER BY id") == [(BLOCK_SIZE,), (10,)]
    assert fetch("SELECT count(DISTINCT id), count(*) FROM enrollment") == [(BLOCK_SIZE + 10, BLOCK_SIZE + 10)]


@pytest.mark.parametrize(
    ("reentry", "after", "expected"),
    [("never", 400, 1), ("always", 1, 2), ({"after": "90d"}, 89, 1), ({"after": "90d"}, 90, 2)],
)
def test_reentry(people, publish, happen, reentry, after, expected) -> None:
    [person] = people(1)
    publish([SEND], entry=[{"event": "cart"}], reentry=reentry)
    happen([person], "cart", at=NOW)
    later = NOW + timedelta(days=after)
    partitions.ensure(later, later)
    happen([person], "cart", at=later)
    assert fetch("SELECT count(*), max(entry_no) FROM enrollment") == [(expected, expected)]


def test_nobody_is_twice_inside_at_a_time(people, publish, happen) -> None:
    [person] = people(1)
    publish([{"id": "rest", "type": "wait", "for": "7d"}], entry=[{"event": "cart"}], reentry="always")
    happen([person, person], "cart", at=NOW)
    happen([person], "cart", at=NOW + timedelta(days=1))
    assert fetch("SELECT count(*) FROM enrollment") == [(1,)]


def test_an_entry_key_lets_two_carts_run_side_by_side(people, publish, happen) -> None:
    [person] = people(1)
    publish([SEND, {"id": "rest", "type": "wait", "for": "7d"}], entry=[{"event": "cart", "key": "cart_id"}])
    happen([person], "cart", at=NOW, cart_id="a", total=20)
    happen([person], "cart", at=NOW, cart_id="b", total=30)
    happen([person], "cart", at=NOW, cart_id="a", total=40)
    assert fetch("SELECT count(*) FROM enrollment") == [(2,)]
    assert [row[0] for row in fetch("SELECT event->>'total' FROM message_context ORDER BY origin_id")] == ["20", "30"]


def test_an_entry_condition_on_the_event(people, publish, happen) -> None:
    one, two = people(2)
    publish([SEND], entry=[{"event": "cart", "where": {"total": {"gte": 20}}}])
    happen([one], "cart", at=NOW, total=19.99)
    happen([two], "cart", at=NOW, total=20)
    assert fetch("SELECT customer_id FROM enrollment") == [(two,)]


def test_an_exit_event_ends_the_wait_at_once(people, publish, enter, happen) -> None:
    one, two = people(2)
    publish([{"id": "rest", "type": "wait", "for": "30d"}, SEND], exit_on=[{"event": "purchase"}])
    enter()
    happen([one], "purchase", at=NOW - timedelta(minutes=1))
    assert standing() == {(1, 1): 2}
    happen([one], "purchase", at=NOW + timedelta(days=1))
    assert standing() == {(1, 1): 1, (0, Enrollment.Status.EXITED): 1}
    advance(NOW + timedelta(days=30))
    assert fetch("SELECT customer_id FROM message") == [(two,)]
    assert_invariants()


def test_an_event_that_the_queue_did_not_bring_still_counts_at_the_timeout(people, publish, enter, happen) -> None:
    one, _two = people(2)
    publish(WINBACK)
    enter()
    advance(NOW + timedelta(days=1))
    happen([one], "purchase", at=NOW + timedelta(days=2), pull=False)
    execute("DELETE FROM event_queue")
    advance(NOW + timedelta(days=4))
    assert messages() == {(4, SENT): 2, (6, SENT): 1}
    assert standing() == {(0, Enrollment.Status.EXITED): 1, (0, Enrollment.Status.FINISHED): 1}


def test_a_click_wakes_only_the_enrollment_whose_message_it_was(people, publish, enter) -> None:
    people(2)
    publish(
        [
            SEND,
            {"id": "clicked", "type": "wait_for_event", "event": "message.clicked", "of": "hello", "timeout": "3d",
             "exits": {"happened": "end", "timeout": "again"}},
            {"id": "again", "type": "send", "template": "hello"},
        ]
    )  # fmt: skip
    enter()
    at = NOW + timedelta(hours=1)
    (message_id, customer), (other, _) = fetch("SELECT id, customer_id FROM message ORDER BY id")
    from loyalty.events import facts
    from loyalty.kit.sql import sql

    for about in (other + (1 << 3), message_id):
        facts.write(
            "message.clicked",
            sql("SELECT {c}::bigint, {at}::timestamptz, {m}::bigint, NULL::jsonb", c=customer, at=at, m=about),
        )
        while waking.pull(now=at):
            pass
    assert standing() == {(2, 1): 1, (0, 2): 1}
    assert fetch("SELECT customer_id FROM enrollment WHERE status = 2") == [(customer,)]


def test_held_out_people_walk_but_get_nothing(people, publish, enter) -> None:
    people(400)
    flow = publish([SEND], holdout=0.25)
    enter()
    states = dict(fetch("SELECT state, count(*) FROM message GROUP BY 1"))
    assert sum(states.values()) == 400
    assert 60 < states[SKIPPED] < 140
    held = fetch("SELECT count(*) FROM enrollment WHERE holdout")[0][0]
    assert held == states[SKIPPED] == queries.stats(flow)["held_out"]
    codes = fetch("SELECT DISTINCT gate, code FROM message_verdict")
    assert codes == [("holdout", "holdout")]


def test_one_bad_row_does_not_stop_the_others(people, publish, enter) -> None:
    people(20)
    [bad] = people(1, timezone="Mars/Phobos")
    people(20)
    publish([{"id": "first", "type": "wait", "for": "1d"}, {"id": "nine", "type": "wait", "until": "09:00"}, SEND])
    enter()
    advance(NOW + timedelta(days=1))
    assert standing() == {(2, 1): 40, (1, Enrollment.Status.FAILED): 1}
    [(failed, node, reason)] = fetch("SELECT enrollment_id, node, reason FROM enrollment_failure")
    assert fetch("SELECT customer_id FROM enrollment WHERE id = %(id)s", {"id": failed}) == [(bad,)]
    assert node == 1
    assert "Mars/Phobos" in reason


def test_somebody_who_cannot_enter_does_not_keep_the_others_out(people, publish, enter) -> None:
    people(20)
    [bad] = people(1, timezone="Mars/Phobos")
    people(20)
    flow = publish([{"id": "nine", "type": "wait", "until": "09:00"}, SEND])
    enter()
    assert standing() == {(1, 1): 40}
    assert fetch("SELECT enrollment_id, customer_id, node FROM enrollment_failure") == [(None, bad, 0)]
    assert queries.stats(flow)["refused"] == 1
    assert_invariants()


def test_pause_holds_and_resume_shifts(people, publish, enter, happen) -> None:
    one, two, three = people(3)
    publish([{"id": "rest", "type": "wait", "for": "1d"}, SEND], entry=[{"event": "cart"}])
    happen([one, two], "cart", at=NOW)
    operations.pause(key="test", now=NOW + timedelta(hours=1))
    happen([three], "cart", at=NOW + timedelta(hours=2))
    advance(NOW + timedelta(days=2))
    assert standing() == {(1, 1): 2}
    operations.resume(key="test", now=NOW + timedelta(hours=49), policy="shift")
    advance(NOW + timedelta(hours=49))
    assert messages() == {}
    from campaigns.flows.tasks import pull

    while pull(now=NOW + timedelta(hours=49)):
        pass
    assert standing() == {(1, 1): 3}
    advance(NOW + timedelta(hours=72))
    assert messages() == {(2, SENT): 2}


def test_stop_ends_everybody_and_asks_for_no_more_events(people, publish, enter) -> None:
    people(3)
    publish([{"id": "rest", "type": "wait", "for": "1d"}, SEND], exit_on=[{"event": "purchase"}])
    enter()
    operations.stop(key="test", now=NOW)
    while operations.clear_stopped(now=NOW):
        pass
    assert standing() == {(0, Enrollment.Status.STOPPED): 3}
    assert fetch("SELECT count(*) FROM event_subscription WHERE consumer = 'flows'") == [(0,)]
    assert_invariants()


def test_people_stay_on_their_version(people, publish, enter) -> None:
    people(1)
    publish([{"id": "rest", "type": "wait", "for": "1d"}, SEND])
    enter()
    people(1)
    publish([{"id": "rest", "type": "wait", "for": "5d"}, SEND], at=NOW + timedelta(hours=1))
    enter(NOW + timedelta(hours=1))
    assert fetch("SELECT number FROM flow_version ORDER BY 1") == [(1,), (2,)]
    advance(NOW + timedelta(days=1))
    assert fetch("SELECT d.flow_version FROM message m JOIN dispatch d ON d.id = m.dispatch_id") == [(1,)]


def test_publishing_the_same_again_makes_no_version(people, publish) -> None:
    people(1)
    publish([SEND])
    assert operations.publish(key="test", now=NOW + timedelta(hours=1)).version.number == 1
    assert Flow.objects.get().versions.count() == 1


def test_a_schedule_lets_people_in_once_per_instant(people, publish, enter) -> None:
    people(2)
    publish([SEND], entry=[{"schedule": "0 9 * * *", "segment": "everybody"}], reentry="always")
    later = NOW + timedelta(days=1, hours=1)
    for _ in range(2):
        runs.open_scheduled_runs(now=later)
        enter(later)
    assert fetch("SELECT count(*), count(DISTINCT customer_id) FROM enrollment") == [(2, 2)]
    assert fetch("SELECT scheduled_for FROM flow_run") == [(datetime(2026, 11, 3, 8, 0, tzinfo=UTC),)]


def test_the_move_reads_no_table_as_a_whole(people, publish, enter, monkeypatch) -> None:
    monkeypatch.setattr(engine.blocks, "claim_due", partial(engine.blocks.claim_due, limit=1))
    people(12_000)
    publish(WINBACK)
    enter()
    execute("ANALYZE enrollment")
    seen: list[str] = []
    statement = engine.move_statement

    def explained(*args: object, **options: object) -> object:
        found = statement(*args, **options)  # type: ignore[arg-type]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + found.text, found.params)
            seen.append("\n".join(row[0] for row in cursor.fetchall()))
        return found

    engine.move_statement = explained  # type: ignore[assignment]
    try:
        assert engine.advance(now=NOW + timedelta(days=1)) > 0
    finally:
        engine.move_statement = statement
    assert seen
    assert all("Index Scan using enrollment_pkey" in plan for plan in seen)
    assert not any("Seq Scan on enrollment" in plan for plan in seen)


def test_subscriptions_follow_what_live_versions_read(people, publish) -> None:
    people(1)
    publish(WINBACK, exit_on=[{"event": "returned"}])
    names = fetch(
        "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id"
        " WHERE s.consumer = %(c)s ORDER BY 1",
        {"c": waking.CONSUMER},
    )
    assert [row[0] for row in names] == ["purchase", "returned", "segment.joined"]
