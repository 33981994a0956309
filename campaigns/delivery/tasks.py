"""Chores of the outbox."""

from collections.abc import Callable
from datetime import datetime, timedelta

from campaigns.delivery import engine, upkeep
from loyalty.kit import clock
from loyalty.kit.chores import chore


@chore("delivery.skip_stopped", queue="maintenance", every=1, order=49)
def skip_stopped(*, now: datetime) -> int:
    """Skip what waits of stopped dispatches."""
    return upkeep.skip_stopped(now=now)


@chore("delivery.send_email", queue="send.email", every=1, order=50)
def send_email(*, now: datetime) -> int:
    """Send what is due by email, for up to 20 seconds."""
    return engine.run(channel="email", now=_running_clock(now))


@chore("delivery.rescue", queue="maintenance", every=10, order=51)
def rescue(*, now: datetime) -> int:
    """Free the messages of workers that died."""
    return upkeep.rescue(now=now)


def _running_clock(now: datetime) -> Callable[[], datetime]:
    """The clock of a run that may last 20 seconds: it runs on when `now` is the present, and stands still when a test
    or a replay set another time."""
    return clock.now if abs(clock.now() - now) < timedelta(seconds=5) else lambda: now
