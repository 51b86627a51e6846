"""One job from its claim to its settlement: staged, read back, named, registered, step by step.

No transaction is open while bytes move. Each write-back happens under the job's fence; a worker that was frozen finds
its fence old in the database and its staging place gone from the disk. Done again after a crash at any point, all of
this ends in the same state: what is proved is not copied again. Where a place lets nothing be moved any more at this hour the
job is put down as it is, and taken up when it may go on. A job whose bytes a service moves by itself goes the way
of `services.remote`.
"""

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from transfers.backends.base import BackendFailure, Failure, FileSpec, LeaseLost, OutOfHours
from transfers.models import TransferItem, TransferJob
from transfers.rules.errors import ErrorCode, Side, policy
from transfers.rules.lifecycle import JOB_WRITING, ItemState, JobState
from transfers.rules.routing import CLAIMS_AT_MOST, cut, step_at
from transfers.services import remote
from transfers.services.leases import Lease, claim_job
from transfers.services.pacing import Pace
from transfers.services.places import REMOTE_KINDS, unusable
from transfers.services.settling import end_job, release_staging, settle_job
from transfers.services.steps import Run, current, items_of, prove_and_promote, specs_of

log = logging.getLogger(__name__)

BEFORE_SEND = declare("mover.before_send")
SENT = declare("mover.sent")
MOVED = declare("mover.moved")
ALL_STEPS_DONE = declare("mover.all_steps_done")
ENDED = declare("mover.ended")

I, J = ItemState, JobState  # noqa: E741


def drive_job(*, job: uuid.UUID | None = None, windows: list[uuid.UUID] | None = None) -> uuid.UUID | None:
    """Claim one job and bring it as far as it goes now, normally to its settlement. None when there is none to claim."""
    lease = claim_job(job=job, windows=windows)
    if lease is None:
        return None
    try:
        held = TransferJob.objects.select_related("source", "destination", "window").get(pk=lease.job_id)
        remote.drive(lease, held) if held.backend in REMOTE_KINDS else _drive(lease, held)
    except LeaseLost as lost:
        log.warning("job %s: %s", lease.job_id, lost.detail)
    except OutOfHours as closed:
        log.info("job %s waits for the hours of %s", lease.job_id, closed.detail)
        lease.put_down(timedelta(0), well=True)
    except Exception:
        lease.release()
        raise
    return lease.job_id


def _drive(lease: Lease, job: TransferJob) -> None:
    if job.state in JOB_WRITING:
        failures = _move(lease, job)
        if failures is None:
            return
        end_job(lease=lease, failures=failures)
        failpoint(ENDED)
    settle_job(lease=lease)


def _move(lease: Lease, job: TransferJob) -> dict[uuid.UUID, Failure] | None:
    """Bring all files of the job as far as they go; what failed, by item.

    None: a former owner of the job may live and cannot be barred from the destination now, so the job must not end. It
    is taken up again when our lease has lapsed.
    """
    items = items_of(job)
    taken_over = lease.fence > 1
    broken = unusable(job)
    if broken is not None or lease.claims > CLAIMS_AT_MOST or not items:
        if taken_over and not _bar(lease):
            return None
        died = Failure(ErrorCode.WORKER_DIED, f"claimed {lease.claims} times", Side.BETWEEN)
        return dict.fromkeys(items, broken or died)
    pace = Pace(lease.beat, job.pk)
    run = Run(lease, job, pace.backend(job.source), pace.backend(job.destination), clock.now().date(), pace)
    pace.begin()
    failpoint(BEFORE_SEND)
    with lease.hold() as held:
        transition(TransferJob.objects.filter(pk=held.pk), sources=[J.SUBMITTING], to=J.SUBMITTED)
    for part in cut(((pk, item.size_bytes) for pk, item in items.items()), step_at(pace.rate)):
        _step(run, [items[pk] for pk in part])
        if _hopeless(run):
            rest = (pk for pk in items if pk not in run.failures)
            run.failures |= dict.fromkeys(rest, _hopeless(run) or Failure(ErrorCode.UNKNOWN))
            break
    failpoint(ALL_STEPS_DONE)
    if taken_over and run.failures and not _bar(lease):
        return None
    return run.failures


def _bar(lease: Lease) -> bool:
    """Keep former owners of the job from the destination; whether that is sure."""
    try:
        release_staging(lease)
    except LeaseLost:
        raise
    except BackendFailure:
        return False
    return True


def _hopeless(run: Run) -> Failure | None:
    """A failure that every further file of the job would meet."""
    blocking = (one for one in run.failures.values() if policy(one.code).blocks_repository)
    return next(blocking, None)


def _step(run: Run, items: list[TransferItem]) -> None:
    """Some files all the way: staged, proved, named, registered. What fails is noted and stays in flight."""
    fresh = current(run, items)
    specs = specs_of(fresh)
    _stage(run, fresh, specs)
    prove_and_promote(run, fresh, specs)


def _stage(run: Run, items: list[TransferItem], specs: Mapping[str, FileSpec]) -> None:
    todo = [specs[item.pk.hex] for item in items if item.state == I.BOUND]
    if todo:
        outcomes = run.destination.send(run.source, run.spec(todo), run.beat).outcomes
        failpoint(SENT)
        run.note(outcomes)
    with run.lease.hold():
        arrived = TransferItem.objects.filter(pk__in=[item.pk for item in items if item.pk not in run.failures])
        transition(arrived, sources=[I.BOUND], to=I.MOVED)
        transition(arrived, sources=[I.MOVED], to=I.VERIFYING)
    failpoint(MOVED)
