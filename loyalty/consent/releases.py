"""Taking an address off the suppression list: one person asks and says why, another decides; both stay on record."""

from datetime import datetime

from django.db import transaction

from loyalty.consent.models import Suppression, SuppressionRelease
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql

WHY_MIN = 10


@transaction.atomic
def ask_release(*, suppression_id: int, by: str, why: str, now: datetime) -> SuppressionRelease:
    """Ask for an address to be released; raises Problems without a reason, or when it was asked already."""
    why = why.strip()
    problems = []
    if len(why) < WHY_MIN:
        problems.append(Problem("why", "is too short", "say what happened, for whoever decides and whoever asks later"))
    if not by.strip():
        problems.append(Problem("by", "is missing", "say who asks"))
    suppression = Suppression.objects.select_for_update().filter(pk=suppression_id).first()
    if suppression is None:
        problems.append(Problem("suppression", "is not on the list any more"))
    elif SuppressionRelease.objects.filter(suppression_id=suppression_id, state="asked").exists():
        problems.append(Problem("suppression", "was asked for already", "decide on that first"))
    if problems or suppression is None:
        raise Problems(problems)
    return SuppressionRelease.objects.create(
        suppression_id=suppression.pk,
        channel=suppression.channel,
        digest=suppression.digest,
        purpose=suppression.purpose,
        reason=suppression.reason,
        suppressed_at=suppression.created_at,
        why=why,
        asked_by=by,
        asked_at=now,
    )


@transaction.atomic
def decide_release(*, release_id: int, by: str, release: bool, now: datetime) -> SuppressionRelease:
    """Release the address or refuse to; raises Problems for the one who asked, and for what is decided already."""
    asked = SuppressionRelease.objects.select_for_update().filter(pk=release_id).first()
    if asked is None or asked.state != SuppressionRelease.State.ASKED:
        raise Problems([Problem("release", "is decided already")])
    if not by.strip() or by == asked.asked_by:
        raise Problems([Problem("by", "is who asked", "somebody else has to decide")])
    asked.state = SuppressionRelease.State.RELEASED if release else SuppressionRelease.State.REFUSED
    asked.decided_by, asked.decided_at = by, now
    asked.save(update_fields=["state", "decided_by", "decided_at"])
    if release:
        execute(sql("DELETE FROM suppression WHERE id = {id}", id=asked.suppression_id))
        _mark(bytes(asked.digest))
    return asked


def _mark(digest: bytes) -> None:
    """Queue the people with the address for the segments.

    Hashes have no index: one look through the table for a decision that a person took the time for.
    """
    rows = fetch(sql("SELECT id FROM customer WHERE {d} IN (email_digest, phone_digest)", d=digest))
    if rows:
        ids = [row[0] for row in rows]
        execute(sql("INSERT INTO customer_change (customer_id) SELECT unnest({ids}::bigint[])", ids=ids))
