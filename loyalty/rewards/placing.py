"""Writes redemptions with all that belongs to them: parts of bundles, codes, steps, facts, stock. Set-based."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.rewards import names, stock, vouchers
from loyalty.rewards.loading import Loaded

_COLUMNS = (
    "program_id, customer_id, reward_id, parent_id, quantity, state, state_since, source, points, wallet_id, money,"
    " currency, payment, booking_id, slot_id, address, note, key_digest, content_digest, ordered_at"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One redemption to write."""

    customer_id: int
    quantity: int = 1
    points: int = 0
    wallet_id: int | None = None
    money: Decimal | None = None
    currency: str | None = None
    payment: str | None = None
    booking_id: int | None = None
    slot_id: int | None = None
    address: Mapping[str, str] | None = None
    note: str | None = None
    key: UUID | None = None
    content: UUID | None = None


def place(reward: Loaded, rows: Sequence[Row], *, now: datetime, source: str, actor: str | None = None) -> list[int]:
    """Write these redemptions of one reward, their ids in the same order.

    The customers are locked by the caller. Raises Problems when a piece, a code or a place is missing, and then the
    caller's transaction must not go on.
    """
    partitions.ensure(now, now)
    ids = _insert(reward, rows, source=source, now=now)
    everything = {reward.row.id: ids}
    quantity = rows[0].quantity if rows else 1
    for part, number in reward.parts:
        everything[part.row.id] = _insert_part(part, ids, number, now=now, source=source)
    for one, number in ((reward, quantity), *((part, quantity * number) for part, number in reward.parts)):
        if one.document.codes:
            have = stock.assign_codes(one.row.id, everything[one.row.id], each=number, now=now)
            if have < len(ids):
                raise Problems([stock.sold_out()])
        if one.document.voucher_pool:
            owners = list(zip(everything[one.row.id], [row.customer_id for row in rows], strict=True))
            if not vouchers.issue(one.document.voucher_pool, owners, each=number, amount=one.document.value, now=now):
                raise Problems([stock.sold_out()])
    every_id = [redemption_id for some in everything.values() for redemption_id in some]
    log(every_id, now=now, actor=actor)
    tell("reward.redeemed", ids, now=now)
    for slot_id, places in _places(rows).items():
        stock.take_place(slot_id, places)
    total = sum(row.quantity for row in rows)
    # Last, as all who redeem the same reward wait for each other from here on.
    stock.take({reward.row.id: total} | {part.row.id: number * total for part, number in reward.parts})
    return ids


def _places(rows: Sequence[Row]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in rows:
        if row.slot_id is not None:
            found[row.slot_id] = found.get(row.slot_id, 0) + row.quantity
    return found


def _insert(reward: Loaded, rows: Sequence[Row], *, source: str, now: datetime) -> list[int]:
    query = sql(
        "INSERT INTO reward_redemption ({columns}) SELECT {program}, r.customer, {reward}, NULL, r.quantity, {state},"
        " {now}, {source}, r.points, r.wallet, r.money, r.currency, r.payment, r.booking, r.slot, r.address::jsonb,"
        " r.note, r.key, r.content, {now} FROM unnest({customers}::bigint[], {quantities}::smallint[], {points}::int[],"
        " {wallets}::int[], {moneys}::numeric[], {currencies}::text[], {payments}::text[], {bookings}::bigint[],"
        " {slots}::int[], {addresses}::text[], {notes}::text[], {keys}::uuid[], {contents}::uuid[])"
        " WITH ORDINALITY AS r (customer, quantity, points, wallet, money, currency, payment, booking, slot, address,"
        " note, key, content, place) ORDER BY r.place ON CONFLICT (key_digest) DO NOTHING RETURNING id",
        columns=Sql(_COLUMNS),
        program=reward.row.program_id,
        reward=reward.row.id,
        state=names.DELIVERED if reward.at_once else names.ORDERED,
        now=now,
        source=source,
        customers=[row.customer_id for row in rows],
        quantities=[row.quantity for row in rows],
        points=[row.points for row in rows],
        wallets=[row.wallet_id for row in rows],
        moneys=[row.money for row in rows],
        currencies=[row.currency for row in rows],
        payments=[row.payment for row in rows],
        bookings=[row.booking_id for row in rows],
        slots=[row.slot_id for row in rows],
        addresses=[None if row.address is None else json.dumps(dict(row.address)) for row in rows],
        notes=[row.note for row in rows],
        keys=[row.key for row in rows],
        contents=[row.content for row in rows],
    )
    ids = [row[0] for row in fetch(query)]
    if len(ids) < len(rows):
        raise Problems([Problem("id", "stands for another order already", "give each order an id of its own")])
    return ids


def _insert_part(part: Loaded, parents: Sequence[int], number: int, *, now: datetime, source: str) -> list[int]:
    query = sql(
        "INSERT INTO reward_redemption (program_id, customer_id, reward_id, parent_id, quantity, state, state_since,"
        " source, points, address, ordered_at) SELECT p.program_id, p.customer_id, {reward}, p.id, p.quantity * {n},"
        " {state}, {now}, {source}, 0, p.address, {now} FROM reward_redemption p WHERE p.id = ANY({parents}::bigint[])"
        " ORDER BY p.id RETURNING id",
        reward=part.row.id,
        n=number,
        state=names.DELIVERED if part.at_once else names.ORDERED,
        now=now,
        source=source,
        parents=list(parents),
    )
    return [row[0] for row in fetch(query)]


def log(redemption_ids: Sequence[int], *, now: datetime, actor: str | None) -> None:
    """Note the state that these have reached."""
    execute(
        sql(
            "INSERT INTO reward_redemption_step (redemption_id, state, at, actor)"
            " SELECT id, state, {now}, {actor}::text FROM reward_redemption WHERE id = ANY({ids}::bigint[])"
            " ORDER BY id",
            now=now,
            actor=actor,
            ids=list(redemption_ids),
        )
    )


def tell(fact: str, redemption_ids: Sequence[int], *, now: datetime, **also: Any) -> int:
    """Tell the timeline of the customers what happened to these."""
    rows = sql(
        "SELECT o.customer_id, {now}::timestamptz, o.id, jsonb_strip_nulls(jsonb_build_object('program', p.key,"
        " 'reward', r.key, 'name', r.name, 'type', r.type, 'quantity', o.quantity, 'points', o.points,"
        " 'money', o.money, 'currency', o.currency, 'tracking', o.tracking, 'source', o.source)"
        " || {also}::jsonb) FROM reward_redemption o JOIN reward r ON r.id = o.reward_id"
        " JOIN program p ON p.id = o.program_id"
        " WHERE o.id = ANY({ids}::bigint[]) AND o.customer_id IS NOT NULL",
        now=now,
        also=json.dumps(also),
        ids=list(redemption_ids),
    )
    return facts.write(fact, rows)
