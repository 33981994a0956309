"""The first page of the admin: what stands, what happens, what needs somebody. Each part only for those who may see
it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext, ngettext

from campaigns.channels.models import Sender
from campaigns.content.models import Template
from campaigns.flows.models import Flow
from campaigns.planning.models import Goal
from campaigns.reports import overview, program, queries
from campaigns.reports.credit import today
from campaigns.reports.kept import kept
from loyalty.kit.admin import localized
from loyalty.kit.charts import Series, sparkline
from loyalty.kit.chores import all_chores
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch

DAYS = 30
WEEK = 7
# A chore is late after this many of its intervals, and after this long in any case.
LATE_INTERVALS, LATE_SECONDS = 10, 120.0


@dataclass(frozen=True, slots=True)
class Card:
    """A figure with its words; `tag` colors it, `url` is where it leads."""

    figure: str
    label: str
    url: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something to mend or to begin with; `level` is bad, warn or good."""

    level: str
    text: str
    url: str = ""
    link: str = ""


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """The context of the page. The number of queries depends on nothing but the user's permissions."""
    may = request.user.has_perm
    cards: list[Card] = []
    hints: list[Hint] = []
    context: dict[str, Any] = {"cards": cards, "hints": hints, "period": DAYS, "charts": []}
    context |= {"flows": None, "programs": None}
    if may("customers.view_customer"):
        cards += _people()
    if may("flows.view_flow"):
        context["flows"] = overview.running_flows(now=now())
        for row in context["flows"]:
            row["name"] = localized(row["flow"].name, row["flow"].key)
        running = sum(row["flow"].state == Flow.State.RUNNING for row in context["flows"])
        more = "+" if len(context["flows"]) == overview.FLOWS else ""
        url = reverse("admin:flows_flow_changelist") + "?state__exact=running"
        cards.append(Card(f"{running}{more}", gettext("running flows"), url))
    if may("delivery.view_message"):
        series = _series()
        context |= series["context"]
        cards += series["cards"]
        cards += _outbox(hints)
    if may("program.view_program"):
        context["programs"] = program.programs(days=DAYS, now=now())
    hints += _waiting(request)
    if may("local.view_chorestate"):
        hints += _chores()
    hints += _beginnings(request)
    return context


def _people() -> list[Card]:
    found = kept("people", overview.people).value
    about = gettext("about") + " " if found.about else ""
    url = reverse("admin:customers_customer_changelist")
    return [
        Card(about + _number(_rounded(found.customers, found.about)), gettext("customers"), url),
        Card(about + _number(_rounded(found.reachable, found.about)), gettext("reachable by email")),
    ]


def _rounded(number: int, about: bool) -> int:
    """An estimate with three figures that mean something."""
    if not about:
        return number
    step = 10 ** max(len(str(number)) - 3, 0)
    return round(number / step) * step


def _series() -> dict[str, Any]:
    """Messages sent, clicks and conversions per day, and their sums of the past week."""
    last = today()
    first = last - timedelta(days=DAYS - 1)
    days = kept("days", lambda: queries.daily(first=first, last=last, zone=settings.TIME_ZONE), last).value
    labels = [date_format(day.day, "j. b" if _day_first() else "M j") for day in days]
    titles = {
        "sent": gettext("Messages sent"),
        "clicked": gettext("Links clicked"),
        "converted": gettext("Conversions"),
    }
    charts = [
        {
            "title": title,
            "total": sum(getattr(day, name) for day in days),
            "chart": sparkline(labels, Series(title, [getattr(day, name) for day in days]), number),
        }
        for number, (name, title) in enumerate(titles.items())
    ]
    week = days[-WEEK:]
    return {
        "context": {"charts": charts, "days": days, "any": any(one["total"] for one in charts)},
        "cards": [
            Card(
                _number(sum(day.sent for day in week)),
                gettext("sent in 7 days"),
                reverse("admin:delivery_message_changelist"),
            ),
            Card(
                _number(sum(day.converted for day in week)),
                gettext("conversions in 7 days"),
                reverse("admin:attribution_report"),
            ),
        ],
    }


def _day_first() -> bool:
    return not (get_language() or "en").startswith("en")


