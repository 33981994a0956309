"""The embedded services of one state directory as a whole: start, addresses, stop, and a part list for the supervisor."""

import subprocess
import sys
from pathlib import Path

from loyalty.local import processes, state
from loyalty.local.postgres import Postgres
from loyalty.local.supervisor import Part
from loyalty.local.valkey import Valkey


class AlreadyRunning(state.StateError):
    """Someone else runs the services of this state directory."""


class Embedded:
    """PostgreSQL, Valkey and the mail sink, owned by this process."""

    def __init__(self, directory: Path, *, throw_away: bool = False, sink: bool = True) -> None:
        self.directory = directory
        self.lock = state.Lock(directory)
        self.postgres = Postgres(directory, throw_away=throw_away)
        self.valkey = Valkey(directory)
        self.with_sink = sink
        self.sink_port = 0
        self.sink_process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, str]:
        """Start all without waiting; their addresses by environment name. Raises AlreadyRunning, StateError."""
        if not self.lock.acquire():
            raise AlreadyRunning(f"the services of {self.directory} run already")
        try:
            self.postgres.prepare()
            self.valkey.prepare()
            self.postgres.launch()
            self.valkey.launch()
            if self.with_sink:
                self.sink_port = processes.free_port(1025)
                self.launch_sink()
            addresses = self.addresses()
            state.write_services(self.directory, addresses)
        except BaseException:
            self.stop()
            raise
        return addresses

    def launch_sink(self, output: int | None = None) -> subprocess.Popen[bytes]:
        """Start the mail sink; it is light enough (no Django) to be a program of its own."""
        command = [sys.executable, "-m", "loyalty.local.sink"]
        options = ["--directory", self.directory / "sink", "--port", str(self.sink_port)]
        self.sink_process = processes.start(
            [*command, *options],
            account=None,
            output=output,
            environment={"PYTHONPATH": str(state.REPOSITORY), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
        )
        return self.sink_process

    def addresses(self) -> dict[str, str]:
        found = {"DATABASE_URL": self.postgres.url(), "REDIS_URL": self.valkey.url()}
        if self.with_sink:
            found |= {"SINK_SMTP": f"127.0.0.1:{self.sink_port}", "SINK_DIR": str(self.directory / "sink")}
        return found

    def wait(self) -> None:
        """Return when PostgreSQL and Valkey answer; stops all and raises StateError when one does not."""
        try:
            self.valkey.wait()
            self.postgres.wait()
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
        self.valkey.stop()
        self.postgres.stop()
        self.lock.release()

    def parts(self) -> list[tuple[Part, subprocess.Popen[bytes] | None]]:
        """What a supervisor keeps alive from now on, with the processes that run."""
        listed: list[tuple[Part, subprocess.Popen[bytes] | None]] = [
            (self._part("postgres", lambda _output: self.postgres.launch(), self.postgres), self.postgres.process),
            (self._part("valkey", lambda _output: self.valkey.launch(), self.valkey), self.valkey.process),
        ]
        if self.with_sink:
            listed.append((Part("sink", self.launch_sink, stage=2), self.sink_process))
        return listed

    def _part(self, name: str, launch: object, server: Postgres | Valkey) -> Part:
        return Part(name, launch, stage=3, stop_signal=server.stop_signal, patience=30.0)  # type: ignore[arg-type]
