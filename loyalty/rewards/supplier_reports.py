"""What suppliers say of their orders. A state only moves on: what comes late or twice changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from loyalty.kit import signatures
from loyalty.kit.sql import execute, fetch, sql
from loyalty.rewards import fulfillment, names, supplier_orders, suppliers
from loyalty.rewards.models import Supplier

REPORTED = (names.APPROVED, names.PACKED, names.SHIPPED, names.DELIVERED)
_NOTED_EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Report:
    """How far an order is."""

    number: int
    state: str
    tracking: str | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """How many reports changed something, how many told what was known, and what is wrong with the others."""

    applied: int
    known: int
    refused: tuple[tuple[int, str], ...]


def verified(key: str, header: str, body: bytes, *, now: datetime) -> Supplier:
    """The supplier who signed this body just now; raises BadSignature, for a supplier that is not there too."""
    supplier = Supplier.objects.filter(key=key).first() if "\0" not in key else None
    hook = suppliers.webhook_of(supplier) if supplier else None
    try:
        signatures.verify(header, body, secrets=suppliers.secrets_of(hook) if hook else [], now=now)
    except signatures.BadSignature as error:
        if supplier:
            _note_refused(supplier.pk, str(error), now)
        raise
    assert supplier is not None  # noqa: S101 - without one there is no secret, and without a secret no signature
    return supplier


def _note_refused(supplier_id: int, why: str, now: datetime) -> None:
    """For the staff to see; at most once a minute, since anybody can send rubbish."""
    execute(
        sql(
            "UPDATE supplier SET refused_at = {now}, refused_why = {why} WHERE id = {id}"
            " AND (refused_at IS NULL OR refused_at < {now}::timestamptz - {often} * interval '1 second')",
            now=now,
            why=why,
            id=supplier_id,
            often=_NOTED_EVERY_SECONDS,
        )
    )


@transaction.atomic
def report(supplier: Supplier, reports: Sequence[Report], *, now: datetime) -> Reported:
    """Bring the orders to the states that were reported, as far as they follow. Set-based."""
    Supplier.objects.filter(pk=supplier.pk).update(heard_at=now)
    wanted: dict[int, Report] = {}
    for one in reports:
        have = wanted.get(one.number)
        if have is None or REPORTED.index(one.state) >= REPORTED.index(have.state):
            wanted[one.number] = one
    before = _orders(supplier.key, list(wanted))
    tracked = _track([one for number, one in wanted.items() if number in before and not _late(one, before[number][0])])
    actor = f"supplier {supplier.key}"
    for state in REPORTED:
        ids = [number for number, one in wanted.items() if one.state == state and number in before]
        parcels = [number for number in ids if before[number][1] == names.PHYSICAL]
        if state == names.DELIVERED and parcels:
            # What has arrived was on its way, even if nobody said so.
            fulfillment.advance(parcels, state=names.SHIPPED, now=now, actor=actor)
        if ids:
            fulfillment.advance(ids, state=state, now=now, actor=actor)
    after = _orders(supplier.key, list(wanted))
    changed = {number for number in before if after[number][0] != before[number][0]} | tracked
    supplier_orders.known_to_them([number for number, (state, _kind) in after.items() if state != names.CANCELLED])
    refused = [(number, why) for number, one in sorted(wanted.items()) if (why := _objection(one, after.get(number)))]
    changed -= {number for number, _why in refused}
    return Reported(len(changed), len(wanted) - len(changed) - len(refused), tuple(refused))


def _orders(key: str, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """State and type of the supplier's orders among these."""
    rows = fetch(
        sql(
            "SELECT o.id, o.state, r.type FROM reward_redemption o JOIN reward r ON r.id = o.reward_id"
            " WHERE o.id = ANY({ids}::bigint[]) AND r.definition ->> 'supplier' = {key}",
            ids=list(numbers),
            key=key,
        )
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _late(one: Report, state: str) -> bool:
    """Whether the order is further than that already, so that what is said of its parcel is older, too."""
    return names.STATES.index(state) > names.STATES.index(one.state)


def _track(reports: Sequence[Report]) -> set[int]:
    """Note the numbers of parcels; those that were new. Of forgotten people nothing is noted."""
    reports = [one for one in reports if one.tracking]
    rows = fetch(
        sql(
            "UPDATE reward_redemption o SET tracking = t.tracking FROM unnest({ids}::bigint[], {numbers}::text[])"
            " AS t (id, tracking) WHERE o.id = t.id AND o.tracking IS DISTINCT FROM t.tracking"
            " AND o.state <> 'cancelled' AND o.customer_id IS NOT NULL RETURNING o.id",
            ids=[one.number for one in reports],
            numbers=[one.tracking for one in reports],
        )
    )
    return {row[0] for row in rows}


def _objection(wanted: Report, found: tuple[str, str] | None) -> str:
    if found is None:
        return "is no order of yours"
    state, kind = found
    if state == names.CANCELLED:
        return "is cancelled: do not send it"
    order = (names.ORDERED, *REPORTED)
    if order.index(state) < order.index(wanted.state):
        return "has no address or is not paid" if kind == names.PHYSICAL else f"is no parcel but {kind}: say delivered"
    return ""
