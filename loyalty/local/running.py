"""Runs one chore: notes it, repeats it while there is work, tells about it, survives its failure."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from loyalty.kit import clock
from loyalty.kit.chores import Chore
from loyalty.kit.logs import fields
from loyalty.kit.sql import execute, fetch, statement

logger = logging.getLogger(__name__)

BUDGET = 20.0
SAME_ERROR_AGAIN = 60.0  # seconds before an unchanged failure is logged with its traceback again
# Chores of these queues are heavy and gain nothing from a second run beside them; the others claim disjoint batches.
ALONE = frozenset({"segments", "reports", "maintenance"})

_told: dict[str, tuple[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did; `skipped` when another run of a chore that runs alone was under way."""

    key: str
    done: int
    ms: int
    error: str | None = None
    skipped: bool = False
    started_at: datetime | None = None


def run_chore(
    item: Chore, *, now: Callable[[], datetime] = clock.now, budget: float = BUDGET, alone: bool | None = None
) -> Run:
    """Run the chore until it is idle or `budget` seconds are over; what it or the database raises is only told."""
    if not connection.in_atomic_block:
        close_old_connections()
    begun = time.monotonic()
    done, error = 0, None
    started_at: datetime | None = None
    try:
        alone = item.queue in ALONE if alone is None else alone
        rows = fetch(statement("loyalty.local", "chore_started"), {"key": item.key, "alone": alone})
        if not rows:
            return Run(item.key, 0, 0, skipped=True)
        started_at = rows[0][0]
        while (more := item.run(now=now())) > 0:
            done += more
            if time.monotonic() - begun > budget:
                break
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
        _tell_failure(item.key, error, failure)
    ms = round((time.monotonic() - begun) * 1000)
    _note_end(item.key, done, ms, error)
    if done and not error:
        logger.info("chore.done", extra=fields(key=item.key, done=done, ms=ms))
    return Run(item.key, done, ms, error, started_at=started_at)


def _tell_failure(key: str, error: str, failure: Exception) -> None:
    """Log with traceback, but an unchanged failure that repeats every second only once a minute."""
    last, at = _told.get(key, ("", 0.0))
    if last == error and time.monotonic() - at < SAME_ERROR_AGAIN:
        return
    _told[key] = (error, time.monotonic())
    lost = isinstance(failure, InterfaceError) or (isinstance(failure, DatabaseError) and not connection.is_usable())
    if lost:
        logger.error("chore.database_lost", extra=fields(key=key, error=error))
    else:
        logger.error("chore.failed", extra=fields(key=key, error=type(failure).__name__), exc_info=failure)


def _note_end(key: str, done: int, ms: int, error: str | None) -> None:
    try:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        values = {"key": key, "done": done, "ms": ms, "error": error}
        execute(statement("loyalty.local", "chore_finished"), values)
    except (DatabaseError, InterfaceError):
        if not connection.in_atomic_block:
            connection.close()  # told already, or the next run tells
