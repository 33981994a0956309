from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("program", "0005_life")]

    operations: list = []
