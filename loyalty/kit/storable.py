"""Pages are not asked with NUL: no browser sends it, and no text column takes it, so it would end in a failure."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase

from loyalty.kit.errors import API_PREFIX

# The character that stands for what cannot be read; no key, token or number has it.
NOTHING = "\ufffd"


class StorableInput:
    """Middleware: 400 for a query or a form with NUL; an address with it is one that nothing has, so each page says its
    own "not found". The API says more about it by itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(API_PREFIX):
            _refuse("%00" in request.META.get("QUERY_STRING", ""))
            request.path = request.path.replace("\0", NOTHING)
            request.path_info = request.path_info.replace("\0", NOTHING)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        # Where there is no check against forged forms, the body is read as bytes.
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):
            _refuse(any("\0" in text for _name, values in request.POST.lists() for text in values))


def _refuse(wrong: bool) -> None:
    if wrong:
        raise SuspiciousOperation("NUL in the request")
