"""Carries out what was ordered: points given, taken and locked, tiers set, for thousands of members at once.

One chore at a time works a program's orders (an advisory lock), a person's one after the other. Members are locked
before anything is read of them; what cannot be done is refused with the reason, and stays to be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, movements, names, orders, posting
from loyalty.program.movements import Grant
from loyalty.program.setup import Setup

BATCH = 5_000
# Reasons that stay in the order, read by people.
NO_MEMBER, FROZEN, LEFT, TOO_FEW, ENDED = "no member", "frozen", "has left", "too few points", "program has ended"


@dataclass(frozen=True, slots=True)
class Order:
    """One open order and whose it is."""

    id: int
    customer_id: int
    kind: str
    wallet_id: int
    points: int
    lasts: int
    tier_id: int | None
    reason: str
    key: UUID
    member_id: int = 0


def work(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """Carry out the oldest orders, at most one a person; how many were settled."""
    with transaction.atomic():
        if not fetch(sql("SELECT pg_try_advisory_xact_lock(hashtext('program.orders'), {p})", p=setup.id))[0][0]:
            return 0
        waiting = _open(setup, limit)
        if not waiting:
            return 0
        partitions.ensure(now, now)
        people = [one.customer_id for one in waiting]
        members = membership.of_customers(people, program_id=setup.id)
        strangers = set(people) - members.keys()
        if strangers and setup.document.join == "automatic":
            membership.join(strangers, setup=setup, now=now)
            members |= membership.of_customers(strangers, program_id=setup.id)
        states = membership.lock([member_id for member_id, _ in members.values()])
        refused: dict[int, str] = {}
        ready = []
        for one in waiting:
            member_id = members.get(one.customer_id, (0, ""))[0]
            state = states.get(member_id, "gone")
            # Who has left can still spend; all else is for members.
            if one.kind == orders.AWARD and setup.earning_over(now):
                refused[one.id] = ENDED
            elif state == "active" or (state == "left" and one.kind in orders.TAKING):
                ready.append(replace(one, member_id=member_id))
            else:
                refused[one.id] = {"frozen": FROZEN, "left": LEFT}.get(state, NO_MEMBER)
        _award([one for one in ready if one.kind == orders.AWARD], setup, now)
        refused |= _take([one for one in ready if one.kind in orders.TAKING], setup, now)
        _set_tiers([one for one in ready if one.kind == orders.TIER], setup, now)
        _settle([one.id for one in waiting], refused, now)
    return len(waiting)


def _open(setup: Setup, limit: int) -> list[Order]:
    rows = fetch(
        sql(
            "SELECT DISTINCT ON (customer_id) id, customer_id, kind, wallet_id, points, lasts, tier_id, reason, key"
            " FROM (SELECT * FROM points_order WHERE program_id = {program} AND settled_at IS NULL ORDER BY id"
            " LIMIT {limit}) o ORDER BY customer_id, wanted_at, position, id",
            program=setup.id,
            limit=limit,
        )
    )
    return sorted(
        (
            Order(number, customer, kind, wallet or 0, points or 0, lasts or 0, tier, reason or "", key)
            for number, customer, kind, wallet, points, lasts, tier, reason, key in rows
        ),
        key=lambda one: one.id,
    )


def _award(wanted: Sequence[Order], setup: Setup, now: datetime) -> None:
    """One statement for each wallet and reason, of which there are as many as there are steps."""
    keys = {wallet_id: key for key, wallet_id in setup.wallet_ids.items()}

    def kind(one: Order) -> tuple[int, str]:
        return one.wallet_id, one.reason

    for (wallet_id, reason), group in groupby(sorted(wanted, key=kind), key=kind):
        if wallet_id in keys:
            movements.grant(
                [Grant(one.member_id, one.points, one.key) for one in group],
                setup=setup,
                wallet=keys[wallet_id],
                kind=names.OCCASION,
                reason=reason or None,
                now=now,
            )


def _take(wanted: Sequence[Order], setup: Setup, now: datetime) -> dict[int, str]:
    """Spend or lock; the reasons of those with too few."""
    if not wanted:
        return {}
    has = {
        (member_id, wallet_id): points
        for member_id, wallet_id, points in fetch(
            sql(
                "SELECT member_id, wallet_id, active - owed FROM member_balance WHERE member_id = ANY({ids}::bigint[])",
                ids=[one.member_id for one in wanted],
            )
        )
    }
    fit = [one for one in wanted if has.get((one.member_id, one.wallet_id), 0) >= one.points]
    for kind, booked_as, account, fact in (
        (orders.SPEND, names.SPEND, names.SPENT, "points.spent"),
        (orders.LOCK, names.LOCK, names.LOCKED, "points.locked"),
    ):
        _move([one for one in fit if one.kind == kind], booked_as, account, fact, setup, now)
    fine = {one.id for one in fit}
    return {one.id: TOO_FEW for one in wanted if one.id not in fine}


def _move(chosen: Sequence[Order], booked_as: str, account: int, fact: str, setup: Setup, now: datetime) -> None:
    if not chosen:
        return
    booked = fetch(
        sql(
            "INSERT INTO booking (program_id, kind, member_id, occurred_at, recorded_at, key_digest, details)"
            " SELECT {program}, {kind}, o.member_id, {now}, {now}, o.key, CASE WHEN o.reason <> '' THEN"
            " jsonb_build_object('reason', o.reason) END FROM unnest({members}::bigint[], {keys}::uuid[],"
            " {reasons}::text[]) AS o (member_id, key, reason) ON CONFLICT (key_digest) DO NOTHING"
            " RETURNING member_id, id",
            program=setup.id,
            kind=booked_as,
            now=now,
            members=[one.member_id for one in chosen],
            keys=[one.key for one in chosen],
            reasons=[one.reason for one in chosen],
        )
    )
    booking_of = dict(booked)
    taken = [one for one in chosen if one.member_id in booking_of]
    wants = sql(
        "SELECT * FROM unnest({bookings}::bigint[], {members}::bigint[], {wallets}::int[], {points}::bigint[])"
        " AS w (booking_id, member_id, wallet_id, amount)",
        bookings=[booking_of[one.member_id] for one in taken],
        members=[one.member_id for one in taken],
        wallets=[one.wallet_id for one in taken],
        points=[one.points for one in taken],
    )
    posting.post(posting.allot(wants, account), now=now, fact=fact)
    if account == names.LOCKED:
        execute(
            sql(
                "INSERT INTO hold (booking_id, member_id, wallet_id, amount, ends_at) SELECT w.booking_id, w.member_id,"
                " w.wallet_id, w.amount, {now}::timestamptz + make_interval(secs => w.lasts) FROM unnest("
                "{bookings}::bigint[], {members}::bigint[], {wallets}::int[], {points}::int[], {lasts}::bigint[])"
                " AS w (booking_id, member_id, wallet_id, amount, lasts)",
                now=now,
                bookings=[booking_of[one.member_id] for one in taken],
                members=[one.member_id for one in taken],
                wallets=[one.wallet_id for one in taken],
                points=[one.points for one in taken],
                lasts=[one.lasts for one in taken],
            )
        )


def _set_tiers(wanted: Sequence[Order], setup: Setup, now: datetime) -> None:
    """Give tiers by order; one that is set to last holds whatever the value, one without end until the next look."""
    if not wanted:
        return
    these = sql(
        "unnest({members}::bigint[], {tiers}::int[], {lasts}::bigint[]) AS o (member_id, tier_id, lasts)",
        members=[one.member_id for one in wanted],
        tiers=[one.tier_id for one in wanted],
        lasts=[one.lasts for one in wanted],
    )
    facts.write(
        "tier.changed",
        sql(
            "SELECT m.customer_id, {now}::timestamptz, o.tier_id::bigint, jsonb_build_object('program',"
            " {program}::text, 'from', b.key, 'to', a.key, 'direction', CASE WHEN coalesce(a.rank, 0) >"
            " coalesce(b.rank, 0) THEN 'up' ELSE 'down' END) FROM {these}"
            " JOIN member m ON m.id = o.member_id LEFT JOIN tier b ON b.id = m.tier_id"
            " LEFT JOIN tier a ON a.id = o.tier_id WHERE m.tier_id IS DISTINCT FROM o.tier_id",
            now=now,
            program=setup.key,
            these=these,
        ),
    )
    execute(
        sql(
            "UPDATE member m SET tier_since = CASE WHEN m.tier_id IS DISTINCT FROM o.tier_id THEN {now}::timestamptz"
            " ELSE m.tier_since END, tier_id = o.tier_id, tier_falls_at = NULL, tier_fixed_until = CASE WHEN"
            " o.lasts > 0 THEN {now}::timestamptz + make_interval(secs => o.lasts) END FROM {these}"
            " WHERE m.id = o.member_id",
            now=now,
            these=these,
        )
    )


def _settle(order_ids: Sequence[int], refused: dict[int, str], now: datetime) -> None:
    execute(
        sql(
            "UPDATE points_order o SET settled_at = {now}, refusal = r.reason FROM unnest({ids}::bigint[]) AS s (id)"
            " LEFT JOIN unnest({refused}::bigint[], {reasons}::text[]) AS r (id, reason) ON r.id = s.id"
            " WHERE o.id = s.id AND o.settled_at IS NULL",
            now=now,
            ids=list(order_ids),
            refused=list(refused),
            reasons=list(refused.values()),
        )
    )
