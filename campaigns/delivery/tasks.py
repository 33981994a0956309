"""Chores of the outbox."""

from datetime import datetime

from campaigns.delivery import upkeep
from loyalty.kit.chores import chore


@chore("delivery.skip_stopped", queue="maintenance", every=1, order=49)
def skip_stopped(*, now: datetime) -> int:
    """Skip what waits of stopped dispatches."""
    return upkeep.skip_stopped(now=now)


@chore("delivery.rescue", queue="maintenance", every=10, order=51)
def rescue(*, now: datetime) -> int:
    """Free the messages of workers that died."""
    return upkeep.rescue(now=now)


@chore("delivery.send_email", queue="send.email", every=1, order=50)
def send_email(*, now: datetime) -> int:
    """Send what is due by email."""
    return 0
