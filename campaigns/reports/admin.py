"""The page of the attribution report."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.planning.models import Goal
from campaigns.planning.queries import goals
from campaigns.reports.credit import ReportForm, answer, today
from campaigns.reports.spreadsheet import spreadsheet
from loyalty.kit.admin import admin_page, page
from loyalty.kit.problems import Problems

admin.site.index_title = _("Dashboard")  # type: ignore[assignment]


@admin_page("attribution/report/", name="attribution_report", permission="attribution.view_conversion")
def attribution_report(request: HttpRequest) -> HttpResponse:
    """What was reached and which messages are credited for it; with `format=csv` as a file."""
    known = goals()
    form = ReportForm(request.GET.dict(), known, today())
    context = {"title": gettext("Attribution"), "goals": known, "form": form}
    if not known or not form.is_valid():
        return page(request, "admin/reports/attribution.html", context)
    try:
        if request.GET.get("format") == "csv":
            return _file(form, known)
        context |= answer(form, known)
    except Problems as error:
        for problem in error.problems:
            form.add_error(None, str(problem))
    query = request.GET.copy()
    query["format"] = "csv"
    return page(request, "admin/reports/attribution.html", context | {"csv_query": query.urlencode()})


def _file(form: ReportForm, known: list[Goal]) -> HttpResponse:
    report = answer(form, known)["report"]
    data = form.cleaned_data
    file_name = f"attribution-{report.goal}-{report.model}-{data['from']}-{data['to']}.csv"
    file = HttpResponse(spreadsheet(report), content_type="text/csv; charset=utf-8")
    file["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return file
