"""The preference page: channels, topics, pause, how often, measuring, and what one chose before; without scripts.

A GET only shows; a POST saves what the form had. Only what the form showed is changed, so an old page in an open tab
switches nothing off that it did not know.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.delivery import links
from campaigns.tracking import operations, queries
from campaigns.tracking.answers import not_found, page, try_later
from campaigns.tracking.history import told
from campaigns.tracking.pages import channel_name, channel_names, language_of
from loyalty.consent import choices, existing, topics
from loyalty.consent.choices import Choices, Frequency
from loyalty.consent.models import Topic
from loyalty.kit import clock
from loyalty.kit.admin import localized
from loyalty.kit.tokens import BadToken

TRACKING = ("email", "tracking")
PROFILING = ("email", "profiling")
PAUSES = {"30": 30, "90": 90, "180": 180}
FREQUENCIES = (Frequency(2, "week"), Frequency(1, "week"), Frequency(2, "month"), Frequency(1, "month"))


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the person gets, and save what they choose."""
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
    now = clock.now()
    decided = queries.choices(reader.customer_id)
    held = choices.current(reader.customer_id)
    offered = [topic for topic in topics.offered() if _concerns(topic, reader, decided)]
    saved = request.method == "POST"
    if saved:
        nothing = "nothing" in request.POST
        keys = [(channel, "marketing") for channel in _channels(reader, decided)]
        keys += [TRACKING] + ([PROFILING] if PROFILING in decided else [])
        operations.save_page(
            customer_id=reader.customer_id,
            message_id=said.message_id,
            wanted={key: not nothing and ".".join(key) in request.POST for key in keys},
            chosen=held if nothing else _chosen(request, held, offered, now),
            objects=nothing,
            source="preference_page",
            now=now,
        )
        decided, held = queries.choices(reader.customer_id), choices.current(reader.customer_id)
    with translation.override(language_of(reader)):
        return page(request, "preferences.html", _context(reader, decided, held, offered, now) | {"saved": saved})


def _chosen(request: HttpRequest, held: Choices, offered: list[Topic], now: datetime) -> Choices:
    """What the form says; a field that it did not have leaves things as they are."""
    shown = set(request.POST.getlist("shown"))
    wanted = {topic.key: f"topic.{topic.key}" in request.POST for topic in offered if topic.key in shown}
    until, pause = held.paused_until, request.POST.get("pause", "keep")
    if pause in PAUSES:
        until = now + timedelta(days=PAUSES[pause])
    elif pause == "none":
        until = None
    frequency, often = held.frequency, request.POST.get("frequency", "keep")
    known = {_often(one): one for one in FREQUENCIES}
    if often == "any":
        frequency = None
    elif often in known:
        frequency = known[often]
    return Choices(wanted, until, frequency)


def _context(
    reader: queries.Reader, decided: dict[tuple[str, str], str], held: Choices, offered: list[Topic], now: datetime
) -> dict[str, Any]:
    granted = {key for key, status in decided.items() if status == "granted"}
    paused = held.paused_until if held.paused_until and held.paused_until > now else None
    based = any(basis["objected_at"] is None for basis in existing.bases_of(reader.customer_id))
    return {
        "rows": [
            {
                "field": f"{channel}.marketing",
                "label": channel_name(channel),
                "hint": reader.addresses.get(channel, ""),
                "on": (channel, "marketing") in granted,
            }
            for channel in _channels(reader, decided)
        ],
        "topics": [
            {
                "key": topic.key,
                "label": localized(topic.name, topic.key),
                "hint": localized(topic.description, ""),
                "on": held.topics.get(topic.key, True),
            }
            for topic in offered
        ],
        "paused": date_format(localtime(paused), "DATE_FORMAT") if paused else "",
        "pauses": [
            (key, ngettext("%(n)s day", "%(n)s days", days) % {"n": days} + f" – {_day(now, days)}")
            for key, days in PAUSES.items()
        ],
        "frequencies": _frequencies(held.frequency),
        "tracking": TRACKING in granted,
        "profiling": PROFILING in granted if PROFILING in decided else None,
        "based": existing.is_on() and based,
        "history": told(reader.customer_id),
        "sender": reader.sender,
    }


def _day(now: datetime, days: int) -> str:
    return _("until %(day)s") % {"day": date_format(localtime(now + timedelta(days=days)), "DATE_FORMAT")}


def _frequencies(held: Frequency | None) -> list[dict[str, Any]]:
    """The choices of how often; a wish that came another way stands among them."""
    known = [*FREQUENCIES, *([held] if held and held not in FREQUENCIES else [])]
    rows = [{"value": "any", "label": _("As often as it suits"), "on": held is None}]
    for one in known:
        if one.per == "week":
            label = ngettext("At most %(n)s a week", "At most %(n)s a week", one.at_most) % {"n": one.at_most}
        else:
            label = ngettext("At most %(n)s a month", "At most %(n)s a month", one.at_most) % {"n": one.at_most}
        rows.append({"value": _often(one) if one in FREQUENCIES else "keep", "label": label, "on": one == held})
    return rows


def _often(wish: Frequency) -> str:
    return f"{wish.per}.{wish.at_most}"


def _concerns(topic: Topic, reader: queries.Reader, decided: dict[tuple[str, str], str]) -> bool:
    """Whether the topic comes over a channel that reaches the person."""
    return not topic.channels or bool(set(topic.channels) & set(_channels(reader, decided)))


def _channels(reader: queries.Reader, decided: dict[tuple[str, str], str]) -> list[str]:
    """The channels that make sense for this person: those with an address, and those they decided on before."""
    known = reader.addresses.keys() | {channel for channel, purpose in decided if purpose == "marketing"}
    return [channel for channel in channel_names() if channel in known]
