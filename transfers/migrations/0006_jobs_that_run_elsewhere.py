from django.db import migrations, models

from alyx.core.together import Together


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0008_globus_repositories'),
        ('transfers', '0005_decisions_and_pulses'),
    ]

    operations = [Together([
        migrations.AddField(
            model_name='transferitem',
            name='company',
            field=models.PositiveSmallIntegerField(blank=True, help_text='goes in a job of at most so many files: an earlier one failed as a whole', null=True),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='claims',
            field=models.PositiveSmallIntegerField(default=0, help_text='how often it was taken up since a step last ended well'),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='due_at',
            field=models.DateTimeField(blank=True, help_text='not taken up, nor asked about, before', null=True),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='handle_at',
            field=models.DateTimeField(blank=True, help_text='since when submission_id is the one that the service gave out', null=True),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='remote_problem',
            field=models.CharField(blank=True, default='', help_text='why it stands still, or ended badly: a code of errors', max_length=32),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='remote_state',
            field=models.CharField(blank=True, choices=[('active', 'Active'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('expired', 'Expired'), ('cancelled', 'Cancelled')], default='', max_length=16),
        ),
        migrations.AddField(
            model_name='transferjob',
            name='remote_status',
            field=models.JSONField(blank=True, default=dict, help_text='progress, said (of the problem), and who cancelled it and why'),
        ),
        migrations.AddIndex(
            model_name='transferjob',
            index=models.Index(condition=models.Q(('remote_state', 'active')), fields=['due_at'], name='jobs_running_elsewhere'),
        ),
        migrations.AddConstraint(
            model_name='transferjob',
            constraint=models.CheckConstraint(condition=models.Q(('remote_state', ''), ('remote_id__isnull', False), _connector='OR'), name='remote_state_of_something_remote'),
        ),
    ])]
