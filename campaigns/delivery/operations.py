"""Writes of the outbox that people and other packages ask for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.delivery.models import Dispatch
from loyalty.kit.chores import hint


@transaction.atomic
def register_dispatch(
    *,
    step: str,
    step_no: int,
    channel: str,
    purpose: str,
    template_version_id: int,
    sender_id: int,
    now: datetime,
    flow_id: int | None = None,
    flow_key: str | None = None,
    flow_version: int | None = None,
    campaign_key: str | None = None,
    exit_on: Sequence[Mapping[str, Any]] | None = None,
) -> Dispatch:
    """The dispatch of this send step on this channel; made on the first call, found again on later ones."""
    made, _ = Dispatch.objects.get_or_create(
        flow_id=flow_id,
        flow_version=flow_version,
        step_no=step_no,
        channel=channel,
        defaults={
            "flow_key": flow_key,
            "campaign_key": campaign_key,
            "step": step,
            "purpose": purpose,
            "template_version_id": template_version_id,
            "sender_id": sender_id,
            "exit_on": [dict(event) for event in exit_on] if exit_on else None,
            "created_at": now,
        },
    )
    return made


@transaction.atomic
def set_dispatch_state(
    *, state: str, now: datetime, dispatch_ids: Sequence[int] | None = None, flow_id: int | None = None
) -> int:
    """Run, pause or stop these dispatches (or all of a flow); how many changed. A stop is final.

    Takes effect with the commit: no message of them starts after it. What waits of a stopped dispatch is skipped with
    `flow_stopped` by the chore `delivery.skip_stopped`.
    """
    chosen = Dispatch.objects.exclude(state=Dispatch.State.STOPPED).exclude(state=state)
    if flow_id is not None:
        chosen = chosen.filter(flow_id=flow_id)
    if dispatch_ids is not None:
        chosen = chosen.filter(id__in=list(dispatch_ids))
    if flow_id is None and dispatch_ids is None:
        raise ValueError("name the dispatches or the flow")
    # Locked in id order, so that two such calls cannot block each other.
    ids = list(chosen.order_by("id").select_for_update().values_list("id", flat=True))
    changed = Dispatch.objects.filter(id__in=ids).update(state=Dispatch.State(state))
    hint("delivery.skip_stopped" if state == Dispatch.State.STOPPED else "delivery.send_email")
    return changed
