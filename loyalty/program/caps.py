"""Velocity: members whose bookings come faster than the program allows are frozen, or listed for somebody to look."""

from datetime import datetime, timedelta

from django.db import transaction

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership
from loyalty.program.companions import Review
from loyalty.program.definition import Velocity
from loyalty.program.models import Member
from loyalty.program.setup import Setup

PURPOSE = "caps"
# Bookings looked at in one go: half a second.
BATCH = 20_000


def look(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """Look at the bookings that are new since the last look; how many.

    A booking that commits after a later one was looked at is counted with the member's next.
    """
    if not setup.document.velocity:
        return 0
    with transaction.atomic():
        if not fetch(sql("SELECT pg_try_advisory_xact_lock(hashtext('program.caps'), {p})", p=setup.id))[0][0]:
            return 0
        marked = sql(
            "coalesce((SELECT booking_id FROM booking_mark WHERE program_id = {program} AND purpose = {purpose}), 0)",
            program=setup.id,
            purpose=PURPOSE,
        )
        rows = fetch(
            sql(
                "SELECT id, member_id FROM booking WHERE id > {marked} AND program_id = {program} ORDER BY id"
                " LIMIT {limit}",
                marked=marked,
                program=setup.id,
                limit=limit,
            )
        )
        if not rows:
            return 0
        members = sorted({member_id for _, member_id in rows if member_id is not None})
        for cap in setup.document.velocity:
            _judge(cap, members, setup, now)
        execute(
            sql(
                "INSERT INTO booking_mark (program_id, purpose, booking_id) VALUES ({program}, {purpose}, {last})"
                " ON CONFLICT (program_id, purpose) DO UPDATE SET booking_id = excluded.booking_id",
                program=setup.id,
                purpose=PURPOSE,
                last=rows[-1][0],
            )
        )
    return len(rows)


def _judge(cap: Velocity, members: list[int], setup: Setup, now: datetime) -> None:
    """Write down who is over the cap; who was cleared is left alone until the window has passed."""
    since = now - timedelta(seconds=cap.seconds)
    over = fetch(
        sql(
            """INSERT INTO member_review (program_id, member_id, cap, counted, opened_at, state)
            SELECT {program}, m.id, {cap}, b.n, {now}, CASE WHEN {freeze} THEN 'frozen' ELSE 'open' END
            FROM member m CROSS JOIN LATERAL (
                SELECT count(*)::int AS n FROM booking b WHERE b.member_id = m.id AND b.occurred_at > {since}
                AND b.occurred_at <= {now} AND b.kind = {kind}
            ) b
            WHERE m.id = ANY({members}::bigint[]) AND m.state = 'active' AND b.n > {max} AND NOT EXISTS (
                SELECT FROM member_review r WHERE r.member_id = m.id AND r.cap = {cap} AND (r.state = 'open'
                OR greatest(r.opened_at, r.decided_at) > {since}))
            ORDER BY m.id ON CONFLICT DO NOTHING RETURNING member_id""",
            program=setup.id,
            cap=cap.text,
            now=now,
            freeze=cap.then == "freeze",
            since=since,
            kind=cap.of,
            members=members,
            max=cap.max,
        )
    )
    if over and cap.then == "freeze":
        ids = [row[0] for row in over]
        membership.lock(ids)
        Member.objects.filter(id__in=ids, state="active").update(state="frozen")


@transaction.atomic
def decide(*, review_id: int, freeze: bool, by: str, now: datetime) -> None:
    """Clear a member, or freeze it; raises Problems for what was decided already."""
    review = Review.objects.select_for_update().get(id=review_id)
    if review.state != Review.State.OPEN:
        raise Problems([Problem("review", "was decided already")])
    if freeze:
        membership.lock([review.member_id])
        Member.objects.filter(id=review.member_id, state="active").update(state="frozen")
    review.state = Review.State.FROZEN if freeze else Review.State.CLEARED
    review.decided_by, review.decided_at = by, now
    review.save(update_fields=["state", "decided_by", "decided_at"])
