-- Appends the entries that are not there yet, moves the current state where an entry is the latest (of two at the same instant
-- the withdrawal holds) and queues the customers whose state moved. The customers' rows are locked by the caller.
WITH given AS (
    SELECT *
    FROM unnest(
        %(customers)s::bigint[], %(channels)s::text[], %(purposes)s::text[], %(statuses)s::text[],
        %(times)s::timestamptz[], %(sources)s::text[], %(texts)s::text[], %(evidence)s::jsonb[]
    ) AS given (customer_id, channel, purpose, status, occurred_at, source, text_version, evidence)
    WHERE customer_id = ANY(%(locked)s::bigint[])
),
written AS (
    INSERT INTO consent_entry
        (customer_id, channel, purpose, status, occurred_at, recorded_at, source, text_version, evidence)
    SELECT customer_id, channel, purpose, status, occurred_at, %(now)s, source, text_version, evidence
    FROM given
    ON CONFLICT DO NOTHING
    RETURNING customer_id, channel, purpose, status, occurred_at
),
latest AS (
    SELECT DISTINCT ON (customer_id, channel, purpose) customer_id, channel, purpose, status, occurred_at
    FROM written
    ORDER BY customer_id, channel, purpose, occurred_at DESC, status = 'withdrawn' DESC
),
moved AS (
    INSERT INTO consent_state AS s (customer_id, channel, purpose, status, since)
    SELECT customer_id, channel, purpose, status, occurred_at FROM latest
    ON CONFLICT (customer_id, channel, purpose) DO UPDATE SET status = excluded.status, since = excluded.since
    WHERE excluded.since > s.since OR (excluded.since = s.since AND excluded.status = 'withdrawn' AND s.status = 'granted')
    RETURNING customer_id
),
marked AS (
    INSERT INTO customer_change (customer_id) SELECT DISTINCT customer_id FROM moved
)
SELECT count(*) FROM written
