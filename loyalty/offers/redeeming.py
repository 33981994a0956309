"""Vouchers and offers are used: looked at, held for a checkout, redeemed, let go, given back.

What is locked is always locked in this order: customer, reservation, pools, offers, vouchers; of each by id.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from psycopg.types.json import Jsonb

from loyalty.customers import queries as customers
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import holding, names, queries, rewarding
from loyalty.offers.baskets import Basket, Checkout
from loyalty.offers.evaluating import VOUCHER, Evaluation, answer, evaluate
from loyalty.program.receipts import content_of, key_of, late_or_early, read

LASTS = timedelta(minutes=15)
LONGEST = timedelta(days=7)
# The namespace of the callers' ids.
SOURCE = "offers"
# Refusals that may be over once what ran out is let go.
_TAKEN = {"used", "held", "empty", "person", "total", "budget"}


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation: `answer` is what was said about the basket, `state` is names.RESERVED and so on.

    `repeated`: it was there before, nothing changed.
    """

    id: int
    token: UUID
    state: str
    ends_at: datetime
    answer: dict[str, Any]
    repeated: bool = False


def validate(basket: object, *, now: datetime) -> dict[str, Any]:
    """What the codes and the wallet would do to the basket (`baskets.Basket`), and why the others are refused."""
    given, customer_id = _read(Basket, basket, now)
    return answer(evaluate(given, customer_id, now=now))


def _read(shape: type[Basket], row: object, now: datetime) -> tuple[Any, int | None]:
    given, problems = (row, []) if isinstance(row, shape) else read(shape, row)
    customer_id = None
    if given is not None:
        problems = late_or_early(given.at, now)
        if isinstance(given.customer, dict) and len(given.customer) != 1:
            problems.append(Problem("customer", "names several identities", 'name one, for example {"card": "..."}'))
        elif given.customer is not None:
            customer_id = customers.resolve([given.customer])[0]
            if customer_id is None:
                problems.append(Problem("customer", "nobody is known by this", "leave it out or create the customer"))
    if problems:
        raise Problems(problems)
    return given, customer_id


def reserve(checkout: object, *, now: datetime, lasts: timedelta = LASTS) -> Held:
    """Hold what the basket (`baskets.Checkout`) can use, so that nobody else takes it; raises Problems.

    The same id with the same content again is the same reservation; with another content it is refused.
    """
    if not timedelta(0) < lasts <= LONGEST:
        raise Problems([Problem("lasts", "must be more than nothing and at most 7 days")])
    given, customer_id = _read(Checkout, checkout, now)
    try:
        with transaction.atomic():
            return _reserve(given, customer_id, now, lasts, wait=True)
    except _Taken:
        holding.end_due(now=now)
    with transaction.atomic():
        return _reserve(given, customer_id, now, lasts, wait=False)


class _Taken(Exception):
    """Something is held by checkouts that may have run out; nothing is locked any more."""


def _reserve(given: Checkout, customer_id: int | None, now: datetime, lasts: timedelta, *, wait: bool) -> Held:
    key, content = key_of(SOURCE, given.id), content_of(given)
    _lock_customer(customer_id)
    if stored := queries.reservation_by_key(key):
        return _repeated(stored, content, given.id)
    found = evaluate(given, customer_id, now=now)
    if wait and {one.reason for one in found.refused} & _TAKEN and holding.any_due(now=now):
        raise _Taken
    if found.used:
        holding.lock(found)
        again = evaluate(given, customer_id, now=now, only=found.used)
        found = Evaluation(given, customer_id, again.lines, again.effects, (*found.refused, *again.refused))
    if given.mode == "all":
        _refuse(found)
    held = _insert(found, key, content, now, lasts)
    if held is None:
        stored = queries.reservation_by_key(key)
        if stored is None:
            raise Problems([Problem("id", "met another checkout with this id", "send it again")])
        return _repeated(stored, content, given.id)
    holding.hold(found, held.id, now=now)
    return held


