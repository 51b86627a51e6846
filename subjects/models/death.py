"""The end of a life, and what harmed on the way."""

from django.conf import settings
from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from subjects.models.moments import Moment
from subjects.models.subject import Severity, Subject
from subjects.models.vocabulary import CullMethod, CullReason


@audited()
class Cull(Record):
    """An animal was killed. Its date and the animal's death date are kept equal."""

    subject = models.OneToOneField(Subject, on_delete=models.PROTECT, related_name="cull")
    culled_on = models.DateField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="culls"
    )
    reason = models.ForeignKey(CullReason, null=True, blank=True, on_delete=models.PROTECT, related_name="culls")
    method = models.ForeignKey(CullMethod, null=True, blank=True, on_delete=models.PROTECT, related_name="culls")
    description = models.TextField(blank=True, default="")
    name = models.CharField(max_length=255, blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-culled_on", "id"]

    def __str__(self) -> str:
        return f"{self.subject}, {self.culled_on}"


@audited()
class AdverseEffect(Moment):
    """Something harmed an animal: what, how badly, and what was done."""

    description = models.TextField()
    severity = models.PositiveSmallIntegerField(choices=Severity, null=True, blank=True)
    action_taken = models.TextField(blank=True, default="")
    resolved_on = models.DateField(null=True, blank=True)

    class Meta(Moment.Meta):
        pass

    def __str__(self) -> str:
        return self.description[:60]
