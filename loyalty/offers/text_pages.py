"""Pools and offers written as documents in the admin, and files of codes brought into a pool."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django import forms
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.kit import document_yaml
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.text_pages import TextPage
from loyalty.offers import issuing
from loyalty.offers.issuing import Brought
from loyalty.offers.models import Offer, VoucherPool

LINES_MAX = 200_000
REJECTED_SHOWN = 50
EXAMPLES = {
    "voucher_pool": """kind: voucher_pool
key: welcome
name: {en: Welcome voucher, de: Willkommensgutschein}
codes: {pattern: WEL-?????-?????}
benefit: {type: percent, percent: 10, max: 20}
when: {minimum: 30}
valid: {for: 30d}
limits: {person: 1, budget: 5000}
""",
    "personal": """kind: offer
key: your_next_purchase
name: {en: For your next purchase, de: Für Ihren nächsten Einkauf}
benefit: {type: amount, amount: 3}
personal: {target: spend, factor: 1.2, round: 5, sizes: [3, 5, 8], margin: 35, lasts: 28d, holdout: 10}
""",
    "offer": """kind: offer
key: coffee_double
name: {en: Double points on coffee, de: Doppelte Punkte auf Kaffee}
benefit: {type: multiplier, times: 2, only: {category: [coffee]}}
when: {to: 2030-12-31}
limits: {person: 3}
""",
}
MODELS: dict[str, type[VoucherPool] | type[Offer]] = {"voucher_pool": VoucherPool, "offer": Offer}


def _address(kind: str, thing: VoucherPool | Offer) -> str:
    return reverse(f"admin:offers_{'voucherpool' if kind == 'voucher_pool' else 'offer'}_change", args=[thing.pk])


@admin_page("offers/pools/new/", name="offers_voucherpool_new", permission="offers.add_voucherpool")
def new_pool(request: HttpRequest) -> HttpResponseBase:
    """Write a pool."""
    back = reverse("admin:offers_voucherpool_changelist")
    return _text(request, "voucher_pool", gettext("New voucher pool"), EXAMPLES["voucher_pool"], back)


@admin_page("offers/offers/new/", name="offers_offer_new", permission="offers.add_offer")
def new_offer(request: HttpRequest) -> HttpResponseBase:
    """Write an offer."""
    example = EXAMPLES["personal" if request.GET.get("like") == "personal" else "offer"]
    return _text(request, "offer", gettext("New offer"), example, reverse("admin:offers_offer_changelist"))


@admin_page("offers/pools/<int:number>/edit/", name="offers_voucherpool_edit", permission="offers.change_voucherpool")
def edit_pool(request: HttpRequest, number: int) -> HttpResponseBase:
    """Change a pool."""
    return _edit(request, "voucher_pool", number)


@admin_page("offers/offers/<int:number>/edit/", name="offers_offer_edit", permission="offers.change_offer")
def edit_offer(request: HttpRequest, number: int) -> HttpResponseBase:
    """Change an offer."""
    return _edit(request, "offer", number)


def _edit(request: HttpRequest, kind: str, number: int) -> HttpResponseBase:
    found = MODELS[kind].objects.filter(pk=number).first()
    if found is None:
        raise Http404
    text = document_yaml.write([found.definition])
    return _text(request, kind, localized(found.name, found.key), text, _address(kind, found))


def _text(request: HttpRequest, kind: str, title: str, text: str, back: str) -> HttpResponseBase:
    texts = TextPage(
        kind=kind,
        template="admin/offers/text.html",
        address=lambda key: _address(kind, MODELS[kind].objects.get(key=key)),
        wanted=gettext("Write one document with kind: %(kind)s.") % {"kind": kind},
        saved=gettext("Saved."),
        most=1,
    )
    return texts.answer(request, title=title, text=text, back=back, kind=kind)


class CodesForm(forms.Form):
    """A file of codes."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("One code a line, or CSV with the columns code, amount, valid_until; up to 200,000 lines."),
    )


@admin_page("offers/pools/<int:number>/codes/", name="offers_voucherpool_codes", permission="offers.change_voucherpool")
def bring_codes(request: HttpRequest, number: int) -> HttpResponseBase:
    """Bring a file of codes into a pool."""
    pool = VoucherPool.objects.filter(pk=number).first()
    if pool is None:
        raise Http404
    form = CodesForm(request.POST or None, request.FILES or None)
    report = None
    if request.method == "POST" and form.is_valid():
        raw = form.cleaned_data["file"].read()
        try:
            report = bring_file(pool.key, raw.decode("utf-8-sig"), at=now())
        except UnicodeDecodeError:
            form.add_error("file", gettext("This is no text file in UTF-8."))
        except Problems as error:
            for problem in error.problems:
                form.add_error(None, str(problem))
    context = {
        "title": gettext("Bring codes: %(pool)s") % {"pool": localized(pool.name, pool.key)},
        "form": form,
        "report": report,
        "rejected": [(place, "; ".join(map(str, found))) for place, found in report.rejected[:REJECTED_SHOWN]]
        if report
        else [],
        "back": _address("voucher_pool", pool),
    }
    return page(request, "admin/offers/codes.html", context)


def bring_file(pool: str, text: str, *, at: datetime) -> issuing.Imported:
    """Bring the codes of a file; places of mistakes are its lines. Raises Problems."""
    brought: list[Brought] = []
    lines: list[int] = []
    rejected: list[tuple[int, list[Problem]]] = []
    for line, row in _rows(text):
        if len(lines) + len(rejected) >= LINES_MAX:
            raise Problems([Problem("file", f"has more than {LINES_MAX:,} codes", "split it into several files")])
        try:
            brought.append(_brought(row))
            lines.append(line)
        except ValueError as error:
            rejected.append((line, [Problem("", str(error))]))
    done = issuing.bring(pool, brought, now=at)
    rejected += [(lines[place], problems) for place, problems in done.rejected]
    return issuing.Imported(done.accepted, done.doubles, sorted(rejected, key=lambda one: one[0]))


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    names = ["code", "amount", "valid_until"]
    for cells in reader:
        told = [cell.strip() for cell in cells]
        if reader.line_num == 1 and "code" in (lowered := [cell.lower() for cell in told]):
            names = lowered
        elif any(told):
            yield reader.line_num, dict(zip(names, told, strict=False))


def _brought(row: dict[str, str]) -> Brought:
    amount = until = None
    if row.get("amount"):
        try:
            amount = Decimal(row["amount"].replace(",", "."))
        except InvalidOperation:
            raise ValueError(f"amount: {row['amount']!r} is no number") from None
    if row.get("valid_until"):
        until = datetime.fromisoformat(row["valid_until"])
        until = make_aware(until) if is_naive(until) else until
    return Brought(row.get("code", ""), amount, until)
