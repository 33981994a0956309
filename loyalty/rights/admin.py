"""People's rights in the admin: the desk with its clock, and what stands on a person's page."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers import joining
from loyalty.customers.models import Customer, CustomerMerge
from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.rights import operations, queries
from loyalty.rights.comparing import comparison
from loyalty.rights.joining_pages import REASON_NAMES
from loyalty.rights.models import RightsRequest
from loyalty.rights.person_pages import MAY_CHANGE, MAY_ERASE, ReasonForm, page_of, person_of

Kind, State = RightsRequest.Kind, RightsRequest.State
SOON_DAYS = 7
OUTCOME_NAMES = {
    "handed_over": _("handed over"),
    "corrected": _("corrected"),
    "erased": _("erased"),
    "restricted": _("restricted"),
    "released": _("restriction ended"),
    "objected": _("advertising and profiling stopped"),
    "duplicate": _("answered with another request"),
    "refused": _("refused"),
}


class IdentityForm(forms.Form):
    how = forms.CharField(
        label=_("How was the identity checked?"),
        max_length=operations.TEXT_MAX,
        help_text=_(
            "For example “logged in”, “card and birth date”, “letter to the known address”. Copy no documents."
        ),
    )


@customer_panel(15, permission="rights.view_rightsrequest")
def rights(request: HttpRequest, customer_id: int) -> Panel:
    """What may be done for the person, what was asked, who was joined."""
    person = person_of(customer_id)
    may_change, may_erase = request.user.has_perm(MAY_CHANGE), request.user.has_perm(MAY_ERASE)
    links = []
    if request.user.has_perm("rights.add_rightsrequest"):
        links.append((reverse("admin:rights_file", args=[customer_id]), gettext("File a request")))
    if may_change:
        links += [
            (reverse("admin:rights_archive", args=[customer_id]), gettext("Data as ZIP")),
            (reverse("admin:rights_claim", args=[customer_id]), gettext("Claim a card or receipt")),
            (reverse("admin:rights_join", args=[customer_id]), gettext("Join with another profile")),
            (
                reverse("admin:rights_restriction", args=[customer_id]),
                gettext("End the restriction") if person.restricted_at else gettext("Restrict"),
            ),
        ]
    if may_erase:
        links.append((reverse("admin:rights_erasure", args=[customer_id]), gettext("What erasing removes")))
    requests = RightsRequest.objects.filter(customer_id=customer_id).order_by("-id")[:10]
    return Panel(
        "admin/rights/panel.html",
        {
            "person": person,
            "links": links,
            "requests": [_row(one) for one in requests],
            "merges": [
                {"merge": one, "why": REASON_NAMES.get(one.reason, one.reason)}
                for one in CustomerMerge.objects.filter(winner_id=customer_id).order_by("-id")[:10]
            ],
        },
    )


def _row(request: RightsRequest) -> dict[str, Any]:
    tag, clock = _clock(request)
    return {"request": request, "tag": tag, "clock": clock}


def _clock(request: RightsRequest) -> tuple[str, str]:
    """(color, words) of the time that is left, or of how it ended."""
    if request.state != State.OPEN:
        return ("good" if request.state == State.DONE else "warn"), str(
            OUTCOME_NAMES.get(request.outcome or "", request.outcome)
        )
    days = queries.days_left(request, now=now())
    if days < 0:
        return "bad", ngettext("%(n)s day overdue", "%(n)s days overdue", -days) % {"n": -days}
    words = ngettext("%(n)s day left", "%(n)s days left", days) % {"n": days}
    return ("warn" if days < SOON_DAYS else ""), words


def _fulfil(request: RightsRequest, data: dict[str, Any]) -> str:
    done = operations.fulfil(request_id=request.pk, now=now(), actor=data["by"])
    return gettext("Done: %(outcome)s.") % {"outcome": OUTCOME_NAMES.get(done.outcome or "", done.outcome)}


def _check(request: RightsRequest, data: dict[str, Any]) -> str:
    operations.check_identity(request_id=request.pk, how=data["how"], now=now(), actor=data["by"])
    return gettext("The identity is noted as checked.")


def _extend(request: RightsRequest, data: dict[str, Any]) -> str:
    longer = operations.extend(request_id=request.pk, reason=data["reason"], now=now())
    return gettext("It is due on %(day)s now. Tell the person why.") % {"day": date_format(longer.due_at)}


def _refuse(request: RightsRequest, data: dict[str, Any]) -> str:
    operations.refuse(request_id=request.pk, reason=data["reason"], now=now(), actor=data["by"])
    return gettext("Refused. Tell the person why, and that they may complain to the authority.")


def _is_open(request: RightsRequest) -> bool:
    return request.state == State.OPEN


def _ready(*kinds: str) -> Any:
    def ready(request: RightsRequest) -> bool:
        checked = request.identity_checked_at is not None or request.kind in operations.WITHOUT_CHECK
        return _is_open(request) and request.kind in kinds and checked

    return ready


@admin.register(RightsRequest)
class RightsRequestAdmin(ReadOnlyAdmin):
    list_display = ("number", "kind", "person", "received", "clock", "identity", "state_label")
    list_display_links = ("number",)
    list_filter = ("state", "kind")
    # Open ones by their clock, then the closed ones, newest first.
    ordering = (F("closed_at").desc(nulls_first=True), "due_at", "id")
    sortable_by = ()
    search_fields = ("customer_id",)
    search_help_text = _("Customer by id, email or phone")
    empty_text = _(
        "When somebody asks for their data, a correction or an erasure, file it on the person's page or with the API."
        " It must be answered within one month; the clock stands here."
    )
    panel_template = "admin/rights/request.html"
    acts = {
        "identity": Act(
            _("Identity was checked"),
            _("Nothing is handed out or erased for a stranger. Ask for no more than you need to be sure."),
            _check,
            allowed=lambda one: _is_open(one) and one.identity_checked_at is None,
            form=IdentityForm,
        ),
        "hand_over": Act(
            _("It was handed over or corrected"),
            _("Close the request when the person has the answer."),
            _fulfil,
            allowed=_ready(Kind.ACCESS, Kind.PORTABILITY, Kind.RECTIFY),
        ),
        "restrict": Act(
            _("Restrict"),
            _("From now on the person gets no message at all. The data are kept."),
            _fulfil,
            allowed=_ready(Kind.RESTRICT),
            permission=MAY_CHANGE,
        ),
        "release": Act(
            _("End the restriction"),
            _("The person was told? Then messages may be sent again, as far as there is consent."),
            _fulfil,
            allowed=_ready(Kind.RELEASE),
            permission=MAY_CHANGE,
        ),
        "object": Act(
            _("Stop advertising and profiling"),
            _("Both are withdrawn on every channel, at once."),
            _fulfil,
            allowed=_ready(Kind.OBJECT),
            permission=MAY_CHANGE,
        ),
        "extend": Act(
            _("Take two months more"),
            _("Allowed once, for complicated requests. The person must be told why within the first month."),
            _extend,
            allowed=lambda one: _is_open(one) and one.extension_reason is None and one.due_at >= now(),
            form=ReasonForm,
        ),
        "erase": Act(
            _("Erase person"),
            _("Everything about the person goes for good, also this request's notes. This cannot be undone."),
            _fulfil,
            allowed=_ready(Kind.ERASE),
            danger=True,
            permission=MAY_ERASE,
        ),
        "refuse": Act(
            _("Refuse"),
            _("Only for manifestly unfounded or excessive requests, or where a law stands against it."),
            _refuse,
            allowed=_is_open,
            danger=True,
            form=ReasonForm,
        ),
    }

    def get_queryset(self, request: HttpRequest) -> "QuerySet[RightsRequest]":
        who = Customer.objects.filter(pk=OuterRef("customer_id")).values("external_id")[:1]
        return super().get_queryset(request).annotate(external_id=Subquery(who))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[RightsRequest]", search_term: str
    ) -> tuple["QuerySet[RightsRequest]", bool]:
        if search_term.strip():
            queryset = queryset.filter(customer_id__in=find(search_term))
        return queryset, False

    @display(description=_("number"))
    def number(self, request: RightsRequest) -> str:
        return f"#{request.pk}"

    @display(description=_("customer"))
    def person(self, request: RightsRequest) -> str:
        if request.customer_id is None:
            return gettext("erased")
        shown = request.external_id or f"#{request.customer_id}"  # type: ignore[attr-defined]
        return format_html('<a class="inline" href="{}">{}</a>', page_of(request.customer_id), shown)

    @display(description=_("received"))
    def received(self, request: RightsRequest) -> str:
        return date_format(request.received_at, "SHORT_DATE_FORMAT")

    @display(description=_("clock"))
    def clock(self, request: RightsRequest) -> str:
        if request.state != State.OPEN:
            return "–"
        tag, words = _clock(request)
        return format_html('<span class="{}">{}</span>', "bad" if tag == "bad" else "", words)

    @display(description=_("identity checked"), boolean=True)
    def identity(self, request: RightsRequest) -> bool | None:
        checked = request.identity_checked_at is not None
        return checked if checked or request.state == State.OPEN else None

    @display(description=_("state"), label={"open": "info", "done": "success", "refused": "warning"})
    def state_label(self, request: RightsRequest) -> tuple[str, str]:
        return request.state, request.get_state_display()

    def panels(self, request: HttpRequest, obj: RightsRequest) -> dict[str, Any]:
        tag, words = _clock(obj)
        person = Customer.objects.filter(pk=obj.customer_id).first() if obj.customer_id else None
        wants_data = obj.kind in (Kind.ACCESS, Kind.PORTABILITY)
        may_hand = person and obj.identity_checked_at and request.user.has_perm(MAY_CHANGE)
        return {
            "title": str(obj),
            "tag": tag,
            "clock": words,
            "person": person,
            "person_url": page_of(person.pk) if person else "",
            "archive_url": reverse("admin:rights_archive", args=[person.pk])
            if person and wants_data and may_hand
            else "",
            "erased": queries.erasure_preview(person.pk) if person and obj.kind == Kind.ERASE else [],
        }


def _undo(merge: CustomerMerge, data: dict[str, Any]) -> str:
    joining.undo_merge(merge_id=merge.pk, now=now(), actor=data["by"])
    return gettext("They are two again, each with its own rows.")


@admin.register(CustomerMerge)
class CustomerMergeAdmin(ReadOnlyAdmin):
    list_display = ("number", "winner", "joined_profile", "why", "actor", "at", "state_label")
    list_display_links = ("number",)
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("winner_id",)
    search_help_text = _("Customer by id, email or phone")
    empty_text = _(
        "Nobody was joined yet. It happens by itself when somebody gives a key that stood alone, or on a person's page."
    )
    panel_template = "admin/rights/merge.html"
    acts = {
        "undo": Act(
            _("Separate again"),
            _(
                "The joined profile comes back with exactly the rows that it brought. What happened since stays with"
                " the one who stayed."
            ),
            _undo,
            allowed=lambda merge: merge.undone_at is None,
            danger=True,
            permission=MAY_CHANGE,
        )
    }

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("customers.view_customermerge"))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[CustomerMerge]", search_term: str
    ) -> tuple["QuerySet[CustomerMerge]", bool]:
        if search_term.strip():
            queryset = queryset.filter(winner_id__in=find(search_term))
        return queryset, False

    @display(description=_("number"))
    def number(self, merge: CustomerMerge) -> str:
        return f"#{merge.pk}"

    @display(description=_("customer"))
    def winner(self, merge: CustomerMerge) -> str:
        shown = merge.winner_before.get("external_id") or f"#{merge.winner_id}"
        return format_html('<a class="inline" href="{}">{}</a>', page_of(merge.winner_id), shown)

    @display(description=_("joined profile"))
    def joined_profile(self, merge: CustomerMerge) -> str:
        return merge.loser.get("external_id") or f"#{merge.loser_id}"

    @display(description=_("why"))
    def why(self, merge: CustomerMerge) -> str:
        return str(REASON_NAMES.get(merge.reason, merge.reason))

    @display(description=_("was joined"))
    def at(self, merge: CustomerMerge) -> str:
        return date_format(merge.merged_at, "SHORT_DATETIME_FORMAT")

    @display(description=_("state"), label={"joined": "success", "undone": "warning"})
    def state_label(self, merge: CustomerMerge) -> tuple[str, str]:
        return ("undone", gettext("separated again")) if merge.undone_at else ("joined", gettext("was joined"))

    def panels(self, request: HttpRequest, obj: CustomerMerge) -> dict[str, Any]:
        return {
            "title": gettext("Merge #%(number)s") % {"number": obj.pk},
            "why": REASON_NAMES.get(obj.reason, obj.reason),
            "rows": comparison(Customer(**_known(obj.winner_before)), Customer(**_known(obj.loser))).rows,
            "moved": sorted((table, len(rows)) for table, rows in obj.moved.items() if not table.endswith("+")),
            "winner_url": page_of(obj.winner_id),
        }


def _known(profile: dict[str, Any]) -> dict[str, Any]:
    """The fields of a stored profile that the model still has."""
    names = {field.attname for field in Customer._meta.fields if not field.attname.endswith("_digest")}
    return {name: value for name, value in profile.items() if name in names}
