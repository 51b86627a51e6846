"""How things stand with the engine: places, items, troubles, doubts."""

import uuid
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet

from alyx.core import clock
from alyx.core.reading import readable
from datasets.models import SERVER_ROLES, FileRecord, Repository, RepositoryState
from datasets.rules.copies import FILLABLE, CopyState
from datasets.rules.standing import COPY_MEANING
from transfers.models import Attempt, NightWindow, TransferItem, TransferJob
from transfers.models.window import WindowState
from transfers.queries.holds import Held, held
from transfers.rules.errors import PolicyClass, parse_code, policy
from transfers.rules.evidence import reopens
from transfers.rules.hours import Hold, hold_of, standing_of
from transfers.rules.lifecycle import IN_FLIGHT, ItemState, JobState
from transfers.rules.routing import APART
from transfers.rules.schedule import night_of
from transfers.rules.standing import elsewhere
from transfers.services.planning import EVERYTHING, Scope


@dataclass
class Place:
    """One repository: what is proved there, what is not."""

    name: str
    role: str
    labs: list[str]
    state: str
    why: str
    copies: dict[str, int]
    next_night: datetime | None
    bandwidth: str = ""
    """What it lets pass now and next; empty: no limit."""


@dataclass
class Trouble:
    """One file that did not get through: what happened, what follows, who acts."""

    dataset: str
    path: str
    source: str
    destination: str
    code: str
    what: str
    next: str
    who: str
    item: str = ""


@dataclass
class Status:
    """How things stand."""

    at: datetime
    places: list[Place] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    troubles_in_all: int = 0
    doubts: list[Trouble] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    holds: list[Held] = field(default_factory=list)
    """What waits for the hours of its places."""
    open_windows: list[str] = field(default_factory=list)
    last_tick_of_work: datetime | None = None

    @property
    def needs_a_person(self) -> int:
        """How many files, places or copies wait for somebody."""
        places = sum(place.state in {"blocked", "full", "quarantined"} for place in self.places)
        return self.items.get(ItemState.NEEDS_HUMAN, 0) + places

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"needs_a_person": self.needs_a_person}


SHOWN_AT_MOST = 200
PENDING_AT_MOST = 10_000


def status(scope: Scope = EVERYTHING, *, at_most: int = SHOWN_AT_MOST) -> Status:
    """How things stand, for everything, one lab or one repository; up to `at_most` troubles are spelled out."""
    items = _items(scope)
    troubled = items.filter(state__in=[ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT]).order_by("state", "dest_path_key")
    now = clock.now()
    return Status(
        at=now,
        places=_places(scope, now),
        items=dict(items.values_list("state").annotate(Count("pk")).order_by("state")),
        troubles=[_trouble(item, now) for item in troubled.select_related(*_WITH)[:at_most]],
        troubles_in_all=troubled.count(),
        doubts=_doubts(scope, at_most),
        jobs=_jobs(now),
        holds=held(now, scope),
        open_windows=[
            str(one) for one in NightWindow.objects.filter(state=WindowState.OPEN).select_related("repository")
        ],
        last_tick_of_work=TransferJob.objects.aggregate(last=Max("last_progress_at"))["last"],
    )


def pending_paths(*, reader: Any, at_most: int = PENDING_AT_MOST) -> list[str]:
    """Relative paths of files that a server in use should have and has not, or not in the current version; no path twice.

    Of what the reader may read.
    """
    copies = FileRecord.objects.filter(
        repository__in=Repository.objects.filter(role__in=SERVER_ROLES).exclude(state=RepositoryState.RETIRED),
        state__in=sorted(FILLABLE - {CopyState.TRASHED} | {CopyState.INCOMING}),
        dataset__withdrawn_at__isnull=True,
    )
    first = readable(reader, copies).order_by("repository", "state")[:at_most]  # along an index, however many there are
    return sorted(set(first.values_list("relative_path", flat=True)))


_WITH = ("dataset", "source__repository", "destination", "copy")


def _items(scope: Scope) -> QuerySet[TransferItem]:
    rows = TransferItem.objects.all()
    if scope.lab is not None:
        rows = rows.filter(Q(dataset__session__lab=scope.lab) | Q(dataset__session=None, destination__labs=scope.lab))
    if scope.repository is not None:
        rows = rows.filter(Q(destination=scope.repository) | Q(source__repository=scope.repository))
    return rows


def _places(scope: Scope, now: datetime) -> list[Place]:
    repositories = Repository.objects.prefetch_related("labs").order_by("role", "name")
    if scope.lab is not None:
        repositories = repositories.filter(labs=scope.lab)
    if scope.repository is not None:
        repositories = repositories.filter(pk=scope.repository.pk)
    counts: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    rows = FileRecord.objects.filter(repository__in=repositories.values("pk"), dataset__withdrawn_at=None)
    for repository, state, number in rows.order_by().values_list("repository", "state").annotate(number=Count("pk")):
        counts[repository][state] = number
    return [
        Place(
            name=place.name,
            role=place.role,
            labs=[lab.name for lab in place.labs.all()],
            state=place.state,
            why=place.state_reason or ("" if place.canary else "its marker was never established: it is not used"),
            copies=counts[place.pk],
            next_night=_next_night(place, now) if place.state != RepositoryState.RETIRED else None,
            bandwidth=standing_of(place, now),
        )
        for place in repositories
    ]


