"""What the look at a repository before the night found."""

import pgtrigger
from django.db import models
from django.db.models import Q

from alyx.core.audit import no_truncate
from alyx.core.clock import AlyxNow
from datasets.models import Repository


class Preflight(models.Model):
    """One look, written once. In the evening there is one for each local date of the repository; by hand any number."""

    id = models.BigAutoField(primary_key=True)
    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="preflights")
    at = models.DateTimeField(db_default=AlyxNow())
    local_date = models.DateField(help_text="the repository's own date")
    by_hand = models.BooleanField(default=False)
    status = models.CharField(max_length=16, help_text="one of alyx.core.status")
    problem = models.CharField(max_length=32, blank=True, default="", help_text="a code of transfers.rules.errors")
    what = models.TextField(help_text="the reason, and what to do")
    who = models.CharField(max_length=64, help_text="whose turn it is")
    checks = models.JSONField(default=list, help_text="[name, status, what was said] of each thing looked at")
    free_bytes = models.BigIntegerField(null=True, blank=True)
    need_files = models.BigIntegerField(default=0, help_text="what tonight brings here")
    need_bytes = models.BigIntegerField(default=0)
    need_unknown = models.BigIntegerField(default=0, help_text="of these files, those without a known size")
    send_files = models.BigIntegerField(default=0, help_text="what tonight takes from here")
    send_bytes = models.BigIntegerField(default=0)
    starts_at = models.DateTimeField(help_text="when its night begins")

    class Meta:
        ordering = ["-id"]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            no_truncate(),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "local_date"], condition=Q(by_hand=False), name="one_preflight_per_local_date"
            )
        ]
        indexes = [models.Index(fields=["repository", "-id"], name="preflights_latest")]

    def __str__(self) -> str:
        return f"{self.repository} {self.local_date}: {self.status}"
