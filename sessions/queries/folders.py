"""Which datasets are those of an insertion or field of view: the session's, in a folder with its name.

`alf/probe00` and `raw_ephys_data/probe00` are folders of probe00; the first folder of a path never names one. Nothing is
stored: what is registered later, or renamed, is right at once.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from sessions.models import Session


class InFolder(Func):
    """Whether a folder below the first has the name, ignoring case: `InFolder(name, collection)`."""

    template = "lower(%(expressions)s), '/'))[2:])"
    arg_joiner = ") = ANY((string_to_array(lower("
    output_field = BooleanField()
    arity = 2


def datasets() -> QuerySet[Any]:
    """Datasets of sessions that are shown, through the relation's name: nothing is imported from above."""
    model: Any = Session._meta.get_field("datasets").related_model
    rows: QuerySet[Any] = model._base_manager.filter(withdrawn_at__isnull=True, session__isnull=False)
    return rows


def dataset_ids() -> ArraySubquery:
    """The keys of the datasets of an insertion or field of view, as one array of texts."""
    own = datasets().filter(own_datasets()).order_by("collection", "name", "id")
    return ArraySubquery(own.values(key=Cast("pk", TextField())))


def own_datasets() -> Q:
    """Of datasets, those of the outer insertion or field of view."""
    return Q(InFolder(OuterRef("name"), F("collection")), session=OuterRef("session_id"))


def only_own(path: str) -> Callable[[str], Q]:
    """For `only` of a relation `path` (session__datasets) of an insertion or field of view: shown and in its folder."""

    def only(prefix: str) -> Q:
        above = prefix.removesuffix(f"{path}__")
        in_folder = Q(InFolder(F(f"{above}name"), F(f"{prefix}collection")))
        return in_folder & Q(**{f"{prefix}withdrawn_at__isnull": True})

    return only


def only_folders(path: str) -> Callable[[str], Q]:
    """For `only` of a relation `path` (session__insertions) of a dataset: shown, with a folder of the dataset."""

    def only(prefix: str) -> Q:
        above = prefix.removesuffix(f"{path}__")
        in_folder = Q(InFolder(F(f"{prefix}name"), F(f"{above}collection")))
        return in_folder & Q(**{f"{prefix}withdrawn_at__isnull": True})

    return only
