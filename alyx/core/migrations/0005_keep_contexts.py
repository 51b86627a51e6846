"""Who, by which path and why: the contexts that the audit's events point to are kept as the events are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0004_no_truncate_anywhere"), ("pghistory", "0007_auto_20250421_0444")]
    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION alyx_keep_context() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'TRUNCATE' AND coalesce(current_setting('alyx.allow_truncate', true), '') = 'on' THEN
                    RETURN NULL;
                END IF;
                RAISE EXCEPTION '% of % is refused: it says who changed what, and why', TG_OP, TG_TABLE_NAME;
            END $$;
            CREATE TRIGGER keep_context BEFORE DELETE ON pghistory_context
                FOR EACH ROW EXECUTE FUNCTION alyx_keep_context();
            CREATE TRIGGER keep_contexts BEFORE TRUNCATE ON pghistory_context
                FOR EACH STATEMENT EXECUTE FUNCTION alyx_keep_context();
            """,
            """
            DROP TRIGGER keep_context ON pghistory_context;
            DROP TRIGGER keep_contexts ON pghistory_context;
            DROP FUNCTION alyx_keep_context();
            """,
        )
    ]
