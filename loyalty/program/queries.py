"""Reads: who is a member, what they have, why, and what the program owes in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.program import life_words, names, sentences, tiering
from loyalty.program.models import Member
from loyalty.program.receipts import SOURCE, key_of
from loyalty.program.setup import Setup

PAGE = 50
LARGEST_PAGE = 500
SOON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page; None at the end."""

    rows: list[dict[str, Any]]
    next: int | None


def member_of(customer_id: int, *, program_id: int) -> Member | None:
    """The customer's membership."""
    return Member.objects.filter(customer_id=customer_id, program_id=program_id).first()


def balances(member_id: int, *, setup: Setup, now: datetime) -> list[dict[str, Any]]:
    """What the member has in each wallet, and what of it expires next."""
    rows = fetch(
        sql(
            "SELECT w.key, b.pending, b.active, b.locked, b.owed, l.expires_at, l.points, l.soon"
            " FROM member_balance b JOIN wallet w ON w.id = b.wallet_id LEFT JOIN LATERAL ("
            "   SELECT min(expires_at) AS expires_at, (array_agg(points ORDER BY expires_at))[1] AS points,"
            "   sum(points) FILTER (WHERE expires_at <= {soon}) AS soon FROM ("
            "     SELECT expires_at, sum(active) AS points FROM lot WHERE member_id = b.member_id"
            "     AND wallet_id = b.wallet_id AND active > 0 AND expires_at IS NOT NULL GROUP BY expires_at) by_day"
            " ) l ON TRUE WHERE b.member_id = {member} ORDER BY w.position",
            member=member_id,
            soon=now + timedelta(days=SOON_DAYS),
        )
    )
    return [
        {
            "wallet": key,
            "available": max(0, active - owed),
            "balance": active - owed,
            "pending": pending,
            "locked": locked,
            "owed": owed,
            "next_expiry": expires_at,
            "next_expiry_points": int(points or 0),
            "expiring_soon": int(soon or 0),
        }
        for key, pending, active, locked, owed, expires_at, points, soon in rows
    ]


def lots(member_id: int, *, limit: int = LARGEST_PAGE) -> list[dict[str, Any]]:
    """The lots that still have something in them, first what expires first."""
    return fetch_values(
        sql(
            "SELECT l.id, w.key AS wallet, r.key AS rule, l.booking_id, l.amount, l.pending, l.active, l.locked,"
            " l.earned_at, l.releases_at, l.awaits, l.expires_at FROM lot l JOIN wallet w ON w.id = l.wallet_id"
            " LEFT JOIN earning_rule r ON r.id = l.rule_id WHERE l.member_id = {member} AND l.open"
            " ORDER BY l.expires_at NULLS LAST, l.earned_at, l.id LIMIT {limit}",
            member=member_id,
            limit=limit,
        )
    )


def ledger(member_id: int, *, after: int | None = None, limit: int = PAGE) -> Page:
    """The member's entries, newest first."""
    rows = fetch_values(
        sql(
            "SELECT e.id, e.at, w.key AS wallet, b.kind, e.booking_id AS booking, b.reference, e.amount AS points,"
            " e.from_account, e.to_account, e.lot_id AS lot, r.key AS rule, b.details ->> 'reason' AS reason"
            " FROM entry e JOIN booking b ON b.id = e.booking_id JOIN wallet w ON w.id = e.wallet_id"
            " LEFT JOIN lot l ON l.id = e.lot_id LEFT JOIN earning_rule r ON r.id = l.rule_id"
            " WHERE e.member_id = {member} AND ({after}::bigint IS NULL OR e.id < {after}::bigint)"
            " ORDER BY e.id DESC LIMIT {limit}",
            member=member_id,
            after=after,
            limit=limit + 1,
        )
    )
    shown = rows[:limit]
    for row in shown:
        row["from"] = names.ACCOUNTS[row.pop("from_account")]
        row["to"] = names.ACCOUNTS[row.pop("to_account")]
    return Page(shown, shown[-1]["id"] if len(rows) > limit else None)


def balance_at(member_id: int, *, wallet_id: int, at: datetime) -> int:
    """What the member had at an instant: the sum of the entries until then."""
    return fetch(
        sql(
            "SELECT coalesce(sum(CASE WHEN to_account IN (2, 4) THEN amount ELSE 0 END"
            " - CASE WHEN from_account IN (2, 4) THEN amount ELSE 0 END), 0)::bigint"
            " FROM entry WHERE member_id = {member} AND wallet_id = {wallet} AND at <= {at}",
            member=member_id,
            wallet=wallet_id,
            at=at,
        )
    )[0][0]


