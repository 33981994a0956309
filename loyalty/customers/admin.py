"""Customers in the admin: found by exact keys and beginnings, one page of everything known about a person."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers import attribute_pages, erasing, import_pages, quality_pages, queries
from loyalty.customers.models import Customer
from loyalty.customers.profile_pages import profile_rows
from loyalty.customers.showing import NONE, country_name
from loyalty.kit.admin import Act, ReadOnlyAdmin
from loyalty.kit.clock import now
from loyalty.kit.panels import customer_panels

# Further pages of this package, which register themselves.
PAGES = (attribute_pages, import_pages, quality_pages)


class CountryFilter(admin.SimpleListFilter):
    """The countries that occur, found by hopping along their index instead of reading the table."""

    title = gettext_lazy("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((code, country_name(code)) for code in queries.countries()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Customer]") -> "QuerySet[Customer]":
        return queryset.filter(country=self.value()) if self.value() else queryset


def _erase(customer: Customer, data: dict[str, Any]) -> str:
    erasing.erase_customers(customer_ids=[customer.pk])
    return gettext("The person was erased everywhere.")


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("name", "external_id", "email", "phone", "country_shown", "created")
    list_display_links = ("name",)
    list_filter = (CountryFilter,)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("external_id",)
    empty_text = _(
        "Customers come with “manage.py import_customers FILE.csv”, with the API, or with their first event."
    )
    search_help_text = _("Id, email, phone or card number")
    panel_template = "admin/customers/customer.html"
    acts = {
        "erase": Act(
            _("Erase person"),
            _(
                "Profile, events, consents, messages and all other traces go for good. Only a hash of suppressed"
                " addresses stays, so that they stay suppressed. This cannot be undone."
            ),
            _erase,
            danger=True,
            permission="customers.delete_customer",
            after="admin:customers_customer_changelist",
        )
    }

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Customer]", search_term: str
    ) -> tuple["QuerySet[Customer]", bool]:
        if search_term.strip():
            queryset = queryset.filter(pk__in=queries.find(search_term))
        return queryset, False

    @display(description=_("name"))
    def name(self, customer: Customer) -> str:
        return str(customer)

    @display(description=_("country"))
    def country_shown(self, customer: Customer) -> str:
        return country_name(customer.country) or NONE

    @display(description=_("created"))
    def created(self, customer: Customer) -> str:
        return date_format(customer.created_at, "SHORT_DATE_FORMAT")

    def panels(self, request: HttpRequest, obj: Customer) -> dict[str, Any]:
        may_change = request.user.has_perm("customers.change_customer")
        fields, attributes = profile_rows(obj.pk)
        return {
            "title": str(obj),
            "fields": fields,
            "attributes": attributes,
            "correct_url": reverse("admin:customers_correct", args=[obj.pk]) if may_change else "",
            "panels": customer_panels(request, obj.pk),
            "export_url": reverse("admin:customers_customer_export", args=[obj.pk]) if may_change else "",
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("<int:customer_id>/export/", view, name="customers_customer_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        """Everything about the person as a JSON file."""
        if not request.user.has_perm("customers.change_customer"):
            raise PermissionDenied
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is None:
            raise Http404
        data = queries.personal_data(customer_id, external_id=customer.external_id or "", now=now())
        answer = HttpResponse(json.dumps(data, ensure_ascii=False, indent=2), content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="customer-{customer_id}.json"'
        return answer
