"""A job whose bytes a service moves by itself: sent once, left alone while it runs, settled file by file when it has ended.

What may never happen is a second task for one job. So the service's own id for the submission is on record before anything is
sent, whoever is not sure whether something was sent asks the service first and then repeats the same submission, and
files leave their job only when its task has ended or was refused for certain. Between sending and ending nobody holds the
job; `services.polling` asks how it stands.
"""

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from transfers.backends.base import Backend, BackendFailure, Failure, LeaseLost, Remote, RemoteState
from transfers.models import TransferItem, TransferJob
from transfers.rules.errors import ErrorCode, PolicyClass, Side, policy
from transfers.rules.lifecycle import JOB_WRITING, POLLED_FIRST, ItemState, JobState
from transfers.rules.routing import CLAIMS_AT_MOST, STEP, cut
from transfers.services.leases import Lease
from transfers.services.places import backend_for, examine, unusable
from transfers.services.settling import end_job, release_staging, settle_job
from transfers.services.steps import Run, blame_place, current, items_of, prove_and_promote, specs_of

log = logging.getLogger(__name__)

HANDLE_STORED = declare("remote.handle_stored")
BEFORE_SEND = declare("remote.before_send")
ACCEPTED = declare("remote.accepted")
RECORDED = declare("remote.recorded")
LISTED = declare("remote.listed")
PARTS_DONE = declare("remote.parts_done")
ENDED = declare("remote.ended")

LATER = timedelta(minutes=1)
"""How long a job waits for a place or service that does not answer; longer with each time it was in vain."""

I, J = ItemState, JobState  # noqa: E741
Failures = dict[uuid.UUID, Failure]


class Wait(Exception):
    """Nothing can be done with the job now. `well`: nothing went wrong either."""

    def __init__(self, pause: timedelta = LATER, *, well: bool = True) -> None:
        super().__init__(str(pause))
        self.pause, self.well = pause, well


def drive(lease: Lease, job: TransferJob) -> None:
    """Bring a job of ours one step on: sent, or from the end of its task to its settlement. Raises LeaseLost."""
    try:
        if job.state == J.SUBMITTING:
            _submit(lease, job)
        elif job.state in JOB_WRITING:
            _settle_files(lease, job)
        settle_job(lease=lease)
    except Wait as wait:
        lease.put_down(wait.pause, well=wait.well)
    except LeaseLost:
        raise
    except BackendFailure as failure:
        log.warning("job %s waits: %s", job.pk, failure)
        blame_place(job, Failure(failure.code, failure.detail, failure.side))
        lease.put_down(_longer(lease), well=False)


def _longer(lease: Lease) -> timedelta:
    return min(LATER * (1 << min(lease.claims, 10)), timedelta(hours=1))


# --- sending ---------------------------------------------------------------------------------------------------


def _submit(lease: Lease, job: TransferJob) -> None:
    """To the record of a running task, or to the end of a job of which nothing was begun. Raises Wait, BackendFailure."""
    items = items_of(job)
    maybe_sent = job.handle_at is not None
    if not maybe_sent:
        broken = unusable(job) or _refused_handle(lease, job) if items else None
        if broken is not None or not items:
            _end(lease, dict.fromkeys(items, broken or Failure(ErrorCode.UNKNOWN)))
            return
    run = Run(lease, job, backend_for(job.source), backend_for(job.destination), clock.now().date())
    if maybe_sent:
        _record_if_known(lease, job, run.destination)
    if lease.claims > CLAIMS_AT_MOST:
        died = Failure(ErrorCode.WORKER_DIED, f"claimed {lease.claims} times", Side.BETWEEN)
        _end_unsent(run, dict.fromkeys(items, died))
        return
    sent = _send(run, items)
    if sent.id != run.spec(()).handle:
        failpoint(ACCEPTED)
        _record(lease, sent)
    if sent.state is RemoteState.ACTIVE:
        problem = sent.problem.code if sent.problem else ""
        TransferJob.objects.filter(pk=job.pk).update(
            remote_problem=problem, remote_status={"said": sent.problem.detail if sent.problem else sent.detail}
        )
        raise Wait(_longer(lease), well=False)
    run.note(sent.outcomes)
    _end_unsent(run, run.failures) if maybe_sent else _end(lease, run.failures)


def _refused_handle(lease: Lease, job: TransferJob) -> Failure | None:
    """Have the service give out the id of this submission, and store it. What went wrong, if anything did."""
    try:
        handle = uuid.UUID(backend_for(job.destination).prepare())
    except BackendFailure as failure:
        refused = Failure(failure.code, failure.detail, failure.side)
        blame_place(job, refused)
        return refused
    with lease.hold() as held:
        TransferJob.objects.filter(pk=held.pk).update(submission_id=handle, handle_at=clock.AlyxNow())
    job.submission_id = handle
    failpoint(HANDLE_STORED)
    return None


def _send(run: Run, items: Mapping[uuid.UUID, TransferItem]) -> Remote:
    fresh = current(run, items.values())
    handle = run.spec(()).handle
    if not fresh:
        return Remote(handle, RemoteState.SUCCEEDED)
    failpoint(BEFORE_SEND)
    return run.destination.send(run.source, run.spec(list(specs_of(fresh).values())), run.lease.beat)


