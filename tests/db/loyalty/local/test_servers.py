"""The embedded servers through crashes: what was committed is there, and no leftover keeps them from starting."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from loyalty.local.postgres import Postgres
from loyalty.local.processes import runs
from loyalty.local.state import StateError
from loyalty.local.valkey import Valkey
from tests.plugin import fast_folder

pytestmark = pytest.mark.runtime


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="loyalty-servers-", dir=fast_folder()) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def started(place: Path) -> Postgres:
    server = Postgres(place)
    server.prepare()
    server.launch()
    server.wait()
    return server


@pytest.fixture
def postgres(place: Path) -> Iterator[Postgres]:
    server = started(place)
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    yield server
    server.stop()


def kept(server: Postgres) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        return int(row[0]) if row else -1


def setting(server: Postgres, name: str) -> str:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        return str(row[0]) if row else ""


def test_a_killed_postmaster_comes_back_with_all_data(postgres: Postgres) -> None:
    assert postgres.process
    postgres.process.kill()
    # Not reaped: the zombie stands in postmaster.pid as a living process, and its backends may still be there.
    assert (postgres.data / "postmaster.pid").exists()
    again = started(postgres.state)
    try:
        assert kept(again) == 1000
        assert again.port == postgres.port
    finally:
        again.stop()
        postgres.process.wait()


def test_the_whole_group_killed_recovers_too(postgres: Postgres) -> None:
    assert postgres.process
    os.killpg(postgres.process.pid, signal.SIGKILL)
    again = started(postgres.state)
    try:
        assert kept(again) == 1000
    finally:
        again.stop()
        postgres.process.wait()


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    again = started(postgres.state)
    assert kept(again) == 1000
    again.stop()


def test_a_server_that_outlived_its_supervisor_is_taken_over(postgres: Postgres) -> None:
    assert postgres.process
    old = postgres.process.pid
    again = started(postgres.state)
    try:
        assert kept(again) == 1000
        assert not runs(old, "postgres")
    finally:
        again.stop()
        postgres.process.wait()


def test_a_stop_is_clean_and_the_second_start_quick(postgres: Postgres) -> None:
    postgres.stop()
    assert not (postgres.data / "postmaster.pid").exists()
    began = time.monotonic()
    again = started(postgres.state)
    assert time.monotonic() - began < 5
    assert kept(again) == 1000
    assert "was not properly shut down" not in again.last_log(1000)
    again.stop()


def test_settings_are_safe_and_private(postgres: Postgres) -> None:
    assert {name: setting(postgres, name) for name in ("fsync", "synchronous_commit", "full_page_writes", "jit")} == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "jit": "off",
    }
    assert setting(postgres, "data_checksums") == "on"
    assert setting(postgres, "listen_addresses") == "127.0.0.1"
    assert setting(postgres, "shared_preload_libraries") == "pg_stat_statements"
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute("SELECT lower('ÄÖÉ'), 'a' < 'B'").fetchone() == ("äöé", False)
    assert postgres.process
    shown = Path(f"/proc/{postgres.process.pid}/cmdline").read_bytes().decode()
    assert postgres.password not in shown
    assert Path(f"/proc/{postgres.process.pid}").stat().st_uid != 0
    wrong = postgres.url().replace(postgres.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_data_of_another_version_is_refused(postgres: Postgres) -> None:
    postgres.stop()
    version = postgres.data / "PG_VERSION"
    ours = version.read_text()
    version.write_text("15\n")
    with pytest.raises(StateError, match=r"was written by PostgreSQL 15, the installed one is \d+; dump it"):
        Postgres(postgres.state).prepare()
    version.write_text(ours)


def test_valkey_keeps_what_it_answered_through_a_kill(place: Path) -> None:
    server = Valkey(place)
    server.prepare()
    server.launch()
    server.wait()
    with redis.Redis.from_url(server.url()) as client:
        client.rpush("queue", *range(20_000))
        assert server.process
        server.process.kill()
        server.process.wait()
    again = Valkey(place)
    again.prepare()
    again.launch()
    again.wait()
    try:
        assert again.port == server.port
        with redis.Redis.from_url(again.url()) as client:
            assert client.llen("queue") == 20_000
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        shown = Path(f"/proc/{again.process.pid}/cmdline").read_bytes().decode() if again.process else ""
        assert again.password not in shown
        with (
            redis.Redis(host="127.0.0.1", port=again.port) as stranger,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            stranger.ping()
    finally:
        again.stop()
