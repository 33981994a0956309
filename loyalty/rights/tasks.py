"""The chores of people's rights: what was being written about people while they went is swept."""

from datetime import datetime

from loyalty.customers import joining
from loyalty.kit.chores import chore


@chore("rights.sweep", queue="maintenance", every=20, order=89)
def sweep(*, now: datetime) -> int:
    """Go once more through people who were joined or erased, when nobody can be writing about them; how many."""
    return joining.sweep(now=now)
