"""Chores of the checkout: reservations and receipts whose time is over."""

from datetime import datetime

from django.db import transaction

from loyalty.checkout import photos, recommending, selling, shares, unmatched
from loyalty.kit.chores import chore

BATCH = 10_000


@chore("checkout.expire", queue="maintenance", every=30, order=17)
def expire(*, now: datetime) -> int:
    """Close held baskets that were not committed in time."""
    return selling.expire(now=now, limit=BATCH)


@chore("checkout.lapse", queue="maintenance", every=3600, order=90)
def lapse(*, now: datetime) -> int:
    """Empty receipts that nobody claimed in time."""
    return unmatched.lapse(now=now, limit=BATCH)


@chore("checkout.photos", queue="maintenance", every=3600, order=90)
def clear_photos(*, now: datetime) -> int:
    """Delete pictures of receipts that were decided a while ago."""
    return photos.clear(now=now, limit=1_000)


@chore("checkout.recommend", queue="reports", every=3600, order=85)
def recommend(*, now: datetime) -> int:
    """Reckon once a day what is bought together; idle in between."""
    with transaction.atomic():
        return recommending.compute(now=now) if shares.due("recommend", now=now) else 0


@chore("checkout.shares", queue="reports", every=3600, order=85)
def count_shares(*, now: datetime) -> int:
    """Count once a day the receipts with a card and without; idle in between."""
    with transaction.atomic():
        return shares.compute(now=now) if shares.due("shares", now=now) else 0
