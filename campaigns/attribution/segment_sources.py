"""What segments may ask about conversions: those in which certain messages had a part."""

from collections.abc import Collection

from campaigns.delivery.segment_sources import dispatches
from campaigns.planning.models import Goal
from campaigns.segments import references
from campaigns.segments.operator import Selection, provide_conversions
from loyalty.kit.sql import Sql, sql


def conversions(selection: Selection, goals: tuple[str, ...]) -> Sql:
    """Selects `customer_id`, `occurred_at` of the conversions that any method credits to a message of the selection."""
    about = Sql("")
    if not selection.everything:
        about = sql(" AND k.dispatch_id IN ({dispatches})", dispatches=dispatches(selection))
    goal = Sql("")
    if goals:
        goal = sql(" AND v.goal_id IN (SELECT g.id FROM goal g WHERE g.key = ANY({goals}::text[]))", goals=list(goals))
    return sql(
        "SELECT v.customer_id, v.occurred_at FROM conversion v WHERE v.id IN"
        " (SELECT k.conversion_id FROM credit k WHERE k.message_id IS NOT NULL{about}){goal}",
        about=about,
        goal=goal,
    )


def _goals() -> Collection[str]:
    return set(Goal.objects.values_list("key", flat=True))


provide_conversions(conversions)
references.know("goal", _goals)
