import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("program", "0003_companions")]

    operations = [
        migrations.AddField(
            "earningrule",
            "budget_empty_at",
            models.DateTimeField(null=True, verbose_name="budget used up at"),
        ),
        migrations.CreateModel(
            name="RuleUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "rule_id", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("rule_id", models.IntegerField(verbose_name="earning rule")),
                ("day", models.DateField(verbose_name="day")),
                ("used_points", models.BigIntegerField(verbose_name="points used")),
            ],
            options={
                "verbose_name": "use of a budget",
                "verbose_name_plural": "uses of budgets",
                "db_table": "earning_rule_use",
            },
        ),
        migrations.CreateModel(
            name="CheckInPlace",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("key", models.TextField(verbose_name="key")),
                ("name", models.JSONField(default=dict, verbose_name="name")),
                ("definition", models.JSONField(default=dict)),
                ("generation", models.SmallIntegerField(default=1)),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("updated_at", models.DateTimeField(verbose_name="updated at")),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING, to="program.program", verbose_name="program"
                    ),
                ),
            ],
            options={
                "verbose_name": "place to check in",
                "verbose_name_plural": "places to check in",
                "db_table": "check_in_place",
                "constraints": [models.UniqueConstraint(fields=("key",), name="check_in_place_key")],
            },
        ),
    ]
