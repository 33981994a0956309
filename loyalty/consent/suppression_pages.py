"""Suppressed addresses in the admin: looking one up, importing lists, and releasing one by two people."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.consent import operations, releases
from loyalty.consent.models import Purpose, Suppression, SuppressionRelease
from loyalty.consent.operations import ADDRESSED_CHANNELS
from loyalty.consent.words import CHANNEL_CHOICES, CHANNEL_NAMES, REASON_NAMES, channel_name
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problem

# More belongs to the command, which goes on where it stopped.
LINES_MAX = 200_000
CHUNK = 20_000
REFUSED_SHOWN = 50
ADDRESS_HEADERS = ("address", "email", "e-mail", "e_mail", "mail", "phone", "telephone", "number", "telefon", "adresse")


class LookupForm(forms.Form):
    """An address to look for among the suppressed ones."""

    channel = forms.ChoiceField(label=_("Channel"), choices=CHANNEL_CHOICES)
    address = forms.CharField(label=_("Address or number"), max_length=320)


class ImportForm(forms.Form):
    """A list of addresses that must get nothing."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("One address a line, or CSV with a column “address”, “email” or “phone”; up to 200,000 lines."),
    )
    channel = forms.ChoiceField(
        label=_("Channel"), choices=[(channel, CHANNEL_NAMES[channel]) for channel in ADDRESSED_CHANNELS]
    )
    purpose = forms.ChoiceField(
        label=_("Barred from"),
        required=False,
        choices=[("", _("everything but transactional messages")), *Purpose.choices],
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=100, help_text=_("Kept with each address, e.g. “Robinson list 2026-11”.")
    )


