"""The public doors of websites: the script `/t.js`, and `/t/e`, where pages send what visitors do."""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from django.core.cache import cache as counters
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from loyalty.access.addresses import client_address
from loyalty.events import queue, websites
from loyalty.kit import clock
from loyalty.kit.errors import answer

LARGEST_BODY = 16 * 1024
SCRIPT_SECONDS = 3600
WINDOW_SECONDS = 60
# A large office behind one address still fits; a site of 5 million page views a day does too.
CALLS_PER_ADDRESS = 300
CALLS_PER_SITE = 12_000


@cache
def script() -> tuple[bytes, str]:
    """The script and its ETag."""
    body = resources.files("loyalty.events").joinpath("web", "t.js").read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:20]}"'


@require_safe
def tracker(request: HttpRequest) -> HttpResponse:
    """The script that websites load; a browser asks for it again after an hour."""
    body, tag = script()
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="text/javascript; charset=utf-8")
    response["ETag"] = tag
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


# Pages of other origins send here without any cookie of ours, so there is no session that could be ridden on.
@csrf_exempt
@require_POST
def take(request: HttpRequest) -> HttpResponse:
    """Take what a page sent as JSON in text/plain, which spares browsers a preflight: 204, or 200 with what to know."""
    origin = request.headers.get("Origin", "")
    try:
        response = _taken(request, origin)
    except websites.Refused as refused:
        response = answer(refused.status, details=[refused.problem])
        if refused.status == 429:
            response["Retry-After"] = str(WINDOW_SECONDS)
    except (OperationalError, InterfaceError):
        response = answer(503)
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Origin"])
    return response


def _taken(request: HttpRequest, origin: str) -> HttpResponse:
    # Who sends this signal wants no tracking; the script sends nothing then, this is for whoever calls without it.
    if request.headers.get("Sec-GPC") == "1":
        return HttpResponse(status=204)
    body = _body(request)
    _limit(f"address:{_address(request)}", CALLS_PER_ADDRESS)
    site = websites.website_for(body.get("k"), origin)
    _limit(f"site:{site.pk}", CALLS_PER_SITE)
    sent = websites.take(site, body, now=clock.now())
    if sent.accepted:
        queue.wake()
    if sent.recognized is None and not sent.rejected:
        response: HttpResponse = HttpResponse(status=204)
    else:
        told: dict[str, Any] = {"accepted": sent.accepted, "rejected": _rejected(sent)}
        if sent.recognized is not None:
            told["new"] = not sent.recognized
        response = JsonResponse(told)
    response["Access-Control-Allow-Origin"] = origin
    return response


def _rejected(sent: websites.Sent) -> list[dict[str, Any]]:
    return [
        {"index": index, "problems": [problem.within(f"e[{index}]").as_dict() for problem in problems]}
        for index, problems in sent.rejected
    ]


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = 0
    if length > LARGEST_BODY or len(request.body) > LARGEST_BODY:
        raise websites.Refused(413, f"the body is larger than {LARGEST_BODY // 1024} KB")
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise websites.Refused(400, "the body is no JSON object")
    return found


def _address(request: HttpRequest) -> str:
    """Where the call comes from, hashed: kept for a minute, to count."""
    return hashlib.sha256((client_address(request) or "").encode()).hexdigest()[:20]


def _limit(what: str, most: int) -> None:
    """Count this call; raises Refused past the limit. Without the cache nothing is counted: it is no truth."""
    window = int(clock.now().timestamp()) // WINDOW_SECONDS
    key = f"web:{what}:{window}"
    try:
        counters.add(key, 0, 2 * WINDOW_SECONDS)
        count = counters.incr(key)
    except Exception:  # whatever the cache's client raises when its server is away
        return
    if count > most:
        raise websites.Refused(429, "too many calls", f"wait {WINDOW_SECONDS} seconds")
