"""Chores of challenges, stamp cards and games."""

from datetime import datetime
from time import monotonic
from zoneinfo import ZoneInfo

from loyalty.kit.chores import chore
from loyalty.play import awards, challenges, raffles, stamping
from loyalty.play.days import birthdays_on, zone_of
from loyalty.play.follow import follow
from loyalty.play.models import StampCard

# A chore goes on while there is work, for so long.
SECONDS = 15.0


@chore("play.follow", queue="triggers", every=2, order=19)
def count_events(*, now: datetime) -> int:
    """Count what happened for challenges, stamps and plays."""
    began, done = monotonic(), 0
    while found := follow(now=now):
        done += found
        if monotonic() - began > SECONDS:
            break
    return done


@chore("play.prizes", queue="triggers", every=5, order=20)
def hand_over(*, now: datetime) -> int:
    """Hand over prizes that were won."""
    began, done = monotonic(), 0
    while found := awards.give_due(now=now):
        done += found
        if monotonic() - began > SECONDS:
            break
    return done


@chore("play.draws", queue="triggers", every=30, order=20)
def hold_draws(*, now: datetime) -> int:
    """Draw the tickets of prize draws whose instant has come."""
    return sum(raffles.hold(game_id, now=now) is not None for game_id in raffles.due(now=now))


@chore("play.lapse", queue="maintenance", every=60, order=21)
def lapse(*, now: datetime) -> int:
    """Close attempts and sheets of stamps whose time is up."""
    return challenges.lapse(now=now, until=now) + stamping.expire(now=now)


@chore("play.birthdays", queue="maintenance", every=1800, order=17)
def birthdays(*, now: datetime) -> int:
    """Give the stamps of today's birthdays."""
    done = 0
    for card in StampCard.objects.filter(state="active", definition__birthday__gt=0).order_by("id"):
        today = now.astimezone(ZoneInfo(zone_of(card.program_id))).date()
        done += stamping.birthdays(card, birthdays_on(today), today.year, now=now)
    return done
