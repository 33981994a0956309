"""The room of a partner: what is open, statements and whom it brought, to read; it signs in with its own key."""

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty.access.addresses import client_address
from loyalty.access.auth import ApiAuth
from loyalty.access.models import ApiKey
from loyalty.kit.admin import localized
from loyalty.kit.clock import now
from loyalty.kit.errors import ApiError
from loyalty.kit.tokens import BadToken, seal, unseal
from loyalty.partners import acquisition, names, queries, statements, words
from loyalty.partners.api import file_of
from loyalty.partners.models import Partner, Statement
from loyalty.program.models import Program
from loyalty.program.setup import load

COOKIE, PATH, PURPOSE = "partner_room", "/partner/", "partner room"
LASTS = timedelta(hours=8)
TRIES, WINDOW = 10, 600
SHOWN = 24


def _secrets() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _partner(request: HttpRequest) -> Partner | None:
    """Whose room it is: the key that signed in still lives and still speaks for the partner."""
    try:
        text = unseal(request.COOKIES.get(COOKIE, ""), purpose=PURPOSE, secrets=_secrets()).decode()
        key_id, _sep, until = text.partition(":")
        if int(until) <= now().timestamp():
            return None
    except (BadToken, ValueError):
        return None
    key = ApiKey.objects.filter(pk=int(key_id), revoked_at=None).first()
    if key is None or (key.expires_at is not None and key.expires_at <= now()) or names.SCOPE not in key.scopes:
        return None
    return queries.of_key(key.pk)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    language = (translation.get_language() or "en").partition("-")[0]
    html = render_to_string(
        f"partner/{template}", {"language": language, "here": request.path, **context}, request=request
    )
    response = HttpResponse(html, status=status)
    response["Content-Language"] = language
    response["Cache-Control"] = "no-store"
    return response


def _too_many(request: HttpRequest) -> bool:
    """Count this attempt of an address; without the cache nobody gets in by trying."""
    name = hashlib.sha256((client_address(request) or "").encode()).hexdigest()[:20]
    key = f"partner-room:{name}:{int(now().timestamp()) // WINDOW}"
    try:
        cache.add(key, 0, 2 * WINDOW)
        return int(cache.incr(key)) > TRIES
    except Exception:  # whatever the cache's client raises when its server is away
        return True


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Ask for the key; a right one opens the room for a working day."""
    if request.method != "POST":
        if _partner(request):
            return HttpResponseRedirect(reverse("partner-room"))
        return _page(request, "sign_in.html", {"wrong": ""})
    if _too_many(request):
        return _page(request, "sign_in.html", {"wrong": _("Too many attempts. Please wait ten minutes.")}, 429)
    try:
        key = ApiAuth(names.SCOPE).authenticate(request, request.POST.get("key", "").strip()[:200])
    except ApiError:
        key = None
    if key is None or queries.of_key(key.pk) is None:
        return _page(request, "sign_in.html", {"wrong": _("This is no key of a partner, or it has ended.")}, 422)
    until = int((now() + LASTS).timestamp())
    response = HttpResponseRedirect(reverse("partner-room"))
    token = seal(f"{key.pk}:{until}".encode(), purpose=PURPOSE, secret=settings.SECRET_KEY)
    response.set_cookie(
        COOKIE, token, max_age=LASTS, path=PATH, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
    return response


def _for_partner(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def served(request: HttpRequest, **given: Any) -> HttpResponseBase:
        partner = _partner(request)
        if partner is None:
            return HttpResponseRedirect(reverse("partner-sign-in"))
        return view(request, partner, **given)

    return served


def _money(amount: Decimal, currency: str) -> str:
    return f"{number_format(amount, 2, force_grouping=True)} {currency}"


def _month(month: date) -> str:
    return date_format(month, "F Y")


def _count(number: int) -> str:
    return number_format(int(number), force_grouping=True)


@require_safe
@_for_partner
def room(request: HttpRequest, partner: Partner) -> HttpResponseBase:
    """Everything on one page."""
    setup = load(Program.objects.get(id=partner.program_id).key)
    currency = setup.document.currency
    bills = list(Statement.objects.filter(partner=partner).order_by("-month")[:SHOWN])
    sums = statements.payments([one.pk for one in bills])
    open_ = statements.balances(partner.pk)
    contract = queries.contract_of(partner)
    came = acquisition.by_month(partner.pk, program_id=setup.id, zone=partner.timezone, now=now())
    context = {
        "partner": localized(partner.name, partner.key),
        "program": localized(setup.document.name, setup.key),
        "ended": partner.state != "active",
        "unbilled": _money(open_["unbilled"], currency),
        "billed": _money(open_["billed"], currency),
        "stores": queries.stores_of(partner.pk),
        "months": [
            (_month(one["month"]), _count(one["issued"]), _count(one["burned"]), _money(one["owed"], currency))
            for one in queries.months(partner.pk, zone=partner.timezone)[::-1]
        ],
        "statements": [
            (one.number, _month(one.month), _money(one.gross, one.currency),
             _money(sums.get(one.pk, Decimal(0)), one.currency))
            for one in bills
        ],
        "came": [
            (_month(one.month), _count(one.brought), acquisition.told(one.members), acquisition.told(one.active),
             acquisition.told(one.elsewhere))
            for one in came[::-1]
        ],
        "fields": [
            (words.field_name(one.field), words.CONDITIONS[one.to], localized(one.why, "")) for one in contract.fields
        ],
    }  # fmt: skip
    return _page(request, "room.html", context)


@require_safe
@_for_partner
def statement(request: HttpRequest, partner: Partner, number: str, format: str) -> HttpResponseBase:
    """A statement as a file."""
    found = Statement.objects.select_related("partner").filter(partner=partner, number=number).first()
    if found is None or format not in ("pdf", "csv"):
        raise Http404("There is no such statement.")
    response = file_of(found, format)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """Close the room in this browser."""
    response = HttpResponseRedirect(reverse("partner-sign-in"))
    response.delete_cookie(COOKIE, path=PATH)
    return response
