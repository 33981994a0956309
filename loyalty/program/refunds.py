"""Points that were spent come back whole, to the lots they were taken from: what was ordered for them was cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, names, posting

# Nobody should lose points because something was cancelled on the last day: they are good for so long at least.
GRACE = timedelta(days=30)

_MADE = """made AS (
    INSERT INTO booking (program_id, kind, member_id, occurred_at, recorded_at, actor, details, original_id)
    SELECT o.program_id, {kind}, o.member_id, {now}, {now}, {actor}::text,
        CASE WHEN {reason}::text IS NOT NULL THEN jsonb_build_object('reason', {reason}::text) END, o.id
    FROM booking o JOIN member m ON m.id = o.member_id AND m.customer_id IS NOT NULL
    WHERE o.id = ANY({ids}::bigint[]) AND o.kind = {spend}
    AND NOT EXISTS (SELECT FROM booking r WHERE r.original_id = o.id)
    ORDER BY o.id RETURNING id, original_id
)"""
_MOVES = """SELECT made.id AS booking_id, l.member_id, l.wallet_id, l.id AS lot_id, {spent}::smallint AS from_account,
    {active}::smallint AS to_account, e.amount
FROM made JOIN entry e ON e.booking_id = made.original_id AND e.to_account = {spent} JOIN lot l ON l.id = e.lot_id"""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The booking that gave points back, and how many."""

    booking_id: int
    points: int


def lock_owners(booking_ids: Sequence[int]) -> None:
    """Hold the members whose bookings these are until the transaction ends."""
    rows = fetch(
        sql(
            "SELECT DISTINCT member_id FROM booking WHERE id = ANY({ids}::bigint[]) AND member_id IS NOT NULL",
            ids=list(booking_ids),
        )
    )
    membership.lock([row[0] for row in rows])


@transaction.atomic
def refund(
    booking_ids: Sequence[int], *, program_id: int, now: datetime, reason: str | None = None, actor: str | None = None
) -> dict[int, Refunded]:
    """Give back all that these bookings spent; by booking, what came back.

    Nothing comes back twice, nor to people who were forgotten. The points keep their dates, but are good for 30 days at
    least; what the member owes is paid from them first. Set-based.
    """
    lock_owners(booking_ids)
    partitions.ensure(now, now)
    made = sql(_MADE, kind=names.RETURN, now=now, actor=actor, reason=reason, ids=list(booking_ids), spend=names.SPEND)
    posting.post(sql(_MOVES, spent=names.SPENT, active=names.ACTIVE), before=made, now=now, fact="points.refunded")
    rows = fetch(
        sql(
            "SELECT r.original_id, r.id, coalesce(sum(e.amount), 0)::bigint, array_agg(e.lot_id), min(r.member_id)"
            " FROM booking r JOIN entry e ON e.booking_id = r.id WHERE r.original_id = ANY({ids}::bigint[])"
            " AND r.kind = {kind} AND r.recorded_at = {now} AND e.from_account = {spent} GROUP BY 1, 2",
            ids=list(booking_ids),
            kind=names.RETURN,
            now=now,
            spent=names.SPENT,
        )
    )
    if rows:
        execute(
            sql(
                "UPDATE lot SET expires_at = {until} WHERE id = ANY({lots}::bigint[]) AND expires_at < {until}",
                until=now + GRACE,
                lots=sorted({lot for row in rows for lot in row[3]}),
            )
        )
        posting.settle_debts(sorted({row[4] for row in rows}), program_id=program_id, now=now)
    return {original: Refunded(booking_id, points) for original, booking_id, points, _lots, _member in rows}
