"""A logical file and the bytes it means, version by version."""

from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, audited_links, no_truncate
from alyx.core.clock import AlyxNow
from alyx.core.json_column import JSONColumn
from alyx.core.qc import QC
from alyx.core.records import Record
from datasets.models.vocabulary import DataFormat, DatasetType, Revision, Tag
from sessions.models import Session


class HashState(models.TextChoices):
    """How we know the digest of the current version."""

    PENDING = "pending", "nobody has hashed it yet"
    ATTESTED = "attested", "given at registration"
    OBSERVED = "observed", "hashed by us where the bytes lay"
    DISPUTED = "disputed", "copies disagree with it"


class DatasetQuerySet(models.QuerySet["Dataset"]):
    """Datasets, as callers ask for them."""

    def shown(self) -> "DatasetQuerySet":
        """Those not withdrawn."""
        return self.filter(withdrawn_at__isnull=True)

    def protected(self) -> "DatasetQuerySet":
        """Those with a protected tag."""
        return self.filter(tags__protected=True).distinct()


@audited(in_bulk=True)
class Dataset(Record):
    """A file of a session, or of another object (an aggregate: of a subject, a tag, a project …).

    `content_version` counts which bytes are meant; size and digests are those of that version. `size_bytes` may be null
    until somebody says or sees it.
    """

    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.PROTECT, related_name="datasets", db_index=False
    )
    content_type = models.ForeignKey(
        ContentType, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    object_id = models.UUIDField(null=True, blank=True)
    content_object = GenericForeignKey()
    collection = models.CharField(max_length=1000, blank=True, default="")
    revision = models.ForeignKey(Revision, null=True, blank=True, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=255)
    dataset_type = models.ForeignKey(DatasetType, on_delete=models.PROTECT, related_name="datasets")
    data_format = models.ForeignKey(DataFormat, on_delete=models.PROTECT, related_name="datasets")
    content_version = models.PositiveIntegerField(default=1)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    md5 = models.CharField(max_length=32, blank=True, default="", help_text="lower-case hex")
    sha256 = models.CharField(max_length=64, blank=True, default="", help_text="lower-case hex")
    hash_state = models.CharField(max_length=16, choices=HashState, default=HashState.PENDING)
    software_version = models.CharField(max_length=255, null=True, blank=True, help_text="of what made it")
    generating_software = models.CharField(max_length=255, blank=True, default="")
    qc = models.SmallIntegerField(choices=QC, default=QC.NOT_SET)
    is_default = models.BooleanField(default=True, help_text="the revision that clients get when they name none")
    tags = models.ManyToManyField(Tag, blank=True, related_name="datasets")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: Any = DatasetQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(session__isnull=False, content_type__isnull=True, object_id__isnull=True)
                | Q(session__isnull=True, content_type__isnull=False, object_id__isnull=False),
                name="dataset_of_a_session_or_of_an_object",
            ),
            models.UniqueConstraint(
                fields=["session", "content_type", "object_id", "collection", "name", "revision"],
                condition=Q(withdrawn_at__isnull=True),
                nulls_distinct=False,
                name="dataset_unique_by_owner_and_path",
            ),
            models.UniqueConstraint(
                fields=["session", "content_type", "object_id", "collection", "name"],
                condition=Q(withdrawn_at__isnull=True, is_default=True),
                nulls_distinct=False,
                name="one_default_revision_per_file",
            ),
            models.CheckConstraint(
                condition=Q(size_bytes__isnull=True) | Q(size_bytes__gte=0), name="dataset_size_not_negative"
            ),
            models.CheckConstraint(condition=Q(md5="") | Q(md5__regex=r"^[0-9a-f]{32}$"), name="dataset_md5_is_hex"),
            models.CheckConstraint(
                condition=Q(sha256="") | Q(sha256__regex=r"^[0-9a-f]{64}$"), name="dataset_sha256_is_hex"
            ),
            models.CheckConstraint(
                condition=Q(hash_state="pending", md5="", sha256="")
                | (~Q(hash_state="pending") & Q(size_bytes__isnull=False) & (~Q(md5="") | ~Q(sha256=""))),
                name="digest_iff_not_pending",
            ),
            models.CheckConstraint(condition=Q(content_version__gte=1), name="dataset_version_from_one"),
        ]
        indexes = [
            models.Index(
                fields=["-created_at", "id"], name="dataset_shown_newest_first", condition=Q(withdrawn_at__isnull=True)
            ),
            models.Index(fields=["session", "name"], name="dataset_by_session_and_name"),
            models.Index(fields=["name"], name="dataset_by_name"),
            models.Index(
                fields=["content_type", "object_id"], name="dataset_by_object", condition=Q(session__isnull=True)
            ),
            models.Index(fields=["md5"], name="dataset_by_md5"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def path(self) -> str:
        """`collection/#revision#/name`."""
        return "/".join(
            part for part in (self.collection, f"#{self.revision.name}#" if self.revision else "", self.name) if part
        )

    @property
    def hash(self) -> str:
        """The digest clients see: MD5 where there is one."""
        return self.md5 or self.sha256


_WRITTEN_ONCE = """
IF TG_OP = 'DELETE' OR NEW.dataset_id <> OLD.dataset_id OR NEW.content_version <> OLD.content_version
   OR OLD.size_bytes IS NOT NULL AND NEW.size_bytes IS DISTINCT FROM OLD.size_bytes
   OR OLD.md5 <> '' AND NEW.md5 <> OLD.md5 OR OLD.sha256 <> '' AND NEW.sha256 <> OLD.sha256 THEN
    RAISE EXCEPTION 'what a version of a dataset meant is written once' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


class ContentVersion(models.Model):
    """Which bytes a version of a dataset meant. Written once per version, filled when a digest becomes known, never removed."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions", db_index=False)
    content_version = models.PositiveIntegerField()
    size_bytes = models.BigIntegerField(null=True)
    md5 = models.CharField(max_length=32, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    registered_at = models.DateTimeField(db_default=AlyxNow())

    class Meta:
        ordering = ["dataset", "content_version"]
        constraints = [models.UniqueConstraint(fields=["dataset", "content_version"], name="one_row_per_version")]
        triggers = [
            no_truncate(),
            pgtrigger.Trigger(
                name="written_once",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=_WRITTEN_ONCE,
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.content_version}"


@audited_links
class DatasetTags(Dataset.tags.through):  # type: ignore[name-defined, misc]
    """Which dataset carries which tag, recorded."""

    class Meta:
        proxy = True
