from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flows", "0002_tables")]

    operations = [
        migrations.AddField("flow", "goal_numbers", models.JSONField(null=True, blank=True)),
        migrations.AlterField("enrollmentfailure", "enrollment_id", models.BigIntegerField(null=True, db_index=True)),
        migrations.AddField("enrollmentfailure", "version_id", models.IntegerField(default=0), preserve_default=False),
        migrations.AddField(
            "enrollmentfailure", "customer_id", models.BigIntegerField(default=0, db_index=True), preserve_default=False
        ),
    ]
