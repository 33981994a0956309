"""Operations in the admin: what the chores and queues are doing (reading only), and the mails that the sink kept."""

import os
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import redis
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext

from loyalty.kit.admin import ReadOnlyAdmin, admin_page, page
from loyalty.kit.chores import QUEUES, Chore, all_chores
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch
from loyalty.local.health import COUNTED
from loyalty.local.mailbox import Entry, Mailbox
from loyalty.local.models import ChoreState

PAGE = 50
BROKER_TIMEOUT = 0.5
# A chore may be this many of its own intervals late before it is worth a look, and before something is wrong.
LATE, DEAD = 3, 10
SLACK = 30.0
# What a framed mail may do: be looked at. No scripts, no forms, nothing from elsewhere, no way out of its frame.
MAIL_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"


@admin_page("local/operations/", name="local_operations", permission="local.view_chorestate")
def operations(request: HttpRequest) -> TemplateResponse:
    """Chores, broker queues, waiting events and messages."""
    waiting, broker_problem = _broker_queues()
    context = {
        "title": gettext("Queues and chores"),
        "chores": _chores(now()),
        "broker": waiting,
        "broker_problem": broker_problem,
        "consumers": _if_there(
            "event_queue",
            "SELECT consumer, count(*) FROM (SELECT consumer FROM event_queue LIMIT %(most)s) q GROUP BY 1 ORDER BY 1",
        ),
        "planned": _planned(),
        "most": COUNTED,
        "in_doubt_url": reverse("admin:local_in_doubt"),
    }
    return page(request, "admin/local/operations.html", context)


@admin_page("local/operations/in-doubt/", name="local_in_doubt", permission="local.view_chorestate")
def in_doubt(request: HttpRequest) -> TemplateResponse:
    """The number of messages in doubt, fetched by the page after it is shown: it takes a scan of all messages."""
    rows = _if_there("message", "SELECT count(*) FROM message WHERE state = 5")
    return TemplateResponse(request, "admin/local/in_doubt.html", {"count": rows[0][0] if rows else 0})


def _chores(instant: datetime) -> list[dict[str, Any]]:
    states = {state.key: state for state in ChoreState.objects.all()}
    return [_chore(item, states.get(item.key), instant) for item in all_chores()]


def _chore(item: Chore, state: ChoreState | None, instant: datetime) -> dict[str, Any]:
    """A chore as a row: how long ago it last ended, and how that looks beside its interval."""
    ended = state.last_finished_at if state else None
    age = (instant - ended).total_seconds() if ended else None
    if age is None:
        tag = "warn"
    elif age > item.every * DEAD + SLACK:
        tag = "bad"
    else:
        tag = "warn" if age > item.every * LATE + SLACK else "good"
    return {"chore": item, "state": state, "ended": ended, "tag": tag}


def _broker_queues() -> tuple[list[tuple[str, int]], str]:
    """How many ticks and hints wait in each queue of the broker; or what is wrong with it."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT, socket_connect_timeout=BROKER_TIMEOUT, retry=None
    )
    try:
        with client, client.pipeline(transaction=False) as pipeline:
            for name in QUEUES:
                pipeline.llen(name)
            return list(zip(QUEUES, pipeline.execute(), strict=True)), ""
    except redis.RedisError as error:
        return [], type(error).__name__


def _planned() -> list[dict[str, Any]]:
    """Messages whose time has come, those for later and those under way."""
    rows = _if_there(
        "message",
        "SELECT (SELECT count(*) FROM (SELECT FROM message WHERE state = 0 AND due_at <= clock_timestamp()"
        " LIMIT %(most)s) m), (SELECT count(*) FROM (SELECT FROM message WHERE state = 0 AND due_at > clock_timestamp()"
        " LIMIT %(most)s) m), (SELECT count(*) FROM message WHERE state IN (1, 2))",
    )
    names = (gettext("due now"), gettext("planned for later"), gettext("being sent"))
    return [{"name": name, "count": count} for name, count in zip(names, rows[0], strict=True)] if rows else []


def _if_there(table: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of the query, none when a package above has not brought its table."""
    if not fetch("SELECT to_regclass(%(table)s) IS NOT NULL", {"table": table})[0][0]:
        return []
    return fetch(query, {"most": COUNTED})


@admin.register(ChoreState)
class ChoreStateAdmin(ReadOnlyAdmin):
    list_display = ("key", "last_finished_at", "last_done", "last_ms", "runs", "failures")
    search_fields = ("key",)
    fields = ("key", "last_started_at", "last_finished_at", "last_done", "last_ms", "runs", "failures", "last_error")


@admin_page("local/mailbox/", name="local_mailbox", permission="local.view_mailbox")
def mailbox(request: HttpRequest) -> TemplateResponse:
    """The newest mails of the sink, or those to a recipient."""
    wanted = request.GET.get("to", "").strip()
    before = request.GET.get("before", "")
    cursor = int(before) if before.isdecimal() and len(before) < 19 else None
    box = _box()
    entries: list[Entry] = []
    if box:
        find = {"limit": PAGE, "before": cursor}
        entries = box.to(wanted, **find) if wanted else box.newest(**find)  # type: ignore[arg-type]
    context = {
        "title": gettext("Mailbox"),
        "there_is_one": box is not None,
        "address": settings.SINK_SMTP,
        "entries": [(entry, datetime.fromisoformat(entry.at)) for entry in entries],
        "count": box.count() if box else 0,
        "wanted": wanted,
        "first": cursor is None,
        "next": entries[-1].n if len(entries) == PAGE else None,
    }
    return page(request, "admin/local/mailbox.html", context)


@admin_page("local/mailbox/<int:number>/", name="local_mail", permission="local.view_mailbox")
def mail(request: HttpRequest, number: int) -> TemplateResponse:
    """One mail: headers, text, and its HTML in a frame that can do nothing."""
    read = _read(number)
    links = _Links()
    links.feed(read.html)
    context = {
        "title": read.entry.subject or gettext("(no subject)"),
        "mail": read,
        "at": datetime.fromisoformat(read.entry.at),
        "links": list(dict.fromkeys(links.found)),
        "newest": (box := _box()) and box.count(),
    }
    return page(request, "admin/local/mail.html", context)


@admin_page("local/mailbox/<int:number>/html/", name="local_mail_html", permission="local.view_mailbox")
def mail_html(request: HttpRequest, number: int) -> HttpResponseBase:
    """The HTML of a mail for its frame; strangers wrote it, so the policy lets it do nothing."""
    answer = HttpResponse(_read(number).html)
    answer["Content-Security-Policy"] = MAIL_POLICY
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@admin_page("local/mailbox/<int:number>/raw/", name="local_mail_raw", permission="local.view_mailbox")
def mail_raw(request: HttpRequest, number: int) -> HttpResponseBase:
    """The mail as it came, as a file."""
    answer = HttpResponse(_read(number).raw, content_type="message/rfc822")
    answer["Content-Disposition"] = f'attachment; filename="mail-{number}.eml"'
    return answer


def _box() -> Mailbox | None:
    return Mailbox(settings.SINK_DIR) if settings.SINK_DIR and os.path.isdir(settings.SINK_DIR) else None


def _read(number: int) -> Any:
    box = _box()
    try:
        if box is None:
            raise KeyError(number)
        return box.read(number)
    except (KeyError, OSError):
        raise Http404 from None


class _Links(HTMLParser):
    """The web addresses that a mail links to, in order; the frame itself follows none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href") if tag == "a" else None
        if address and address.startswith(("http://", "https://")):
            self.found.append(address)
