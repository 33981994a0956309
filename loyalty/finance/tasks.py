"""The chore of the books."""

from datetime import datetime

from loyalty.finance import operations
from loyalty.kit.chores import chore
from loyalty.program.setup import load_all


@chore("finance.measure", queue="reports", every=600, order=92)
def measure(*, now: datetime) -> int:
    """Compute the books of every program once a day; the months that were closed."""
    done = [operations.measure(setup=setup, now=now, only_due=True) for setup in load_all()]
    return sum(one.closed for one in done if one)
