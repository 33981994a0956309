"""Points that move without a purchase: released, expired, spent, held, handed on, given by hand.

What the clock brings due (release, expiry, holds) is worked off in bounded batches, each a handful of statements for
tens of thousands of lots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program import award, membership, names, posting, step_up, tiering
from loyalty.program.definition import Expiry
from loyalty.program.setup import Setup

# 20,000 lots are released or expired in about a second; more would hold their members for too long.
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Booked:
    """The booking, and the points that moved."""

    booking_id: int
    points: int


def release(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """Make points usable whose waiting time is over; the number of lots. Those that lapse are not among them."""
    due = Sql("l.pending > 0 AND l.releases_at <= {now} AND NOT l.lapses")
    return _due(
        setup,
        sql(due.text, now=now),
        "releases_at",
        kind=names.RELEASE,
        fact="points.released",
        accounts=((names.PENDING, "pending", names.ACTIVE),),
        now=now,
        limit=limit,
    )


def expire(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """Let points expire whose time is up, but for those that are held; the number of lots."""
    return _due(
        setup,
        sql("l.open AND l.expires_at <= {now} AND l.active + l.pending > 0", now=now),
        "expires_at",
        kind=names.EXPIRE,
        fact="points.expired",
        accounts=((names.ACTIVE, "active", names.EXPIRED), (names.PENDING, "pending", names.EXPIRED)),
        now=now,
        limit=limit,
    )


def _due(
    setup: Setup,
    due: Sql,
    order: str,
    *,
    kind: str,
    fact: str,
    accounts: tuple[tuple[int, str, int], ...],
    now: datetime,
    limit: int,
) -> int:
    wallets = list(setup.wallet_ids.values())
    with transaction.atomic():
        members = [
            row[0]
            for row in fetch(
                sql(
                    "SELECT DISTINCT member_id FROM (SELECT l.member_id FROM lot l WHERE {due}"
                    " AND l.wallet_id = ANY({wallets}::int[]) ORDER BY l.{order} LIMIT {limit}) due",
                    due=due,
                    wallets=wallets,
                    order=Sql(order),
                    limit=limit,
                )
            )
        ]
        if not members:
            return 0
        partitions.ensure(now, now)
        membership.lock(members)
        booking_id = posting.new_booking(kind, program_id=setup.id, now=now)
        moves = Sql(" UNION ALL ").join(
            sql(
                "SELECT {booking}::bigint AS booking_id, l.member_id, l.wallet_id, l.id AS lot_id,"
                " {source}::smallint AS from_account, {target}::smallint AS to_account, l.{column} AS amount"
                " FROM lot l WHERE l.member_id = ANY({members}::bigint[]) AND l.wallet_id = ANY({wallets}::int[])"
                " AND {due} AND l.{column} > 0",
                booking=booking_id,
                source=source,
                target=target,
                column=Sql(column),
                members=members,
                wallets=wallets,
                due=due,
            )
            for source, column, target in accounts
        )
        done = posting.post(moves, now=now, fact=fact)[0]
        if kind == names.RELEASE:
            posting.settle_debts(members, program_id=setup.id, now=now)
            tiering.retier(setup, now=now, member_ids=members)
    return done


def spendable(member_id: int, wallet_id: int) -> int:
    """What a locked member can spend."""
    rows = fetch(
        sql(
            "SELECT greatest(0, active - owed) FROM member_balance WHERE member_id = {m} AND wallet_id = {w}",
            m=member_id,
            w=wallet_id,
        )
    )
    return rows[0][0] if rows else 0


def begin(member_id: int, *, now: datetime) -> None:
    """Lock one member; raises Problems for one who may not move points. Who left still spends what is there."""
    partitions.ensure(now, now)
    state = membership.lock([member_id]).get(member_id, "gone")
    if state not in ("active", "left"):
        raise Problems([membership.unfit(state)])


def take(booking_id: int, member_id: int, wallet_id: int, points: int, account: int, fact: str, now: datetime) -> None:
    has = spendable(member_id, wallet_id)
    if points > has:
        raise Problems([Problem("points", f"{points} points are wanted, {has} can be used", f"take at most {has}")])
    wants = sql(
        "SELECT {booking}::bigint AS booking_id, {member}::bigint AS member_id, {wallet}::int AS wallet_id,"
        " {points}::bigint AS amount",
        booking=booking_id,
        member=member_id,
        wallet=wallet_id,
        points=points,
    )
    posting.post(posting.allot(wants, account), now=now, fact=fact)


def spend(
    *, setup: Setup, member_id: int, wallet: str | None, points: int, now: datetime,
    reason: str | None = None, actor: str | None = None, pin: str | None = None,
) -> Booked:  # fmt: skip
    """Take points for something; raises Problems when there are too few, or the PIN is missing or wrong."""
    wallet_id, settings = setup.wallet(wallet)
    if not settings.spendable:
        raise Problems([Problem("wallet", f"{settings.key} is no wallet to pay with")])
    step_up.check(member_id, pin, setup=setup, points=points)
    with transaction.atomic():
        begin(member_id, now=now)
        booking_id = posting.new_booking(
            names.SPEND, program_id=setup.id, member_id=member_id, now=now, reason=reason, actor=actor
        )
        take(booking_id, member_id, wallet_id, points, names.SPENT, "points.spent", now)
    return Booked(booking_id, points)


def transfer(
    *, setup: Setup, giver_id: int, taker_id: int, wallet: str | None, points: int, now: datetime,
    reason: str | None = None, pin: str | None = None,
) -> Booked:  # fmt: skip
    """Hand points to another member; they keep their dates. Raises Problems: too few, or over the wallet's limit a
    day, or the PIN of the giver is missing or wrong."""
    wallet_id, settings = setup.wallet(wallet)
    problems = []
    if giver_id == taker_id:
        problems.append(Problem("to", "is the giver", "name another member"))
    if not settings.transfer_limit:
        problems.append(Problem("wallet", f"points of {settings.key} cannot be handed on", "set transfer_limit first"))
    if problems:
        raise Problems(problems)
    step_up.check(giver_id, pin, setup=setup, transfer=True)
    with transaction.atomic():
        partitions.ensure(now, now)
        states = membership.lock([giver_id, taker_id])
        for member_id, where in ((giver_id, "from"), (taker_id, "to")):
            if (state := states.get(member_id, "gone")) != "active":
                wrong = membership.unfit(state)
                problems.append(Problem(where, wrong.problem, wrong.remedy))
        given = _given_today(giver_id, wallet_id, setup, now)
        if not problems and given + points > settings.transfer_limit:
            left = max(0, settings.transfer_limit - given)
            problems.append(Problem("points", "are more than can be handed on in a day", f"hand on at most {left}"))
        if problems:
            raise Problems(problems)
        booking_id = posting.new_booking(
            names.TRANSFER, program_id=setup.id, member_id=giver_id, now=now, reason=reason
        )
        take(booking_id, giver_id, wallet_id, points, names.TRANSIT, "points.transferred", now)
        made = sql(
            "made AS (INSERT INTO lot (member_id, wallet_id, booking_id, amount, active, earned_at, expires_at)"
            " SELECT {taker}::bigint, e.wallet_id, e.booking_id, e.amount, e.amount, l.earned_at, l.expires_at"
            " FROM entry e JOIN lot l ON l.id = e.lot_id WHERE e.booking_id = {booking} ORDER BY e.id"
            " RETURNING id, booking_id, member_id, wallet_id, amount)",
            taker=taker_id,
            booking=booking_id,
        )
        moves = _from(names.TRANSIT)
        posting.post(moves, before=made, new_lots=True, now=now, fact="points.transferred")
        posting.settle_debts([taker_id], program_id=setup.id, now=now)
    return Booked(booking_id, points)


def _given_today(member_id: int, wallet_id: int, setup: Setup, now: datetime) -> int:
    return fetch(
        sql(
            "SELECT coalesce(sum(amount), 0) FROM entry WHERE member_id = {member} AND wallet_id = {wallet}"
            " AND to_account = {transit} AND at >= date_trunc('day', {now}::timestamptz AT TIME ZONE {zone})"
            " AT TIME ZONE {zone} AND at <= {now}",
            member=member_id,
            wallet=wallet_id,
            transit=names.TRANSIT,
            now=now,
            zone=setup.zone,
        )
    )[0][0]


def _from(account: int) -> Sql:
    return sql(
        "SELECT booking_id, member_id, wallet_id, id AS lot_id, {source}::smallint AS from_account,"
        " {active}::smallint AS to_account, amount FROM made",
        source=account,
        active=names.ACTIVE,
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """Points for a member: `key` makes it happen once; without `expires_at` the wallet's usual expiry holds."""

    member_id: int
    points: int
    key: UUID | None = None
    expires_at: datetime | None = None


