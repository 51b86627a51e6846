"""Weight and water: the welfare record."""

from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, audited_links
from alyx.core.records import Record
from subjects.models.colony import Strain
from subjects.models.moments import Action, Moment
from subjects.models.subject import Sex
from subjects.models.vocabulary import WaterType


@audited()
class Weighing(Moment):
    """A weight of an animal, as typed or sent. One that does not count enters no welfare number and carries a flag."""

    weight_g = models.FloatField()
    counts = models.BooleanField(
        default=True, help_text="false: implausible, in no number until somebody says it is right"
    )

    class Meta(Moment.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "at_wall", "weight_g", "user"],
                condition=Q(withdrawn_at__isnull=True),
                nulls_distinct=False,
                name="weighing_unique_by_subject_time_value_user",
            )
        ]
        indexes = [
            models.Index(
                fields=["subject", "-at_wall", "weight_g"],
                condition=Q(withdrawn_at__isnull=True, counts=True),
                name="weighings_that_count",
            ),
            models.Index(fields=["-at_wall", "id"], name="weighing_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.weight_g:g} g"


@audited()
class WaterAdministration(Moment):
    """Water given. With a session it is the reward earned in it, without one a supplement; *ad lib* has no measure.

    `session_id` is the key of a session (a foreign key in the database that the sessions app adds; the model lives above).
    """

    volume_ml = models.FloatField(null=True, blank=True)
    water_type = models.ForeignKey(
        WaterType, null=True, blank=True, on_delete=models.PROTECT, related_name="administrations"
    )
    adlib = models.BooleanField(default=False)
    session_id = models.UUIDField(null=True, blank=True, db_index=True)
    counts = models.BooleanField(
        default=True, help_text="false: implausible, in no number until somebody says it is right"
    )

    class Meta(Moment.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "at_wall", "volume_ml", "user", "adlib"],
                condition=Q(withdrawn_at__isnull=True),
                nulls_distinct=False,
                name="water_unique_by_subject_time_value_user",
            )
        ]
        indexes = [
            models.Index(
                fields=["subject", "-at_wall"],
                condition=Q(withdrawn_at__isnull=True, counts=True),
                name="waters_that_count",
            ),
            models.Index(fields=["-at_wall", "id"], name="water_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {'ad lib' if self.adlib else f'{self.volume_ml or 0:g} mL'}"


@audited()
class WaterRestriction(Action):
    """An animal drinks only what it is given, from a start to an end (null: it still is)."""

    reference_weight_g = models.FloatField(null=True, blank=True, help_text="empty: the last weighing before the start")
    water_type = models.ForeignKey(
        WaterType, null=True, blank=True, on_delete=models.PROTECT, related_name="restrictions"
    )
    minimum_water_ml = models.FloatField(
        null=True, blank=True, help_text="least water per day, as licensed; for exports"
    )
    ethics_review_id = models.CharField(max_length=255, blank=True, default="", help_text="empty: the lab's")

    class Meta(Action.Meta):
        indexes = [
            models.Index(
                fields=["subject", "-started_wall"],
                condition=Q(withdrawn_at__isnull=True),
                name="restrictions_of_subject",
            ),
            models.Index(
                fields=["subject"],
                condition=Q(withdrawn_at__isnull=True, ended_wall__isnull=True),
                name="restrictions_open",
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.subject} restricted from {self.started_wall:%Y-%m-%d}" if self.started_wall else f"{self.subject}"
        )


@audited()
class GrowthPoint(Record):
    """A point of a growth curve that was loaded for a strain: body weight by sex and age in whole weeks.

    The default curve (all other animals) is a file of the code: `subjects/vocabulary/growth_curve.csv`.
    """

    strain = models.ForeignKey(Strain, on_delete=models.CASCADE, related_name="growth_points")
    sex = models.CharField(max_length=1, choices=Sex)
    age_weeks = models.PositiveIntegerField()
    mean_g = models.FloatField()
    sd_g = models.FloatField()

    class Meta(Record.Meta):
        ordering = ["strain", "sex", "age_weeks"]
        constraints = [
            models.UniqueConstraint(fields=["strain", "sex", "age_weeks"], name="one_growth_point_per_age"),
            models.CheckConstraint(condition=Q(mean_g__gt=0, sd_g__gt=0), name="growth_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.strain} {self.sex} {self.age_weeks} weeks"


@audited_links
class WaterRestrictionUsers(WaterRestriction.users.through):  # type: ignore[name-defined, misc]
    """Who restricted, recorded."""

    class Meta:
        proxy = True


@audited_links
class WaterRestrictionProcedures(WaterRestriction.procedures.through):  # type: ignore[name-defined, misc]
    """What was done with a restriction, recorded."""

    class Meta:
        proxy = True
