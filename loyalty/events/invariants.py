"""What must hold of the timeline. That an id is stored once is the primary key of `event_key` and needs no query."""

from loyalty.kit.checks import invariant

invariant(
    "events.type",
    guarantee=15,
    promise="every event has a type of the catalog",
    query="""
        SELECT e.type_id, count(*) AS events FROM event e
        WHERE NOT EXISTS (SELECT FROM event_type t WHERE t.id = e.type_id) GROUP BY e.type_id""",
)
invariant(
    "events.customer",
    guarantee=20,
    promise="every event belongs to a customer who exists",
    query="""
        SELECT e.customer_id, count(*) AS events FROM event e
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = e.customer_id) GROUP BY e.customer_id""",
)
invariant(
    "events.queue_event",
    guarantee=20,
    promise="whatever waits in the queue is in the timeline",
    query="""
        SELECT q.consumer, q.seq, q.event_id FROM event_queue q
        WHERE NOT EXISTS (
            SELECT FROM event e WHERE e.customer_id = q.customer_id AND e.type_id = q.type_id
            AND e.occurred_at = q.occurred_at AND e.id = q.event_id)""",
)
invariant(
    "events.queue_subscribed",
    guarantee=4,
    promise="nothing waits for a consumer that subscribes to nothing",
    query="""
        SELECT q.consumer, count(*) AS events FROM event_queue q
        WHERE NOT EXISTS (SELECT FROM event_subscription s WHERE s.consumer = q.consumer) GROUP BY q.consumer""",
)
invariant(
    "events.partitions",
    guarantee=4,
    promise="this month and the next have their partitions",
    query="""
        SELECT name FROM generate_series(0, 1) AS ahead, LATERAL to_char(
            date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead),
            '"event_y"YYYY"m"MM'
        ) AS name
        WHERE to_regclass(name) IS NULL""",
)
