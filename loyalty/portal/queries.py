"""Reads what the portal's pages show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.kit.erasures import Held, held_tables, row_counts
from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.portal.models import Portal
from loyalty.program import names

PAGE = 25
# What a member has, whatever its state; the rest belongs to the program.
MINE = list(names.MEMBER_ACCOUNTS)


def portals() -> list[Portal]:
    """Every portal, the first one first."""
    return list(Portal.objects.order_by("id"))


@dataclass(frozen=True, slots=True)
class Movement:
    """A booking as its member sees it: what came (or went) in a wallet, and what it was for."""

    booking_id: int
    at: datetime
    kind: str
    wallet: str
    points: int
    waiting: bool
    reference: str | None
    store: Any
    amount: Any
    currency: str | None
    rules: list[Any]
    reason: str | None
    reward: Any


def movements(member_id: int, *, before: int | None = None, limit: int = PAGE) -> tuple[list[Movement], int | None]:
    """What moved the member's points, latest first, and the cursor of the next page.

    What only changed its state (released, held) moves nothing. A booking of two wallets is two rows; the cursor never
    parts them.
    """
    rows = fetch_values(
        sql(
            "WITH mine AS (SELECT e.booking_id, e.wallet_id, sum(CASE WHEN e.to_account = ANY({mine}) THEN e.amount"
            "   ELSE 0 END - CASE WHEN e.from_account = ANY({mine}) THEN e.amount ELSE 0 END)::bigint AS points,"
            "   bool_or(e.to_account = {pending} AND l.pending > 0) AS waiting, min(e.at) AS at,"
            "   array_agg(DISTINCT l.rule_id) FILTER (WHERE l.booking_id = e.booking_id) AS rule_ids"
            "   FROM entry e LEFT JOIN lot l ON l.id = e.lot_id"
            "   WHERE e.member_id = {member} AND ({before}::bigint IS NULL OR e.booking_id < {before}::bigint)"
            "   GROUP BY 1, 2), shown AS ("
            "   SELECT * FROM mine WHERE points <> 0 ORDER BY booking_id DESC, wallet_id LIMIT {limit})"
            " SELECT s.booking_id, coalesce(b.occurred_at, s.at) AS at, b.kind, w.key AS wallet, s.points, s.waiting,"
            " b.reference, coalesce(st.name, (SELECT p.name FROM"
            " partner_store ps JOIN partner p ON p.id = ps.partner_id WHERE ps.store = b.store AND p.name <> '{{}}'"
            " LIMIT 1), to_jsonb(b.store)) AS store, b.amount, b.currency,"
            " b.details ->> 'reason' AS reason,"
            " (SELECT r.name FROM reward_redemption o JOIN reward r ON r.id = o.reward_id"
            "   WHERE o.booking_id = s.booking_id) AS reward,"
            " coalesce((SELECT jsonb_agg(r.name ORDER BY r.id) FROM earning_rule r WHERE r.id = ANY(s.rule_ids)), '[]')"
            " AS rules"
            " FROM shown s JOIN booking b ON b.id = s.booking_id JOIN wallet w ON w.id = s.wallet_id"
            " LEFT JOIN store st ON st.key = b.store AND st.name <> '{{}}'"
            " ORDER BY s.booking_id DESC, w.position",
            mine=MINE,
            pending=names.PENDING,
            member=member_id,
            before=before,
            limit=limit + 9,
        )
    )
    found = [Movement(**row) for row in rows]
    if len(found) <= limit:
        return found, None
    last = found[limit - 1].booking_id
    kept = [one for one in found if one.booking_id >= last]
    return kept, last if len(kept) < len(found) else None


@dataclass(frozen=True, slots=True)
class Expiry:
    """Points that end at an instant."""

    at: datetime
    points: int


def expiries(member_id: int, *, wallet_id: int, limit: int = 6) -> list[Expiry]:
    """What of the member's usable points expires when, soonest first."""
    rows = fetch(
        sql(
            "SELECT expires_at, sum(active)::bigint FROM lot WHERE member_id = {member} AND wallet_id = {wallet}"
            " AND active > 0 AND expires_at IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {limit}",
            member=member_id,
            wallet=wallet_id,
            limit=limit,
        )
    )
    return [Expiry(at, points) for at, points in rows]


def releases(member_id: int, *, wallet_id: int) -> datetime | None:
    """When the next points can be used that still wait."""
    query = sql(
        "SELECT min(releases_at) FROM lot WHERE member_id = {member} AND wallet_id = {wallet} AND pending > 0",
        member=member_id,
        wallet=wallet_id,
    )
    return fetch(query)[0][0]


def held(customer_id: int) -> list[tuple[Held, int]]:
    """What is kept about the person, with the number of rows; one query."""
    counts = row_counts([customer_id])
    return [(one, counts[one.table]) for one in held_tables() if counts[one.table]]


def cards(customer_id: int) -> list[str]:
    """The numbers of the person's cards, the newest first."""
    query = sql(
        "SELECT value FROM customer_identity WHERE customer_id = {id} AND kind = 'card' ORDER BY id DESC",
        id=customer_id,
    )
    return [row[0] for row in fetch(query)]


def open_requests(customer_id: int) -> list[dict[str, Any]]:
    """What the person asked for about their data and is not answered yet."""
    return fetch_values(
        sql(
            "SELECT kind, received_at, due_at FROM rights_request WHERE customer_id = {id} AND state = 'open'"
            " ORDER BY received_at",
            id=customer_id,
        )
    )
