"""What became of a payment: told by who collects it, any number of times, counted once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.subscriptions import holding, names
from loyalty.subscriptions.models import Charge, ChargeReport, Subscription
from loyalty.subscriptions.terms import add_months

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reported:
    """The charge as it is now; `fresh` is False for what was told before."""

    charge: Charge
    contract: Subscription
    fresh: bool


def report(
    charge_id: int, outcome: str, *, reference: str, now: datetime, at: datetime | None = None,
    reason: str | None = None, actor: str | None = None,
) -> Reported:  # fmt: skip
    """Note that a charge was paid, or that its payment failed (`outcome`). Raises Problems.

    The same outcome with the same reference is one report. What is paid stays paid: a later chargeback is a failure of
    the reference that paid it.
    """
    with transaction.atomic():
        charge, contract = _held(charge_id)
        if at is not None and not EARLIEST <= at <= now + timedelta(days=1):
            raise Problems([Problem("at", "is no time at which this can have been paid", "leave it out for now")])
        known = ChargeReport.objects.filter(charge_id=charge_id, outcome=outcome, reference=reference).exists()
        if known or (charge.state == outcome == names.PAID and charge.reference == reference):
            return Reported(charge, contract, False)
        if problem := _against(charge, outcome, reference):
            raise Problems([problem])
        ChargeReport.objects.create(
            charge_id=charge_id, outcome=outcome, reference=reference, reason=reason, at=now, actor=actor
        )
        if outcome == names.PAID:
            _paid(charge, contract, at or now, reference, now)
        else:
            _failed(charge, contract, reason, now)
        charge.refresh_from_db()
        contract.refresh_from_db()
        return Reported(charge, contract, True)


def _held(charge_id: int) -> tuple[Charge, Subscription]:
    found = fetch(sql("SELECT subscription_id FROM subscription_charge WHERE id = {id}", id=charge_id))
    if not found:
        raise Problems([Problem("charge", f"there is no charge {charge_id}")])
    holding.hold([found[0][0]])
    # Of somebody who was forgotten the contract is not held: only its amounts are left.
    contract = Subscription.objects.select_for_update(no_key=True, of=("self",)).get(id=found[0][0])
    return Charge.objects.select_for_update(no_key=True, of=("self",)).get(id=charge_id), contract


def _against(charge: Charge, outcome: str, reference: str) -> Problem | None:
    if charge.state == names.VOID:
        return Problem("charge", "was dropped, nothing is to be paid for it", "give the money back if it came")
    if charge.state == names.PAID and outcome == names.PAID:
        return Problem("charge", f"was paid by {charge.reference}", "give the second payment back")
    if charge.state == names.PAID and charge.reference != reference:
        return Problem("charge", f"was paid by {charge.reference}", "a chargeback names the reference that paid")
    return None


def _paid(charge: Charge, contract: Subscription, at: datetime, reference: str, now: datetime) -> None:
    Charge.objects.filter(id=charge.pk).update(state=names.PAID, paid_at=at, reference=reference, reason=None)
    if charge.kind == names.REFUND or contract.state in (names.ENDED, names.WITHDRAWN):
        return
    if contract.state == names.ORDERED:
        _begin(charge, contract, now)
        return
    fees = Charge.objects.filter(subscription_id=contract.pk, kind=names.FEE)
    if contract.past_due_since is None or fees.filter(state__in=names.OPEN, due_at__lte=now).exists():
        return
    contract.past_due_since = None
    if contract.state == names.PAST_DUE:
        contract.state, contract.state_since = names.ACTIVE, now
    if contract.term_ends_at < now and contract.ends_at is None:
        # Benefits rested, and so did the fees: the next period begins now.
        contract.anchor_at, contract.anchor_months, contract.term_ends_at = now, 0, now
    contract.save(
        update_fields=["state", "state_since", "past_due_since", "anchor_at", "anchor_months", "term_ends_at"]
    )


def _begin(charge: Charge, contract: Subscription, now: datetime) -> None:
    """The first payment came: the contract's time counts from now."""
    end = add_months(now, contract.months, contract.zone)
    Charge.objects.filter(id=charge.pk).update(period_start=now, period_end=end, benefit_at=now)
    Subscription.objects.filter(id=contract.pk).update(
        state=names.ACTIVE, state_since=now, anchor_at=now, anchor_months=contract.months, term_ends_at=end,
        past_due_since=None, first_term_ends_at=add_months(now, contract.terms.get("term", 0), contract.zone),
    )  # fmt: skip
    holding.tell("subscription.started", [contract.pk], now=now)


def _failed(charge: Charge, contract: Subscription, reason: str | None, now: datetime) -> None:
    execute(
        sql(
            "UPDATE subscription_charge SET state = 'failed', attempts = attempts + 1, failed_at = {now},"
            " reason = {reason}, paid_at = NULL WHERE id = {id}",
            now=now,
            reason=reason,
            id=charge.pk,
        )
    )
    if charge.kind == names.REFUND:
        return
    if contract.state in (names.ENDED, names.WITHDRAWN):
        _taken_back(charge)
        return
    if contract.past_due_since is None:
        state = names.PAST_DUE if contract.state == names.ACTIVE else contract.state
        since = contract.state_since if state == contract.state else now
        Subscription.objects.filter(id=contract.pk).update(state=state, state_since=since, past_due_since=now)
    holding.tell("subscription.payment_failed", [contract.pk], now=now)
    details = {"attempt": charge.attempts + 1, "amount": str(charge.amount), "currency": charge.currency}
    holding.write_to("payment", [contract.pk], now=now, details=details)


def _taken_back(charge: Charge) -> None:
    """A fee that was taken back after the contract was over: what was to be paid back is not any more, and of the fee
    what we keep is open. A refund that went out already stays, and the whole fee is open."""
    execute(
        sql(
            "WITH refund AS (UPDATE subscription_charge SET state = 'void' WHERE subscription_id = {contract}"
            " AND kind = 'refund' AND number = {number} AND state IN ('due', 'failed') RETURNING amount)"
            " UPDATE subscription_charge c SET state = CASE WHEN c.amount > r.amount THEN c.state ELSE 'void' END,"
            " amount = CASE WHEN c.amount > r.amount THEN c.amount - r.amount ELSE c.amount END"
            " FROM refund r WHERE c.id = {id}",
            contract=charge.subscription_id,
            number=charge.number,
            id=charge.pk,
        )
    )
