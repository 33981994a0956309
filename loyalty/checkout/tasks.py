"""Chores of the checkout: reservations and receipts whose time is over."""

from datetime import datetime

from loyalty.checkout import selling, unmatched
from loyalty.kit.chores import chore

BATCH = 10_000


@chore("checkout.expire", queue="maintenance", every=30, order=17)
def expire(*, now: datetime) -> int:
    """Close held baskets that were not committed in time."""
    return selling.expire(now=now, limit=BATCH)


@chore("checkout.lapse", queue="maintenance", every=3600, order=90)
def lapse(*, now: datetime) -> int:
    """Empty receipts that nobody claimed in time."""
    return unmatched.lapse(now=now, limit=BATCH)
