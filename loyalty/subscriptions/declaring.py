"""Cancellations and withdrawals as anybody can declare them: stored as they come in, then matched with a contract.

Storing does the same for everybody and tells nobody whose address is known; a chore does the rest at once. What cannot
be matched waits for somebody to look, and is confirmed all the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.customers.queries import resolve
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.subscriptions import benefits, closing, holding, names
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Declaration, Subscription

BATCH = 200
SOURCE = "membership"
# Declarations of one address in a day; each is confirmed by a mail to it, whoever filled in the form.
MOST_A_DAY = 5


@dataclass(frozen=True, slots=True)
class Declared:
    """What somebody wrote. `contract` is a number, or words; without `wished_end` it ends as soon as it can."""

    kind: str
    name: str
    email: str
    contract: str = ""
    extraordinary: bool = False
    reason: str = ""
    wished_end: date | None = None
    locale: str = ""


@transaction.atomic
def declare(given: Declared, *, source: str, now: datetime) -> Declaration | None:
    """Store a declaration with the instant it came in; the same one again within a day is that one. None where the
    address has declared too much today, whether somebody is known by it or not."""
    today = list(Declaration.objects.filter(email=given.email, received_at__gt=now - timedelta(days=1)).order_by("id"))
    for one in today:
        if _same(one, given):
            return one
    if len(today) >= MOST_A_DAY:
        return None
    kept = Declaration.objects.create(
        kind=given.kind,
        received_at=now,
        name=given.name,
        email=given.email,
        contract=given.contract or None,
        extraordinary=given.extraordinary,
        reason=given.reason or None,
        wished_end=given.wished_end,
        locale=given.locale or None,
        source=source,
    )
    hint("subscriptions.declarations")
    return kept


def _same(one: Declaration, given: Declared) -> bool:
    return (one.kind, one.name, one.contract, one.extraordinary, one.reason, one.wished_end) == (
        given.kind, given.name, given.contract or None, given.extraordinary, given.reason or None, given.wished_end
    )  # fmt: skip


def process(*, now: datetime) -> int:
    """Carry out what was declared where the contract is beyond doubt; write a receipt to everybody. How many."""
    with transaction.atomic():
        waiting = list(
            Declaration.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(state=names.WAITING)
            .order_by("id")[:BATCH]
        )
        if not waiting:
            return 0
        _meet(waiting, now)
        holding.hold([one.pk for found in _contracts(waiting).values() for one in found])
        contracts, people = _contracts(waiting), _names(waiting)
        matched = {
            one.pk: _match(one, contracts.get(one.customer_id or 0, []), people.get(one.customer_id or 0, set()))
            for one in waiting
        }
        _carry_out(waiting, matched, now)
        Declaration.objects.bulk_update(
            waiting, ["state", "customer_id", "subscription_id", "settled_at", "settled_by"]
        )
        _receipts(waiting, now)
    return len(waiting)


def _meet(waiting: Sequence[Declaration], now: datetime) -> None:
    """Who gets the receipts: the person with the address, else a new one, so that a letter can be sent."""
    known = resolve([{"email": one.email or ""} for one in waiting])
    for one, customer_id in zip(waiting, known, strict=True):
        one.customer_id = customer_id
    new = {one.email: one for one in waiting if one.customer_id is None}
    if new:
        rows = [{"email": one.email, **({"locale": one.locale} if one.locale else {})} for one in new.values()]
        ids = dict(zip(new, upsert_customers(rows, now=now, source=SOURCE).ids, strict=True))
        for one in waiting:
            if one.customer_id is None:
                one.customer_id = ids[one.email]


def _contracts(waiting: Sequence[Declaration]) -> dict[int, list[Subscription]]:
    found: dict[int, list[Subscription]] = {}
    people = [one.customer_id for one in waiting if one.customer_id is not None]
    for row in Subscription.objects.filter(customer_id__in=people, state__in=names.RUNNING).order_by("id"):
        found.setdefault(row.customer_id or 0, []).append(row)
    return found


def _names(waiting: Sequence[Declaration]) -> dict[int, set[str]]:
    """What the people are called, as words; nothing of those whose name is not known."""
    people = [one.customer_id for one in waiting if one.customer_id is not None]
    rows = Customer.objects.filter(id__in=people).values_list("id", "first_name", "last_name")
    return {key: _words(f"{first or ''} {last or ''}") for key, first, last in rows}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _match(one: Declaration, contracts: Sequence[Subscription], people: set[str]) -> Subscription | None:
    """The contract of that person which is meant: by its number, else the only one where the name fits.

    Who only knows somebody's address ends nothing by that.
    """
    written = _plain(one.contract or "")
    named = [row for row in contracts if written and _plain(row.number) in written]
    if named:
        return named[0] if len(named) == 1 else None
    looks_like_number = written.startswith("M") and any(sign.isdigit() for sign in written)
    stranger = bool(people) and not people & _words(one.name or "")
    return contracts[0] if len(contracts) == 1 and not looks_like_number and not stranger else None


def _plain(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())


def _carry_out(waiting: Sequence[Declaration], matched: dict[int, Subscription | None], now: datetime) -> None:
    cancelling: dict[int, Cancelling] = {}
    withdrawing: dict[int, datetime] = {}
    for one in waiting:
        contract = matched[one.pk]
        one.subscription_id = contract.pk if contract else None
        one.state = names.UNMATCHED
        if contract is None:
            continue
        if one.kind == names.WITHDRAW:
            if one.received_at < contract.withdraw_until:
                withdrawing.setdefault(contract.pk, one.received_at)
                one.state = names.DONE
            continue
        # For good cause or not is for people to judge; as an ordinary one it counts in any case.
        cancelling.setdefault(contract.pk, Cancelling(one.received_at, one.wished_end))
        one.state = names.UNMATCHED if one.extraordinary else names.DONE
    for one in waiting:
        if one.state == names.DONE:
            one.settled_at, one.settled_by = now, SOURCE
    closing.cancel({key: given for key, given in cancelling.items() if key not in withdrawing}, now=now)
    closing.withdraw(withdrawing, now=now)
    if withdrawing:
        benefits.take_back(list(withdrawing), now=now)


def _receipts(waiting: Sequence[Declaration], now: datetime) -> None:
    execute(
        sql(
            "INSERT INTO subscription_notice (kind, customer_id, subscription_id, declaration_id, facts, created_at)"
            " SELECT 'declared', d.customer_id, d.subscription_id, d.id, jsonb_build_object('kind', d.kind,"
            " 'state', d.state), {now} FROM subscription_declaration d JOIN customer c ON c.id = d.customer_id"
            " WHERE d.id = ANY({ids}::bigint[]) ORDER BY d.id",
            now=now,
            ids=[one.pk for one in waiting],
        )
    )


@transaction.atomic
def settle(declaration_id: int, *, by: str, now: datetime, number: str = "", note: str = "") -> str:
    """Decide by hand: carry it out for the contract with that number, or close it with a note. Raises Problems."""
    one = Declaration.objects.select_for_update(of=("self",)).get(id=declaration_id)
    if one.state != names.UNMATCHED:
        raise Problems([Problem("declaration", "is settled already")])
    if not number and not note:
        raise Problems([Problem("note", "is missing", "say what was done, or name the contract")])
    details: dict[str, Any] = {"kind": one.kind, "state": names.SETTLED}
    if number:
        contract = Subscription.objects.filter(number=number.strip().upper()).first()
        if contract is None or not holding.hold([contract.pk]):
            raise Problems([Problem("number", f"there is no contract {number!r}")])
        contract.refresh_from_db()
        if contract.state not in names.RUNNING:
            raise Problems([Problem("number", f"{number} is over already")])
        if one.kind == names.WITHDRAW:
            if one.received_at >= contract.withdraw_until:
                raise Problems([Problem("number", "its 14 days were over", "close it with a note, or cancel it")])
            closing.withdraw({contract.pk: one.received_at}, now=now)
            benefits.take_back([contract.pk], now=now)
        else:
            closing.cancel({contract.pk: Cancelling(one.received_at, one.wished_end)}, now=now)
        one.subscription_id = contract.pk
        holding.write_to("declared", [contract.pk], now=now, details=details, declaration_id=one.pk)
    one.state, one.settled_at, one.settled_by, one.note = names.SETTLED, now, by, note or None
    one.save(update_fields=["state", "settled_at", "settled_by", "note", "subscription_id"])
    return one.subscription.number if one.subscription else ""


def waiting_for_people() -> int:
    """How many wait for somebody to look."""
    return int(fetch("SELECT count(*) FROM subscription_declaration WHERE state = 'unmatched'")[0][0])
