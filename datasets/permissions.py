"""Who may change what in the registry, by the session or object a dataset belongs to."""

from typing import Any

from django.db.models import QuerySet

from alyx.core.errors import Invalid
from alyx.labs.models import Lab, Project
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from datasets.models import Dataset
from sessions.permissions import GRADES, projects_of
from subjects.models import Subject

__all__ = [
    "GRADES",
    "Right",
    "authorise_dataset",
    "authorise_owner",
    "lab_of",
    "lab_of_owner",
    "projects_of",
    "projects_of_owner",
]


def lab_of(dataset: Dataset) -> Lab | None:
    """The session's lab, or the object's; None for what belongs to no lab (a project, a tag)."""
    if dataset.session is not None:
        return dataset.session.lab
    return lab_of_owner(_owner(dataset))


def lab_of_owner(owner: Any) -> Lab | None:
    """The lab of what a dataset without a session belongs to."""
    return owner if isinstance(owner, Lab) else getattr(owner, "lab", None)


def authorise_dataset(actor: Any, dataset: Dataset, *, act: str, to: Right = Right.REGISTER) -> None:
    """Raise Forbidden unless the actor may do `act` with the dataset."""
    if dataset.session is not None:
        authorise_owner(actor, dataset.session.lab, projects_of(dataset.session), act=act, to=to)
    else:
        owner = _owner(dataset)
        authorise_owner(actor, lab_of_owner(owner), projects_of_owner(owner), act=act, to=to)


def authorise_owner(
    actor: Any, lab: Lab | None, projects: QuerySet[Project] | None, *, act: str, to: Right = Right.REGISTER
) -> None:
    """Raise Forbidden unless the actor may do `act` with datasets of this lab (or of none) and these projects."""
    if lab is None:
        authorise_anywhere(actor, act=act, to=to)
    else:
        authorise(actor, lab, act=act, to=to, projects=projects)


def projects_of_owner(owner: Any) -> QuerySet[Project] | None:
    """The projects of what a dataset without a session belongs to."""
    return Project.objects.filter(subjects=owner.pk) if isinstance(owner, Subject) else None


def _owner(dataset: Dataset) -> Any:
    owner: Any = dataset.content_object
    if owner is None:
        raise Invalid(f"dataset {dataset.pk} belongs to something that is gone")
    return owner
