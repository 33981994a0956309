"""Joining customers with a log that can be undone, restriction, and two more kinds of keys."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0002_history'),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerGone',
            fields=[
                ('customer_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('heir_id', models.BigIntegerField(null=True)),
                ('seen_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'customer_gone',
            },
        ),
        migrations.CreateModel(
            name='CustomerMerge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('winner_id', models.BigIntegerField(verbose_name='customer')),
                ('loser_id', models.BigIntegerField(verbose_name='joined customer')),
                ('merged_at', models.DateTimeField(verbose_name='joined at')),
                ('reason', models.TextField(verbose_name='reason')),
                ('actor', models.TextField(null=True, verbose_name='by')),
                ('loser', models.JSONField()),
                ('winner_before', models.JSONField()),
                ('moved', models.JSONField(default=dict)),
                ('undone_at', models.DateTimeField(null=True, verbose_name='undone at')),
                ('undone_by', models.TextField(null=True, verbose_name='undone by')),
            ],
            options={
                'verbose_name': 'joined customer',
                'verbose_name_plural': 'joined customers',
                'db_table': 'customer_merge',
            },
        ),
        migrations.RemoveConstraint(
            model_name='customeridentity',
            name='customer_identity_kind',
        ),
        migrations.AddField(
            model_name='customer',
            name='restricted_at',
            field=models.DateTimeField(null=True, verbose_name='restricted since'),
        ),
        migrations.AddField(
            model_name='customer',
            name='restricted_by',
            field=models.TextField(null=True, verbose_name='restricted by'),
        ),
        migrations.AddField(
            model_name='customer',
            name='restricted_reason',
            field=models.TextField(null=True, verbose_name='reason of the restriction'),
        ),
        migrations.AlterField(
            model_name='customeridentity',
            name='kind',
            field=models.TextField(choices=[('card', 'card'), ('anonymous_id', 'anonymous visitor'), ('device', 'device'), ('telegram', 'Telegram'), ('whatsapp', 'WhatsApp'), ('partner', 'partner'), ('receipt', 'receipt'), ('external_id', 'former external id')], verbose_name='kind'),
        ),
        migrations.AddConstraint(
            model_name='customeridentity',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ('card', 'anonymous_id', 'device', 'telegram', 'whatsapp', 'partner', 'receipt', 'external_id'))), name='customer_identity_kind'),
        ),
        migrations.AddIndex(
            model_name='customermerge',
            index=models.Index(fields=['winner_id'], name='customer_merge_winner'),
        ),
        migrations.AddIndex(
            model_name='customermerge',
            index=models.Index(fields=['loser_id'], name='customer_merge_loser'),
        ),
    ]
