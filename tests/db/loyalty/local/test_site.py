"""The whole house started by the real command: first page, crash of its parts, a clean end, a quick second start."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loyalty.local.processes import free_port
from loyalty.local.state import REPOSITORY
from tests.plugin import fast_folder

pytestmark = pytest.mark.runtime

OURS = ("DATABASE_URL", "REDIS_URL", "SINK_SMTP", "SINK_DIR", "PUBLIC_URL")


class House:
    """`manage.py up` with a state directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if name not in OURS}
        self.environment["STATE_DIR"] = str(directory)
        self.log = directory / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start; seconds until the login page answered."""
        began = time.monotonic()
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--workers", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        assert wait_until(lambda: self.status("/admin/login/") == 200, 90), self.log.read_text()
        return time.monotonic() - began

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def all_pids(self) -> set[int]:
        """Every process whose environment or command line knows this state directory."""
        mark = str(self.directory).encode()
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    known = mark in (entry / "cmdline").read_bytes() or mark in (entry / "environ").read_bytes()
                    alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                except OSError:
                    continue
                if known and alive:
                    found.add(int(entry.name))
        return found

    def stop(self, number: int = signal.SIGINT) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)


def wait_until(condition: Any, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="loyalty-house-", dir=fast_folder()) as name:
        Path(name).chmod(0o755)
        found = House(Path(name))
        yield found
        found.stop()
        for pid in found.all_pids():
            os.kill(pid, signal.SIGKILL)


def test_up_serves_survives_and_ends_without_leftovers(house: House) -> None:
    house.start()
    assert wait_until(lambda: house.status("/readyz") == 200)
    password = (house.directory / "admin-password").read_text().strip()
    # The site answers before the supervisor has noticed and said so.
    assert wait_until(lambda: f"log in as admin with {password}" in house.log.read_text())
    assert house.process

    # A second one refuses, a plain command uses the services of the first.
    manage = [sys.executable, "manage.py"]
    second = subprocess.run([*manage, "up"], cwd=REPOSITORY, env=house.environment, capture_output=True, text=True)
    assert second.returncode == 1
    assert "up already in another terminal" in second.stderr
    tick = subprocess.run([*manage, "tick"], cwd=REPOSITORY, env=house.environment, capture_output=True, text=True)
    assert tick.returncode == 0, tick.stderr
    assert tick.stdout.endswith("done\n")

    # The database is killed: everything is back by itself.
    address = json.loads((house.directory / "services.json").read_text())["DATABASE_URL"]
    postmaster = int((house.directory / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert wait_until(lambda: "postgres | was ended by SIGKILL" in house.log.read_text())
    assert wait_until(lambda: house.status("/readyz") == 200)
    with psycopg.connect(address) as connection:
        runs = connection.execute("SELECT sum(runs) FROM chore_state").fetchone()
    assert runs

    def went_on() -> bool:
        with psycopg.connect(address) as connection:
            now = connection.execute("SELECT sum(runs) FROM chore_state").fetchone()
        return bool(now and now[0] > runs[0])

    assert wait_until(went_on)

    house.stop()
    assert house.process.returncode == 0
    assert house.all_pids() == set()
    assert not (house.directory / "services.json").exists()
    assert not (house.directory / "postgres" / "postmaster.pid").exists()

    # Warm it takes 3 s on a quiet machine of two cores; the tests may run on a busy one.
    assert house.start() < 20
    os.kill(house.process.pid, signal.SIGKILL)
    house.process.wait()
    assert wait_until(lambda: house.all_pids() == set(), 90), "orphans"


def test_a_plain_command_from_nothing_brings_its_own_services(house: House) -> None:
    command = [sys.executable, "manage.py", "tick", "--until-idle", "--only", "flows.runs"]
    done = subprocess.run(command, cwd=REPOSITORY, env=house.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "idle, 0 done\n"
    assert house.all_pids() == set()
