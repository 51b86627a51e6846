"""Probes in a recording: insertions, the estimates of where they lay, and their channels."""

from typing import Any

from django.db import models
from django.db.models import Q

from alyx.core.audit import audited, audited_links
from alyx.core.clock import AlyxNow
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from sessions.models.atlas import BrainRegion, CoordinateSystem
from sessions.models.session import Session
from subjects.models import Implant, ProbeModel


class Provenance(models.IntegerChoices):
    """How well a trajectory is known; best last. By name on the wire."""

    PLANNED = 10, "Planned"
    MICRO_MANIPULATOR = 30, "Micro-manipulator"
    HISTOLOGY = 50, "Histology track"
    EPHYS_ALIGNED = 70, "Ephys aligned histology track"


@audited()
class ProbeInsertion(Record):
    """A probe in a session. Its datasets are those of the session in a folder with its name."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="insertions")
    name = models.CharField(max_length=255)
    model = models.ForeignKey(ProbeModel, null=True, blank=True, on_delete=models.PROTECT, related_name="insertions")
    serial = models.CharField(max_length=255, blank=True, default="")
    chronic_insertion = models.ForeignKey(
        Implant, null=True, blank=True, on_delete=models.PROTECT, related_name="insertions"
    )
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "name"],
                condition=Q(withdrawn_at__isnull=True),
                name="insertion_unique_by_session_and_name",
            )
        ]
        indexes = [models.Index(fields=["serial"], name="insertion_by_serial", condition=~Q(serial=""))]

    def __str__(self) -> str:
        return f"{self.session} {self.name}"


@audited()
class TrajectoryEstimate(Record):
    """Where a probe was, as known from one source. Micrometres and degrees, as on the wire."""

    probe_insertion = models.ForeignKey(
        ProbeInsertion, null=True, blank=True, on_delete=models.PROTECT, related_name="trajectories"
    )
    chronic_insertion = models.ForeignKey(
        Implant, null=True, blank=True, on_delete=models.PROTECT, related_name="trajectories"
    )
    provenance = models.SmallIntegerField(choices=Provenance)
    coordinate_system = models.ForeignKey(
        CoordinateSystem, null=True, blank=True, on_delete=models.PROTECT, related_name="trajectories"
    )
    x = models.FloatField(null=True, blank=True)
    y = models.FloatField(null=True, blank=True)
    z = models.FloatField(null=True, blank=True)
    depth = models.FloatField(null=True, blank=True)
    theta = models.FloatField(null=True, blank=True)
    phi = models.FloatField(null=True, blank=True)
    roll = models.FloatField(null=True, blank=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-provenance", "-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["probe_insertion", "provenance"],
                condition=Q(probe_insertion__isnull=False),
                name="one_trajectory_per_provenance",
            ),
            models.UniqueConstraint(
                fields=["chronic_insertion", "provenance"],
                condition=Q(chronic_insertion__isnull=False, probe_insertion__isnull=True),
                name="one_chronic_trajectory_per_provenance",
            ),
            models.CheckConstraint(
                condition=Q(probe_insertion__isnull=False) | Q(chronic_insertion__isnull=False),
                name="trajectory_of_an_insertion",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provenance_display()} of {self.probe_insertion or self.chronic_insertion}"


@audited()
class Channel(Record):
    """A recording site along a trajectory and the region it lies in."""

    trajectory = models.ForeignKey(TrajectoryEstimate, on_delete=models.CASCADE, related_name="channels")
    brain_region = models.ForeignKey(
        BrainRegion, null=True, blank=True, on_delete=models.PROTECT, related_name="channels"
    )
    name = models.CharField(max_length=255, blank=True, default="")
    axial = models.FloatField(null=True, blank=True, help_text="µm along the probe")
    lateral = models.FloatField(null=True, blank=True, help_text="µm across the probe")
    x = models.FloatField(null=True, blank=True)
    y = models.FloatField(null=True, blank=True)
    z = models.FloatField(null=True, blank=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["trajectory", "axial", "lateral", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["trajectory", "axial", "lateral"],
                condition=Q(axial__isnull=False, lateral__isnull=False),
                name="channel_unique_by_position",
            )
        ]
        indexes = [models.Index(fields=["brain_region", "trajectory"], name="channel_by_region")]

    def __str__(self) -> str:
        return f"{self.axial}, {self.lateral}"


class FOVProvenance(models.TextChoices):
    """How the place of a field of view is known. As on the wire."""

    ESTIMATE = "E", "Estimate"
    FUNCTIONAL = "F", "Functional"
    LANDMARK = "L", "Landmark"
    HISTOLOGY = "H", "Histology"


@audited()
class ImagingType(Record):
    """A kind of imaging: mesoscope, two-photon …"""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@audited()
class ImagingStack(Record):
    """Fields of view recorded as slices of one volume."""

    name = models.CharField(max_length=255, blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return self.name or str(self.pk)


@audited()
class FOV(Record):
    """A field of view of a session. Its datasets are those of the session in a folder with its name."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="fields_of_view")
    name = models.CharField(max_length=255)
    imaging_type = models.ForeignKey(
        ImagingType, null=True, blank=True, on_delete=models.PROTECT, related_name="fields_of_view"
    )
    stack = models.ForeignKey(ImagingStack, null=True, blank=True, on_delete=models.PROTECT, related_name="slices")
    json = JSONColumn(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        verbose_name = "field of view"
        verbose_name_plural = "fields of view"
        constraints = [
            models.UniqueConstraint(
                fields=["session", "name"],
                condition=Q(withdrawn_at__isnull=True),
                name="fov_unique_by_session_and_name",
            )
        ]

    def __str__(self) -> str:
        return f"{self.session} {self.name}"


@audited()
class FOVLocation(Record):
    """Where a field of view lies, as known from one source: corners x, y, z (4 or 8 numbers each), its size in pixels, regions."""

    field_of_view = models.ForeignKey(FOV, on_delete=models.CASCADE, related_name="locations")
    coordinate_system = models.ForeignKey(
        CoordinateSystem, null=True, blank=True, on_delete=models.PROTECT, related_name="fov_locations"
    )
    provenance = models.CharField(max_length=1, choices=FOVProvenance)
    default_provenance = models.BooleanField(default=False)
    x = models.JSONField(default=list)
    y = models.JSONField(default=list)
    z = models.JSONField(default=list)
    n_xyz = models.JSONField(default=list)
    brain_regions = models.ManyToManyField(BrainRegion, blank=True, related_name="fov_locations")
    located_at = models.DateTimeField(db_default=AlyxNow(), editable=False)
    json = JSONColumn(null=True, blank=True)

    objects: Any = models.Manager()

    class Meta(Record.Meta):
        ordering = ["field_of_view", "-default_provenance", "provenance", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["field_of_view"],
                condition=Q(default_provenance=True),
                name="one_default_location_per_fov",
            ),
            models.UniqueConstraint(fields=["field_of_view", "provenance"], name="one_location_per_provenance"),
        ]

    def __str__(self) -> str:
        return f"{self.field_of_view} {self.get_provenance_display()}"


@audited_links
class FOVLocationRegions(FOVLocation.brain_regions.through):  # type: ignore[name-defined, misc]
    """Which regions a field of view lies in, recorded."""

    class Meta:
        proxy = True
