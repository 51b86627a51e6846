"""The clock: one row that holds how far it is shifted (zero, except in tests and soaks), and `alyx_now()`."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE alyx_clock (single boolean PRIMARY KEY DEFAULT true CHECK (single), shift interval NOT NULL DEFAULT '0');
            INSERT INTO alyx_clock DEFAULT VALUES;
            CREATE FUNCTION alyx_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
                AS $$ SELECT statement_timestamp() + (SELECT shift FROM alyx_clock) $$;
            """,
            "DROP FUNCTION alyx_now(); DROP TABLE alyx_clock;",
        )
    ]
