"""What people decided about trouble of the night: not to be shown again, or told to somebody else."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited
from alyx.core.records import Record
from alyx.labs.models import Lab


class DecisionKind(models.TextChoices):
    """What was decided."""

    IGNORED = "ignored", "needs nobody"
    ESCALATED = "escalated", "told to the heads of the lab"


class About(models.TextChoices):
    """What kind of thing it is about."""

    ITEM = "item", "a file on its way"
    PLACE = "place", "a repository"
    COPY = "copy", "a copy in doubt"


@audited()
class Decision(Record):
    """Somebody looked at one trouble of one thing, and why it was left or passed on.

    It holds for this `code` of this thing until it is ended: by a retry, or by new trouble that began after it.
    """

    kind = models.CharField(max_length=16, choices=DecisionKind)
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="night_decisions")
    about = models.CharField(max_length=8, choices=About)
    subject_id = models.UUIDField()
    code = models.CharField(max_length=32)
    reason = models.TextField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_id", "code", "kind", "lab"],
                condition=Q(ended_at__isnull=True),
                name="one_decision_that_holds",
            )
        ]

    def __str__(self) -> str:
        return f"{self.about} {self.subject_id} {self.code}: {self.kind}"
