"""Chores: decide which of the waiting clicks were people's."""

import time
from datetime import datetime

from campaigns.tracking import ageing, operations, optin, queries
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


@chore("tracking.remind_opt_in", queue="maintenance", every=300, order=61)
def remind_opt_in(*, now: datetime) -> int:
    """Remind once who has not confirmed a double opt-in, where the setting asks for it."""
    return optin.remind(now=now)


@chore("tracking.age_consents", queue="maintenance", every=900, order=91)
def age_consents(*, now: datetime) -> int:
    """Look once a day for consents of people who have not been heard of for years; some of them per call."""
    return ageing.look(now=now)
