"""Receipts of people who showed no card: kept without a name, and booked for whoever claims them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.checkout.baskets import Basket, receipt_row
from loyalty.checkout.models import ClaimAttempt, UnmatchedReceipt
from loyalty.checkout.selling import Conflict, _used
from loyalty.customers import joining
from loyalty.customers.queries import identity_owners
from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import purchases, returns, reversals
from loyalty.program.receipts import EARLIEST, SOURCE, Return, content_of, key_of, plain, read
from loyalty.program.setup import Setup

# No letter or digit that is taken for another one; twelve of them are 59 bits.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 12
LASTS = timedelta(days=90)
# Who names receipts that are not there is looking for those of others.
ATTEMPTS, ATTEMPTS_IN = 5, timedelta(days=1)
Reference = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that can be claimed; `repeated`: it was kept before."""

    id: int
    code: str
    state: str
    amount: Decimal
    repeated: bool = False

    @property
    def printed(self) -> str:
        """The code in groups of four."""
        return "-".join(self.code[start : start + 4] for start in range(0, CODE_LENGTH, 4))


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought: the purchase's booking; `repeated`: it was claimed by the same customer before."""

    booking_id: int
    receipt_id: int
    repeated: bool = False


def keep(baskets: Sequence[Basket], *, setup: Setup, now: datetime) -> list[Receipt | list[Problem]]:
    """Store receipts without a customer; for each what was kept, or what is wrong. Three queries, however many."""
    rows = [
        (
            key_of(SOURCE, one.id),
            content_of(one),
            "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)),
            one.receipt or one.id,
            one.store,
            one.occurred_at or now,
            one.total,
            json.dumps(receipt_row(one, {}, {}), default=str),
        )
        for one in baskets
    ]
    if not rows:
        return []
    keys = [row[0] for row in rows]
    with transaction.atomic():
        booked = {row[0] for row in fetch(sql("SELECT key_digest FROM booking WHERE key_digest = ANY({k})", k=keys))}
        columns = [list(column) for column in zip(*(row for row in rows if row[0] not in booked), strict=True)]
        made = set()
        if columns:
            query = sql(
                "INSERT INTO unmatched_receipt (program_id, received_at, returned, state, key_digest, content_digest,"
                " code, number, store, occurred_at, amount, row) SELECT {program}, {now}, '[]', 'open', g.* FROM"
                " unnest({a}::uuid[], {b}::uuid[], {c}::text[], {d}::text[], {e}::text[], {f}::timestamptz[],"
                " {g}::numeric[], {h}::jsonb[]) AS g ON CONFLICT (key_digest) DO NOTHING RETURNING key_digest",
                program=setup.id,
                now=now,
                **dict(zip("abcdefgh", columns, strict=True)),
            )
            made = {row[0] for row in fetch(query)}
        stored = {
            row[0]: row[1:]
            for row in fetch(
                sql(
                    "SELECT key_digest, content_digest, id, code, state, amount FROM unmatched_receipt"
                    " WHERE key_digest = ANY({k}::uuid[])",
                    k=keys,
                )
            )
        }
    found: list[Receipt | list[Problem]] = []
    for one, row in zip(baskets, rows, strict=True):
        content, receipt_id, code, state, amount = stored.get(row[0], (None, 0, "", "", Decimal(0)))
        if content != row[1]:
            found.append([_used(one.id)])
        else:
            found.append(Receipt(receipt_id, code, state, amount, repeated=row[0] not in made))
            made.discard(row[0])
    return found


def find(identifier: str) -> UnmatchedReceipt | None:
    """The receipt that was kept under a transaction's id."""
    return UnmatchedReceipt.objects.filter(key_digest=key_of(SOURCE, identifier)).first()


def by_code(code: str) -> UnmatchedReceipt | None:
    """The receipt with that claim code, however it was typed."""
    typed = "".join(one for one in code.upper() if one.isalnum())
    return UnmatchedReceipt.objects.filter(code=typed).first() if len(typed) == CODE_LENGTH else None


def by_number(
    number: str, *, day: date, amount: Decimal, setup: Setup, store: str | None = None
) -> UnmatchedReceipt | None:
    """The one receipt with that number, bought on that day for that amount; None for none, or several."""
    if not EARLIEST.year <= day.year < date.max.year:
        return None
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(setup.zone))
    found = UnmatchedReceipt.objects.filter(
        program_id=setup.id, number=number.strip(), amount=amount, occurred_at__gte=start,
        occurred_at__lt=start + timedelta(days=1),
    ).exclude(state__in=["lapsed", "returned"])  # fmt: skip
    rows = list((found.filter(store=store) if store else found)[:2])
    return rows[0] if len(rows) == 1 else None


def claim(
    *, customer_id: int, reference: Reference, setup: Setup, now: datetime, actor: str, code: str | None = None,
    number: str | None = None, day: date | None = None, amount: Decimal | None = None, store: str | None = None,
) -> Claimed:  # fmt: skip
    """Book a kept receipt for the customer who has its code, or knows number, day and amount.

    What the timeline has under the receipt's number comes along. Raises Problems: unknown, too many tries, too old,
    somebody else's.
    """
    with transaction.atomic():
        # Before the tries are counted: guesses at once wait for each other.
        fetch(sql("SELECT id FROM customer WHERE id = {id} FOR UPDATE", id=customer_id))
        _not_too_often(customer_id, now)
        if code:
            receipt = by_code(code)
        elif number and day and amount is not None:
            receipt = by_number(number, day=day, amount=amount, setup=setup, store=store)
        else:
            raise Problems([Problem("", "nothing to go by", "give the code, or number, day and amount")])
        if receipt is not None and receipt.program_id == setup.id:
            return _claimed(receipt.pk, customer_id, reference, setup=setup, now=now, actor=actor)
        ClaimAttempt.objects.create(customer_id=customer_id, at=now)
    remedy = "look at the code on the receipt again" if code else "look at number, day and amount again"
    raise Problems([Problem("code" if code else "number", "there is no such receipt", remedy)])


