"""Storage parameters of the hot tables."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("delivery", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            -- Every message is updated three times within seconds (claimed, started, settled): dead rows are to be reused early.
            ALTER TABLE message SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0,
                                     autovacuum_analyze_scale_factor = 0.05);
            -- Settling touches no indexed column; with room on the page the update stays HOT.
            ALTER TABLE message_attempt SET (fillfactor = 60, autovacuum_vacuum_insert_scale_factor = 0.1);
            """,
            """
            ALTER TABLE message RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay,
                                       autovacuum_analyze_scale_factor);
            ALTER TABLE message_attempt RESET (fillfactor, autovacuum_vacuum_insert_scale_factor);
            """,
        )
    ]
