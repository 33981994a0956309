"""Paid memberships in the admin: plans with their result, contracts, charges, what people declared."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.charts import Series, columns
from loyalty.kit.chores import hint
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.program.setup import load
from loyalty.subscriptions import (
    declaring,
    names,
    operations,
    paying,
    plan_pages,  # noqa: F401 - its pages are served once it is loaded
    queries,
    statements,
    wording,
)
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Charge, ChargeReport, Declaration, Notice, Plan, Subscription

SHOWN = 20
FINDS = _("External id, email, phone, card or number of the contract")


def _offer(plan: Plan, data: dict[str, Any]) -> str:
    asked = operations.offer_fee(plan.pk, now=now())
    hint("subscriptions.letters")
    return ngettext("%(n)s member is asked.", "%(n)s members are asked.", asked) % {"n": asked}


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("title", "fee", "running", "state")
    list_display_links = ("title",)
    list_filter = ("state",)
    search_fields = ("key", "name")
    ordering = ("key",)
    panel_template = "admin/subscriptions/plan.html"
    change_list_template = "admin/subscriptions/plans.html"
    empty_text = _("No paid membership yet: write the first plan here, or apply a document of kind plan.")
    acts = {
        "offer": Act(
            _("Ask for the new fee"),
            _("Ask all members who pay another fee than the plan's whether they agree to it? Who does not answer keeps"
              " the old one."), _offer,
        ),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, plan: Plan) -> str:
        return localized(plan.name, plan.key)

    @display(description=pgettext_lazy("membership", "fee"))
    def fee(self, plan: Plan) -> str:
        fee = queries.document_of(plan.definition).fee
        return wording.price(fee.amount, fee.currency or "EUR", fee.months)

    @display(description=_("contracts that run"))
    def running(self, plan: Plan) -> int:
        return int(plan.running_count)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        mine = Subscription.objects.filter(plan=OuterRef("pk"), state__in=names.RUNNING)
        counted = mine.order_by().values("plan").annotate(n=Count("*")).values("n")
        return super().get_queryset(request).annotate(running_count=Coalesce(Subquery(counted), 0))

    def panels(self, request: HttpRequest, obj: Plan) -> dict[str, Any]:
        """What it offers, what it brings and costs; a fixed number of queries."""
        document = queries.document_of(obj.definition)
        setup = load(document.program)
        currency = document.fee.currency or setup.document.currency
        figures = statements.figures(obj.pk, now=now())
        states = plan_states(figures["states"])
        months = statements.months(obj.pk, now=now())
        return {
            "title": localized(obj.name, obj.key),
            "text": localized(document.text, ""),
            "price": wording.price(document.fee.amount, currency, document.fee.months),
            "benefits": wording.benefits(document, setup),
            "conditions": wording.conditions(document, trial=document.trial, currency=currency),
            "seller": document.seller,
            "currency": currency,
            "figures": figures,
            "running": sum(count for state, _label, count in states if state in names.RUNNING),
            "states": states,
            "share": 100 * figures["won"] / figures["trials"] if figures["trials"] else None,
            "chart": columns(
                [date_format(month, "M y") for month, _ordered, _ended in months],
                [
                    Series(gettext("ordered"), [ordered for _m, ordered, _e in months]),
                    Series(gettext("ended"), [ended for _m, _o, ended in months]),
                ],
            ) if any(ordered or ended for _m, ordered, ended in months) else None,
            "may_change": request.user.has_perm("subscriptions.change_plan"),
            "text_url": reverse("admin:subscriptions_text", args=[obj.key]),
            "contracts_url": f"{reverse('admin:subscriptions_subscription_changelist')}?plan__id__exact={obj.pk}",
        }  # fmt: skip


def plan_states(found: Any) -> list[tuple[str, str, int]]:
    """(state, its name, contracts) in the order of a contract's life."""
    counts = json.loads(found) if isinstance(found, str) else found or {}
    return [(state, str(Subscription.State(state).label), counts[state]) for state in names.STATES if counts.get(state)]


class EndForm(forms.Form):
    """The last day, if it is not the earliest."""

    wished = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: as soon as possible."),
    )  # fmt: skip


def _cancel(one: Subscription, data: dict[str, Any]) -> str:
    ends = operations.cancel(one.pk, Cancelling(now(), data["wished"]), now=now())
    hint("subscriptions.letters")
    return gettext("Cancelled; it runs until %(day)s.") % {"day": wording.last_day(ends, one.zone)}


