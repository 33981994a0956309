"""The kinds `campaign` and `goal`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from campaigns.planning import operations, queries
from campaigns.planning.definition import CampaignDocument, GoalDocument
from campaigns.planning.models import Campaign
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems, from_pydantic

D = TypeVar("D", bound=BaseModel)


def _read(shape: type[D], document: dict[str, Any]) -> D:
    try:
        return shape.model_validate({name: value for name, value in document.items() if name != "kind"})
    except ValidationError as error:
        raise Problems(from_pydantic(error)) from None


class CampaignKind:
    """Plans that flows refer to by key."""

    rank = 20

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_campaign(_read(CampaignDocument, document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for campaign in Campaign.objects.order_by("key"):
            yield queries.campaign_document(campaign).as_document()


class GoalKind:
    """What attribution measures."""

    rank = 20

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_goal(_read(GoalDocument, document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for goal in queries.goals():
            yield queries.goal_document(goal).as_document()


kinds.add("campaign", CampaignKind())
kinds.add("goal", GoalKind())
