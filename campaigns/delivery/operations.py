"""Writes of the outbox that people and other packages ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.content.models import Template
from campaigns.delivery.models import Dispatch, State
from loyalty.events import facts
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql


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
    """The dispatch of this send step on this channel; made on the first call, found again on later ones.

    Topic and product group are those that the template has now.
    """
    template = Template.objects.filter(versions=template_version_id).first()
    about = {"topic": template.topic, "product_group": template.product_group} if template else {}
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
            **about,
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


RESOLUTIONS = {"sent": State.SENT, "send_again": State.PLANNED, "give_up": State.FAILED}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was decided about messages in doubt; `unknown` were not in doubt (any more)."""

    resolved: int
    unknown: int


@transaction.atomic
def resolve_in_doubt(*, message_ids: Sequence[int], decision: str, who: str, now: datetime, note: str = "") -> Resolved:
    """Decide what became of messages in doubt: `sent`, `send_again` or `give_up`. Only a person does this.

    Who decided stays in the verdicts. Sent and given up become facts; sent again is planned anew and judged by every
    gate. Raises Problems for an unknown decision or no name.
    """
    problems = []
    if decision not in RESOLUTIONS:
        problems.append(Problem("decision", f"unknown decision {decision!r}", f"one of {', '.join(RESOLUTIONS)}"))
    if not who.strip():
        problems.append(Problem("who", "is missing", "say who decides"))
    if problems:
        raise Problems(problems)
    state = RESOLUTIONS[decision]
    fact = {State.SENT: "message.sent", State.FAILED: "message.failed"}.get(state)
    written = Sql("")
    if fact:
        rows = sql(
            "SELECT r.customer_id, {now}::timestamptz, r.id, jsonb_strip_nulls(jsonb_build_object('flow', d.flow_key,"
            " 'step', d.step, 'channel', d.channel, 'campaign', d.campaign_key, 'resolved', true))"
            " FROM resolved r JOIN dispatch d ON d.id = r.dispatch_id",
            now=now,
        )
        written = sql(", {ctes}", ctes=facts.ctes("fact", fact, rows))
    resolved = int(
        fetch(
            sql(
                """
                WITH doubted AS MATERIALIZED (
                    SELECT id FROM message WHERE id = ANY({ids}) AND state = 5 ORDER BY id FOR UPDATE
                ), resolved AS (
                    UPDATE message m SET state = {state}, settled_at = CASE {state}::smallint WHEN 0 THEN NULL ELSE
                        {now}::timestamptz END, due_at = CASE {state}::smallint WHEN 0 THEN {now} ELSE m.due_at END
                    FROM doubted WHERE m.id = doubted.id AND m.state = 5 RETURNING m.id, m.customer_id, m.dispatch_id
                ), told AS (
                    INSERT INTO message_verdict (message_id, judged_at, gate, code, facts)
                    SELECT id, {now}, 'resolution', {decision}::text,
                        jsonb_build_object('by', {who}::text, 'note', {note}::text) FROM resolved
                ){facts}
                SELECT count(*) FROM resolved""",
                ids=sorted(set(message_ids)),
                state=int(state),
                now=now,
                decision=decision,
                who=who.strip(),
                note=note,
                facts=written,
            )
        )[0][0]
    )
    if state == State.PLANNED:
        hint("delivery.send_email")
    return Resolved(resolved, len(set(message_ids)) - resolved)
