"""What is known and decided about each type of event, what retention removed, how late events come, and websites."""

import django.db.models.deletion
from django.db import migrations, models

# Counted in the intake's own statement and folded into hours by a chore: worth no WAL, and nothing else refers to it.
ARRIVALS = """
CREATE UNLOGGED TABLE event_arrival (received_at timestamptz NOT NULL, bucket smallint NOT NULL, events int NOT NULL);
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="eventtype",
            name="title",
            field=models.JSONField(db_default={}, default=dict, verbose_name="name"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="description",
            field=models.JSONField(db_default={}, default=dict, verbose_name="description"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="properties",
            field=models.JSONField(db_default={}, default=dict, verbose_name="properties"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="locked",
            field=models.BooleanField(db_default=False, default=False, verbose_name="locked"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="retention",
            field=models.TextField(null=True, verbose_name="kept for"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="defined",
            field=models.BooleanField(db_default=False, default=False, verbose_name="defined"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="sampled",
            field=models.IntegerField(db_default=0, default=0, verbose_name="events looked at"),
        ),
        migrations.AddField(
            model_name="eventtype",
            name="sampled_to",
            field=models.DateTimeField(null=True, verbose_name="newest event looked at"),
        ),
        migrations.CreateModel(
            name="EventProperty",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "type_id", "key", "shape", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.TextField(verbose_name="property")),
                ("shape", models.TextField(verbose_name="type")),
                ("first_seen_at", models.DateTimeField(verbose_name="first seen at")),
                ("seen", models.IntegerField(db_default=0, default=0, verbose_name="seen")),
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
            options={"db_table": "event_property"},
        ),
        migrations.CreateModel(
            name="EventRemoval",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="removed at")),
                ("month", models.DateField(verbose_name="month")),
                ("removed", models.JSONField(verbose_name="removed")),
                ("kept", models.BigIntegerField(verbose_name="kept")),
            ],
            options={
                "db_table": "event_removal",
                "verbose_name": "removal of old events",
                "verbose_name_plural": "removals of old events",
            },
        ),
        migrations.CreateModel(
            name="EventSweep",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "event_sweep"},
        ),
        migrations.CreateModel(
            name="ArrivalHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "hour", "bucket", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField(verbose_name="hour")),
                ("bucket", models.SmallIntegerField(verbose_name="lateness")),
                ("events", models.BigIntegerField(verbose_name="events")),
            ],
            options={"db_table": "event_arrival_hour"},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ARRIVALS, "DROP TABLE event_arrival")],
            state_operations=[
                migrations.CreateModel(
                    name="Arrival",
                    fields=[
                        ("received_at", models.DateTimeField(primary_key=True, serialize=False)),
                        ("bucket", models.SmallIntegerField()),
                        ("events", models.IntegerField()),
                    ],
                    options={"db_table": "event_arrival"},
                )
            ],
        ),
        migrations.CreateModel(
            name="Website",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=40, unique=True, verbose_name="site key")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("origins", models.JSONField(default=list, verbose_name="origins")),
                ("events", models.JSONField(default=list, verbose_name="events it may send")),
                ("active", models.BooleanField(db_default=True, default=True, verbose_name="active")),
                ("secret_no", models.SmallIntegerField(db_default=1, default=1, verbose_name="number of the secret")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("updated_at", models.DateTimeField(verbose_name="updated at")),
            ],
            options={"db_table": "website", "verbose_name": "website", "verbose_name_plural": "websites"},
        ),
    ]
