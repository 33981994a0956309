-- Note how a run of a chore ended; `error` is null when all went well and the text of the last failure otherwise.
WITH fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE chore_state
SET last_finished_at = clock_timestamp(),
    last_done = %(done)s,
    last_ms = %(ms)s,
    runs = runs + 1,
    failures = failures + CASE WHEN %(error)s::text IS NULL THEN 0 ELSE 1 END,
    last_error = CASE WHEN %(error)s::text IS NULL THEN last_error ELSE %(error)s END
FROM fast
WHERE key = %(key)s;