def _resume(one: Subscription, data: dict[str, Any]) -> str:
    operations.resume(one.pk, now=now())
    return gettext("It goes on.")


def _withdraw(one: Subscription, data: dict[str, Any]) -> str:
    back = operations.withdraw(one.pk, declared_at=now(), now=now())
    hint("subscriptions.letters")
    return gettext("Withdrawn; %(money)s go back.") % {"money": wording.money(back, one.currency)}


class _OfCustomers(ReadOnlyAdmin):
    """Searched by the person, or the number of the contract."""

    through = "customer_id__in"
    number = "number"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        people = queryset.filter(**{self.through: find(search_term)})
        return people | queryset.filter(**{self.number: search_term.strip().upper()}), False


@admin.register(Subscription)
class SubscriptionAdmin(_OfCustomers):
    list_display = ("number", "plan_name", "state", "price", "ordered_at", "term_ends_at", "ends_at")
    list_display_links = ("number",)
    list_filter = ("state", "plan", "end_reason")
    list_select_related = ("plan",)
    search_fields = ("number",)
    search_help_text = FINDS
    ordering = ("-id",)
    panel_template = "admin/subscriptions/contract.html"
    empty_text = _("Nobody has ordered a membership yet. Members order in the portal, on the page of their membership.")
    acts = {
        "cancel": Act(pgettext_lazy("contract", "Cancel it"),
                      _("Cancel this contract for the member? A receipt is mailed."), _cancel, danger=True,
                      form=EndForm, allowed=lambda one: one.state in names.RUNNING and one.state != names.CANCELLED),
        "resume": Act(_("Let it go on"), _("Take the cancellation back, because the member asked for it?"), _resume,
                      allowed=lambda one: one.state == names.CANCELLED),
        "withdraw": Act(_("Withdraw it"), _("Undo this contract? Fees go back; unused vouchers and points of it are"
                                            " taken back. A receipt is mailed."), _withdraw,
                        allowed=lambda one: one.state in names.RUNNING and now() < one.withdraw_until, danger=True),
    }  # fmt: skip

    @display(description=_("plan"))
    def plan_name(self, one: Subscription) -> str:
        return localized(one.plan.name, one.plan.key)

    @display(description=pgettext_lazy("membership", "fee"), ordering="fee")
    def price(self, one: Subscription) -> str:
        return wording.price(one.fee, one.currency, one.months)

    def panels(self, request: HttpRequest, obj: Subscription) -> dict[str, Any]:
        """The contract, its charges, what it was worth, its letters; a fixed number of queries."""
        customer = Customer.objects.filter(id=obj.customer_id).first() if obj.customer_id else None
        return {
            "title": gettext("Contract %(number)s") % {"number": obj.number},
            "plan_name": localized(obj.plan.name, obj.plan.key),
            "price": wording.price(obj.fee, obj.currency, obj.months),
            "customer": customer,
            "charges": queries.charges(obj.pk),
            "saving": statements.saving(obj),
            "letters": Notice.objects.filter(subscription_id=obj.pk).order_by("-id")[:SHOWN],
            "declarations": Declaration.objects.filter(subscription=obj).order_by("-id")[:SHOWN],
        }


class ReportForm(forms.Form):
    """Which payment."""

    reference = forms.CharField(
        label=_("Reference"), max_length=200, help_text=_("What identifies the payment: it is counted once.")
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)


def _report(outcome: str) -> Any:
    def run(charge: Charge, data: dict[str, Any]) -> str:
        done = paying.report(
            charge.pk, outcome, reference=data["reference"], reason=data["reason"] or None, actor=data["by"], now=now()
        )
        hint("subscriptions.benefits")
        hint("subscriptions.letters")
        return gettext("It is noted.") if done.fresh else gettext("That was known already.")

    return run


