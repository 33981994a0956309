"""Purchases come back: the ledger reverses what they earned, and what came back whole gives its vouchers back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from loyalty.checkout import unmatched
from loyalty.checkout.models import Sale
from loyalty.checkout.selling import Conflict, hold_person
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.offers import redeeming
from loyalty.program import purchases, returns
from loyalty.program.receipts import SOURCE, key_of
from loyalty.program.setup import Setup


@dataclass(frozen=True, slots=True)
class Reversed:
    """A return or void. `booking_id` None: it was of a receipt that nobody has claimed. `restored`: vouchers too."""

    booking_id: int | None
    amount: Decimal = Decimal(0)
    repeated: bool = False
    restored: bool = False


def give_back(row: Mapping[str, Any], *, setup: Setup, now: datetime) -> Reversed:
    """Take lines of a purchase back (`receipts.Return`). Raises Problems, and then nothing is booked."""
    return _reverse(row, returns.give_back, setup=setup, now=now)


def void(row: Mapping[str, Any], *, setup: Setup, now: datetime) -> Reversed:
    """Undo a purchase (`receipts.Void`). Again, it changes nothing."""
    return _reverse(row, returns.void, setup=setup, now=now)


def _reverse(row: Mapping[str, Any], work: Any, *, setup: Setup, now: datetime) -> Reversed:
    with transaction.atomic():
        kept = unmatched.find(str(row.get("transaction")))
        if kept is not None and kept.state == "returned" and work is returns.void:
            return Reversed(None, repeated=True)
        if kept is not None and kept.state in ("open", "returned"):
            amount, repeated = unmatched.give_back(row if work is returns.give_back else None, kept.pk)
            return Reversed(None, amount, repeated)
        if kept is not None and kept.state == "lapsed":
            raise Conflict([Problem("transaction", "is too old: its lines are not kept any more")])
        _hold_person(row)
        done: purchases.Committed = work(rows=[row], setup=setup, now=now)
        if done.rejected:
            problems = done.rejected[0][1]
            raise (Conflict if any(one.where == "id" for one in problems) else Problems)(problems)
        booking_id = done.bookings[0]
        if booking_id is None:
            raise Conflict([Problem("id", "met another transaction", "send it again")])
        restored = False if done.repeated else _restore(booking_id, now)
    return Reversed(booking_id, repeated=bool(done.repeated), restored=restored)


def _hold_person(row: Mapping[str, Any]) -> None:
    key = key_of(SOURCE, str(row.get("transaction")))
    hold_person(Sale.objects.filter(key_digest=key).values_list("customer_id", flat=True).first())


def _restore(booking_id: int, now: datetime) -> bool:
    """Give back the vouchers of a purchase of which nothing is left."""
    rows = fetch(
        sql(
            "SELECT s.booking_id, s.vouchers FROM booking b JOIN sale s ON s.booking_id = b.original_id"
            " WHERE b.id = {id} AND s.vouchers IS NOT NULL AND s.restored_at IS NULL FOR UPDATE OF s",
            id=booking_id,
        )
    )
    if not rows or not _nothing_left(rows[0][0]):
        return False
    redeeming.give_back(rows[0][1], now=now)
    Sale.objects.filter(pk=rows[0][0]).update(restored_at=now)
    return True


def _nothing_left(original_id: int) -> bool:
    left: dict[int, Decimal] = {}
    query = sql(
        "SELECT id, lines FROM booking WHERE id = {id} OR (original_id = {id} AND kind IN ('return', 'void'))",
        id=original_id,
    )
    for booking_id, lines in fetch(query):
        sign = 1 if booking_id == original_id else -1
        for line in json.loads(lines or "[]") if isinstance(lines, str) else lines or []:
            left[line["no"]] = left.get(line["no"], Decimal(0)) + sign * Decimal(line["quantity"])
    return not any(left.values())
