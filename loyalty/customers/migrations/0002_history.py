import django.db.models.deletion
from django.db import migrations, models


CLASSES = """
UPDATE attribute SET source_class = NULL
WHERE source_class NOT IN ('zero', 'first', 'second', 'third')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('customer_id', models.BigIntegerField()),
                ('at', models.DateTimeField(verbose_name='at')),
                ('actor', models.TextField(null=True, verbose_name='changed by')),
                ('reason', models.TextField(null=True, verbose_name='reason')),
                ('before', models.JSONField(verbose_name='before')),
            ],
            options={
                'db_table': 'customer_revision',
            },
        ),
        migrations.CreateModel(
            name='ImportRejection',
            fields=[
                ('pk', models.CompositePrimaryKey('job_id', 'line', blank=True, editable=False, primary_key=True, serialize=False)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rejections', to='customers.importjob')),
                ('line', models.BigIntegerField()),
                ('problems', models.TextField()),
                ('cells', models.JSONField()),
            ],
            options={
                'db_table': 'import_rejection',
            },
        ),
        migrations.CreateModel(
            name='ImportUpload',
            fields=[
                ('pk', models.CompositePrimaryKey('job_id', 'part', blank=True, editable=False, primary_key=True, serialize=False)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to='customers.importjob')),
                ('part', models.IntegerField()),
                ('data', models.BinaryField()),
            ],
            options={
                'db_table': 'import_upload',
            },
        ),
        migrations.CreateModel(
            name='QualityFigure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('key', models.TextField(verbose_name='check')),
                ('found', models.BigIntegerField(verbose_name='found')),
                ('total', models.BigIntegerField(verbose_name='total')),
                ('computed_at', models.DateTimeField(verbose_name='computed at')),
            ],
            options={
                'db_table': 'quality_figure',
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.TextField(verbose_name='key')),
                ('source_class', models.TextField(choices=[('zero', 'told by the person'), ('first', 'observed by us'), ('second', 'from a partner'), ('third', 'bought')], null=True, verbose_name='class')),
                ('name', models.JSONField(default=dict, verbose_name='name')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
            ],
            options={
                'verbose_name': 'source',
                'verbose_name_plural': 'sources',
                'db_table': 'customer_source',
            },
        ),
        migrations.RemoveConstraint(
            model_name='importjob',
            name='import_job_state',
        ),
        migrations.AddField(
            model_name='importjob',
            name='actor',
            field=models.TextField(null=True, verbose_name='by'),
        ),
        migrations.AddField(
            model_name='importjob',
            name='options',
            field=models.JSONField(null=True, verbose_name='options'),
        ),
        migrations.AddField(
            model_name='importjob',
            name='problem',
            field=models.TextField(null=True, verbose_name='problem'),
        ),
        migrations.AddField(
            model_name='importjob',
            name='report',
            field=models.JSONField(null=True, verbose_name='report'),
        ),
        migrations.AlterField(
            model_name='attribute',
            name='source_class',
            field=models.TextField(choices=[('zero', 'told by the person'), ('first', 'observed by us'), ('second', 'from a partner'), ('third', 'bought')], null=True, verbose_name='source class'),
        ),
        migrations.AlterField(
            model_name='importjob',
            name='state',
            field=models.TextField(choices=[('draft', 'being prepared'), ('waiting', 'waiting'), ('failed', 'failed'), ('running', 'running'), ('finished', 'finished')], verbose_name='state'),
        ),
        migrations.AddConstraint(
            model_name='importjob',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'waiting', 'failed', 'running', 'finished'])), name='import_job_state'),
        ),
        migrations.AddConstraint(
            model_name='qualityfigure',
            constraint=models.UniqueConstraint(fields=('day', 'key'), name='quality_figure_key'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.UniqueConstraint(fields=('key',), name='customer_source_key'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.CheckConstraint(condition=models.Q(('source_class__isnull', True), ('source_class__in', ['zero', 'first', 'second', 'third']), _connector='OR'), name='customer_source_class'),
        ),
        migrations.AddField(
            model_name='customerrevision',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='customers.source', verbose_name='source'),
        ),
        migrations.AddField(
            model_name='attribute',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='customers.source', verbose_name='first seen in'),
        ),
        migrations.AddField(
            model_name='customer',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='customers.source', verbose_name='source'),
        ),
        migrations.AddField(model_name='customer', name='row_digest', field=models.BinaryField(null=True)),
        migrations.AddField(model_name='customer', name='row_read_at', field=models.DateTimeField(null=True)),
        # A class was free text before; what is none of the four stood for where a value was seen first.
        migrations.RunSQL(CLASSES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='attribute',
            constraint=models.CheckConstraint(condition=models.Q(('source_class__isnull', True), ('source_class__in', ['zero', 'first', 'second', 'third']), _connector='OR'), name='attribute_source_class'),
        ),
        migrations.AddIndex(
            model_name='customerrevision',
            index=models.Index(fields=['customer_id', 'id'], name='customer_revision_customer'),
        ),
    ]