def outcome(booking_id: int, *, setup: Setup, now: datetime) -> dict[str, Any]:
    """What a purchase, or its return, did: for the till's display and the receipt."""
    rules = {rule.id: rule for rule in setup.rules}
    member_id, kind, reference, amount = fetch(
        sql("SELECT member_id, kind, reference, amount FROM booking WHERE id = {id}", id=booking_id)
    )[0]
    terms, earned = sentences.terms_of(setup), []
    for key, rule_id, points, pending, releases_at, awaits, expires_at in fetch(
        sql(
            "SELECT w.key, l.rule_id, l.amount, l.pending, l.releases_at, l.awaits, l.expires_at FROM lot l"
            " JOIN wallet w ON w.id = l.wallet_id WHERE l.booking_id = {id} ORDER BY l.id",
            id=booking_id,
        )
    ):
        rule = rules.get(rule_id)
        earned.append(
            {
                "wallet": key,
                "points": points,
                "rule": rule.document.key if rule else None,
                "sentence": sentences.sentence(rule, terms) if rule else "",
                "state": "pending" if pending else "active",
                "available_at": releases_at if pending else None,
                "waits_for": awaits if pending else None,
                "expires_at": expires_at,
            }
        )
    moved = fetch(
        sql(
            "SELECT w.key, e.from_account, e.to_account, sum(e.amount)::bigint FROM entry e"
            " JOIN wallet w ON w.id = e.wallet_id WHERE e.booking_id = {id} GROUP BY 1, 2, 3",
            id=booking_id,
        )
    )
    member = Member.objects.select_related("tier").get(id=member_id)
    return {
        "booking": booking_id,
        "kind": kind,
        "id": reference,
        "amount": amount,
        "earned": earned,
        "points": sum(one["points"] for one in earned if one["wallet"] == setup.document.wallets[0].key),
        "spent": _sums(moved, to=names.SPENT),
        "reversed": _sums(moved, to=names.REVERSED),
        "refunded": _sums(moved, source=names.SPENT),
        "balances": balances(member_id, setup=setup, now=now),
        "tier": member.tier.key if member.tier else None,
        "notice": life_words.ending(setup, now) or None,
    }


def _sums(moved: Sequence[tuple[str, int, int, int]], *, to: int = 0, source: int = 0) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, from_account, to_account, points in moved:
        if to_account == to or from_account == source:
            found[key] = found.get(key, 0) + points
    return found


def tier_progress(member: Member, *, setup: Setup, now: datetime) -> dict[str, Any]:
    """The member's tier, what it is measured by, and what is missing to the next."""
    value = tiering.values(setup, [member.pk], now=now).get(member.pk, Decimal(0))
    mine = next((tier for tier in setup.tiers if tier.id == member.tier_id), None)
    following = next((tier for tier in setup.tiers if tier.rank > (mine.rank if mine else 0)), None)
    return {
        "tier": mine.key if mine else None,
        "since": member.tier_since,
        "falls_at": member.tier_falls_at,
        "fixed_until": member.tier_fixed_until,
        "measured_by": setup.document.tiers.by,
        "value": value,
        "next_tier": following.key if following else None,
        "missing": max(Decimal(0), following.threshold - value) if following else None,
    }


@dataclass(frozen=True, slots=True)
class Liability:
    """Points of a wallet by the year in which they were earned, and their worth."""

    wallet: str
    year: int
    pending: int
    active: int
    locked: int
    worth: Decimal


def liability(setup: Setup) -> list[Liability]:
    """What the program owes its members, by age of the points. One read of the open lots."""
    rows = fetch(
        sql(
            "SELECT w.id, w.key, extract(year FROM l.earned_at AT TIME ZONE {zone})::int AS year, sum(l.pending),"
            " sum(l.active), sum(l.locked) FROM lot l JOIN wallet w ON w.id = l.wallet_id"
            " WHERE l.open AND w.program_id = {program} GROUP BY 1, 2, 3 ORDER BY w.id, year",
            zone=setup.zone,
            program=setup.id,
        )
    )
    return [
        Liability(
            key, year, int(pending), int(active), int(locked),
            ((pending + active + locked) * setup.settings_of(wallet_id).value).quantize(Decimal("0.01")),
        )
        for wallet_id, key, year, pending, active, locked in rows
    ]  # fmt: skip


def flows_of_points(setup: Setup, *, since: datetime) -> dict[str, dict[str, int]]:
    """Points by wallet since that instant: earned, spent, expired, reversed. Reads the entries of that time."""
    rows = fetch(
        sql(
            "SELECT w.key, sum(e.amount) FILTER (WHERE e.from_account = {issued})::bigint,"
            " sum(e.amount) FILTER (WHERE e.to_account = {spent})::bigint,"
            " sum(e.amount) FILTER (WHERE e.to_account = {expired})::bigint,"
            " sum(e.amount) FILTER (WHERE e.to_account = {reversed})::bigint"
            " FROM booking b JOIN entry e ON e.booking_id = b.id JOIN wallet w ON w.id = e.wallet_id"
            " WHERE b.recorded_at >= {since} AND b.program_id = {program} GROUP BY 1",
            issued=names.ISSUED,
            spent=names.SPENT,
            expired=names.EXPIRED,
            reversed=names.REVERSED,
            since=since,
            program=setup.id,
        )
    )
    words = ("earned", "spent", "expired", "reversed")
    return {row[0]: {word: row[place] or 0 for place, word in enumerate(words, 1)} for row in rows}


def tier_counts(program_id: int) -> dict[int, int]:
    """Members by tier, by an index that holds nothing else."""
    return dict(
        fetch(
            sql(
                "SELECT tier_id, count(*) FROM member WHERE tier_id IN (SELECT id FROM tier WHERE program_id = {p})"
                " GROUP BY 1",
                p=program_id,
            )
        )
    )


def program_of_purchase(identifier: str) -> str | None:
    """The key of the program in which a purchase of that id was committed."""
    rows = fetch(
        sql(
            "SELECT p.key FROM booking b JOIN program p ON p.id = b.program_id WHERE b.key_digest = {key}::uuid",
            key=key_of(SOURCE, identifier),
        )
    )
    return rows[0][0] if rows else None


def hold_owner(hold_id: int) -> tuple[int, str] | None:
    """(member, key of the program) of a hold."""
    rows = fetch(
        sql(
            "SELECT h.member_id, p.key FROM hold h JOIN booking b ON b.id = h.booking_id"
            " JOIN program p ON p.id = b.program_id WHERE h.booking_id = {id}",
            id=hold_id,
        )
    )
    return rows[0] if rows else None
