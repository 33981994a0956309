"""The embedded services of one state directory as a whole: start, addresses, stop, and parts for the supervisor."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from loyalty.local import processes, state
from loyalty.local.postgres import Postgres
from loyalty.local.supervisor import Part
from loyalty.local.valkey import Valkey

SINK_PORT = 1025


class AlreadyRunning(state.StateError):
    """Someone else runs the services of this state directory."""


class Embedded:
    """PostgreSQL, Valkey and the mail sink, as far as the environment names none; owned by this process."""

    def __init__(self, directory: Path, *, sink: bool = True) -> None:
        self.directory = directory
        self.lock = state.Lock(directory)
        self.postgres = None if os.environ.get("DATABASE_URL") else Postgres(directory)
        self.valkey = None if os.environ.get("REDIS_URL") else Valkey(directory)
        self.with_sink = sink and not os.environ.get("SINK_SMTP")
        self.sink_port = 0
        self.sink_process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> list[Postgres | Valkey]:
        return [server for server in (self.postgres, self.valkey) if server]

    def start(self) -> dict[str, str]:
        """Start all without waiting; their addresses by environment name. Raises AlreadyRunning, StateError."""
        if not self.lock.acquire():
            raise AlreadyRunning(f"the services of {self.directory} run already")
        try:
            for server in self.servers:
                server.prepare()
                server.launch()
            if self.with_sink:
                self.sink_port = processes.free_port(SINK_PORT)
                self.launch_sink()
            addresses = self.addresses()
            state.write_services(self.directory, addresses)
        except BaseException:
            self.stop()
            raise
        return addresses

    def launch_sink(self, output: int | None = None) -> subprocess.Popen[bytes]:
        """Start the mail sink; it is light enough (no Django) to be a program of its own."""
        command: list[str | Path] = [sys.executable, "-m", "loyalty.local.sink"]
        options: list[str | Path] = ["--directory", self.directory / "sink", "--port", str(self.sink_port), "--quiet"]
        self.sink_process = processes.start(
            [*command, *options],
            account=None,
            output=output,
            environment={"PYTHONPATH": str(state.REPOSITORY), "PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )
        return self.sink_process

    def addresses(self) -> dict[str, str]:
        """Where our services are, by environment name."""
        found = {}
        if self.postgres:
            found["DATABASE_URL"] = self.postgres.url()
        if self.valkey:
            found["REDIS_URL"] = self.valkey.url()
        if self.with_sink:
            found |= {"SINK_SMTP": f"127.0.0.1:{self.sink_port}", "SINK_DIR": str(self.directory / "sink")}
        if public := os.environ.get("PUBLIC_URL"):
            found["PUBLIC_URL"] = public  # links that other commands make point to our web server
        return found

    def wait(self) -> None:
        """Return when PostgreSQL and Valkey answer; stops all and raises StateError when one does not."""
        try:
            for server in reversed(self.servers):
                server.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all cleanly and give the state directory free."""
        state.forget_services(self.directory)
        if self.sink_process and self.sink_process.poll() is None:
            self.sink_process.terminate()
            self.sink_process.wait(10)
        self.sink_process = None
        for server in reversed(self.servers):
            server.stop()
        self.lock.release()

    def parts(self) -> list[tuple[Part, subprocess.Popen[bytes] | None]]:
        """What a supervisor keeps alive from now on, with the processes that run already; they stop last."""
        listed: list[tuple[Part, subprocess.Popen[bytes] | None]] = []
        for server in self.servers:
            part = Part(server.name, _relaunch(server), stage=3, stop_signal=server.stop_signal, patience=30.0)
            listed.append((part, server.process))
        if self.with_sink:
            listed.append((Part("sink", self.launch_sink, stage=2), self.sink_process))
        return listed


def _relaunch(server: Postgres | Valkey) -> Callable[[int], subprocess.Popen[bytes]]:
    def launch(_output: int) -> subprocess.Popen[bytes]:
        return server.launch()  # servers write to their own log files

    return launch
