from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ChoreState",
            fields=[
                ("key", models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name="key")),
                ("last_started_at", models.DateTimeField(null=True, verbose_name="last started")),
                ("last_finished_at", models.DateTimeField(null=True, verbose_name="last finished")),
                ("last_done", models.BigIntegerField(default=0, verbose_name="last done")),
                ("runs", models.BigIntegerField(default=0, verbose_name="runs")),
                ("failures", models.BigIntegerField(default=0, verbose_name="failures")),
                ("last_error", models.TextField(null=True, verbose_name="last error")),
                ("last_ms", models.IntegerField(default=0, verbose_name="last milliseconds")),
            ],
            options={
                "verbose_name": "chore",
                "verbose_name_plural": "chores",
                "db_table": "chore_state",
                "ordering": ["key"],
            },
        ),
    ]
