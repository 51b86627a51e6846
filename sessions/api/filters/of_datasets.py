"""Query parameters of sessions, insertions and fields of view that are about their datasets."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Exists, F, Q

from alyx.core.qc import QC
from alyx.core.rest.filters import (
    Filter,
    asked,
    split,
)
from sessions.api.filters.common import Rows
from sessions.queries.folders import datasets, own_datasets

SERVER_ROLES = ("central", "mirror", "archive")


def of_sessions(datasets: Rows) -> Q:
    """Sessions that have one of the datasets."""
    return Q(pk__in=datasets.values("session"))


def of_folders(datasets: Rows) -> Q:
    """Insertions or fields of view that have one of the datasets in their folder."""
    return Q(Exists(datasets.filter(own_datasets())))


Owners = Callable[[Rows], Q]


def dataset_filters(
    rows: Rows, *, names: Sequence[str], types: Sequence[str], worst: QC | None, owners: Owners = of_sessions
) -> Rows:
    """Rows that have every one of the names (with a copy on a server) and every one of the types.

    `worst` is the worst QC that a counted dataset may have; alone it asks for any such dataset. Names count up to FAIL
    unless it says otherwise.
    """
    bounded = datasets().filter(qc__lte=int(worst)) if worst is not None else datasets()
    for name in names:
        there = bounded.filter(
            name=name,
            qc__lte=int(QC.FAIL if worst is None else worst),
            file_records__state__in=("claimed", "verified"),
            file_records__content_version=F("content_version"),
            file_records__repository__role__in=SERVER_ROLES,
        )
        rows = rows.filter(owners(there))
    for kind in types:
        rows = rows.filter(owners(bounded.filter(dataset_type__name=kind)))
    if worst is not None and not names and not types:
        rows = rows.filter(owners(bounded))
    return rows


def tagged(owners: Owners) -> Filter:
    """With a dataset that has such a tag."""
    return asked(
        lambda rows, value: rows.filter(owners(datasets().filter(tags__name__icontains=value))),
        "has a dataset with a tag that contains this",
    )


def _later(rows: Rows, value: str) -> Rows:
    """Applied by the view, which sees these three together."""
    return rows


JOINT = {
    "datasets": asked(_later, "every exact name listed is there, with a copy on a server"),
    "dataset_types": asked(_later, "every type listed is there"),
    "dataset_qc_lte": asked(_later, "the worst QC a counted dataset may have"),
}


def joint_dataset_filters(rows: Rows, parameters: Any, *, in_folders: bool = False) -> Rows:
    """`datasets`, `dataset_types` and `dataset_qc_lte` together; `in_folders`: of insertions or fields of view.

    Raises ValueError for an unknown QC.
    """
    worst = parameters.get("dataset_qc_lte", "").strip()
    return dataset_filters(
        rows,
        names=split(parameters.get("datasets", "")),
        types=split(parameters.get("dataset_types", "")),
        worst=QC.parse(worst) if worst else None,
        owners=of_folders if in_folders else of_sessions,
    )
