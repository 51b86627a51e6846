"""Insertions, trajectories, fields of view, tasks, downloads, notices, duties: a stored row of each."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model

from alyx.labs.models import Collaboration, Location, ProjectRole, RigWatch
from datasets.models import DataNotice, Download, RepositoryType
from sessions import models as m
from sessions.models import Session
from tests.factories.people import NUMBERS, a_lab, a_project, a_user
from tests.factories.records import a_dataset, a_session


def a_region(acronym: str = "", parent: m.BrainRegion | None = None, **columns: Any) -> m.BrainRegion:
    """A region of the brain, below another."""
    number = next(NUMBERS)
    values = {"id": 10_000_000 + number, "name": f"region {number}", "first": number, "last": number, **columns}
    return m.BrainRegion.objects.create(acronym=acronym or f"R{number}", parent=parent, **values)


def an_insertion(session: Session | None = None, name: str = "probe00", **columns: Any) -> m.ProbeInsertion:
    """A probe in a session."""
    return m.ProbeInsertion.objects.create(session=session or a_session(), name=name, **columns)


def a_trajectory(
    insertion: m.ProbeInsertion | None = None, provenance: int = 70, **columns: Any
) -> m.TrajectoryEstimate:
    """Where the probe lay."""
    values = {"x": -2000.0, "y": -1500.0, "z": 0.0, "depth": 4000.0, "theta": 10.0, "phi": 180.0, **columns}
    return m.TrajectoryEstimate.objects.create(
        probe_insertion=insertion or an_insertion(), provenance=provenance, **values
    )


def a_channel(trajectory: m.TrajectoryEstimate | None = None, **columns: Any) -> m.Channel:
    """A recording site."""
    values = {"axial": float(next(NUMBERS)), "lateral": 16.0, **columns}
    return m.Channel.objects.create(trajectory=trajectory or a_trajectory(), **values)


def a_fov(session: Session | None = None, name: str = "FOV_00", **columns: Any) -> m.FOV:
    """A field of view."""
    return m.FOV.objects.create(session=session or a_session(), name=name, **columns)


def a_task(session: Session | None = None, name: str = "", **columns: Any) -> m.Task:
    """A step of a pipeline."""
    return m.Task.objects.create(session=session or a_session(), name=name or f"Task{next(NUMBERS)}", **columns)


MAKERS: dict[type[Model], Callable[[], Model]] = {
    m.BrainRegion: a_region,
    m.CoordinateSystem: lambda: m.CoordinateSystem.objects.create(name=f"system {next(NUMBERS)}"),
    m.ProbeInsertion: an_insertion,
    m.TrajectoryEstimate: a_trajectory,
    m.Channel: a_channel,
    m.ImagingType: lambda: m.ImagingType.objects.create(name=f"imaging {next(NUMBERS)}"),
    m.ImagingStack: lambda: m.ImagingStack.objects.create(name=f"stack {next(NUMBERS)}"),
    m.FOV: a_fov,
    m.FOVLocation: lambda: m.FOVLocation.objects.create(field_of_view=a_fov(), provenance="E"),
    m.Task: a_task,
    Download: lambda: Download.objects.create(user=a_user(), dataset=a_dataset(), count=1),
    RepositoryType: lambda: RepositoryType.objects.create(name=f"kind of place {next(NUMBERS)}"),
    DataNotice: lambda: DataNotice.objects.create(name=f"notice {next(NUMBERS)}"),
    RigWatch: lambda: RigWatch.objects.create(location=Location.objects.create(name=f"rig {next(NUMBERS)}")),
    ProjectRole: lambda: ProjectRole.objects.create(user=a_user(), project=a_project()),
    Collaboration: lambda: Collaboration.objects.create(user=a_user(), lab=a_lab(), duty="qc"),
}
"""A maker for each of these tables, for tests that go through all of them."""
