"""What a person chose and when, in sentences of the active language: the reader's own history."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns.tracking.pages import channel_name
from loyalty.consent import choices, queries, topics
from loyalty.kit.admin import localized

SHOWN = 50


def told(customer_id: int) -> list[dict[str, str]]:
    """Day and sentence of what the person declared and chose, latest first, at most 50; three queries."""
    names = {topic.key: localized(topic.name, topic.key) for topic in topics.offered()}
    rows: list[tuple[datetime, str]] = [
        (entry["occurred_at"], _consent(entry)) for entry in queries.history(customer_id)
    ] + [(entry["occurred_at"], _choice(entry, names)) for entry in choices.history(customer_id)]
    return _rows(rows)


def chosen(customer_id: int) -> list[dict[str, str]]:
    """The same without consents."""
    names = {topic.key: localized(topic.name, topic.key) for topic in topics.offered()}
    return _rows([(entry["occurred_at"], _choice(entry, names)) for entry in choices.history(customer_id)])


def _rows(rows: list[tuple[datetime, str]]) -> list[dict[str, str]]:
    rows.sort(key=lambda row: row[0], reverse=True)
    return [{"at": date_format(localtime(at), "DATETIME_FORMAT"), "said": said} for at, said in rows[:SHOWN]]


def _consent(entry: dict[str, Any]) -> str:
    subject = {
        "marketing": _("Offers and news by %(channel)s") % {"channel": channel_name(entry["channel"])},
        "service": _("Service messages by %(channel)s") % {"channel": channel_name(entry["channel"])},
        "tracking": _("Measuring of opens and clicks"),
        "profiling": _("Offers that fit your purchases"),
    }[entry["purpose"]]
    if entry["status"] == "granted":
        return _("%(subject)s: allowed") % {"subject": subject}
    return _("%(subject)s: not allowed") % {"subject": subject}


def _choice(entry: dict[str, Any], names: dict[str, str]) -> str:
    value = entry["value"]
    if entry["kind"] == "topic":
        name = names.get(entry["topic"], entry["topic"])
        return (_("Topic %(name)s: on") if value else _("Topic %(name)s: off")) % {"name": name}
    if entry["kind"] == "pause":
        until = parse_datetime(value["until"]) if value else None
        if until is None:
            return _("Pause ended")
        return _("Pause until %(day)s") % {"day": date_format(localtime(until), "DATE_FORMAT")}
    if not value:
        return _("No limit to how often")
    said = {"n": value["at_most"]}
    return _("At most %(n)s a week") % said if value["per"] == "week" else _("At most %(n)s a month") % said
