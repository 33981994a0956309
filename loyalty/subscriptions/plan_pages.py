"""Pages for the staff: a plan as text, charges as a list for who collects them."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from loyalty.kit import document_yaml
from loyalty.kit.admin import admin_page, localized
from loyalty.kit.clock import now
from loyalty.kit.spreadsheets import cell
from loyalty.kit.text_pages import TextPage
from loyalty.program.models import Program
from loyalty.subscriptions import names, queries
from loyalty.subscriptions.models import Plan

EXAMPLE = """kind: plan
key: plus
name: {en: Plus, de: Plus}
text: {en: More of everything., de: Von allem mehr.}
fee: {amount: 9.90, per: month}
trial: 14
benefits:
  points: 100
  texts:
    - {en: Free delivery, de: Versand frei}
seller: Name and address of your company
"""
COLUMNS = (
    "id", "contract", "plan", "customer", "kind", "state", "amount", "currency", "due_at", "period_start",
    "period_end", "attempts",
)  # fmt: skip


@admin_page("membership/plans/new/", name="subscriptions_new", permission="subscriptions.add_plan")
def write_new(request: HttpRequest) -> HttpResponseBase:
    """A new plan as text."""
    return _text_page(request, gettext("New plan"), EXAMPLE, reverse("admin:subscriptions_plan_changelist"))


@admin_page("membership/plans/<str:key>/text/", name="subscriptions_text", permission="subscriptions.change_plan")
def write(request: HttpRequest, key: str) -> HttpResponseBase:
    """A plan as text, the same as `apply` takes."""
    found = Plan.objects.filter(key=key).first()
    if found is None:
        raise Http404
    text = document_yaml.write([{"kind": "plan", "key": found.key, **found.definition}])
    back = reverse("admin:subscriptions_plan_change", args=[found.pk])
    return _text_page(request, localized(found.name, found.key), text, back)


def _text_page(request: HttpRequest, title: str, text: str, back: str) -> HttpResponseBase:
    texts = TextPage(
        kind="plan",
        template="admin/subscriptions/text.html",
        address=lambda key: reverse("admin:subscriptions_plan_change", args=[Plan.objects.get(key=key).pk]),
        wanted=gettext("Write one or more documents with kind: plan."),
        saved=gettext("The plan is stored. Contracts that run keep their terms."),
    )
    return texts.answer(request, title=title, text=text, back=back, no_program=not Program.objects.exists())


class _Echo:
    def write(self, line: str) -> str:
        return line


def _lines(states: Iterable[str]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    after, moment = 0, now()
    while rows := queries.charge_list(list(states), now=moment, after=after, limit=2_000):
        for row in rows:
            yield writer.writerow([_plain(row[name]) for name in COLUMNS])
        after = rows[-1]["id"]


def _plain(value: Any) -> str:
    """As a spreadsheet shows it: no formula begins with text of others."""
    return cell(value.isoformat() if hasattr(value, "isoformat") else value, numbers=True)


@admin_page("membership/charges.csv", name="subscriptions_charges_csv", permission="subscriptions.view_charge")
@require_safe
def charges_csv(request: HttpRequest) -> HttpResponseBase:
    """What is to be collected and paid back now."""
    answer = StreamingHttpResponse(
        (line.encode() for line in _lines(names.OPEN)), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = 'attachment; filename="charges.csv"'
    return answer
