"""Chores of partners: settle what the points ledger booked, make the statements of months that are over."""

from datetime import datetime
from time import monotonic

from loyalty.kit.chores import chore
from loyalty.partners import settlement, statements

SECONDS = 15.0


@chore("partners.settle", queue="maintenance", every=60, order=90)
def settle(*, now: datetime) -> int:
    """Settle bookings of points at partners' shops."""
    began, done = monotonic(), 0
    while found := settlement.follow():
        done += found
        if monotonic() - began > SECONDS:
            break
    return done


@chore("partners.statements", queue="maintenance", every=3600, order=91)
def make_statements(*, now: datetime) -> int:
    """Make the statements of months that are over."""
    return statements.close_due(now=now)