def _outbox(hints: list[Hint]) -> list[Card]:
    """The cards of what waits, and hints for what waits too long."""
    found = overview.outbox()
    messages = reverse("admin:delivery_message_changelist")
    doubt_url = f"{messages}?state__exact=5"
    if found.in_doubt:
        text = ngettext(
            "%(number)s message is in doubt: nobody knows whether it arrived. Decide what to do.",
            "%(number)s messages are in doubt: nobody knows whether they arrived. Decide what to do.",
            found.in_doubt,
        )
        hints.append(Hint("warn", text % {"number": _capped(found.in_doubt)}, doubt_url, gettext("Look at them")))
    for row in overview.held_up(now=now()):
        since = timesince(row["due_at"])
        place = f"{row['flow'] or '–'} / {row['step']}"
        sender_url = reverse("admin:channels_sender_change", args=[row["sender_id"]])
        if row["sender_state"] != Sender.State.ACTIVE:
            text = gettext("Sender %(sender)s is paused; messages of %(place)s have waited for %(since)s.")
        else:
            text = gettext("Messages of %(place)s have been due for %(since)s; sender %(sender)s does not take them.")
        hints.append(
            Hint(
                "warn",
                text % {"sender": row["sender"], "place": place, "since": since},
                sender_url,
                gettext("Look at the sender"),
            )
        )
    return [
        Card(_capped(found.waiting), gettext("waiting to be sent"), f"{messages}?state__exact=0"),
        Card(_capped(found.in_doubt), gettext("in doubt"), doubt_url, "warn" if found.in_doubt else ""),
    ]


def _waiting(request: HttpRequest) -> Iterable[Hint]:
    """What of the loyalty program waits for somebody."""
    may = request.user.has_perm
    found = program.waiting()
    if found.rewards and may("rewards.view_redemption"):
        text = ngettext(
            "%(number)s redeemed reward waits to be handed out.",
            "%(number)s redeemed rewards wait to be handed out.",
            found.rewards,
        ) % {"number": _capped(found.rewards, program.COUNTED)}
        yield Hint("warn", text, reverse("admin:rewards_board"), gettext("To the rewards"))
    if found.corrections and may("program.view_adjustment"):
        text = ngettext(
            "%(number)s correction of points waits for a second person.",
            "%(number)s corrections of points wait for a second person.",
            found.corrections,
        ) % {"number": _capped(found.corrections, program.COUNTED)}
        url = reverse("admin:program_adjustment_changelist") + "?state__exact=requested"
        yield Hint("warn", text, url, gettext("Look at them"))
    if found.reviews and may("program.view_review"):
        text = ngettext(
            "%(number)s member was faster than the program's limits allow.",
            "%(number)s members were faster than the program's limits allow.",
            found.reviews,
        ) % {"number": _capped(found.reviews, program.COUNTED)}
        url = reverse("admin:program_review_changelist") + "?state__exact=open"
        yield Hint("warn", text, url, gettext("Look at them"))


def _number(number: int) -> str:
    return str(number_format(number, force_grouping=True))


def _capped(number: int, most: int = overview.COUNTED) -> str:
    return _number(number) + ("+" if number >= most else "")


def _chores() -> Iterable[Hint]:
    """Whether the work is done at all, and what failed."""
    known = {
        key: (age, error)
        for key, age, error in fetch(
            "SELECT key, extract(epoch FROM clock_timestamp() - last_finished_at)::float8, last_error FROM chore_state"
        )
    }
    url, link = reverse("admin:local_operations"), gettext("Look at the chores")
    late, failed = [], []
    for chore in all_chores():
        age, error = known.get(chore.key, (None, None))
        if error:
            failed.append(chore.key)
        if age is None or age > max(LATE_INTERVALS * chore.every, LATE_SECONDS):
            late.append(chore.key)
    if late and len(late) == len(list(all_chores())):
        yield Hint("bad", gettext("Nobody does the work: start “manage.py up” or the workers."), url, link)
    elif late:
        text = ngettext(
            "%(number)d chore is late: %(names)s. Are the workers of its queue running?",
            "%(number)d chores are late: %(names)s. Are the workers of their queues running?",
            len(late),
        )
        yield Hint("warn", text % {"number": len(late), "names": ", ".join(late[:4])}, url, link)
    if failed:
        yield Hint("bad", gettext("These chores failed: %(names)s.") % {"names": ", ".join(failed[:4])}, url, link)


def _beginnings(request: HttpRequest) -> Iterable[Hint]:
    """What is missing before anything can be sent or measured."""
    may = request.user.has_perm
    steps = (
        (
            "channels.view_sender",
            Sender,
            gettext("There is no sender yet. Apply one with “kind: sender”."),
            "channels_sender",
        ),
        (
            "content.view_template",
            Template,
            gettext("There is no template yet. Apply one with “kind: template”."),
            "content_template",
        ),
        (
            "planning.view_goal",
            Goal,
            gettext("There is no goal yet, so no success is counted. Apply one with “kind: goal”."),
            "planning_goal",
        ),
    )
    for permission, model, text, name in steps:
        if may(permission) and not model.objects.exists():
            yield Hint("warn", text, reverse(f"admin:{name}_changelist"))
