"""Points on top of what a purchase earned by the rules. They come back with the lines of the purchase."""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from loyalty.events import partitions
from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.program import award, membership, names, posting
from loyalty.program.definition import Expiry
from loyalty.program.models import Program
from loyalty.program.setup import Setup, load_all

_MADE = """made AS (
    INSERT INTO lot (member_id, wallet_id, booking_id, amount, pending, active, earned_at, releases_at, expires_at,
        awaits, lapses, line_numbers, parts)
    SELECT b.member_id, {wallet}, b.id, {points}, CASE WHEN b.late THEN {points} ELSE 0 END,
        CASE WHEN b.late THEN 0 ELSE {points} END, b.occurred_at, b.releases_at, {expires},
        {awaits}::text, {lapses}::boolean, {numbers}::smallint[], {parts}::int[]
    FROM (SELECT id, member_id, occurred_at, occurred_at AT TIME ZONE {zone} AS wall,
            occurred_at + make_interval(secs => {pending}) AS releases_at,
            occurred_at + make_interval(secs => {pending}) > {now} OR {lapses}::boolean AS late
        FROM booking WHERE id = {booking}) b
    RETURNING id, booking_id, member_id, wallet_id, amount, pending
)"""


def setup_of(booking_id: int) -> Setup | None:
    """The program of a purchase; None for what is no purchase of a member."""
    rows = fetch(
        sql(
            "SELECT program_id FROM booking WHERE id = {id} AND kind = {kind} AND member_id IS NOT NULL",
            id=booking_id,
            kind=names.PURCHASE,
        )
    )
    return load_all(list(Program.objects.filter(id=rows[0][0])))[0] if rows else None


def earned(booking_id: int, setup: Setup) -> dict[int, int]:
    """The points of the first wallet that rules gave for each line of the purchase."""
    wallet_id, _ = setup.wallet(None)
    rows = fetch(
        sql(
            "SELECT p.no, sum(p.points) FROM lot l CROSS JOIN LATERAL unnest(l.line_numbers, l.parts) AS p (no, points)"
            " WHERE l.booking_id = {id} AND l.wallet_id = {wallet} AND l.rule_id IS NOT NULL GROUP BY 1",
            id=booking_id,
            wallet=wallet_id,
        )
    )
    return {number: int(points) for number, points in rows}


def by_lines(booking_id: int, points: int) -> dict[int, int]:
    """The points spread over the lines of the purchase by what they cost."""
    rows = fetch_values(sql("SELECT lines FROM booking WHERE id = {id}", id=booking_id))
    gross = {line["no"]: Decimal(line["gross"]) for line in (rows[0]["lines"] or [])} if rows else {}
    whole = sum(gross.values(), Decimal(0))
    if not whole:
        return {next(iter(gross), 1): points}
    found, before, upto = {}, 0, Decimal(0)
    for number, part in gross.items():
        upto += part
        reached = int((points * upto / whole).to_integral_value(ROUND_FLOOR))
        found[number], before = reached - before, reached
    return found


def add(booking_id: int, parts: Mapping[int, int], *, setup: Setup, now: datetime) -> int:
    """Give these points by line, in the first wallet, on top of the purchase; the points given.

    They wait and expire as the wallet's do, and count for no tier. A member who left or is frozen gets none.
    """
    parts = {number: points for number, points in parts.items() if points > 0}
    rows = fetch(
        sql("SELECT member_id, occurred_at FROM booking WHERE id = {id} AND member_id IS NOT NULL", id=booking_id)
    )
    if not parts or not rows or setup.earning_over(rows[0][1]):
        return 0
    partitions.ensure(now, now)
    if membership.lock([rows[0][0]]).get(rows[0][0]) != "active":
        return 0
    wallet_id, settings = setup.wallet(None)
    expiry = settings.expiry if isinstance(settings.expiry, Expiry) else None
    before = sql(
        _MADE,
        wallet=wallet_id,
        points=sum(parts.values()),
        expires=award.expires(expiry, sql("b.wall"), setup.zone),
        numbers=list(parts),
        parts=list(parts.values()),
        zone=setup.zone,
        pending=settings.pending_seconds,
        awaits=settings.pending.event,
        lapses=settings.pending.lapses,
        now=now,
        booking=booking_id,
    )
    given = posting.post(award.MOVES, before=before, new_lots=True, now=now, fact="points.earned")[1]
    posting.settle_debts([rows[0][0]], program_id=setup.id, now=now)
    return given
