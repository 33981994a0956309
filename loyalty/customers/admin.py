"""Customers in the admin: found by exact keys and beginnings, one page of everything known about a person; attributes,
imports."""

import json
from collections.abc import Iterable
from typing import Any

from babel import Locale
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import get_language, gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers import erasing, queries
from loyalty.customers.models import Attribute, Customer, CustomerIdentity, ImportJob
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.panels import customer_panels

NONE = "–"


def country_name(code: str | None) -> str:
    """The country in the active language; the code itself when it is unknown."""
    territories = Locale.parse((get_language() or "en").replace("-", "_")).territories
    return str(territories.get(code, code)) if code else ""


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
        may_export = request.user.has_perm("customers.change_customer")
        return {
            "title": str(obj),
            "profile": _profile(obj),
            "identities": CustomerIdentity.objects.filter(customer_id=obj.pk).order_by("kind", "id"),
            "attributes": _attributes(obj),
            "panels": customer_panels(request, obj.pk),
            "export_url": reverse("admin:customers_customer_export", args=[obj.pk]) if may_export else "",
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


def _profile(customer: Customer) -> list[tuple[str, str]]:
    """Labels and values of what is known; email and phone always, for their lack matters."""
    language = Locale.parse((get_language() or "en").replace("-", "_"))
    spoken = (customer.locale or "").replace("_", "-").partition("-")[0]
    place = " ".join(filter(None, (customer.postcode, customer.city)))
    rows = [
        (gettext("External id"), customer.external_id),
        (gettext("Email"), customer.email or NONE),
        (gettext("Phone"), customer.phone or NONE),
        (gettext("Place"), ", ".join(filter(None, (place, country_name(customer.country))))),
        (gettext("Language"), language.languages.get(spoken, customer.locale)),
        (gettext("Time zone"), customer.timezone),
        (gettext("Birth date"), date_format(customer.birth_date, "DATE_FORMAT") if customer.birth_date else None),
        (gettext("Known since"), date_format(customer.created_at, "DATETIME_FORMAT")),
        (gettext("Last changed"), date_format(customer.updated_at, "DATETIME_FORMAT")),
    ]
    return [(label, str(value)) for label, value in rows if value]


def _attributes(customer: Customer) -> list[dict[str, Any]]:
    """The person's attributes by label, with values as people read them."""
    defined = {item.key: item for item in Attribute.objects.filter(key__in=list(customer.attributes))}
    rows = [
        {"key": key, "label": _label(key, defined.get(key)), "value": shown(value, defined.get(key))}
        for key, value in customer.attributes.items()
    ]
    return sorted(rows, key=lambda row: str(row["label"]).lower())


def _label(key: str, attribute: Attribute | None) -> str:
    return localized(attribute.name, key) if attribute else key


def shown(value: Any, attribute: Attribute | None = None) -> str:
    """An attribute's value as people read it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, dict) and "amount" in value:
        return f"{number_format(value['amount'])} {value.get('currency', '')}".strip()
    if isinstance(value, dict) and attribute and attribute.type == Attribute.Type.GEO:
        return ", ".join(str(value[name]) for name in ("lat", "lon") if name in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, int | float):
        return number_format(value)
    choices = attribute.choices if attribute else None
    if isinstance(choices, dict) and value in choices:
        return localized(choices[value], str(value))
    return NONE if value is None else str(value)


@admin.register(Attribute)
class AttributeAdmin(ReadOnlyAdmin):
    list_display = ("label", "key", "type", "origin", "purpose")
    list_display_links = ("label",)
    list_filter = ("type", "learned")
    search_fields = ("key",)
    ordering = ("key",)
    empty_text = _(
        "Attributes describe customers beyond name and address. They are defined with “manage.py apply”, or"
        " learned from imports."
    )
    fields = ("key", "label", "type", "choices", "origin", "purpose", "created_at")
    readonly_fields = ("label", "origin")

    @display(description=_("name"), ordering="key")
    def label(self, attribute: Attribute) -> str:
        return localized(attribute.name, attribute.key)

    @display(description=_("origin"), ordering="learned", label={"learned": "warning", "defined": "success"})
    def origin(self, attribute: Attribute) -> tuple[str, str]:
        if attribute.learned:
            return "learned", gettext("seen in data, type guessed")
        return "defined", attribute.source_class or gettext("defined")


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "kind_shown", "state_label", "progress", "taken", "rejected_shown", "started")
    list_filter = ("kind", "state")
    sortable_by: Iterable[str] = ()
    ordering = ("-id",)
    fields = (
        *("file_name", "kind_shown", "state_label", "progress", "size_bytes", "cursor_line", "taken", "created"),
        *("changed", "rejected_shown", "started_at", "updated_at", "finished_at"),
    )
    readonly_fields = ("kind_shown", "state_label", "progress", "taken", "rejected_shown")
    empty_text = _("Nothing was imported yet. Use “manage.py import_customers FILE” or “manage.py import_events FILE”.")

    @display(description=_("kind"))
    def kind_shown(self, job: ImportJob) -> str:
        return {"customers": gettext("customers"), "events": gettext("events")}.get(job.kind, job.kind)

    @display(description=_("state"), label={"running": "info", "finished": "success"})
    def state_label(self, job: ImportJob) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @display(description=_("progress"))
    def progress(self, job: ImportJob) -> str:
        done = 100 if job.state == ImportJob.State.FINISHED else 100 * job.cursor_bytes // max(job.size_bytes, 1)
        return format_html(
            '<progress class="import" max="100" value="{}" aria-label="{}">{} %</progress> {} %',
            *(done, gettext("progress"), done, done),
        )

    @display(description=_("accepted"))
    def taken(self, job: ImportJob) -> str:
        return number_format(job.accepted, force_grouping=True)

    @display(description=_("rejected"))
    def rejected_shown(self, job: ImportJob) -> str:
        shown_count = number_format(job.rejected, force_grouping=True)
        return format_html('<span class="bad">{}</span>', shown_count) if job.rejected else shown_count

    @display(description=_("started"))
    def started(self, job: ImportJob) -> str:
        return date_format(job.started_at, "SHORT_DATETIME_FORMAT")
