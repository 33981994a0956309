"""The pages where people say what they want to get: unsubscribe and preferences, in their language, without scripts.

A GET only shows. A POST acts at once: the token is the permission, so there is no login, no cookie and no CSRF token
(which mail programs that send the one-click POST of RFC 8058 could not have).
"""

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
from loyalty.kit import clock
from loyalty.kit.tokens import BadToken

TRACKING = ("email", "tracking")


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
    with translation.override(_language(reader)):
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
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the person gets, per channel, and save what they choose."""
    try:
        said = links.read_preferences(token)
    except BadToken:
        return not_found(request)
    try:
        return _preferences(request, said)
    except (OperationalError, InterfaceError):
        return try_later(request)


def _preferences(request: HttpRequest, said: links.Preferences) -> HttpResponse:
    reader = queries.reader(said.customer_id, said.message_id)
    if reader is None:
        return not_found(request)
    decided = queries.choices(reader.customer_id)
    channels = _channels(reader, decided)
    saved = request.method == "POST"
    if saved:
        offered = [(channel, "marketing") for channel in channels] + [TRACKING]
        nothing = "nothing" in request.POST
        operations.save_preferences(
            customer_id=reader.customer_id,
            message_id=said.message_id,
            wanted={key: not nothing and ".".join(key) in request.POST for key in offered},
            source="preference_page",
            now=clock.now(),
        )
        decided = queries.choices(reader.customer_id)
    granted = {key for key, status in decided.items() if status == "granted"}
    with translation.override(_language(reader)):
        rows = [
            {
                "field": f"{channel}.marketing",
                "label": channel_name(channel),
                "hint": reader.addresses.get(channel, ""),
                "on": (channel, "marketing") in granted,
            }
            for channel in channels
        ]
        context = {
            "saved": saved,
            "rows": rows,
            "tracking": TRACKING in granted,
            "sender": reader.sender,
        }
        return page(request, "preferences.html", context)


def _channels(reader: queries.Reader, decided: dict[tuple[str, str], str]) -> list[str]:
    """The channels that make sense for this person: those with an address, and those they decided on before."""
    known = reader.addresses.keys() | {channel for channel, purpose in decided if purpose == "marketing"}
    return [channel for channel in channel_names() if channel in known]


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


def _language(reader: queries.Reader | None) -> str:
    """The person's language if the pages speak it, else the one their browser asks for."""
    wanted = (reader.locale or "").split("-")[0].lower() if reader else ""
    return wanted if wanted in dict(settings.LANGUAGES) else translation.get_language() or settings.LANGUAGE_CODE
