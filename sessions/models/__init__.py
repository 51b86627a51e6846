"""What was recorded."""

from sessions.models.atlas import BrainRegion, CoordinateSystem
from sessions.models.insertion import (
    FOV,
    Channel,
    FOVLocation,
    FOVProvenance,
    ImagingStack,
    ImagingType,
    ProbeInsertion,
    Provenance,
    TrajectoryEstimate,
)
from sessions.models.session import Session
from sessions.models.task import Task, TaskStatus

__all__ = [
    "FOV",
    "BrainRegion",
    "Channel",
    "CoordinateSystem",
    "FOVLocation",
    "FOVProvenance",
    "ImagingStack",
    "ImagingType",
    "ProbeInsertion",
    "Provenance",
    "Session",
    "Task",
    "TaskStatus",
    "TrajectoryEstimate",
]
