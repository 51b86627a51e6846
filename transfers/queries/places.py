"""What is wrong with repositories: blocked, never marked, not ready by the evening's look, a night that was missed, jobs in
nobody's hands."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import Lab
from datasets.models import SERVER_ROLES, Repository, RepositoryState
from transfers.models import Decision, NightWindow, TransferJob
from transfers.models.decision import DecisionKind
from transfers.rules.lifecycle import JobState
from transfers.rules.needs import Who
from transfers.rules.schedule import night_of
from transfers.services.hours import closed_places, waiting_jobs

UNUSABLE = (RepositoryState.BLOCKED, RepositoryState.FULL, RepositoryState.QUARANTINED)
NOBODYS_AFTER = timedelta(minutes=2)
"""A job whose lease lapsed so long ago is taken over by no worker."""
JOBS_NAMED = 8


@dataclass
class PlaceTrouble:
    """One thing wrong with one repository of one lab (`no_server`: with the lab; `place` is the lab's id then)."""

    lab: Lab
    place: uuid.UUID
    name: str
    code: str
    said: str = ""
    since: datetime | None = None
    count: int = 1
    jobs: list[uuid.UUID] = field(default_factory=list)
    is_ignored: bool = False
    escalated_at: datetime | None = None
    note: str = ""
    who: Who | None = None
    """Whose turn it is, where that differs from what the code says."""


def place_troubles(labs: Sequence[Lab]) -> list[PlaceTrouble]:
    """All of these labs' repositories; a constant number of statements."""
    by_key = {lab.pk: lab for lab in labs}
    places = list(
        Repository.objects.filter(labs__in=by_key).exclude(state=RepositoryState.RETIRED)
        .distinct().prefetch_related("labs").order_by("name")
    )  # fmt: skip
    found = [
        *_unusable(places),
        *_not_ready(places),
        *_missed(places, clock.now()),
        *_stalled(places),
    ]
    spread = [
        PlaceTrouble(by_key[lab.pk], place.pk, place.name, **facts)
        for place, facts in found
        for lab in place.labs.all()
        if lab.pk in by_key
    ]
    served = {lab.pk for place in places if place.role in SERVER_ROLES for lab in place.labs.all()}
    has_any = {lab.pk for place in places for lab in place.labs.all()}
    spread += [PlaceTrouble(lab, lab.pk, lab.name, "no_server") for lab in labs if lab.pk in has_any - served]
    _decided(spread)
    return spread


Found = tuple[Repository, dict[str, Any]]


def _unusable(places: Sequence[Repository]) -> Iterator[Found]:
    since = _since([place.pk for place in places if place.state in UNUSABLE])
    for place in places:
        if place.state in UNUSABLE:
            yield place, {"code": str(place.state), "said": place.state_reason, "since": since.get(place.pk)}
        elif place.canary is None and place.root:
            yield place, {"code": "unmarked", "said": "its marker was never established: it is not used"}


_FAILING = [Status.FAILED.value, Status.CRITICAL.value]
_LOOKS = """
SELECT p.repository_id, p.what, p.who, (
    SELECT min(q.at) FROM transfers_preflight q WHERE q.repository_id = p.repository_id AND q.id > coalesce(
        (SELECT max(g.id) FROM transfers_preflight g WHERE g.repository_id = p.repository_id AND g.status <> ALL (%(failing)s)), 0)
) AS since
  FROM unnest(%(places)s::uuid[]) AS r (id)
  JOIN LATERAL (SELECT * FROM transfers_preflight l WHERE l.repository_id = r.id ORDER BY l.id DESC LIMIT 1) p ON true
 WHERE p.status = ANY (%(failing)s)
"""


def not_ready(places: Sequence[Repository]) -> dict[uuid.UUID, tuple[str, str, datetime]]:
    """Those whose last look says that the night will not do its work there: what was found, whose turn it is, and since which
    look it is so. What is out of use anyway is left out: that says it louder."""
    asked = [place.pk for place in places if place.state not in UNUSABLE and (place.canary or not place.root)]
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS, {"places": asked, "failing": _FAILING})
        return {place: (what, who, since) for place, what, who, since in cursor.fetchall()}


