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
    ]
