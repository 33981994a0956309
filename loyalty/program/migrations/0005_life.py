from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("program", "0004_earning")]

    operations: list = []
