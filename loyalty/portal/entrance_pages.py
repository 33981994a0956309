"""The pages before one is in: the front page, join, sign in, the code, the mailed link."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from loyalty.access.addresses import client_address
from loyalty.customers.addresses import email as read_email
from loyalty.customers.values import Refused, day
from loyalty.kit import clock
from loyalty.kit.tokens import BadToken
from loyalty.portal import entrance, operations, sessions
from loyalty.portal.answers import back, page, program_of
from loyalty.portal.entrance import Asked, Ticket
from loyalty.portal.look import Look, look
from loyalty.portal.models import EntryRequest
from loyalty.portal.texts import localized
from loyalty.portal.visit import (
    COOKIE,
    MOST_CODES,
    MOST_FORMS,
    PATH,
    Visitor,
    agent_of,
    signed_in,
    too_many,
    visitor_of,
)
from loyalty.portal.wording import rules

TICKET = "member_ticket"
TICKET_SECONDS = 7 * 86_400
NAME_MAX = 100


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the address (GET); mail a link and a code to it, if it is a member's, and say the same in any case."""
    if request.method != "POST":
        if visitor_of(request):
            return HttpResponseRedirect(reverse("member-home"))
        return page(request, "sign_in.html", {"wrong": {}, "given": {}})
    given = {"email": request.POST.get("email", "").strip()}
    address, wrong = _address(given["email"])
    if wrong:
        return page(request, "sign_in.html", {"wrong": {"email": wrong}, "given": given}, status=422)
    return _ask(request, "sign_in", address, None)


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Show the form; note what it says and mail the link by which the owner of the address confirms it."""
    shown = look()
    program_of(shown)
    visitor = visitor_of(request)
    if visitor is not None:
        return HttpResponseRedirect(reverse("member-home"))
    if request.method != "POST":
        return page(request, "join.html", _join_context(shown, {}, {}))
    names = ("email", "first_name", "last_name", "birth_date", "terms", "offers")
    given = {name: request.POST.get(name, "").strip()[:300] for name in names}
    address, problem = _address(given["email"])
    wrong = {"email": problem} if problem else {}
    for name in ("first_name", "last_name"):
        if len(given[name]) > NAME_MAX or not given[name].isprintable():
            wrong[name] = _("Please shorten it to 100 letters.")
    if given["birth_date"]:
        try:
            born = day(given["birth_date"])
        except Refused:
            born = None
        if born is None or not int(str(born)[:4]) >= 1900 or str(born) > clock.now().date().isoformat():
            wrong["birth_date"] = _("Please write a date that has been.")
    if not given["terms"]:
        wrong["terms"] = _("Please agree to the terms; without them you cannot join.")
    if wrong:
        return page(request, "join.html", _join_context(shown, wrong, given), status=422)
    return _ask(request, "join", address, _details(shown, given))


def _join_context(shown: Look, wrong: dict[str, str], given: dict[str, str]) -> dict[str, Any]:
    return {
        "wrong": wrong,
        "given": dict.fromkeys(("email", "first_name", "last_name", "birth_date", "terms", "offers"), "") | given,
        "offers_text": offers_text(shown),
        "terms_text": _terms(shown),
        "birthday": any(rule.document.type == "birthday" for rule in (shown.setup.rules if shown.setup else ())),
        "labels": {
            "email": _("Email address"),
            "first_name": _("First name"),
            "last_name": _("Last name"),
            "birth_date": _("Birthday"),
            "terms": _("Terms"),
        },
    }


def offers_text(shown: Look) -> str:
    """What people agree to who want offers by email."""
    usual = _("I would like offers and news by email. I can end that at any time, with one click.")
    return localized(shown.document.offers_text, usual)


def _terms(shown: Look) -> str:
    return _("I join %(club)s and agree to its rules (version %(version)s).") % {
        "club": shown.name,
        "version": shown.document.terms_version,
    }


def _details(shown: Look, given: dict[str, str]) -> dict[str, Any]:
    texts = [_terms(shown), *([offers_text(shown)] if given["offers"] else [])]
    return {
        "text": " ".join(texts),
        "text_version": shown.document.terms_version,
        "purposes": ["marketing"] if given["offers"] else [],
        **{name: given[name] for name in ("first_name", "last_name", "birth_date") if given[name]},
    }


def _address(text: str) -> tuple[str, str]:
    try:
        return read_email(text), ""
    except Refused:
        return "", _("Please write an email address such as name@example.com.")


def _ask(request: HttpRequest, kind: str, address: str, details: dict[str, Any] | None) -> HttpResponse:
    if too_many(request, "form", MOST_FORMS):
        return _wait(request)
    ticket = entrance.ask(
        Asked(kind, address, translation.get_language() or "en", client_address(request), agent_of(request), details),
        now=clock.now(),
    )
    response = HttpResponseRedirect(reverse("member-code"))
    value = signing.dumps([str(ticket.request_id), ticket.secret, kind], salt=TICKET)
    _keep(response, TICKET, value, TICKET_SECONDS)
    return response


def _wait(request: HttpRequest) -> HttpResponse:
    response = page(request, "wait.html", {}, status=429)
    response["Retry-After"] = "600"
    return response


def _keep(response: HttpResponse, name: str, value: str, seconds: int) -> None:
    secure = settings.PUBLIC_URL.startswith("https://")
    response.set_cookie(name, value, max_age=seconds, path=PATH, httponly=True, secure=secure, samesite="Lax")


def _ticket(request: HttpRequest) -> tuple[Ticket, str] | None:
    try:
        request_id, secret, kind = signing.loads(request.COOKIES.get(TICKET, ""), salt=TICKET, max_age=TICKET_SECONDS)
        return Ticket(UUID(request_id), secret), kind
    except (signing.BadSignature, ValueError, TypeError):
        return None


@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Say that a mail is on its way, and take its code in the browser that asked."""
    held = _ticket(request)
    if held is None:
        return HttpResponseRedirect(reverse("member-sign-in"))
    ticket, kind = held
    if request.method != "POST":
        return page(request, "code.html", {"kind": kind, "wrong": ""})
    if too_many(request, "code", MOST_CODES):
        return _wait(request)
    found = entrance.by_code(ticket, request.POST.get("code", "")[:20], now=clock.now())
    entered = _enter(request, found) if found else None
    if entered is None:
        wrong = _("That is not the code, or it has expired. After five tries you need a new mail.")
        return page(request, "code.html", {"kind": kind, "wrong": wrong}, status=422)
    return entered


