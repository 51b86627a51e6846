"""What a protected tag forbids."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from alyx.core.errors import Forbidden
from datasets.models import Dataset, Tag
from datasets.services.register_call import RegisterCall
from datasets.services.surroundings import find_owner

PROTECTED = "One or more datasets is protected"
"""The clients look for these words."""

Details = list[dict[str, list[dict[str, bool]]]]
"""For each file, as it was sent: its revisions, newest first, each with whether it is protected."""


class DatasetProtected(Forbidden):
    """A dataset has a protected tag. `details`: of a registration that asked to check, for each of its files."""

    code = "protected"

    def __init__(self, detail: str, details: Details | None = None) -> None:
        super().__init__(detail)
        self.details = details


def is_protected() -> Exists:
    """Annotation: whether the dataset has a protected tag."""
    return Exists(Tag.objects.filter(protected=True, datasets=OuterRef("pk")))


def protected_answer(details: Details) -> dict[str, Any]:
    """The body that clients parse, key by key."""
    return {"status_code": 403, "error": PROTECTED, "details": details}


def details_of(call: RegisterCall, revisions: Iterable[tuple[str, str, str, bool]]) -> Details:
    """For each file of the call its known revisions, given as (collection, name, revision, protected), newest first."""
    known: dict[tuple[str, str], list[dict[str, bool]]] = {}
    for collection, name, revision, protected in revisions:
        known.setdefault((collection, name), []).append({revision: protected})
    return [{file.sent: known.get((file.path.collection, file.path.name), [])} for file in call.files]


def any_protected(details: Details) -> bool:
    """Whether one of the revisions is."""
    return any(flag for entry in details for revisions in entry.values() for row in revisions for flag in row.values())


def check_protected(*, actor: Any, call: RegisterCall) -> Details:
    """The revisions of the files a client is about to register. Raises Invalid, Ambiguous."""
    owner = find_owner(actor=actor, call=call, lock=False)
    rows = (
        Dataset.objects.shown()
        .filter(**owner.columns, name__in={file.path.name for file in call.files})
        .annotate(protected=is_protected())
        .order_by("-created_at", F("revision__name").desc(nulls_last=True))
        .values_list("collection", "name", "revision__name", "protected")
    )
    return details_of(call, ((collection, name, revision or "", flag) for collection, name, revision, flag in rows))


def refuse_protected(datasets: Sequence[Dataset], *, act: str) -> None:
    """Raise DatasetProtected when one of the datasets has a protected tag."""
    found = list(Dataset.objects.filter(Q(pk__in=[row.pk for row in datasets]), is_protected()).order_by("name")[:5])
    if found:
        names = ", ".join(f"{row.path} ({row.pk})" for row in found)
        raise DatasetProtected(f"{act} is refused: protected by a tag: {names}")
