"""Requests of people about their data."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='RightsRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('access', 'access'), ('portability', 'data to take along'), ('rectify', 'correction'), ('erase', 'erasure'), ('restrict', 'restriction'), ('release', 'end of a restriction'), ('object', 'objection')], verbose_name='kind')),
                ('state', models.TextField(choices=[('open', 'open'), ('done', 'done'), ('refused', 'refused')], default='open', verbose_name='state')),
                ('customer_id', models.BigIntegerField(db_index=True, null=True, verbose_name='customer')),
                ('contact', models.TextField(null=True, verbose_name='how to answer')),
                ('received_at', models.DateTimeField(verbose_name='received at')),
                ('due_at', models.DateTimeField(verbose_name='due at')),
                ('extension_reason', models.TextField(null=True, verbose_name='why it takes longer')),
                ('identity_checked_at', models.DateTimeField(null=True, verbose_name='identity checked at')),
                ('identity_checked_by', models.TextField(null=True, verbose_name='identity checked by')),
                ('identity_how', models.TextField(null=True, verbose_name='how the identity was checked')),
                ('notes', models.TextField(null=True, verbose_name='notes')),
                ('filed_by', models.TextField(verbose_name='filed by')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='closed at')),
                ('closed_by', models.TextField(null=True, verbose_name='closed by')),
                ('outcome', models.TextField(null=True, verbose_name='outcome')),
            ],
            options={
                'verbose_name': 'request',
                'verbose_name_plural': 'requests',
                'db_table': 'rights_request',
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['due_at'], name='rights_request_open')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('customer_id', 'kind'), name='rights_request_once_open'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state', 'open')), models.Q(('closed_at__isnull', False), ('outcome__isnull', False), ('state__in', ['done', 'refused'])), _connector='OR'), name='rights_request_closed'), models.CheckConstraint(condition=models.Q(('kind__in', ['access', 'portability', 'rectify', 'erase', 'restrict', 'release', 'object'])), name='rights_request_kind')],
            },
        ),
    ]
