"""A pipeline task says on which repository's server it runs. Its model lives below and cannot: the database keeps the key true."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("datasets", "0004_use_of_datasets"), ("lab_sessions", "0006_insertions_and_tasks")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE lab_sessions_task ADD CONSTRAINT task_of_a_repository"
            " FOREIGN KEY (repository_id) REFERENCES datasets_repository (id) DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE lab_sessions_task DROP CONSTRAINT task_of_a_repository",
        )
    ]
