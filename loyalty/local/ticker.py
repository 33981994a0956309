"""The ticker: a loop that needs no broker. It runs what no worker has run lately: the house moves on without Redis."""

import logging
import threading
import time
from datetime import datetime

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from loyalty.kit.chores import Chore, all_chores
from loyalty.kit.logs import fields
from loyalty.kit.sql import fetch
from loyalty.local.running import run_chore

logger = logging.getLogger(__name__)

LOOK = 1.0
GRACE = 2.0  # seconds beyond its interval that workers have to run a chore before the ticker does
BUDGET = 2.0  # per chore and turn, so that one busy chore does not hold up the others

_STATES = (
    "SELECT key, last_started_at, extract(epoch FROM clock_timestamp() - last_started_at)::float8 FROM chore_state"
)


class Ticker:
    """Remembers which runs were its own: after those the plain interval counts, after a worker's run the grace too."""

    def __init__(self) -> None:
        self.own: dict[str, datetime] = {}

    def due(self, states: dict[str, tuple[datetime | None, float | None]]) -> list[Chore]:
        """The chores to run now; `states` is (last start, its age in seconds) by key."""
        chosen = []
        for item in all_chores():
            last, age = states.get(item.key, (None, None))
            grace = 0.0 if self.own.get(item.key) == last else max(GRACE, item.every)
            if age is None or age >= item.every + grace:
                chosen.append(item)
        return chosen

    def turn(self) -> int:
        """One look; how many chores ran."""
        if not connection.in_atomic_block:
            close_old_connections()
        states = {key: (last, age) for key, last, age in fetch(_STATES)}
        chosen = self.due(states)
        for item in chosen:
            run = run_chore(item, budget=BUDGET)
            if run.started_at:
                self.own[item.key] = run.started_at
        return len(chosen)

    def loop(self, stop: threading.Event) -> None:
        """Turn every second until `stop` is set; a lost database is waited for."""
        lost = False
        while not stop.is_set():
            begun = time.monotonic()
            try:
                self.turn()
                if lost:
                    logger.info("ticker.database_back")
                lost = False
            except (DatabaseError, InterfaceError) as error:
                if not lost:
                    logger.error("ticker.database_lost", extra=fields(error=type(error).__name__))
                lost = True
                connection.close()
            stop.wait(max(0.05, LOOK - (time.monotonic() - begun)))
