"""Answers that every public address shares: headers that keep them private, and the pages that say no."""

from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.cache import patch_vary_headers

# Nothing but our own style sheet is loaded and nothing runs; a form can only come back to us.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def private(response: HttpResponse) -> HttpResponse:
    """Keep the token out of caches, search engines and the next site's logs."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A page in the language that is active now."""
    language = translation.get_language() or "en"
    response = HttpResponse(render_to_string(template, context | {"language": language}), status=status)
    response["Content-Language"] = language
    return _guarded(response)


def not_found(request: HttpRequest) -> HttpResponse:
    """404 for whatever is not ours. Said before anything is looked up, and the same for every cause."""
    response = HttpResponse(_message("unknown.html", translation.get_language() or "en"), status=404)
    # Django would log each one; guessers must not be able to fill the disk.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return _guarded(response)


def try_later(request: HttpRequest) -> HttpResponse:
    """503 while nothing can be written: better to ask again than to lose what the reader wanted."""
    response = HttpResponse(_message("later.html", translation.get_language() or "en"), status=503)
    response["Retry-After"] = "5"
    return _guarded(response)


@lru_cache(maxsize=16)
def _message(template: str, language: str) -> str:
    return render_to_string(template, {"language": language})


def _guarded(response: HttpResponse) -> HttpResponse:
    patch_vary_headers(response, ["Accept-Language"])
    response["Content-Security-Policy"] = POLICY
    return private(response)
