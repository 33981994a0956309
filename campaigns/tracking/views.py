"""The doors for clicks and opens: they read the token, hand the hit to the group commit, and answer when it is kept."""

import base64

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from campaigns.delivery.links import read_click, read_open
from campaigns.tracking import operations
from campaigns.tracking.answers import not_found, private, try_later
from campaigns.tracking.buffer import GroupCommit, Unavailable
from campaigns.tracking.machines import is_machine
from campaigns.tracking.models import Hit
from loyalty.kit import clock
from loyalty.kit.tokens import BadToken

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
LONGEST_AGENT = 300

hits: GroupCommit[operations.Request, operations.Answer] = GroupCommit(operations.record)


# Nothing is taken by POST: exempt, so that one is answered 405 and not with a page about cookies.
@csrf_exempt
@require_safe
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Send the reader where the template said; a token that is not ours leads nowhere and touches no database."""
    try:
        clicked = read_click(token)
    except BadToken:
        return not_found(request)
    try:
        answer = hits.submit(_hit(request, Hit.Kind.CLICK, clicked.message_id, clicked.link, clicked.url))
    except (Unavailable, OperationalError, InterfaceError):
        return try_later(request)
    if answer.url is None:
        return not_found(request)
    response = HttpResponse(status=302)
    response["Location"] = iri_to_uri(answer.url)
    return private(response)


@csrf_exempt
@require_safe
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """A transparent picture of one dot, never cached, so that each opening is seen."""
    try:
        message_id = read_open(token)
    except BadToken:
        return not_found(request)
    try:
        hits.submit(_hit(request, Hit.Kind.OPEN, message_id, None, None))
    except (Unavailable, OperationalError, InterfaceError):
        return try_later(request)
    return private(HttpResponse(PIXEL, content_type="image/gif"))


def _hit(
    request: HttpRequest, kind: Hit.Kind, message_id: int, link: int | None, url: str | None
) -> operations.Request:
    method, agent = request.method or "GET", user_agent(request)
    return operations.Request(
        kind=kind,
        message_id=message_id,
        link=link,
        url=url,
        at=clock.now(),
        machine=is_machine(method, agent),
        user_agent=agent,
        method=method,
    )


def user_agent(request: HttpRequest) -> str:
    """What the client calls itself, cut and without what no header should hold."""
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return agent if agent.isprintable() else "".join(char for char in agent if char.isprintable())
