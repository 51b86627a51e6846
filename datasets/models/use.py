"""Who uses datasets, and what users have to be told about them."""

from django.conf import settings
from django.db import models

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from datasets.models.dataset import Dataset


@audited()
class Download(Record):
    """How often somebody downloaded a dataset."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="downloads")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="downloads")
    count = models.PositiveIntegerField(default=0)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-updated_at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "dataset"], name="one_counter_per_user_and_dataset")]

    def __str__(self) -> str:
        return f"{self.user}: {self.dataset} × {self.count}"


class Importance(models.IntegerChoices):
    """As on the wire."""

    CRITICAL = 50, "critical"
    HIGH = 40, "high"
    MEDIUM = 30, "medium"
    LOW = 20, "low"


@audited()
class DataNotice(Record):
    """Something users of some datasets have to know."""

    name = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(blank=True, default="")
    importance = models.SmallIntegerField(choices=Importance, default=Importance.MEDIUM)
    version_affected = models.CharField(max_length=255, blank=True, default="")
    from_on = models.DateField(null=True, blank=True)
    to_on = models.DateField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    datasets = models.ManyToManyField(Dataset, blank=True, related_name="notices")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-importance", "-created_at", "id"]

    def __str__(self) -> str:
        return self.name or self.description[:60]


@audited_links
class DataNoticeDatasets(DataNotice.datasets.through):  # type: ignore[name-defined, misc]
    """What a notice is about, recorded."""

    class Meta:
        proxy = True
