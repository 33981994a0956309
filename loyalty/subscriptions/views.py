"""Public pages, without signing in: what memberships there are, cancelling (§ 312k BGB), withdrawing (§ 356a BGB)."""

import hashlib

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from loyalty.access.addresses import client_address
from loyalty.kit import clock
from loyalty.kit.admin import localized
from loyalty.program.setup import load
from loyalty.subscriptions import declaring, names, queries, receipts, wording
from loyalty.subscriptions.declaring import Declared
from loyalty.subscriptions.forms import CancelForm, DeclarationForm
from loyalty.subscriptions.models import Plan

WINDOW_SECONDS, MOST = 600, 20


def _page(request: HttpRequest, template: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    language = (get_language() or "en").partition("-")[0]
    response = render(
        request,
        f"membership/{template}",
        {"language": language, "here": request.get_full_path(), **context},
        status=status,
    )
    response["Content-Language"] = language
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """What can be ordered, and the buttons that end a contract."""
    return _page(request, "plans.html", {"plans": [_shown(plan) for plan in queries.on_sale()]})


def _shown(plan: Plan) -> dict[str, object]:
    document = queries.document_of(plan.definition)
    setup = load(document.program)
    currency = document.fee.currency or setup.document.currency
    return {
        "name": localized(plan.name, plan.key),
        "text": localized(document.text, ""),
        "price": wording.price(document.fee.amount, currency, document.fee.months),
        "benefits": wording.benefits(document, setup),
        "conditions": wording.conditions(document, trial=document.trial, currency=currency),
        "seller": document.seller,
    }


# No cookie, no session: nothing that another site could misuse, and nothing that a browser could refuse.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest) -> HttpResponse:
    """The page behind the button "cancel contracts here": what is needed, and the button "cancel now"."""
    return _declare(request, names.CANCEL, CancelForm)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """The page behind the button "withdraw from contract here", with the button "confirm withdrawal"."""
    return _declare(request, names.WITHDRAW, DeclarationForm)


def _declare(request: HttpRequest, kind: str, shape: type[DeclarationForm]) -> HttpResponse:
    known = {name: request.GET[name][:200] for name in ("contract",) if name in request.GET}
    form = shape(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        language = (get_language() or "en").partition("-")[0]
        given = Declared(kind=kind, locale=language, **form.plain())
        kept = None if _too_many(request) else declaring.declare(given, source="page", now=clock.now())
        if kept is None:
            wrong = gettext("Too many at once from here. Please try again in some minutes, or write us a mail.")
            return _page(request, "declare.html", {"kind": kind, "form": form, "wrong": wrong}, status=429)
        return HttpResponseRedirect(reverse("membership-receipt", args=[receipts.token_of(kept.pk)]))
    status = 422 if request.method == "POST" else 200
    return _page(request, "declare.html", {"kind": kind, "form": form, "wrong": ""}, status=status)


@require_safe
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    """What was declared and when it came in, to be printed or kept."""
    found = receipts.find(token)
    if found is None:
        raise Http404("There is no such receipt.")
    rows = wording.as_declared(found, settings.TIME_ZONE)
    return _page(request, "receipt.html", {"kind": found.kind, "rows": rows, "email": found.email})


def _too_many(request: HttpRequest) -> bool:
    """Whether this address declares more than people do. Without the cache nothing is counted."""
    window = int(clock.now().timestamp()) // WINDOW_SECONDS
    name = hashlib.sha256((client_address(request) or "").encode()).hexdigest()[:20]
    key = f"membership:{name}:{window}"
    try:
        cache.add(key, 0, 2 * WINDOW_SECONDS)
        return int(cache.incr(key)) > MOST
    except Exception:  # whatever the cache's client raises when its server is away
        return False
