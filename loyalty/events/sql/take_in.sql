-- Staged events become keys, timeline rows and queue rows in one statement; answers how many were new.
-- Digests are distinct within the batch. They are inserted in order, so that two batches with the same ids wait for each
-- other instead of deadlocking (and neighboring index pages are written once).
-- How late they came is counted by the bounds of arrivals.py, given as instants, the oldest first.
WITH fresh AS (
    INSERT INTO event_key (digest, received_at)
    SELECT digest, %(now)s FROM event_staging WHERE digest IS NOT NULL ORDER BY digest
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
), new AS (
    INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)
    SELECT s.customer_id, s.type_id, s.occurred_at, %(now)s, s.properties
    FROM event_staging s LEFT JOIN fresh ON fresh.digest = s.digest
    WHERE s.digest IS NULL OR fresh.digest IS NOT NULL
    ORDER BY s.place
    RETURNING id, customer_id, type_id, occurred_at, properties
), queued AS (
    INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, properties)
    SELECT s.consumer, e.id, e.customer_id, e.type_id, e.occurred_at, e.properties
    FROM new e JOIN event_subscription s ON s.type_id = e.type_id
    ORDER BY e.id
), counted AS (
    -- Times are compared, not subtracted: 0.8 ms instead of 9 for 5,000 events.
    INSERT INTO event_arrival (received_at, bucket, events)
    SELECT %(now)s, 8 - newer, count(*)
    FROM (SELECT width_bucket(occurred_at, %(bounds)s::timestamptz[]) AS newer FROM new) late GROUP BY newer
)
SELECT count(*) FROM new
