"""The datasets of a session are found by their names as well."""

import django.db.models.deletion
from django.db import migrations, models

from alyx.core.together import Together


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0009_bulk_audit_fewer_indexes"),
        ("lab_sessions", "0006_insertions_and_tasks"),
    ]
    operations = [
        Together(
            [
                migrations.AlterField(
                    model_name="dataset",
                    name="session",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="datasets",
                        to="lab_sessions.session",
                    ),
                ),
                migrations.AddIndex(
                    model_name="dataset",
                    index=models.Index(fields=["session", "name"], name="dataset_by_session_and_name"),
                ),
            ]
        )
    ]
