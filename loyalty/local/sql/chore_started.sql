-- Note that a chore starts; no row comes back when `alone` is asked for and another run of it is under way.
-- A run counts as dead after 30 s (chores are bounded to 20 s), so a killed worker does not block a chore for long.
-- synchronous_commit is off for this one statement: these rows are signs of life, not facts, and turn over every second.
WITH fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO chore_state AS old (key, last_started_at, last_done, runs, failures, last_ms)
SELECT %(key)s, clock_timestamp(), 0, 0, 0, 0 FROM fast
ON CONFLICT (key) DO UPDATE SET last_started_at = excluded.last_started_at
WHERE NOT (
    %(alone)s
    AND old.last_started_at > coalesce(old.last_finished_at, '-infinity')
    AND old.last_started_at > clock_timestamp() - interval '30 seconds'
)
RETURNING last_started_at;
