"""Chores: the mails that let people in, and forgetting what is over."""

from datetime import datetime

from loyalty.kit.chores import chore
from loyalty.portal import entrance, letters, sessions

OLD_AT_ONCE = 5_000


@chore("portal.letters", queue="triggers", every=2, order=45)
def write_letters(*, now: datetime) -> int:
    """Mail links and codes to who asked for them."""
    return letters.mail(now=now)


@chore("portal.forget", queue="maintenance", every=600, order=90)
def forget(*, now: datetime) -> int:
    """Delete requests and sessions that are over."""
    return entrance.forget_old(now=now, limit=OLD_AT_ONCE) + sessions.forget_old(now=now, limit=OLD_AT_ONCE)
