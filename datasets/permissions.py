"""Who may change what in the registry, by the lab of the session or object a dataset belongs to."""

from collections.abc import Collection
from typing import Any

from alyx.core.errors import Invalid
from alyx.labs.models import Lab
from alyx.labs.permissions import WRITING_ROLES, authorise, authorise_anywhere
from datasets.models import Dataset


def lab_of(dataset: Dataset) -> Lab | None:
    """The session's lab, or the object's; None for what belongs to no lab (a project, a tag)."""
    if dataset.session is not None:
        return dataset.session.lab
    owner: Any = dataset.content_object
    if owner is None:
        raise Invalid(f"dataset {dataset.pk} belongs to something that is gone")
    return owner if isinstance(owner, Lab) else getattr(owner, "lab", None)


def authorise_dataset(actor: Any, dataset: Dataset, *, act: str, roles: Collection[str] = WRITING_ROLES) -> None:
    """Raise Forbidden unless the actor may do `act` with the dataset."""
    lab = lab_of(dataset)
    if lab is None:
        authorise_anywhere(actor, act=act, roles=roles)
    else:
        authorise(actor, lab, act=act, roles=roles)
