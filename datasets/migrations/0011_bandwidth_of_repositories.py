"""What may be moved from and to a repository, at which hours."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from alyx.core.together import Together


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0010_index_by_session_and_name'),
    ]

    operations = [Together([
        pgtrigger.migrations.RemoveTrigger(
            model_name='repository',
            name='insert_insert',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='repository',
            name='update_update',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='repository',
            name='delete_delete',
        ),
        migrations.AddField(
            model_name='repository',
            name='bandwidth',
            field=models.TextField(blank=True, default='', help_text='what may be moved from and to it by its own clock, a stretch of the day a line: 08:00-18:00 20 MB/s, or nothing, or no limit; hours that no line names have no limit', max_length=2000),
        ),
        migrations.AddField(
            model_name='repositoryevent',
            name='bandwidth',
            field=models.TextField(blank=True, default='', help_text='what may be moved from and to it by its own clock, a stretch of the day a line: 08:00-18:00 20 MB/s, or nothing, or no limit; hours that no line names have no limit', max_length=2000),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='repository',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "datasets_repositoryevent" ("bandwidth", "canary", "case_sensitive", "created_at", "credential", "data_url", "endpoint", "failure_domain", "globus_endpoint_id", "globus_path", "hostname", "id", "json", "kind", "name", "on_personal_computer", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "region", "repository_type", "role", "root", "state", "state_reason", "timezone", "updated_at", "uuid_in_names", "window_end", "window_start") VALUES (NEW."bandwidth", NEW."canary", NEW."case_sensitive", NEW."created_at", NEW."credential", NEW."data_url", NEW."endpoint", NEW."failure_domain", NEW."globus_endpoint_id", NEW."globus_path", NEW."hostname", NEW."id", NEW."json", NEW."kind", NEW."name", NEW."on_personal_computer", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."region", NEW."repository_type", NEW."role", NEW."root", NEW."state", NEW."state_reason", NEW."timezone", NEW."updated_at", NEW."uuid_in_names", NEW."window_end", NEW."window_start"); RETURN NULL;', hash='ed6e54acf399d25786a5188697586347ee5f7d10', operation='INSERT', pgid='pgtrigger_insert_insert_069e8', table='datasets_repository', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='repository',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "datasets_repositoryevent" ("bandwidth", "canary", "case_sensitive", "created_at", "credential", "data_url", "endpoint", "failure_domain", "globus_endpoint_id", "globus_path", "hostname", "id", "json", "kind", "name", "on_personal_computer", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "region", "repository_type", "role", "root", "state", "state_reason", "timezone", "updated_at", "uuid_in_names", "window_end", "window_start") VALUES (NEW."bandwidth", NEW."canary", NEW."case_sensitive", NEW."created_at", NEW."credential", NEW."data_url", NEW."endpoint", NEW."failure_domain", NEW."globus_endpoint_id", NEW."globus_path", NEW."hostname", NEW."id", NEW."json", NEW."kind", NEW."name", NEW."on_personal_computer", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."region", NEW."repository_type", NEW."role", NEW."root", NEW."state", NEW."state_reason", NEW."timezone", NEW."updated_at", NEW."uuid_in_names", NEW."window_end", NEW."window_start"); RETURN NULL;', hash='e51c74328fac5083702a3dad83ec19b9ae5c9039', operation='UPDATE', pgid='pgtrigger_update_update_7974f', table='datasets_repository', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='repository',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "datasets_repositoryevent" ("bandwidth", "canary", "case_sensitive", "created_at", "credential", "data_url", "endpoint", "failure_domain", "globus_endpoint_id", "globus_path", "hostname", "id", "json", "kind", "name", "on_personal_computer", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "region", "repository_type", "role", "root", "state", "state_reason", "timezone", "updated_at", "uuid_in_names", "window_end", "window_start") VALUES (OLD."bandwidth", OLD."canary", OLD."case_sensitive", OLD."created_at", OLD."credential", OLD."data_url", OLD."endpoint", OLD."failure_domain", OLD."globus_endpoint_id", OLD."globus_path", OLD."hostname", OLD."id", OLD."json", OLD."kind", OLD."name", OLD."on_personal_computer", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."region", OLD."repository_type", OLD."role", OLD."root", OLD."state", OLD."state_reason", OLD."timezone", OLD."updated_at", OLD."uuid_in_names", OLD."window_end", OLD."window_start"); RETURN NULL;', hash='cb87ba3a194c4b146f03a7df04fb6c6524241668', operation='DELETE', pgid='pgtrigger_delete_delete_dc699', table='datasets_repository', when='AFTER')),
        ),
    ])]
