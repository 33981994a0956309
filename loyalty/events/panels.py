"""A person's timeline in the admin: the newest on the customer's page, all of it with every filter on a page of its
own."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from loyalty.customers.models import Customer
from loyalty.events import queries, wording
from loyalty.events.models import EventType
from loyalty.events.names import FACTS
from loyalty.kit.admin import admin_page, page
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problems

PANEL = 25
PAGE = 100
SHOWN_PROPERTIES = 6
# Received that much after it happened is worth a word.
LATE = timedelta(hours=1)


def properties_in_words(
    properties: dict[str, Any], *, told: frozenset[str] = frozenset(), most: int = SHOWN_PROPERTIES
) -> list[tuple[str, str]]:
    """The first properties that the sentence did not tell, as pairs of texts, for one line."""
    rest = [(key, value) for key, value in properties.items() if key not in told]
    pairs = [(key, _plain(value)) for key, value in rest[:most]]
    more = len(rest) - len(pairs)
    return [*pairs, ("…", f"+{more}")] if more > 0 else pairs


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, int | float):
        return number_format(value)
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the filters need of the catalog: titles by name, in the order of the groups."""

    titles: dict[str, dict[str, str]]

    @classmethod
    def read(cls) -> "Catalog":
        return cls(dict(EventType.objects.order_by("internal", "name").values_list("name", "title")))

    def choices(self) -> list[Any]:
        """The types as the choices of a field, in groups."""
        groups: dict[str, list[tuple[str, str]]] = {key: [] for key in wording.GROUPS}
        for name, title in self.titles.items():
            groups[wording.group_of(name)].append((name, wording.title_of(name, title)))
        filled = [(str(wording.GROUPS[key]), rows) for key, rows in groups.items() if rows]
        return [("", gettext("all")), *filled]


class PeriodForm(forms.Form):
    """Which kind of event, and when."""

    event = forms.ChoiceField(label=_("Event"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("day", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("day", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, catalog: Catalog, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        event: Any = self.fields["event"]
        event.choices = catalog.choices()


class TimelineForm(PeriodForm):
    """Every filter of the whole page."""

    group = forms.ChoiceField(label=_("Kind"), required=False)
    channel = forms.ChoiceField(label=_("Channel"), required=False)
    text = forms.CharField(label=_("Text in name or properties"), required=False, max_length=100)
    field_order = ("group", "event", "channel", "since", "until", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["group"].choices = [("", gettext("all")), *wording.GROUPS.items()]
        fields["channel"].choices = [("", gettext("all")), *wording.channels()]


@customer_panel(90, permission="events.view_event")
def timeline(request: HttpRequest, customer_id: int) -> Panel:
    """What happened to the customer, newest first, by day."""
    whole = reverse("admin:events_timeline", args=[customer_id])
    context = _timeline(request, customer_id, PeriodForm, limit=PANEL, anchor="#timeline")
    return Panel("admin/events/timeline.html", context | {"whole_url": whole}, wide=True)


@admin_page("events/timeline/<int:customer_id>/", name="events_timeline", permission="events.view_event")
def timeline_page(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """All that happened to one customer, with every filter."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Http404
    context = _timeline(request, customer_id, TimelineForm, limit=PAGE)
    title = gettext("Timeline of %(customer)s") % {"customer": customer}
    back = reverse("admin:customers_customer_change", args=[customer_id])
    return page(request, "admin/events/timeline_page.html", context | {"title": title, "back": back})


def _timeline(
    request: HttpRequest, customer_id: int, shape: type[PeriodForm], *, limit: int, anchor: str = ""
) -> dict[str, Any]:
    catalog = Catalog.read()
    form = shape(request.GET or None, auto_id="timeline_%s", catalog=catalog)
    wanted: dict[str, Any] = {}
    if form.is_bound:
        form.is_valid()
        wanted = form.cleaned_data
    names: list[str] | None = [wanted["event"]] if wanted.get("event") else None
    if wanted.get("group"):
        of_group = wording.names_in({wanted["group"]}, catalog.titles)
        names = [name for name in names if name in of_group] if names else of_group
    asked: dict[str, Any] = {
        "names": names,
        "since": _midnight(wanted.get("since")),
        "until": _midnight(wanted.get("until"), days=1),
        "channel": wanted.get("channel") or "",
        "text": wanted.get("text") or "",
        "limit": limit,
    }
    after = request.GET.get("after") or None
    try:
        found = queries.timeline(customer_id, after=after, **asked)
    except Problems:
        after = None
        found = queries.timeline(customer_id, **asked)
    kept = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    return {
        "rows": _rows(found.events, catalog),
        "form": form,
        "filtered": bool(kept),
        "anchor": anchor,
        "next_url": f"?{urlencode({**kept, 'after': found.next})}{anchor}" if found.next else "",
        "first_url": f"?{urlencode(kept)}{anchor}" if after else "",
    }


def _rows(events: list[queries.TimelineEvent], catalog: Catalog) -> list[dict[str, Any]]:
    about = wording.subjects((event.name, event.ref) for event in events)
    rows = []
    for event in events:
        subject = about.get((FACTS.get(event.name, ""), event.ref or 0))
        told = wording.words(event.name, event.properties, title=catalog.titles.get(event.name), about=subject)
        delay = event.received_at - event.occurred_at
        rows.append(
            {
                "at": (at := timezone.localtime(event.occurred_at)),
                "day": at.date(),
                "words": told,
                "group": wording.GROUPS[told.group],
                "internal": event.name in FACTS,
                "late": wording.late(delay.total_seconds()) if delay >= LATE else "",
                "received": timezone.localtime(event.received_at),
                "properties": properties_in_words(event.properties, told=told.told),
            }
        )
    return rows


def _midnight(day: Any, *, days: int = 0) -> datetime | None:
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time())) if day else None
