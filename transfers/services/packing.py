"""Planned items put together into jobs. A job and its submission id are on record before anything is sent."""

import uuid
from collections import defaultdict
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet

from alyx.core.clock import AlyxNow
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from datasets.models import Repository
from datasets.services import copies
from transfers.models import NightWindow, TransferItem, TransferJob
from transfers.models.window import WindowState
from transfers.rules.errors import ErrorCode
from transfers.rules.lifecycle import ItemState
from transfers.rules.routing import JOB, Bounds, cut
from transfers.services.hours import closed_places
from transfers.services.places import backend_for
from transfers.services.planning import EVERYTHING, IN_LAB, Scope

BEFORE_COMMIT = declare("packer.before_commit")
COMMITTED = declare("packer.committed")
AT_ONCE = 20_000
"""Items packed in one transaction."""

_READY = f"""
SELECT i.id, i.size_bytes, s.repository_id, i.destination_id,
       CASE WHEN i.last_error_code = %(poison)s OR i.size_class = 'large' AND r.kind <> ALL (%(apart)s) THEN 1
            ELSE i.company END, i.size_class, i.copy_id, i.content_version
  FROM transfers_transferitem i
  JOIN datasets_filerecord s ON s.id = i.source_id
  JOIN datasets_filerecord c ON c.id = i.copy_id
  JOIN datasets_dataset d ON d.id = i.dataset_id
  JOIN datasets_repository q ON q.id = s.repository_id
  JOIN datasets_repository r ON r.id = i.destination_id
 WHERE i.state = 'planned' AND i.not_before <= alyx_now() AND c.state = ANY (%(fillable)s)
   AND s.state = ANY (%(serving)s) AND s.content_version = i.content_version
   AND d.content_version = i.content_version AND d.withdrawn_at IS NULL
   AND q.state = ANY (%(readable)s) AND r.state = 'active'
   AND s.repository_id = ANY (%(open)s::uuid[])
   AND q.id <> ALL (%(closed)s::uuid[]) AND r.id <> ALL (%(closed)s::uuid[])
   AND (%(repository)s::uuid IS NULL OR %(repository)s::uuid IN (q.id, r.id))
   AND {IN_LAB.format(destination="r.id")}
 ORDER BY i.size_class DESC, i.not_before, s.repository_id, i.dest_path_key
 LIMIT %(limit)s
   FOR UPDATE OF i SKIP LOCKED
"""  # noqa: S608  (put together from constants)
Route = tuple[uuid.UUID, uuid.UUID, int | None, str]
"""Source, destination, how many files may go together (None: as many as a job takes), and of which size class: large files
travel alone, or, where a service carries them side by side, with their like."""


@transaction.atomic
def pack_jobs(*, actor: Any = None, scope: Scope = EVERYTHING, at_most: int = AT_ONCE) -> int:
    """Put planned items of repositories whose window is open into jobs, and mark their copies INCOMING; how many jobs. What
    no place may be asked for at this hour stays planned.

    Each try is counted here, so that a file that kills its worker cannot do so for ever.
    """
    windows = {window.repository_id: window for window in _open_windows()}
    routes: dict[Route, list[tuple[uuid.UUID, int | None]]] = defaultdict(list)
    sizes: dict[uuid.UUID, int | None] = {}
    with connection.cursor() as cursor:
        parameters = scope.parameters | {
            "open": list(windows),
            "closed": closed_places(),
            "limit": at_most,
            "poison": ErrorCode.WORKER_DIED,
        }
        cursor.execute(_READY, parameters)
        ready = cursor.fetchall()
    moved = copies.mark_incoming(actor=actor, copies=[(row[6], row[7]) for row in ready])
    for item, size, source, destination, company, size_class, copy, _ in ready:
        if copy in moved:
            routes[source, destination, company, size_class].append((item, size))
            sizes[item] = size
    if not routes:
        return 0
    repositories = Repository.objects.in_bulk({one for route in routes for one in route[:2]})
    made = 0
    for (source, destination, company, _), files in routes.items():
        for part in cut(files, _bounds(repositories[destination], company)):
            _make_job(repositories[source], repositories[destination], windows[source], part, sizes)
            made += 1
    failpoint(BEFORE_COMMIT)
    transaction.on_commit(lambda: failpoint(COMMITTED))
    return made


def _open_windows() -> QuerySet[NightWindow]:
    """Manual windows last, so that they win for a repository that has both."""
    return NightWindow.objects.filter(state=WindowState.OPEN, ends_at__gt=AlyxNow()).order_by("-kind")


def _bounds(destination: Repository, company: int | None) -> Bounds:
    limits = backend_for(destination).limits()
    return JOB.capped(min(limits.files_per_job, company or limits.files_per_job), limits.bytes_per_job)


def _make_job(
    source: Repository,
    destination: Repository,
    window: NightWindow,
    items: list[uuid.UUID],
    sizes: dict[uuid.UUID, int | None],
) -> None:
    job = TransferJob.objects.create(
        backend=destination.kind,
        source=source,
        destination=destination,
        window=window,
        files_total=len(items),
        bytes_total=sum(sizes[item] or 0 for item in items),
    )
    transition(
        TransferItem.objects.filter(pk__in=items),
        sources=[ItemState.PLANNED],
        to=ItemState.BOUND,
        job=job,
        attempts=F("attempts") + 1,
    )