def _next_night(place: Repository, now: datetime) -> datetime:
    today = now.astimezone(place.zone).date()
    nights = (
        night_of(today + timedelta(days=day), place.window_start, place.window_end, place.zone) for day in range(3)
    )
    return next(night.starts_at for night in nights if night.starts_at > now)


def _trouble(item: TransferItem, now: datetime) -> Trouble:
    after, who = what_follows(item, now)
    return Trouble(
        dataset=str(item.dataset_id),
        path=item.copy.relative_path,
        source=item.source.repository.name,
        destination=item.destination.name,
        code=item.last_error_code,
        what=item.last_error,
        next=after,
        who=who,
        item=str(item.pk),
    )


_HELD = IN_FLIGHT | {ItemState.PLANNED}
_SIMPLY = {
    ItemState.PLANNED: "is sent in the next window of its source",
    **dict.fromkeys(IN_FLIGHT, "is on its way"),
}


def what_follows(item: TransferItem, now: datetime | None = None) -> tuple[str, str]:
    """What happens next with an item, and who has to act, in words. `now` None: at this moment."""
    code, state = parse_code(item.last_error_code), ItemState(item.state)
    hold = _hold(item, now) if state in _HELD else None
    if hold is not None:
        return hold.says, hold.who
    if state is ItemState.NEEDS_HUMAN:
        if reopens(code):
            return "goes on by itself once the file is registered or found good again", "the lab"
        return f"waits until somebody says: manage.py transfers retry {item.pk}", "the data manager"
    if state is not ItemState.RETRY_WAIT:
        return _SIMPLY.get(state, "is over"), "nobody"
    when = f"is tried again after {item.not_before:%Y-%m-%d %H:%M} UTC, at night or by `run --now`"
    if reopens(code):
        return f"the source is looked at a second time a day later; {when} if it is good", "the lab"
    return when, "whoever runs the repository" if policy(code).kind is PolicyClass.REPOSITORY else "nobody yet"


def _doubts(scope: Scope, at_most: int) -> list[Trouble]:
    rows = FileRecord.objects.filter(
        Q(state__in=[CopyState.SUSPECT, CopyState.MISSING, CopyState.CORRUPT])
        | Q(state=CopyState.ANNOUNCED, first_miss_at__isnull=False),
        dataset__withdrawn_at=None,
    ).select_related("repository")
    if scope.lab is not None:
        rows = rows.filter(dataset__session__lab=scope.lab)
    if scope.repository is not None:
        rows = rows.filter(repository=scope.repository)
    return [
        Trouble(
            dataset=str(copy.dataset_id),
            path=copy.relative_path,
            source=copy.repository.name,
            destination="",
            code=copy.state,
            what=copy.reason or COPY_MEANING[CopyState(copy.state)],
            next=_next_look(copy),
            who="the lab" if copy.repository.role not in SERVER_ROLES else "nobody yet",
        )
        for copy in rows.order_by("state", "path_key")[:at_most]
    ]


def _next_look(copy: FileRecord) -> str:
    if copy.look_due_at:
        return f"is looked at again after {copy.look_due_at:%Y-%m-%d %H:%M} UTC"
    if CopyState(copy.state) in FILLABLE and copy.repository.role in SERVER_ROLES:
        return "is copied again from another place"
    return "comes back when the file is registered there again"


def _jobs(now: datetime) -> list[dict[str, Any]]:
    live = TransferJob.objects.exclude(state=JobState.SETTLED).select_related("source", "destination")
    return [
        {
            "id": str(job.pk),
            "from": job.source.name,
            "to": job.destination.name,
            "state": job.state,
            "files": job.files_total,
            "bytes": job.bytes_total,
            "held_by": job.lease_owner,
            "last_progress_at": job.last_progress_at,
            "waits": waits_of(job, now),
            "elsewhere": elsewhere(job.remote_state, job.remote_problem, job.remote_status),
        }
        for job in live.order_by("created_at")[:SHOWN_AT_MOST]
    ]


def waits_of(job: TransferJob, now: datetime) -> str:
    """Why a job that nobody holds is not gone on with, where that is because of the hours of its places."""
    if (job.lease_until is not None and job.lease_until > now) or _runs_elsewhere(job):
        return ""
    hold = hold_of([job.source, job.destination], now)
    return hold.says if hold is not None else ""


def _hold(item: TransferItem, now: datetime | None) -> Hold | None:
    """Whether it waits for the hours of its places. A task that a service has begun does not."""
    ends = [item.source.repository, item.destination]
    if not any(end.bandwidth for end in ends) or (item.job is not None and _runs_elsewhere(item.job)):
        return None
    return hold_of(ends, now or clock.now())


def _runs_elsewhere(job: TransferJob) -> bool:
    return job.backend in APART and job.state not in {JobState.PREPARED, JobState.SUBMITTING}


def arrivals(jobs: QuerySet[TransferJob]) -> dict[str, int]:
    """Outcomes of the attempts made in these jobs."""
    rows = Attempt.objects.filter(job__in=jobs).order_by().values_list("outcome").annotate(number=Count("pk"))
    return dict(rows)


def proved(scope: Scope = EVERYTHING) -> tuple[int, int]:
    """(proved, all) copies that server repositories should have of the current versions."""
    rows = FileRecord.objects.shown().filter(repository__role__in=SERVER_ROLES)
    if scope.lab is not None:
        rows = rows.filter(dataset__session__lab=scope.lab)
    if scope.repository is not None:
        rows = rows.filter(repository=scope.repository)
    good = rows.filter(state=CopyState.VERIFIED, content_version=F("dataset__content_version")).count()
    return good, rows.count()
