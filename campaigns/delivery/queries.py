"""Reads of the outbox: counts that add up, and the passport of a message."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from campaigns.channels.names import BY_NUMBER
from campaigns.delivery import guard
from campaigns.delivery.models import Message, State
from campaigns.delivery.reasons import code
from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql

COUNTED = ("planned", "sent", "skipped", "failed", "pending", "in_doubt")
_COLUMN = {
    State.PLANNED: "pending",
    State.CLAIMED: "pending",
    State.STARTED: "pending",
    State.SENT: "sent",
    State.FAILED: "failed",
    State.IN_DOUBT: "in_doubt",
    State.SKIPPED: "skipped",
}


def counts(dispatch_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Per dispatch: planned = sent + skipped + failed + pending + in_doubt, and `reasons` of the skipped. One query.

    Counted from the messages themselves, so that it is always true: 0.1 us per message of an index-ordered scan.
    """
    found: dict[int, dict[str, Any]] = {key: dict.fromkeys(COUNTED, 0) | {"reasons": {}} for key in dispatch_ids}
    rows = fetch(
        sql(
            "SELECT dispatch_id, state, reason, count(*) FROM message WHERE dispatch_id = ANY({ids}) GROUP BY 1, 2, 3",
            ids=list(dispatch_ids),
        )
    )
    for dispatch_id, state, reason, n in rows:
        row = found[dispatch_id]
        row["planned"] += n
        row[_COLUMN[State(state)]] += n
        if name := code(reason):
            row["reasons"][name] = row["reasons"].get(name, 0) + n
    return found


_MESSAGE = Sql("""
    SELECT m.id, m.customer_id, c.external_id AS customer, m.state, m.reason, m.attempt, m.planned_at, m.due_at,
        m.entered_at, m.started_at, m.settled_at, m.channel, d.id AS dispatch_id, d.flow_key, d.flow_version,
        d.campaign_key, d.step, d.purpose, d.state AS dispatch_state, d.template_version_id, s.key AS sender,
        s.state AS sender_state
    FROM message m LEFT JOIN dispatch d ON d.id = m.dispatch_id LEFT JOIN sender s ON s.id = d.sender_id
    LEFT JOIN customer c ON c.id = m.customer_id""")


def passport(message_id: int) -> dict[str, Any] | None:
    """Everything that is known about a message: each gate in order with its verdict, the attempts, what came after.

    A gate is `passed`, `refused` or `delayed` (with code, instant and facts), or `not_asked` because an earlier one had
    refused. None for an unknown message. Four queries.
    """
    rows = fetch_dicts(sql("{message} WHERE m.id = {id}", message=_MESSAGE, id=message_id))
    if not rows:
        return None
    row = rows[0]
    verdicts = fetch_dicts(
        sql(
            "SELECT gate, code, judged_at, facts::text FROM message_verdict WHERE message_id = {id}"
            " ORDER BY judged_at, id",
            id=message_id,
        )
    )
    for verdict in verdicts:
        verdict["facts"] = json.loads(verdict["facts"])
    attempts = fetch_dicts(
        sql(
            "SELECT attempt, started_at, settled_at, outcome, provider_id, detail FROM message_attempt"
            " WHERE message_id = {id} ORDER BY attempt",
            id=message_id,
        )
    )
    return {
        **_summary(row),
        "customer": row["customer"],
        "campaign": row["campaign_key"],
        "flow_version": row["flow_version"],
        "flow_state": row["dispatch_state"],
        "template_version": row["template_version_id"],
        "sender": row["sender"],
        "sender_state": row["sender_state"],
        "entered_at": row["entered_at"],
        "gates": _gates(row, verdicts),
        "notes": [verdict for verdict in verdicts if verdict["gate"] not in guard.guards],
        "attempts": attempts,
        "facts": _facts(row["customer_id"], message_id),
    }


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    # Ids have up to 63 bits, more than a JSON number can carry everywhere, so they are text.
    return {
        "id": str(row["id"]),
        "state": State(row["state"]).name.lower(),
        "reason": code(row["reason"]),
        "channel": BY_NUMBER[row["channel"]],
        "purpose": row["purpose"],
        "flow": row["flow_key"],
        "step": row["step"],
        "planned_at": row["planned_at"],
        "due_at": row["due_at"],
        "started_at": row["started_at"],
        "settled_at": row["settled_at"],
    }


