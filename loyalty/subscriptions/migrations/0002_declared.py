"""Declarations of an address within a day are counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="declaration",
            index=models.Index(fields=["email", "received_at"], name="subscription_declared_from"),
        ),
    ]
