-- One batch of events on its way into the timeline. Made once per session; COMMIT empties it.
CREATE TEMP TABLE IF NOT EXISTS event_staging (
    place int NOT NULL,
    digest uuid,
    customer_id bigint NOT NULL,
    type_id int NOT NULL,
    occurred_at timestamptz NOT NULL,
    properties jsonb
) ON COMMIT DELETE ROWS
