"""How a lab wants found files to be taken in."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited
from alyx.core.records import Record
from alyx.labs.models import Lab
from transfers.rules.quiescence import QUIET_MINUTES


@audited()
class IntakePolicy(Record):
    """What the nightly scan and the copy agent do with files of a lab that lie at its repositories unregistered."""

    lab = models.OneToOneField(Lab, on_delete=models.PROTECT, related_name="intake")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="files are registered in its name: a service account of the lab (role rig), or yourself",
    )
    nightly = models.BooleanField(default=True, help_text="look through the lab's repositories each night")
    quiet_minutes = models.PositiveSmallIntegerField(
        default=QUIET_MINUTES, help_text="a file is finished when two looks this far apart saw the same size and time"
    )
    flag_name = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="name of a file in the session's folder that says the session is complete; empty: not waited for",
    )
    create_sessions = models.BooleanField(
        default=False, help_text="make the session of a folder that has none, if the lab has the subject"
    )
    compress_ephys = models.BooleanField(
        default=False,
        help_text="the copy agent makes .ap.bin and .lf.bin to .cbin before they are registered (lossless)",
    )
    compress_video = models.BooleanField(
        default=False,
        help_text="the copy agent makes raw video to h264, crf 29, before it is registered: lossy, pixels change",
    )

    class Meta(Record.Meta):
        ordering = ["lab__name"]
        verbose_name_plural = "intake policies"
        constraints = [
            models.CheckConstraint(condition=Q(quiet_minutes__lte=10_080), name="quiet_for_a_week_at_most"),
            models.CheckConstraint(condition=~Q(flag_name__contains="/"), name="flag_is_a_name"),
        ]

    def __str__(self) -> str:
        return f"intake of {self.lab}"
