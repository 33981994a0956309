"""What a reservation takes and gives back: uses, limits, budgets and money on gift cards, all in sets.

Limits and budgets are counted only where a pool or an offer has some; such rows are locked before they are read, so
that the last ten are ten, whoever asks at the same time.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.offers import names
from loyalty.offers.evaluating import OFFER, VOUCHER, Evaluation

BATCH = 2_000
_COUNTED = "(definition #> '{limits,total}' IS NOT NULL OR definition #> '{limits,budget}' IS NOT NULL)"


def lock(found: Evaluation) -> None:
    """Keep what the evaluation uses as it is until the transaction ends: pools, offers, vouchers, each by id."""
    pools = sorted({one.id for one, _ in found.effects if one.kind == VOUCHER})
    offers = sorted({one.id for one, _ in found.effects if one.kind == OFFER})
    vouchers = sorted(one.voucher_id for one, _ in found.effects if one.voucher_id is not None)
    _lock_counted("voucher_pool", pools)
    _lock_counted("offer", offers)
    _lock_vouchers(vouchers)


def _lock_counted(table: str, ids: Sequence[int]) -> None:
    """Those with limits for us alone; the others so that nobody gives them limits meanwhile."""
    if not ids:
        return
    rows = fetch(
        sql(
            "SELECT id, {counted} FROM {table} WHERE id = ANY({ids}::int[]) ORDER BY id FOR KEY SHARE",
            counted=Sql(_COUNTED),
            table=Sql(table),
            ids=list(ids),
        )
    )
    if counted := [row[0] for row in rows if row[1]]:
        fetch(
            sql(
                "SELECT id FROM {table} WHERE id = ANY({ids}::int[]) ORDER BY id FOR NO KEY UPDATE",
                table=Sql(table),
                ids=counted,
            )
        )


def _lock_vouchers(ids: Sequence[int]) -> None:
    if ids:
        fetch(
            sql("SELECT id FROM voucher WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR NO KEY UPDATE", ids=list(ids))
        )


def hold(found: Evaluation, reservation_id: int, *, now: datetime) -> None:
    """Write the uses of a reservation, and take what they take; the caller has locked it."""
    if not found.effects:
        return
    execute(
        sql(
            "INSERT INTO offer_use (reservation_id, pool_id, voucher_id, offer_id, customer_id, state, at, amount,"
            " paid, lines) SELECT {reservation}, u.pool, u.voucher, u.offer, {customer}::bigint, 'reserved', {now},"
            " u.amount, u.paid, u.lines FROM unnest({pools}::int[], {vouchers}::bigint[], {offers}::int[],"
            " {amounts}::numeric[], {paid}::numeric[], {lines}::jsonb[]) WITH ORDINALITY"
            " AS u (pool, voucher, offer, amount, paid, lines, n) ORDER BY u.n",
            reservation=reservation_id,
            customer=found.customer_id,
            now=now,
            pools=[one.id if one.kind == VOUCHER else None for one, _ in found.effects],
            vouchers=[one.voucher_id for one, _ in found.effects],
            offers=[one.id if one.kind == OFFER else None for one, _ in found.effects],
            amounts=[effect.discount for _, effect in found.effects],
            paid=[effect.paid for _, effect in found.effects],
            lines=[
                json.dumps({str(n): str(share) for n, share in effect.lines.items()}) for _, effect in found.effects
            ],
        )
    )
    _count([reservation_id], 1)
    _move_money([reservation_id], names.AVAILABLE, names.HELD, now)


def _count(reservations: Sequence[int], sign: int, which: Sql | None = None) -> None:
    """Count the uses of these reservations (those `which` holds for) on vouchers, pools and offers."""
    only = which or Sql("TRUE")
    execute(
        sql(
            "UPDATE voucher v SET uses = v.uses + {sign} * x.n FROM (SELECT u.voucher_id, count(*)::int AS n"
            " FROM offer_use u WHERE u.reservation_id = ANY({ids}::bigint[]) AND u.voucher_id IS NOT NULL"
            " AND {only} GROUP BY 1) x WHERE v.id = x.voucher_id",
            sign=Sql(str(sign)),
            ids=list(reservations),
            only=only,
        )
    )
    for table, column in (("voucher_pool", "pool_id"), ("offer", "offer_id")):
        execute(
            sql(
                "UPDATE {table} t SET uses = greatest(0, t.uses + {sign} * x.n),"
                " spent = greatest(0, t.spent + {sign} * x.amount) FROM (SELECT u.{column} AS id, count(*) AS n,"
                " sum(u.amount) AS amount FROM offer_use u WHERE u.reservation_id = ANY({ids}::bigint[])"
                " AND u.{column} IS NOT NULL AND {only} GROUP BY 1) x WHERE t.id = x.id AND {counted}",
                table=Sql(table),
                column=Sql(column),
                sign=Sql(str(sign)),
                ids=list(reservations),
                only=only,
                counted=Sql(_COUNTED),
            )
        )


_STANDS = {names.AVAILABLE: "available", names.HELD: "held"}


def _move_money(reservations: Sequence[int], source: int, target: int, now: datetime) -> int:
    """Move what gift cards pay in these reservations from one account to another."""
    changes = []
    if source in _STANDS:
        changes.append(f"{_STANDS[source]} = v.{_STANDS[source]} - x.amount")
    if target in _STANDS:
        changes.append(f"{_STANDS[target]} = v.{_STANDS[target]} + x.amount")
    return execute(
        sql(
            "WITH moved AS (INSERT INTO gift_entry (voucher_id, reservation_id, from_account, to_account, amount, at)"
            " SELECT u.voucher_id, u.reservation_id, {source}, {target}, u.paid, {now} FROM offer_use u"
            " WHERE u.reservation_id = ANY({ids}::bigint[]) AND u.paid > 0 RETURNING voucher_id, amount)"
            " UPDATE voucher v SET {changes} FROM (SELECT voucher_id, sum(amount) AS amount FROM moved GROUP BY 1) x"
            " WHERE v.id = x.voucher_id",
            source=source,
            target=target,
            now=now,
            ids=list(reservations),
            changes=Sql(", ".join(changes)),
        )
    )


def settle(reservation_id: int, *, now: datetime) -> None:
    """What a locked reservation holds is used for good."""
    _move_money([reservation_id], names.HELD, names.SPENT, now)
    execute(
        sql(
            "UPDATE offer_use SET state = 'redeemed', at = {now} WHERE reservation_id = {id}",
            now=now,
            id=reservation_id,
        )
    )


def let_go(reservations: Sequence[int], state: str, *, now: datetime) -> None:
    """What these locked reservations hold is free again."""
    _lock_all(reservations)
    _count(reservations, -1)
    _move_money(reservations, names.HELD, names.AVAILABLE, now)
    for table, column, moment in (("offer_use", "reservation_id", "at"), ("offer_reservation", "id", "settled_at")):
        execute(
            sql(
                "UPDATE {table} SET state = {state}, {moment} = {now} WHERE {column} = ANY({ids}::bigint[])",
                table=Sql(table),
                column=Sql(column),
                moment=Sql(moment),
                state=state,
                now=now,
                ids=list(reservations),
            )
        )


def _lock_all(reservations: Sequence[int]) -> None:
    rows = fetch(
        sql(
            "SELECT pool_id, offer_id, voucher_id FROM offer_use WHERE reservation_id = ANY({ids}::bigint[])",
            ids=list(reservations),
        )
    )
    _lock_counted("voucher_pool", sorted({row[0] for row in rows if row[0] is not None}))
    _lock_counted("offer", sorted({row[1] for row in rows if row[1] is not None}))
    _lock_vouchers(sorted({row[2] for row in rows if row[2] is not None}))


def give_back(reservation_id: int, *, now: datetime) -> None:
    """What a locked, redeemed reservation used can be used again where its document says so; money always comes back,
    but for what came back before in parts."""
    _lock_all([reservation_id])
    restored = Sql(
        "coalesce((SELECT p.definition ->> 'returned' FROM voucher_pool p WHERE p.id = u.pool_id),"
        " (SELECT o.definition ->> 'returned' FROM offer o WHERE o.id = u.offer_id), 'restore') = 'restore'"
    )
    execute(
        sql(
            "UPDATE offer_reservation SET state = 'returned', settled_at = {now} WHERE id = {id}",
            now=now,
            id=reservation_id,
        )
    )
    _count([reservation_id], -1, restored)
    execute(
        sql(
            "UPDATE offer_use u SET state = 'returned', at = {now} WHERE u.reservation_id = {id} AND {restored}",
            now=now,
            id=reservation_id,
            restored=restored,
        )
    )
    refund(reservation_id, None, now=now)


def refund(reservation_id: int, amount: Decimal | None, *, now: datetime, key: UUID | None = None) -> Decimal:
    """Give money back onto the gift cards that paid in a locked reservation, at most what they paid, first what paid
    last; without `amount` all that is left. The same `key` gives nothing again. The money given."""
    if key is not None and fetch(
        sql("SELECT FROM gift_entry WHERE reservation_id = {id} AND key_digest = {key} AND voucher_id IN"
            " (SELECT voucher_id FROM offer_use WHERE reservation_id = {id})", id=reservation_id, key=key)
    ):  # fmt: skip
        return Decimal(0)
    rows = fetch(
        sql(
            "SELECT e.voucher_id, sum(CASE WHEN e.to_account = {spent} THEN e.amount"
            " WHEN e.from_account = {spent} THEN -e.amount ELSE 0 END) FROM gift_entry e"
            " WHERE e.voucher_id IN (SELECT voucher_id FROM offer_use WHERE reservation_id = {id} AND paid > 0)"
            " AND e.reservation_id = {id} GROUP BY 1 ORDER BY max(e.id) DESC",
            spent=names.SPENT,
            id=reservation_id,
        )
    )
    left = sum((row[1] for row in rows), Decimal(0)) if amount is None else amount
    given: dict[int, Decimal] = {}
    for voucher_id, paid in rows:
        share = min(left, paid)
        if share > 0:
            given[voucher_id] = share
            left -= share
    if given:
        execute(
            sql(
                "WITH moved AS (INSERT INTO gift_entry (voucher_id, reservation_id, from_account, to_account, amount,"
                " at, key_digest) SELECT g.id, {reservation}, {spent}, {available}, g.amount, {now}, {key}::uuid"
                " FROM unnest({ids}::bigint[], {amounts}::numeric[]) AS g (id, amount) RETURNING voucher_id, amount)"
                " UPDATE voucher v SET available = v.available + m.amount FROM moved m WHERE v.id = m.voucher_id",
                reservation=reservation_id,
                spent=names.SPENT,
                available=names.AVAILABLE,
                now=now,
                key=key,
                ids=list(given),
                amounts=list(given.values()),
            )
        )
    return sum(given.values(), Decimal(0))


def any_due(*, now: datetime) -> bool:
    """Whether reservations ran out that nobody has let go yet."""
    query = sql("SELECT FROM offer_reservation WHERE state = 'reserved' AND ends_at <= {now} LIMIT 1", now=now)
    return execute(query) > 0


def end_due(*, now: datetime, limit: int = BATCH) -> int:
    """Let go of reservations that ran out and that nobody works on; how many."""
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT id FROM offer_reservation WHERE state = 'reserved' AND ends_at <= {now}"
                " ORDER BY ends_at LIMIT {limit} FOR UPDATE SKIP LOCKED",
                now=now,
                limit=limit,
            )
        )
        ids = [row[0] for row in rows]
        if ids:
            let_go(ids, names.RELEASED, now=now)
    return len(ids)
