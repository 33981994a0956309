"""What waited in the outbox while its flow was paused: later by the pause, or no longer worth sending."""

from datetime import datetime, timedelta

from django.db import transaction

from campaigns.delivery.reasons import NUMBERS
from loyalty.kit.sql import execute, sql


@transaction.atomic
def shift_planned(*, flow_id: int, by: timedelta) -> int:
    """Move the due time of the flow's planned messages; how many."""
    return execute(
        sql(
            "UPDATE message SET due_at = due_at + {by} WHERE state = 0 AND dispatch_id IN"
            " (SELECT id FROM dispatch WHERE flow_id = {flow})",
            by=by,
            flow=flow_id,
        )
    )


@transaction.atomic
def expire_planned(*, flow_id: int, before: datetime, now: datetime) -> int:
    """Skip the flow's planned messages that were due before that instant, as `expired`; how many."""
    return execute(
        sql(
            """
            WITH late AS (
                UPDATE message SET state = 6, reason = {reason}, settled_at = {now}
                WHERE state = 0 AND due_at < {before}
                    AND dispatch_id IN (SELECT id FROM dispatch WHERE flow_id = {flow}) RETURNING id, due_at
            )
            INSERT INTO message_verdict (message_id, judged_at, gate, code, facts)
            SELECT id, {now}, 'resume', 'expired',
                jsonb_build_object('due_at', due_at, 'oldest', {before}::timestamptz) FROM late""",
            reason=NUMBERS["expired"],
            now=now,
            before=before,
            flow=flow_id,
        )
    )
