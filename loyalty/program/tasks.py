"""Chores of the program: what the clock and the timeline bring due, in bounded batches."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from loyalty.kit.chores import chore
from loyalty.program import (
    awaiting,
    budgets,
    caps,
    ending,
    fulfilling,
    holds,
    movements,
    occasions,
    operations,
    referrals,
    tiering,
)
from loyalty.program.setup import Setup, load_all

# A chore goes on while there is work, for so long.
SECONDS = 15.0


def _for_each(work: Callable[[Setup], int]) -> int:
    """Do the work for every program until it is done or the time is over; the amount."""
    began = monotonic()
    done = 0
    for setup in load_all():
        while found := work(setup):
            done += found
            if monotonic() - began > SECONDS:
                return done
    return done


@chore("program.earn", queue="triggers", every=2, order=18)
def earn(*, now: datetime) -> int:
    """Give points for events of the timeline that earning rules ask for."""
    setups = load_all()
    if not setups:
        return 0
    began, done = monotonic(), 0
    while found := occasions.earn_from_events(setups, consumer=operations.CONSUMER, now=now):
        done += found
        if monotonic() - began > SECONDS:
            break
    return done


@chore("program.orders", queue="triggers", every=2, order=46)
def orders(*, now: datetime) -> int:
    """Carry out what flows ordered: points given, taken and locked, tiers set."""
    return _for_each(lambda setup: fulfilling.work(setup, now=now))


@chore("program.release", queue="maintenance", every=60, order=16)
def release(*, now: datetime) -> int:
    """Make pending points usable whose waiting time is over, and let go of holds that ran out."""
    return _for_each(lambda setup: movements.release(setup, now=now) + holds.end_holds(setup, now=now))


@chore("program.lapse", queue="maintenance", every=60, order=16)
def lapse(*, now: datetime) -> int:
    """Take back pending points whose event did not come in time."""
    return _for_each(lambda setup: awaiting.lapse(setup, now=now))


@chore("program.expire", queue="maintenance", every=300, order=17)
def expire(*, now: datetime) -> int:
    """Let points expire whose time is up."""
    return _for_each(lambda setup: movements.expire(setup, now=now))


@chore("program.ending", queue="maintenance", every=600, order=16)
def end(*, now: datetime) -> int:
    """Tell members that a program ends, and let its points end with it."""
    return _for_each(lambda setup: ending.work(setup, now=now))


@chore("program.notices", queue="maintenance", every=3600, order=17)
def notices(*, now: datetime) -> int:
    """Tell the timeline whose points expire soon."""
    return sum(occasions.notices(setup, now=now) for setup in load_all())


@chore("program.birthdays", queue="maintenance", every=1800, order=17)
def birthdays(*, now: datetime) -> int:
    """Give the points of today's birthdays."""
    return _for_each(lambda setup: occasions.birthdays(setup, now=now))


@chore("program.referrals", queue="maintenance", every=600, order=17)
def referral(*, now: datetime) -> int:
    """Reward members whose friends bought and kept it."""
    return _for_each(lambda setup: referrals.qualify(setup, now=now))


@chore("program.budgets", queue="maintenance", every=300, order=19)
def budget(*, now: datetime) -> int:
    """Note what budgets have paid out, and log those that are used up."""
    return sum(budgets.note(setup, now=now) for setup in load_all())


@chore("program.caps", queue="maintenance", every=60, order=19)
def cap(*, now: datetime) -> int:
    """Find members whose bookings come faster than the program allows."""
    return _for_each(lambda setup: caps.look(setup, now=now))


@chore("program.tiers", queue="maintenance", every=21_600, order=18)
def tiers(*, now: datetime) -> int:
    """Look at every member's tier: windows move, graces end, thresholds change."""
    done = [tiering.retier_all(setup, now=now) for setup in load_all()]
    return sum(one.risen + one.fallen for one in done)
