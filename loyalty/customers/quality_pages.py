"""The board of data quality: how full the fields are, what is wrong, and who is behind each number."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from loyalty.customers import measuring
from loyalty.customers.models import Attribute
from loyalty.customers.quality import MISSING, check_of
from loyalty.customers.rows import COLUMNS
from loyalty.customers.showing import label
from loyalty.kit.admin import admin_page, page
from loyalty.kit.chores import hint
from loyalty.kit.clock import now
from loyalty.kit.quality import quality_checks

WIDTH, HEIGHT = 120, 28


def sparkline(values: list[float]) -> str:
    """The points of a line through the values, as wide as WIDTH; empty for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    room = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    points = [
        f"{number * step:.1f},{2 + (HEIGHT - 4) * (1 - (value - low) / room):.1f}"
        for number, value in enumerate(values)
    ]
    return " ".join(points)


@admin_page("customers/quality/", name="customers_quality", permission="customers.view_customer")
def board(request: HttpRequest) -> HttpResponseBase:
    """Every figure with its trend and its people."""
    found = measuring.figures(now=now())
    everybody = found.get(measuring.ALL)
    defined = {one.key: one for one in Attribute.objects.all()}
    context = {
        "title": gettext("Data quality"),
        "everybody": everybody,
        "anonymous": everybody.total - everybody.found if everybody else 0,
        "checks": [_check(one, found.get(one.key)) for one in quality_checks()],
        "columns": [_field(name, found.get(MISSING + name), None) for name in COLUMNS],
        "attributes": [
            _field(key, found.get(MISSING + key), one) for key, one in sorted(defined.items()) if MISSING + key in found
        ],
        "may_measure": request.user.has_perm("customers.change_customer"),
        "width": WIDTH,
        "height": HEIGHT,
    }
    return page(request, "admin/customers/quality.html", context)


def _check(check: Any, figure: measuring.Figure | None) -> dict[str, Any]:
    return {
        "check": check,
        "figure": figure,
        "line": sparkline([share for _, share in figure.trend]) if figure else "",
        "url": reverse("admin:customers_quality_people", args=[check.key]),
    }


def _field(name: str, figure: measuring.Figure | None, attribute: Attribute | None) -> dict[str, Any]:
    return {
        "key": name,
        "label": label(name, attribute),
        "learned": attribute.learned if attribute else False,
        "full": 100 - figure.share if figure else 0.0,
        "bar": f"{1.6 * (100 - figure.share):.1f}" if figure else "0",
        "missing": figure.found if figure else 0,
        "line": sparkline([100 - share for _, share in figure.trend]) if figure else "",
        "url": reverse("admin:customers_quality_people", args=[MISSING + name]),
    }


@admin_page("customers/quality/measure/", name="customers_quality_measure", permission="customers.change_customer")
@require_POST
def measure(request: HttpRequest) -> HttpResponseBase:
    """Let today's figures be counted anew."""
    measuring.measure_again(now=now())
    hint("customers.quality")
    messages.success(request, gettext("The figures are being counted anew; look again in a moment."))
    return HttpResponseRedirect(reverse("admin:customers_quality"))


@admin_page("customers/quality/<str:key>/", name="customers_quality_people", permission="customers.view_customer")
def behind(request: HttpRequest, key: str) -> HttpResponseBase:
    """The people behind a number, a page at a time."""
    check = check_of(key)
    if check is None:
        raise Http404
    found = measuring.people(check, now=now(), after=request.GET.get("after"))
    title = check.title
    if key.startswith(MISSING):
        name = key.removeprefix(MISSING)
        title = gettext("Without “%(field)s”") % {"field": label(name, Attribute.objects.filter(key=name).first())}
    context = {"title": title, "check": check, "found": found, "back": reverse("admin:customers_quality")}
    return page(request, "admin/customers/quality_people.html", context)
