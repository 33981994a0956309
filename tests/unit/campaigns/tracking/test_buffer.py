"""Group commit: one set per round, one answer per request, one failure per mistake."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError

from campaigns.tracking import buffer
from campaigns.tracking.buffer import GroupCommit, Unavailable


def test_a_lone_request_is_written_by_itself() -> None:
    sets: list[list[int]] = []

    def write(items: Sequence[int]) -> list[int]:
        sets.append(list(items))
        return [item * 2 for item in items]

    group = GroupCommit(write)
    assert [group.submit(1), group.submit(2)] == [2, 4]
    assert sets == [[1], [2]]


def test_a_burst_is_written_in_sets_and_everyone_gets_their_own_answer() -> None:
    sets: list[int] = []

    def write(items: Sequence[int]) -> list[int]:
        sets.append(len(items))
        time.sleep(0.01)
        return [item * 2 for item in items]

    group = GroupCommit(write)
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(group.submit, range(1000))) == [item * 2 for item in range(1000)]
    assert sum(sets) == 1000
    assert len(sets) <= 100  # at most 32 wait at a time, so at best 32 sets


def test_no_request_is_answered_before_its_set_is_written() -> None:
    written: set[int] = set()
    early: list[int] = []

    def write(items: Sequence[int]) -> list[int]:
        time.sleep(0.002)
        written.update(items)
        return list(items)

    group = GroupCommit(write)

    def submit(item: int) -> None:
        group.submit(item)
        if item not in written:
            early.append(item)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(submit, range(400)))
    assert early == []
    assert len(written) == 400


def test_a_row_that_cannot_be_written_fails_alone() -> None:
    gate = threading.Event()

    def write(items: Sequence[int]) -> list[int]:
        gate.wait(5)
        if any(item % 10 == 3 for item in items):
            raise DataError("bad row")
        return list(items)

    group = GroupCommit(write)

    def submit(item: int) -> object:
        try:
            return group.submit(item)
        except DataError:
            return "refused"

    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(submit, item) for item in range(40)]
        time.sleep(0.1)
        gate.set()
        assert [answer.result() for answer in answers] == ["refused" if item % 10 == 3 else item for item in range(40)]


def test_when_the_database_is_gone_all_hear_it_and_the_next_set_is_tried() -> None:
    state = {"down": True}

    def write(items: Sequence[int]) -> list[int]:
        time.sleep(0.005)
        if state["down"]:
            raise ConnectionError("gone")
        return list(items)

    group = GroupCommit(write)

    def submit(item: int) -> str:
        try:
            return str(group.submit(item))
        except ConnectionError:
            return "gone"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(submit, range(50))) == {"gone"}
        state["down"] = False
        assert list(pool.map(submit, range(50))) == [str(item) for item in range(50)]


def test_nobody_waits_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "PATIENCE_SECONDS", 0.05)
    started, release = threading.Event(), threading.Event()

    def write(items: Sequence[int]) -> list[int]:
        started.set()
        release.wait(5)
        return list(items)

    group = GroupCommit(write)
    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(group.submit, 1)
        started.wait(5)
        followers = [pool.submit(group.submit, item) for item in (2, 3)]
        for follower in followers:
            with pytest.raises(Unavailable):
                follower.result(5)
        release.set()
        assert leader.result(5) == 1
        assert group.submit(4) == 4


def test_a_leader_that_is_killed_leaves_the_lead_to_the_next() -> None:
    class Killed(BaseException):
        pass

    def write(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise Killed
        return list(items)

    group = GroupCommit(write)
    with pytest.raises(Killed):
        group.submit(1)
    assert group.submit(2) == 2
