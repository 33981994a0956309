"""20,000 sends while workers are killed, the database is restarted and the broker emptied: nothing twice, nothing lost.

    .venv/bin/python tests/scale/torture.py [--messages 20000] [--kills 200] [--restarts 2] [--flushes 2]

Real everything: Celery workers as `up` starts them (two senders with two processes each, a worker for the other
queues), two beats and a broker-free ticker at once, embedded PostgreSQL and Valkey, the mail sink with its log. A kill
is SIGKILL to a random process of the fleet, leader or pool child, after every further `messages / kills` mails at the
sink. A restart of the database is immediate (SIGQUIT), a flush is FLUSHALL. Prints a table; exit status 1 if a promise
is broken.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from loyalty.local import processes  # noqa: E402
from loyalty.local.postgres import Postgres  # noqa: E402
from loyalty.local.valkey import Valkey  # noqa: E402

QUIET_SECONDS = 240
SMALLEST_PAUSE = 0.1
STALLED_SECONDS = 2.0


@dataclass
class Fleet:
    """The processes of a site, each started again when it is gone."""

    roles: dict[str, Callable[[], int]]
    log: int
    running: dict[str, processes.Forked] = field(default_factory=dict)

    def keep_up(self) -> None:
        for name, role in self.roles.items():
            child = self.running.get(name)
            if child is None or child.poll() is not None:
                self.running[name] = processes.Forked(role, output=os.dup(self.log), leave=lambda: None)

    def pids(self) -> dict[int, str]:
        """All processes of the fleet: leaders, and the pool children that do the work."""
        found = {}
        for name, child in self.running.items():
            if child.poll() is not None:
                continue
            found[child.pid] = name
            try:
                for below in psutil.Process(child.pid).children(recursive=True):
                    found[below.pid] = f"{name} child"
            except psutil.Error:
                continue
        return found

    def stop(self) -> None:
        for child in self.running.values():
            child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and any(child.poll() is None for child in self.running.values()):
            time.sleep(0.1)
        for child in self.running.values():
            child.send_signal(signal.SIGKILL)


@dataclass
class Told:
    """What was done to the system."""

    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    restarts: int = 0
    flushes: int = 0


class Torture:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.state = Path(tempfile.mkdtemp(prefix="torture-"))
        self.state.chmod(0o755)
        self.chance = random.Random(options.seed)
        self.told = Told()
        self.postgres = Postgres(self.state)
        self.valkey = Valkey(self.state)
        self.sink: subprocess.Popen[bytes] | None = None

    def start_services(self) -> None:
        for server in (self.postgres, self.valkey):
            server.prepare()
            server.launch()
        self.postgres.wait()
        self.valkey.wait()
        port = processes.free_port()
        directory = self.state / "sink"
        command = [sys.executable, "-m", "loyalty.local.sink", "--directory", str(directory), "--port", str(port)]
        self.sink = subprocess.Popen([*command, "--quiet"], cwd=ROOT)
        os.environ.update(
            STATE_DIR=str(self.state),
            DATABASE_URL=self.postgres.url(),
            REDIS_URL=self.valkey.url(),
            SINK_SMTP=f"127.0.0.1:{port}",
            SINK_DIR=str(directory),
            LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="loyalty.settings",
        )

    def fill(self) -> None:
        """Migrate and plan the messages; afterwards this process holds no connection that a fork could inherit."""
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        from tests.scale.outbox import plan_messages

        plan_messages(self.options.messages)
        connections.close_all()

    def fleet(self) -> Fleet:
        from loyalty.local import roles

        roles.preload()
        from loyalty.local.roles import LANES

        lanes = dict(LANES)
        return Fleet(
            {
                "sender 1": roles.worker("sender1", lanes["sender"], 2),
                "sender 2": roles.worker("sender2", lanes["sender"], 2),
                "worker": roles.worker("worker", lanes["worker"], 2),
                "beat 1": roles.beat,
                "beat 2": roles.beat,
                "ticker": roles.ticker,
            },
            os.open(self.state / "fleet.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        )

    def run(self) -> int:
        began = time.monotonic()
        try:
            self.start_services()
            self.fill()
            fleet = self.fleet()
            try:
                self.torment(fleet)
                chaos = time.monotonic() - began
                quiet = self.settle_down(fleet)
            finally:
                fleet.stop()
            return self.report(chaos, quiet)
        finally:
            self.stop_services()

    def torment(self, fleet: Fleet) -> None:
        options = self.options
        every = options.messages / (options.kills + 1)
        restarts = _spread(options.kills, options.restarts)
        flushes = _spread(options.kills, options.flushes)
        next_mark, last = every, time.monotonic()
        while sum(self.told.kills.values()) < options.kills:
            fleet.keep_up()
            time.sleep(0.02)
            waited = time.monotonic() - last
            arrived = self.arrived()
            if waited < SMALLEST_PAUSE or (arrived < next_mark and waited < STALLED_SECONDS):
                continue
            next_mark, last = arrived + every, time.monotonic()
            self.kill_one(fleet)
            done = sum(self.told.kills.values())
            if done in restarts:
                self.restart_database()
            if done in flushes:
                redis.Redis.from_url(self.valkey.url()).flushall()
                self.told.flushes += 1

    def kill_one(self, fleet: Fleet) -> None:
        pids = fleet.pids()
        pid = self.chance.choice(sorted(pids))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # a child whose leader was killed before
            return
        self.told.kills["children" if pids[pid].endswith("child") else "leaders"] += 1
        if pids[pid].startswith(("sender", "ticker")):
            # What was begun at this moment; the share of the killed process is a part of it.
            self.told.in_flight += self.count("state = 2")

    def restart_database(self) -> None:
        assert self.postgres.process is not None
        self.postgres.process.send_signal(signal.SIGQUIT)
        self.postgres.process.wait()
        self.postgres.launch()
        self.postgres.wait()
        self.told.restarts += 1

    def settle_down(self, fleet: Fleet) -> float:
        """Let the fleet finish in peace; seconds until nothing was pending."""
        began = time.monotonic()
        while time.monotonic() - began < QUIET_SECONDS:
            fleet.keep_up()
            if self.count("state IN (0, 1, 2)") == 0:
                break
            time.sleep(0.5)
        return time.monotonic() - began

    def arrived(self) -> int:
        try:
            with (self.state / "sink" / "log.jsonl").open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - 4096, 0))
                lines = [line for line in log.read().split(b"\n")[:-1] if line.startswith(b"{")]
            return int(json.loads(lines[-1])["n"]) if lines else 0
        except OSError:
            return 0

    def count(self, condition: str) -> int:
        with psycopg.connect(self.postgres.url(), connect_timeout=30) as connection:
            row = connection.execute(f"SELECT count(*) FROM message WHERE {condition}").fetchone()
        return int(row[0]) if row else 0

    def report(self, chaos: float, quiet: float) -> int:
        log = self.state / "sink" / "log.jsonl"
        times: Counter[str] = Counter()
        with log.open() as lines:
            times.update(json.loads(line)["message_id"] for line in lines)
        with psycopg.connect(self.postgres.url()) as connection:
            states = dict(connection.execute("SELECT state, count(*) FROM message GROUP BY state").fetchall())
            doubts = [
                f"<m{row[0]:x}@example.com>" for row in connection.execute("SELECT id FROM message WHERE state = 5")
            ]
            sent = [
                f"<m{row[0]:x}@example.com>" for row in connection.execute("SELECT id FROM message WHERE state = 3")
            ]
            attempts = connection.execute("SELECT max(attempt) FROM message_attempt").fetchone()
        command = [sys.executable, "manage.py", "verify", "--json", "--sink", str(log)]
        verified = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        checks = json.loads(verified.stdout)
        twice = sum(n - 1 for n in times.values())
        lost = self.options.messages - sum(states.values()) + sum(1 for one in sent if one not in times)
        pending = sum(states.get(state, 0) for state in (0, 1, 2))
        broken = {
            check["key"]: check["violations"] for check in checks["checks"] if check["violations"] or check["failure"]
        }
        rows: list[tuple[str, Any]] = [
            ("messages", f"{self.options.messages:,}"),
            (
                "kill -9",
                f"{sum(self.told.kills.values())} ({', '.join(f'{n} {k}' for k, n in self.told.kills.items())})",
            ),
            ("database restarts (immediate)", self.told.restarts),
            ("broker flushes", self.told.flushes),
            ("seconds of chaos, until quiet", f"{chaos:.0f}, {quiet:.0f}"),
            ("sent", f"{states.get(3, 0):,}"),
            ("failed / skipped / pending", f"{states.get(4, 0)} / {states.get(6, 0)} / {pending}"),
            ("twice at the sink", twice),
            ("lost", lost),
            ("in doubt", f"{len(doubts)} (of them {sum(1 for one in doubts if one in times)} had arrived)"),
            ("in flight at the kills of senders", self.told.in_flight),
            ("most attempts of one message", attempts[0] if attempts else 0),
            ("verify", f"{checks['violations']} violations in {len(checks['checks'])} checks {broken or ''}"),
        ]
        for name, value in rows:
            print(f"{name:34} {value}")
        good = checks["ok"] and not (twice or lost or pending) and len(doubts) <= self.told.in_flight
        print("kept" if good else "BROKEN")
        return 0 if good else 1

    def stop_services(self) -> None:
        if self.sink:
            self.sink.terminate()
            self.sink.wait()
        for server in (self.valkey, self.postgres):
            server.stop()
        if self.options.keep:
            print(f"kept: {self.state}")
        else:
            shutil.rmtree(self.state, ignore_errors=True)


def _spread(total: int, times: int) -> set[int]:
    """The kills after which something else happens, evenly spread."""
    return {round(total * (number + 1) / (times + 1)) for number in range(times)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--flushes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep database and sink log for a look afterwards")
    return Torture(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
