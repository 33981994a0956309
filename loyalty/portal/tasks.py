"""Chores: the mails that let people in, and forgetting what is over."""

from datetime import datetime

from loyalty.kit.chores import chore
from loyalty.portal import entrance, forgetting, letters, sessions
from loyalty.portal.look import look

OLD_AT_ONCE, PEOPLE_AT_ONCE = 5_000, 200


@chore("portal.letters", queue="triggers", every=2, order=45)
def write_letters(*, now: datetime) -> int:
    """Mail links and codes to who asked for them."""
    return letters.mail(now=now)


@chore("portal.forget", queue="maintenance", every=600, order=90)
def forget(*, now: datetime) -> int:
    """Delete requests and sessions that are over."""
    return entrance.forget_old(now=now, limit=OLD_AT_ONCE) + sessions.forget_old(now=now, limit=OLD_AT_ONCE)


@chore("portal.unconfirmed", queue="maintenance", every=3600, order=91)
def forget_unconfirmed(*, now: datetime) -> int:
    """Forget people who asked to join, never confirmed, and are nothing else to us."""
    return forgetting.forget_unconfirmed(now=now, days=look().document.forget_after, limit=PEOPLE_AT_ONCE)