def grant(
    grants: Sequence[Grant], *, setup: Setup, wallet: str | None, kind: str, reason: str | None, now: datetime,
    actor: str | None = None,
) -> int:  # fmt: skip
    """Give points to any number of members at once (an import, a flow's award, a correction); how many got any.

    A key that was used before gives nothing again. `kind` is a kind of booking: `import`, `adjust` or `occasion`, of
    which there are none after the last day to earn of a program that ends.
    """
    wallet_id, settings = setup.wallet(wallet)
    if not grants or (kind == names.OCCASION and setup.earning_over(now)):
        return 0
    expiry = settings.expiry if isinstance(settings.expiry, Expiry) else None
    account = {names.IMPORT: names.OPENING, names.ADJUST: names.ADJUSTED}.get(kind, names.ISSUED)
    with transaction.atomic():
        partitions.ensure(now, now)
        states = membership.lock([one.member_id for one in grants])
        fit = [one for one in grants if states.get(one.member_id) == "active"]
        before = sql(
            """granted AS (
                SELECT * FROM unnest({members}::bigint[], {points}::int[], {keys}::uuid[], {expires}::timestamptz[])
                    WITH ORDINALITY AS g (member_id, points, key, expires_at, place)
            ), numbered AS MATERIALIZED (
                SELECT g.*, nextval(pg_get_serial_sequence('booking', 'id')) AS id FROM granted g
                WHERE g.key IS NULL OR NOT EXISTS (SELECT FROM booking b WHERE b.key_digest = g.key)
            ), booked AS (
                INSERT INTO booking (
                    id, program_id, kind, member_id, occurred_at, recorded_at, key_digest, details, actor)
                SELECT id, {program}, {kind}, member_id, {now}, {now}, key,
                    jsonb_build_object('reason', {reason}::text), {actor}::text
                FROM numbered ON CONFLICT (key_digest) DO NOTHING RETURNING id
            ), made AS (
                INSERT INTO lot (member_id, wallet_id, booking_id, amount, active, earned_at, expires_at)
                SELECT n.member_id, {wallet}::int, n.id, n.points, n.points, {now}, coalesce(n.expires_at, {usual})
                FROM numbered n JOIN booked ON booked.id = n.id ORDER BY n.place
                RETURNING id, booking_id, member_id, wallet_id, amount
            )""",
            members=[one.member_id for one in fit],
            points=[one.points for one in fit],
            keys=[one.key for one in fit],
            expires=[one.expires_at for one in fit],
            program=setup.id,
            kind=kind,
            now=now,
            reason=reason,
            actor=actor,
            wallet=wallet_id,
            usual=award.expires(expiry, sql("{now}::timestamptz AT TIME ZONE {z}", now=now, z=setup.zone), setup.zone),
        )
        fact = "points.earned" if account == names.ISSUED else "points.adjusted"
        done = posting.post(_from(account), before=before, new_lots=True, now=now, fact=fact)[0]
        posting.settle_debts([one.member_id for one in fit], program_id=setup.id, now=now)
    return done


