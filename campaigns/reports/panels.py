"""What reports add to the pages of campaigns and goals: the flows that belong to them."""

from django.db.models import Q
from django.http import HttpRequest

from campaigns.flows.models import Flow
from campaigns.planning.models import Campaign, Goal
from loyalty.kit.admin import localized
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel

SHOWN = 50


def _flows(condition: Q) -> list[dict[str, object]]:
    found = Flow.objects.filter(condition).select_related("current_version").order_by("key")[:SHOWN]
    return [{"flow": flow, "name": localized(flow.name, flow.key)} for flow in found]


@object_panel("planning.campaign", 10, permission="flows.view_flow")
def flows_of_campaign(request: HttpRequest, campaign: Campaign) -> Panel:
    """The flows that belong to the campaign."""
    return Panel("admin/reports/campaign_flows.html", {"rows": _flows(Q(campaign_key=campaign.key))})


@object_panel("planning.goal", 10, permission="flows.view_flow")
def flows_of_goal(request: HttpRequest, goal: Goal) -> Panel:
    """The flows that are measured by the goal, by its name or by the same event."""
    by_name, by_event = Q(definition__goal=goal.key), Q(definition__goal__event=goal.event)
    return Panel("admin/reports/goal_flows.html", {"rows": _flows(by_name | by_event), "event": goal.event})
