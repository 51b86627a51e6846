"""One job from its claim to its settlement: staged, read back, named, registered, step by step.

No transaction is open while bytes move. Each write-back happens under the job's fence; a worker that was frozen finds
its fence old in the database and its staging place gone from the disk. Done again after a crash at any point, all of
this ends in the same state: what is proved is not copied again.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import F

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from alyx.core.transitions import transition
from datasets.models import ContentVersion, FileRecord
from datasets.rules.copies import CopyState
from datasets.services import copies
from transfers.backends.base import Backend, BackendFailure, Content, Failure, FileSpec, JobSpec, LeaseLost, Proved
from transfers.models import TransferItem, TransferJob
from transfers.rules.errors import ErrorCode, Side, policy
from transfers.rules.lifecycle import IN_FLIGHT, JOB_WRITING, ItemState, JobState
from transfers.rules.routing import CLAIMS_AT_MOST, STEP, cut
from transfers.services.leases import Lease, claim_job
from transfers.services.places import backend_for, block, probe
from transfers.services.registering import register_proved
from transfers.services.settling import end_job, release_staging, settle_job

log = logging.getLogger(__name__)

BEFORE_SEND = declare("mover.before_send")
SENT = declare("mover.sent")
MOVED = declare("mover.moved")
PROVED = declare("verifier.proved")
PROMOTED = declare("promoter.promoted")
ALL_STEPS_DONE = declare("mover.all_steps_done")
ENDED = declare("mover.ended")

I, J = ItemState, JobState  # noqa: E741


@dataclass
class Run:
    """A job in hand: both ends, its files, what failed so far."""

    lease: Lease
    job: TransferJob
    source: Backend
    destination: Backend
    on: date
    failures: dict[uuid.UUID, Failure] = field(default_factory=dict)

    def spec(self, files: Sequence[FileSpec]) -> JobSpec:
        """These files, sent under our fence."""
        return JobSpec(self.job.submission_id.hex, self.lease.fence, tuple(files), self.on)


def drive_job(*, job: uuid.UUID | None = None, windows: list[uuid.UUID] | None = None) -> uuid.UUID | None:
    """Claim one job and bring it as far as it goes, normally to its settlement. None when there is none to claim."""
    lease = claim_job(job=job, windows=windows)
    if lease is None:
        return None
    try:
        _drive(lease)
    except LeaseLost as lost:
        log.warning("job %s: %s", lease.job_id, lost.detail)
    except Exception:
        lease.release()
        raise
    return lease.job_id


def _drive(lease: Lease) -> None:
    job = TransferJob.objects.select_related("source", "destination", "window").get(pk=lease.job_id)
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
    items = _items(job)
    taken_over = lease.fence > 1
    broken = _unhealthy(job)
    if broken is not None or lease.fence > CLAIMS_AT_MOST or not items:
        if taken_over and not _bar(lease):
            return None
        died = Failure(ErrorCode.WORKER_DIED, f"claimed {lease.fence} times", Side.BETWEEN)
        return dict.fromkeys(items, broken or died)
    run = Run(lease, job, backend_for(job.source), backend_for(job.destination), clock.now().date())
    failpoint(BEFORE_SEND)
    with lease.hold() as held:
        transition(TransferJob.objects.filter(pk=held.pk), sources=[J.SUBMITTING], to=J.SUBMITTED)
    for part in cut(((pk, item.size_bytes) for pk, item in items.items()), STEP):
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


def _items(job: TransferJob) -> dict[uuid.UUID, TransferItem]:
    rows = (
        TransferItem.objects.filter(job=job, state__in=sorted(IN_FLIGHT))
        .select_related("dataset", "source", "copy")
        .order_by("dest_path_key", "pk")
    )
    return {row.pk: row for row in rows}


def _unhealthy(job: TransferJob) -> Failure | None:
    """Whether one end cannot be used now, seen before anything is touched; the repository is stopped if so."""
    for side, repository in ((Side.SOURCE, job.source), (Side.DESTINATION, job.destination)):
        health = probe(repository)
        problem, detail = health.problem, health.detail
        if problem is None and side is Side.DESTINATION:
            if health.read_only:
                problem = ErrorCode.READ_ONLY
            elif health.free_bytes is not None and health.free_bytes < job.bytes_total:
                problem, detail = ErrorCode.NO_SPACE, f"{health.free_bytes} bytes free, {job.bytes_total} needed"
        if problem is not None:
            if policy(problem).blocks_repository:
                block(repository=repository, code=problem, detail=detail)
            return Failure(problem, f"{repository.name}: {detail}", side)
    return None


def _step(run: Run, items: list[TransferItem]) -> None:
    """Some files all the way: staged, proved, named, registered. What fails is noted and stays in flight."""
    files = {item.pk.hex: item for item in _current(run, items)}
    specs = {spec.key: spec for spec in _specs(files.values())}
    _stage(run, files, specs)
    proofs = _prove(run, files, specs)
    _observe(run, files, proofs)
    _promote(run, files, specs, proofs)
    register_proved(lease=run.lease, proofs={files[key].pk: proof for key, proof in proofs.items()})


def _current(run: Run, items: list[TransferItem]) -> list[TransferItem]:
    """Those whose bytes are still meant and whose copy still waits for them; asked before each step that writes."""
    fresh = set(
        TransferItem.objects.filter(
            pk__in=[item.pk for item in items if item.pk not in run.failures],
            dataset__content_version=F("content_version"),
            dataset__withdrawn_at__isnull=True,
            copy__state=CopyState.INCOMING,
        ).values_list("pk", flat=True)
    )
    return [item for item in items if item.pk in fresh]


def _specs(items: Any) -> list[FileSpec]:
    rows: list[TransferItem] = list(items)
    earlier = _earlier_contents(rows)
    return [
        FileSpec(
            key=item.pk.hex,
            source_path=item.source.stored_path,
            final_path=item.copy.stored_path,
            content=Content(item.dataset.size_bytes, item.dataset.md5 or None, item.dataset.sha256 or None),
            version=item.content_version,
            replaces=_replaced(item.copy, earlier.get(item.dataset_id, [])),
        )
        for item in rows
    ]


def _earlier_contents(items: list[TransferItem]) -> dict[uuid.UUID, list[ContentVersion]]:
    found: dict[uuid.UUID, list[ContentVersion]] = {}
    revised = [item.dataset_id for item in items if item.content_version > 1]
    if revised:
        for version in ContentVersion.objects.filter(dataset__in=revised).order_by("-content_version"):
            found.setdefault(version.dataset_id, []).append(version)
    return found


def _replaced(copy: FileRecord, versions: list[ContentVersion]) -> tuple[int, Content] | None:
    """Which version the bytes last read there were, if any is on record."""
    for known in versions:
        same = (known.md5 and known.md5 == copy.md5) or (known.sha256 and known.sha256 == copy.sha256)
        if same:
            return known.content_version, Content(known.size_bytes, known.md5 or None, known.sha256 or None)
    return None


def _stage(run: Run, files: dict[str, TransferItem], specs: dict[str, FileSpec]) -> None:
    todo = [specs[key] for key, item in files.items() if item.state == I.BOUND]
    if todo:
        outcomes = run.destination.send(run.source, run.spec(todo), run.lease.beat).outcomes
        failpoint(SENT)
        _note_failures(run, files, outcomes)
    with run.lease.hold():
        arrived = TransferItem.objects.filter(
            pk__in=[item.pk for item in files.values() if item.pk not in run.failures]
        )
        transition(arrived, sources=[I.BOUND], to=I.MOVED)
        transition(arrived, sources=[I.MOVED], to=I.VERIFYING)
    failpoint(MOVED)


def _prove(run: Run, files: dict[str, TransferItem], specs: dict[str, FileSpec]) -> dict[str, Proved]:
    todo = [specs[key] for key, item in files.items() if item.pk not in run.failures]
    if not todo:
        return {}
    outcomes = run.destination.prove(run.source, run.spec(todo), run.lease.beat)
    _note_failures(run, files, outcomes)
    failpoint(PROVED)
    return {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Proved)}


def _observe(run: Run, files: dict[str, TransferItem], proofs: dict[str, Proved]) -> None:
    """Digests of files that nobody had hashed are on record before the bytes get their name, so that a crash in
    between finds them proved."""
    seen = [
        copies.Observed(
            files[key].dataset_id,
            files[key].content_version,
            proof.evidence.size_bytes,
            proof.evidence.md5 or "",
            proof.evidence.sha256 or "",
        )
        for key, proof in proofs.items()
        if proof.observed
    ]
    with run.lease.hold():
        copies.record_observed(actor=None, contents=seen)


def _promote(run: Run, files: dict[str, TransferItem], specs: dict[str, FileSpec], proofs: dict[str, Proved]) -> None:
    with run.lease.hold():
        current = {item.pk.hex for item in _current(run, [files[key] for key in proofs])}
    for key in set(proofs) - current:
        del proofs[key]
    if not proofs:
        return
    outcomes = run.destination.promote(run.spec([specs[key] for key in proofs]), proofs, run.lease.beat)
    _note_failures(run, files, outcomes)
    for key in [key for key in proofs if files[key].pk in run.failures]:
        del proofs[key]
    failpoint(PROMOTED)


def _note_failures(run: Run, files: dict[str, TransferItem], outcomes: Any) -> None:
    for key, outcome in outcomes.items():
        if isinstance(outcome, Failure):
            run.failures[files[key].pk] = outcome
            _blame_place(run, outcome)


def _blame_place(run: Run, failure: Failure) -> None:
    if policy(failure.code).blocks_repository and failure.side is not Side.BETWEEN:
        repository = run.job.source if failure.side is Side.SOURCE else run.job.destination
        block(repository=repository, code=failure.code, detail=failure.detail)
