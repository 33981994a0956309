"""Points that are held for a while: nothing else takes them, until they are captured, let go, or their time is over."""

from datetime import datetime, timedelta

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program import membership, movements, names, posting, step_up
from loyalty.program.setup import Setup

LONGEST_HOLD = timedelta(days=30)


def hold(
    *, setup: Setup, member_id: int, wallet: str | None, points: int, lasts: timedelta, now: datetime,
    reason: str | None = None, pin: str | None = None, proven: bool = False,
) -> movements.Booked:  # fmt: skip
    """Lock points for a while, so that nothing else takes them; raises Problems when there are too few, or the PIN is
    missing or wrong. `proven`: it was asked for before."""
    wallet_id, settings = setup.wallet(wallet)
    if not settings.spendable:
        raise Problems([Problem("wallet", f"{settings.key} is no wallet to pay with")])
    if not timedelta(0) < lasts <= LONGEST_HOLD:
        raise Problems([Problem("lasts", "must be more than nothing and at most 30 days")])
    if not proven:
        step_up.check(member_id, pin, setup=setup, points=points)
    with transaction.atomic():
        movements.begin(member_id, now=now)
        booking_id = posting.new_booking(names.LOCK, program_id=setup.id, member_id=member_id, now=now, reason=reason)
        movements.take(booking_id, member_id, wallet_id, points, names.LOCKED, "points.locked", now)
        execute(
            sql(
                "INSERT INTO hold (booking_id, member_id, wallet_id, amount, ends_at)"
                " VALUES ({booking}, {member}, {wallet}, {points}, {ends})",
                booking=booking_id,
                member=member_id,
                wallet=wallet_id,
                points=points,
                ends=now + lasts,
            )
        )
    return movements.Booked(booking_id, points)


def settle_hold(hold_id: int, *, capture: bool, setup: Setup, now: datetime) -> movements.Booked:
    """Take the held points for good, or let them go; raises Problems for a hold that is over or unknown."""
    with transaction.atomic():
        rows = fetch(sql("SELECT member_id FROM hold WHERE booking_id = {id}", id=hold_id))
        if not rows:
            raise Problems([Problem("hold", f"there is no hold {hold_id}")])
        movements.begin(rows[0][0], now=now)
        done = _settle(sql("h.booking_id = {id}", id=hold_id), [rows[0][0]], capture=capture, setup=setup, now=now)
        if done is None:
            raise Problems([Problem("hold", "is over: captured, let go or run out", "hold the points again")])
    return done


def end_holds(setup: Setup, *, now: datetime, limit: int = movements.BATCH) -> int:
    """Let go of what is held beyond its time; the number of holds."""
    due = sql("h.settled_by IS NULL AND h.ends_at <= {now}", now=now)
    query = sql(
        "SELECT h.member_id, h.booking_id FROM hold h JOIN booking b ON b.id = h.booking_id"
        " WHERE {due} AND b.program_id = {program} ORDER BY h.ends_at LIMIT {limit}",
        due=due,
        program=setup.id,
        limit=limit,
    )
    with transaction.atomic():
        rows = fetch(query)
        if not rows:
            return 0
        partitions.ensure(now, now)
        members = sorted({row[0] for row in rows})
        membership.lock(members)
        these = sql("h.booking_id = ANY({ids}::bigint[])", ids=[row[1] for row in rows])
        _settle(these, members, capture=False, setup=setup, now=now)
    return len(rows)


def _settle(which: Sql, members: list[int], *, capture: bool, setup: Setup, now: datetime) -> movements.Booked | None:
    """The held points of these holds, which are still open; None when there is none."""
    kind = names.CAPTURE if capture else names.UNLOCK
    booking_id = posting.new_booking(
        kind, program_id=setup.id, now=now, member_id=members[0] if len(members) == 1 else None
    )
    open_ones = sql(
        "UPDATE hold h SET settled_by = {booking} WHERE {which} AND h.settled_by IS NULL RETURNING h.booking_id",
        booking=booking_id,
        which=which,
    )
    moves = sql(
        "SELECT {booking}::bigint AS booking_id, e.member_id, e.wallet_id, e.lot_id, {locked}::smallint AS"
        " from_account, {target}::smallint AS to_account, e.amount FROM settled s"
        " JOIN entry e ON e.booking_id = s.booking_id AND e.to_account = {locked}",
        booking=booking_id,
        locked=names.LOCKED,
        target=names.SPENT if capture else names.ACTIVE,
    )
    fact = "points.spent" if capture else "points.unlocked"
    before = sql("settled AS ({open_ones})", open_ones=open_ones)
    count, points = posting.post(moves, before=before, now=now, fact=fact)
    if count and not capture:
        posting.settle_debts(members, program_id=setup.id, now=now)
    return movements.Booked(booking_id, points) if count else None
