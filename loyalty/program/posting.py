"""The one way into the ledger: moves of points between accounts, any number in one statement.

The entries, the lots they take from or give to, the members' balances and the facts in the timeline are written
together; the checks on lots and balances make the database refuse what would overdraw them.
"""

from collections.abc import Sequence
from datetime import datetime

from loyalty.events import facts
from loyalty.kit.sql import Sql, array, execute, fetch, sql
from loyalty.program import names

_LOT_COLUMNS = {account: Sql(column) for account, column in names.LOT_ACCOUNTS.items()}
# What these take goes to no account that a lot has a column for.
_KEPT = tuple(names.LOT_ACCOUNTS)

_POST = """WITH {before}move AS MATERIALIZED ({moves}), entered AS (
    INSERT INTO entry (booking_id, member_id, wallet_id, lot_id, from_account, to_account, amount, at)
    SELECT booking_id, member_id, wallet_id, lot_id, from_account, to_account, amount, {now} FROM move
){lots}, balanced AS (
    UPDATE member_balance b SET pending = b.pending + d.pending, active = b.active + d.active,
        locked = b.locked + d.locked, owed = b.owed - d.owed
    FROM (
        SELECT member_id, wallet_id, max(booking_id) AS booking_id, sum(amount) AS points, {deltas} FROM move
        GROUP BY member_id, wallet_id
    ) d
    WHERE b.member_id = d.member_id AND b.wallet_id = d.wallet_id
    RETURNING b.member_id, b.wallet_id, d.booking_id, d.points, b.active - b.owed AS balance
){facts}
SELECT count(*), coalesce(sum(amount), 0) FROM move"""
_LOTS = """, changed AS (
    UPDATE lot l SET {columns}, moved = l.moved + d.moved,
        open = l.pending + l.active + l.locked + d.pending + d.active + d.locked > 0
    FROM (SELECT lot_id, {deltas}, {moved} AS moved FROM move WHERE lot_id IS NOT NULL GROUP BY lot_id) d
    WHERE l.id = d.lot_id
)"""
# Fed by one CTE: a join of two, whose sizes nobody can guess, became a nested loop of 25 million steps.
_FACT_ROWS = """SELECT m.customer_id, {now}::timestamptz, b.booking_id, jsonb_build_object(
        'program', p.key, 'wallet', w.key, 'points', b.points, 'balance', b.balance)
    FROM balanced b JOIN member m ON m.id = b.member_id AND m.customer_id IS NOT NULL
    JOIN wallet w ON w.id = b.wallet_id JOIN program p ON p.id = w.program_id"""


def post(
    moves: Sql, *, now: datetime, fact: str | None = None, before: Sql | None = None, new_lots: bool = False
) -> tuple[int, int]:
    """Write the moves; how many there were and the sum of their points.

    `moves` selects booking_id, member_id, wallet_id, lot_id, from_account, to_account, amount (over 0) and may name the
    CTEs `before`. `new_lots`: the lots were inserted by `before` with these points in them. `fact` is written once for
    each member and wallet. The caller has locked the members (`membership.lock`).
    """
    written = facts.ctes("fact", fact, sql(_FACT_ROWS, now=now), ask=False) if fact else None
    rows = fetch(
        sql(
            _POST,
            before=sql("{before}, ", before=before) if before else Sql(""),
            moves=moves,
            now=now,
            lots=Sql("") if new_lots else _lot_changes(),
            deltas=_deltas(names.ACCOUNTS, names.MEMBER_ACCOUNTS),
            facts=sql(", {written}", written=written) if written else Sql(""),
        )
    )
    return rows[0][0], int(rows[0][1])


def _deltas(columns: dict[int, str], accounts: Sequence[int]) -> Sql:
    return Sql(", ").join(
        sql(
            "coalesce(sum(amount) FILTER (WHERE to_account = {a}), 0)"
            " - coalesce(sum(amount) FILTER (WHERE from_account = {a}), 0) AS {name}",
            a=Sql(str(account)),
            name=Sql(columns[account]),
        )
        for account in accounts
    )


def _lot_changes() -> Sql:
    kept = Sql(", ".join(str(account) for account in _KEPT))
    return sql(
        _LOTS,
        columns=Sql(", ").join(sql("{name} = l.{name} + d.{name}", name=column) for column in _LOT_COLUMNS.values()),
        deltas=_deltas(names.LOT_ACCOUNTS, _KEPT),
        moved=sql(
            "coalesce(sum(amount) FILTER (WHERE to_account NOT IN ({kept})), 0)"
            " - coalesce(sum(amount) FILTER (WHERE from_account NOT IN ({kept})), 0)",
            kept=kept,
        ),
    )


def allot(wants: Sql, to_account: int) -> Sql:
    """The moves that take each want from the member's active lots: first what expires first, of that the oldest.

    `wants` selects booking_id, member_id, wallet_id, amount, one row per member and wallet. What the lots do not have
    is left out; who must not come out short looks at the balance first.
    """
    return sql(
        """SELECT w.booking_id, w.member_id, w.wallet_id, l.id AS lot_id, {active}::smallint AS from_account,
            {to}::smallint AS to_account, least(l.active, w.amount - l.earlier)::int AS amount
        FROM ({wants}) w JOIN LATERAL (
            SELECT o.id, o.active, sum(o.active) OVER (ORDER BY o.expires_at NULLS LAST, o.earned_at, o.id) - o.active
                AS earlier
            FROM lot o WHERE o.member_id = w.member_id AND o.wallet_id = w.wallet_id AND o.active > 0
        ) l ON l.earlier < w.amount""",
        wants=wants,
        active=names.ACTIVE,
        to=to_account,
    )


def settle_debts(member_ids: Sequence[int], *, program_id: int, now: datetime) -> int:
    """Let active points pay what these members owe; the points paid."""
    owing = sql(
        "FROM member_balance WHERE member_id = ANY({ids}::bigint[]) AND owed > 0 AND active > 0", ids=array(member_ids)
    )
    if not execute(sql("SELECT {owing} LIMIT 1", owing=owing)):
        return 0
    booking_id = new_booking(names.SETTLE, program_id=program_id, now=now)
    wants = sql(
        "SELECT {booking}::bigint AS booking_id, member_id, wallet_id, least(active, owed) AS amount {owing}",
        booking=booking_id,
        owing=owing,
    )
    return post(allot(wants, names.OWED), now=now)[1]


def new_booking(
    kind: str,
    *,
    program_id: int,
    now: datetime,
    member_id: int | None = None,
    actor: str | None = None,
    reason: str | None = None,
    original_id: int | None = None,
) -> int:
    """One booking without a purchase: for what concerns many members at once, or what people do by hand."""
    return fetch(
        sql(
            "INSERT INTO booking (program_id, kind, member_id, occurred_at, recorded_at, actor, details, original_id)"
            " VALUES ({program}, {kind}, {member}::bigint, {now}, {now}, {actor}::text,"
            " CASE WHEN {reason}::text IS NOT NULL THEN jsonb_build_object('reason', {reason}::text) END,"
            " {original}::bigint) RETURNING id",
            program=program_id,
            kind=kind,
            member=member_id,
            now=now,
            actor=actor,
            reason=reason,
            original=original_id,
        )
    )[0][0]
