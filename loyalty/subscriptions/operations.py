"""Writes plans and contracts: ordered, cancelled, resumed, withdrawn, a new fee offered and accepted."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers.models import VoucherPool
from loyalty.offers.queries import unknown_pool
from loyalty.program import membership
from loyalty.program import operations as program
from loyalty.program.setup import Setup, load
from loyalty.subscriptions import benefits, closing, holding, names, queries, renewing
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.definition import PlanDocument
from loyalty.subscriptions.models import Plan, Subscription
from loyalty.subscriptions.terms import LATEST_WISH, calendar

# Letters and digits that nobody takes for each other.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


@transaction.atomic
def save_plan(document: PlanDocument, *, now: datetime) -> Change:
    """Create the plan or change it; contracts that run keep what they were ordered with. Raises Problems."""
    setup = load(document.program)
    found = Plan.objects.select_for_update().filter(key=document.key).first()
    problems = _problems(document, setup)
    if found and found.program_id != setup.id:
        problems.append(Problem("program", "a plan stays in its program", "make a new plan"))
    if problems:
        raise Problems(problems)
    after = {"kind": "plan", "key": document.key, "program": setup.key, **document.as_plain()}
    before = found.definition if found else None
    verdict = "created" if found is None else "unchanged" if before == after else "updated"
    change = Change("plan", document.key, verdict, before, after)
    if verdict != "unchanged":
        row = found or Plan(key=document.key, program_id=setup.id, created_at=now)
        row.state, row.name, row.definition, row.updated_at = document.state, document.name, after, now
        row.save()
    return change


def _problems(document: PlanDocument, setup: Setup) -> list[Problem]:
    problems = []
    tiers = [tier.key for tier in setup.tiers]
    given = document.benefits
    if given.tier and given.tier not in tiers:
        known = ", ".join(tiers) or "none"
        problems.append(Problem("benefits.tier", f"there is no tier {given.tier!r}", f"known: {known}"))
    if given.wallet and given.wallet not in setup.wallet_ids:
        known = ", ".join(setup.wallet_ids)
        problems.append(Problem("benefits.wallet", f"there is no wallet {given.wallet!r}", f"known: {known}"))
    have = set(VoucherPool.objects.filter(key__in=[one.pool for one in given.vouchers]).values_list("key", flat=True))
    problems += [
        unknown_pool(one.pool, f"benefits.vouchers[{place}].pool")
        for place, one in enumerate(given.vouchers)
        if one.pool not in have
    ]
    return problems


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody orders a plan. `early_start`: asked to begin before the 14 days are over, and knows what that costs.

    The same `key` is one order. `evidence` is what the page said.
    """

    customer_id: int
    plan: str
    source: str
    early_start: bool = False
    evidence: dict[str, Any] | None = None
    key: UUID | None = None


