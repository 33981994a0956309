"""Chores of paid memberships."""

from datetime import datetime

from django.db import transaction

from loyalty.kit.chores import chore
from loyalty.subscriptions import benefits, closing, declaring, letters, renewing


@chore("subscriptions.declarations", queue="triggers", every=15, order=16)
def take_declarations(*, now: datetime) -> int:
    """Carry out cancellations and withdrawals that came in, and write their receipts."""
    return declaring.process(now=now)


@chore("subscriptions.calendar", queue="triggers", every=60, order=17)
def follow_calendar(*, now: datetime) -> int:
    """End what is over, begin new periods with their fees, remind, and note payments that are missing."""
    done = 0
    for step in (
        closing.follow_members, closing.run_out, closing.give_up, renewing.renew, renewing.remind,
        renewing.notice_missing,
    ):  # fmt: skip
        with transaction.atomic():
            done += step(now=now)
    return done


@chore("subscriptions.benefits", queue="triggers", every=60, order=18)
def give_benefits(*, now: datetime) -> int:
    """Give points, vouchers and tiers that are paid for, and end tiers that are not any more."""
    return benefits.give(now=now) + benefits.keep_tiers(now=now)


@chore("subscriptions.letters", queue="triggers", every=15, order=19)
def write_letters(*, now: datetime) -> int:
    """Write the receipts, reminders and notices that wait."""
    return letters.write(now=now)
