"""Baskets become purchases: points of the ledger, vouchers and offers, in one transaction, or nothing of it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from loyalty.checkout import identifying
from loyalty.checkout.baskets import Basket, Reserved, receipt_row, whole_of
from loyalty.checkout.identifying import Known
from loyalty.checkout.models import HeldBasket, Sale
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.offers import redeeming
from loyalty.offers.queries import reservation as voucher_reservation
from loyalty.program import holds, membership, purchases, step_up
from loyalty.program.receipts import SOURCE, content_of, key_of
from loyalty.program.setup import Setup

LASTS = timedelta(minutes=15)


class Conflict(Problems):
    """Something else has happened under this id, or to this reservation; nothing was booked."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A purchase in the ledger; `vouchers` is what vouchers and offers did, None where there were none."""

    booking_id: int
    repeated: bool = False
    vouchers: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A held basket; `repeated`: it was held before, nothing changed."""

    id: int
    token: UUID
    ends_at: datetime
    customer: identifying.Reference
    vouchers: dict[str, Any] | None
    repeated: bool = False


def sell(basket: Basket, *, setup: Setup, now: datetime, proven: bool = False) -> Sold:
    """Book a basket whose customer is given. The same id with the same content again changes nothing. `proven`: the
    member's PIN is not asked for.

    Raises Problems (Conflict: the id was used for something else, or is reserved), and then nothing is booked.
    """
    key, content = key_of(SOURCE, basket.id), content_of(basket)
    with transaction.atomic():
        if not basket.plain:
            _alone(key)
            if (found := _repeated(key, content)) is not None:
                return found
        known = _customer(basket, now)
        if basket.plain:
            return _book(_with_pin(basket, known, {}), setup, now, proven=proven)
        staff = identifying.staff_card(basket.staff, known.customer_id) if basket.staff else None
        token, answer = _hold_vouchers(f"sale:{basket.id}", basket, known, now=now)
        sold = _book(_with_pin(basket, known, _off(answer)), setup, now, proven=proven)
        if sold.repeated:
            raise Conflict([_used(basket.id)])
        _redeem(token, sold.booking_id, now)
        _record(sold.booking_id, basket, known, key, content, token, answer, staff, now)
    return Sold(sold.booking_id, vouchers=answer)


def _with_pin(basket: Basket, known: Known, off: dict[int, Decimal]) -> dict[str, Any]:
    """The row for the ledger; rows that are kept are without the PIN."""
    row = receipt_row(basket, known.reference, off)
    return row | {"pin": basket.pin} if basket.pin else row


def _customer(basket: Basket, now: datetime) -> Known:
    if basket.customer is None:
        raise Problems([Problem("customer", "is missing", "name the customer")])
    if isinstance(basket.customer, str):
        # The ledger finds, and refuses, external ids itself.
        if basket.plain:
            return Known(0, basket.customer, "external_id")
        return identifying.recognize(basket.customer, at=now, now=now)
    return identifying.recognize(basket.customer, at=basket.occurred_at or now, now=now)


def hold_person(customer_id: int | None) -> None:
    """Lock the customer before the member and the vouchers, as vouchers do: else two would wait for each other."""
    if customer_id is not None:
        fetch(sql("SELECT id FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=customer_id))


def _alone(key: UUID) -> None:
    """Nobody else works on a purchase of this id until the transaction ends."""
    fetch(sql("SELECT pg_advisory_xact_lock(hashtextextended({key}, 0))", key=f"sale {key}"))


def _repeated(key: UUID, content: UUID) -> Sold | None:
    sale = Sale.objects.filter(key_digest=key).first()
    if sale is None:
        return None
    if sale.content_digest != content:
        raise Conflict([_used("it")])
    return Sold(sale.booking_id, repeated=True, vouchers=sale.answer)


def _used(identifier: str) -> Problem:
    told = "it" if identifier == "it" else repr(identifier)
    return Problem("id", f"{told} was used for something else", "use a new id for a new transaction")


def _book(row: dict[str, Any], setup: Setup, now: datetime, *, proven: bool = False) -> Sold:
    done = purchases.commit(rows=[row], setup=setup, now=now, proven=proven)
    if done.rejected:
        problems = done.rejected[0][1]
        raise (Conflict if any(one.where == "id" for one in problems) else Problems)(problems)
    booking_id = done.bookings[0]
    if booking_id is None:
        raise Conflict([Problem("id", "met another transaction", "send it again")])
    return Sold(booking_id, repeated=bool(done.repeated))


def _hold_vouchers(
    identifier: str, basket: Basket, known: Known, *, now: datetime, lasts: timedelta = LASTS
) -> tuple[UUID | None, dict[str, Any] | None]:
    """The token and the answer of the vouchers and offers that the basket can use; nothing where it names none."""
    if not basket.codes and basket.offers == "none":
        return None, None
    held = redeeming.reserve(voucher_basket(basket, known.reference, identifier), now=now, lasts=lasts)
    return held.token, held.answer


def voucher_basket(basket: Basket, customer: identifying.Reference | None, identifier: str | None) -> dict[str, Any]:
    """The basket as vouchers and offers look at it; with an identifier, to be held."""
    given = basket.model_dump(
        exclude_unset=True, include={"codes", "items", "currency", "store", "channel", "shipping"}
    )
    given |= {"customer": customer, "offers": basket.offers, "mode": basket.mode or "all"}
    if basket.occurred_at is not None:
        given["at"] = basket.occurred_at
    return given | ({"id": identifier} if identifier else {})


def _off(answer: dict[str, Any] | None) -> dict[int, Decimal]:
    """The discount by line."""
    if answer is None:
        return {}
    return {line["no"]: Decimal(line["discount"]) for line in answer["lines"] if Decimal(line["discount"])}


def _redeem(token: UUID | None, booking_id: int, now: datetime) -> None:
    if token is not None:
        redeeming.redeem(token, now=now, booking_id=booking_id)


def _record(
    booking_id: int, basket: Basket, known: Known, key: UUID, content: UUID, token: UUID | None,
    answer: dict[str, Any] | None, staff: int | None, now: datetime,
) -> None:  # fmt: skip
    Sale.objects.create(
        booking_id=booking_id,
        customer_id=known.customer_id or None,
        key_digest=key,
        content_digest=content,
        vouchers=token,
        gross=whole_of(basket),
        discount=Decimal(answer["discount"]) if answer else 0,
        paid=Decimal(answer["paid"]) if answer else 0,
        staff_card_id=staff,
        answer=answer,
        at=now,
    )


def reserve(basket: Basket, *, setup: Setup, now: datetime, lasts: timedelta = LASTS) -> Kept:
    """Hold the points to pay with, the vouchers and the offers of a basket, so that nobody else takes them.

    The same basket again is the same reservation; another one under the same id takes its place. Raises Problems.
    """
    key, content = key_of(SOURCE, basket.id), content_of(basket)
    with transaction.atomic():
        _alone(key)
        if fetch(sql("SELECT FROM booking WHERE key_digest = {key}", key=key)):
            raise Conflict([Problem("id", f"{basket.id!r} is committed already", "use a new id for a new transaction")])
        known = _known_of(basket, now)
        hold_person(known.customer_id)
        member_id = _member(known, setup, now)
        earlier = HeldBasket.objects.select_for_update().filter(key_digest=key, state=HeldBasket.State.OPEN).first()
        if earlier and earlier.content_digest == content and earlier.ends_at > now:
            return Kept(earlier.pk, earlier.token, earlier.ends_at, known.reference, _answer_of(earlier.vouchers), True)
        if earlier:
            _let_go(earlier, HeldBasket.State.RELEASED, setup, now)
        if basket.staff:
            identifying.staff_card(basket.staff, known.customer_id)
        token = uuid4()
        vouchers, answer = _hold_vouchers(f"held:{token}", basket, known, now=now, lasts=lasts)
        spends = {None: basket.spend} if isinstance(basket.spend, int) else dict(basket.spend or {})
        # Together, as a purchase that is not held counts them.
        step_up.check(member_id, basket.pin, setup=setup, points=sum(spends.values()))
        held = [
            holds.hold(
                setup=setup, member_id=member_id, wallet=wallet, points=points, lasts=lasts, now=now,
                reason=f"checkout {basket.id}", proven=True,
            ).booking_id
            for wallet, points in spends.items()
        ]  # fmt: skip
        kept = HeldBasket.objects.create(
            token=token, program_id=setup.id, member_id=member_id, customer_id=known.customer_id, key_digest=key,
            content_digest=content, reference=basket.id, holds=held, vouchers=vouchers, made_at=now,
            ends_at=now + lasts,
            basket=json.loads(basket.model_copy(update={"customer": known.reference}).model_dump_json(
                exclude_unset=True, exclude_none=True)),
        )  # fmt: skip
    return Kept(kept.pk, token, now + lasts, known.reference, answer)


def _known_of(basket: Basket, now: datetime) -> Known:
    if basket.customer is None:
        raise Problems([Problem("customer", "is missing", "only a customer's points and vouchers can be held")])
    return identifying.recognize(basket.customer, at=basket.occurred_at or now, now=now)


def _member(known: Known, setup: Setup, now: datetime) -> int:
    """The member, locked; raises Problems for who may not collect."""
    members = membership.of_customers([known.customer_id], program_id=setup.id)
    if not members and setup.document.join == "automatic":
        membership.join([known.customer_id], setup=setup, now=now)
        members = membership.of_customers([known.customer_id], program_id=setup.id)
    member_id, state = members.get(known.customer_id, (0, "none"))
    if state == "active":
        state = membership.lock([member_id]).get(member_id, "gone")
    if state != "active":
        raise Problems([membership.unfit(state)])
    return member_id


def _answer_of(token: UUID | None) -> dict[str, Any] | None:
    if token is None:
        return None
    stored = voucher_reservation(token)
    answer = stored["answer"] if stored else None
    return json.loads(answer) if isinstance(answer, str) else answer


def commit_reserved(given: Reserved, *, setup: Setup, now: datetime) -> Sold:
    """Book a held basket. Again, it changes nothing. Raises Conflict for one that ran out or was let go."""
    with transaction.atomic():
        held = _held(given.reservation)
        if held.reference != given.id:
            raise Conflict([Problem("id", f"{held.reference!r} was reserved", "commit the id that was reserved")])
        if held.state == HeldBasket.State.COMMITTED and held.booking_id is not None:
            sale = Sale.objects.filter(booking_id=held.booking_id).first()
            return Sold(held.booking_id, repeated=True, vouchers=sale.answer if sale else None)
        if held.state == HeldBasket.State.RELEASED:
            raise Conflict([Problem("reservation", "was released", "reserve the basket again")])
        if held.state == HeldBasket.State.EXPIRED or held.ends_at <= now:
            wrong = f"ran out at {held.ends_at.isoformat(timespec='seconds')}"
            raise Conflict([Problem("reservation", wrong, "reserve the basket again")])
        for hold_id in held.holds:
            holds.settle_hold(hold_id, capture=False, setup=setup, now=now)
        changes = {"occurred_at": given.occurred_at.isoformat()} if given.occurred_at else {}
        basket = Basket.model_validate({**(held.basket or {}), **changes})
        known = Known(held.customer_id or 0, basket.customer or "", "reservation")
        answer = _answer_of(held.vouchers)
        sold = _book(receipt_row(basket, known.reference, _off(answer)), setup, now, proven=True)
        if sold.repeated:
            raise Conflict([_used(basket.id)])
        _redeem(held.vouchers, sold.booking_id, now)
        staff = identifying.staff_card(basket.staff, held.customer_id) if basket.staff else None
        _record(
            sold.booking_id, basket, known, held.key_digest, held.content_digest, held.vouchers, answer, staff, now
        )  # fmt: skip
        HeldBasket.objects.filter(pk=held.pk).update(
            state=HeldBasket.State.COMMITTED, booking_id=sold.booking_id, settled_at=now
        )
    return Sold(sold.booking_id, vouchers=answer)


def _held(reservation: str) -> HeldBasket:
    """The held basket, locked after its member; raises Problems."""
    try:
        found = HeldBasket.objects.filter(token=UUID(reservation)).first()
    except ValueError:
        found = None
    if found is None:
        raise Problems([Problem("reservation", f"there is no reservation {reservation!r}", "reserve the basket first")])
    hold_person(found.customer_id)
    membership.lock([found.member_id])
    return HeldBasket.objects.select_for_update().get(pk=found.pk)


def release(reservation: str, *, setup: Setup, now: datetime) -> bool:
    """Let go of what a reservation holds; False when that was done before. Raises Conflict for a committed one."""
    with transaction.atomic():
        held = _held(reservation)
        if held.state == HeldBasket.State.COMMITTED:
            raise Conflict([Problem("reservation", f"was committed as {held.reference!r}", "void the transaction")])
        if held.state != HeldBasket.State.OPEN:
            return False
        _let_go(held, HeldBasket.State.RELEASED, setup, now)
        return True


def _let_go(held: HeldBasket, state: str, setup: Setup, now: datetime) -> None:
    if held.ends_at > now:
        for hold_id in held.holds:
            holds.settle_hold(hold_id, capture=False, setup=setup, now=now)
        if held.vouchers is not None:
            redeeming.release(held.vouchers, now=now)
    HeldBasket.objects.filter(pk=held.pk).update(state=state, settled_at=now)


def expire(*, now: datetime, limit: int) -> int:
    """Close held baskets whose time is over; their points and vouchers come free by their own clocks."""
    rows = fetch(
        sql(
            "UPDATE held_basket SET state = 'expired', settled_at = {now} WHERE id IN (SELECT id FROM held_basket"
            " WHERE state = 'open' AND ends_at <= {now} ORDER BY ends_at LIMIT {limit} FOR UPDATE SKIP LOCKED)"
            " RETURNING id",
            now=now,
            limit=limit,
        )
    )
    return len(rows)


def program_of(reservation: str) -> int | None:
    """The program of a reservation; None for an unknown one."""
    try:
        return HeldBasket.objects.filter(token=UUID(reservation)).values_list("program_id", flat=True).first()
    except ValueError:
        return None