@transaction.atomic
def order(asked: Order, *, now: datetime) -> Subscription:
    """Make the contract: on trial at once, else it waits for the first payment. Raises Problems."""
    if not fetch(sql("SELECT FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=asked.customer_id)):
        raise Problems([Problem("customer", "is not known any more")])
    if asked.key and (known := Subscription.objects.select_related("plan").filter(key_digest=asked.key).first()):
        if (known.customer_id, known.plan.key) != (asked.customer_id, asked.plan):
            raise Problems([Problem("id", "was used for another order", "use a new one")])
        return known
    plan = queries.plan(asked.plan)
    if plan.state != Plan.State.ACTIVE:
        raise Problems([Problem("plan", f"{plan.key} is not on sale")])
    if runs := queries.running(asked.customer_id, plan.program_id):
        raise Problems([Problem("customer", f"has the contract {runs.number} already", "cancel it first")])
    document = queries.document_of(plan.definition)
    setup = load(document.program)
    state = membership.of_customers([asked.customer_id], program_id=setup.id).get(asked.customer_id, (0, "none"))[1]
    if state == "frozen":
        raise Problems([membership.unfit(state)])
    if state != "active":
        program.join(customer_ids=[asked.customer_id], setup=setup, now=now)
    trial = 0 if queries.had_trial(asked.customer_id, setup.id) else document.trial
    row = _contract(asked, plan, document, setup, trial, now)
    if not trial:
        _first_fee(row.pk)
        row.refresh_from_db()
    holding.tell("subscription.ordered", [row.pk], now=now)
    if trial:
        holding.tell("subscription.started", [row.pk], now=now)
    holding.write_to("ordered", [row.pk], now=now)
    return row


def _contract(
    asked: Order, plan: Plan, document: PlanDocument, setup: Setup, trial: int, now: datetime
) -> Subscription:
    dates = calendar(ordered_at=now, trial_days=trial, term_months=document.term, zone=setup.zone)
    seconds = {name: document.seconds(name) for name in ("notice", "remind", "grace", "end_unpaid")}
    signs = "".join(secrets.choice(_SIGNS) for _ in range(10))
    return Subscription.objects.create(
        number=f"M-{signs[:5]}-{signs[5:]}",
        plan=plan,
        program_id=setup.id,
        customer_id=asked.customer_id,
        state=names.TRIAL if trial else names.ORDERED,
        state_since=now,
        terms={**plan.definition, "seconds": seconds},
        evidence=asked.evidence or {},
        fee=document.fee.amount,
        currency=document.fee.currency or setup.document.currency,
        months=document.fee.months,
        zone=setup.zone,
        ordered_at=now,
        early_start=asked.early_start,
        withdraw_until=dates.withdraw_until,
        trial_ends_at=dates.trial_ends_at,
        anchor_at=dates.anchor_at,
        first_term_ends_at=dates.first_term_ends_at,
        term_ends_at=dates.anchor_at,
        source=asked.source,
        key_digest=asked.key,
    )


def _first_fee(contract_id: int) -> None:
    execute(
        sql(
            "WITH s AS (UPDATE subscription s SET anchor_months = s.months, term_ends_at = {end} WHERE s.id = {id}"
            " RETURNING s.*) INSERT INTO subscription_charge (subscription_id, kind, number, period_start, period_end,"
            " amount, currency, due_at, state, benefit_at) SELECT id, 'fee', 1, anchor_at, term_ends_at, fee, currency,"
            " anchor_at, 'due', anchor_at FROM s",
            end=renewing.NEXT_END,
            id=contract_id,
        )
    )


def _mine(contract_id: int) -> Subscription:
    if not holding.hold([contract_id]):
        raise Problems([Problem("contract", "is not there any more")])
    return Subscription.objects.select_related("plan").get(id=contract_id)


@transaction.atomic
def cancel(contract_id: int, given: Cancelling, *, now: datetime, tell: bool = True) -> datetime:
    """Cancel a contract; when it ends. Again it counts only where it ends sooner by that. Raises Problems for one that
    is over."""
    if given.wished and given.wished > (now + LATEST_WISH).date():
        raise Problems([Problem("wished_end", "is too far away", "name a day within the next three years")])
    one = _mine(contract_id)
    ends = closing.cancel({contract_id: given}, now=now)
    if contract_id not in ends:
        if one.state == names.CANCELLED and one.ends_at:
            return one.ends_at
        raise Problems([Problem("contract", "is over already")])
    if tell:
        holding.write_to("declared", [contract_id], now=now, details={"kind": names.CANCEL})
    return ends[contract_id]


@transaction.atomic
def resume(contract_id: int, *, now: datetime) -> Subscription:
    """Take a cancellation back while the contract runs. Raises Problems."""
    one = _mine(contract_id)
    if one.state != names.CANCELLED or (one.ends_at and one.ends_at <= now):
        raise Problems([Problem("contract", "is not cancelled, or over")])
    on_trial = one.trial_ends_at is not None and now < one.trial_ends_at
    one.state = names.PAST_DUE if one.past_due_since else names.TRIAL if on_trial else names.ACTIVE
    one.state_since, one.cancelled_at, one.ends_at = now, None, None
    one.save(update_fields=["state", "state_since", "cancelled_at", "ends_at"])
    holding.tell("subscription.resumed", [contract_id], now=now)
    return one


@transaction.atomic
def withdraw(contract_id: int, *, declared_at: datetime, now: datetime, tell: bool = True) -> Decimal:
    """Undo a contract within its 14 days; what goes back. Raises Problems."""
    one = _mine(contract_id)
    if one.state not in names.RUNNING:
        raise Problems([Problem("contract", "is over already")])
    if declared_at >= one.withdraw_until:
        raise Problems([Problem("contract", "can not be withdrawn any more", "cancel it")])
    back = closing.withdraw({contract_id: declared_at}, now=now).get(contract_id, Decimal(0))
    benefits.take_back([contract_id], now=now)
    if tell:
        holding.write_to("declared", [contract_id], now=now, details={"kind": names.WITHDRAW})
    return Decimal(str(back))


@transaction.atomic
def offer_fee(plan_id: int, *, now: datetime) -> int:
    """Ask everybody who pays another fee than the plan's whether they agree to it; how many were asked.

    Nobody's fee changes by silence: who does not agree goes on with the old one.
    """
    plan = Plan.objects.get(id=plan_id)
    fee = queries.document_of(plan.definition).fee
    rows = fetch(
        sql(
            "SELECT s.id FROM subscription s JOIN customer c ON c.id = s.customer_id WHERE s.plan_id = {plan}"
            " AND s.state IN ('trial', 'active') AND s.fee <> {fee} AND s.months = {months}"
            " AND s.offered_fee IS DISTINCT FROM {fee} ORDER BY c.id",
            plan=plan_id,
            fee=fee.amount,
            months=fee.months,
        )
    )
    ids = holding.hold([row[0] for row in rows])
    execute(
        sql(
            "UPDATE subscription SET offered_fee = {fee}, offered_at = {now} WHERE id = ANY({ids}::bigint[])",
            fee=fee.amount,
            now=now,
            ids=ids,
        )
    )
    holding.write_to("price", ids, now=now, details={"fee": str(fee.amount)})
    return len(ids)


@transaction.atomic
def accept_fee(contract_id: int, *, accept: bool, now: datetime) -> Subscription:
    """Agree to the fee that was offered, from the next period on, or decline it. Raises Problems."""
    one = _mine(contract_id)
    if one.offered_fee is None:
        raise Problems([Problem("contract", "no other fee is offered")])
    if accept:
        agreed = {"from": str(one.fee), "to": str(one.offered_fee), "at": now.isoformat()}
        one.evidence = {**one.evidence, "fees": [*one.evidence.get("fees", []), agreed]}
        one.fee = one.offered_fee
    one.offered_fee = one.offered_at = None
    one.save(update_fields=["fee", "offered_fee", "offered_at", "evidence"])
    return one
