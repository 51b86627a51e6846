"""What lies at labs' repositories unregistered, as the last looks left it: for pages, mails and commands."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery, Sum

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

    `labs`: only these. `rows`: only among these (what a user may read).
    """
    found = FoundFile.objects.all() if rows is None else rows
    if labs is not None:
        found = found.filter(lab__in=list(labs))
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


def last_scans() -> QuerySet[Scan]:
    """The newest scan of each repository, with it."""
    newest = Scan.objects.filter(repository=OuterRef("repository")).order_by("-created_at").values("pk")[:1]
    return Scan.objects.filter(pk=Subquery(newest)).select_related("repository").order_by("repository__name")
