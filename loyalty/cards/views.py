"""Where phones get passes and news of them. Source: Apple, "Adding a Web Service to Update Passes"."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.http import http_date, parse_http_date_safe
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty.cards import pass_accounts, passes
from loyalty.cards.pass_accounts import Apple, BadAccount
from loyalty.kit import clock
from loyalty.kit.logs import fields

log = logging.getLogger(__name__)

WALLET_TYPE = "application/vnd.apple.pkpass"
LONGEST_NAME, LARGEST_BODY, MOST_LINES = 200, 20_000, 20


def _account() -> Apple | None:
    try:
        return pass_accounts.apple()
    except BadAccount as error:
        log.warning("passes.account", extra=fields(why=error))
        return None


def _file(customer_id: int, account: Apple, now: datetime) -> HttpResponse | None:
    face = passes.face_of(customer_id, now=now)
    if face is None:
        return None
    answer = HttpResponse(passes.apple_file(customer_id, face, account), content_type=WALLET_TYPE)
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_safe
def download(request: HttpRequest, token: str) -> HttpResponse:
    """The pass behind a link of the member's page; links end after half an hour."""
    now, account = clock.now(), _account()
    customer_id = passes.linked(token, now=now)
    answer = _file(customer_id, account, now) if customer_id is not None and account else None
    if answer is None:
        context = {"language": get_language() or settings.LANGUAGE_CODE}
        return render(request, "pass_link.html", context, status=410, using="jinja2")
    answer["Content-Disposition"] = 'attachment; filename="card.pkpass"'
    return answer


Served = Callable[..., HttpResponse]


def _authorized(served: Served) -> Served:
    """Decorator: for the pass that shows its own token; it gets the customer."""

    @wraps(served)
    def guarded(request: HttpRequest, pass_type: str, serial: str, **rest: str) -> HttpResponse:
        account, customer_id = _account(), passes.owner_of(serial)
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        if customer_id is None or scheme != "ApplePass" or not passes.may_ask(customer_id, token):
            return HttpResponse(status=401)
        if account is None or account.pass_type != pass_type:
            return HttpResponse(status=404)
        return served(request, customer_id=customer_id, account=account, **rest)

    return guarded


@csrf_exempt
@require_http_methods(["POST", "DELETE"])
@_authorized
def registration(request: HttpRequest, *, customer_id: int, account: Apple, device: str) -> HttpResponse:
    """A phone that took the pass, or threw it away."""
    if len(device) > LONGEST_NAME or "\0" in device:
        return HttpResponse(status=400)
    if request.method == "DELETE":
        passes.unregister(customer_id, device=device)
        return HttpResponse()
    try:
        token = json.loads(request.body[:LARGEST_BODY])["pushToken"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return HttpResponse(status=400)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > LONGEST_NAME:
        return HttpResponse(status=400)
    now = clock.now()
    if passes.face_of(customer_id, now=now) is None:
        return HttpResponse(status=404)
    made = passes.register(customer_id, device=device, push_token=token, now=now)
    return HttpResponse(status=201 if made else 200)


@require_safe
def changed(request: HttpRequest, device: str, pass_type: str) -> HttpResponse:
    """The serial numbers of the phone's passes that say something else since the mark it got last time."""
    account = _account()
    if account is None or account.pass_type != pass_type or len(device) > LONGEST_NAME or "\0" in device:
        return HttpResponse(status=404)
    found = passes.passes_of(device, now=clock.now())
    since = request.GET.get("passesUpdatedSince", "")
    mark = int(since) if since.isdecimal() and len(since) < 19 else -1
    news = [(customer_id, _micros(at)) for customer_id, at in found if _micros(at) > mark]
    if not news:
        return HttpResponse(status=204)
    serials = [passes.serial_of(customer_id) for customer_id, _at in news]
    return JsonResponse({"lastUpdated": str(max(at for _customer, at in news)), "serialNumbers": serials})


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


@require_safe
@_authorized
def latest(request: HttpRequest, *, customer_id: int, account: Apple) -> HttpResponse:
    """The pass as it is now, or that it is still the same."""
    now = clock.now()
    updated = passes.updated_since(customer_id, now=now)
    if updated is None:
        return HttpResponse(status=404)
    known = parse_http_date_safe(request.headers.get("If-Modified-Since", ""))
    if known is not None and updated <= datetime.fromtimestamp(known, UTC):
        return HttpResponse(status=304)
    answer = _file(customer_id, account, now) or HttpResponse(status=404)
    # Rounded up: a second change within the same second is still news.
    answer["Last-Modified"] = http_date(int(updated.timestamp()) + 1)
    return answer


@csrf_exempt
@require_POST
def problems(request: HttpRequest) -> HttpResponse:
    """What phones say went wrong with our passes; for the log, cut short, since anybody can write here."""
    try:
        lines = json.loads(request.body[:LARGEST_BODY])["logs"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return HttpResponse(status=400)
    for line in lines[:MOST_LINES] if isinstance(lines, list) else []:
        log.info("passes.phone_says", extra=fields(line=str(line)[:300]))
    return HttpResponse()