def _claimed(
    receipt_id: int, customer_id: int, reference: Reference, *, setup: Setup, now: datetime, actor: str
) -> Claimed:
    receipt = UnmatchedReceipt.objects.select_for_update().get(pk=receipt_id)
    if receipt.state == "claimed" and receipt.customer_id == customer_id and receipt.booking_id:
        return Claimed(receipt.booking_id, receipt.pk, repeated=True)
    if wrong := _unclaimable(receipt, now):
        raise Conflict([wrong])
    booking_id = _book(receipt, reference, setup, now)
    UnmatchedReceipt.objects.filter(pk=receipt.pk).update(
        state="claimed", customer_id=customer_id, settled_at=now, booking_id=booking_id
    )
    if receipt.number and identity_owners([("receipt", receipt.number)]):
        joining.claim(customer_id=customer_id, kind="receipt", value=receipt.number, now=now, actor=actor)
    _tell(customer_id, receipt, now)
    return Claimed(booking_id, receipt.pk)


def _not_too_often(customer_id: int, now: datetime) -> None:
    tries = ClaimAttempt.objects.filter(customer_id=customer_id, at__gt=now - ATTEMPTS_IN).count()
    if tries >= ATTEMPTS:
        raise Problems([Problem("", "too many receipts were named that do not exist", "try again tomorrow")])


def _unclaimable(receipt: UnmatchedReceipt, now: datetime) -> Problem | None:
    if receipt.state == "claimed":
        return Problem("receipt", "was claimed by somebody else", "look into it with the receipt at hand")
    if receipt.state == "returned":
        return Problem("receipt", "came back: there is nothing to collect")
    if receipt.state == "lapsed" or receipt.occurred_at + LASTS < now:
        return Problem("receipt", f"is older than {LASTS.days} days", "receipts can be claimed until then")
    return None


def _book(receipt: UnmatchedReceipt, reference: Reference, setup: Setup, now: datetime) -> int:
    row = {**json_of(receipt.row), "customer": reference}
    row.setdefault("occurred_at", receipt.occurred_at.isoformat())
    done = purchases.commit(rows=[row], setup=setup, now=now)
    if done.rejected or done.bookings[0] is None:
        raise Problems(done.rejected[0][1] if done.rejected else [_used(receipt.number or "")])
    for back in json_of(receipt.returned):
        undone = returns.give_back(rows=[back], setup=setup, now=now)
        if undone.rejected:
            raise Problems(undone.rejected[0][1])
    return done.bookings[0]


def json_of(value: Any) -> Any:
    """A JSON column as values, however it was read."""
    return json.loads(value) if isinstance(value, str) else value


def _tell(customer_id: int, receipt: UnmatchedReceipt, now: datetime) -> None:
    partitions.ensure(now, now)
    facts.write(
        "receipt.claimed",
        sql(
            "SELECT {customer}::bigint, {now}::timestamptz, {ref}::bigint, jsonb_strip_nulls(jsonb_build_object("
            "'amount', {amount}::numeric, 'store', {store}::text))",
            customer=customer_id,
            now=now,
            ref=receipt.pk,
            amount=receipt.amount,
            store=receipt.store,
        ),
    )


def give_back(row: Mapping[str, Any] | None, receipt_id: int) -> tuple[Decimal, bool]:
    """Take lines of a receipt back before anybody claimed it (all of it for None); the money, and whether it was
    known. Raises Problems for more than was bought."""
    with transaction.atomic():
        receipt = UnmatchedReceipt.objects.select_for_update().get(pk=receipt_id)
        if receipt.state not in ("open", "returned"):
            raise Conflict([Problem("transaction", f"was {receipt.state} just now", "send it again")])
        basket = Basket.model_validate({**json_of(receipt.row), "customer": None})
        lines = [plain(line) for line in basket.lines()]
        before: dict[int, Decimal] = {}
        earlier = json_of(receipt.returned)
        for one in earlier:
            if row is not None and one["id"] == row["id"]:
                if {**one} != json.loads(json.dumps(row, default=str)):
                    raise Conflict([_used(row["id"])])
                return Decimal(0), True
            given, _ = read(Return, one)
            found, _ = reversals.wanted(lines, before, given.items)
            for number, quantity in found.items():
                before[number] = before.get(number, Decimal(0)) + quantity
        given, wrong = read(Return, row) if row is not None else (None, [])
        found, problems = reversals.wanted(lines, before, given.items if given else [])
        if wrong or problems:
            raise Problems(wrong or problems)
        early, late = reversals.shares(lines, before, found)
        over = all(late[line["no"]] == 1 for line in lines)
        kept = [*earlier, json.loads(json.dumps(row, default=str))] if row is not None else earlier
        UnmatchedReceipt.objects.filter(pk=receipt_id).update(returned=kept, state="returned" if over else "open")
        return reversals.amount(lines, early, late), False


def lapse(*, now: datetime, limit: int) -> int:
    """Empty the receipts that can be claimed no more; the number."""
    return execute(
        sql(
            "UPDATE unmatched_receipt SET state = 'lapsed', row = NULL, number = NULL, returned = '[]',"
            " settled_at = {now} WHERE id IN (SELECT id FROM unmatched_receipt WHERE state = 'open'"
            " AND occurred_at < {then} ORDER BY occurred_at LIMIT {limit} FOR UPDATE SKIP LOCKED)",
            now=now,
            then=now - LASTS,
            limit=limit,
        )
    )
