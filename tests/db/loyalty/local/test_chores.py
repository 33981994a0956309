"""Chores run, are noted, repeat while there is work, and outlive their failures; `tick` needs no broker."""

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from loyalty.kit import chores
from loyalty.kit.chores import Chore
from loyalty.local.models import ChoreState
from loyalty.local.running import run_chore
from loyalty.local.ticker import Ticker

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Work:
    """A chore that does the given amounts, one a call, and remembers what it was told."""

    def __init__(self, *amounts: int | Exception) -> None:
        self.amounts = list(amounts)
        self.calls: list[datetime] = []

    def __call__(self, *, now: datetime) -> int:
        self.calls.append(now)
        amount = self.amounts.pop(0) if self.amounts else 0
        if isinstance(amount, Exception):
            raise amount
        return amount


def a_chore(work: Work, key: str = "test.work", queue: str = "flows", every: float = 1, order: int = 10) -> Chore:
    return Chore(key, queue, every, order, work)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Chore]]:
    """The registry, emptied for the test."""
    known: dict[str, Chore] = {}
    monkeypatch.setattr(chores, "_chores", known)
    monkeypatch.setattr(chores, "_hint_senders", [])
    return known


def test_a_chore_repeats_until_idle_and_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(3, 4)
    with caplog.at_level(logging.INFO):
        run = run_chore(a_chore(work), now=lambda: NOON)
    assert (run.done, run.error, run.skipped) == (7, None, False)
    assert work.calls == [NOON] * 3
    state = ChoreState.objects.get(key="test.work")
    assert (state.last_done, state.runs, state.failures, state.last_error) == (7, 1, 0, None)
    assert state.last_started_at and state.last_finished_at and state.last_started_at <= state.last_finished_at
    assert [record.getMessage() for record in caplog.records] == ["chore.done"]
    assert caplog.records[0].fields == {"key": "test.work", "done": 7, "ms": run.ms}  # type: ignore[attr-defined]


def test_an_idle_chore_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run_chore(a_chore(Work())).done == 0
    assert caplog.records == []
    assert ChoreState.objects.get().runs == 1


def test_a_busy_chore_ends_with_its_budget() -> None:
    assert run_chore(a_chore(Work(*[1] * 50)), budget=-1).done == 1


def test_a_failure_is_recorded_with_traceback_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    item = a_chore(Work(5, RuntimeError("no luck"), RuntimeError("no luck"), 1), key="test.fails")
    with caplog.at_level(logging.INFO):
        first, second, third = run_chore(item), run_chore(item), run_chore(item)
    assert (first.done, first.error) == (5, "RuntimeError: no luck")
    assert second.error == "RuntimeError: no luck"
    assert (third.done, third.error) == (1, None)
    state = ChoreState.objects.get()
    assert (state.runs, state.failures, state.last_error) == (3, 2, "RuntimeError: no luck")
    failures = [record for record in caplog.records if record.getMessage() == "chore.failed"]
    assert len(failures) == 1  # the same failure a second later is no news
    assert failures[0].exc_info


def test_a_heavy_chore_runs_once_at_a_time_unless_the_other_run_is_dead() -> None:
    item = a_chore(Work(1), queue="segments")
    begin = (
        "INSERT INTO chore_state (key, last_started_at, last_done, runs, failures, last_ms) VALUES (%s, {}, 0, 0, 0, 0)"
    )
    with connection.cursor() as cursor:
        cursor.execute(begin.format("clock_timestamp() - interval '5 s'"), ["test.work"])
        assert run_chore(item).skipped
        cursor.execute("UPDATE chore_state SET last_started_at = clock_timestamp() - interval '31 s'")
        assert run_chore(item).done == 1


def test_tick_runs_all_upstream_first_at_the_given_instant_without_a_broker(
    only: dict[str, Chore], settings: Any
) -> None:
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    order: list[str] = []

    class Noting(Work):
        def __init__(self, name: str, *amounts: int) -> None:
            super().__init__(*amounts)
            self.name = name

        def __call__(self, *, now: datetime) -> int:
            order.append(self.name)
            return super().__call__(now=now)

    late, early = Noting("late", 0, 2), Noting("early", 1)
    only["b.late"] = a_chore(late, "b.late", order=50)
    only["a.early"] = a_chore(early, "a.early", order=10)
    out = io.StringIO()
    call_command("tick", "--at", "2026-05-01T14:00:00+02:00", "--until-idle", stdout=out)
    assert set(late.calls + early.calls) == {NOON}
    assert order[:2] == ["early", "early"]
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("a.early: 1 in ")
    assert lines[1].startswith("b.late: 2 in ")
    assert lines[-1] == "idle, 3 done"


def test_tick_tells_what_failed_and_does_the_rest(only: dict[str, Chore]) -> None:
    only["a.bad"] = a_chore(Work(RuntimeError("no")), "a.bad")
    only["b.good"] = a_chore(Work(2), "b.good", order=20)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"failed: a\.bad \(RuntimeError: no\)"):
        call_command("tick", "--until-idle", stdout=out)
    assert "b.good: 2 in " in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "tomorrow"], "'tomorrow' is no date and time"),
        (["--at", "2026-02-30T10:00:00Z"], "is no date and time"),
        (["--at", "2026-05-01T12:00:00"], "has no offset"),
        (["--only", "nothing"], "unknown chore 'nothing'; known: a.one"),
    ],
)
def test_tick_refuses_nonsense(only: dict[str, Chore], arguments: list[str], message: str) -> None:
    only["a.one"] = a_chore(Work(), "a.one")
    with pytest.raises(CommandError, match=message):
        call_command("tick", *arguments)


def test_the_ticker_leaves_to_workers_what_they_do(only: dict[str, Chore]) -> None:
    work = Work(1)
    only["a.one"] = item = a_chore(work, "a.one", every=10)
    ticker = Ticker()
    first = NOON
    assert ticker.due({}) == [item]
    assert ticker.due({"a.one": (first, 9.9)}) == []
    assert ticker.due({"a.one": (first, 19.9)}) == []  # a worker ran it last: it gets a grace
    assert ticker.due({"a.one": (first, 20.1)}) == [item]
    ticker.own["a.one"] = first
    assert ticker.due({"a.one": (first, 10.1)}) == [item]  # our own run: the plain interval
    assert ticker.turn() == 1
    assert ticker.turn() == 0
    assert len(work.calls) == 2
