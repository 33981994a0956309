"""The fence: judged, marked `started` with an attempt row, committed, and only then may the first byte leave."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from psycopg.types.json import Jsonb

from campaigns.delivery.claim import LEASE_SECONDS, Claimed
from campaigns.delivery.guard import ExitRule, Scope, judgment
from campaigns.delivery.reasons import NUMBERS
from campaigns.delivery.reconnect import reconnected
from loyalty.kit.sql import Sql, execute, fetch, sql


def start(
    messages: Sequence[Claimed],
    *,
    channel: str,
    owner: int,
    at: datetime,
    exits: Mapping[int, Sequence[Mapping[str, Any]]],
    topics: bool = True,
) -> dict[int, int]:
    """Judge these claimed messages and start those that may go: message id -> number of the attempt.

    One transaction: the customers are locked in id order (withdrawals and suppressions take the same locks), then
    judged by a statement that sees everything committed before, then marked. `exits` are the exit events by dispatch,
    `topics` says whether some of them have a topic.
    When this returns the start is committed. Messages that another worker took over meanwhile are left alone.
    """
    ids = [message.id for message in messages]
    statement = _statement(ids, channel, owner, at, exits, topics)
    try:
        return _start(messages, statement)
    except (OperationalError, InterfaceError):
        # The connection broke; the commit may have happened or not. What is started in our name was started by it.
        return reconnected(lambda: _started_by(ids, owner) or _start(messages, statement))


def _start(messages: Sequence[Claimed], statement: Sql) -> dict[int, int]:
    with transaction.atomic(durable=True):
        execute(
            sql(
                "SELECT FROM customer WHERE id = ANY({ids}) ORDER BY id FOR NO KEY UPDATE",
                ids=sorted({message.customer_id for message in messages}),
            )
        )
        return dict(fetch(statement))


def _started_by(ids: Sequence[int], owner: int) -> dict[int, int]:
    query = sql(
        "SELECT id, attempt FROM message WHERE id = ANY({ids}) AND state = 2 AND lease_owner = {owner}",
        ids=list(ids),
        owner=owner,
    )
    return dict(fetch(query))


def _statement(
    ids: Sequence[int],
    channel: str,
    owner: int,
    at: datetime,
    exits: Mapping[int, Sequence[Mapping[str, Any]]],
    topics: bool,
) -> Sql:
    scope = Scope(
        channel=channel,
        purpose=Sql("d.purpose"),
        entered_at=Sql("m.entered_at"),
        customer_id=Sql("m.customer_id"),
        now=at,
        dispatch_state=Sql("d.state"),
        sender_state=Sql("s.state"),
        exits=_exit_rules(exits),
        message_id=Sql("m.id"),
        topic=Sql("d.topic") if topics else None,
        product_group=Sql("d.product_group"),
    )
    gates = judgment(scope)
    # `state + 0`: the planner must not see that the partial index of leases fits. Its statistics say that next to
    # nothing is claimed, so it would compare every claimed row with every row of the batch (224 us per message, by key
    # 30).
    return sql(
        """
        WITH judged AS MATERIALIZED (
            SELECT m.id{columns}
            FROM message m JOIN dispatch d ON d.id = m.dispatch_id JOIN sender s ON s.id = d.sender_id
            LEFT JOIN customer c ON c.id = m.customer_id {joins}
            WHERE m.id = ANY({ids}) AND m.state + 0 = 1 AND m.lease_owner = {owner}
        ), verdicts AS MATERIALIZED (
            SELECT j.*, {reason} AS reason, verdict = 0 AS go FROM judged j
        ), moved AS (
            UPDATE message m SET
                state = CASE WHEN v.go THEN 2 WHEN v.reason > 0 THEN 6 ELSE 0 END,
                reason = greatest(v.reason, 0),
                attempt = m.attempt + v.go::integer,
                started_at = CASE WHEN v.go THEN {at} ELSE m.started_at END,
                settled_at = CASE WHEN v.reason > 0 THEN {at} END,
                lease_owner = CASE WHEN v.go THEN m.lease_owner END,
                lease_until = CASE WHEN v.go THEN clock_timestamp() + make_interval(secs => {lease}) END
            FROM verdicts v WHERE m.id = v.id AND m.state + 0 = 1 AND m.lease_owner = {owner}
            RETURNING m.id, m.state, m.attempt
        ), attempts AS (
            INSERT INTO message_attempt (message_id, attempt, owner, started_at)
            SELECT id, attempt, {owner}, {at} FROM moved WHERE state = 2
        ), told AS (
            INSERT INTO message_verdict (message_id, judged_at, gate, code, facts)
            SELECT j.id, {at}, {gate}, {code}, {facts} FROM verdicts j JOIN moved ON moved.id = j.id WHERE NOT j.go
        )
        SELECT id, attempt FROM moved WHERE state = 2""",
        columns=gates.columns,
        joins=gates.joins,
        ids=list(ids),
        owner=owner,
        reason=gates.reason,
        at=sql("{at}::timestamptz", at=at),
        lease=LEASE_SECONDS,
        gate=gates.gate,
        code=gates.code,
        facts=gates.facts,
    )


def _exit_rules(exits: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[ExitRule]:
    """Dispatches with the same exit events share one condition."""
    same: dict[str, tuple[list[int], Sequence[Mapping[str, Any]]]] = {}
    for dispatch_id, events in exits.items():
        if events:
            same.setdefault(repr(events), ([], events))[0].append(dispatch_id)
    return [
        ExitRule(sql("m.dispatch_id = ANY({ids})", ids=dispatch_ids), events) for dispatch_ids, events in same.values()
    ]


def skip(refusals: Mapping[int, Mapping[str, Any]], *, owner: int, at: datetime, gate: str, code: str) -> int:
    """Skip claimed messages for a reason found outside the guards: message id -> facts. How many."""
    if not refusals:
        return 0
    return int(
        fetch(
            sql(
                """
                WITH bad AS MATERIALIZED (SELECT * FROM jsonb_to_recordset({rows}) AS r (id bigint, facts jsonb)),
                skipped AS (
                    UPDATE message m SET state = 6, reason = {reason}, settled_at = {at}, lease_owner = NULL,
                        lease_until = NULL
                    FROM bad WHERE m.id = bad.id AND m.state + 0 = 1 AND m.lease_owner = {owner} RETURNING m.id
                ), told AS (
                    INSERT INTO message_verdict (message_id, judged_at, gate, code, facts)
                    SELECT id, {at}, {gate}, {code}, bad.facts FROM skipped JOIN bad USING (id)
                ) SELECT count(*) FROM skipped""",
                rows=Jsonb([{"id": message_id, "facts": facts} for message_id, facts in refusals.items()]),
                reason=NUMBERS[code],
                at=at,
                owner=owner,
                gate=gate,
                code=code,
            )
        )[0][0]
    )
