"""The checkout in the admin: stores and their keys, receipts without a card."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.access.models import ApiKey
from loyalty.checkout import counter_admin as counter_admin
from loyalty.checkout import counter_pages as counter_pages
from loyalty.checkout import shares, stores, unmatched
from loyalty.checkout.models import Store, StoreKey, UnmatchedReceipt
from loyalty.customers.queries import resolve
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems
from loyalty.program.models import Program
from loyalty.program.setup import load


class KeyForm(forms.Form):
    begin = forms.CharField(
        label=_("API key"), max_length=40, help_text=_("How it begins, as in the list of API keys: lc_…")
    )


class ClaimForm(forms.Form):
    customer = forms.CharField(label=_("external id of the customer"), max_length=200)


class StaffForm(forms.Form):
    user = forms.CharField(label=_("user name"), max_length=150, help_text=_("Who may use the counter, by user name."))


def _add_staff(store: Store, data: dict[str, Any]) -> str:
    stores.add_staff(store_id=store.pk, username=data["user"], now=now())
    return gettext("%(user)s serves at this store now.") % {"user": data["user"]}


def _remove_staff(store: Store, data: dict[str, Any]) -> str:
    stores.remove_staff(store_id=store.pk, username=data["user"])
    return gettext("%(user)s serves here no more.") % {"user": data["user"]}


def _tie(store: Store, data: dict[str, Any]) -> str:
    stores.tie(store_id=store.pk, prefix=data["begin"], now=now())
    return gettext("This key speaks for this store only now.")


def _untie(store: Store, data: dict[str, Any]) -> str:
    return gettext("%(n)s keys speak for all stores again.") % {"n": stores.untie(store_id=store.pk)}


@admin.register(Store)
class StoreAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "city", "region", "state_label")
    list_display_links = ("title",)
    list_filter = ("state", "region")
    search_fields = ("key", "city")
    ordering = ("key",)
    panel_template = "admin/checkout/store.html"
    empty_text = _("No stores yet: write them as documents of kind store and apply them.")
    acts = {
        "tie": Act(_("Tie an API key"), _("Let an API key speak for this store only?"), _tie, form=KeyForm),
        "untie": Act(_("Untie all keys"), _("Let the keys of this store speak for all stores again?"), _untie,
                     danger=True),
        "staff": Act(_("Add staff"), _("Who serves at this store? What they do at the counter is this store's."),
                     _add_staff, form=StaffForm),
        "leave": Act(_("Remove staff"), _("Who no longer serves here?"), _remove_staff, form=StaffForm, danger=True,
                     allowed=lambda store: bool(store.staff.exists())),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, store: Store) -> str:
        return localized(store.name, store.key)

    @display(description=_("state"), label={"open": "success", "closed": "warning"})
    def state_label(self, store: Store) -> tuple[str, str]:
        return store.state, store.get_state_display()

    def panels(self, request: HttpRequest, obj: Store) -> dict[str, Any]:
        ids = StoreKey.objects.filter(store=obj).values_list("api_key_id", flat=True)
        keys = ApiKey.objects.filter(pk__in=list(ids)).order_by("name")
        return {
            "title": localized(obj.name, obj.key),
            "keys": list(keys),
            "place": obj.definition,
            "staff": stores.staff_of(obj.pk),
            "shares": shares.by_month(store=obj.key, months=6)[::-1],
        }


def _claim(receipt: UnmatchedReceipt, data: dict[str, Any]) -> str:
    customer_id = resolve([data["customer"]])[0]
    if customer_id is None:
        raise Problems([Problem("customer", gettext("nobody has this external id"))])
    setup = load(Program.objects.get(pk=receipt.program_id).key)
    unmatched.claim(
        customer_id=customer_id, reference=data["customer"], setup=setup, now=now(), actor=data["by"],
        code=receipt.code,
    )  # fmt: skip
    return gettext("The receipt was booked for %(customer)s.") % {"customer": data["customer"]}


@admin.register(UnmatchedReceipt)
class UnmatchedReceiptAdmin(ReadOnlyAdmin):
    list_display = ("shown", "store", "occurred_at", "amount", "state_label")
    list_display_links = ("shown",)
    list_filter = ("state",)
    search_fields = ("number", "code")
    search_help_text = _("The whole number, or the claim code.")
    ordering = ("-id",)
    panel_template = "admin/checkout/receipt.html"
    empty_text = _("No receipts yet: tills send purchases without a card with “customer” null.")
    acts = {
        "claim": Act(_("Book for a customer"), _("Book this receipt for a customer?"), _claim, form=ClaimForm,
                     allowed=lambda receipt: receipt.state == "open"),
    }  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UnmatchedReceipt], search_term: str
    ) -> tuple[QuerySet[UnmatchedReceipt], bool]:
        """By the indexes: a part of a number would read the whole table."""
        if not search_term:
            return queryset, False
        found = unmatched.by_code(search_term)
        if found is not None:
            return queryset.filter(pk=found.pk), False
        return queryset.filter(number=search_term.strip(), state="open"), False

    @display(description=_("number"))
    def shown(self, receipt: UnmatchedReceipt) -> str:
        return receipt.number or f"#{receipt.pk}"

    @display(
        description=_("state"),
        label={"open": "info", "claimed": "success", "returned": "warning", "lapsed": "warning"},
    )
    def state_label(self, receipt: UnmatchedReceipt) -> tuple[str, str]:
        return receipt.state, receipt.get_state_display()

    def panels(self, request: HttpRequest, obj: UnmatchedReceipt) -> dict[str, Any]:
        row = unmatched.json_of(obj.row) or {}
        return {
            "title": self.shown(obj),
            "items": [
                {
                    "name": one.get("name") or one.get("sku") or "–",
                    "quantity": one.get("quantity", 1),
                    "amount": one.get("amount", one.get("price")),
                }
                for one in row.get("items", [])
            ],
            "until": obj.occurred_at + unmatched.LASTS,
            "customer_url": obj.customer_id and reverse("admin:customers_customer_change", args=[obj.customer_id]),
        }
