"""Imports in the admin: a file is uploaded, its columns are mapped and tried, then a worker imports it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers import people, uploads
from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.csvfile import field_key
from loyalty.customers.models import Attribute, CustomerIdentity, ImportJob
from loyalty.customers.showing import label
from loyalty.kit.admin import ReadOnlyAdmin, admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems

ENCODINGS = [("", _("UTF-8")), ("cp1252", _("Windows-1252 (Excel)")), ("iso-8859-15", _("ISO 8859-15"))]
DELIMITERS = [("", _("find out")), (",", _("comma")), (";", _("semicolon")), ("\t", _("tab"))]
EMPTY = [("keep", _("leave the value as it is")), ("clear", _("clear the value"))]
# Beyond this many columns a mapping is better written by hand, with the command.
COLUMNS_MAX = 300


class UploadForm(forms.Form):
    """A file, and how it is written."""

    file = forms.FileField(label=_("CSV file"), help_text=_("The first line names the columns. At most 512 MB."))
    source = forms.CharField(
        label=_("Source"),
        max_length=200,
        initial=people.SOURCE,
        help_text=_("Where the data comes from, such as “shop” or “trade fair 2026”. Every value shows it later."),
    )
    empty = forms.ChoiceField(label=_("An empty cell"), choices=EMPTY)
    encoding = forms.ChoiceField(label=_("Encoding"), choices=ENCODINGS, required=False)
    delimiter = forms.ChoiceField(label=_("Separated by"), choices=DELIMITERS, required=False)


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of the file on the mapping page."""

    name: str
    header: str
    samples: list[str]
    field: str
    options: list[tuple[str, str]]


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "kind_shown", "state_label", "progress", "taken", "rejected_shown", "started")
    list_filter = ("kind", "state")
    sortable_by: Iterable[str] = ()
    ordering = ("-id",)
    panel_template = "admin/customers/import.html"
    empty_text = _(
        "Nothing was imported yet. Upload a file of customers here, or use “manage.py import_customers FILE” or"
        " “manage.py import_events FILE”."
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.add_importjob")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return _upload(request)

    @display(description=_("kind"))
    def kind_shown(self, job: ImportJob) -> str:
        return {"customers": gettext("customers"), "events": gettext("events")}.get(job.kind, job.kind)

    @display(
        description=_("state"),
        label={"draft": "warning", "waiting": "info", "failed": "danger", "running": "info", "finished": "success"},
    )
    def state_label(self, job: ImportJob) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @display(description=_("progress"))
    def progress(self, job: ImportJob) -> str:
        done = _percent(job)
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

    def panels(self, request: HttpRequest, obj: ImportJob) -> dict[str, Any]:
        report = obj.report or {}
        options = obj.options or {}
        draft = obj.state == ImportJob.State.DRAFT and request.user.has_perm("customers.add_importjob")
        kept = bool(obj.options) and obj.rejected and obj.rejections.exists()
        return {
            "title": obj.file_name,
            "state": obj.get_state_display(),
            "percent": _percent(obj),
            "unfinished": obj.state in (ImportJob.State.WAITING, ImportJob.State.RUNNING),
            "unchanged": obj.accepted - obj.created - obj.changed,
            "reasons": sorted(report.get("reasons", {}).items(), key=lambda pair: (-pair[1], pair[0])),
            "learned": sorted(report.get("learned", {}).items()),
            "source": options.get("source", ""),
            "prepare_url": reverse("admin:customers_import_prepare", args=[obj.pk]) if draft else "",
            "rejected_url": reverse("admin:customers_import_rejected", args=[obj.pk]) if kept else "",
        }


def _percent(job: ImportJob) -> int:
    finished = job.state == ImportJob.State.FINISHED
    return 100 if finished else 100 * job.cursor_bytes // max(job.size_bytes, 1)


def _upload(request: HttpRequest) -> HttpResponseBase:
    """Ask for a file and keep it as a draft."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        options = {name: data[name] or None for name in ("encoding", "delimiter")}
        try:
            job = uploads.receive(
                data["file"].chunks(),
                name=data["file"].name,
                options={**options, "empty": data["empty"], "source": data["source"]},
                now=now(),
                actor=request.user.get_username(),
            )
        except Problems as refused:
            for problem in refused.problems:
                form.add_error("file", str(problem))
        else:
            return HttpResponseRedirect(reverse("admin:customers_import_prepare", args=[job.pk]))
    back = reverse("admin:customers_importjob_changelist")
    return page(
        request, "admin/customers/upload.html", {"form": form, "back": back, "title": gettext("Import customers")}
    )


@admin_page(
    "customers/importjob/<int:job_id>/prepare/", name="customers_import_prepare", permission="customers.add_importjob"
)
def prepare(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Map the columns, try, then start or give up."""
    job = ImportJob.objects.filter(pk=job_id, state=ImportJob.State.DRAFT).first()
    if job is None:
        raise Http404
    changelist = reverse("admin:customers_importjob_changelist")
    act = request.POST.get("act", "")
    if act == "discard":
        uploads.discard(job=job)
        messages.success(request, gettext("The file was discarded."))
        return HttpResponseRedirect(changelist)
    if request.method == "POST":
        headers = request.POST.getlist("header")[:COLUMNS_MAX]
        mapping = {header: request.POST.get(f"c{place}", "") for place, header in enumerate(headers)}
        uploads.choose(job=job, options={"mapping": mapping})
    trial = uploads.attempt(job, now=now())
    if act == "start" and trial.report is not None:
        uploads.start(job=job, now=now())
        messages.success(request, gettext("The import is waiting for a worker; this page follows it."))
        return HttpResponseRedirect(reverse("admin:customers_importjob_change", args=[job.pk]))
    context = {
        "title": gettext("Import %(file)s") % {"file": job.file_name},
        "job": job,
        "trial": trial,
        "report": trial.report,
        "whole": trial.rows < uploads.TRIAL_ROWS,
        "unchanged": trial.report.accepted - trial.report.created - trial.report.changed if trial.report else 0,
        "reasons": trial.report.reasons.most_common(10) if trial.report else [],
        "learned": sorted(trial.report.learned.items()) if trial.report else [],
        "columns": _columns(trial),
        "back": changelist,
    }
    return page(request, "admin/customers/import_prepare.html", context)


def _columns(trial: uploads.Trial) -> list[MappedColumn]:
    attributes = {f"attributes.{one.key}": label(one.key, one) for one in Attribute.objects.order_by("key")}
    known = {
        "": gettext("leave out"),
        "external_id": label("external_id", None),
        **{name: label(name, None) for name in BUILT_IN},
        **{
            f"identities.{kind}": gettext("Key: %(kind)s") % {"kind": name}
            for kind, name in CustomerIdentity.Kind.choices
        },
        **attributes,
    }
    columns = []
    for place, (header, field) in enumerate(zip(trial.header, trial.fields, strict=True)):
        own = f"attributes.{field_key(header)}"
        options = dict(known)
        for extra in (own, field or ""):
            if extra not in options:
                options[extra] = gettext("New attribute: %(key)s") % {"key": extra.removeprefix("attributes.")}
        samples = [cells[place] for cells in trial.samples if place < len(cells) and cells[place].strip()]
        columns.append(MappedColumn(f"c{place}", header, samples, field or "", list(options.items())))
    return columns


@admin_page(
    "customers/importjob/<int:job_id>/rejected.csv",
    name="customers_import_rejected",
    permission="customers.view_importjob",
)
def rejected(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """The refused rows as a file: mended, it can be uploaded as it is."""
    job = ImportJob.objects.filter(pk=job_id).first()
    if job is None:
        raise Http404
    return _download(uploads.rejected_csv(job), f"rejected-{job_id}.csv")


def _download(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse((line.encode() for line in lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer
