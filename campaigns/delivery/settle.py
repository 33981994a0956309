"""Settling: what the provider said becomes state, attempt and fact, in one transaction per sub-chunk."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from campaigns.channels.outcome import Outcome
from campaigns.delivery.models import State
from campaigns.delivery.reconnect import reconnected
from loyalty.consent import operations as consent
from loyalty.events import facts
from loyalty.kit.logs import fields
from loyalty.kit.sql import Sql, fetch, sql

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
# A retry is no failure, so it is given up by age: mail servers themselves try for one to five days.
RETRY_FOR = timedelta(hours=72)
LEAST_ATTEMPTS = 5
_STATES = {"sent": State.SENT, "retry": State.PLANNED, "failed": State.FAILED, "in_doubt": State.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class Handed:
    """One message that was handed over: its attempt and what became of it."""

    id: int
    attempt: int
    outcome: Outcome


def backoff(attempt: int) -> float:
    """Seconds before the next try after `attempt` tries: 30 s doubling up to an hour."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt - 1, 12), LONGEST_RETRY_SECONDS)


def settle(handed: Sequence[Handed], *, channel: str, owner: int, at: datetime) -> int:
    """Write the outcomes; how many messages were still ours.

    Only a message that is still started by this owner in this attempt is touched: whoever lost the lease comes too
    late. Sent and failed become facts in the timeline, a dead address is suppressed, a retry waits at least as long as
    the provider asked for.
    """
    if not handed:
        return 0
    try:
        return _settle(handed, channel, owner, at)
    except (OperationalError, InterfaceError):
        # Repeating is safe: what the lost commit has settled is started no more.
        return reconnected(lambda: _settle(handed, channel, owner, at))
    except Exception:
        # One outcome that cannot be written must not take the others' with it; alone it is left to the rescuer.
        logger.exception("delivery.settle.failed", extra=fields(messages=len(handed)))
        if len(handed) == 1:
            return 0
        middle = len(handed) // 2
        return sum(settle(part, channel=channel, owner=owner, at=at) for part in (handed[:middle], handed[middle:]))


def _settle(handed: Sequence[Handed], channel: str, owner: int, at: datetime) -> int:
    with transaction.atomic(durable=True):
        rows = fetch(_statement(handed, owner, at))
        dead = {item.id for item in handed if item.outcome.dead_address}
        gone = [(customer_id, digest) for message_id, customer_id, digest in rows if message_id in dead and digest]
        if gone:
            consent.suppress(
                channel,
                digests=[bytes(digest) for _, digest in gone],
                customer_ids=[customer_id for customer_id, _ in gone],
                reason="hard_bounce",
                now=at,
            )
        return len(rows)


def _statement(handed: Sequence[Handed], owner: int, at: datetime) -> Sql:
    outcomes = [item.outcome for item in handed]
    verdicts = {outcome.verdict for outcome in outcomes}
    # `state + 0` keeps the planner from the partial index of leases, as in `start`.
    written = [_facts(name, fact, state, at) for name, fact, state in _FACTS if verdicts & _LEADS_TO[state]]
    return sql(
        """
        WITH told AS MATERIALIZED (
            SELECT * FROM unnest({ids}::bigint[], {attempts}::smallint[], {states}::smallint[], {waits}::float8[],
                {outcomes}::text[], {codes}::text[], {providers}::text[], {details}::text[])
                AS t (id, attempt, state, wait, outcome, code, provider_id, detail)
        ), settled AS (
            UPDATE message m SET
                state = CASE WHEN t.state = 0 AND m.attempt >= {least} AND m.planned_at < {oldest} THEN 4 ELSE t.state
                END, due_at = CASE t.state WHEN 0 THEN {at} + make_interval(secs => t.wait) ELSE m.due_at END,
                settled_at = CASE WHEN t.state = 0 AND NOT (m.attempt >= {least} AND m.planned_at < {oldest}) THEN NULL
                    ELSE {at} END,
                lease_owner = NULL, lease_until = NULL
            FROM told t WHERE m.id = t.id AND m.state + 0 = 2 AND m.lease_owner = {owner} AND m.attempt = t.attempt
            RETURNING m.id, m.customer_id, m.dispatch_id, m.state, m.attempt, t.outcome, t.code, t.provider_id, t.detail
        ), attempts AS (
            UPDATE message_attempt a SET settled_at = {at}, outcome = s.outcome, provider_id = s.provider_id,
                detail = s.detail
            FROM settled s WHERE a.message_id = s.id AND a.attempt = s.attempt
        ){facts}
        SELECT s.id, s.customer_id, {digest} FROM settled s""",
        ids=[item.id for item in handed],
        attempts=[item.attempt for item in handed],
        states=[int(_STATES[outcome.verdict]) for outcome in outcomes],
        waits=[float(max(item.outcome.after or 0.0, backoff(item.attempt))) for item in handed],
        outcomes=[outcome.verdict for outcome in outcomes],
        codes=[outcome.code for outcome in outcomes],
        providers=[clean(outcome.provider_id) for outcome in outcomes],
        details=[clean(outcome.detail) for outcome in outcomes],
        least=LEAST_ATTEMPTS,
        oldest=sql("{oldest}::timestamptz", oldest=at - RETRY_FOR),
        at=sql("{at}::timestamptz", at=at),
        owner=owner,
        facts=Sql("").join(written),
        digest=Sql("(SELECT c.email_digest FROM customer c WHERE c.id = s.customer_id)")
        if any(outcome.dead_address for outcome in outcomes)
        else Sql("NULL"),
    )


_FACTS = (("sent_fact", "message.sent", State.SENT), ("failed_fact", "message.failed", State.FAILED))
_LEADS_TO = {State.SENT: {"sent"}, State.FAILED: {"failed", "retry"}}


def _facts(name: str, fact: str, state: State, at: datetime) -> Sql:
    """The facts of the messages in that state; flow, step and campaign stand in them so that a condition can ask."""
    rows = sql(
        """SELECT s.customer_id, {at}::timestamptz, s.id, jsonb_strip_nulls(jsonb_build_object('flow', d.flow_key,
            'step', d.step, 'channel', d.channel, 'campaign', d.campaign_key, 'code', s.code))
        FROM settled s JOIN dispatch d ON d.id = s.dispatch_id WHERE s.state = {state}""",
        at=at,
        state=Sql(str(int(state))),
    )
    return sql(", {ctes}", ctes=facts.ctes(name, fact, rows))


def clean(text: str | None) -> str | None:
    """A provider's words as PostgreSQL can keep them: no NUL, at most 500 characters."""
    return text.replace("\0", " ")[:500] if text else None
