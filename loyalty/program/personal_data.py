"""What the program holds about people. The ledger forgets who they were: bookings stay, a member without a customer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    by_loser,
    give_back,
    hand_over,
    hold_personal_data,
)
from loyalty.kit.sql import Sql, execute, fetch, fetch_values, sql
from loyalty.program import companions_data, membership, names, posting

_MINE = "member_id IN (SELECT id FROM member WHERE customer_id = ANY({ids}))"
# Every table that says by `member_id` whose it is, with its key.
_OWNED = ("booking", "entry", "lot", "points_adjustment")


@contextmanager
def _ledger_unlocked() -> Iterator[None]:
    """Let this transaction say otherwise about whom bookings are, which a trigger refuses."""
    switch = "SELECT set_config('loyalty.ledger_rewrite', %(to)s, true)"
    fetch(switch, {"to": "on"})
    yield
    fetch(switch, {"to": "off"})


def _members(customer_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """(member, program, customer), locked."""
    query = sql(
        "SELECT id, program_id, customer_id FROM member WHERE customer_id = ANY({ids}::bigint[])"
        " ORDER BY id FOR NO KEY UPDATE",
        ids=list(customer_ids),
    )
    return fetch(query)


def erase(customer_ids: Sequence[int]) -> int:
    """Let what these people had expire, and take everything out of their bookings that could tell who they were."""
    found = _members(customer_ids)
    members = [row[0] for row in found]
    beside = companions_data.erase(customer_ids, members)
    if not found:
        return beside
    ids = sql("{ids}::bigint[]", ids=members)
    # Business time: nothing of this is told to anybody, but entries have an instant.
    now = fetch("SELECT clock_timestamp()")[0][0]
    execute(sql("UPDATE member SET customer_id = NULL, state = 'left', tier_id = NULL, tier_since = NULL,"
                " tier_falls_at = NULL, tier_fixed_until = NULL WHERE id = ANY({ids})", ids=ids))  # fmt: skip
    for program_id in sorted({row[1] for row in found}):
        mine = [row[0] for row in found if row[1] == program_id]
        _forfeit(mine, program_id, now)
    with _ledger_unlocked():
        rows = execute(
            sql(
                "UPDATE booking SET reference = NULL, store = NULL, channel = NULL, lines = NULL, details = NULL,"
                " actor = NULL WHERE member_id = ANY({ids})",
                ids=ids,
            )
        )
    rows += execute(
        sql(
            "UPDATE points_adjustment SET reason = NULL, requested_by = NULL, decided_by = NULL,"
            " state = CASE state WHEN 'requested' THEN 'rejected' ELSE state END WHERE member_id = ANY({ids})",
            ids=ids,
        )
    )
    return rows + beside + len(found)


def _forfeit(members: list[int], program_id: int, now: datetime) -> None:
    booking_id = posting.new_booking(names.FORFEIT, program_id=program_id, now=now)
    moves = Sql(" UNION ALL ").join(
        sql(
            "SELECT {booking}::bigint AS booking_id, member_id, wallet_id, id AS lot_id, {source}::smallint AS"
            " from_account, {expired}::smallint AS to_account, {column} AS amount FROM lot"
            " WHERE member_id = ANY({ids}::bigint[]) AND {column} > 0",
            booking=booking_id,
            source=account,
            expired=names.EXPIRED,
            column=Sql(names.ACCOUNTS[account]),
            ids=members,
        )
        for account in (names.PENDING, names.ACTIVE, names.LOCKED)
    )
    posting.post(moves, now=now)
    execute(
        sql(
            "UPDATE hold SET settled_by = {booking} WHERE member_id = ANY({ids}::bigint[]) AND settled_by IS NULL",
            booking=booking_id,
            ids=members,
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    mine = sql("member_id IN (SELECT id FROM member WHERE customer_id = {id})", id=customer_id)
    queries = {
        "member": sql(
            "SELECT p.key AS program, m.state, m.joined_at, m.left_at, t.key AS tier, m.tier_since FROM member m"
            " JOIN program p ON p.id = m.program_id LEFT JOIN tier t ON t.id = m.tier_id WHERE m.customer_id = {id}",
            id=customer_id,
        ),
        "member_balance": sql(
            "SELECT w.key AS wallet, b.pending, b.active, b.locked, b.owed FROM member_balance b"
            " JOIN wallet w ON w.id = b.wallet_id WHERE {mine} ORDER BY b.wallet_id",
            mine=mine,
        ),
        "booking": sql(
            "SELECT id, kind, occurred_at, reference, currency, amount, store, channel, lines, details FROM booking"
            " WHERE {mine} ORDER BY id",
            mine=mine,
        ),
        "lot": sql(
            "SELECT id, booking_id, amount, pending, active, locked, spent, expired, reversed, earned_at, releases_at,"
            " expires_at FROM lot WHERE {mine} ORDER BY id",
            mine=mine,
        ),
        "entry": sql(
            "SELECT id, booking_id, lot_id, from_account, to_account, amount, at FROM entry WHERE {mine} ORDER BY id",
            mine=mine,
        ),
        "hold": sql("SELECT booking_id, amount, ends_at FROM hold WHERE {mine} ORDER BY booking_id", mine=mine),
        "points_adjustment": sql(
            "SELECT points, reason, state, requested_at, decided_at FROM points_adjustment WHERE {mine} ORDER BY id",
            mine=mine,
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()} | companions_data.export(customer_id)


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners are members where the losers were; who both were has one ledger then, and the better tier.

    The customers are locked by the caller, so no other merge or purchase meets these members.
    """
    found = _members([*pairs, *pairs.values()])
    orders = hand_over(pairs, "points_order")
    target = {(program, customer): member for member, program, customer in found if customer not in pairs}
    handed: list[tuple[int, int]] = []
    folded: list[tuple[int, int, int, int]] = []
    moved: dict[int, list[Any]] = {}
    for member, program, customer in found:
        if customer not in pairs:
            continue
        winner = pairs[customer]
        if (program, winner) in target:
            folded.append((member, target[program, winner], program, customer))
        else:
            target[program, winner] = member
            handed.append((member, winner))
            moved.setdefault(customer, []).append(member)
    if handed:
        execute(
            sql(
                "UPDATE member m SET customer_id = h.winner"
                " FROM unnest({members}::bigint[], {winners}::bigint[]) AS h (id, winner) WHERE m.id = h.id",
                members=[row[0] for row in handed],
                winners=[row[1] for row in handed],
            )
        )
    return {"member": moved, "points_order": orders, "lot": _fold(folded, now) if folded else {}}


