"""What a stretch of work cost: seconds, WAL bytes, CPU of Python and of PostgreSQL, peak memory."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from django.db import DatabaseError, connection

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of PostgreSQL is None when its processes are not on this machine."""

    seconds: float
    wal_bytes: int
    cpu_python_s: float
    cpu_postgres_s: float | None
    peak_rss_mb: float


class Meter:
    """`with Meter() as meter: work()`, then `meter.cost`.

    Python's CPU is this process's and that of its children which have ended. PostgreSQL's is that of the whole server
    (postmaster, its ended backends and its living children), so other work on it counts too. Memory is the peak of this
    process during the block, or of the largest child so far if that is more.
    """

    cost: Cost

    def __enter__(self) -> Self:
        self._postmaster = postmaster_pid()
        _forget_peak_memory()
        self._wal = wal_position()
        self._python = _python_cpu()
        self._postgres = _tree_cpu(self._postmaster)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        seconds = time.perf_counter() - self._started
        python = _python_cpu() - self._python
        postgres = _tree_cpu(self._postmaster)
        both = self._postgres is not None and postgres is not None
        self.cost = Cost(
            seconds=seconds,
            wal_bytes=wal_position() - self._wal,
            cpu_python_s=python,
            cpu_postgres_s=(postgres or 0.0) - (self._postgres or 0.0) if both else None,
            peak_rss_mb=_peak_memory_mb(),
        )


def wal_position() -> int:
    """The end of the write-ahead log, in bytes since its beginning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
        return int(cursor.fetchone()[0])


def checkpoint() -> bool:
    """Start from an empty checkpoint, so that no run pays for the last one's pages; False when the role may not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
    except DatabaseError:
        return False
    return True


def postmaster_pid() -> int | None:
    """The server's main process when it runs on this machine (and in this process namespace), else None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    parent = _parent(backend)
    return parent if parent and _is_postgres(backend) and _is_postgres(parent) else None


def _python_cpu() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _tree_cpu(postmaster: int | None) -> float | None:
    """CPU seconds of the postmaster, of the children it has reaped and of those that live."""
    if postmaster is None:
        return None
    ticks = sum(_stat(postmaster)[11:15])
    for pid in _children(postmaster):
        ticks += sum(_stat(pid)[11:13])
    return ticks / _TICKS_PER_SECOND


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat after the state, so that index 0 is the state's place; zeros for a process that is
    gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return [0] * 20
    # The name in parentheses may itself hold spaces and parentheses.
    return [0, *(int(field) for field in text.rpartition(")")[2].split()[1:])]


def _parent(pid: int) -> int:
    return _stat(pid)[1]


def _children(parent: int) -> list[int]:
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in pids if _parent(pid) == parent]


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    except OSError:
        return False


def _forget_peak_memory() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_memory_mb() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, children) / 1024
