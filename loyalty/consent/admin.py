"""Consent in the admin: a customer's consents with a button to record a declaration, and all entries; what is more
than that stands in the pages that are named here."""

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.consent import operations, queries, suppression_pages, topic_pages
from loyalty.consent.models import CHANNELS, ConsentEntry, ConsentState, Purpose, Status, Suppression
from loyalty.consent.suppression_pages import told
from loyalty.consent.words import CHANNEL_CHOICES, channel_name
from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import ReadOnlyAdmin, admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problems


class DeclarationForm(forms.Form):
    """What a person told us, and where."""

    status = forms.ChoiceField(label=_("The person has"), choices=Status.choices, initial=Status.WITHDRAWN)
    channel = forms.ChoiceField(label=_("Channel"), choices=CHANNEL_CHOICES)
    purpose = forms.ChoiceField(label=_("Purpose"), choices=Purpose.choices)
    at = forms.DateTimeField(
        label=_("Declared at"),
        help_text=_("When the person said so. The latest declaration counts."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=200,
        help_text=_("Where the person said so, e.g. “phone call to support” or “form in the Cologne shop”."),
    )
    text_version = forms.CharField(
        label=_("Version of the text"),
        max_length=200,
        required=False,
        help_text=_("Which wording the person agreed to. Leave it empty for a withdrawal."),
    )


@customer_panel(10, permission="consent.view_consententry")
def consents(request: HttpRequest, customer_id: int) -> Panel:
    """What holds now, what was declared, and whether an address is suppressed."""
    customer = Customer.objects.get(pk=customer_id)
    history = queries.history(customer_id)
    for entry in history:
        entry |= {"channel": channel_name(entry["channel"]), "purpose": Purpose(entry["purpose"]).label}
    may_record = request.user.has_perm("consent.add_consententry")
    return Panel(
        "admin/consent/panel.html",
        {
            "states": [
                {"channel": channel_name(one.channel), "state": one}
                for one in ConsentState.objects.filter(customer_id=customer_id).order_by("channel", "purpose")
            ],
            "history": history,
            "suppressions": _suppressions_of(customer),
            "record_url": reverse("admin:consent_record", args=[customer_id]) if may_record else "",
        },
    )


def _suppressions_of(customer: Customer) -> list[dict[str, str]]:
    digests = [bytes(digest) for digest in (customer.email_digest, customer.phone_digest) if digest]
    found = Suppression.objects.filter(channel__in=CHANNELS, digest__in=digests).order_by("channel")
    return [told(one) for one in found]


@admin_page("consent/record/<int:customer_id>/", name="consent_record", permission="consent.add_consententry")
def record_declaration(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Ask for one declaration of the customer and append it."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Http404
    instant = now()
    form = DeclarationForm(request.POST or None, initial={"at": instant})
    back = reverse("admin:customers_customer_change", args=[customer_id])
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        entry = operations.ConsentEntry(
            customer_id=customer_id,
            channel=data["channel"],
            purpose=data["purpose"],
            status=data["status"],
            source=data["source"],
            at=data["at"],
            text_version=data["text_version"] or None,
            evidence={"recorded_by": request.user.get_username()},
        )
        try:
            written = operations.record([entry], now=instant)
        except Problems as error:
            for problem in error.problems:
                form.add_error(None, str(problem))
        else:
            told = gettext("The declaration was recorded.") if written else gettext("This declaration was known.")
            messages.success(request, told)
            return HttpResponseRedirect(back)
    context = {"object": customer, "form": form, "back": back, "title": gettext("Record a declaration")}
    return page(request, "admin/consent/record.html", context)


@admin.register(ConsentEntry)
class ConsentEntryAdmin(ReadOnlyAdmin):
    list_display = ("declared", "customer", "channel_shown", "purpose", "status_label", "source")
    list_display_links = ("declared",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("customer_id",)
    empty_text = _("Nobody has declared anything yet. Consents come with imports and the API, or are recorded by hand.")
    search_help_text = _("Customer by id, email or phone")
    fields = (
        *("customer", "channel_shown", "purpose", "status", "occurred_at", "recorded_at", "source", "text_version"),
        "evidence",
    )
    readonly_fields = ("customer", "channel_shown")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ConsentEntry]":
        who = Customer.objects.filter(pk=OuterRef("customer_id")).values("external_id")[:1]
        return super().get_queryset(request).annotate(external_id=Subquery(who))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[ConsentEntry]", search_term: str
    ) -> tuple["QuerySet[ConsentEntry]", bool]:
        if search_term.strip():
            queryset = queryset.filter(customer_id__in=find(search_term))
        return queryset, False

    @display(description=_("declared at"))
    def declared(self, entry: ConsentEntry) -> str:
        return date_format(entry.occurred_at, "SHORT_DATETIME_FORMAT")

    @display(description=_("customer"))
    def customer(self, entry: ConsentEntry) -> str:
        link = reverse("admin:customers_customer_change", args=[entry.customer_id])
        return format_html('<a class="inline" href="{}">{}</a>', link, entry.external_id or f"#{entry.customer_id}")  # type: ignore[attr-defined]

    @display(description=_("channel"))
    def channel_shown(self, entry: ConsentEntry) -> str:
        return channel_name(entry.channel)

    @display(description=_("status"), label={"granted": "success", "withdrawn": "danger"})
    def status_label(self, entry: ConsentEntry) -> tuple[str, str]:
        return entry.status, entry.get_status_display()


# Their pages and lists are registered by being loaded.
PAGES = (suppression_pages, topic_pages)
