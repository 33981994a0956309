"""Double opt-ins with their proofs and silent consents in the admin."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.delivery.models import State
from campaigns.tracking import ageing, proof, proof_pdf
from loyalty.consent.models import OptInRequest, Purpose
from loyalty.consent.words import channel_name
from loyalty.customers.queries import find
from loyalty.kit.admin import ReadOnlyAdmin, admin_page, page
from loyalty.kit.clock import now

STATES = {
    "confirmed": (gettext_lazy("confirmed"), "good", "success"),
    "pending": (gettext_lazy("waits for the click"), "warn", "warning"),
    "expired": (gettext_lazy("expired"), "", "info"),
}


def state_of(request: OptInRequest) -> str:
    """confirmed, pending or expired, by the clock."""
    if request.confirmed_at:
        return "confirmed"
    return "expired" if request.expires_at <= now() else "pending"


class StateFilter(admin.SimpleListFilter):
    """Confirmed, waiting, expired."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, name) for key, (name, _tag, _label) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[OptInRequest]") -> "QuerySet[OptInRequest]":
        conditions = {
            "confirmed": Q(confirmed_at__isnull=False),
            "pending": Q(confirmed_at__isnull=True, expires_at__gt=now()),
            "expired": Q(confirmed_at__isnull=True, expires_at__lte=now()),
        }
        wanted = conditions.get(self.value() or "")
        return queryset.filter(wanted) if wanted else queryset


@admin.register(OptInRequest)
class OptInRequestAdmin(ReadOnlyAdmin):
    list_display = ("requested", "address", "state_label", "source", "text_version", "confirmed")
    list_display_links = ("requested",)
    list_filter = (StateFilter,)
    sortable_by = ()
    ordering = ("-requested_at",)
    search_fields = ("address",)
    search_help_text = _("Customer by id, email or phone")
    empty_text = _(
        "Nobody has signed up yet. Forms of the shop send POST /api/v1/consents/double-opt-in; the mail, the button and"
        " the proof follow by themselves."
    )
    panel_template = "admin/tracking/opt_in.html"

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[OptInRequest]", search_term: str
    ) -> tuple["QuerySet[OptInRequest]", bool]:
        if search_term.strip():
            queryset = queryset.filter(customer_id__in=find(search_term))
        return queryset, False

    @display(description=_("requested at"))
    def requested(self, request: OptInRequest) -> str:
        return str(date_format(localtime(request.requested_at), "SHORT_DATETIME_FORMAT"))

    @display(description=_("confirmed at"))
    def confirmed(self, request: OptInRequest) -> str:
        at = request.confirmed_at
        return str(date_format(localtime(at), "SHORT_DATETIME_FORMAT")) if at else "–"

    @display(description=_("state"), label={key: label for key, (_name, _tag, label) in STATES.items()})
    def state_label(self, request: OptInRequest) -> tuple[str, str]:
        state = state_of(request)
        return state, str(STATES[state][0])

    def panels(self, request: HttpRequest, obj: OptInRequest) -> dict[str, Any]:
        name, tag, _label = STATES[state_of(obj)]
        found = proof.of(obj.pk) or {}
        mail = found.get("mail")
        purposes = dict(Purpose.choices)
        return {
            "title": obj.address,
            "proof": found,
            "state_name": name,
            "tag": tag,
            "mail_state": State[mail["state"].upper()].label if mail else "",
            "purposes": ", ".join(str(purposes.get(one, one)) for one in obj.purposes),
        }


@admin_page(
    "tracking/proof/<uuid:request_id>/<slug:form>/", name="tracking_proof", permission="consent.view_optinrequest"
)
def show_proof(request: HttpRequest, request_id: UUID, form: str) -> HttpResponseBase:
    """The proof of a double opt-in as PDF, in the language of the admin, or as JSON."""
    found = proof.of(request_id) if form in ("pdf", "json") else None
    if found is None:
        raise Http404
    return proof_pdf.answer(found, get_language() or "en") if form == "pdf" else proof.answer(found)


@admin_page("tracking/silent/", name="tracking_silent", permission="consent.view_consentage")
def silent(request: HttpRequest) -> HttpResponseBase:
    """Who has not been heard of for long: numbers by channel, and the people page by page."""
    told = ageing.summary()
    people = ageing.people(after=request.GET.get("after", ""))
    for one in (*told["channels"], *people.rows):
        one["name"] = channel_name(one["channel"])
    context = {
        **told,
        "people": people.rows,
        "next": people.following,
        "warn_months": settings.CONSENT_WARN_MONTHS,
        "block_months": settings.CONSENT_BLOCK_MONTHS,
        "title": gettext("Silent consents"),
    }
    return page(request, "admin/tracking/silent.html", context)
