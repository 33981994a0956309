"""The servers that tests run on: throw-away PostgreSQL and Valkey, unless the environment names others.

Loaded with `-p`, because pytest-django reads the settings before any conftest is seen. The ports are chosen here, the
servers start when the first test asks for a database, so pure tests start nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.local.catalogs import compile_stale
from loyalty.local.postgres import Postgres
from loyalty.local.valkey import Valkey

_MADE_BY = "LOYALTY_TESTS_PID"


ROOM = 2 * 1024**3


def fast_folder() -> str | None:
    """Memory, if there is plenty: what tests write needs no disk. None means the usual place."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM else None


class Servers:
    """The servers of one test session; started once, on demand."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="loyalty-tests-", dir=fast_folder()))
        self.directory.chmod(0o755)  # the unprivileged account must get in when root runs the tests
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self._running = False
        os.environ["STATE_DIR"] = str(self.directory)
        if not os.environ.get("DATABASE_URL"):
            self.postgres = Postgres(self.directory, throw_away=True)
            self.postgres.choose_port()
            os.environ["DATABASE_URL"] = self.postgres.url()
        if not os.environ.get("REDIS_URL"):
            self.valkey = Valkey(self.directory)
            self.valkey.prepare()
            os.environ["REDIS_URL"] = self.valkey.url()

    def start(self) -> None:
        """Start what is ours; nothing when it runs already."""
        if self._running:
            return
        self._running = True
        if self.valkey:
            self.valkey.launch()
        if self.postgres:
            self.postgres.prepare()
            self.postgres.launch()
            self.postgres.wait()
        if self.valkey:
            self.valkey.wait()

    def stop(self) -> None:
        """Stop at once: nothing here is worth a clean end."""
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Before pytest-django reads the settings: put the addresses into the environment (workers inherit them).

    Catalogs are compiled before anything has read them.
    """
    if _MADE_BY not in os.environ:
        compile_stale()
        os.environ[_MADE_BY] = str(os.getpid())
        early_config.stash[_SERVERS] = Servers()
    return (yield)


_SERVERS = pytest.StashKey[Servers]()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what we started."""
    if servers := config.stash.get(_SERVERS, None):
        servers.stop()
        del os.environ[_MADE_BY]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> None:
    """PostgreSQL and Valkey run."""
    if found := request.config.stash.get(_SERVERS, None):
        found.start()
