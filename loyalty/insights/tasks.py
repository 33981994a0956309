"""Chores of insights."""

from datetime import datetime

from loyalty.insights import operations
from loyalty.kit.chores import chore


# Before the segments (20), which follow whoever changed.
@chore("insights.compute", queue="reports", every=60, order=18)
def compute(*, now: datetime) -> int:
    """Compute what is due, once a day and after new parameters."""
    return operations.compute_due(now=now)
