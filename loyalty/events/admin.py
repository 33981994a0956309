"""Events in the admin: the catalog with its schemas, how late events come and who waits, what goes when, websites."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.events import arrivals, catalog, queries, retention, websites, wording
from loyalty.events.columns import columns
from loyalty.events.models import EventProperty, EventType, Website
from loyalty.events.names import FACTS
from loyalty.events.panels import properties_in_words
from loyalty.events.schemas import Schema, read_schema
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems

NEWEST = 25
COUNTED_DAYS = 7
# What has waited longer than this is worth a look.
LATE = timedelta(minutes=1)
STUCK = timedelta(minutes=10)
LAG_HOURS = 48
# How the buckets of lateness are drawn: up to the bound of seconds, with its words.
LATENESS = ((10, _("within 10 s")), (300, _("within 5 min")), (86_400, _("within a day")), (None, _("later")))


def queue_state(instant: datetime) -> list[dict[str, Any]]:
    """Each consumer of events with what waits for it, and how that looks."""
    rows = []
    for lag in queries.lag():
        age = instant - lag.oldest_received_at if lag.oldest_received_at else None
        health = "good" if age is None or age < LATE else "warn" if age < STUCK else "bad"
        rows.append({"consumer": lag.consumer, "waiting": lag.waiting, "oldest": lag.oldest_received_at, "tag": health})
    return rows


class RetentionForm(forms.Form):
    """How long events of a type are kept."""

    retention = forms.CharField(
        label=_("Keep for"),
        required=False,
        max_length=40,
        help_text=_("Such as 400d, 24 months or 3 years. Empty: as long as the installation keeps everything else."),
    )


def _lock(event_type: EventType, data: dict[str, Any]) -> str:
    schema = catalog.lock(event_type.pk)
    return gettext("Locked. Events whose %(properties)s is missing or of another type are refused from now on.") % {
        "properties": ", ".join(schema)
    }


def _unlock(event_type: EventType, data: dict[str, Any]) -> str:
    catalog.unlock(event_type.pk)
    return gettext("Unlocked. Events are taken whatever their properties are.")


def _keep_for(event_type: EventType, data: dict[str, Any]) -> str:
    period = catalog.keep_for(event_type.pk, data["retention"])
    if period is None:
        return gettext("This type has no retention of its own any more.")
    return gettext("Events of this type are kept for %(period)s. What is older goes month by month.") % {
        "period": period
    }


@admin.register(EventType)
class EventTypeAdmin(ReadOnlyAdmin):
    panel_template = "admin/events/type.html"
    acts = {
        "lock": Act(
            _("Lock the schema"),
            _(
                "What is declared, or else what the newest events had, is enforced from now on: an event that lacks a "
                "required property or brings another type is refused with the reason. Unknown properties are kept."
            ),
            _lock,
            allowed=lambda one: not one.locked and one.name not in FACTS,
        ),
        "unlock": Act(
            _("Unlock the schema"),
            _("Events of this type are taken whatever their properties are. The schema stays written down."),
            _unlock,
            allowed=lambda one: one.locked,
        ),
        "retention": Act(
            _("Change retention"),
            _("What is older than this is removed for good, month by month. A shorter time cannot be taken back."),
            _keep_for,
            form=RetentionForm,
            danger=True,
        ),
    }

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The catalog in figures and the queue, instead of a bare list of names."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        instant = now()
        types = queries.type_counts(since=instant - timedelta(days=COUNTED_DAYS), until=instant + timedelta(minutes=5))
        last = queries.last_seen()
        decided = {one.pk: one for one in EventType.objects.all()}
        rows = [
            (
                one,
                {
                    "type": one,
                    "name": wording.title_of(one.name, decided[one.id].title),
                    "last": last.get(one.id),
                    "fact": wording.title_of(one.name, decided[one.id].title) != one.name,
                    "decided": decided[one.id],
                },
            )
            for one in types
        ]
        context = {
            "opts": self.opts,
            "title": gettext("Events"),
            "outside": [row for one, row in rows if not one.internal],
            "facts": [row for one, row in rows if one.internal],
            "queue": queue_state(instant),
            "days": COUNTED_DAYS,
            "may_see_websites": request.user.has_perm("events.view_website"),
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
            for event in queries.newest(obj.pk, limit=NEWEST)
        ]
        may_look = request.user.has_perm("events.view_event")
        return {
            "title": wording.title_of(obj.name, obj.title),
            "description": localized(obj.description, ""),
            "group": wording.GROUPS[wording.group_of(obj.name)],
            "properties": property_rows(obj),
            "fact": obj.name in FACTS,
            "events": events if may_look else [],
            "may_look": may_look,
        }


def property_rows(event_type: EventType) -> list[dict[str, Any]]:
    """Every property that was seen or is declared, with the share of the newest events that had it."""
    declared: Schema = read_schema(event_type.properties)[0]
    seen: dict[str, dict[str, int]] = {}
    rows = EventProperty.objects.filter(type_id=event_type.pk).order_by("-seen", "shape")
    for key, shape, count in rows.values_list("key", "shape", "seen"):
        seen.setdefault(key, {})[shape] = count
    found = []
    for key in sorted(seen.keys() | declared.keys()):
        shapes = seen.get(key, {})
        count = min(sum(shapes.values()), event_type.sampled)
        found.append(
            {
                "key": key,
                "shapes": list(shapes),
                "mixed": len([one for one in shapes.values() if one]) > 1,
                "seen": count,
                "share": round(100 * count / event_type.sampled) if event_type.sampled else None,
                "declared": declared.get(key),
            }
        )
    return found


@admin_page("events/lag/", name="events_lag", permission="events.view_eventtype")
def lag_page(request: HttpRequest) -> HttpResponseBase:
    """Who waits for events, and how late events themselves come."""
    instant = now()
    first = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=LAG_HOURS - 1)
    came = {hour.hour: hour.buckets for hour in arrivals.hours(since=first, until=first + timedelta(hours=LAG_HOURS))}
    hours = [first + timedelta(hours=number) for number in range(LAG_HOURS)]
    empty = (0,) * (len(arrivals.BOUNDS) + 1)
    drawn = [[0] * LAG_HOURS for _part in LATENESS]
    for place, hour in enumerate(hours):
        for number, count in enumerate(came.get(hour, empty)):
            drawn[_part_of(number)][place] += count
    total = [sum(buckets) for buckets in zip(*came.values(), strict=True)] if came else list(empty)
    labels = [date_format(timezone.localtime(hour), "D H:i") for hour in hours]
    series = [(str(name), values) for (_bound, name), values in zip(LATENESS, drawn, strict=True)]
    context = {
        "title": gettext("Events on their way"),
        "queue": queue_state(instant),
        "chart": columns(labels, series),
        "series": [(name, sum(values)) for name, values in series],
        "figures": [(share, _bound_in_words(total, share / 100)) for share in (50, 95, 99)],
        "received": sum(total),
        "hours": LAG_HOURS,
        "rows": [
            {"hour": label, "values": [values[place] for _name, values in series]}
            for place, label in enumerate(labels)
            if any(values[place] for _name, values in series)
        ],
    }
    return page(request, "admin/events/lag.html", context)


def _part_of(bucket: int) -> int:
    bound = arrivals.BOUNDS[bucket] if bucket < len(arrivals.BOUNDS) else None
    for part, (most, _name) in enumerate(LATENESS):
        if most is None or (bound is not None and bound <= most):
            return part
    return len(LATENESS) - 1


def _bound_in_words(buckets: list[int], share: float) -> str:
    if not sum(buckets):
        return "–"
    seconds = arrivals.percentile(buckets, share)
    if seconds is None:
        return gettext("over %(time)s") % {"time": wording.late(arrivals.BOUNDS[-1])}
    return gettext("within %(time)s") % {"time": wording.late(seconds)}


@admin_page("events/retention/", name="events_retention", permission="events.view_eventtype")
def retention_page(request: HttpRequest) -> HttpResponseBase:
    """What goes when, what is held, what has gone."""
    instant = now()
    held = retention.hold()
    memory = retention.memory()
    rows = [
        {"one": one, "name": wording.title_of(one.name, one.title)}
        for one in retention.outlook(now=instant)
        if one.oldest is not None or one.own
    ]
    gone = [
        {
            "at": one.at,
            "month": one.month,
            "kept": one.kept,
            "removed": [(wording.title_of(name), count) for name, count in sorted(one.removed.items())],
        }
        for one in retention.removals()
    ]
    context = {
        "title": gettext("How long events are kept"),
        "rows": rows,
        "gone": gone,
        "now": instant,
        "hold": held,
        "hold_all": str(settings.LEGAL_HOLD).strip() == "all",
        "memory": str(memory) if memory else "",
    }
    return page(request, "admin/events/retention.html", context)


class WebsiteForm(forms.Form):
    """A website whose pages may send events."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What your colleagues call the site."))
    origins = forms.CharField(
        label=_("Addresses"),
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "https://shop.example"}),
        help_text=_("One per line, as browsers write them: scheme and host. Others are refused."),
    )
    events = forms.CharField(
        label=_("Events it may send"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One name per line. Leave purchases out: a browser can claim anything, the shop's server cannot."),
    )
    active = forms.BooleanField(label=_("Active"), required=False, help_text=_("Off: whatever it sends is refused."))


def _renew(site: Website, data: dict[str, Any]) -> str:
    websites.renew_secret(site.pk, now=now())
    return gettext("The site has a new secret. Tokens signed with the old one are refused.")


@admin.register(Website)
class WebsiteAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "origins_shown", "key", "updated_at")
    ordering = ("name",)
    empty_text = _("Websites send what visitors look at, after they consented. Add one to get its script.")
    panel_template = "admin/events/website.html"
    acts = {
        "renew": Act(
            _("Renew the secret"),
            _("Until your shop's server signs with the new secret, visitors who log in are not recognized."),
            _renew,
            danger=True,
        )
    }

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("events.add_website"))

    @display(description=_("state"), label={"on": "success", "off": "warning"})
    def state(self, site: Website) -> tuple[str, str]:
        return ("on", gettext("active")) if site.active else ("off", gettext("off"))

    @display(description=_("addresses"))
    def origins_shown(self, site: Website) -> str:
        return ", ".join(site.origins)

    def panels(self, request: HttpRequest, obj: Website) -> dict[str, Any]:
        may_change = request.user.has_perm("events.change_website")
        return {
            "title": obj.name,
            "public_url": settings.PUBLIC_URL,
            "secret": websites.secret_of(obj) if may_change else "",
            "edit_url": reverse("admin:events_website_edit", args=[obj.pk]) if may_change else "",
        }

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        """Ask and make it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return edit_website(request, None)


@admin_page("events/website/<int:website_id>/edit/", name="events_website_edit", permission="events.change_website")
def change_website(request: HttpRequest, website_id: int) -> HttpResponseBase:
    """Change an existing website."""
    site = Website.objects.filter(pk=website_id).first()
    if site is None:
        raise Http404
    return edit_website(request, site)


def edit_website(request: HttpRequest, site: Website | None) -> HttpResponseBase:
    """The form for a new or an existing website."""
    given = {
        "name": site.name if site else "",
        "origins": "\n".join(site.origins if site else ()),
        "events": "\n".join(site.events if site else websites.USUAL_EVENTS),
        "active": site.active if site else True,
    }
    form = WebsiteForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            saved = websites.save(
                site,
                name=data["name"],
                origins=data["origins"].split(),
                events=data["events"].split(),
                active=data["active"],
                now=now(),
            )
            return HttpResponseRedirect(reverse("admin:events_website_change", args=[saved.pk]))
        except Problems as refused:
            for problem in refused.problems:
                form.add_error(problem.where if problem.where in form.fields else None, str(problem))
    title = gettext("Change the website") if site else gettext("New website")
    back = (
        reverse("admin:events_website_change", args=[site.pk]) if site else reverse("admin:events_website_changelist")
    )
    return page(request, "admin/events/website_form.html", {"title": title, "form": form, "back": back})
