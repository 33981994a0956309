"""What Django's models cannot say: fill factor, sequences, the log's types, and moments on a person's clock."""

from django.db import migrations

TABLES = """
CREATE SEQUENCE flow_block_id_seq;
-- Half-full pages leave room for a whole wave of new row versions: every update stays HOT (80 % gave only 26-45 %).
ALTER TABLE enrollment SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE flow_block SET (fillfactor = 50);
CREATE TABLE step_log (
    enrollment_id bigint NOT NULL,
    visit smallint NOT NULL,
    version_id int NOT NULL,
    at timestamptz NOT NULL,
    from_node smallint NOT NULL,
    exit smallint NOT NULL,
    path smallint[] NOT NULL,
    PRIMARY KEY (enrollment_id, visit)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
"""

# The instant when clocks in a zone show `at`: inside a gap the first valid minute after it, in an overlap the first
# occurrence. Twin of kit.periods.local.
LOCAL_INSTANT = """
CREATE FUNCTION local_instant(at timestamp, zone text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN ((at AT TIME ZONE zone) AT TIME ZONE zone) = at THEN (
            SELECT min(u) FROM (VALUES
                (at AT TIME ZONE zone),
                ((at AT TIME ZONE zone) - interval '30 minutes'),
                ((at AT TIME ZONE zone) - interval '1 hour'),
                ((at AT TIME ZONE zone) - interval '2 hours')
            ) AS v (u) WHERE (u AT TIME ZONE zone) = at)
        ELSE (
            SELECT min(date_trunc('minute', at) + n * interval '1 minute') AT TIME ZONE zone
            FROM generate_series(1, 1500) AS n
            WHERE ((date_trunc('minute', at) + n * interval '1 minute') AT TIME ZONE zone) AT TIME ZONE zone
                = date_trunc('minute', at) + n * interval '1 minute')
    END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("flows", "0001_initial")]

    operations = [
        migrations.RunSQL(TABLES, "DROP TABLE step_log; DROP SEQUENCE flow_block_id_seq"),
        migrations.RunSQL(LOCAL_INSTANT, "DROP FUNCTION local_instant(timestamp, text)"),
    ]
