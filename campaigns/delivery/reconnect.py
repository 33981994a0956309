"""Riding out a database restart: the same work again on a new connection, for as long as a restart may take."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")
logger = logging.getLogger(__name__)

# Half a lease: after that the rescuer decides.
GIVE_UP_SECONDS = 30.0
PAUSE_SECONDS = 0.25


def reconnected(work: Callable[[], T]) -> T:
    """Run `work` on a fresh connection, again and again while the database cannot be reached. `work` must be safe to
    repeat after a commit of unknown fate. Raises the last error after 30 seconds, or at once inside a transaction."""
    if connection.in_atomic_block:
        return work()
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while True:
        connection.close()
        try:
            return work()
        except (OperationalError, InterfaceError):
            logger.warning("delivery.database.lost")
            if time.monotonic() > give_up:
                raise
            time.sleep(PAUSE_SECONDS)
