"""What lies at labs' repositories unregistered, as the last looks left it: for pages, mails and commands."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from datasets.models import Repository, RepositoryState
from transfers.models import FoundFile, Scan
from transfers.rules.intake import FIXES, SENTENCES, WAITS, Why


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Files of one lab that stay unregistered for one reason. `lab_id` None: of no lab we know. `since`: the first look at
    the oldest. `example`: a path, at `repository`."""

    lab_id: uuid.UUID | None
    lab: str
    why: Why
    files: int
    folders: int
    size_bytes: int
    since: datetime
    seen_at: datetime
    example: str
    repository: str

    @property
    def waits(self) -> bool:
        """Whether it ends without anybody's doing."""
        return self.why in WAITS

    @property
    def sentence(self) -> str:
        """For people."""
        return SENTENCES[self.why]

    @property
    def fix(self) -> str:
        """What somebody can do; "" for what only waits."""
        return FIXES.get(self.why, "")


def unregistered(
    labs: Iterable[uuid.UUID] | None = None, rows: QuerySet[FoundFile] | None = None
) -> list[Unregistered]:
    """What the last scans could not register, by lab and reason, in one statement; those that need somebody first.

    `labs`: only these, and what lies at their repositories and is of no lab we know. `rows`: only among these (what a user may read).
    """
    found = FoundFile.objects.all() if rows is None else rows
    if labs is not None:
        chosen = list(labs)
        places = Repository.objects.filter(labs__in=chosen).values("pk")
        found = found.filter(Q(lab__in=chosen) | Q(lab=None, repository__in=places))
    groups = (
        found.order_by()
        .values("lab_id", "lab__name", "why")
        .annotate(
            files=Count("pk"),
            folders=Count("folder", distinct=True),
            size=Sum("size_bytes"),
            first=Min("since"),
            last=Max("seen_at"),
            example=Min("path"),
            place=Min("repository__name"),
        )
    )
    listed = [
        Unregistered(
            group["lab_id"],
            group["lab__name"] or "",
            Why(group["why"]),
            group["files"],
            group["folders"],
            int(group["size"] or 0),
            group["first"],
            group["last"],
            group["example"],
            group["place"],
        )
        for group in groups
    ]
    return sorted(listed, key=lambda one: (one.waits, one.lab, -one.files))


def last_scans(labs: Iterable[uuid.UUID] | None = None) -> QuerySet[Scan]:
    """The newest scan of each repository that is not retired (`labs`: of these labs), with it."""
    places = Repository.objects.exclude(state=RepositoryState.RETIRED)
    if labs is not None:
        places = places.filter(labs__in=list(labs))
    scans = Scan.objects.filter(repository__in=places.values("pk"))
    newest = scans.order_by("repository_id", "-created_at").distinct("repository_id").values("pk")
    return Scan.objects.filter(pk__in=newest).select_related("repository").order_by("repository__name")
