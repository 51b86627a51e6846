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

_BETWEEN_SLASHES = "'/' || replace(lower({}), '/', ':') || '/'"
_IN_FOLDER = f"position({_BETWEEN_SLASHES} IN lower({{}}) || '/') > 0"


def in_folder(name: str, collection: str) -> str:
    """SQL: whether a folder below the first has the name, ignoring case. A name with a slash is no folder's, and no collection
    has a colon."""
    return _IN_FOLDER.format(name, collection)


DATASETS_IN_FOLDER = f"""(SELECT coalesce('["' || string_agg(key, '","') || '"]', '[]') FROM (
    SELECT d.id::text AS key FROM datasets_dataset d CROSS JOIN (SELECT {_BETWEEN_SLASHES.format("i.name")} AS folder OFFSET 0) own
    WHERE d.session_id = s.id AND d.withdrawn_at IS NULL AND position(own.folder IN lower(d.collection) || '/') > 0
    ORDER BY d.collection, d.name, d.id) found)"""  # noqa: S608  (only constants of ours)
"""SQL: the keys of the datasets of an insertion `i` of a session `s`, as JSON."""


class InFolder(Func):
    """The same of expressions: `InFolder(name, collection)`."""

    template = "{}%(expressions)s{}".format(*_IN_FOLDER.split("{}")[::2])
    arg_joiner = _IN_FOLDER.split("{}")[1]
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
