"""Chores: find conversions, work out their credit."""

from datetime import datetime

from campaigns.attribution import operations
from loyalty.kit.chores import chore


@chore("attribution.convert", queue="reports", every=5, order=70)
def convert(*, now: datetime) -> int:
    """Take goal events and touches from the timeline; search the history for goals that are new or changed."""
    changed = operations.subscribe()
    return changed + operations.convert() + operations.search(now=now)


@chore("attribution.credit", queue="reports", every=5, order=71)
def credit(*, now: datetime) -> int:
    """Work out the credit of new conversions, and of those whose touches arrived late."""
    return operations.credit()
