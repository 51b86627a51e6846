"""The inserts of files and copies are audited by statement; indexes that only cost are dropped; one for the list of those shown."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from alyx.core.together import Together


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("datasets", "0008_globus_repositories"),
        ("lab_sessions", "0006_insertions_and_tasks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                pgtrigger.migrations.RemoveTrigger(
                    model_name="dataset",
                    name="insert_insert",
                ),
                pgtrigger.migrations.RemoveTrigger(
                    model_name="filerecord",
                    name="insert_insert",
                ),
                migrations.RemoveIndex(
                    model_name="dataset",
                    name="dataset_newest_first",
                ),
                migrations.AlterField(
                    model_name="contentversion",
                    name="dataset",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="datasets.dataset",
                    ),
                ),
                migrations.AlterField(
                    model_name="dataset",
                    name="content_type",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="contenttypes.contenttype",
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="content_type",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="contenttypes.contenttype",
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="created_by",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="data_format",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="datasets.dataformat",
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="dataset_type",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="datasets.datasettype",
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="revision",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="datasets.revision",
                    ),
                ),
                migrations.AlterField(
                    model_name="datasetevent",
                    name="session",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="lab_sessions.session",
                    ),
                ),
                migrations.AlterField(
                    model_name="filerecord",
                    name="dataset",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="file_records",
                        to="datasets.dataset",
                    ),
                ),
                migrations.AlterField(
                    model_name="filerecord",
                    name="repository",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="file_records",
                        to="datasets.repository",
                    ),
                ),
                migrations.AlterField(
                    model_name="filerecordevent",
                    name="dataset",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="datasets.dataset",
                    ),
                ),
                migrations.AlterField(
                    model_name="filerecordevent",
                    name="repository",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="datasets.repository",
                    ),
                ),
                migrations.AddIndex(
                    model_name="dataset",
                    index=models.Index(
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        fields=["-created_at", "id"],
                        name="dataset_shown_newest_first",
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="dataset",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "datasets_datasetevent" ("collection", "content_type_id", "content_version", "created_at", "created_by_id", "data_format_id", "dataset_type_id", "generating_software", "hash_state", "id", "is_default", "json", "md5", "name", "object_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "qc", "revision_id", "session_id", "sha256", "size_bytes", "software_version", "updated_at", "withdrawn_at") SELECT new_values."collection", new_values."content_type_id", new_values."content_version", new_values."created_at", new_values."created_by_id", new_values."data_format_id", new_values."dataset_type_id", new_values."generating_software", new_values."hash_state", new_values."id", new_values."is_default", new_values."json", new_values."md5", new_values."name", new_values."object_id", _pgh_attached_context.value, NOW(), \'insert\', new_values."id", new_values."qc", new_values."revision_id", new_values."session_id", new_values."sha256", new_values."size_bytes", new_values."software_version", new_values."updated_at", new_values."withdrawn_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                            hash="01273c5a68506a0d5a9049286989224ccb911927",
                            level="STATEMENT",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_b83c9",
                            referencing="REFERENCING NEW TABLE AS new_values ",
                            table="datasets_dataset",
                            when="AFTER",
                        ),
                    ),
                ),
                pgtrigger.migrations.AddTrigger(
                    model_name="filerecord",
                    trigger=pgtrigger.compiler.Trigger(
                        name="insert_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "datasets_filerecordevent" ("content_version", "created_at", "dataset_id", "evidence", "evidence_level", "first_miss_at", "id", "json", "last_seen_at", "look_due_at", "md5", "path_key", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "relative_path", "repository_id", "sha256", "size_bytes", "state", "stored_path", "updated_at", "verified_at") SELECT new_values."content_version", new_values."created_at", new_values."dataset_id", new_values."evidence", new_values."evidence_level", new_values."first_miss_at", new_values."id", new_values."json", new_values."last_seen_at", new_values."look_due_at", new_values."md5", new_values."path_key", _pgh_attached_context.value, NOW(), \'insert\', new_values."id", new_values."reason", new_values."relative_path", new_values."repository_id", new_values."sha256", new_values."size_bytes", new_values."state", new_values."stored_path", new_values."updated_at", new_values."verified_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                            hash="813eb52edba2f9fcd03de1ed46abcf705f734444",
                            level="STATEMENT",
                            operation="INSERT",
                            pgid="pgtrigger_insert_insert_690c7",
                            referencing="REFERENCING NEW TABLE AS new_values ",
                            table="datasets_filerecord",
                            when="AFTER",
                        ),
                    ),
                ),
            ]
        )
    ]
