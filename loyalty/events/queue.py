"""The pull queue: each subscribed consumer has its own row per event, written with the event, deleted when worked.

There is no watermark over ids or times, so nothing waits for a long transaction elsewhere, and an event that commits
late or arrives out of order is not skipped.
"""

from collections.abc import Iterable
from contextlib import suppress

from django.db import connection, transaction

from loyalty.events.types import type_ids
from loyalty.kit.chores import get_chore, hint
from loyalty.kit.sql import execute, fetch, sql


def subscribe(consumer: str, names: Iterable[str]) -> int:
    """Let `consumer` get events of these names that are written from now on; how many subscriptions are new.

    Names that no event had yet are learned. A statement that is already running when this commits does not see it.
    """
    ids = sorted(type_ids(names).values())
    return execute(
        sql(
            """INSERT INTO event_subscription (consumer, type_id)
            SELECT {consumer}, type_id FROM unnest({ids}::int[]) AS type_id ORDER BY type_id ON CONFLICT DO NOTHING""",
            consumer=consumer,
            ids=ids,
        )
    )


def unsubscribe(consumer: str, names: Iterable[str]) -> int:
    """Let `consumer` get no more events of these names, and drop those that wait; how many subscriptions ended.

    An event being written at this very moment may still be queued; the consumer must bear that.
    """
    ids = sorted(type_ids(names).values())
    with transaction.atomic():
        ended = execute(
            sql(
                "DELETE FROM event_subscription WHERE consumer = {consumer} AND type_id = ANY({ids})",
                consumer=consumer,
                ids=ids,
            )
        )
        execute(
            sql(
                "DELETE FROM event_queue WHERE consumer = {consumer} AND type_id = ANY({ids})",
                consumer=consumer,
                ids=ids,
            )
        )
    return ended


# One list for the table and its filling. ON COMMIT DELETE ROWS lets a session make it once, not once per batch.
_TAKEN = """
CREATE TEMP TABLE IF NOT EXISTS taken_event (
    seq bigint, event_id bigint, customer_id bigint, type_id int, occurred_at timestamptz, ref bigint, properties jsonb
) ON COMMIT DELETE ROWS"""


def take(consumer: str, limit: int, *, hold: bool = False) -> int:
    """Move up to `limit` waiting events, oldest first, into this transaction's temporary table `taken_event`; how many.

    Must run inside a transaction: a rollback puts them back. Events that another session is taking are skipped. A
    second call in one transaction replaces what the first one left in the table. `hold`: their customers are kept from
    being merged or forgotten, for who locks them later; they come before their events, as there.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("queue.take needs a transaction: without one events would be lost")
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN)
        cursor.execute("DELETE FROM taken_event")
        seqs, customers = _held(consumer, limit) if hold else (None, None)
        # MATERIALIZED: inlined, the LIMIT may be evaluated again per row and claim far more rows than asked.
        cursor.execute(
            """
            WITH picked AS MATERIALIZED (
                SELECT seq FROM event_queue WHERE consumer = %(consumer)s AND (%(seqs)s::bigint[] IS NULL
                    OR (seq = ANY(%(seqs)s::bigint[]) AND customer_id = ANY(%(customers)s::bigint[])))
                ORDER BY seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ), gone AS (
                DELETE FROM event_queue q USING picked WHERE q.consumer = %(consumer)s AND q.seq = picked.seq
                RETURNING q.seq, q.event_id, q.customer_id, q.type_id, q.occurred_at, q.ref, q.properties
            )
            INSERT INTO taken_event (seq, event_id, customer_id, type_id, occurred_at, ref, properties)
            SELECT * FROM gone
            """,
            {"consumer": consumer, "limit": limit, "seqs": seqs, "customers": customers},
        )
        return cursor.rowcount


def _held(consumer: str, limit: int) -> tuple[list[int], list[int]]:
    """The next events and their customers, who are held; who is merged away before that has the event next time."""
    rows = fetch(
        sql(
            "SELECT seq, customer_id FROM event_queue WHERE consumer = {consumer} ORDER BY seq LIMIT {limit}",
            consumer=consumer,
            limit=limit,
        )
    )
    customers = sorted({row[1] for row in rows})
    fetch(sql("SELECT id FROM customer WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR KEY SHARE", ids=customers))
    return [row[0] for row in rows], customers


def drop_leftovers() -> int:
    """Delete waiting events of consumers without any subscription (written while they unsubscribed); how many."""
    return execute(
        "DELETE FROM event_queue q WHERE NOT EXISTS (SELECT FROM event_subscription s WHERE s.consumer = q.consumer)"
    )


# Who works off what is written here, by chore; a hint only saves the wait for the next look.
_WORKERS = ("flows.pull", "segments.refresh")


def wake() -> None:
    """Hint, after commit, that there may be new events; chores that this installation lacks are left out."""
    for key in _WORKERS:
        with suppress(KeyError):
            get_chore(key)
            hint(key)
