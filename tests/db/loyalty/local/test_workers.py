"""Hints and beat over a real broker, a real Celery worker, and what happens without either."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import redis
from django.db import connection

from loyalty.kit import chores
from loyalty.kit.chores import Chore, all_chores
from loyalty.local import hints
from loyalty.local.beat import schedule
from loyalty.local.models import ChoreState
from loyalty.local.state import REPOSITORY
from loyalty.local.tasks import run_by_key


def idle(*, now: datetime) -> int:
    return 0


ITEM = Chore("test.hinted", "triggers", 1, 10, idle)


@pytest.fixture(autouse=True)
def fresh_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    hints._client.cache_clear()
    monkeypatch.setattr(hints, "_quiet_until", 0.0)


def test_a_hint_goes_out_once_until_a_worker_takes_it(valkey: "redis.Redis") -> None:
    for _ in range(50):
        hints.send(ITEM)
    assert {name: valkey.llen(name) for name in chores.QUEUES} == {
        name: int(name == "triggers") for name in chores.QUEUES
    }
    hints.taken("test.hinted")
    hints.send(ITEM)
    assert valkey.llen("triggers") == 2


def test_a_dead_broker_costs_one_short_wait_and_then_nothing(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    for _ in range(1000):
        hints.send(ITEM)
    assert time.monotonic() - began < 1.2
    assert [record.getMessage() for record in caplog.records] == ["hint.lost"]
    hints._client.cache_clear()


def test_a_silent_broker_costs_one_short_wait_too(settings: Any) -> None:
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(10):
            hints.send(ITEM)
        assert time.monotonic() - began < 1.2
    hints._client.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_hint_waits_for_the_commit(valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    monkeypatch.setitem(chores._chores, ITEM.key, ITEM)
    chores.send_hints_with(hints.send)
    with transaction.atomic():
        chores.hint(ITEM.key)
        assert valkey.llen("triggers") == 0
    assert valkey.llen("triggers") == 1


def test_the_beat_schedule_is_the_list_of_chores() -> None:
    entries = schedule()
    assert set(entries) == {item.key for item in all_chores()}
    for item in all_chores():
        entry = entries[item.key]
        assert entry["schedule"] == item.every
        assert entry["options"]["queue"] == item.queue
        assert entry["options"]["expires"] == 2 * item.every


def test_a_task_of_a_newer_release_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    assert run_by_key(key="not.yet", something_new=1) == 0
    assert [record.getMessage() for record in caplog.records] == ["chore.unknown"]


def celery(*arguments: str) -> "subprocess.Popen[bytes]":
    settings = connection.settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(settings)
    environment = {**os.environ, "DATABASE_URL": url, "C_FORCE_ROOT": "1", "LOG_LEVEL": "INFO"}
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "loyalty", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)


@pytest.fixture
def worker(valkey: "redis.Redis") -> "Iterator[subprocess.Popen[bytes]]":
    lanes = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-O", "fair", "-c", "1")
    process = celery("worker", "-Q", ",".join(chores.QUEUES), *lanes)
    yield process
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition: Any, seconds: float = 40) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.runtime
@pytest.mark.django_db(transaction=True)
def test_a_real_worker_and_beat_run_every_chore(worker: "subprocess.Popen[bytes]") -> None:
    beat = celery("beat")
    try:
        known = {item.key for item in all_chores()}

        def not_yet() -> set[str]:
            return known - set(ChoreState.objects.filter(runs__gte=1).values_list("key", flat=True))

        assert wait_until(lambda: not not_yet()), not_yet()
        seconds = [item.key for item in all_chores() if item.every <= 1]
        assert wait_until(lambda: not ChoreState.objects.filter(key__in=seconds, runs__lt=3).exists())
        assert list(ChoreState.objects.filter(failures__gt=0).values_list("key", "last_error")) == []
    finally:
        beat.terminate()
        beat.wait(15)
