"""The beat scheduler: its schedule is the list of chores, kept in memory.

Nothing is stored, because chores are idempotent looks for due work: after a restart all are due at once.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from loyalty.kit.chores import all_chores
from loyalty.kit.logs import fields

logger = logging.getLogger(__name__)

TELL_AGAIN = 30.0
LONG_AGO = timedelta(days=365)


def schedule() -> dict[str, dict[str, Any]]:
    """One entry per chore. A tick nobody took for two intervals expires: the next one does its work."""
    return {
        item.key: {
            "task": "chore",
            "schedule": item.every,
            "kwargs": {"key": item.key},
            "options": {"queue": item.queue, "expires": 2 * item.every, "retry": False, "ignore_result": True},
        }
        for item in all_chores()
    }


class ChoreScheduler(Scheduler):  # type: ignore[misc]
    """Publishes one tick per chore and interval; a broker that is away is told about now and then, not every second."""

    _told_at = float("-inf")

    def setup_schedule(self) -> None:
        self.merge_inplace(schedule())
        for entry in self.schedule.values():
            entry.last_run_at = self.app.now() - LONG_AGO

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            if time.monotonic() - self._told_at > TELL_AGAIN:
                self._told_at = time.monotonic()
                logger.warning("beat.broker_lost", extra=fields(error=type(error).__name__))
