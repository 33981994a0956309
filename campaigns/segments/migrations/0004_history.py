"""Who was in a segment when, how large it was, which rule it had; and what the clock alone will change next.

`segment_past` holds closed intervals only: an open one is the member's own row, so that joining writes nothing more.
Facts in the timeline tell the same, but have no index on the segment, and months of theirs are dropped one day.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("segments", "0003_lists")]

    operations = [
        migrations.AddField("segment", "foreseen_until", models.DateTimeField(null=True)),
        migrations.AddField("segment", "settle_xid", models.BigIntegerField(null=True)),
        migrations.CreateModel(
            name="PastMember",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id",
                        "customer_id",
                        "since",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("segment_id", models.IntegerField()),
                ("customer_id", models.BigIntegerField()),
                ("since", models.DateTimeField(verbose_name="since")),
                ("until", models.DateTimeField(verbose_name="until")),
            ],
            options={
                "verbose_name": "past membership",
                "verbose_name_plural": "past memberships",
                "db_table": "segment_past",
                "indexes": [models.Index(fields=["customer_id"], name="segment_past_customer")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("since"))), name="segment_past_lasts"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SegmentSize",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id", "hour", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("segment_id", models.IntegerField()),
                ("hour", models.DateTimeField(verbose_name="hour")),
                ("members", models.BigIntegerField(verbose_name="members")),
                ("joined", models.BigIntegerField(verbose_name="joined")),
                ("left", models.BigIntegerField(verbose_name="left")),
            ],
            options={
                "verbose_name": "segment size",
                "verbose_name_plural": "segment sizes",
                "db_table": "segment_size",
            },
        ),
        migrations.CreateModel(
            name="SegmentDefinition",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("segment_id", models.IntegerField()),
                ("at", models.DateTimeField(verbose_name="at")),
                ("rule", models.JSONField(verbose_name="rule")),
            ],
            options={
                "verbose_name": "definition of a segment",
                "verbose_name_plural": "definitions of segments",
                "db_table": "segment_definition",
                "indexes": [models.Index(fields=["segment_id", "at"], name="segment_definition_segment")],
            },
        ),
        migrations.CreateModel(
            name="Foreseen",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("segment_id", models.IntegerField()),
                ("customer_id", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "foreseen change",
                "verbose_name_plural": "foreseen changes",
                "db_table": "segment_foreseen",
            },
        ),
        # What is known of the past of the segments that exist: their rule of now, and who joined when.
        migrations.RunSQL(
            "INSERT INTO segment_definition (segment_id, at, rule) SELECT id, updated_at, rule FROM segment",
            migrations.RunSQL.noop,
        ),
    ]