def _not_ready(places: Sequence[Repository]) -> Iterator[Found]:
    found = not_ready(places)
    for place in places:
        if place.pk in found:
            what, who, since = found[place.pk]
            yield place, {"code": "not_ready", "said": what, "who": Who(who), "since": since}


_SINCE = """
SELECT e.pgh_obj_id, min(e.pgh_created_at) FROM datasets_repositoryevent e
  JOIN datasets_repository r ON r.id = e.pgh_obj_id AND e.state = r.state
 WHERE e.pgh_obj_id = ANY (%(places)s) AND e.pgh_id > coalesce(
    (SELECT max(b.pgh_id) FROM datasets_repositoryevent b WHERE b.pgh_obj_id = r.id AND b.state <> r.state), 0)
 GROUP BY 1
"""


def _since(places: list[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Since when each is in its state, from the audit."""
    if not places:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"places": places})
        return dict(cursor.fetchall())


def _missed(places: Sequence[Repository], now: datetime) -> Iterator[Found]:
    """Places whose last night has begun by their clock and was never opened."""
    begun = {}
    for place in places:
        today = now.astimezone(place.zone).date()
        for day in (today, today - timedelta(days=1)):
            night = night_of(day, place.window_start, place.window_end, place.zone)
            if night.starts_at <= now - timedelta(minutes=15):
                begun[place.pk] = night
                break
    rows = NightWindow.objects.filter(
        repository__in=begun, kind="night", local_date__in={night.local_date for night in begun.values()}
    )
    opened = set(rows.values_list("repository_id", "local_date"))
    for place in places:
        last = begun.get(place.pk)
        if last and (place.pk, last.local_date) not in opened and place.created_at < last.starts_at:
            said = f"the night of {last.local_date} should have begun {last.starts_at:%Y-%m-%d %H:%M} UTC"
            yield place, {"code": "missed", "said": said, "since": last.starts_at}


def _stalled(places: Sequence[Repository]) -> Iterator[Found]:
    lapsed = TransferJob.objects.filter(
        destination__in=places, lease_until__lt=clock.AlyxNow() - NOBODYS_AFTER
    ).exclude(state__in=[JobState.PREPARED, JobState.SETTLED])
    found = list(lapsed.order_by("lease_until"))
    if found and (closed := closed_places()):  # what was left lying there waits for their hours, not for a worker
        waiting = set(waiting_jobs(closed).values_list("pk", flat=True))
        found = [job for job in found if job.pk not in waiting]
    jobs: dict[uuid.UUID, list[TransferJob]] = {}
    for job in found:
        jobs.setdefault(job.destination_id, []).append(job)
    for place in places:
        if mine := jobs.get(place.pk):
            yield (
                place,
                {
                    "code": "stalled",
                    "said": f"last heard of at {mine[0].lease_until:%H:%M:%S} UTC",
                    "since": mine[0].lease_until,
                    "count": len(mine),
                    "jobs": [job.pk for job in mine[:JOBS_NAMED]],
                },
            )


def _decided(found: list[PlaceTrouble]) -> None:
    rows = Decision.objects.filter(about="place", ended_at__isnull=True, subject_id__in=[one.place for one in found])
    decided = list(rows.select_related("decided_by").order_by("created_at"))
    for one in found:
        for decision in decided:
            mine = (decision.subject_id, decision.code, decision.lab_id) == (one.place, one.code, one.lab.pk)
            if not mine or (one.since is not None and decision.created_at < one.since):
                continue
            one.note = f"{decision.reason} ({decision.decided_by})"
            if decision.kind == DecisionKind.IGNORED:
                one.is_ignored = True
            else:
                one.escalated_at = decision.created_at
