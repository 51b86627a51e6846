"""The reward earned in a session points to it. The model of the water lives below and cannot: the database keeps the key true."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lab_sessions", "0004_no_truncate_anywhere"), ("subjects", "0003_animal_side")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE subjects_wateradministration ADD CONSTRAINT reward_of_a_session"
            " FOREIGN KEY (session_id) REFERENCES lab_sessions_session (id) DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE subjects_wateradministration DROP CONSTRAINT reward_of_a_session",
        )
    ]
