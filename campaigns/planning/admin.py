"""Campaigns and goals in the admin: what they say, and what the packages above make of them."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.planning.models import Campaign, Goal
from loyalty.kit.admin import ReadOnlyAdmin, localized
from loyalty.kit.object_panels import object_panels
from loyalty.kit.periods import Period

TOUCHES = {
    "message.sent": _("sent"),
    "message.delivered": _("delivered"),
    "message.opened": _("opened"),
    "message.clicked": _("clicked"),
    "message.unsubscribed": _("unsubscribed"),
    "message.bounced": _("bounced"),
    "message.complained": _("reported as spam"),
    "message.failed": _("failed"),
}


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "starts_on", "ends_on")
    list_display_links = ("title",)
    search_fields = ("key",)
    search_help_text = _("Key")
    ordering = ("key",)
    panel_template = "admin/planning/campaign.html"

    @display(description=_("name"), ordering="key")
    def title(self, campaign: Campaign) -> str:
        return localized(campaign.name, campaign.key)

    def panels(self, request: HttpRequest, obj: Campaign) -> dict[str, Any]:
        return {
            "title": localized(obj.name, obj.key),
            "period": _period(obj),
            "object_panels": object_panels(request, obj),
        }


@admin.register(Goal)
class GoalAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "event", "value_property", "window", "touched_by", "updated_at")
    list_display_links = ("title",)
    search_fields = ("key", "event")
    search_help_text = _("Key or event")
    ordering = ("key",)
    panel_template = "admin/planning/goal.html"

    @display(description=_("name"), ordering="key")
    def title(self, goal: Goal) -> str:
        return localized(goal.name, goal.key)

    @display(description=_("window"), ordering="window_seconds")
    def window(self, goal: Goal) -> str:
        return str(Period(seconds=goal.window_seconds))

    @display(description=_("touches"))
    def touched_by(self, goal: Goal) -> str:
        return ", ".join(str(TOUCHES.get(name, name)) for name in goal.touches)

    def panels(self, request: HttpRequest, obj: Goal) -> dict[str, Any]:
        return {
            "title": localized(obj.name, obj.key),
            "window": self.window(obj),
            "touches": self.touched_by(obj),
            "conditions": [(name, _condition(value)) for name, value in obj.conditions.items()],
            "object_panels": object_panels(request, obj),
        }


def _period(campaign: Campaign) -> str:
    first, last = (date_format(day, "DATE_FORMAT") if day else None for day in (campaign.starts_on, campaign.ends_on))
    if first and last:
        return gettext("%(first)s to %(last)s") % {"first": first, "last": last}
    if first:
        return gettext("from %(first)s") % {"first": first}
    return gettext("until %(last)s") % {"last": last} if last else gettext("without dates")


def _condition(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