@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the button behind the mailed link (GET), and let in when it is pressed: a scanner presses no buttons."""
    try:
        found = entrance.by_link(entrance.read_link(token), now=clock.now())
    except BadToken:
        found = None
    entered = _enter(request, found) if found and request.method == "POST" else None
    if entered is not None:
        return entered
    if found is None or request.method == "POST":
        return page(request, "over.html", {}, status=410)
    return page(request, "enter.html", {"kind": found.kind, "text": (found.details or {}).get("text", "")})


def _enter(request: HttpRequest, found: EntryRequest) -> HttpResponse | None:
    shown = look()
    entered = operations.enter(
        found, setup=shown.setup, ip=client_address(request), user_agent=agent_of(request), now=clock.now()
    )
    if entered is None:
        return None
    said = _("Welcome to %(club)s!") % {"club": shown.name} if entered.joined else ""
    response = back(request, "member-home", said)
    _keep(response, COOKIE, entered.secret, int(sessions.LASTS.total_seconds()))
    response.delete_cookie(TICKET, path=PATH)
    return response


@require_POST
@signed_in
def sign_out(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """End this session, or all of the person's."""
    if "everywhere" in request.POST:
        sessions.end_all(visitor.customer_id)
    else:
        sessions.end(visitor.signed.session_id)
    response = back(request, "member-sign-in", _("You are signed out."))
    response.delete_cookie(COOKIE, path=PATH)
    return response


def front(request: HttpRequest) -> HttpResponse:
    """What the program is, for who is not signed in."""
    shown = look()
    said = rules(shown.setup)[:4] if shown.setup else []
    return page(request, "front.html", {"rules": said, "open": shown.setup is not None})
