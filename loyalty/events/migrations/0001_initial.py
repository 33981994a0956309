"""The timeline and its queue. Tables are written by hand where Django cannot say it; the months come after each migrate."""

import django.db.models.deletion
from django.db import migrations, models

TIMELINE = """
CREATE SEQUENCE event_id_seq AS bigint CACHE 32;
CREATE TABLE event (
    id bigint NOT NULL DEFAULT nextval('event_id_seq'),
    customer_id bigint NOT NULL,
    type_id int NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    ref bigint,
    properties jsonb
) PARTITION BY RANGE (occurred_at);
CREATE INDEX event_customer_type_occurred ON event (customer_id, type_id, occurred_at);
-- Index-only: "at least 3 purchases in 90 days" over 20M events in 0.2 s, 1.5 s without.
CREATE INDEX event_type_occurred ON event (type_id, occurred_at) INCLUDE (customer_id);
"""

# The key leads with the consumer: one index serves both the order of taking and uniqueness.
QUEUE = """
CREATE TABLE event_queue (
    seq bigint GENERATED ALWAYS AS IDENTITY,
    consumer text NOT NULL,
    event_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    type_id int NOT NULL,
    occurred_at timestamptz NOT NULL,
    ref bigint,
    properties jsonb,
    PRIMARY KEY (consumer, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="EventType",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                ("internal", models.BooleanField(db_default=False, default=False, verbose_name="internal")),
                ("first_seen_at", models.DateTimeField(verbose_name="first seen at")),
            ],
            options={
                "verbose_name": "event type",
                "verbose_name_plural": "event types",
                "db_table": "event_type",
            },
        ),
        migrations.CreateModel(
            name="EventKey",
            fields=[
                ("digest", models.UUIDField(primary_key=True, serialize=False)),
                ("received_at", models.DateTimeField()),
            ],
            options={"db_table": "event_key"},
        ),
        migrations.CreateModel(
            name="EventSubscription",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "consumer", "type_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("consumer", models.TextField(verbose_name="consumer")),
                (
                    "type",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="events.eventtype",
                    ),
                ),
            ],
            options={"db_table": "event_subscription"},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(TIMELINE, "DROP TABLE event; DROP SEQUENCE event_id_seq"),
                migrations.RunSQL(QUEUE, "DROP TABLE event_queue"),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("customer_id", models.BigIntegerField(verbose_name="customer")),
                        ("occurred_at", models.DateTimeField(verbose_name="occurred at")),
                        ("received_at", models.DateTimeField(verbose_name="received at")),
                        ("ref", models.BigIntegerField(null=True, verbose_name="reference")),
                        ("properties", models.JSONField(null=True, verbose_name="properties")),
                        (
                            "type",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="events.eventtype",
                                verbose_name="event type",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "event",
                        "verbose_name_plural": "events",
                        "db_table": "event",
                    },
                ),
                migrations.CreateModel(
                    name="QueuedEvent",
                    fields=[
                        ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("consumer", models.TextField(verbose_name="consumer")),
                        ("event_id", models.BigIntegerField()),
                        ("customer_id", models.BigIntegerField()),
                        ("occurred_at", models.DateTimeField(verbose_name="occurred at")),
                        ("ref", models.BigIntegerField(null=True)),
                        ("properties", models.JSONField(null=True)),
                        (
                            "type",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="events.eventtype",
                            ),
                        ),
                    ],
                    options={"db_table": "event_queue"},
                ),
            ],
        ),
    ]
