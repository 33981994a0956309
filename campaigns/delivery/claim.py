"""Taking due messages: one statement stamps a set with a lease, so that two workers never hold the same message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction

from campaigns.delivery import throttle
from campaigns.delivery.reconnect import reconnected
from loyalty.kit.sql import execute, fetch, sql

# One claim is 8 ms for 1,000 rows; at 3,000 messages a second a claim lasts a third of a second. More would only make
# the share larger that a dead worker keeps from the others for the length of its lease.
CLAIM_ROWS = 1_000
# At least so many of each dispatch, so that a claim does not end in crumbs when many dispatches are due.
LEAST_SHARE = 20
# Twice what a claim may take at worst: rendering and sending 1,000 messages at 60 a second, or a provider's 10 s
# timeout.
LEASE_SECONDS = 60


class Claimed(NamedTuple):
    """A message this worker holds; `attempt` is the number of tries so far."""

    id: int
    customer_id: int
    dispatch_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What one look found. `wait` says after how many seconds a throttled sender has room again; None when nothing
    waits for that."""

    messages: Sequence[Claimed]
    wait: float | None = None


def claim(
    *, channel: str, owner: int, now: datetime, senders: Mapping[int, float | None], rows: int = CLAIM_ROWS
) -> Claim:
    """Take up to `rows` due messages of running dispatches of these senders, a share of each dispatch. `senders` gives
    each one's limit in messages per second, None for no limit."""
    limited = {sender_id: rate for sender_id, rate in senders.items() if rate}
    free = [sender_id for sender_id in senders if sender_id not in limited]
    with transaction.atomic(durable=True):
        messages = _take(channel=channel, owner=owner, now=now, rows=rows, senders=free) if free else []
        wait = None
        for sender_id, rate in limited.items():
            room = throttle.take(sender_id, rate=rate, most=rows)
            taken = _take(channel=channel, owner=owner, now=now, rows=room, senders=[sender_id]) if room else []
            throttle.give_back(sender_id, room - len(taken))
            messages += taken
            if len(taken) == room and _any_due(sender_id, now):
                wait = min(wait or 1.0, max(1.0 / rate, 0.02))
    return Claim(messages, wait)


def _take(*, channel: str, owner: int, now: datetime, rows: int, senders: Sequence[int]) -> list[Claimed]:
    # MATERIALIZED: a peer's cached plan claimed 500 rows for a LIMIT of 1. The lateral index scan reads only the head
    # of each running dispatch, so a paused one costs nothing however much it holds.
    found = fetch(
        sql(
            """
            WITH open AS MATERIALIZED (
                SELECT d.id FROM dispatch d JOIN sender s ON s.id = d.sender_id
                WHERE d.channel = {channel} AND d.state = 'running' AND s.state = 'active' AND s.id = ANY({senders})
                    AND EXISTS (SELECT FROM message m WHERE m.dispatch_id = d.id AND m.state = 0 AND m.due_at <= {now})
                ORDER BY random()
            ), due AS MATERIALIZED (
                SELECT m.id FROM open CROSS JOIN LATERAL (
                    SELECT id FROM message WHERE dispatch_id = open.id AND state = 0 AND due_at <= {now}
                    ORDER BY due_at, id
                    LIMIT (SELECT greatest({least}, {rows} / count(*)) FROM open) FOR UPDATE SKIP LOCKED) m
                LIMIT {rows}
            )
            UPDATE message m SET state = 1, lease_owner = {owner},
                lease_until = clock_timestamp() + make_interval(secs => {lease})
            FROM due WHERE m.id = due.id AND m.state + 0 = 0
            RETURNING m.id, m.customer_id, m.dispatch_id, m.attempt""",
            channel=channel,
            senders=list(senders),
            now=now,
            rows=rows,
            least=LEAST_SHARE,
            owner=owner,
            lease=LEASE_SECONDS,
        )
    )
    return [Claimed(*row) for row in found]


def _any_due(sender_id: int, now: datetime) -> bool:
    return bool(
        fetch(
            sql(
                "SELECT 1 FROM dispatch d WHERE d.sender_id = {sender} AND d.state = 'running' AND EXISTS (SELECT FROM"
                " message m WHERE m.dispatch_id = d.id AND m.state = 0 AND m.due_at <= {now}) LIMIT 1",
                sender=sender_id,
                now=now,
            )
        )
    )


def release(*, owner: int) -> int:
    """Put what this worker claimed and did not start back into the queue; how many."""
    statement = sql(
        "UPDATE message SET state = 0, lease_until = NULL, lease_owner = NULL"
        " WHERE state = 1 AND lease_until IS NOT NULL AND lease_owner = {owner}",
        owner=owner,
    )
    try:
        return execute(statement)
    except (OperationalError, InterfaceError):
        return reconnected(lambda: execute(statement))