def _lock_customer(customer_id: int | None) -> None:
    if customer_id is not None and not fetch(
        sql("SELECT id FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=customer_id)
    ):
        raise Problems([Problem("customer", "was merged or forgotten just now", "send it again")])


def _repeated(stored: dict[str, Any], content: UUID, identifier: str) -> Held:
    if stored["content_digest"] != content:
        remedy = "use a new id for a new checkout"
        raise Problems([Problem("id", f"{identifier!r} was used for something else", remedy)])
    return _held(stored, repeated=True)


def _held(stored: dict[str, Any], *, repeated: bool = False) -> Held:
    return Held(stored["id"], stored["token"], stored["state"], stored["ends_at"], stored["answer"], repeated)


def _refuse(found: Evaluation) -> None:
    """Raise what is wrong with the codes that were typed."""
    given = found.basket.codes
    told = answer(found)["refused"]
    wrong = [
        Problem(f"codes[{given.index(one['name'])}]" if one["kind"] == VOUCHER else "offers", one["sentence"])
        for one in told
    ]
    if wrong:
        raise Problems(wrong)


def _insert(found: Evaluation, key: UUID, content: UUID, now: datetime, lasts: timedelta) -> Held | None:
    """The reservation's own row; None when another session took its key."""
    token, told = uuid4(), answer(found)
    rows = fetch(
        sql(
            "INSERT INTO offer_reservation (token, key_digest, content_digest, reference, customer_id, state, made_at,"
            " ends_at, currency, total, discount, paid, store, channel, answer) VALUES ({token}, {key}, {content},"
            " {reference}, {customer}::bigint, 'reserved', {now}, {ends}, {currency}, {total}, {discount}, {paid},"
            " {store}::text, {channel}::text, {answer}) ON CONFLICT (key_digest) WHERE key_digest IS NOT NULL"
            " DO NOTHING RETURNING id",
            token=token,
            key=key,
            content=content,
            reference=found.basket.id if isinstance(found.basket, Checkout) else None,
            customer=found.customer_id,
            now=now,
            ends=now + lasts,
            currency=found.currency,
            total=found.total,
            discount=found.discount,
            paid=found.paid,
            store=found.basket.store,
            channel=found.basket.channel,
            answer=Jsonb(told),
        )
    )
    return Held(rows[0][0], token, names.RESERVED, now + lasts, told) if rows else None


def redeem(token: UUID, *, now: datetime, booking_id: int | None = None) -> Held:
    """Use what was reserved, for good; with the purchase's booking, points of offers are given on top of it.

    Again, it changes nothing. Raises Problems for a reservation that is unknown, let go or has run out.
    """
    with transaction.atomic():
        stored = _locked(token)
        if stored["state"] == names.REDEEMED:
            return _held(stored, repeated=True)
        if stored["state"] != names.RESERVED or stored["ends_at"] <= now:
            over = stored["ends_at"] <= now and stored["state"] in (names.RESERVED, names.RELEASED)
            state = f"ran out at {stored['ends_at']:%Y-%m-%d %H:%M} UTC" if over else f"was {stored['state']}"
            raise Problems([Problem("reservation", state, "look at the basket and reserve again")])
        holding.settle(stored["id"], now=now)
        given = rewarding.reward(stored, booking_id=booking_id, now=now)
        told = stored["answer"] | given
        execute(
            sql(
                "UPDATE offer_reservation SET state = 'redeemed', settled_at = {now}, booking_id = {booking}::bigint,"
                " answer = {answer} WHERE id = {id}",
                now=now,
                booking=booking_id,
                answer=Jsonb(told),
                id=stored["id"],
            )
        )
    return _held(stored | {"state": names.REDEEMED, "answer": told})


def _locked(token: UUID) -> dict[str, Any]:
    """The reservation, with its customer and itself locked; raises Problems."""
    found = queries.reservation(token)
    if found is None:
        raise Problems([Problem("reservation", f"there is no {token}", "reserve the basket first")])
    if found["customer_id"] is not None:
        # Somebody merged meanwhile is another; forgotten, nobody: the reservation stays.
        fetch(sql("SELECT id FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=found["customer_id"]))
    fetch(sql("SELECT id FROM offer_reservation WHERE id = {id} FOR UPDATE", id=found["id"]))
    return queries.reservation(token) or found


def redeem_now(checkout: object, *, now: datetime, booking_id: int | None = None) -> Held:
    """Reserve and redeem at once."""
    with transaction.atomic():
        held = reserve(checkout, now=now)
        if held.repeated and held.state != names.RESERVED:
            if held.state == names.REDEEMED:
                return held
            raise Problems([Problem("id", f"this checkout was {held.state}", "use a new id")])
        return redeem(held.token, now=now, booking_id=booking_id)


def refund(token: UUID, amount: Decimal, *, key: str, now: datetime) -> Decimal:
    """Part of the purchase came back: so much of what gift cards paid goes back onto them; vouchers stay used.

    The same `key` again changes nothing. The money that went back; raises Problems for what was never redeemed.
    """
    with transaction.atomic():
        stored = _locked(token)
        if stored["state"] != names.REDEEMED:
            raise Problems([Problem("reservation", f"was {stored['state']}, not redeemed")])
        if amount <= 0:
            raise Problems([Problem("amount", "must be more than nothing")])
        return holding.refund(stored["id"], amount, key=key_of("refund", key), now=now)


def release(token: UUID, *, now: datetime) -> Held:
    """Let go of what was reserved; again, it changes nothing. Raises Problems for what is redeemed."""
    with transaction.atomic():
        stored = _locked(token)
        if stored["state"] == names.RELEASED:
            return _held(stored, repeated=True)
        if stored["state"] != names.RESERVED:
            raise Problems([Problem("reservation", f"was {stored['state']}", "give it back with the purchase")])
        holding.let_go([stored["id"]], names.RELEASED, now=now)
    return _held(stored | {"state": names.RELEASED})


def give_back(token: UUID, *, now: datetime) -> Held:
    """The purchase came back whole: what `returned: restore` says can be used again, gift cards get their money.

    Again, it changes nothing. Raises Problems for what was never redeemed.
    """
    with transaction.atomic():
        stored = _locked(token)
        if stored["state"] == names.RETURNED:
            return _held(stored, repeated=True)
        if stored["state"] != names.REDEEMED:
            raise Problems([Problem("reservation", "was not redeemed", "release it")])
        holding.give_back(stored["id"], now=now)
        rewarding.take_back(stored, now=now)
    return _held(stored | {"state": names.RETURNED})
