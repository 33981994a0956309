from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("program", "0003_companions")]

    operations: list = []