@admin.register(Charge)
class ChargeAdmin(_OfCustomers):
    through = "subscription__customer_id__in"
    number = "subscription__number"
    list_display = ("name", "contract", "kind", "amount", "currency", "due_at", "state", "attempts")
    list_display_links = ("name",)
    list_filter = ("state", "kind", "subscription__plan")
    list_select_related = ("subscription",)
    search_fields = ("subscription__number",)
    search_help_text = FINDS
    ordering = ("-id",)
    panel_template = "admin/subscriptions/charge.html"
    change_list_template = "admin/subscriptions/charges.html"
    empty_text = _("Nothing is due yet: the first charge comes with the first order, or after its trial.")
    acts = {
        "paid": Act(_("Paid"), _("Did the money come in, or go back?"), _report(names.PAID), form=ReportForm,
                    allowed=lambda one: one.state in names.OPEN),
        "failed": Act(_("Payment failed"), _("The member is told; benefits go on for the grace of the plan."),
                      _report(names.FAILED), form=ReportForm, danger=True,
                      allowed=lambda one: one.state in (*names.OPEN, names.PAID)),
    }  # fmt: skip

    @display(description=_("charge"), ordering="id")
    def name(self, one: Charge) -> str:
        return f"#{one.pk}"

    @display(description=_("contract"))
    def contract(self, one: Charge) -> str:
        return one.subscription.number

    def panels(self, request: HttpRequest, obj: Charge) -> dict[str, Any]:
        """The charge and every report about it."""
        return {
            "title": gettext("Charge %(number)s") % {"number": obj.pk},
            "contract": obj.subscription,
            "reports": ChargeReport.objects.filter(charge_id=obj.pk).order_by("-id")[:SHOWN],
        }


class SettleForm(forms.Form):
    """Which contract it is about, or what was done instead."""

    number = forms.CharField(
        label=_("Number of the contract"), max_length=50, required=False,
        help_text=_("It is carried out for this contract, as of the moment it came in."),
    )  # fmt: skip
    note = forms.CharField(
        label=_("Note"), max_length=1_000, required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Without a contract: what you found, and what you wrote to the person."),
    )  # fmt: skip


def _settle(one: Declaration, data: dict[str, Any]) -> str:
    number = declaring.settle(one.pk, by=data["by"], now=now(), number=data["number"], note=data["note"])
    hint("subscriptions.letters")
    return gettext("It is carried out for %(number)s.") % {"number": number} if number else gettext("It is closed.")


@admin.register(Declaration)
class DeclarationAdmin(ReadOnlyAdmin):
    list_display = ("what", "name", "contract", "received_at", "state")
    list_display_links = ("what",)
    list_filter = ("state", "kind", "extraordinary")
    search_fields = ("name", "email", "contract")
    ordering = ("-id",)
    panel_template = "admin/subscriptions/declaration.html"
    empty_text = _("Nobody has cancelled or withdrawn on the public page yet.")
    acts = {
        "settle": Act(_("Settle"), _("Which contract is it about?"), _settle, form=SettleForm,
                      allowed=lambda one: one.state == names.UNMATCHED),
    }  # fmt: skip

    @display(description=_("declaration"), ordering="id")
    def what(self, one: Declaration) -> str:
        return f"#{one.pk} {one.get_kind_display()}"

    def panels(self, request: HttpRequest, obj: Declaration) -> dict[str, Any]:
        """The declaration as it came in, and contracts it may be about."""
        known = Subscription.objects.select_related("plan").filter(
            customer_id__in=find(obj.email or obj.name or "-"), state__in=names.RUNNING
        )
        by_number = Subscription.objects.select_related("plan").filter(number=(obj.contract or "").strip().upper())
        return {
            "title": f"#{obj.pk} {obj.get_kind_display()}",
            "rows": wording.as_declared(obj, get_current_timezone_name()),
            "contract": obj.subscription,
            "guesses": [*known[:SHOWN], *by_number[:1]] if obj.state == names.UNMATCHED else [],
            "letters": Notice.objects.filter(declaration_id=obj.pk).order_by("id"),
        }


@customer_panel(37, permission="subscriptions.view_subscription")
def memberships(request: HttpRequest, customer_id: int) -> Panel | None:
    """The paid memberships of a customer, on the page of the customer."""
    rows = list(Subscription.objects.select_related("plan").filter(customer_id=customer_id).order_by("-id")[:5])
    if not rows:
        return None
    shown = [
        {
            "url": reverse("admin:subscriptions_subscription_change", args=[one.pk]),
            "number": one.number,
            "name": localized(one.plan.name, one.plan.key),
            "state": one.get_state_display(),
            "price": wording.price(one.fee, one.currency, one.months),
        }
        for one in rows
    ]
    return Panel("admin/subscriptions/panel.html", {"rows": shown})
