"""What happens to redemptions after they were ordered: approved, packed, shipped, delivered, or cancelled."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, fetch_values, sql
from loyalty.program import refunds
from loyalty.rewards import names, stock, supplier_orders, vouchers
from loyalty.rewards.models import Redemption
from loyalty.rewards.orders import check_address
from loyalty.rewards.placing import log, tell
from loyalty.rewards.shapes import Cancelled

MOST_AT_ONCE = 10_000

_STAYS = Problem("redemption", "was delivered the moment it was redeemed", "ask the staff")


@transaction.atomic
def advance(
    redemption_ids: Sequence[int], *, state: str, now: datetime, actor: str | None = None, tracking: str | None = None
) -> int:
    """Bring these redemptions to the state; how many came there. Those it cannot follow on stay as they are.

    A bundle is delivered when its last part is; nothing leaves the house before its part in money is paid.
    Raises Problems for a state that is none or needs `cancel`.
    """
    if state not in names.STATES or state in (names.ORDERED, names.CANCELLED):
        known = ", ".join(one for one in names.STATES if one not in (names.ORDERED, names.CANCELLED))
        raise Problems([Problem("state", f"cannot be set to {state!r}", f"known: {known}")])
    if len(redemption_ids) > MOST_AT_ONCE:
        raise Problems([Problem("redemptions", f"are more than {MOST_AT_ONCE:,}", "take them in several parts")])
    rows = fetch(
        sql(
            "WITH these AS MATERIALIZED (SELECT o.id FROM reward_redemption o JOIN reward r ON r.id = o.reward_id"
            " WHERE o.id = ANY({ids}::bigint[]) AND r.type <> 'bundle'"
            " AND ((r.type = 'physical' AND o.state = ANY({parcels}::text[]) AND o.address IS NOT NULL)"
            " OR (r.type <> 'physical' AND o.state = ANY({others}::text[])))"
            " AND ({state} = 'approved' OR NOT EXISTS (SELECT FROM reward_redemption u"
            " WHERE u.id IN (o.id, o.parent_id) AND u.money IS NOT NULL AND u.payment IS NULL))"
            " ORDER BY o.id FOR NO KEY UPDATE OF o)"
            " UPDATE reward_redemption o SET state = {state}, state_since = {now},"
            " tracking = coalesce({tracking}::text, o.tracking) FROM these WHERE o.id = these.id"
            " RETURNING o.id, o.parent_id",
            ids=list(redemption_ids),
            parcels=list(names.before(names.PHYSICAL, state)),
            others=list(names.before(names.DIGITAL, state)),
            state=state,
            now=now,
            tracking=tracking,
        )
    )
    done = [row[0] for row in rows]
    _reached(done, state, now, actor)
    parents = sorted({row[1] for row in rows if row[1] is not None})
    if parents and state == names.DELIVERED:
        _complete(parents, now, actor)
    return len(done)


def _reached(ids: Sequence[int], state: str, now: datetime, actor: str | None) -> None:
    if ids:
        log(ids, now=now, actor=actor)
        if state in names.FACT_OF:
            tell(names.FACT_OF[state], ids, now=now)


def _complete(parents: Sequence[int], now: datetime, actor: str | None) -> None:
    rows = fetch(
        sql(
            "UPDATE reward_redemption o SET state = {delivered}, state_since = {now} WHERE o.id = ANY({ids}::bigint[])"
            " AND o.state = ANY({open}::text[]) AND NOT EXISTS (SELECT FROM reward_redemption p"
            " WHERE p.parent_id = o.id AND p.state = ANY({open}::text[])) RETURNING o.id",
            delivered=names.DELIVERED,
            now=now,
            ids=list(parents),
            open=list(names.OPEN),
        )
    )
    _reached([row[0] for row in rows], names.DELIVERED, now, actor)


def cancel(
    redemption_id: int, *, now: datetime, reason: str | None = None, actor: str | None = None, by_member: bool = False
) -> Cancelled:
    """Take a redemption back: its points return to the lots they came from, its pieces to the stock.

    Codes that somebody has seen do not return; vouchers are withdrawn. Raises Problems when it is too late: for members
    once it is packed, or was delivered at once, or the hour is near; for the staff when it is cancelled already, the
    draw was held or a voucher was used.
    """
    with transaction.atomic():
        found = Redemption.objects.filter(id=redemption_id).first()
        if found is None:
            raise Problems([Problem("redemption", f"there is no redemption {redemption_id}")])
        if found.parent_id is not None:
            raise Problems(
                [Problem("redemption", "is part of a bundle", f"cancel number {found.parent_id} as a whole")]
            )
        if found.booking_id:
            # The member before the redemption, as when it was made.
            refunds.lock_owners([found.booking_id])
        rows = _locked(redemption_id)
        problems = _too_late(rows, now, by_member)
        if problems:
            raise Problems(problems)
        return _cancel(rows, now=now, reason=reason, actor=actor)


def _locked(redemption_id: int) -> list[dict[str, Any]]:
    """The redemption and its parts, held until the end."""
    return fetch_values(
        sql(
            "SELECT o.id, o.parent_id, o.state, o.program_id, o.booking_id, o.reward_id, o.quantity, o.slot_id, r.type,"
            " r.definition, s.starts_at, EXISTS (SELECT FROM reward_draw d WHERE d.reward_id = o.reward_id) AS drawn"
            " FROM reward_redemption o JOIN reward r ON r.id = o.reward_id LEFT JOIN reward_slot s ON s.id = o.slot_id"
            " WHERE o.id = {id} OR o.parent_id = {id} ORDER BY o.id FOR NO KEY UPDATE OF o",
            id=redemption_id,
        )
    )


def _too_late(rows: Sequence[Mapping[str, Any]], now: datetime, by_member: bool) -> list[Problem]:
    first = rows[0]
    if first["state"] == names.CANCELLED:
        return [Problem("redemption", "is cancelled already")]
    if first["drawn"]:
        return [Problem("redemption", "took part in a draw that was held")]
    if not by_member:
        return []
    if first["type"] != names.BUNDLE and first["state"] == names.DELIVERED:
        return [_STAYS]
    parts = [row for row in rows if row["type"] != names.BUNDLE]
    if any(row["state"] == names.DELIVERED for row in parts):
        return [_STAYS]
    if any(row["state"] not in names.REVOCABLE for row in parts):
        return [Problem("redemption", "is on its way already", "send it back, or ask the staff")]
    starts_at = first["starts_at"]
    if starts_at and now >= _cancel_until(starts_at, first["definition"].get("cancel_before", "0s")):
        return [Problem("redemption", "the hour is too near", "ask the staff")]
    return []


def _cancel_until(starts_at: datetime, before: str) -> datetime:
    return starts_at - timedelta(seconds=Period.parse(before).seconds or 0)


def _cancel(rows: Sequence[Mapping[str, Any]], *, now: datetime, reason: str | None, actor: str | None) -> Cancelled:
    first = rows[0]
    open_ones = [row for row in rows if row["state"] != names.CANCELLED]
    ids = [row["id"] for row in open_ones]
    vouchers.withdraw([row["id"] for row in open_ones if row["definition"].get("voucher_pool")], now=now)
    points, refund_id = 0, None
    if first["booking_id"]:
        back = refunds.refund(
            [first["booking_id"]], program_id=first["program_id"], now=now, reason=reason or "cancelled", actor=actor
        ).get(first["booking_id"])
        points, refund_id = (back.points, back.booking_id) if back else (0, None)
    execute(
        sql(
            "UPDATE reward_redemption SET state = {cancelled}, state_since = {now}, reason = {reason}::text,"
            " refund_id = CASE WHEN id = {first} THEN {refund}::bigint END WHERE id = ANY({ids}::bigint[])",
            cancelled=names.CANCELLED,
            now=now,
            reason=reason,
            first=first["id"],
            refund=refund_id,
            ids=ids,
        )
    )
    log(ids, now=now, actor=actor)
    supplier_orders.tell_again(ids, now=now, cancelled=True)
    tell(names.FACT_OF[names.CANCELLED], [first["id"]], now=now, refunded=points, reason=reason or "")
    if first["slot_id"]:
        stock.give_place_back(first["slot_id"], first["quantity"])
    pieces: dict[int, int] = {}
    for row in open_ones:
        # A code that was handed out is not unseen.
        if not row["definition"].get("codes"):
            pieces[row["reward_id"]] = pieces.get(row["reward_id"], 0) + row["quantity"]
    stock.give_back(pieces, now=now)
    return Cancelled(points, len(ids))


def note_payment(redemption_id: int, *, payment: str) -> bool:
    """Note under which reference the part in money was paid; False when it was before, or there is none."""
    query = "UPDATE reward_redemption SET payment = {p} WHERE id = {id} AND money IS NOT NULL AND payment IS NULL"
    return execute(sql(query, p=payment, id=redemption_id)) > 0


@transaction.atomic
def set_address(redemption_id: int, *, address: Mapping[str, str], now: datetime) -> None:
    """Say where a parcel goes, as long as it is not packed; raises Problems. Parts of a bundle go there too."""
    problems = check_address(address, wanted=True)
    if problems:
        raise Problems(problems)
    these = sql("(id = {id} OR parent_id = {id}) AND customer_id IS NOT NULL", id=redemption_id)
    changed = fetch(
        sql(
            "UPDATE reward_redemption SET address = {address}::jsonb WHERE {these} AND state = ANY({early}::text[])"
            " RETURNING id",
            address=json.dumps(dict(address)),
            these=these,
            early=list(names.REVOCABLE),
        )
    )
    if not changed:
        raise Problems([Problem("redemption", "is packed, delivered or cancelled already", "ask the staff")])
    supplier_orders.tell_again([row[0] for row in changed], now=now)


def abandon(which: Sql, *, now: datetime) -> int:
    """Cancel the open redemptions of people who are being forgotten: nothing comes back to them, the pieces do."""
    rows = fetch(
        sql(
            "UPDATE reward_redemption o SET state = {cancelled}, state_since = {now} WHERE {which}"
            " AND o.state = ANY({open}::text[]) RETURNING o.id, o.reward_id, o.quantity, o.slot_id",
            cancelled=names.CANCELLED,
            now=now,
            which=which,
            open=list(names.OPEN),
        )
    )
    log([row[0] for row in rows], now=now, actor=None)
    supplier_orders.tell_again([row[0] for row in rows], now=now, cancelled=True)
    pieces: dict[int, int] = {}
    for _id, reward_id, quantity, _slot in rows:
        pieces[reward_id] = pieces.get(reward_id, 0) + quantity
    stock.give_back(pieces, now=now)
    execute(
        sql(
            "UPDATE reward_slot s SET taken = greatest(0, s.taken - p.n) FROM (SELECT slot, sum(n) AS n FROM"
            " unnest({slots}::int[], {numbers}::int[]) AS u (slot, n) WHERE slot IS NOT NULL GROUP BY slot) p"
            " WHERE s.id = p.slot",
            slots=[row[3] for row in rows],
            numbers=[row[2] for row in rows],
        )
    )
    return len(rows)
