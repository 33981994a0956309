"""Response headers that tell browsers what a page of ours may do."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# Alpine inside the admin theme evaluates strings (`unsafe-eval`), and its widgets carry style attributes.
ADMIN = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
# The API's description page: its bundled script starts from an inline one.
DOCS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
STRICT = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Pages behind the links in messages: their addresses identify a person and must neither be passed on nor indexed.
PERSONAL = ("/t/", "/u/", "/p/")


class ContentSecurityPolicy:
    """Middleware: every answer carries a policy, unless its view has set one of its own (a framed mail, say)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy_for(request.path))
        if request.path.startswith(PERSONAL):
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response


def policy_for(path: str) -> str:
    """The policy of the page at this path."""
    if path.startswith("/admin/"):
        return ADMIN
    if path.startswith("/api/v1/docs"):
        return DOCS
    return STRICT
