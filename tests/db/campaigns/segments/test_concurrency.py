"""Two sessions at once: never two on one segment, nothing lost, nobody waits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.segments import refresh, scope
from campaigns.segments.models import Segment
from loyalty.events.types import learn, learn_facts
from tests.db.campaigns.segments.conftest import NOW, Shop, queued

pytestmark = pytest.mark.django_db(transaction=True)
GERMANS = {"attribute": "country", "eq": "DE"}


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    learn_facts(now=NOW)
    return Shop()


@contextmanager
def another_session(work: Callable[[], Any]) -> Iterator[threading.Event]:
    """Runs `work` in a transaction of its own, which ends when the block does."""
    holds, release = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                holds.set()
                release.wait(20)
        except BaseException as error:
            failures.append(error)
            holds.set()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert holds.wait(20)
    try:
        yield release
    finally:
        release.set()
        thread.join(20)
    assert not failures, failures


def lock(key: str) -> Callable[[], Any]:
    return lambda: list(Segment.objects.select_for_update().filter(key=key))


def test_a_segment_that_is_being_built_is_not_built_twice(shop: Shop, large: None) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    segment = Segment.objects.get()
    with another_session(lambda: refresh.build(segment.id, now=NOW)):
        assert refresh.build(segment.id, now=NOW) is None
        assert refresh.build_next(now=NOW) is False
    assert shop.members("germans") == ["a"]
    assert shop.facts("germans") == [("a", "joined")]
    assert refresh.build_next(now=NOW) is False


def test_a_delta_gives_back_what_a_segment_under_build_could_not_see(shop: Shop) -> None:
    shop.segment("germans", GERMANS)
    shop.segment("austrians", {"attribute": "country", "eq": "AT"})
    shop.refresh()
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    shop.now += timedelta(seconds=5)
    with another_session(lock("germans")):
        refresh.follow_changes(now=shop.now)
        assert (shop.members("austrians"), shop.members("germans")) == (["b"], [])
        assert queued() == 2
    shop.refresh()
    assert shop.members("germans") == ["a"]
    assert queued() == 0


def test_a_delta_that_can_do_nothing_says_so(shop: Shop) -> None:
    shop.segment("germans", GERMANS)
    shop.refresh()
    shop.customers({"external_id": "a", "country": "DE"})
    with another_session(lock("germans")):
        assert refresh.follow_changes(now=shop.now).taken == 0
        assert queued() == 1


def test_one_session_follows_changes_at_a_time(shop: Shop) -> None:
    shop.segment("germans", GERMANS)
    shop.customers({"external_id": "a", "country": "DE"})
    with another_session(lambda: refresh.follow_changes(now=NOW)):
        assert refresh.follow_changes(now=NOW).taken == 0
    assert shop.members("germans") == ["a"]


def test_changes_committed_during_a_build_are_followed_after_it(shop: Shop, large: None) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    segment = Segment.objects.get()
    with another_session(lambda: refresh.build(segment.id, now=NOW)):
        shop.customers({"external_id": "a", "country": "AT"}, {"external_id": "b", "country": "DE"})
    assert shop.members("germans") == ["a"]
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["b"]


def test_a_delta_does_not_apply_a_rule_that_was_changed_meanwhile(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.segment("home", GERMANS)
    shop.refresh()
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    take = scope.take

    def changed_meanwhile(*arguments: Any) -> int:
        taken = take(*arguments)
        with another_session(lambda: shop.segment("home", {"attribute": "country", "eq": "AT"})):
            pass
        return taken

    monkeypatch.setattr(scope, "take", changed_meanwhile)
    refresh.follow_changes(now=shop.now)
    monkeypatch.undo()
    shop.refresh(timedelta(seconds=5))
    assert shop.members("home") == ["b"]
    assert shop.facts("home") == [("b", "joined")]


def test_erasing_waits_for_a_build_instead_of_deadlocking(shop: Shop) -> None:
    from loyalty.customers.erasing import erase_customers

    ids = shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "DE"})
    shop.segment("germans", GERMANS)
    shop.customers({"external_id": "a", "country": "AT"})
    erased = threading.Thread(target=lambda: (erase_customers(customer_ids=ids), connection.close()))
    with another_session(lambda: refresh.follow_changes(now=NOW)) as release:
        erased.start()
        erased.join(0.5)
        release.set()
    erased.join(20)
    assert not erased.is_alive()
    assert shop.members("germans") == []


def test_an_event_of_an_older_transaction_is_found_however_long_that_takes(shop: Shop) -> None:
    """An import that began before the segment writes an event of a kind that nobody read then."""
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    learn(["purchase"], now=shop.now)
    with another_session(lambda: shop.event("a", "purchase")):
        shop.segment("buyers", {"event": "purchase"})
        for _ in range(3):
            shop.refresh(refresh.SETTLE)
            assert shop.members("buyers") == []
        assert Segment.objects.get().rebuild_at == shop.now + refresh.SETTLE
    shop.refresh(refresh.SETTLE)
    assert shop.members("buyers") == ["a"]
    segment = Segment.objects.get()
    assert (segment.rebuild_at, segment.settle_xid) == (None, None)


def test_a_changed_rule_that_reads_a_new_kind_of_event_settles_too(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.segment("buyers", GERMANS)
    learn(["purchase"], now=shop.now)
    with another_session(lambda: shop.event("a", "purchase")):
        shop.segment("buyers", {"event": "purchase"})
        shop.refresh(refresh.SETTLE)
        assert shop.members("buyers") == []
    shop.refresh(refresh.SETTLE)
    assert shop.members("buyers") == ["a"]


def test_a_rule_over_events_that_are_read_already_needs_no_second_build(shop: Shop) -> None:
    shop.segment("buyers", {"event": "purchase"})
    shop.refresh(refresh.SETTLE)
    shop.refresh(refresh.SETTLE)
    shop.segment("often", {"event": "purchase", "count": {"gte": 2}})
    assert Segment.objects.get(key="often").rebuild_at is None


def test_a_delta_beside_a_long_build_makes_progress_and_does_not_spin(shop: Shop) -> None:
    """Of two segments one is being built: the other follows each change once, and the chore ends."""
    shop.segment("germans", GERMANS)
    shop.segment("austrians", {"attribute": "country", "eq": "AT"})
    shop.refresh()
    with another_session(lock("germans")):
        for n in range(4):
            shop.customers({"external_id": f"a{n}", "country": "AT"}, {"external_id": f"d{n}", "country": "DE"})
            assert shop.refresh(timedelta(seconds=5)) <= 2
        assert shop.members("austrians") == ["a0", "a1", "a2", "a3"]
        assert queued() == 8
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["d0", "d1", "d2", "d3"]
    assert queued() == 0


def test_a_look_ahead_leaves_a_segment_under_build_alone(shop: Shop) -> None:
    shop.customers({"external_id": "a", "birth_date": "1980-11-28"})
    shop.segment("birthdays", {"attribute": "birth_date", "anniversary_within": "7d"})
    shop.now += timedelta(days=2)
    with another_session(lock("birthdays")):
        assert refresh.foresee_next(now=shop.now) is False
        refresh.follow_changes(now=shop.now)
    assert shop.members("birthdays") == []
    shop.refresh()
    assert shop.members("birthdays") == ["a"]


def test_a_window_that_ran_out_during_a_build_is_noticed_after_it(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.event("a", "purchase", timedelta(days=90) - timedelta(minutes=5))
    shop.segment("buyers", {"event": "purchase", "within": "90d"})
    shop.refresh(refresh.SETTLE)
    assert shop.members("buyers") == ["a"]
    shop.now += timedelta(minutes=10)
    with another_session(lock("buyers")):
        assert refresh.follow_changes(now=shop.now).left == 0
    shop.refresh()
    assert shop.members("buyers") == []
