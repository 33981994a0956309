"""The pages where people say what they want to get: unsubscribe and confirm, in their language, without scripts.

A GET only shows. A POST acts at once: the token is the permission, so there is no login, no cookie and no CSRF token
(which mail programs that send the one-click POST of RFC 8058 could not have).
"""

from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.delivery import links
from campaigns.tracking import operations, queries
from campaigns.tracking.answers import not_found, page, try_later
from campaigns.tracking.views import user_agent
from loyalty.access.addresses import client_address
from loyalty.consent import optin as consent_optin
from loyalty.kit import clock
from loyalty.kit.tokens import BadToken


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask (GET), then withdraw the purpose on the channel of the message that the link came in (POST)."""
    try:
        said = links.read_unsubscribe(token)
    except BadToken:
        return not_found(request)
    try:
        return _unsubscribe(request, said)
    except (OperationalError, InterfaceError):
        return try_later(request)


def _unsubscribe(request: HttpRequest, said: links.Unsubscribe) -> HttpResponse:
    done = request.method == "POST"
    if done:
        one_click = request.POST.get("List-Unsubscribe") == "One-Click"
        operations.unsubscribe(
            customer_id=said.customer_id,
            message_id=said.message_id,
            channel=said.channel,
            purpose=said.purpose,
            source="one_click" if one_click else "unsubscribe_page",
            user_agent=user_agent(request),
            now=clock.now(),
        )
    reader = queries.reader(said.customer_id, said.message_id)
    with translation.override(language_of(reader)):
        context = {
            "done": done,
            "service": said.purpose == "service",
            "channel": channel_name(said.channel),
            "address": reader.addresses.get(said.channel, "") if reader else "",
            "sender": reader.sender if reader else "",
            "preferences": f"/p/{links.preferences_token(said.customer_id, said.message_id)}" if reader else "",
        }
        return page(request, "unsubscribe.html", context)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show the button of a double opt-in (GET), and confirm when it is pressed (POST): a scanner presses no buttons."""
    try:
        request_id = links.read_confirm(token)
    except BadToken:
        return not_found(request)
    try:
        return _confirm(request, request_id)
    except (OperationalError, InterfaceError):
        return try_later(request)


def _confirm(request: HttpRequest, request_id: UUID) -> HttpResponse:
    now = clock.now()
    if request.method == "POST":
        agent = user_agent(request) or None
        found = operations.confirm(request_id, ip=client_address(request), user_agent=agent, now=now)
    else:
        found = consent_optin.standing(request_id, now=now)
    if found.request is None:
        return not_found(request)
    done = found.state == consent_optin.ALREADY or (request.method == "POST" and found.state == consent_optin.CONFIRMED)
    asked = found.request
    reader = queries.reader(asked.customer_id, asked.message_id or 0)
    # Preferences are offered only to whom the address is proven.
    token = links.preferences_token(asked.customer_id) if done else ""
    with translation.override(language_of(reader)):
        context = {
            "state": "done" if done else found.state,
            "address": queries.masked(asked.address),
            "text": asked.text,
            "sender": reader.sender if reader else "",
            "preferences": f"/p/{token}" if token else "",
        }
        return page(request, "confirm.html", context, status=200 if done or found.state == "confirmed" else 410)


def channel_names() -> dict[str, str]:
    """The channels that reach a person, as the pages name them."""
    return {
        "email": _("Email"),
        "sms": _("Text message (SMS)"),
        "whatsapp": _("WhatsApp"),
        "telegram": _("Telegram"),
        "push": _("Push notification"),
        "letter": _("Letter"),
    }


def channel_name(channel: str) -> str:
    return channel_names().get(channel, channel)


def language_of(reader: queries.Reader | None) -> str:
    """The person's language if the pages speak it, else the one their browser asks for."""
    wanted = (reader.locale or "").split("-")[0].lower() if reader else ""
    return wanted if wanted in dict(settings.LANGUAGES) else translation.get_language() or settings.LANGUAGE_CODE
