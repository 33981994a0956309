"""Passing data on to partners: only what the contract says, each time noted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.customers import queries as customers
from loyalty.customers.operations import upsert_customers
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.partners import queries
from loyalty.partners.contract import PERSONAL, Standing, allowed, released
from loyalty.partners.models import Partner, PartnerTransfer
from loyalty.program import operations as program
from loyalty.program import queries as members
from loyalty.program.setup import Setup

IDENTITY = "partner"
# `partner` ids of all partners share one kind of identity; the key in front keeps them apart.
SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Found:
    """A person as a partner may see them."""

    customer_id: int
    standing: Standing
    fields: dict[str, Any]


def own_reference(partner: Partner, number: str) -> dict[str, str]:
    """How a customer is referred to by the number that the partner gave them."""
    return {IDENTITY: f"{partner.key}{SEPARATOR}{number}"}


def reference(partner: Partner, given: Mapping[str, str]) -> dict[str, str]:
    """The reference to a customer that a partner may use; raises Problems for ways that its contract lacks."""
    kinds = queries.contract_of(partner).identify
    if len(given) != 1 or next(iter(given)) not in kinds:
        raise Problems([Problem("customer", "cannot be asked for like this", f"send one of: {', '.join(kinds)}")])
    kind, value = next(iter(given.items()))
    return own_reference(partner, value) if kind == IDENTITY else {kind: value}


def find(
    *, partner: Partner, given: Mapping[str, str], setup: Setup, occasion: str, api_key_id: int | None, now: datetime,
    only: Sequence[str] | None = None,
) -> Found | None:  # fmt: skip
    """The member meant, with the fields that the partner may see (of those in `only`); None for nobody. Noted."""
    customer_id = customers.resolve([reference(partner, given)])[0]
    if customer_id is None:
        return None
    return show(
        partner=partner, customer_id=customer_id, setup=setup, occasion=occasion, api_key_id=api_key_id, now=now,
        only=only,
    )  # fmt: skip


@transaction.atomic
def show(
    *, partner: Partner, customer_id: int, setup: Setup, occasion: str, api_key_id: int | None, now: datetime,
    only: Sequence[str] | None = None,
) -> Found | None:  # fmt: skip
    """That customer as the partner may see them; None for who is no member. What is passed on is noted with it."""
    # Consents are declared under this lock: none is withdrawn between the look and the note.
    if not execute(sql("SELECT FROM customer WHERE id = {id} FOR SHARE", id=customer_id)):
        return None
    member = members.member_of(customer_id, program_id=setup.id)
    if member is None:
        return None
    standing = queries.standing(partner.pk, customer_id)
    names = allowed(queries.contract_of(partner).fields, standing)
    if only is not None:
        names = [name for name in names if name in only]
    fields: dict[str, Any] = {}
    if names:
        wallets = members.balances(member.pk, setup=setup, now=now)
        wallet = next((one for one in wallets if setup.wallet_ids[one["wallet"]] == partner.wallet_id), None)
        tier = next((one.key for one in setup.tiers if one.id == member.tier_id), None)
        membership = {
            "balance": wallet["available"] if wallet else 0,
            "tier": tier,
            "member_since": member.joined_at.date().isoformat(),
            "state": member.state,
        }
        fields = released(names, customers.profile(customer_id), membership)
    if fields:
        PartnerTransfer.objects.create(
            partner=partner, customer_id=customer_id, at=now, fields=sorted(fields), occasion=occasion,
            api_key_id=api_key_id,
        )  # fmt: skip
    return Found(customer_id, standing, fields)


@transaction.atomic
def enroll(
    *, partner: Partner, number: str, fields: Mapping[str, Any], card: str | None, setup: Setup, now: datetime
) -> tuple[int, bool]:
    """Bring somebody into the program; (customer, whether the partner enrolled them). Raises Problems.

    Somebody we know already becomes known to the partner under its number and nothing more: neither does the partner
    change what we know of them, nor does knowing an address open their data.
    """
    if wrong := sorted(set(fields) - set(PERSONAL)):
        raise Problems(Problem(f"fields.{name}", "is not taken", f"known: {', '.join(PERSONAL)}") for name in wrong)
    mine = own_reference(partner, number)
    asked: list[dict[str, str]] = [
        mine,
        *({kind: str(fields[kind])} for kind in ("email", "phone") if fields.get(kind)),
    ]
    if card:
        asked.append({"card": card})
    known = {customer_id for customer_id in customers.resolve(asked) if customer_id is not None}
    if len(known) > 1:
        remedy = "ask the person which of their accounts is meant, and send only what belongs to it"
        raise Problems([Problem("", "the number, addresses and card belong to different people", remedy)])
    identities = {**mine, **({"card": card} if card else {})}
    # A known person keeps all that is known; only the partner's number (which nobody else can claim) is added.
    row: dict[str, Any] = {**fields, "identities": identities}
    if known:
        (customer_id,) = known
        external_id = fetch(sql("SELECT external_id FROM customer WHERE id = {id}", id=customer_id))[0][0]
        owner = next(one for one, found in zip(asked, customers.resolve(asked), strict=True) if found is not None)
        named = {"external_id": external_id} if external_id else _named(owner)
        row = {**named, "identities": {**named.get("identities", {}), **mine}}
    done = upsert_customers([row], now=now, source=f"partner {partner.key}", actor=f"partner {partner.key}")
    if done.rejected:
        raise Problems(done.rejected[0][1])
    found = done.ids[0]
    if found is None:
        raise Problems([Problem("", "met another change of the same person", "send it again")])
    new = not known and done.created == 1
    program.join(customer_ids=[found], setup=setup, now=now)
    execute(
        sql(
            "INSERT INTO partner_link (partner_id, customer_id, enrolled, since)"
            " VALUES ({partner}, {customer}, {new}, {now}) ON CONFLICT DO NOTHING",
            partner=partner.pk,
            customer=found,
            new=new,
            now=now,
        )
    )
    return found, queries.standing(partner.pk, found).enrolled


def _named(owner: Mapping[str, str]) -> dict[str, Any]:
    """The part of a row that finds a customer who has no external id."""
    kind, value = next(iter(owner.items()))
    return {kind: value} if kind in ("email", "phone") else {"identities": {kind: value}}
