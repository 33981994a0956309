"""Reads goals and campaigns."""

from campaigns.planning.definition import CampaignDocument, GoalDocument
from campaigns.planning.models import Campaign, Goal
from loyalty.kit.periods import Period


def goals() -> list[Goal]:
    """All goals, by key."""
    return list(Goal.objects.order_by("key"))


def campaign_document(campaign: Campaign) -> CampaignDocument:
    """The campaign as its document."""
    return CampaignDocument(
        key=campaign.key,
        name=campaign.name,
        starts_on=campaign.starts_on,
        ends_on=campaign.ends_on,
        description=campaign.description,
    )


def goal_document(goal: Goal) -> GoalDocument:
    """The goal as its document."""
    return GoalDocument(
        key=goal.key,
        name=goal.name,
        event=goal.event,
        where=goal.conditions,
        value=goal.value_property,
        window=str(Period(seconds=goal.window_seconds)),  # type: ignore[arg-type]  # parsed by the field itself
        touches=goal.touches,
    )
