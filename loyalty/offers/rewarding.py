"""What comes of a redeemed reservation besides less to pay: facts, vouchers for the next purchase, points."""

import hashlib
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problems
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.offers import issuing
from loyalty.offers.issuing import Wanted
from loyalty.program import bonuses, membership, movements, names
from loyalty.program.setup import load_all

_USES = """SELECT u.customer_id, {now}::timestamptz, coalesce(u.voucher_id, u.offer_id), jsonb_strip_nulls(
        jsonb_build_object('pool', p.key, 'offer', o.key, 'code', v.code, 'discount', u.amount,
            'paid', CASE WHEN u.paid > 0 THEN u.paid END, 'currency', r.currency, 'transaction', r.reference,
            'store', r.store, 'channel', r.channel))
    FROM offer_use u JOIN offer_reservation r ON r.id = u.reservation_id
    LEFT JOIN voucher_pool p ON p.id = u.pool_id LEFT JOIN voucher v ON v.id = u.voucher_id
    LEFT JOIN offer o ON o.id = u.offer_id
    WHERE u.reservation_id = {reservation} AND u.customer_id IS NOT NULL AND {which}"""


def reward(stored: dict[str, Any], *, booking_id: int | None, now: datetime) -> dict[str, Any]:
    """Write the facts, issue what is for the next purchase, give points; what was given, for the answer."""
    partitions.ensure(now, now)
    _tell(stored, "voucher.redeemed", "u.voucher_id IS NOT NULL", now)
    _tell(stored, "offer.redeemed", "u.offer_id IS NOT NULL", now)
    return {"issued": _next(stored, now), "points": _points(stored, booking_id, now)}


def _tell(stored: dict[str, Any], fact: str, which: str, now: datetime) -> None:
    facts.write(fact, sql(_USES, now=now, reservation=stored["id"], which=Sql(which)))


def _next(stored: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Vouchers for the next purchase; a pool that cannot give any now keeps nobody from paying."""
    given = []
    for place, applied in enumerate(stored["answer"].get("applied", ())):
        if not applied["next"]:
            continue
        wanted = Wanted(stored["customer_id"], key=_next_key(stored["id"], place))
        try:
            issued = issuing.issue(applied["next"], [wanted], source=f"purchase:{applied['key']}", now=now)[0]
        except Problems:
            continue
        if issued is not None:
            until = issued.valid_until.isoformat() if issued.valid_until else None
            given.append({"pool": applied["next"], "code": issued.code, "valid_until": until})
    return given


def _next_key(reservation_id: int, place: int) -> UUID:
    text = f"next:{reservation_id}:{place}".encode()
    return UUID(hashlib.md5(text, usedforsecurity=False).hexdigest())


def _points(stored: dict[str, Any], booking_id: int | None, now: datetime) -> int:
    """Points of offers: on top of the purchase, with which they come back; without one, only those that do not depend
    on it."""
    applied = [one for one in stored["answer"].get("applied", ()) if one["points"] or one["times"]]
    if not applied:
        return 0
    setup = bonuses.setup_of(booking_id) if booking_id is not None else None
    if setup is None or booking_id is None:
        return _granted(stored, sum(one["points"] for one in applied), now)
    given = 0
    earned = bonuses.earned(booking_id, setup)
    for one in applied:
        if one["times"]:
            more = {
                number: int((points * (Decimal(one["times"]) - 1)).to_integral_value(ROUND_FLOOR))
                for number, points in earned.items()
                if number in one["on"]
            }
            given += bonuses.add(booking_id, _at_most(more, one["most"]), setup=setup, now=now)
        else:
            given += bonuses.add(booking_id, bonuses.by_lines(booking_id, one["points"]), setup=setup, now=now)
    return given


def _at_most(parts: dict[int, int], most: int | None) -> dict[int, int]:
    """The parts, cut in their order where together they are more than `most`."""
    if most is None:
        return parts
    kept = {}
    for number, points in parts.items():
        kept[number] = min(points, most)
        most -= kept[number]
    return kept


def _granted(stored: dict[str, Any], points: int, now: datetime) -> int:
    """Points without a purchase in the ledger, for members of the only program."""
    programs = load_all()
    if stored["customer_id"] is None or len(programs) != 1 or not points:
        return 0
    member = membership.of_customers([stored["customer_id"]], program_id=programs[0].id).get(stored["customer_id"])
    if member is None:
        return 0
    key = UUID(hashlib.md5(f"offers:{stored['id']}".encode(), usedforsecurity=False).hexdigest())
    grant = movements.Grant(member[0], points, key)
    done = movements.grant([grant], setup=programs[0], wallet=None, kind=names.OCCASION, reason="offer", now=now)
    return points if done else 0


def take_back(stored: dict[str, Any], *, now: datetime) -> None:
    """What a returned reservation had brought: vouchers for the next purchase that are not used are withdrawn."""
    partitions.ensure(now, now)
    _tell(stored, "voucher.returned", "u.voucher_id IS NOT NULL AND (u.state = 'returned' OR u.paid > 0)", now)
    keys = [
        _next_key(stored["id"], place)
        for place, applied in enumerate(stored["answer"].get("applied", ()))
        if applied["next"]
    ]
    if keys:
        rows = fetch(sql("SELECT id FROM voucher WHERE issue_key = ANY({keys}::uuid[]) AND uses = 0", keys=keys))
        issuing.void([row[0] for row in rows], now=now)
