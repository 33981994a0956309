"""Answers of the portal: pages in the reader's language that nobody else may keep, frame or index."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from loyalty.portal.look import Look, look
from loyalty.portal.section import shown
from loyalty.portal.texts import day, last_day, localized, moment, number
from loyalty.portal.visit import Visitor

# Our own style sheets and pictures, no script at all; a form can only come back to us.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data: https:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    visitor: Visitor | None = None,
    status: int = 200,
    at: str = "",
) -> HttpResponse:
    """A page in the language that is active now; `at` marks its place in the navigation."""
    language = translation.get_language() or "en"
    shared = {
        "language": language,
        "look": visitor.look if visitor else look(),
        "visitor": visitor,
        "nav": [(key, section.title(), section.icon) for key, section in shown(visitor)] if visitor else [],
        "at": at,
        "here": request.path,
        "notes": [(message.level_tag, str(message)) for message in messages.get_messages(request)],
        "number": number,
        "day": day,
        "last_day": last_day,
        "moment": moment,
        "localized": localized,
    }
    body = render_to_string(f"portal/{template}", {**shared, **context}, request=request)
    return guarded(HttpResponse(body, status=status), language)


def guarded(response: HttpResponse, language: str) -> HttpResponse:
    """Keep what a member sees out of caches, frames and search engines."""
    patch_vary_headers(response, ["Accept-Language", "Cookie"])
    response["Content-Language"] = language
    response["Content-Security-Policy"] = POLICY
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def back(request: HttpRequest, name: str, said: str = "", *, wrong: bool = False, **given: str) -> HttpResponse:
    """After a button: to the page of this name, which says what was done."""
    if said:
        messages.add_message(request, messages.ERROR if wrong else messages.SUCCESS, said)
    return HttpResponseRedirect(reverse(name, kwargs=given or None))


def program_of(shown_as: Look) -> None:
    """Raises Http404 where there is no program yet."""
    if shown_as.setup is None:
        raise Http404("There is no loyalty program yet.")
