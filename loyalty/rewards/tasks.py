"""Chores of the shop."""

from datetime import datetime

from loyalty.kit.chores import chore
from loyalty.rewards import draws, stock, supplying, wishes


@chore("rewards.wishes", queue="triggers", every=60, order=19)
def notice_wishes(*, now: datetime) -> int:
    """Tell the timeline who has saved enough for what they wish for."""
    return wishes.notice_reached(now=now)


@chore("rewards.draws", queue="maintenance", every=300, order=19)
def hold_draws(*, now: datetime) -> int:
    """Hold the draws that are due."""
    done = [draws.hold(one.row.id, now=now) for one in draws.due(now=now)]
    return len([one for one in done if one is not None])


@chore("rewards.codes", queue="maintenance", every=3600, order=19)
def retire_codes(*, now: datetime) -> int:
    """Take codes out of the stock whose time is up."""
    return stock.retire_codes(now=now)


@chore("rewards.suppliers", queue="maintenance", every=15, order=55)
def tell_suppliers(*, now: datetime) -> int:
    """Send suppliers their new, changed and cancelled orders."""
    return supplying.run(now=now)
