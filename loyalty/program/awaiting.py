"""Points that wait for an event: released when it comes, and when it does not, released or taken back.

The event names the purchase in its property `transaction`, by the till's own id or what the purchase event itself said.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.program import membership, movements, names, posting, returns, tiering
from loyalty.program.setup import Setup

# The lots whose event has come: those of the events' people, which have an index of their own.
_ARRIVED = """FROM taken_event e JOIN event_type t ON t.id = e.type_id
    JOIN member m ON m.customer_id = e.customer_id AND m.program_id = {program}
    JOIN lot l ON l.member_id = m.id AND l.awaits = t.name AND l.pending > 0
    JOIN booking b ON b.id = l.booking_id
    WHERE {reference} = e.properties ->> 'transaction'"""
_REFERENCE = Sql("coalesce(b.reference, b.details -> 'properties' ->> 'transaction')")
# The event was there before the points were, or nobody listened when it came.
_CAME = """EXISTS (SELECT FROM booking b JOIN member m ON m.id = b.member_id
    JOIN event e ON e.customer_id = m.customer_id WHERE b.id = l.booking_id
    AND e.type_id = (SELECT id FROM event_type WHERE name = l.awaits)
    AND {reference} = e.properties ->> 'transaction')"""


def hold_members(setups: Sequence[Setup]) -> None:
    """Lock at once all members whom the taken events can concern, in the order of ids: programs come one by one, and
    each would take its own on top."""
    if any(setup.awaited() for setup in setups) or _any_waits():
        query = "SELECT DISTINCT m.id FROM taken_event e JOIN member m ON m.customer_id = e.customer_id"
        membership.lock([row[0] for row in fetch(query)])


def arrived(setup: Setup, *, now: datetime) -> int:
    """Release what waited for the events in `taken_event`; the lots. The caller has locked the members."""
    if not setup.awaited() and not _any_waits():
        return 0
    found = sql(_ARRIVED, program=setup.id, reference=_REFERENCE)
    lots = fetch(sql("SELECT DISTINCT l.id, l.member_id {found}", found=found))
    return _release([row[0] for row in lots], sorted({row[1] for row in lots}), setup, now) if lots else 0


def _release(lots: list[int], members: list[int], setup: Setup, now: datetime) -> int:
    partitions.ensure(now, now)
    booking_id = posting.new_booking(names.RELEASE, program_id=setup.id, now=now)
    done = posting.post(_moves(booking_id, lots, names.ACTIVE), now=now, fact="points.released")[0]
    posting.settle_debts(members, program_id=setup.id, now=now)
    tiering.retier(setup, now=now, member_ids=members)
    return done


def _moves(booking_id: int, lots: list[int], account: int) -> Sql:
    return sql(
        "SELECT {booking}::bigint AS booking_id, member_id, wallet_id, id AS lot_id, {pending}::smallint AS"
        " from_account, {account}::smallint AS to_account, pending AS amount FROM lot"
        " WHERE id = ANY({lots}::bigint[]) AND pending > 0",
        booking=booking_id,
        pending=names.PENDING,
        account=account,
        lots=lots,
    )


def lapse(setup: Setup, *, now: datetime, limit: int = movements.BATCH) -> int:
    """Take back the points whose event did not come in time; release those whose event was only overlooked. How many
    lots."""
    due = sql(
        "SELECT l.id, l.member_id FROM lot l WHERE l.pending > 0 AND l.releases_at <= {now} AND l.lapses"
        " AND l.wallet_id = ANY({wallets}::int[]) ORDER BY l.releases_at, l.id LIMIT {limit}",
        now=now,
        wallets=list(setup.wallet_ids.values()),
        limit=limit,
    )
    with transaction.atomic():
        rows = fetch(due)
        if not rows:
            return 0
        partitions.ensure(now, now)
        membership.lock([row[1] for row in rows])
        chosen = [row[0] for row in rows]
        judged = fetch(
            sql(
                "SELECT l.id, l.member_id, {came} FROM lot l WHERE l.id = ANY({lots}::bigint[]) AND l.pending > 0",
                came=sql(_CAME, reference=_REFERENCE),
                lots=chosen,
            )
        )
        if came := [row for row in judged if row[2]]:
            _release([row[0] for row in came], sorted({row[1] for row in came}), setup, now)
        if late := [row[0] for row in judged if not row[2]]:
            booking_id = posting.new_booking(
                names.FORFEIT, program_id=setup.id, now=now, reason="what the points waited for did not happen"
            )
            posting.post(_moves(booking_id, late, names.REVERSED), now=now, fact="points.reversed")
            returns.free_budgets([booking_id])
    return len(rows)


def _any_waits() -> bool:
    """Whether any lot waits, also where a document has changed since."""
    return bool(fetch("SELECT 1 FROM lot WHERE awaits IS NOT NULL AND pending > 0 LIMIT 1"))


def waiting() -> set[str]:
    """The events that points wait for now, whatever the documents say today. An index has just these lots."""
    return {row[0] for row in fetch("SELECT DISTINCT awaits FROM lot WHERE awaits IS NOT NULL AND pending > 0")}
