"""Computed insights: one row per customer and feature, of whatever numbers the feature has."""

import django.contrib.postgres.fields
from django.db import migrations, models

TABLE = """
CREATE TABLE customer_insight (
    feature text NOT NULL,
    customer_id bigint NOT NULL,
    label text NULL,
    numbers numeric[] NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (feature, customer_id)
);
CREATE INDEX customer_insight_label ON customer_insight (feature, label, customer_id);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="FeatureState",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False, verbose_name="key")),
                ("parameters", models.JSONField(default=dict, verbose_name="parameters")),
                ("due_at", models.DateTimeField(null=True, verbose_name="next computation")),
                ("computed_at", models.DateTimeField(null=True, verbose_name="computed at")),
                ("compute_ms", models.IntegerField(null=True, verbose_name="computation time in ms")),
                ("people", models.BigIntegerField(null=True, verbose_name="people")),
                ("problem", models.TextField(null=True, verbose_name="problem")),
            ],
            options={
                "verbose_name": "computed insight",
                "verbose_name_plural": "computed insights",
                "db_table": "insight_feature",
            },
        ),
        migrations.RunSQL(
            TABLE,
            "DROP TABLE customer_insight",
            # numeric[] without a scale: Django's field needs one, and it would round sums.
            state_operations=[
                migrations.CreateModel(
                    name="CustomerInsight",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "feature",
                                "customer_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("feature", models.TextField(verbose_name="feature")),
                        ("customer_id", models.BigIntegerField(verbose_name="customer")),
                        ("label", models.TextField(null=True, verbose_name="label")),
                        (
                            "numbers",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.DecimalField(decimal_places=6, max_digits=30),
                                null=True,
                                size=None,
                                verbose_name="numbers",
                            ),
                        ),
                        ("changed_at", models.DateTimeField(verbose_name="changed at")),
                    ],
                    options={
                        "verbose_name": "insight",
                        "verbose_name_plural": "insights",
                        "db_table": "customer_insight",
                        "indexes": [
                            models.Index(fields=["feature", "label", "customer_id"], name="customer_insight_label")
                        ],
                    },
                ),
            ],
        ),
    ]
