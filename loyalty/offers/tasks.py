"""Chores of offers: what runs out is let go, who has a voucher that ends soon is told, old money lapses."""

from datetime import datetime

from loyalty.kit.chores import chore
from loyalty.offers import holding, operations, rounds


@chore("offers.release", queue="maintenance", every=30, order=16)
def release(*, now: datetime) -> int:
    """Let go of reservations that ran out."""
    return holding.end_due(now=now)


@chore("offers.remind", queue="maintenance", every=3600, order=17)
def remind(*, now: datetime) -> int:
    """Tell the timeline whose vouchers end soon."""
    return operations.remind(now=now)


@chore("offers.lapse", queue="maintenance", every=3600, order=17)
def lapse(*, now: datetime) -> int:
    """Let the money go that is on gift cards whose time is over."""
    return operations.lapse(now=now)


@chore("offers.personal", queue="maintenance", every=300, order=18)
def personal(*, now: datetime) -> int:
    """Begin, give and measure the rounds of personal offers."""
    return rounds.go_on(now=now) + rounds.forget_old(now=now)
