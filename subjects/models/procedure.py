"""What is done to an animal: surgeries with their typed parts, drugs, events and checks, other procedures, virus batches.

Coordinates are millimetres relative to `reference`, anterior (AP), to the right (ML) and down (DV) positive; angles in degrees.
"""

from django.conf import settings
from django.db import models

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab
from subjects.models.moments import Action, Moment
from subjects.models.subject import Severity, Subject
from subjects.models.vocabulary import Drug, ProbeModel, ProcedureType, Route


class Outcome(models.TextChoices):
    """As on the wire."""

    ACUTE = "a", "acute"
    RECOVERY = "r", "recovery"
    NON_RECOVERY = "n", "non-recovery"


class Reference(models.TextChoices):
    """What coordinates are relative to."""

    BREGMA = "bregma"
    LAMBDA = "lambda"
    DURA = "dura", "bregma, depth from the dura"
    SKULL = "skull", "bregma, depth from the skull"


class Shape(models.TextChoices):
    """The shape of a craniotomy."""

    CIRCLE = "circle"
    SQUARE = "square"
    RECTANGLE = "rectangle"
    OTHER = "other"


class InjectionType(models.TextChoices):
    """How a fluid is driven."""

    PRESSURE = "P", "pressure"
    IONTOPHORESIS = "I", "iontophoresis"
    OTHER = "O", "other"


class ImplantKind(models.TextChoices):
    """What stays in the animal."""

    PROBE = "probe"
    FIBRE = "fibre", "optical fibre"
    CANNULA = "cannula"
    OTHER = "other"


@audited()
class SurgeryTemplate(Record):
    """What a lab's usual surgery begins with: procedures, drugs, parts, implant weight, checks (see `subjects.rules.surgery`)."""

    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="surgery_templates")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    content = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        ordering = ["lab__name", "name", "id"]
        constraints = [models.UniqueConstraint(fields=["lab", "name"], name="template_unique_in_lab")]

    def __str__(self) -> str:
        return self.name


