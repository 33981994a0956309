"""What `manage.py doctor` looks at here: whether the chores run."""

from collections.abc import Iterable

from loyalty.kit.chores import all_chores
from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.kit.sql import fetch

# A chore may be late by this many of its intervals, and by this long in any case, before anybody is told.
LATE_INTERVALS = 10
LATE_SECONDS = 120.0


@diagnosis("chores", order=50)
def look_at_chores() -> Iterable[Finding]:
    """Every chore ended well and not too long ago."""
    known = {
        key: (age, error)
        for key, age, error in fetch(
            "SELECT key, extract(epoch FROM clock_timestamp() - last_finished_at)::float8, last_error FROM chore_state"
        )
    }
    late = []
    for chore in all_chores():
        age, error = known.get(chore.key, (None, None))
        if error:
            yield warning(f"{chore.key} failed: {error.strip().splitlines()[-1]}", "look into the log of its worker")
        if age is None or age > max(LATE_INTERVALS * chore.every, LATE_SECONDS):
            late.append((chore.key, age))
    total = len(list(all_chores()))
    if not late:
        yield ok(f"all {total} chores are on time")
    elif len(late) == total:
        yield warning(
            "nobody does the chores", "run: manage.py up, or Celery's worker and beat, or cron with manage.py tick"
        )
    else:
        names = ", ".join(f"{key} ({'never' if age is None else f'{age:,.0f} s ago'})" for key, age in late)
        yield warning(f"{len(late)} of {total} chores are late: {names}", "start the workers of their queues")
