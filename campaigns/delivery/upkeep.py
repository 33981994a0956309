"""Upkeep of the outbox: what stopped flows leave behind and what dead workers held. Sets, never single rows."""

from datetime import datetime

from django.db import transaction

from campaigns.delivery.reasons import NUMBERS
from campaigns.delivery.trials import GATE, LOST
from loyalty.kit.sql import fetch, sql

# 20,000 rows are about 0.4 s (update with four index entries each, one verdict each).
SKIP_BATCH = 20_000
RESCUE_BATCH = 5_000


@transaction.atomic
def skip_stopped(*, now: datetime) -> int:
    """Skip planned messages of stopped dispatches with `flow_stopped`; how many. Claimed ones are judged at their
    start."""
    return int(
        fetch(
            sql(
                """
                WITH due AS MATERIALIZED (
                    SELECT m.id FROM message m JOIN dispatch d ON d.id = m.dispatch_id
                    WHERE d.state = 'stopped' AND m.state = 0 LIMIT {batch} FOR UPDATE OF m SKIP LOCKED
                ), skipped AS (
                    UPDATE message m SET state = 6, reason = {reason}, settled_at = {now}
                    FROM due WHERE m.id = due.id AND m.state = 0 RETURNING m.id
                ), verdicts AS (
                    INSERT INTO message_verdict (message_id, judged_at, gate, code)
                    SELECT id, {now}, 'dispatch_state', 'flow_stopped' FROM skipped
                ) SELECT count(*) FROM skipped""",
                batch=SKIP_BATCH,
                reason=NUMBERS["flow_stopped"],
                now=now,
            )
        )[0][0]
    )


@transaction.atomic
def rescue(*, now: datetime) -> int:
    """Free what dead workers held: claimed messages are planned again, started ones are in doubt. How many.

    A lease is over by the database's clock. A started message may have reached the provider, so it is never sent again
    by itself; its attempt says why. A claimed one is noted, to be tried alone (see `trials`).
    """
    return int(
        fetch(
            sql(
                """
                WITH lost AS MATERIALIZED (
                    SELECT id FROM message WHERE state IN (1, 2) AND lease_until < clock_timestamp()
                    ORDER BY lease_until LIMIT {batch} FOR UPDATE SKIP LOCKED
                ), freed AS (
                    UPDATE message m SET state = CASE m.state WHEN 1 THEN 0 ELSE 5 END, lease_until = NULL,
                        lease_owner = NULL, settled_at = CASE m.state WHEN 1 THEN NULL ELSE {now}::timestamptz END
                    FROM lost WHERE m.id = lost.id AND m.state IN (1, 2) RETURNING m.id, m.state, m.attempt
                ), attempts AS (
                    UPDATE message_attempt a SET settled_at = {now}, outcome = 'in_doubt', detail = {detail}
                    FROM freed WHERE freed.state = 5 AND a.message_id = freed.id AND a.attempt = freed.attempt
                ), noted AS (
                    INSERT INTO message_verdict (message_id, judged_at, gate, code)
                    SELECT id, {now}, {gate}, {lost} FROM freed WHERE state = 0
                ) SELECT count(*) FROM freed""",
                gate=GATE,
                lost=LOST,
                batch=RESCUE_BATCH,
                now=now,
                detail="the worker was lost after the hand-over had begun: it may have been sent or not",
            )
        )[0][0]
    )
