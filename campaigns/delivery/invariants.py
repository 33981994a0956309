"""What must always hold for the outbox (guarantees 8 to 12). Each query selects violations."""

from pathlib import Path
from typing import Any

from campaigns.delivery.reconcile import reconcile
from loyalty.kit.checks import invariant, reconciliation

invariant(
    "delivery.started_has_attempt",
    guarantee=8,
    promise="Whatever was begun has the row of its attempt, written before the first byte left.",
    query="""
        SELECT m.id, m.state, m.attempt FROM message m
        LEFT JOIN message_attempt a ON a.message_id = m.id AND a.attempt = m.attempt
        WHERE m.state IN (2, 3, 4, 5) AND a.id IS NULL
    """,
)
invariant(
    "delivery.attempts_are_consecutive",
    guarantee=8,
    promise="A message was begun exactly as often as it has attempts, numbered from 1 without a gap.",
    query="""
        SELECT a.message_id, count(*) AS attempts, max(a.attempt) AS last, m.attempt AS counted
        FROM message_attempt a LEFT JOIN message m ON m.id = a.message_id
        GROUP BY a.message_id, m.attempt
        HAVING count(*) <> max(a.attempt) OR max(a.attempt) IS DISTINCT FROM m.attempt
    """,
)
invariant(
    "delivery.one_hand_over",
    guarantee=8,
    promise="A message is handed over once: no attempt follows one that was sent, refused for good or left in doubt,"
    " unless a person decided so.",
    query="""
        SELECT a.message_id, a.attempt, a.outcome FROM message_attempt a
        JOIN message_attempt later ON later.message_id = a.message_id AND later.attempt > a.attempt
        WHERE a.outcome IN ('sent', 'failed')
            OR (a.outcome = 'in_doubt' AND NOT EXISTS (
                SELECT FROM message_verdict v WHERE v.message_id = a.message_id AND v.gate = 'resolution'
                    AND v.code = 'send_again'))
    """,
)
invariant(
    "delivery.open_attempt_is_started",
    guarantee=8,
    promise="Only a message that is under way has an attempt without an end.",
    query="""
        SELECT a.message_id, a.attempt, m.state FROM message_attempt a
        LEFT JOIN message m ON m.id = a.message_id
        WHERE a.settled_at IS NULL AND (m.state IS DISTINCT FROM 2 OR m.attempt <> a.attempt)
    """,
)
invariant(
    "delivery.sent_has_outcome",
    guarantee=8,
    promise="A message is sent because its provider said so, or because a person decided it.",
    query="""
        SELECT m.id, m.state, a.outcome FROM message m
        JOIN message_attempt a ON a.message_id = m.id AND a.attempt = m.attempt
        WHERE m.state = 3 AND a.outcome IS DISTINCT FROM 'sent' AND NOT EXISTS (
            SELECT FROM message_verdict v WHERE v.message_id = m.id AND v.gate = 'resolution' AND v.code = 'sent')
    """,
)
invariant(
    "delivery.doubt_has_reason",
    guarantee=8,
    promise="Every message in doubt says why.",
    query="""
        SELECT m.id, a.outcome, a.detail FROM message m
        LEFT JOIN message_attempt a ON a.message_id = m.id AND a.attempt = m.attempt
        WHERE m.state = 5 AND (a.outcome IS DISTINCT FROM 'in_doubt' OR coalesce(a.detail, '') = '')
    """,
)
# The withdrawal is known to the guards from its commit on, a few milliseconds after `recorded_at`; clocks of machines
# may differ by as much again. Two seconds keep that apart from a guard that does not look.
invariant(
    "delivery.nothing_starts_after_an_opt_out",
    guarantee=9,
    promise="No marketing message starts after the person's withdrawal was recorded.",
    query="""
        SELECT a.message_id, m.customer_id, a.clock_at AS started_at, last.clock_at AS withdrawn_at
        FROM message_attempt a JOIN message m ON m.id = a.message_id JOIN dispatch d ON d.id = m.dispatch_id
        CROSS JOIN LATERAL (
            SELECT e.status, e.clock_at FROM consent_entry e
            WHERE e.customer_id = m.customer_id AND e.channel = d.channel AND e.purpose = d.purpose
                AND e.clock_at < a.clock_at
            ORDER BY e.occurred_at DESC, e.status = 'withdrawn' DESC LIMIT 1) last
        WHERE d.purpose IN ('marketing', 'service') AND last.status = 'withdrawn'
    """,
)
invariant(
    "delivery.nothing_starts_after_a_suppression",
    guarantee=9,
    promise="Nothing starts to an address that had been suppressed before.",
    query="""
        SELECT a.message_id, m.customer_id, a.clock_at AS started_at, s.clock_at AS suppressed_at, s.reason
        FROM suppression s JOIN customer c ON c.email_digest = s.digest JOIN message m ON m.customer_id = c.id
        JOIN dispatch d ON d.id = m.dispatch_id AND d.channel = s.channel
        JOIN message_attempt a ON a.message_id = m.id
        WHERE s.channel = 'email' AND s.purpose IN ('', d.purpose)
            AND (d.purpose <> 'transactional' OR (s.purpose = '' AND s.reason = 'hard_bounce'))
            AND a.clock_at > s.clock_at
    """,
)
invariant(
    "delivery.settled_once_finished",
    guarantee=10,
    promise="Finished messages have an end, unfinished ones have none; so planned is the sum of all states.",
    query="""
        SELECT id, state, settled_at FROM message
        WHERE (state IN (3, 4, 5, 6)) <> (settled_at IS NOT NULL)
    """,
)
invariant(
    "delivery.message_has_dispatch",
    guarantee=10,
    promise="Every message belongs to a send step of its own channel.",
    query="""
        SELECT m.id, m.dispatch_id, m.channel FROM message m LEFT JOIN dispatch d ON d.id = m.dispatch_id
        WHERE d.id IS NULL OR m.channel <> CASE d.channel WHEN 'email' THEN 1 WHEN 'sms' THEN 2 WHEN 'whatsapp' THEN 3
            WHEN 'telegram' THEN 4 WHEN 'push' THEN 5 WHEN 'letter' THEN 6 WHEN 'webhook' THEN 7 END
            OR (m.id >> 3 & 1023) <> d.step_no
    """,
)
invariant(
    "delivery.sent_and_failed_are_facts",
    guarantee=10,
    promise="What was sent or failed stands in the timeline exactly once.",
    query="""
        SELECT m.id, m.state, count(e.id) AS facts FROM message m
        LEFT JOIN event e ON e.customer_id = m.customer_id AND e.ref = m.id
            AND e.type_id = (SELECT id FROM event_type
                WHERE name = CASE m.state WHEN 3 THEN 'message.sent' ELSE 'message.failed' END)
        WHERE m.state IN (3, 4) GROUP BY m.id, m.state HAVING count(e.id) <> 1
    """,
)
invariant(
    "delivery.skip_has_verdict",
    guarantee=11,
    promise="Every skipped message has the verdict of the gate that refused it.",
    query="""
        SELECT m.id, m.reason FROM message m
        WHERE m.state = 6 AND NOT EXISTS (
            SELECT FROM message_verdict v WHERE v.message_id = m.id AND v.code = (ARRAY[
                'no_address', 'no_consent', 'suppressed', 'frequency_cap', 'quiet_time_expired', 'holdout', 'exited',
                'flow_stopped', 'expired', 'render_error', 'duplicate_address', 'sender_paused', 'budget_spent',
                'not_approved'])[m.reason])
    """,
)
invariant(
    "delivery.failure_has_reason",
    guarantee=11,
    promise="Every failed message says what its provider answered, or who gave it up.",
    query="""
        SELECT m.id, a.outcome, a.detail FROM message m
        LEFT JOIN message_attempt a ON a.message_id = m.id AND a.attempt = m.attempt
        WHERE m.state = 4 AND coalesce(a.detail, '') = ''
    """,
)
invariant(
    "delivery.no_lease_is_forgotten",
    guarantee=12,
    promise="No worker's lease is long over without the rescuer having seen it.",
    query="""
        SELECT id, state, lease_until FROM message
        WHERE state IN (1, 2) AND lease_until < clock_timestamp() - interval '5 minutes'
    """,
)


@reconciliation(
    "delivery.sink_agrees",
    guarantee=8,
    promise="Nothing arrived twice, nothing arrived that was not sent, everything sent arrived.",
)
def _sink_agrees(log: Path) -> list[dict[str, Any]]:
    return reconcile(log)
