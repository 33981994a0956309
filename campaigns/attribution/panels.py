"""What attribution shows on the pages of customers and goals."""

from datetime import timedelta

from django.db.models import Count, Sum
from django.http import HttpRequest

from campaigns.attribution.models import Conversion, Credit, GoalCount
from campaigns.planning.models import Goal
from loyalty.kit.admin import localized
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel, customer_panel

SHOWN = 10
RECENT = timedelta(days=30)


@customer_panel(35, permission="attribution.view_conversion")
def conversions(request: HttpRequest, customer_id: int) -> Panel:
    """The person's newest conversions, and how many touches the last-touch model found (none or one)."""
    found = list(Conversion.objects.filter(customer_id=customer_id).order_by("-occurred_at", "-id")[: SHOWN + 1])
    goals = {goal.pk: localized(goal.name, goal.key) for goal in Goal.objects.all()} if found else {}
    touched = set(
        Credit.objects.filter(conversion_id__in=[row.pk for row in found], model="last_touch")
        .exclude(channel="none")
        .values_list("conversion_id", flat=True)
    )
    rows = [
        {"conversion": row, "goal": goals.get(row.goal_id, f"#{row.goal_id}"), "touched": row.pk in touched}
        for row in found[:SHOWN]
    ]
    return Panel("admin/attribution/customer_conversions.html", {"rows": rows, "more": len(found) > SHOWN})


@object_panel("planning.goal", 20, permission="attribution.view_conversion")
def reached(request: HttpRequest, goal: Goal) -> Panel:
    """How often the goal was reached lately, the newest times, and whether older events are still being searched."""
    own = Conversion.objects.filter(goal_id=goal.pk)
    recent = own.filter(occurred_at__gte=now() - RECENT).aggregate(n=Count("*"), value=Sum("value"))
    return Panel(
        "admin/attribution/goal_conversions.html",
        {
            "days": RECENT.days,
            "count": recent["n"],
            "value": recent["value"] or 0,
            "newest": own.order_by("-occurred_at")[:SHOWN],
            "searching": GoalCount.objects.filter(goal_id=goal.pk, due_at__isnull=False, search_no=1).exists(),
        },
        wide=True,
    )
