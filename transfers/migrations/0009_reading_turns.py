"""Who reads copies at a place whose bandwidth is limited."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0011_bandwidth_of_repositories'),
        ('transfers', '0008_failed_attempts'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReadingTurn',
            fields=[
                ('repository', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='datasets.repository')),
                ('owner', models.CharField(max_length=64)),
                ('until', models.DateTimeField(help_text='it lapses by itself: a killed reader leaves nothing')),
            ],
            options={
                'ordering': ['repository'],
            },
        ),
    ]