def _fold(folded: list[tuple[int, int, int, int]], now: datetime) -> dict[int, list[Any]]:
    """Let what the first members have be the second's; the lots by customer."""
    these = sql(
        "unnest({losers}::bigint[], {winners}::bigint[], {customers}::bigint[]) AS f (loser, winner, customer)",
        losers=[row[0] for row in folded],
        winners=[row[1] for row in folded],
        customers=[row[3] for row in folded],
    )
    losers = sql("{ids}::bigint[]", ids=[row[0] for row in folded])
    lots = fetch(
        sql(
            "SELECT f.customer, jsonb_agg(l.id ORDER BY l.id) FROM lot l JOIN {these} ON f.loser = l.member_id"
            " GROUP BY 1",
            these=these,
        )
    )
    with _ledger_unlocked():
        for table in (*_OWNED, "hold"):
            execute(
                sql(
                    "UPDATE {table} t SET member_id = f.winner FROM {these} WHERE t.member_id = f.loser",
                    table=Sql(table),
                    these=these,
                )
            )
    execute(
        sql(
            "UPDATE member_balance b SET pending = b.pending + l.pending, active = b.active + l.active,"
            " locked = b.locked + l.locked, owed = b.owed + l.owed FROM (SELECT f.winner, o.wallet_id,"
            " sum(o.pending) AS pending, sum(o.active) AS active, sum(o.locked) AS locked, sum(o.owed) AS owed"
            " FROM member_balance o JOIN {these} ON f.loser = o.member_id GROUP BY 1, 2) l"
            " WHERE b.member_id = l.winner AND b.wallet_id = l.wallet_id",
            these=these,
        )
    )
    execute(
        sql(
            "UPDATE member m SET tier_id = b.tier_id, tier_since = b.tier_since, tier_falls_at = b.tier_falls_at,"
            " tier_fixed_until = b.tier_fixed_until FROM (SELECT DISTINCT ON (f.winner) f.winner, o.tier_id,"
            " o.tier_since, o.tier_falls_at, o.tier_fixed_until, t.rank FROM {these} JOIN member o ON o.id = f.loser"
            " JOIN tier t ON t.id = o.tier_id ORDER BY f.winner, t.rank DESC) b"
            " WHERE m.id = b.winner AND b.rank > coalesce((SELECT rank FROM tier WHERE id = m.tier_id), 0)",
            these=these,
        )
    )
    companions_data.fold(these)
    execute(sql("DELETE FROM member_balance WHERE member_id = ANY({losers})", losers=losers))
    execute(sql("DELETE FROM member WHERE id = ANY({losers})", losers=losers))
    for program_id in sorted({row[2] for row in folded}):
        winners = [row[1] for row in folded if row[2] == program_id]
        posting.settle_debts(winners, program_id=program_id, now=now)
    return by_loser(lots)


