"""Who reads what was recorded: the members of the session's lab, and the people of its projects."""

from django.db.models import Exists, OuterRef, Q

from alyx.core.reading import Reach, declare, either, everybody, of_lab, through, within
from sessions.models import (
    FOV,
    BrainRegion,
    Channel,
    CoordinateSystem,
    FOVLocation,
    ImagingStack,
    ImagingType,
    ProbeInsertion,
    Session,
    Task,
    TrajectoryEstimate,
)
from subjects.models import Implant, Subject


def _of_animals_project(reach: Reach, at: str) -> Q:
    """Sessions that name no project, of animals of the caller's projects."""
    links = Session.projects.through._base_manager.filter(session=OuterRef(f"{at}pk"))
    animals = Subject.projects.through._base_manager.filter(project__in=reach.projects)
    return Q(~Exists(links), **{f"{at}subject__in": animals.values("subject")})


def _stacks(reach: Reach, at: str) -> Q:
    """Those with a slice within reach, and those that have none yet."""
    slices = FOV.objects.filter(stack__isnull=False)
    mine = slices.filter(pk__in=within(FOV, reach))
    return Q(**{f"{at}pk__in": mine.values("stack")}) | ~Q(**{f"{at}pk__in": slices.values("stack")})


declare(
    {
        **dict.fromkeys([BrainRegion, CoordinateSystem, ImagingType], everybody),
        Session: either(of_lab(links=Session.projects.through, owner="session"), _of_animals_project),
        ProbeInsertion: through("session", Session),
        FOV: through("session", Session),
        FOVLocation: through("field_of_view", FOV),
        ImagingStack: _stacks,
        TrajectoryEstimate: either(through("probe_insertion", ProbeInsertion), through("chronic_insertion", Implant)),
        Channel: through("trajectory", TrajectoryEstimate),
        Task: through("session", Session, of_none=True),
    }
)
