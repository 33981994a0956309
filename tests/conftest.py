"""Fixtures that every test may use."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from loyalty.local import processes
from loyalty.local.mailbox import Mailbox
from loyalty.local.state import REPOSITORY


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None) -> None:
    """The first test that wants a database starts the servers."""


@pytest.fixture
def valkey(servers: None) -> Iterator["redis.Redis"]:
    """A client of an empty Valkey."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield client
        client.flushdb()


@dataclass
class RunningSink:
    """A mail sink of its own process: where it listens, what it kept, and its process to kill."""

    port: int
    mailbox: Mailbox
    process: subprocess.Popen[str]
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@pytest.fixture
def start_sink(tmp_path: Path) -> Iterator[Callable[..., RunningSink]]:
    """Starts sinks: `start_sink("--reject", "0.5")`; `directory` and `port` may be given to start one again."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, directory: Path | None = None, port: int | None = None) -> RunningSink:
        place, number = directory or tmp_path / "sink", port or processes.free_port()
        command = [
            sys.executable,
            "-m",
            "loyalty.local.sink",
            "--directory",
            str(place),
            "--port",
            str(number),
            *options,
        ]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert "mail sink on" in process.stdout.readline()
        return RunningSink(number, Mailbox(place), process)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture
def sink(start_sink: Callable[..., RunningSink]) -> RunningSink:
    """A mail sink without faults."""
    return start_sink()