def unmerge(given: Return) -> None:
    """The loser is a member again; of points that both had, what is left of the loser's own goes back to it.

    Purchases of the time before stay with the winner: the ledger only grows.
    """
    give_back(given, "member")
    give_back(given, "points_order")
    lots = list(given.moved.get("lot", ()))
    if not lots:
        return
    source = fetch(
        sql(
            "SELECT DISTINCT m.id, m.program_id FROM lot l JOIN member m ON m.id = l.member_id"
            " WHERE l.id = ANY({lots}::bigint[]) AND m.customer_id = {winner}",
            lots=lots,
            winner=given.winner,
        )
    )
    for winner_id, program_id in source:
        membership.lock([winner_id])
        loser_id = fetch(
            sql(
                "INSERT INTO member (program_id, customer_id, state, joined_at)"
                " SELECT program_id, {loser}, 'active', joined_at FROM member WHERE id = {winner} RETURNING id",
                loser=given.loser,
                winner=winner_id,
            )
        )[0][0]
        membership.open_wallets(program_id=program_id, member_id=loser_id)
        _part(lots, winner_id, loser_id, program_id, given.now)


def _part(lots: list[int], winner_id: int, loser_id: int, program_id: int, now: datetime) -> None:
    booking_id = posting.new_booking(
        names.TRANSFER, program_id=program_id, member_id=winner_id, now=now, reason="people were told apart"
    )
    moves = Sql(" UNION ALL ").join(
        sql(
            "SELECT {booking}::bigint AS booking_id, member_id, wallet_id, id AS lot_id, {source}::smallint AS"
            " from_account, {transit}::smallint AS to_account, {column} AS amount FROM lot"
            " WHERE id = ANY({lots}::bigint[]) AND member_id = {winner} AND {column} > 0",
            booking=booking_id,
            source=account,
            transit=names.TRANSIT,
            column=Sql(names.ACCOUNTS[account]),
            lots=lots,
            winner=winner_id,
        )
        for account in (names.PENDING, names.ACTIVE)
    )
    posting.post(moves, now=now)
    made = sql(
        "made AS (INSERT INTO lot (member_id, wallet_id, booking_id, rule_id, amount, pending, active, earned_at,"
        " releases_at, expires_at) SELECT {loser}::bigint, e.wallet_id, e.booking_id, l.rule_id, e.amount,"
        " CASE e.from_account WHEN {pending} THEN e.amount ELSE 0 END,"
        " CASE e.from_account WHEN {active} THEN e.amount ELSE 0 END, l.earned_at, l.releases_at, l.expires_at"
        " FROM entry e JOIN lot l ON l.id = e.lot_id WHERE e.booking_id = {booking}"
        " RETURNING id, booking_id, member_id, wallet_id, amount, pending)",
        loser=loser_id,
        booking=booking_id,
        pending=names.PENDING,
        active=names.ACTIVE,
    )
    arrived = sql(
        "SELECT booking_id, member_id, wallet_id, id AS lot_id, {transit}::smallint AS from_account,"
        " CASE WHEN pending > 0 THEN {pending}::smallint ELSE {active}::smallint END AS to_account, amount FROM made",
        transit=names.TRANSIT,
        pending=names.PENDING,
        active=names.ACTIVE,
    )
    posting.post(arrived, before=made, new_lots=True, now=now)


_PURPOSE = _("to run the loyalty program you are in")
_KEPT = _("as long as you are a member")
_WITHOUT_YOU = _("the booking stays as a number without a name, because accounts must add up")
TABLES = (
    Held(
        "member",
        _("Your membership and your tier"),
        _PURPOSE,
        _("made when you joined"),
        _("points, tiers and their benefits"),
        _KEPT,
    ),
    Held(
        "member_balance",
        _("Your points"),
        _PURPOSE,
        _("counted from your bookings"),
        _("you can spend them"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "booking",
        _("What you got points for or spent them on, with the lines of the receipt"),
        _PURPOSE,
        _("told by the till or the shop, or made by you"),
        _("every point can be explained, a return takes back the right ones"),
        _KEPT,
        rows=_MINE,
        reason=_WITHOUT_YOU,
    ),
    Held(
        "lot",
        _("Which points came when, and until when they are good"),
        _PURPOSE,
        _("made with each booking"),
        _("the oldest are spent first, you are told before any expire"),
        _KEPT,
        rows=_MINE,
        reason=_WITHOUT_YOU,
    ),
    Held(
        "entry",
        _("Every movement of your points"),
        _PURPOSE,
        _("made with each booking"),
        _("your balance can be checked point by point"),
        _KEPT,
        rows=_MINE,
        reason=_WITHOUT_YOU,
    ),
    Held(
        "hold",
        _("Points that are set aside for you for a while"),
        _PURPOSE,
        _("made when you reserve something"),
        _("nothing else takes them meanwhile"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "points_adjustment",
        _("Corrections by hand, with their reason"),
        _("to put mistakes right, never by one person alone"),
        _("asked for by our staff"),
        _("mistakes are put right"),
        _KEPT,
        rows=_MINE,
        reason=_WITHOUT_YOU,
    ),
    *companions_data.TABLES,
)

hold_personal_data(PersonalData("loyalty.program", erase, export, merge, unmerge, TABLES))
