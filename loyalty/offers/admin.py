"""Vouchers and offers in the admin: what they give in words, what they cost, their codes, what happened to each."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.charts import Series, columns
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problem, Problems
from loyalty.offers import (
    codes,
    figures,
    forecast,
    issuing,
    names,
    operations,
    prices,
    queries,
    reasoning,
    result_panels,
    results,
    text_pages,
    wallets,
    wording,
)
from loyalty.offers.models import Offer, Reservation, Voucher, VoucherPool
from loyalty.program.wording import number

__all__ = ["text_pages"]

STATUS_NAMES = {
    "stock": _("in stock"),
    "usable": _("can be used"),
    "held": _("held by a checkout"),
    "used": _("used"),
    "over": _("over"),
    "early": _("not yet valid"),
    "void": _("void"),
    "open": _("to activate"),
    "active": _("active"),
}
ACCOUNT_NAMES = {
    names.SOLD: _("issued"),
    names.AVAILABLE: _("available"),
    names.HELD: _("held"),
    names.SPENT: _("spent"),
    names.LAPSED: _("lapsed"),
}


def _pause(thing: VoucherPool | Offer, data: dict[str, Any]) -> str:
    operations.set_state(thing, "paused", now=now())
    return gettext("Paused: nothing is given or used from now on.")


def _resume(thing: VoucherPool | Offer, data: dict[str, Any]) -> str:
    operations.set_state(thing, "active", now=now())
    return gettext("It can be used again.")


class CustomerForm(forms.Form):
    """For whom."""

    customer = forms.CharField(
        label=_("Customer"), max_length=320, required=False, help_text=_("External id, email, phone or card.")
    )

    def clean_customer(self) -> int | None:
        """The one customer that is meant."""
        term = self.cleaned_data["customer"].strip()
        if not term:
            return None
        found = find(term)
        if len(found) != 1:
            told = gettext("Nobody is known by this.") if not found else gettext("Several people are known by this.")
            raise forms.ValidationError(told)
        return found[0]


def _issue(pool: VoucherPool, data: dict[str, Any]) -> str:
    issued = operations.issue_by_hand(pool.key, data["customer"], by=data["by"], now=now())
    return gettext("The code is %(code)s.") % {"code": issued.code}


def _give(offer: Offer, data: dict[str, Any]) -> str:
    if data["customer"] is None:
        raise Problems([Problem("customer", "is missing")])
    given = wallets.give(offer.key, [data["customer"]], now=now())
    return gettext("It is in the wallet.") if given else gettext("It was in the wallet already.")


def _void(voucher: Voucher, data: dict[str, Any]) -> str:
    if not issuing.void([voucher.pk], now=now()):
        raise Problems([Problem("voucher", "is held by a checkout, or void", "wait until the checkout is over")])
    return gettext("The voucher is void.")


def _activity(column: str, identifier: int, currency: str) -> dict[str, Any]:
    """Figures and a chart of what was used."""
    days = figures.by_day(column, identifier, now=now())
    states = figures.by_state(column, identifier)
    used = states.get("redeemed", {})
    return {
        "chart": columns(
            [date_format(day, "j.n.") for day, _, _ in days],
            [Series(gettext("redeemed"), [count for _, count, _ in days])],
            height=200,
        )
        if any(count for _, count, _ in days)
        else None,
        "days": figures.DAYS,
        "redeemed": used.get("n", 0),
        "people": used.get("people", 0),
        "cost": wording.money(used.get("amount") or Decimal(0), currency),
        "paid": wording.money(used["paid"], currency) if used.get("paid") else "",
        "held": states.get("reserved", {}).get("n", 0),
        "returned": states.get("returned", {}).get("n", 0),
    }


class _UsableAdmin(ReadOnlyAdmin):
    """What the lists of pools and of offers have in common."""

    list_display = ("title", "key", "gives", "state_shown", "used", "lasts")
    list_display_links = ("title",)
    list_filter = ("state",)
    search_fields = ("key",)
    ordering = ("key",)
    kind = ""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(f"offers.add_{self.opts.model_name}"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return text_pages.new_pool(request) if self.kind == "voucher_pool" else text_pages.new_offer(request)

    @display(description=_("name"), ordering="key")
    def title(self, thing: Any) -> str:
        return localized(thing.name, thing.key)

    @display(description=_("gives"))
    def gives(self, thing: Any) -> str:
        document = queries.document_of(self.kind, thing.definition)
        return reasoning.rule(document) if getattr(document, "personal", None) else wording.benefit(document)

    @display(description=_("state"), label={"active": "success", "paused": "warning"}, ordering="state")
    def state_shown(self, thing: Any) -> tuple[str, str]:
        return thing.state, thing.get_state_display()

    @display(description=_("used of its limit"))
    def used(self, thing: Any) -> str:
        limits = queries.document_of(self.kind, thing.definition).limits
        said = []
        if limits.total is not None:
            said.append(f"{number_format(thing.uses, force_grouping=True)} / {number(limits.total)}")
        if limits.budget is not None:
            said.append(f"{wording.price(thing.spent)} / {wording.price(limits.budget)}")
        return " · ".join(said) or "–"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the forecasts of the page's limits, in one query."""
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        moment = now()
        ahead = forecast.forecasts(found.result_list, now=moment)
        for one in found.result_list:
            document = queries.document_of(self.kind, one.definition)
            one.ahead = result_panels.ahead(ahead.get(one.pk), document.currency, moment)
        return found

    @display(description=_("lasts"))
    def lasts(self, thing: Any) -> Any:
        found = getattr(thing, "ahead", None)
        if found is None:
            return "–"
        return format_html("<b>{}</b>", found["told"]) if found["soon"] else found["told"]

    def _shared_panels(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        document = queries.document_of(self.kind, obj.definition)
        column = "pool_id" if self.kind == "voucher_pool" else "offer_id"
        may_edit = request.user.has_perm(f"offers.change_{self.opts.model_name}")
        return {
            "title": localized(obj.name, obj.key),
            "description": localized(document.description, ""),
            "sentence": wording.sentence(document, queries.tier_names()),
            "document": document,
            "limits": self.used(obj),
            "edit_url": reverse(f"admin:offers_{self.opts.model_name}_edit", args=[obj.pk]) if may_edit else "",
            "ahead": result_panels.ahead(forecast.forecasts([obj], now=now()).get(obj.pk), document.currency, now()),
            "compared": prices.found({"name": obj.name, "description": document.description}),
            **_activity(column, obj.pk, document.currency),
        }


STATE_ACTS = {
    "pause": Act(_("Pause"), _("Stop giving and using this until somebody resumes it?"), _pause, danger=True,
                 allowed=lambda one: one.state == "active"),
    "resume": Act(_("Resume"), _("Let this be given and used again?"), _resume,
                  allowed=lambda one: one.state == "paused"),
}  # fmt: skip


@admin.register(VoucherPool)
class VoucherPoolAdmin(_UsableAdmin):
    kind = "voucher_pool"
    panel_template = "admin/offers/pool.html"
    empty_text = _("A pool makes or keeps codes that all give the same: a discount, a free article, a gift card.")
    acts = {
        "issue": Act(_("Issue a voucher"), _("Issue one voucher? Without a customer, whoever has the code uses it."),
                     _issue, form=CustomerForm,
                     allowed=lambda pool: pool.state == "active" and _codes(pool).type != "shared"),
        **STATE_ACTS,
    }  # fmt: skip

    def panels(self, request: HttpRequest, obj: VoucherPool) -> dict[str, Any]:
        """What it gives, what was used, its latest codes; a fixed number of queries."""
        rows, _cursor = queries.voucher_page(obj.pk, after=None, limit=figures.SHOWN)
        counts = queries.pool_counts([obj.pk])[obj.pk]
        of = _codes(obj)
        return {
            **self._shared_panels(request, obj),
            "codes": of,
            "counts": [(STATUS_NAMES.get(key, _("issued")), amount) for key, amount in counts.items()],
            "low": of.type == "imported" and counts["stock"] < of.low,
            "stock": counts["stock"],
            "codes_url": reverse("admin:offers_voucherpool_codes", args=[obj.pk])
            if of.type == "imported" and request.user.has_perm("offers.change_voucherpool")
            else "",
            "vouchers": [{**row, "url": reverse("admin:offers_voucher_change", args=[row["id"]])} for row in rows],
            "all_url": reverse("admin:offers_voucher_changelist") + f"?pool__id__exact={obj.pk}",
        }


def _codes(pool: VoucherPool) -> Any:
    return queries.document_of("voucher_pool", pool.definition).codes


@admin.register(Offer)
class OfferAdmin(_UsableAdmin):
    kind = "offer"
    panel_template = "admin/offers/offer.html"
    empty_text = _("Offers wait in people's wallets; once activated they work at the till without a code.")
    acts = {
        "give": Act(
            _("Give to a customer"),
            _("Put this offer into a customer's wallet?"),
            _give,
            form=CustomerForm,
            allowed=lambda offer: "personal" not in offer.definition,
        ),
        **STATE_ACTS,
    }

    def panels(self, request: HttpRequest, obj: Offer) -> dict[str, Any]:
        """What it gives, who has it, what was used; a fixed number of queries."""
        document = queries.document_of("offer", obj.definition)
        return {
            **self._shared_panels(request, obj),
            "wallets": queries.wallet_counts(obj.pk),
            **result_panels.of_offer(obj, document),
        }


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    list_display = ("shown", "pool", "state", "uses", "issued_at", "valid_until")
    list_display_links = ("shown",)
    list_filter = ("state", "pool")
    list_select_related = ("pool",)
    search_fields = ("code",)
    search_help_text = _("A whole code, or the customer's external id, email, phone or card")
    ordering = ("-id",)
    panel_template = "admin/offers/voucher.html"
    empty_text = _("No voucher yet: pools make them when they are issued.")
    acts = {
        "void": Act(_("Withdraw"), _("Withdraw this voucher? It cannot be used any more; money on it lapses."), _void,
                    danger=True, allowed=lambda voucher: voucher.state != names.VOID),
    }  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        chosen = queryset.filter(digest__in=codes.digests(search_term))
        if people := find(search_term):
            chosen = chosen | queryset.filter(customer_id__in=people)
        return chosen, False

    @display(description=_("code"), ordering="id")
    def shown(self, voucher: Voucher) -> str:
        return str(voucher)

    def panels(self, request: HttpRequest, obj: Voucher) -> dict[str, Any]:
        """Where it stands, whose it is, what was made of it."""
        document = queries.document_of("voucher_pool", obj.pool.definition)
        row = {name: getattr(obj, name) for name in (
            "state", "uses", "uses_max", "valid_from", "valid_until", "available", "held")}  # fmt: skip
        status = queries.status({**row, "document": document}, now=now())
        owner = Customer.objects.filter(pk=obj.customer_id).first() if obj.customer_id else None
        return {
            "title": str(obj),
            "status": STATUS_NAMES[status],
            "usable": status == "usable",
            "sentence": wording.sentence(document, queries.tier_names()),
            "pool_url": reverse("admin:offers_voucherpool_change", args=[obj.pool_id]),
            "pool_name": localized(obj.pool.name, obj.pool.key),
            "owner": owner,
            "owner_url": reverse("admin:customers_customer_change", args=[owner.pk]) if owner else "",
            "is_card": document.benefit.type == "gift_card",
            "currency": document.currency,
            "history": [
                {**use, "state_name": Reservation.State(use["state"]).label} for use in figures.uses_of_voucher(obj.pk)
            ],
            "entries": [
                {**entry, "source": ACCOUNT_NAMES[entry["from_account"]], "target": ACCOUNT_NAMES[entry["to_account"]]}
                for entry in figures.entries_of_card(obj.pk)
            ],
        }


def _why(document: Any, mine: Any, round_rates: Any) -> str:
    return reasoning.for_manager(document, mine, round_rates)


@customer_panel(46, permission="offers.view_voucher")
def wallet_panel(request: HttpRequest, customer_id: int) -> Panel | None:
    """The customer's vouchers and offers; nothing for somebody without any."""
    instant = now()
    vouchers = [one for one in queries.of_customer(customer_id, now=instant) if one["status"] != "stock"]
    offers = wallets.wallet(customer_id, now=instant)
    parts = results.of_customer(customer_id, now=instant)
    if not vouchers and not offers and not parts:
        return None
    soon = instant + timedelta(days=7)
    return Panel(
        "admin/offers/panel.html",
        {
            "vouchers": [
                {
                    "code": one["code"],
                    "name": localized(one["name"], one["pool"]),
                    "status": STATUS_NAMES[one["status"]],
                    "usable": one["status"] == "usable",
                    "until": one["valid_until"],
                    "soon": bool(one["valid_until"] and instant < one["valid_until"] <= soon),
                    "url": reverse("admin:offers_voucher_change", args=[one["id"]]),
                }
                for one in vouchers[:10]
            ],
            "more": max(0, len(vouchers) - 10),
            "offers": [
                {
                    "name": localized(one.document.name, one.key),
                    "sentence": one.sentence,
                    "state": STATUS_NAMES[one.state],
                    "active": one.state == "active",
                    "why": _why(one.document, *parts.pop(one.id)) if one.id in parts else "",
                    "url": reverse("admin:offers_offer_change", args=[one.id]),
                }
                for one in offers
            ],
            "without": [
                {
                    "name": localized(offer.name, offer.key),
                    "why": _why(queries.document_of("offer", offer.definition), *parts[offer.pk]),
                    "url": reverse("admin:offers_offer_change", args=[offer.pk]),
                }
                for offer in Offer.objects.filter(pk__in=list(parts)).order_by("key")
            ],
        },
    )
