"""How jobs stand that run elsewhere: one question for all of a login, and what follows from the answer.

Only the service's word that a task has ended ends anything. A task that an answer does not mention proves nothing; it is asked
about again.
"""

import json
import logging
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from alyx.core import clock
from alyx.core.errors import Conflict
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from transfers.backends.base import Backend, BackendFailure, Failure, Remote, RemoteState
from transfers.models import TransferJob
from transfers.rules.errors import ErrorCode, policy
from transfers.rules.lifecycle import POLLED_AT_LEAST, POLLED_FIRST, STALLED_AFTER, JobState
from transfers.services.places import allow_managing, backend_for, examine
from transfers.services.steps import blame_place

log = logging.getLogger(__name__)

ASKED = declare("remote.asked")
NOTED = declare("remote.noted")

_TAKE = """
WITH due AS (
    SELECT DISTINCT j.backend, r.credential FROM transfers_transferjob j
      JOIN datasets_repository r ON r.id = j.destination_id
     WHERE j.remote_state = 'active' AND (j.due_at IS NULL OR j.due_at <= alyx_now())
), taken AS (
    SELECT j.id FROM transfers_transferjob j JOIN datasets_repository r ON r.id = j.destination_id
      JOIN due ON due.backend = j.backend AND due.credential = r.credential
     WHERE j.remote_state = 'active'
       FOR UPDATE OF j SKIP LOCKED
)
UPDATE transfers_transferjob j
   SET due_at = alyx_now() + make_interval(secs => least(
           %(longest)s, greatest(%(first)s, extract(epoch FROM alyx_now() - j.handle_at) / 2)))
  FROM taken WHERE taken.id = j.id
RETURNING j.id
"""
"""Whoever is due, and with it all others of the same login; nobody else asks about them before the next time."""
_NOTE = """
UPDATE transfers_transferjob j
   SET remote_state = w.state, remote_problem = w.problem,
       remote_status = j.remote_status || w.status::jsonb,
       last_progress_at = CASE WHEN w.got_on THEN alyx_now() ELSE j.last_progress_at END,
       due_at = CASE WHEN w.state = 'active' THEN j.due_at ELSE NULL END
  FROM unnest(%(jobs)s::uuid[], %(states)s::text[], %(problems)s::text[], %(statuses)s::text[], %(got_on)s::bool[])
       AS w (id, state, problem, status, got_on)
 WHERE j.id = w.id AND j.remote_state = 'active'
"""
UNSEEN = "the service does not show this task to us; it is asked again"


