"""Purchases at a partner's tills: the program's own transactions, in the partner's shops only, under ids of its own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.customers import queries as customers
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems
from loyalty.partners import passing
from loyalty.partners.models import Partner
from loyalty.partners.queries import stores_of
from loyalty.program import purchases, queries, returns
from loyalty.program.purchases import Committed
from loyalty.program.setup import Setup

Commit = Callable[..., Committed]
SEPARATOR = "/"


def own_id(partner: Partner, identifier: str) -> str:
    """A transaction's id among those of all partners: nobody can touch another one's."""
    return f"{partner.key}{SEPARATOR}{identifier}"


def purchase(
    *, partner: Partner, row: dict[str, Any], setup: Setup, simulate: bool, api_key_id: int | None, now: datetime
) -> dict[str, Any]:
    """Book a purchase at one of the partner's shops, or only look at what it would do; raises Problems, ApiError."""
    row = {**row, "id": own_id(partner, str(row["id"])), "store": _store(partner, row.get("store"))}
    if partner.state != Partner.State.ACTIVE:
        raise Problems([Problem("", "the partner takes no part any more", "returns are still taken")])
    given = row["customer"]
    row["customer"] = passing.reference(partner, given if isinstance(given, dict) else {"external_id": given})
    return _told(partner, row, purchases.commit, setup, simulate=simulate, api_key_id=api_key_id, now=now)


def undo(
    *, partner: Partner, row: dict[str, Any], void: bool, setup: Setup, api_key_id: int | None, now: datetime
) -> dict[str, Any]:
    """Take back lines of a purchase at the partner, or with `void` all of it."""
    row = {**row, "transaction": own_id(partner, str(row["transaction"]))}
    if row.get("id"):
        row["id"] = own_id(partner, str(row["id"]))
    commit = returns.void if void else returns.give_back
    return _told(partner, row, commit, setup, simulate=False, api_key_id=api_key_id, now=now)


def _store(partner: Partner, given: str | None) -> str:
    stores = stores_of(partner.pk)
    if given is None and len(stores) == 1:
        return stores[0]
    if given not in stores:
        what = "is missing" if given is None else f"{given!r} is no shop of {partner.key}"
        shown = ", ".join(stores[:10]) or "none yet"
        raise Problems([Problem("store", what, f"known: {shown}")])
    return str(given)


def _told(
    partner: Partner, row: dict[str, Any], commit: Commit, setup: Setup, *, simulate: bool, api_key_id: int | None,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    with transaction.atomic():
        done = commit(rows=[row], setup=setup, now=now)
        if done.rejected:
            problems = done.rejected[0][1]
            status = 409 if any(problem.where == "id" for problem in problems) else 422
            raise ApiError(status, "The transaction was refused; nothing was booked.", problems)
        booking_id = done.bookings[0]
        if booking_id is None:
            raise ApiError(409, "The transaction met another one; send it again.")
        found = queries.outcome(booking_id, setup=setup, now=now)
        answer = _without_person(found, partner)
        answer["status"] = "simulated" if simulate else "duplicate" if done.repeated else "committed"
        person = _shown(partner, row, setup, api_key_id, now)
        answer["member"] = person.fields if person else {}
        if simulate:
            # What the till showed was passed on, whether or not somebody buys.
            transaction.set_rollback(True)
    if simulate:
        person = _shown(partner, row, setup, api_key_id, now)
        answer["member"] = {name: answer["member"].get(name) for name in person.fields} if person else {}
    return answer


def _shown(
    partner: Partner, row: dict[str, Any], setup: Setup, api_key_id: int | None, now: datetime
) -> passing.Found | None:
    """What the contract lets the till see with a transaction: nothing but what concerns the membership."""
    if "customer" not in row:
        return None
    customer_id = customers.resolve([row["customer"]])[0]
    if customer_id is None:
        return None
    return passing.show(
        partner=partner, customer_id=customer_id, setup=setup, occasion="transaction", api_key_id=api_key_id, now=now,
        only=("balance", "tier"),
    )  # fmt: skip


def _without_person(found: dict[str, Any], partner: Partner) -> dict[str, Any]:
    """The outcome without what only the contract opens (balances, tier) and without the id in front."""
    prefix = f"{partner.key}{SEPARATOR}"
    kept = ("kind", "amount", "points", "spent", "reversed", "refunded")
    earned = [
        {name: one[name] for name in ("wallet", "points", "sentence", "state", "available_at")}
        for one in found["earned"]
    ]
    return {**{name: found[name] for name in kept}, "id": (found["id"] or "").removeprefix(prefix), "earned": earned}
