import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("program", "0004_earning")]

    operations = [
        migrations.AddField("lot", "awaits", models.TextField(null=True, verbose_name="waits for")),
        migrations.AddField("lot", "lapses", models.BooleanField(default=False, db_default=False)),
        migrations.AddIndex(
            "lot",
            models.Index(
                fields=["member_id"],
                name="lot_awaits",
                condition=models.Q(awaits__isnull=False, pending__gt=0),
            ),
        ),
        migrations.AddField("program", "earns_until", models.DateField(null=True, verbose_name="last day to earn")),
        migrations.AddField("program", "spends_until", models.DateField(null=True, verbose_name="last day to spend")),
        migrations.CreateModel(
            name="MemberPin",
            fields=[
                ("member_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="member")),
                ("salt", models.BinaryField()),
                ("hash", models.BinaryField()),
                ("set_at", models.DateTimeField(verbose_name="set at")),
            ],
            options={"verbose_name": "PIN", "verbose_name_plural": "PINs", "db_table": "member_pin"},
        ),
        migrations.CreateModel(
            name="Ending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_earning_day", models.DateField(verbose_name="last day to earn")),
                ("last_spending_day", models.DateField(verbose_name="last day to spend")),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("requested", "requested"),
                            ("approved", "approved"),
                            ("rejected", "rejected"),
                            ("undone", "undone"),
                        ],
                        default="requested",
                        verbose_name="state",
                    ),
                ),
                ("requested_by", models.TextField(verbose_name="requested by")),
                ("requested_at", models.DateTimeField(verbose_name="requested at")),
                ("decided_by", models.TextField(null=True, verbose_name="decided by")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                ("told_until", models.BigIntegerField(default=0)),
                ("begun_at", models.DateTimeField(null=True, verbose_name="begun at")),
                (
                    "program",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="program.program",
                        verbose_name="program",
                    ),
                ),
            ],
            options={
                "verbose_name": "end of a program",
                "verbose_name_plural": "ends of programs",
                "db_table": "program_end",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["requested", "approved"])),
                        fields=("program",),
                        name="program_ending_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["requested", "approved", "rejected", "undone"])),
                        name="program_ending_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "approved"), _negated=True),
                            models.Q(("decided_by", models.F("requested_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="program_ending_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_spending_day__gte", models.F("last_earning_day"))),
                        name="program_ending_order",
                    ),
                ],
            },
        ),
    ]
