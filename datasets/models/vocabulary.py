"""Dataset types, formats, revisions and tags."""

from django.conf import settings
from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record


@audited()
class DatasetType(Record):
    """A kind of dataset, recognised by its file name."""

    name = models.CharField(max_length=255, unique=True, help_text="object.attribute in ALF's words")
    description = models.TextField(blank=True)
    filename_pattern = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="shell pattern, lower case; empty: object.attribute must equal the name",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class DataFormat(Record):
    """A file format, recognised by the end of the name."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    file_extension = models.CharField(max_length=64, unique=True, help_text="with the dot")
    python_loader_function = models.CharField(max_length=255, blank=True)
    matlab_loader_function = models.CharField(max_length=255, blank=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class Revision(Record):
    """A named revision of datasets: `#2024-01-10#` in a path."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class Tag(Record):
    """A label on datasets. A protected tag forbids changes, a public one opens reading."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    protected = models.BooleanField(default=False)
    public = models.BooleanField(default=False)
    hash = models.CharField(max_length=64, blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class RepositoryType(Record):
    """What kind of place a repository is, in the clients' words (`Fileserver` …). A repository holds the name itself."""

    name = models.CharField(max_length=64, unique=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
