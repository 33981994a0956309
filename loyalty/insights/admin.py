"""RFM in the admin: the grid as a heat map, the people behind each cell, and what is counted."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from loyalty.events.models import EventType
from loyalty.insights import operations, queries
from loyalty.insights.catalog import parameters_of
from loyalty.insights.feature import features
from loyalty.insights.features.rfm import SEGMENTS, RfmParameters
from loyalty.insights.meanings import meaning
from loyalty.kit.admin import admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panels
from loyalty.kit.problems import Problems

PAGE_NAME = "insights_rfm"
VIEW, CHANGE = "insights.view_customerinsight", "insights.change_featurestate"
# Steps of the heat map, each a class of its own in the style sheet.
HEATS = 8
WIDEST = 100


class ParametersForm(forms.Form):
    """What RFM counts."""

    event = forms.CharField(
        label=_("Event"),
        help_text=_("Which event is a purchase."),
        widget=forms.TextInput(attrs={"list": "event_names"}),
    )
    value = forms.CharField(label=_("Amount"), help_text=_("The property of the event that holds what was paid."))
    within = forms.CharField(
        label=_("Only the last"), required=False, help_text=_("For example 730d or 24 months; empty counts everything.")
    )
    ties = forms.ChoiceField(
        label=_("Equal values"),
        choices=[
            ("together", _("stay together: whoever bought once is in the lowest fifth")),
            ("rank", _("may fall into several fifths, so that each holds as many people")),
        ],
    )


@admin_page("insights/rfm/", name=PAGE_NAME, permission=VIEW)
def rfm(request: HttpRequest) -> HttpResponseBase:
    """The grid, the named segments, the people of what is chosen; POST stores the parameters."""
    state = queries.state_of("rfm")
    try:
        parameters = parameters_of("rfm", state.parameters)
    except ValidationError:
        parameters = RfmParameters()
    may_change = request.user.has_perm(CHANGE)
    form = ParametersForm(request.POST or None, initial=parameters.model_dump())
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid() and _saved(request, form):
            return HttpResponseRedirect(reverse(f"admin:{PAGE_NAME}"))
    cells = queries.grid()
    by = "revenue" if request.GET.get("by") == "revenue" else "people"
    context = {
        "title": gettext("RFM"),
        "state": state,
        "sentence": features.get("rfm").sentence(parameters),
        "by": by,
        "buyers": sum(cell.people for cell in cells),
        "revenue": sum((cell.revenue for cell in cells), Decimal(0)),
        "grid": _grid(cells, by),
        "segments": _segments(cells),
        "may_change": may_change,
        "form": form,
        "event_names": EventType.objects.filter(internal=False).order_by("name").values_list("name", flat=True),
        "object_panels": object_panels(request, state),
        **(_chosen(request) if request.user.has_perm("customers.view_customer") else {}),
    }
    return page(request, "admin/insights/rfm.html", context)


@admin_page("insights/rfm/compute/", name="insights_rfm_compute", permission=CHANGE)
@require_POST
def compute_now(request: HttpRequest) -> HttpResponseBase:
    """Compute at once."""
    done = operations.compute(feature="rfm", now=now())
    if done is None:
        messages.warning(request, gettext("It is being computed already, or its settings are wrong."))
    else:
        people = number_format(done.people, force_grouping=True)
        changed = number_format(done.changed, force_grouping=True)
        text = gettext("Computed for %(people)s buyers; %(changed)s of them have new values.")
        messages.success(request, text % {"people": people, "changed": changed})
    return HttpResponseRedirect(reverse(f"admin:{PAGE_NAME}"))


def _saved(request: HttpRequest, form: ParametersForm) -> bool:
    said = {name: value for name, value in form.cleaned_data.items() if value}
    try:
        operations.set_parameters(feature="rfm", parameters=said, now=now())
    except Problems as error:
        for problem in error.problems:
            form.add_error(problem.where if problem.where in form.fields else None, problem.problem)
        return False
    messages.success(request, gettext("Stored. The values follow with the next computation, within minutes."))
    return True


def _grid(cells: list[queries.Cell], by: str) -> list[tuple[int, list[dict[str, Any]]]]:
    """The cells by recency, the best first, each with its heat from 0 to HEATS."""
    most = max(getattr(cell, by) for cell in cells)
    rows: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        amount = getattr(cell, by)
        heat = max(1, round(HEATS * float(amount / most))) if most > 0 and amount > 0 else 0
        address = urlencode({"cell": f"{cell.recency}-{cell.frequency}", "by": by})
        rows.setdefault(cell.recency, []).append(
            {
                "cell": cell,
                "pair": (cell.recency, cell.frequency),
                "name": SEGMENTS[cell.segment],
                "heat": heat,
                "url": f"?{address}#people",
            }
        )
    return list(rows.items())


def _segments(cells: list[queries.Cell]) -> list[dict[str, Any]]:
    sums = queries.by_segment(cells)
    total = sum(people for people, _revenue in sums.values()) or 1
    most = max(people for people, _revenue in sums.values()) or 1
    return [
        {
            "key": key,
            "name": name,
            "meaning": meaning(key),
            "people": sums[key][0],
            "share": 100 * sums[key][0] / total,
            "width": round(WIDEST * sums[key][0] / most),
            "revenue": sums[key][1],
            "each": sums[key][1] / sums[key][0] if sums[key][0] else None,
            "url": f"?{urlencode({'segment': key})}#people",
        }
        for key, name in SEGMENTS.items()
    ]


def _chosen(request: HttpRequest) -> dict[str, Any]:
    """The people of the chosen cell or segment, page by page."""
    segment, cell = request.GET.get("segment", ""), chosen_cell(request.GET.get("cell", ""))
    if segment not in SEGMENTS and cell is None:
        return {"may_look": True}
    written = request.GET.get("after", "")
    after = int(written) if written.isdecimal() and len(written) < 19 else 0
    people = queries.buyers(segment=segment, cell=cell, after=after)
    kept = {"cell": f"{cell[0]}-{cell[1]}"} if cell else {"segment": segment}
    following = {**kept, "after": people[-1].customer_id} if len(people) == queries.PAGE else {}
    return {
        "may_look": True,
        "chosen": cell or segment,
        "chosen_cell": cell,
        "chosen_name": SEGMENTS.get(segment, ""),
        "people": [(one, SEGMENTS.get(one.segment, one.segment)) for one in people],
        "first_url": f"?{urlencode(kept)}#people" if after else "",
        "next_url": f"?{urlencode(following)}#people" if following else "",
    }


def chosen_cell(written: str) -> tuple[int, int] | None:
    """`5-4` as recency and frequency; None for anything else."""
    if len(written) == 3 and written[1] == "-" and written[0] in "12345" and written[2] in "12345":
        return int(written[0]), int(written[2])
    return None
