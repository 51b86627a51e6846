"""How a lab judges weight and water: data with history, so that a past day is judged by the policy of that day."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from alyx.core.audit import audited
from alyx.core.records import Record
from alyx.labs.models.people import Lab


@audited()
class WelfarePolicy(Record):
    """The percentages and the floor that hold in a lab from a day on, until the next policy begins. Fractions 0 to 1."""

    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="policies")
    from_on = models.DateField(null=True, blank=True, help_text="its first day, in the lab's time zone; empty: always")
    reference_weight_pct = models.FloatField(default=0.0, help_text="fraction of the reference weight, 0 to 1")
    zscore_weight_pct = models.FloatField(default=0.0, help_text="fraction of the z-scored weight, 0 to 1")
    floor = models.FloatField(default=0.75, help_text="below this fraction of the expected weight it is critical")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["lab__name", F("from_on").asc(nulls_first=True), "id"]
        verbose_name_plural = "welfare policies"
        constraints = [
            models.UniqueConstraint(fields=["lab", "from_on"], nulls_distinct=False, name="one_policy_per_lab_and_day"),
            models.CheckConstraint(
                condition=Q(reference_weight_pct__range=(0, 1))
                & Q(zscore_weight_pct__range=(0, 1))
                & Q(floor__range=(0, 1)),
                name="policy_holds_fractions",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lab} from {self.from_on or 'ever'}"


@audited()
class PolicyWindow(Record):
    """An exception to a policy: other numbers in the first days of a restriction, or between two dates. Null: as the policy."""

    policy = models.ForeignKey(WelfarePolicy, on_delete=models.CASCADE, related_name="windows")
    title = models.CharField(max_length=255)
    first_day = models.PositiveIntegerField(null=True, blank=True, help_text="day of the restriction; its first is 0")
    last_day = models.PositiveIntegerField(null=True, blank=True, help_text="the last such day, included")
    from_on = models.DateField(null=True, blank=True)
    to_on = models.DateField(null=True, blank=True, help_text="the last date, included")
    reference_weight_pct = models.FloatField(null=True, blank=True)
    zscore_weight_pct = models.FloatField(null=True, blank=True)
    floor = models.FloatField(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["policy", "first_day", "from_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first_day__isnull=False, last_day__isnull=False, from_on__isnull=True, to_on__isnull=True)
                | Q(first_day__isnull=True, last_day__isnull=True, from_on__isnull=False, to_on__isnull=False),
                name="window_of_days_or_of_dates",
            )
        ]

    def __str__(self) -> str:
        return self.title