def take_back(
    *, setup: Setup, member_id: int, wallet_id: int, points: int, reason: str, actor: str, now: datetime
) -> int:
    """Take points by hand from a member; the booking. Raises Problems when there are too few."""
    with transaction.atomic():
        begin(member_id, now=now)
        booking_id = posting.new_booking(
            names.ADJUST, program_id=setup.id, member_id=member_id, now=now, reason=reason, actor=actor
        )
        take(booking_id, member_id, wallet_id, points, names.ADJUSTED, "points.adjusted", now)
    return booking_id


def prolong(setup: Setup, member_ids: Sequence[int], *, now: datetime) -> None:
    """Where points live as long as their owner is active, these members just were."""
    for settings in setup.document.wallets:
        if isinstance(settings.expiry, Expiry) and settings.expiry.activity:
            wall = sql("{now}::timestamptz AT TIME ZONE {zone}", now=now, zone=setup.zone)
            execute(
                sql(
                    "UPDATE lot SET expires_at = {expires} WHERE member_id = ANY({ids}::bigint[])"
                    " AND wallet_id = {wallet} AND open AND expires_at < {expires}",
                    expires=award.expires(settings.expiry, wall, setup.zone),
                    ids=list(member_ids),
                    wallet=setup.wallet_ids[settings.key],
                )
            )
