"""The books in the admin: what is owed in points, which of them will be spent, bookings, the program's result."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from loyalty.finance import books, operations, pnl_line, queries
from loyalty.finance.api import csv_of
from loyalty.finance.models import BookMonth, Valuation
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.charts import Chart, Series, columns, lines
from loyalty.kit.clock import now
from loyalty.program.models import Program
from loyalty.program.setup import Setup, load

VIEW, CHANGE = "finance.view_bookmonth", "finance.change_valuation"
ROW_NAMES = {
    books.ISSUED: _("Points issued"),
    books.RETURNED: _("Points taken back by returns"),
    books.REDEEMED: _("Points spent"),
    books.REFUNDED: _("Points given back"),
    books.EXPIRED: _("Points expired"),
    books.CORRECTED: _("Corrections, imports, transfers, debts"),
    books.ESTIMATE: _("Change of the estimate"),
}
SHOWN = 13


def _program(request: HttpRequest) -> tuple[Setup | None, list[Program]]:
    """The program that is asked for, or the first; all of them."""
    programs = list(Program.objects.order_by("id"))
    asked = request.GET.get("program", "")
    chosen = next((one for one in programs if one.key == asked), programs[0] if programs else None)
    return (load(chosen.key) if chosen else None), programs


@admin_page("finance/", name="finance_overview", permission=VIEW)
def overview(request: HttpRequest) -> HttpResponseBase:
    """What is owed now, how it came about month by month, and the result."""
    setup, programs = _program(request)
    context: dict[str, Any] = {"title": gettext("Points in the books"), "setup": setup, "programs": programs}
    if setup is None:
        return page(request, "admin/finance/overview.html", context)
    found = queries.months(setup.id)
    state = Valuation.objects.filter(program_id=setup.id).first()
    context |= {
        "may_measure": request.user.has_perm(CHANGE),
        "state": state,
        "months": found[::-1][:SHOWN],
        "valued": [key for key in setup.wallet_ids if operations.cost_of(key, setup, operations.document_of(state))],
    }
    if found:
        newest, shown = found[-1], found[-SHOWN:]
        year = found[-12:]
        issued, spent = sum(one.issued for one in year), sum(one.spent for one in year)
        worth = sum((group.worth for group in queries.age_groups(newest)), Decimal(0))
        context |= {
            "newest": newest,
            "worth": worth,
            "chance": 100 * newest.closing / worth if worth else None,
            "burn_rate": 100 * spent / issued if issued else None,
            "year": sum((one.result for one in year), Decimal(0)),
            "owed_chart": _owed(shown),
            "flow_chart": _flows(shown),
            "curve_chart": _curves(newest, setup),
            "groups": queries.age_groups(newest),
            "result": _result(year),
            "no_gain": not any(line.get("parts") for one in year for line in one.lines),
            "measured": _measured(newest) or (_measured(found[-2]) if len(found) > 1 else []),
        }
    return page(request, "admin/finance/overview.html", context)


def _labels(found: list[BookMonth]) -> list[str]:
    return [date_format(one.month, "M y") for one in found]


def _owed(found: list[BookMonth]) -> Chart:
    return columns(_labels(found), [Series(gettext("owed in points"), [float(one.closing) for one in found])])


def _flows(found: list[BookMonth]) -> Chart:
    return columns(
        _labels(found),
        [
            Series(gettext("Issued"), [float(one.issued) for one in found]),
            Series(gettext("Spent"), [float(one.spent) for one in found]),
            Series(gettext("Expired"), [float(one.expired) for one in found]),
        ],
    )


def _curves(entry: BookMonth, setup: Setup) -> Chart | None:
    """The chance that a point is ever spent by its age; None where it is the same at all ages."""
    found = {key: curve for key, curve in queries.curves(entry).items() if len(curve.values) > 1}
    if not found:
        return None
    ages = range(max(len(curve.values) for curve in found.values()))
    names = {wallet.key: localized(wallet.name, wallet.key) for wallet in setup.document.wallets}
    series = [
        Series(names.get(key, key), [round(100 * curve.at(age), 2) for age in ages]) for key, curve in found.items()
    ]
    return lines([str(age) for age in ages], series)


def _result(found: list[BookMonth]) -> list[tuple[Any, Decimal, int | None]]:
    names, totals = pnl_line.line_names(), queries.sums(found)
    return [(names[key], *totals[key]) for key in names if key in totals]


VERDICTS = {
    "few": _("too few people to say"),
    "unclear": _("it may be chance"),
    "more": _("brings something"),
    "less": _("costs something"),
}
TAGS = {"few": "", "unclear": "", "more": "good", "less": "bad"}


def _measured(entry: BookMonth) -> list[dict[str, Any]]:
    """What was compared with people held out in that month."""
    parts = [part for line in entry.lines for part in line.get("parts", ())]
    return [
        {
            **part,
            "month": entry.month,
            "kind": _("flow") if part["source"].startswith("flow:") else _("personal offer"),
            "title": localized(part["name"], part["source"].partition(":")[2]),
            "told": VERDICTS[part["verdict"]],
            "tag": TAGS[part["verdict"]],
            "amount": Decimal(part["amount"]),
            "low": Decimal(part["low"]) if part["low"] is not None else None,
            "high": Decimal(part["high"]) if part["high"] is not None else None,
        }
        for part in parts
    ]


@admin_page("finance/measure/", name="finance_measure", permission=CHANGE)
@require_POST
def measure_now(request: HttpRequest) -> HttpResponseBase:
    """Compute the open months at once."""
    setup = load(request.POST.get("program") or None)
    done = operations.measure(setup=setup, now=now())
    if done is None:
        messages.warning(request, gettext("The books are being computed already."))
    else:
        text = gettext("Computed: %(months)s months, %(closed)s of them are closed now.")
        messages.success(request, text % {"months": done.months, "closed": done.closed})
    return HttpResponseRedirect(f"{reverse('admin:finance_overview')}?program={setup.key}")


@admin_page("finance/<str:program>/<str:month>/", name="finance_month", permission=VIEW)
def month_page(request: HttpRequest, program: str, month: str) -> HttpResponseBase:
    """One month: bookings with debit and credit, ages, result."""
    entry = _entry(program, month)
    names = pnl_line.line_names()
    context = {
        "title": gettext("Books of %(month)s") % {"month": date_format(entry.month, "F Y")},
        "entry": entry,
        "program": program,
        "key": month,
        "rows": [(ROW_NAMES[row["line"]], row) for row in queries.bookings(entry, queries.document(entry.program_id))],
        "groups": queries.age_groups(entry),
        "lines": [(names.get(line["key"], line["key"]), line) for line in entry.lines],
        "measured": _measured(entry),
    }
    return page(request, "admin/finance/month.html", context)


@admin_page("finance/<str:program>/<str:month>/csv/", name="finance_month_csv", permission=VIEW)
def month_csv(request: HttpRequest, program: str, month: str) -> HttpResponseBase:
    """The bookings as a file for the accounting program."""
    entry = _entry(program, month)
    return csv_of([entry], queries.document(entry.program_id), f"bookings-{program}-{month}.csv")


def _entry(program: str, month: str) -> BookMonth:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise Http404 from None
    found = BookMonth.objects.select_related("program").filter(program__key=program, month=first).first()
    if found is None:
        raise Http404
    return found