@audited()
class Surgery(Action):
    """One operation; its parts, drugs, events, checks and pictures hang on it."""

    outcome_type = models.CharField(max_length=1, choices=Outcome, blank=True, default="")
    severity = models.PositiveSmallIntegerField(choices=Severity, null=True, blank=True)
    implant_weight_g = models.FloatField(null=True, blank=True, help_text="empty: as before; 0: removed")
    weight_before_g = models.FloatField(null=True, blank=True)
    weight_after_g = models.FloatField(null=True, blank=True)
    anaesthetic = models.CharField(max_length=255, blank=True, default="")
    anaesthesia_min = models.FloatField(null=True, blank=True, help_text="duration in minutes")
    anaesthesia_level = models.FloatField(null=True, blank=True, help_text="per cent, of an inhaled one")
    ethics_review_id = models.CharField(max_length=255, blank=True, default="", help_text="empty: the lab's")
    template = models.ForeignKey(
        SurgeryTemplate, null=True, blank=True, on_delete=models.PROTECT, related_name="surgeries"
    )

    class Meta(Action.Meta):
        verbose_name_plural = "surgeries"
        indexes = [
            models.Index(
                fields=["subject", "-started_wall"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="surgeries_of_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.started_wall:%Y-%m-%d}" if self.started_wall else f"{self.subject}, no date"


@audited()
class OtherProcedure(Action):
    """A procedure that is no surgery."""

    severity = models.PositiveSmallIntegerField(choices=Severity, null=True, blank=True)
    ethics_review_id = models.CharField(max_length=255, blank=True, default="", help_text="empty: the lab's")

    class Meta(Action.Meta):
        verbose_name = "procedure"

    def __str__(self) -> str:
        return f"{self.subject} {self.started_wall:%Y-%m-%d}" if self.started_wall else f"{self.subject}, no date"


@audited()
class VirusBatch(Record):
    """A batch of a virus."""

    name = models.CharField(max_length=255)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="virus_batches")
    construct = models.CharField(max_length=255, blank=True, default="")
    serotype = models.CharField(max_length=64, blank=True, default="")
    lot = models.CharField(max_length=255, blank=True, default="")
    titer_gc_per_ml = models.FloatField(null=True, blank=True)
    supplier = models.CharField(max_length=255, blank=True, default="")
    made_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    is_used_up = models.BooleanField(default=False)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name", "id"]
        verbose_name_plural = "virus batches"
        constraints = [
            models.UniqueConstraint(
                fields=["lab", "name", "lot"], nulls_distinct=False, name="virus_batch_unique_in_lab_by_lot"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.lot}".strip()


class Place(Record):
    """Abstract: where in the brain."""

    reference = models.CharField(max_length=8, choices=Reference, default=Reference.BREGMA)
    ap_mm = models.FloatField(null=True, blank=True, help_text="anterior positive")
    ml_mm = models.FloatField(null=True, blank=True, help_text="right positive")
    dv_mm = models.FloatField(null=True, blank=True, help_text="down positive")
    target = models.CharField(
        max_length=64, blank=True, default="", help_text="acronym of the structure, as in the Allen CCF"
    )

    class Meta(Record.Meta):
        abstract = True


class Part(Record):
    """Abstract: a typed part of a surgery, in the order entered."""

    surgery = models.ForeignKey(Surgery, on_delete=models.CASCADE)
    procedure = models.ForeignKey(ProcedureType, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    at_wall = WallClockField(null=True, blank=True)
    narrative = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        abstract = True
        ordering = ["surgery", "created_at", "id"]


@audited()
class Headplate(Part):
    """A headplate was fixed."""

    headframe_type = models.CharField(max_length=255, blank=True, default="")
    part_number = models.CharField(max_length=255, blank=True, default="")
    well_type = models.CharField(max_length=255, blank=True, default="")
    cement = models.CharField(max_length=255, blank=True, default="")

    class Meta(Part.Meta):
        pass

    def __str__(self) -> str:
        return f"headplate {self.headframe_type}".strip()


@audited()
class Craniotomy(Part, Place):
    """The skull was opened."""

    shape = models.CharField(max_length=9, choices=Shape, default=Shape.CIRCLE)
    size_mm = models.FloatField(null=True, blank=True, help_text="diameter, or the first side")
    second_size_mm = models.FloatField(null=True, blank=True, help_text="the second side of a rectangle")
    dura_removed = models.BooleanField(null=True, blank=True)
    cover = models.CharField(max_length=255, blank=True, default="", help_text="what protects it")

    class Meta(Part.Meta):
        verbose_name_plural = "craniotomies"

    def __str__(self) -> str:
        return f"craniotomy {self.target}".strip()


@audited()
class Injection(Part, Place):
    """A virus or another fluid was injected. Rate × duration is the volume."""

    virus_batch = models.ForeignKey(
        VirusBatch, null=True, blank=True, on_delete=models.PROTECT, related_name="injections"
    )
    material = models.CharField(max_length=255, blank=True, default="", help_text="where it is no virus batch")
    lot = models.CharField(max_length=255, blank=True, default="")
    type = models.CharField(max_length=1, choices=InjectionType, default=InjectionType.PRESSURE)
    volume_nl = models.FloatField(null=True, blank=True)
    rate_nl_per_min = models.FloatField(null=True, blank=True)
    current_ua = models.FloatField(null=True, blank=True, help_text="of iontophoresis")
    duration_min = models.FloatField(null=True, blank=True)
    angle_deg = models.FloatField(null=True, blank=True)

    class Meta(Part.Meta):
        pass

    def __str__(self) -> str:
        return f"injection {self.virus_batch or self.material}".strip()


@audited()
class Perfusion(Part):
    """The animal was perfused."""

    fixative = models.CharField(max_length=255, blank=True, default="")
    volume_ml = models.FloatField(null=True, blank=True)
    specimen = models.CharField(max_length=255, blank=True, default="", help_text="label of the tissue")

    class Meta(Part.Meta):
        pass

    def __str__(self) -> str:
        return "perfusion"


@audited()
class Implant(Place):
    """A probe, fibre or cannula that stays: the chronic insertion of the clients. One record, two doors: surgery and rig."""

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="implants")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="implants")
    surgery = models.ForeignKey(Surgery, null=True, blank=True, on_delete=models.PROTECT, related_name="implants")
    kind = models.CharField(max_length=8, choices=ImplantKind, default=ImplantKind.PROBE)
    name = models.CharField(max_length=255, blank=True, default="")
    probe_model = models.ForeignKey(
        ProbeModel, null=True, blank=True, on_delete=models.PROTECT, related_name="implants"
    )
    serial = models.CharField(max_length=255, blank=True, default="")
    zone = models.CharField(max_length=64, editable=False)
    started_wall = WallClockField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    removed_on = models.DateField(null=True, blank=True)
    depth_mm = models.FloatField(null=True, blank=True, help_text="along the implant, from the surface")
    pitch_deg = models.FloatField(null=True, blank=True)
    yaw_deg = models.FloatField(null=True, blank=True)
    roll_deg = models.FloatField(null=True, blank=True)
    narrative = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Place.Meta):
        ordering = ["subject", "-started_wall", "name", "id"]

    def __str__(self) -> str:
        return f"{self.name or self.kind} {self.serial}".strip()


@audited()
class DrugGiven(Moment):
    """A drug given, in a surgery or outside. The volume follows from dose, weight and concentration, which stand beside it."""

    surgery = models.ForeignKey(Surgery, null=True, blank=True, on_delete=models.PROTECT, related_name="drugs_given")
    drug = models.ForeignKey(Drug, on_delete=models.PROTECT, related_name="given")
    route = models.CharField(max_length=8, choices=Route, default=Route.SC)
    dose_mg_per_kg = models.FloatField(null=True, blank=True)
    dose_percent = models.FloatField(null=True, blank=True)
    weight_g = models.FloatField(null=True, blank=True, help_text="the weight the volume was computed from")
    concentration_mg_per_ml = models.FloatField(null=True, blank=True)
    volume_ml = models.FloatField(null=True, blank=True)
    ended_wall = WallClockField(null=True, blank=True, help_text="when an inhaled one was stopped")
    lot = models.CharField(max_length=255, blank=True, default="")
    narrative = models.TextField(blank=True, default="")

    class Meta(Moment.Meta):
        verbose_name_plural = "drugs given"

    def __str__(self) -> str:
        return f"{self.drug} {f'{self.volume_ml:g} mL' if self.volume_ml is not None else ''}".strip()


@audited()
class TimelineEntry(Record):
    """A line of a surgery's timeline."""

    surgery = models.ForeignKey(Surgery, on_delete=models.CASCADE, related_name="timeline")
    at_wall = WallClockField(help_text="wall clock as sent")
    at = models.DateTimeField(editable=False)
    what = models.CharField(max_length=255)
    value = models.FloatField(null=True, blank=True)
    unit = models.CharField(max_length=16, blank=True, default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="surgery_events"
    )

    class Meta(Record.Meta):
        ordering = ["surgery", "at_wall", "id"]
        verbose_name_plural = "timeline entries"

    def __str__(self) -> str:
        return self.what


@audited()
class PostOpCheck(Record):
    """A check after a surgery: due on a day, done or not, scored by the lab's sheet."""

    surgery = models.ForeignKey(Surgery, on_delete=models.CASCADE, related_name="checks")
    due_on = models.DateField()
    done_wall = WallClockField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="post_op_checks"
    )
    sheet = models.JSONField(default=list, blank=True, help_text="the items asked for: key, question, highest score")
    scores = models.JSONField(default=dict, blank=True, help_text="key of the item → score")
    weight_g = models.FloatField(null=True, blank=True)
    narrative = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["due_on", "surgery", "id"]
        constraints = [
            models.UniqueConstraint(fields=["surgery", "due_on"], name="one_check_per_day"),
            models.CheckConstraint(
                condition=models.Q(done_wall__isnull=True, done_at__isnull=True)
                | models.Q(done_wall__isnull=False, done_at__isnull=False),
                name="done_at_iff_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.surgery}: check of {self.due_on}"


@audited_links
class SurgeryUsers(Surgery.users.through):  # type: ignore[name-defined, misc]
    """Who operated, recorded."""

    class Meta:
        proxy = True


@audited_links
class SurgeryProcedures(Surgery.procedures.through):  # type: ignore[name-defined, misc]
    """What was done in a surgery, recorded."""

    class Meta:
        proxy = True


@audited_links
class OtherProcedureUsers(OtherProcedure.users.through):  # type: ignore[name-defined, misc]
    """Who did a procedure, recorded."""

    class Meta:
        proxy = True


@audited_links
class OtherProcedureProcedures(OtherProcedure.procedures.through):  # type: ignore[name-defined, misc]
    """What was done in a procedure, recorded."""

    class Meta:
        proxy = True
