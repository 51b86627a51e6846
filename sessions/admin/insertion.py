"""Pages of what hangs on a recording: insertions with their trajectories, fields of view, brain regions. Mostly to read."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import counted, link
from alyx.labs.admin import LabPage
from alyx.labs.permissions import Projects, Right
from sessions.models import FOV, BrainRegion, Channel, FOVLocation, ProbeInsertion, TrajectoryEstimate
from sessions.permissions import projects_of
from sessions.services.atlas import describe_region
from sessions.services.insertion import change_insertion


class _Shown(LabPage):
    """Rows of a session, made by rigs and pipelines."""

    lab_path = "session.lab"
    by_projects = True

    def projects_of(self, obj: Any) -> Projects:
        """Of the session and its animal."""
        return projects_of(obj.session)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rigs and pipelines register them."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn, of sessions not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(withdrawn_at__isnull=True, session__withdrawn_at__isnull=True)

    @admin.display(description="session", ordering="-session__started_wall")
    def recorded(self, row: Any) -> Any:
        """To the session."""
        return link(row.session)


@admin.register(ProbeInsertion)
class ProbeInsertionPage(_Shown):
    """Probes in recordings. Where they lay is known from trajectories; their datasets are in folders with their name."""

    right = Right.PROBE
    partly: ClassVar[dict[Right, set[str]]] = {Right.ANNOTATE: {"json"}}
    list_display = ["name", "recorded", "model", "serial", "trajectories_known"]
    list_select_related = ["session__subject", "session__lab", "model"]
    list_filter = ["session__lab", "model"]
    search_fields = ["session__subject__nickname", "name", "serial", "=id"]
    search_help_text = "animal, name, serial number or insertion id"
    readonly_fields = ["recorded", "chronic_insertion", "known_from"]
    fieldsets = [
        (None, {"fields": [("name", "recorded"), ("model", "serial", "chronic_insertion"), "known_from"]}),
        ("From clients", {"fields": ["json"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of their trajectories."""
        trajectories = counted(TrajectoryEstimate.objects.all(), "probe_insertion")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_trajectories=trajectories)
        return rows

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> ProbeInsertion:
        """By the part number of the model."""
        if "model" in said:
            said["model"] = said["model"].part_number or said["model"].name if said["model"] else None
        return change_insertion(actor=actor, insertion=row, changes=said)

    @admin.display(description="trajectories", ordering="n_trajectories")
    def trajectories_known(self, insertion: Any) -> int:
        """From how many sources its place is known."""
        return int(insertion.n_trajectories)

    @admin.display(description="place known from")
    def known_from(self, insertion: ProbeInsertion) -> str:
        """The sources, best first, with how many channels each has."""
        rows = insertion.trajectories.annotate(n_channels=counted(Channel.objects.all(), "trajectory"))
        return "; ".join(f"{row.get_provenance_display()} ({row.n_channels} channels)" for row in rows) or "–"


@admin.register(FOV)
class FOVPage(_Shown, ReadOnlyPage):
    """Fields of view, with the places they are known to lie at."""

    list_display = ["name", "recorded", "imaging_type", "places"]
    list_select_related = ["session__subject", "session__lab", "imaging_type"]
    list_filter = ["session__lab", "imaging_type"]
    search_fields = ["session__subject__nickname", "name", "=id"]
    search_help_text = "animal, name or id of the field of view"
    fields = ["name", "recorded", "imaging_type", "stack", "known_at", "json"]
    readonly_fields = ["recorded", "known_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of their locations."""
        places = counted(FOVLocation.objects.all(), "field_of_view")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_places=places)
        return rows

    @admin.display(description="locations", ordering="n_places")
    def places(self, fov: Any) -> int:
        """From how many sources its place is known."""
        return int(fov.n_places)

    @admin.display(description="lies in")
    def known_at(self, fov: FOV) -> str:
        """The regions by each source, the default first."""
        rows = fov.locations.prefetch_related("brain_regions")
        said = [
            f"{row.get_provenance_display()}: {', '.join(region.acronym for region in row.brain_regions.all()) or '–'}"
            for row in rows
        ]
        return "; ".join(said) or "–"


@admin.register(BrainRegion)
class BrainRegionPage(LabPage):
    """The regions of the atlas. Only what people say about a region can be changed."""

    list_display = ["acronym", "name", "parent", "description"]
    list_select_related = ["parent"]
    search_fields = ["acronym", "name"]
    search_help_text = "acronym or name"
    fields = ["acronym", "name", "parent", "description"]
    readonly_fields = ["acronym", "name", "parent"]
    lab_path = ""
    right = Right.MANAGE
    labels: ClassVar[dict[str, str]] = {"description": "What we say about it"}

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> BrainRegion:
        """The description."""
        return describe_region(actor=actor, region=row, changes=said)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They come with the atlas."""
        return False
