"""Who is looking at a page of the portal, and from where."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, wraps

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation

from loyalty.access.addresses import client_address
from loyalty.customers.models import Customer
from loyalty.kit import clock
from loyalty.portal import sessions
from loyalty.portal.look import Look, look
from loyalty.portal.sessions import Signed
from loyalty.program import queries as program
from loyalty.program.models import Member
from loyalty.program.setup import Setup

COOKIE = "member"
PATH = "/member/"
LONGEST_AGENT = 300
WINDOW_SECONDS = 600
# A family or an office behind one address still gets in.
MOST_FORMS, MOST_CODES = 30, 60


@dataclass(frozen=True)
class Visitor:
    """Somebody who is signed in; `member` is None for who has not joined."""

    signed: Signed
    person: Customer
    look: Look
    now: datetime

    @property
    def customer_id(self) -> int:
        return self.signed.customer_id

    @property
    def setup(self) -> Setup | None:
        return self.look.setup

    @property
    def club(self) -> Setup:
        """The program, on pages that only its members see; raises Http404 without one."""
        if self.look.setup is None:
            raise Http404("There is no loyalty program yet.")
        return self.look.setup

    @cached_property
    def member(self) -> Member | None:
        """The membership, also one that has ended."""
        return program.member_of(self.customer_id, program_id=self.setup.id) if self.setup else None

    @property
    def active(self) -> bool:
        """Whether the person is a member now."""
        return self.member is not None and self.member.state == "active"


def visitor_of(request: HttpRequest) -> Visitor | None:
    """Who is signed in in this browser."""
    secret = request.COOKIES.get(COOKIE, "")
    now = clock.now()
    signed = sessions.find(secret, now=now) if secret else None
    if signed is None:
        return None
    person = Customer.objects.filter(pk=signed.customer_id).first()
    return Visitor(signed, person, look(), now) if person else None


def language_of(request: HttpRequest, person: Customer | None) -> str:
    """What the reader chose, else the person's own language, else what the browser asks for."""
    own = ((person.locale or "") if person else "").replace("_", "-").partition("-")[0].lower()
    if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and own in dict(settings.LANGUAGES):
        return own
    return translation.get_language() or settings.LANGUAGE_CODE


Page = Callable[..., HttpResponse]


def signed_in(page: Page) -> Page:
    """Decorator: the page gets the visitor after the request; everybody else is sent to sign in."""

    @wraps(page)
    def served(request: HttpRequest, **given: str) -> HttpResponse:
        visitor = visitor_of(request)
        if visitor is None:
            return HttpResponseRedirect(reverse("member-sign-in"))
        with translation.override(language_of(request, visitor.person)):
            return page(request, visitor, **given)

    return served


def agent_of(request: HttpRequest) -> str | None:
    """What the browser calls itself, cut and without what no header should hold."""
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return "".join(char for char in agent if char.isprintable()) or None


def too_many(request: HttpRequest, what: str, most: int) -> bool:
    """Count this call of an address; whether it is one too many. Without the cache nothing is counted."""
    window = int(clock.now().timestamp()) // WINDOW_SECONDS
    name = hashlib.sha256((client_address(request) or "").encode()).hexdigest()[:20]
    key = f"portal:{what}:{name}:{window}"
    try:
        cache.add(key, 0, 2 * WINDOW_SECONDS)
        return int(cache.incr(key)) > most
    except Exception:  # whatever the cache's client raises when its server is away
        return False
