"""The paid membership: plans to order with everything on one page, the own contract, what it was worth."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from loyalty.kit.chores import hint
from loyalty.kit.problems import Problems
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import localized, number
from loyalty.portal.visit import Visitor
from loyalty.subscriptions import closing, names, operations, queries, statements, wording
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Charge, Plan, Subscription


@sections.register("membership")
class Membership:
    rank = 45
    icon = "check"
    after_leaving = True

    def title(self) -> str:
        return _("Membership")

    def available(self, visitor: Visitor) -> bool:
        """There is a plan on sale in the program, or the member has, or had, a contract."""
        if visitor.setup is None:
            return False
        return (
            Plan.objects.filter(program_id=visitor.setup.id, state=Plan.State.ACTIVE).exists()
            or Subscription.objects.filter(customer_id=visitor.customer_id, program_id=visitor.setup.id).exists()
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """The state of the own contract, else the first plan with its price."""
        one = queries.running(visitor.customer_id, visitor.club.id)
        if one is not None:
            return Tile(f"{localized(one.terms.get('name'), one.plan.key)}: {_STATES[one.state]()}")
        plans = queries.on_sale(visitor.club.id)
        return Tile(_plan(plans[0], visitor)["tile"]) if plans and visitor.active else None

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The own contract, the plans, or one plan with the button that orders it."""
        latest = queries.latest(visitor.customer_id, visitor.club.id)
        runs = latest if latest and latest.state in names.RUNNING else None
        plans = [] if runs or not visitor.active else queries.on_sale(visitor.club.id)
        chosen = next((one for one in plans if one.key == query.get("plan")), None)
        return {
            "contract": _contract(latest, visitor) if latest else None,
            "plans": [_plan(one, visitor) for one in plans],
            "chosen": _plan(chosen, visitor) if chosen else None,
            "asks": query.get("do", "") if runs else "",
            "token": uuid4().hex,
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Order, cancel, go on, withdraw, or decide about another fee."""
        if "order" in data:
            return _order(visitor, data)
        one = queries.running(visitor.customer_id, visitor.club.id)
        if one is None:
            raise Refused(_("There is no membership to change."))
        hint("subscriptions.letters")
        now = visitor.now
        if "cancel" in data:
            ends = operations.cancel(one.pk, Cancelling(now), now=now)
            return _("It is cancelled and runs until %(day)s. A receipt is on its way to you by email.") % {
                "day": wording.last_day(ends, one.zone)
            }
        if "resume" in data:
            operations.resume(one.pk, now=now)
            return _("Nice that you stay. The cancellation is taken back.")
        if "withdraw" in data:
            back = operations.withdraw(one.pk, declared_at=now, now=now)
            if back:
                return _("You have withdrawn. You get back %(money)s; a receipt is on its way by email.") % {
                    "money": wording.money(back, one.currency)
                }
            return _("You have withdrawn. A receipt is on its way to you by email.")
        if data.get("fee") in ("yes", "no"):
            operations.accept_fee(one.pk, accept=data["fee"] == "yes", now=now)
            return (
                _("Thank you, the new fee counts from the next period on.")
                if data["fee"] == "yes"
                else _("Your fee stays as it is.")
            )
        raise Refused(_("Please choose what to do."))


def _order(visitor: Visitor, data: Mapping[str, str]) -> str:
    plan = next((one for one in queries.on_sale(visitor.club.id) if one.key == data["order"]), None)
    if plan is None or not visitor.active:
        raise Refused(_("This membership cannot be ordered any more."))
    shown = _plan(plan, visitor)
    if data.get("seen") != shown["seen"]:
        raise Refused(_("The conditions have changed meanwhile. Please read them again; nothing was ordered."))
    evidence = {
        "page": "portal", "language": get_language(), "button": _("Order with obligation to pay"),
        "price": shown["price"], "conditions": [list(row) for row in shown["conditions"]],
        "benefits": shown["benefits"], "withdrawal": shown["withdrawal"],
    }  # fmt: skip
    key = uuid5(NAMESPACE_URL, f"portal {visitor.customer_id} {data.get('token', '')[:32]}")
    asked = operations.Order(
        visitor.customer_id, plan.key, "portal", early_start="early" in data, evidence=evidence, key=key
    )
    try:
        operations.order(asked, now=visitor.now)
    except Problems:
        raise Refused(_("You have a membership already, or your account rests. Nothing was ordered.")) from None
    hint("subscriptions.letters")
    return _("Thank you for your order. The contract is on its way to you by email.")


def _plan(plan: Plan, visitor: Visitor) -> dict[str, Any]:
    document = queries.document_of(plan.definition)
    currency = document.fee.currency or visitor.club.document.currency
    trial = 0 if document.trial and queries.had_trial(visitor.customer_id, visitor.club.id) else document.trial
    name = localized(plan.name, plan.key)
    price = wording.price(document.fee.amount, currency, document.fee.months)
    free = ngettext("%(n)s day for free", "%(n)s days for free", trial) % {"n": trial} if trial else ""
    conditions = wording.conditions(document, trial=trial, currency=currency)
    return {
        "key": plan.key,
        "name": name,
        "text": localized(document.text, ""),
        "price": price,
        "free": free,
        "tile": f"{name}: {price}",
        "benefits": wording.benefits(document, visitor.club),
        "conditions": conditions,
        "seller": document.seller,
        "more": localized(document.conditions, ""),
        "withdrawal": wording.withdrawal(document),
        # The order counts only for what the page said.
        "seen": f"{plan.updated_at.timestamp():.0f}-{trial}",
    }


_STATES = {
    names.ORDERED: lambda: _("waits for the first payment"),
    names.TRIAL: lambda: _("on trial"),
    names.ACTIVE: lambda: _("active"),
    names.PAST_DUE: lambda: _("payment overdue"),
    names.CANCELLED: lambda: pgettext("contract", "cancelled"),
    names.ENDED: lambda: _("ended"),
    names.WITHDRAWN: lambda: _("withdrawn"),
}


def _contract(one: Subscription, visitor: Visitor) -> dict[str, Any]:
    document = queries.document_of(one.terms)
    saving = statements.saving(one)
    runs = one.state in names.RUNNING
    open_end = runs and one.state != names.CANCELLED
    return {
        "name": localized(one.terms.get("name"), one.plan.key),
        "number": one.number,
        "state": _STATES[one.state](),
        "good": one.state in (names.TRIAL, names.ACTIVE),
        "late": one.past_due_since is not None,
        "runs": runs,
        "price": wording.price(one.fee, one.currency, one.months),
        "benefits": wording.benefits(document, visitor.club),
        "ordered": wording.day(one.ordered_at, one.zone),
        "trial": wording.last_day(one.trial_ends_at, one.zone)
        if one.state == names.TRIAL and one.trial_ends_at
        else "",
        "next": wording.day(one.term_ends_at, one.zone) if open_end and one.state != names.ORDERED else "",
        "ends": wording.last_day(one.ends_at, one.zone) if one.ends_at else "",
        "would_end": wording.last_day(closing.planned_end(one, Cancelling(visitor.now)), one.zone) if open_end else "",
        "cancellable": open_end,
        "resumable": one.state == names.CANCELLED,
        "withdrawable": runs and visitor.now < one.withdraw_until,
        "withdraw_until": wording.last_day(one.withdraw_until, one.zone),
        "early": one.early_start,
        "new_fee": wording.price(one.offered_fee, one.currency, one.months) if one.offered_fee else "",
        "charges": [_charge(row, one.zone) for row in queries.charges(one.pk)[:13]],
        "saving": _saving(saving, one.currency) if saving.paid or saving.worth else None,
    }


def _saving(found: statements.Saving, currency: str) -> dict[str, Any]:
    lines = [
        (ngettext("%(n)s point", "%(n)s points", found.points) % {"n": number(found.points)}, found.points_worth),
        (ngettext("%(n)s voucher, as used", "%(n)s vouchers, as used", found.vouchers) % {"n": found.vouchers},
         found.vouchers_worth),
        (_("Other benefits, as we reckon them"), found.others),
    ]  # fmt: skip
    difference = wording.money(abs(found.saved), currency)
    if found.saved > 0:
        said = _("So far you have saved %(money)s.") % {"money": difference}
    elif found.saved < Decimal(0):
        said = _("So far the fees were %(money)s more than what you used.") % {"money": difference}
    else:
        said = _("So far fees and benefits are even.")
    return {
        "said": said,
        "lines": [(name, wording.money(worth, currency)) for name, worth in lines if worth],
        "paid": wording.money(found.paid, currency),
    }


def _charge(row: Charge, zone: str) -> dict[str, Any]:
    words = {
        names.DUE: _("due"), names.PAID: _("paid"), names.FAILED: _("payment failed"), names.VOID: _("dropped")
    }  # fmt: skip
    back = row.kind == names.REFUND
    if back:
        words |= {names.DUE: _("on its way to you"), names.PAID: _("paid back")}
    return {
        "what": _("Refund") if back else pgettext("membership", "Fee"),
        "when": f"{wording.day(row.period_start, zone)} – {wording.last_day(row.period_end, zone)}",
        "amount": wording.money(row.amount, row.currency),
        "state": words[row.state],
    }
