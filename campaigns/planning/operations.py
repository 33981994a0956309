"""Writes goals and campaigns as one wants them to be, whatever they were."""

from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.planning.definition import CampaignDocument, GoalDocument
from campaigns.planning.models import Campaign, Goal
from campaigns.planning.queries import campaign_document, goal_document
from loyalty.kit.documents import Change


def _change(before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    return Change(kind=after["kind"], key=after["key"], verdict=verdict, before=before, after=after)


@transaction.atomic
def save_campaign(document: CampaignDocument, *, now: datetime) -> Change:
    """Create the campaign or change it to `document`."""
    found = Campaign.objects.select_for_update().filter(key=document.key).first()
    change = _change(campaign_document(found).as_document() if found else None, document.as_document())
    if change.verdict != "unchanged":
        fields = document.model_dump(exclude={"key"})
        Campaign.objects.update_or_create(
            key=document.key, defaults=fields, create_defaults=fields | {"created_at": now}
        )
    return change


@transaction.atomic
def save_goal(document: GoalDocument, *, now: datetime) -> Change:
    """Create the goal or change it to `document`; attribution notices a change by itself and counts anew."""
    found = Goal.objects.select_for_update().filter(key=document.key).first()
    change = _change(goal_document(found).as_document() if found else None, document.as_document())
    if change.verdict != "unchanged":
        fields = {
            "name": document.name,
            "event": document.event,
            "conditions": document.where,
            "value_property": document.value,
            "window_seconds": document.window,
            "touches": document.touches,
            "updated_at": now,
        }
        Goal.objects.update_or_create(key=document.key, defaults=fields, create_defaults=fields | {"created_at": now})
    return change
