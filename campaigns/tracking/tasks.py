"""Chores: decide which of the waiting clicks were people's."""

import time
from datetime import datetime

from campaigns.tracking import operations, queries
from campaigns.tracking.machines import JUDGE_AFTER_SECONDS
from loyalty.kit.chores import chore


@chore("tracking.judge", queue="reports", every=1, order=60)
def judge(*, now: datetime) -> int:
    """Judge the clicks that are old enough. When there are only younger ones it waits for them, a second and a half, so
    that whoever ticks until idle has them all."""
    judged = operations.judge(now=now)
    if judged or not queries.clicks_wait():
        return judged
    time.sleep(JUDGE_AFTER_SECONDS)
    return operations.judge(now=now)