def poll_jobs() -> int:
    """Ask about jobs that run elsewhere and are due; how many were asked about. One that has ended can be claimed from now
    on. Two pollers at once share them."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"longest": POLLED_AT_LEAST.total_seconds(), "first": POLLED_FIRST.total_seconds()})
        taken: list[uuid.UUID] = [row[0] for row in cursor.fetchall()]
    if not taken:
        return 0
    logins: dict[tuple[str, str], list[TransferJob]] = defaultdict(list)
    for job in TransferJob.objects.filter(pk__in=taken).select_related("source", "destination"):
        logins[job.backend, job.destination.credential].append(job)
    for jobs in logins.values():
        _ask(jobs)
    return len(taken)


def _ask(jobs: Sequence[TransferJob]) -> None:
    """Jobs of one login: what is to be cancelled is, and how all stand is noted."""
    try:
        backend = backend_for(jobs[0].destination)
        denied = _cancel(backend, jobs)
        seen = backend.poll([str(job.remote_id) for job in jobs], files=False)
    except BackendFailure as failure:
        log.warning("%d jobs cannot be asked about: %s", len(jobs), failure)
        for job in {job.destination_id: job for job in jobs}.values():
            blame_place(job, Failure(failure.code, failure.detail, failure.side))
        return
    failpoint(ASKED)
    _note(jobs, {job: Remote(job, RemoteState.CANCELLED) for job in denied} | seen)
    failpoint(NOTED)
    for job in jobs:
        _examine_ends(job, seen.get(str(job.remote_id)))
    _cancel_stalled([job.pk for job in jobs])


def _cancel(backend: Backend, jobs: Sequence[TransferJob]) -> list[str]:
    """Have the service end what is to be ended; the tasks of which it says that there are none, where a person wants them
    ended."""
    denied = []
    for job in jobs:
        if job.state != JobState.CANCELLING:
            continue
        try:
            backend.cancel(str(job.remote_id))
        except BackendFailure as failure:
            log.warning("job %s is not cancelled: %s", job.pk, failure)
            if failure.code is ErrorCode.STAGED_LOST and job.remote_status.get("cancelled", {}).get("by"):
                denied.append(str(job.remote_id))
    return denied


def _note(jobs: Sequence[TransferJob], seen: Mapping[str, Remote]) -> None:
    rows = [(job, seen.get(str(job.remote_id))) for job in jobs]
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "jobs": [job.pk for job, _ in rows],
                "states": [str(one.state) if one else "active" for _, one in rows],
                "problems": [str(one.problem.code) if one and one.problem else "" for _, one in rows],
                "statuses": [json.dumps(_status(one)) for _, one in rows],
                "got_on": [_got_on(job, one) for job, one in rows],
            },
        )


def _status(one: Remote | None) -> dict[str, str]:
    if one is None:
        return {"said": UNSEEN}
    return {"progress": one.detail, "said": one.problem.detail if one.problem else ""}


def _got_on(job: TransferJob, one: Remote | None) -> bool:
    """Whether the clock of a job that stands still starts anew: it got on, or it waits for people (a pause, a login)."""
    if one is None:
        return False
    waits = one.problem is not None and policy(one.problem.code).blocks_repository
    return waits or one.detail != job.remote_status.get("progress")


def _examine_ends(job: TransferJob, one: Remote | None) -> None:
    """A task that newly stands still because of a place: which of the two it is, and stop using that one meanwhile."""
    if one is None or one.problem is None or str(one.problem.code) == job.remote_problem:
        return
    if one.state is RemoteState.ACTIVE and (
        policy(one.problem.code).blocks_repository or one.problem.code is ErrorCode.UNREACHABLE
    ):
        examine(job.source)
        examine(job.destination)


def _cancel_stalled(jobs: Sequence[uuid.UUID]) -> None:
    """Those that have stood still for too long, with an error of their own, go again in another task."""
    before: datetime = clock.now() - STALLED_AFTER
    stalled = TransferJob.objects.filter(pk__in=jobs, remote_state="active", last_progress_at__lt=before)
    for job in stalled.exclude(remote_problem=""):
        status = job.remote_status | {"cancelled": {"by": "", "why": f"no progress for {STALLED_AFTER}"}}
        transition(
            TransferJob.objects.filter(pk=job.pk), sources=[JobState.SUBMITTED], to="cancelling", remote_status=status
        )


@transaction.atomic
def cancel_job(*, actor: Any, job: TransferJob, reason: str) -> None:
    """A person ends a job that runs elsewhere: what has arrived stays, the rest is tried again the next night. It has ended when
    the service says so.

    Raises Forbidden, Conflict (it does not run elsewhere, or not any more).
    """
    held = TransferJob.objects.select_for_update().get(pk=job.pk)
    allow_managing(actor, held.destination.labs.values_list("pk", flat=True))
    if held.remote_state != "active":
        raise Conflict("this job does not run at a service now: it ends by itself")
    status = held.remote_status | {"cancelled": {"by": str(actor), "why": reason}}
    if not transition(
        TransferJob.objects.filter(pk=held.pk),
        sources=[JobState.SUBMITTED],
        to=JobState.CANCELLING,
        remote_status=status,
        due_at=clock.AlyxNow(),
    ):
        raise Conflict(f"this job is {held.state}")
