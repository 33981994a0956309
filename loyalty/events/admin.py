"""Events in the admin: a customer's timeline, the catalog in figures, the state of the queue."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from loyalty.events import queries
from loyalty.events.models import EventType
from loyalty.kit.admin import ReadOnlyAdmin, page
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problems

PAGE = 25
COUNTED_DAYS = 7
# What has waited longer than this is worth a look.
LATE = timedelta(minutes=1)
STUCK = timedelta(minutes=10)
SHOWN_PROPERTIES = 6

FACT_NAMES = {
    "segment.joined": _("Joined a segment"),
    "segment.left": _("Left a segment"),
    "flow.entered": _("Entered a flow"),
    "flow.exited": _("Left a flow"),
    "message.sent": _("Message sent"),
    "message.failed": _("Message failed"),
    "message.delivered": _("Message delivered"),
    "message.bounced": _("Message bounced"),
    "message.complained": _("Reported as spam"),
    "message.opened": _("Message opened"),
    "message.clicked": _("Link clicked"),
    "message.unsubscribed": _("Unsubscribed"),
    "consent.granted": _("Consent granted"),
    "consent.withdrawn": _("Consent withdrawn"),
}


def event_name(name: str) -> str:
    """What people call a fact of the system; other events by their own name."""
    return str(FACT_NAMES.get(name, name))


def properties_in_words(properties: dict[str, Any]) -> list[tuple[str, str]]:
    """The first properties as pairs of texts, for one line."""
    pairs = [(key, _plain(value)) for key, value in list(properties.items())[:SHOWN_PROPERTIES]]
    more = len(properties) - len(pairs)
    return [*pairs, ("…", f"+{more}")] if more > 0 else pairs


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, int | float):
        return number_format(value)
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


class TimelineForm(forms.Form):
    """Which part of the timeline."""

    event = forms.ChoiceField(label=_("Event"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("day", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("day", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = EventType.objects.order_by("internal", "name").values_list("name", flat=True)
        event: Any = self.fields["event"]
        event.choices = [("", gettext("all")), *((name, event_name(name)) for name in names)]


@customer_panel(90, permission="events.view_event")
def timeline(request: HttpRequest, customer_id: int) -> Panel:
    """What happened to the customer, newest first, by day."""
    form = TimelineForm(request.GET or None, auto_id="timeline_%s")
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    after = request.GET.get("after") or None
    since, until = _midnight(wanted.get("since")), _midnight(wanted.get("until"), days=1)
    names = [wanted["event"]] if wanted.get("event") else []
    try:
        found = queries.timeline(customer_id, names=names, after=after, limit=PAGE, since=since, until=until)
    except Problems:
        found = queries.timeline(customer_id, names=names, limit=PAGE, since=since, until=until)
    rows = [
        {
            "at": (at := timezone.localtime(event.occurred_at)),
            "day": at.date(),
            "name": event_name(event.name),
            "internal": event.name in FACT_NAMES,
            "properties": properties_in_words(event.properties),
        }
        for event in found.events
    ]
    kept = {name: request.GET[name] for name in ("event", "since", "until") if request.GET.get(name)}
    context = {
        "rows": rows,
        "form": form,
        "filtered": bool(kept),
        "next_url": f"?{urlencode({**kept, 'after': found.next})}#timeline" if found.next else "",
        "first_url": f"?{urlencode(kept)}#timeline" if after else "",
    }
    return Panel("admin/events/timeline.html", context, wide=True)


def _midnight(day: Any, *, days: int = 0) -> datetime | None:
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time())) if day else None


def queue_state(instant: datetime) -> list[dict[str, Any]]:
    """Each consumer of events with what waits for it, and how that looks."""
    rows = []
    for lag in queries.lag():
        age = instant - lag.oldest_received_at if lag.oldest_received_at else None
        health = "good" if age is None or age < LATE else "warn" if age < STUCK else "bad"
        rows.append({"consumer": lag.consumer, "waiting": lag.waiting, "oldest": lag.oldest_received_at, "tag": health})
    return rows


@admin.register(EventType)
class EventTypeAdmin(ReadOnlyAdmin):
    panel_template = "admin/events/type.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The catalog in figures and the queue, instead of a bare list of names."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        instant = now()
        types = queries.type_counts(since=instant - timedelta(days=COUNTED_DAYS), until=instant + timedelta(minutes=5))
        last = queries.last_seen()
        rows = [
            (one, {"type": one, "name": event_name(one.name), "last": last.get(one.id), "fact": one.name in FACT_NAMES})
            for one in types
        ]
        context = {
            "opts": self.opts,
            "title": gettext("Events"),
            "outside": [row for one, row in rows if not one.internal],
            "facts": [row for one, row in rows if one.internal],
            "queue": queue_state(instant),
            "days": COUNTED_DAYS,
        }
        return page(request, "admin/events/overview.html", context)

    def panels(self, request: HttpRequest, obj: EventType) -> dict[str, Any]:
        events = [
            {
                "at": event.occurred_at,
                "customer": event.customer_id,
                "url": reverse("admin:customers_customer_change", args=[event.customer_id]),
                "properties": properties_in_words(event.properties or {}),
            }
            for event in queries.newest(obj.pk, limit=PAGE)
        ]
        may_look = request.user.has_perm("events.view_event")
        return {"title": event_name(obj.name), "events": events if may_look else [], "may_look": may_look}
