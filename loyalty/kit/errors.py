"""The one shape of every error of the HTTP API, wherever it arises.

`{"error": {"code": "...", "message": "...", "details": [{"where": "events[3].name", "problem": "..."}]}}`

A view raises `Problems` for input it refuses (422), `Http404` with a sentence for what is not there, `ApiError` for the
rest. `install` teaches a NinjaAPI to answer these; the middleware gives the same shape to what never reaches ninja:
unknown addresses, wrong methods, oversized bodies, crashes.
"""

import json
import logging
from collections.abc import Callable, Iterable

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from loyalty.kit.logs import fields
from loyalty.kit.problems import Problem, Problems, from_pydantic_items

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
MESSAGES = {
    400: "The request cannot be read.",
    401: "A valid API key is needed: send the header 'Authorization: Bearer <key>'.",
    403: "This key may not do that.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is too large; send it in smaller batches.",
    422: "The input was refused; every mistake is in the details.",
    429: "Too many requests; wait as long as the header 'Retry-After' says.",
    500: "Something went wrong on our side; it was logged.",
    503: "The database does not answer at the moment; try again.",
}
RETRY_AFTER_SECONDS = 5
# What the database says of values that are well formed, but that it has no room for: numbers and times out of range, a
# time zone of more than 16 hours, text with NUL (which the driver refuses by itself, without a code).
NO_ROOM = ("22003", "22008", "22009", "22021", "22P05", None)


class ApiError(Exception):
    """An answer that is not a success: status, sentence, details; `code` is the status's usual one if unset."""

    def __init__(self, status: int, message: str, details: Iterable[Problem] = (), *, code: str = "") -> None:
        self.status, self.message, self.details, self.code = status, message, list(details), code
        super().__init__(message)


def answer(status: int, message: str = "", details: Iterable[Problem] = (), *, code: str = "") -> JsonResponse:
    """The JSON response of an error."""
    body = {
        "code": code or CODES.get(status, "error"),
        "message": message or MESSAGES.get(status, "The request failed."),
        "details": [problem.as_dict() for problem in details],
    }
    response = JsonResponse({"error": body}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def answer_to(error: Exception, request: HttpRequest) -> HttpResponse:
    """The response to whatever was raised; what nobody foresaw is logged and answered without its text."""
    match error:
        case ApiError():
            return answer(error.status, error.message, error.details, code=error.code)
        case Problems():
            return answer(422, details=error.problems)
        case ValidationError():
            return answer(422, details=_validation_problems(error))
        case AuthenticationError():
            return answer(401)
        case HttpError():
            response = answer(error.status_code, error.message, _unreadable(error))
            if wait := getattr(error, "wait", None):
                response["Retry-After"] = str(wait)
            return response
        case Http404():
            return answer(404, _sentence(error))
        case PermissionDenied():
            return answer(403, _sentence(error))
        case RequestDataTooBig():
            return answer(413)
        case OperationalError() | InterfaceError():
            logger.exception("api.unavailable", extra=fields(method=request.method, path=request.path))
            return answer(503)
        case DataError() if (state := getattr(error.__cause__, "sqlstate", "")) in NO_ROOM:
            logger.warning("api.unstorable", extra=fields(method=request.method, path=request.path, state=state))
            return answer(422, details=[Problem("", f"a value cannot be stored: {_first_line(error)}")])
    logger.error(
        "api.failed",
        exc_info=error,
        extra=fields(method=request.method, path=request.path, error=type(error).__name__),
    )
    return answer(500)


def install(api: NinjaAPI) -> None:
    """Let `api` answer every exception in the one shape."""

    def handle(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        return answer_to(error if isinstance(error, Exception) else error(), request)

    for kind in (Exception, Http404, HttpError, ValidationError):
        api.add_exception_handler(kind, handle)


class ApiErrors:
    """Middleware: errors below `/api/` that another layer answered in its own way get the one shape."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith(API_PREFIX) or response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        shaped = answer(response.status_code)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in response.headers:
                shaped[name] = response.headers[name]
        return shaped

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a crash below `/api/`; elsewhere Django's own pages do."""
        return answer_to(error, request) if request.path.startswith(API_PREFIX) else None


def _unreadable(error: HttpError) -> list[Problem]:
    """What is wrong with a body that is not JSON, where ninja only says that it cannot parse it."""
    match error.__cause__ or error.__context__:
        case json.JSONDecodeError() as cause:
            place = f"line {cause.lineno}, column {cause.colno}"
            return [Problem("body", f"is not JSON: {cause.msg} at {place}", "send a JSON object")]
        case UnicodeDecodeError():
            return [Problem("body", "is not UTF-8 text", "send JSON in UTF-8")]
        case RecursionError():
            return [Problem("body", "is nested too deeply", "send flatter JSON")]
    return []


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _sentence(error: Exception) -> str:
    """The text of a 404 or 403 when a view gave one; Django's own resolver puts objects there, which are no
    sentence."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) else ""


def _validation_problems(error: ValidationError) -> list[Problem]:
    """Places as the caller wrote them: without ninja's source (`body`, `query`) and the name of the view's argument."""
    items = []
    for item in error.errors:
        source, *path = item["loc"]
        if source in ("body", "form", "file") and path and isinstance(path[0], str):
            path = path[1:]
        items.append({**item, "loc": tuple(path) or (source,)})
    return from_pydantic_items(items)