def _record_if_known(lease: Lease, job: TransferJob, destination: Backend) -> None:
    """Record the task that an earlier worker had begun, if the service knows of it. Raises Wait, BackendFailure."""
    known = destination.find(job.submission_id.hex)
    if known is not None:
        _record(lease, known)


def _record(lease: Lease, sent: Remote) -> None:
    """The task runs: from here on it is only asked about. Raises Wait."""
    ended = sent.state is not RemoteState.ACTIVE
    with lease.hold() as held:
        transition(
            TransferJob.objects.filter(pk=held.pk),
            sources=[J.SUBMITTING],
            to=J.SUBMITTED,
            remote_id=sent.id,
            remote_state=str(sent.state),
            remote_problem="",
            remote_status={"progress": sent.detail},
            last_progress_at=clock.AlyxNow(),
        )
    failpoint(RECORDED)
    raise Wait(timedelta(0) if ended else POLLED_FIRST)


def _end_unsent(run: Run, failures: Mapping[uuid.UUID, Failure]) -> None:
    """Nothing is known to have begun, but an earlier worker may have sent it: close the staging place, so that nothing of it can
    arrive any more, and look once more. Raises Wait, BackendFailure."""
    release_staging(run.lease)
    _record_if_known(run.lease, run.job, run.destination)
    _end(run.lease, failures)


def _end(lease: Lease, failures: Mapping[uuid.UUID, Failure], otherwise: JobState = J.FAILED) -> None:
    end_job(lease=lease, failures=failures, otherwise=otherwise)
    failpoint(ENDED)


# --- settling --------------------------------------------------------------------------------------------------


def _settle_files(lease: Lease, job: TransferJob) -> None:
    """What became of each file of a task that has ended. Raises Wait, BackendFailure."""
    if not examine(job.destination).healthy:
        raise Wait
    run = Run(lease, job, backend_for(job.source), backend_for(job.destination), clock.now().date())
    ended = run.destination.poll([str(job.remote_id)]).get(str(job.remote_id))
    if ended is None and job.state == J.CANCELLING:  # a person wants its end, and the service has denied it (polling)
        ended = Remote(str(job.remote_id), RemoteState.CANCELLED)
    if ended is None or ended.state is RemoteState.ACTIVE:
        raise Wait  # its lists follow
    failpoint(LISTED)
    items = items_of(job)
    if lease.claims > CLAIMS_AT_MOST:
        run.failures |= dict.fromkeys(items, Failure(ErrorCode.WORKER_DIED, f"claimed {lease.claims} times"))
    else:
        _arrive(run, items, ended)
        for part in cut(((pk, item.size_bytes) for pk, item in items.items()), STEP):
            fresh = current(run, [items[pk] for pk in part])
            prove_and_promote(run, fresh, specs_of(fresh))
    failpoint(PARTS_DONE)
    if ended.state is RemoteState.CANCELLED and _stalled(job):
        late = Failure(ErrorCode.EXPIRED, job.remote_status["cancelled"]["why"], Side.BETWEEN)
        run.failures |= {key: late for key, one in run.failures.items() if one.code is ErrorCode.CANCELLED}
    if lease.claims < CLAIMS_AT_MOST and any(_our_own(one, ended) for one in run.failures.values()):
        raise Wait(_longer(lease), well=False)
    _end(lease, run.failures, _how_it_ended(job, ended.state))


def _arrive(run: Run, items: Mapping[uuid.UUID, TransferItem], ended: Remote) -> None:
    """Whatever did not fail for certain is looked for: what arrived, and what is on no list."""
    failed = {uuid.UUID(key) for key, outcome in ended.outcomes.items() if isinstance(outcome, Failure)}
    with run.lease.hold():
        arrived = TransferItem.objects.filter(pk__in=set(items) - failed)
        transition(arrived, sources=[I.BOUND], to=I.MOVED)
        transition(arrived, sources=[I.MOVED], to=I.VERIFYING)


def _our_own(failure: Failure, ended: Remote) -> bool:
    """Whether it was our call that failed, not the task: the bytes lie there, and trying again costs nothing."""
    passing = policy(failure.code).kind is PolicyClass.TRANSIENT and failure.code is not ErrorCode.STAGED_LOST
    return passing and failure != ended.problem and failure not in ended.outcomes.values()


def _stalled(job: TransferJob) -> bool:
    """Whether we had it cancelled because it stood still (not a person)."""
    cancelled: dict[str, Any] | None = job.remote_status.get("cancelled")
    return cancelled is not None and not cancelled["by"]


def _how_it_ended(job: TransferJob, state: RemoteState) -> JobState:
    """Where not every file arrived. Ours is the reason before the service's."""
    if _stalled(job):
        return J.EXPIRED
    return {RemoteState.EXPIRED: J.EXPIRED, RemoteState.CANCELLED: J.CANCELLED}.get(state, J.FAILED)
