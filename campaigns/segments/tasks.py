"""The chore of segments."""

from datetime import datetime
from time import monotonic

from campaigns.segments import refresh as work
from loyalty.kit.chores import chore

# Tasks are ticks of at most half a minute; the next one goes on where this one stopped.
SECONDS = 20.0


@chore("segments.refresh", queue="segments", every=5, order=20)
def refresh(*, now: datetime) -> int:
    """Build what is due, foresee what the clock changes, then follow changes, events and windows; how much was done."""
    done = 0
    until = monotonic() + SECONDS
    while monotonic() < until:
        step = int(work.build_next(now=now)) or int(work.foresee_next(now=now)) or work.follow_changes(now=now).taken
        if not step:
            break
        done += step
    return done