def _gates(row: dict[str, Any], verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every gate in the order of judging. The last word of each counts; a gate with none let the message through."""
    last = {verdict["gate"]: verdict for verdict in verdicts}
    skipped_by = next(
        (v["gate"] for v in reversed(verdicts) if row["reason"] and v["code"] == code(row["reason"])), None
    )
    judged_at: datetime = row["started_at"] or row["planned_at"]
    gates = []
    asked = True
    for key, _part in guard.in_order():
        told = last.get(key)
        if key == skipped_by and told:
            gates.append({"gate": key, "verdict": "refused", **_told(told)})
            asked = False
        elif told and not row["started_at"] and asked:
            gates.append({"gate": key, "verdict": "delayed", **_told(told)})
        else:
            verdict = "passed" if asked else "not_asked"
            gates.append(
                {"gate": key, "verdict": verdict, "code": None, "at": judged_at if asked else None, "facts": {}}
            )
    return gates


def _told(verdict: dict[str, Any]) -> dict[str, Any]:
    return {"code": verdict["code"], "at": verdict["judged_at"], "facts": verdict["facts"]}


def _facts(customer_id: int, message_id: int) -> list[dict[str, Any]]:
    """What the timeline knows about the message: sent, delivered, opened, clicked, ..."""
    rows = fetch_dicts(
        sql(
            "SELECT t.name, e.occurred_at AS at, e.properties::text FROM event e JOIN event_type t ON t.id = e.type_id"
            " WHERE e.customer_id = {customer} AND e.ref = {message}"
            " AND e.type_id IN (SELECT id FROM event_type WHERE name LIKE 'message.%') ORDER BY e.occurred_at, e.id",
            customer=customer_id,
            message=message_id,
        )
    )
    for row in rows:
        row["properties"] = json.loads(row["properties"] or "{}")
    return rows


def messages_of(customer_id: int, *, limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
    """A person's messages, newest first; `before` is the id of the last one of the page before. One query."""
    rows = fetch_dicts(
        sql(
            """{message} WHERE m.customer_id = {customer} AND ({before}::bigint IS NULL OR
                (m.planned_at, m.id) < (SELECT planned_at, id FROM message WHERE id = {before}::bigint))
            ORDER BY m.planned_at DESC, m.id DESC LIMIT {limit}""",
            message=_MESSAGE,
            customer=customer_id,
            before=before,
            limit=limit,
        )
    )
    return [_summary(row) for row in rows]


def in_doubt(*, limit: int = 200) -> list[dict[str, Any]]:
    """Messages whose fate is unknown, oldest first, each with the reason of its last attempt."""
    return fetch_dicts(
        sql(
            """SELECT m.id, m.customer_id, m.dispatch_id, m.started_at, m.settled_at, a.attempt, a.detail
            FROM message m JOIN message_attempt a ON a.message_id = m.id AND a.attempt = m.attempt
            WHERE m.state = 5 ORDER BY m.settled_at, m.id LIMIT {limit}""",
            limit=limit,
        )
    )


def pending(dispatch_ids: Sequence[int]) -> int:
    """How many messages of these dispatches are not finished; a campaign is finished when it is 0."""
    return Message.objects.filter(dispatch_id__in=list(dispatch_ids), state__lte=State.STARTED).count()


def queue_age(*, now: datetime) -> list[dict[str, Any]]:
    """Per channel: how many messages are due and not begun, and since when the oldest waits. For health and metrics."""
    return fetch_dicts(
        sql(
            """SELECT d.channel, sum(m.n)::bigint AS due, min(m.oldest) AS oldest
            FROM dispatch d CROSS JOIN LATERAL (
                SELECT count(*) AS n, min(due_at) AS oldest FROM message
                WHERE dispatch_id = d.id AND state = 0 AND due_at <= {now}) m
            WHERE d.state = 'running' GROUP BY d.channel ORDER BY d.channel""",
            now=now,
        )
    )