class ReleaseForm(forms.Form):
    """Why an address may get messages again."""

    why = forms.CharField(
        label=_("Why"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1000,
        help_text=_("What happened, without naming the address: “opted out by mistake, called us on 21 November”."),
    )


def told(suppression: Suppression) -> dict[str, str]:
    return {
        "channel": channel_name(suppression.channel),
        "purpose": str(dict(Purpose.choices).get(suppression.purpose, suppression.purpose))
        or gettext("everything but transactional messages"),
        "reason": str(REASON_NAMES.get(suppression.reason, suppression.reason)),
        "since": date_format(suppression.created_at, "DATE_FORMAT"),
    }


@admin_page("consent/lookup/", name="consent_lookup", permission="consent.view_suppression")
def look_up(request: HttpRequest) -> HttpResponseBase:
    """Whether an address is suppressed; posted, so that it stands in no log."""
    form = LookupForm(request.POST or None)
    found: list[dict[str, str]] | None = None
    if request.method == "POST" and form.is_valid():
        channel, address = form.cleaned_data["channel"], form.cleaned_data["address"]
        digest = address_digest(operations.normalized(channel, address), key=settings.ADDRESS_KEY)
        found = [told(one) for one in Suppression.objects.filter(channel=channel, digest=digest)]
    context = {"form": form, "found": found, "title": gettext("Is this address suppressed?")}
    return page(request, "admin/consent/lookup.html", context)


@admin_page("consent/suppressions/import/", name="consent_suppression_import", permission="consent.add_suppression")
def import_list(request: HttpRequest) -> HttpResponseBase:
    """Put the addresses of a file on the list; tells how many were taken, new and refused. Nothing is taken off."""
    form = ImportForm(request.POST or None, request.FILES or None)
    report: dict[str, Any] | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        addresses = _addresses(data["file"])
        if addresses is None:
            form.add_error("file", gettext("The file is neither UTF-8 nor Windows-1252 text."))
        elif len(addresses) > LINES_MAX:
            form.add_error("file", gettext("The file has too many lines; use “manage.py import_suppressions”."))
        else:
            report = _import(addresses, data["channel"], data["purpose"], data["reason"])
    context = {"form": form, "report": report, "title": gettext("Import suppressed addresses")}
    return page(request, "admin/consent/import.html", context)


def _import(addresses: list[tuple[int, str]], channel: str, purpose: str, reason: str) -> dict[str, Any]:
    taken = added = refused = 0
    shown: list[tuple[int, Problem]] = []
    instant = now()
    for first in range(0, len(addresses), CHUNK):
        chunk = addresses[first : first + CHUNK]
        given = [address for _line, address in chunk]
        some, fresh, wrong = operations.suppress_valid(channel, given, reason=reason, purpose=purpose, now=instant)
        taken, added, refused = taken + some, added + fresh, refused + len(wrong)
        shown += [(chunk[place][0], problem) for place, problems in wrong for problem in problems]
    return {
        "taken": taken,
        "added": added,
        "known": taken - added,
        "refused": refused,
        "examples": shown[:REFUSED_SHOWN],
        "more": max(refused - REFUSED_SHOWN, 0),
    }


def _addresses(file: "UploadedFile[bytes]") -> list[tuple[int, str]] | None:
    """(line, address) of every line that has one; None for a file that is no text."""
    content = file.read()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return list(_cells(content.decode(encoding)))
        except UnicodeDecodeError:
            continue
    return None


def _cells(text: str) -> Iterator[tuple[int, str]]:
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    column, rows = 0, csv.reader(io.StringIO(text.replace("\0", "")), delimiter=delimiter)
    for line, row in enumerate(rows, start=1):
        if line == 1:
            names = [cell.strip().lower() for cell in row]
            found = [place for place, name in enumerate(names) if name in ADDRESS_HEADERS]
            if found:
                column = found[0]
                continue
        if len(row) > column and row[column].strip():
            yield line, row[column].strip()


def _ask_release(suppression: Suppression, data: dict[str, Any]) -> str:
    releases.ask_release(suppression_id=suppression.pk, by=data["by"], why=data["why"], now=now())
    return gettext("Asked. Somebody else has to decide, under “Releases from suppression”.")


class ChannelFilter(admin.SimpleListFilter):
    """The channels there are, without asking the table."""

    title = gettext_lazy("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return CHANNEL_CHOICES

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Suppression]") -> "QuerySet[Suppression]":
        return queryset.filter(channel=self.value()) if self.value() else queryset


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ("hash", "channel_shown", "purpose_shown", "reason_shown", "created_at")
    list_filter = (ChannelFilter,)
    sortable_by = ()
    ordering = ("-id",)
    empty_text = _(
        "Addresses that do not exist or complain come here by themselves; lists from elsewhere come with"
        " “Import a list” or “manage.py import_suppressions”."
    )
    list_before_template = "admin/consent/lookup_form.html"
    panel_template = "admin/consent/suppression.html"
    acts = {
        "release": Act(
            _("Ask for release"),
            _(
                "The address would get messages again, where the person consents. Somebody else has to agree; who"
                " asked, who agreed and why stays on record."
            ),
            _ask_release,
            form=ReleaseForm,
        )
    }

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            "lookup_form": LookupForm(),
            "may_import": request.user.has_perm("consent.add_suppression"),
            "open_releases": SuppressionRelease.objects.filter(state=SuppressionRelease.State.ASKED).count(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def panels(self, request: HttpRequest, obj: Suppression) -> dict[str, Any]:
        releases = SuppressionRelease.objects.filter(suppression_id=obj.pk).order_by("-id")
        return {"title": self.hash(obj), "hash": self.hash(obj), "told": told(obj), "releases": releases}

    @display(description=_("hash of the address"))
    def hash(self, suppression: Suppression) -> str:
        return bytes(suppression.digest).hex()[:16]

    @display(description=_("channel"))
    def channel_shown(self, suppression: Suppression) -> str:
        return channel_name(suppression.channel)

    @display(description=_("purpose"))
    def purpose_shown(self, suppression: Suppression) -> str:
        return told(suppression)["purpose"]

    @display(description=_("reason"))
    def reason_shown(self, suppression: Suppression) -> str:
        return told(suppression)["reason"]


def _release(asked: SuppressionRelease, data: dict[str, Any]) -> str:
    releases.decide_release(release_id=asked.pk, by=data["by"], release=True, now=now())
    return gettext("The address was released.")


def _refuse(asked: SuppressionRelease, data: dict[str, Any]) -> str:
    releases.decide_release(release_id=asked.pk, by=data["by"], release=False, now=now())
    return gettext("The address stays suppressed.")


def _is_open(asked: SuppressionRelease) -> bool:
    return asked.state == SuppressionRelease.State.ASKED


@admin.register(SuppressionRelease)
class SuppressionReleaseAdmin(ReadOnlyAdmin):
    list_display = ("hash", "state_label", "channel_shown", "why", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state",)
    sortable_by = ()
    ordering = ("-id",)
    empty_text = _("Nobody has asked for an address to be released. It begins on the page of a suppressed address.")
    panel_template = "admin/consent/release.html"
    acts = {
        "release": Act(
            _("Release"),
            _("The address comes off the list and may get messages again, where the person consents."),
            _release,
            allowed=_is_open,
        ),
        "refuse": Act(_("Refuse"), _("The address stays on the list."), _refuse, allowed=_is_open),
    }

    def panels(self, request: HttpRequest, obj: SuppressionRelease) -> dict[str, Any]:
        reason = str(REASON_NAMES.get(obj.reason, obj.reason))
        own = _is_open(obj) and obj.asked_by == request.user.get_username()
        return {
            "title": str(obj),
            "hash": self.hash(obj),
            "reason": reason,
            "channel": self.channel_shown(obj),
            "own": own,
        }

    @display(description=_("hash of the address"))
    def hash(self, asked: SuppressionRelease) -> str:
        return bytes(asked.digest).hex()[:16]

    @display(description=_("channel"))
    def channel_shown(self, asked: SuppressionRelease) -> str:
        return channel_name(asked.channel)

    @display(description=_("state"), label={"asked": "warning", "released": "success", "refused": "danger"})
    def state_label(self, asked: SuppressionRelease) -> tuple[str, str]:
        return asked.state, asked.get_state_display()
