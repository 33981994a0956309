"""The books over HTTP: what is owed in points, the bookings for accounting, the program's result."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router

from loyalty.access.auth import ApiAuth
from loyalty.finance import queries
from loyalty.finance.models import BookMonth
from loyalty.kit.problems import Problem, Problems
from loyalty.program.setup import load

router = Router(tags=["loyalty"])
READ = ApiAuth("reports:read")
LONGEST = 120


def read_month(written: str | None, where: str = "month") -> date | None:
    """`2026-03` as its first day; raises Problems."""
    if written is None:
        return None
    try:
        return date.fromisoformat(f"{written}-01")
    except ValueError:
        raise Problems([Problem(where, f"{written!r} is no month", "write for example 2026-03")]) from None


def _entry(program: str | None, month: str | None) -> BookMonth:
    setup = load(program)
    found = queries.month_of(setup.id, read_month(month))
    if found is None:
        which = f"for {month}" if month else "yet"
        raise Http404(f"There are no books of {setup.key} {which}.")
    return found


@router.get("/loyalty/finance/liability", auth=READ, summary="What is owed in points, by the age of the points")
def read_liability(request: HttpRequest, program: str | None = None, month: str | None = None) -> dict[str, Any]:
    """At the end of `month` (`2026-03`), unset: as of today's computation. `chance`: that a point is ever spent."""
    entry = _entry(program, month)
    return {
        "month": f"{entry.month:%Y-%m}",
        "closed": entry.closed_at is not None,
        "currency": entry.currency,
        "points": entry.points,
        "amount": entry.closing,
        "ages": entry.ages,
        "curves": {key: list(curve.values) for key, curve in queries.curves(entry).items()},
    }


@router.get("/loyalty/finance/bookings", auth=READ, summary="The bookings of a month, for accounting")
def read_bookings(
    request: HttpRequest, program: str | None = None, month: str | None = None, format: str = "json"
) -> Any:
    """`format`: json or csv. Together they are what the amount owed has changed by."""
    if format not in ("json", "csv"):
        raise Problems([Problem("format", f"{format!r} is not known", "known: json, csv")])
    entry = _entry(program, month)
    valued = queries.document(entry.program_id)
    if format == "csv":
        return csv_of([entry], valued, f"bookings-{entry.month:%Y-%m}.csv")
    return {
        "month": f"{entry.month:%Y-%m}",
        "closed": entry.closed_at is not None,
        "currency": entry.currency,
        "opening": entry.opening,
        "closing": entry.closing,
        "bookings": queries.bookings(entry, valued),
    }


def csv_of(found: list[BookMonth], valued: Any, name: str) -> HttpResponse:
    """The bookings of these months as a file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(queries.csv_rows(found, valued))
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@router.get("/loyalty/finance/result", auth=READ, summary="The program's result by month")
def read_result(request: HttpRequest, program: str | None = None, months: int = 12) -> dict[str, Any]:
    """Lines over 0 make it better. `burn_rate` is what was spent of what was issued."""
    if not 1 <= months <= LONGEST:
        raise Problems([Problem("months", f"{months} is too few or too many", f"ask for 1 to {LONGEST}")])
    found = queries.months(load(program).id, limit=months)
    return {
        "months": [
            {
                "month": f"{one.month:%Y-%m}",
                "closed": one.closed_at is not None,
                "currency": one.currency,
                "issued": one.issued,
                "spent": one.spent,
                "expired": one.expired,
                "burn_rate": round(one.spent / one.issued, 4) if one.issued else None,
                "owed": one.closing,
                "lines": one.lines,
                "result": one.result,
            }
            for one in found
        ],
        "result": sum((one.result for one in found), Decimal(0)),
    }
