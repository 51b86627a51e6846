"""Having the service bring files into the staging place; then reading its records of what it checked there.

Nothing stored in a collection is read by us: evidence is of level 3. The service compared what it had written with the
registered digest, in the very task that wrote it.
"""

from dataclasses import replace
from uuid import UUID

from globus_sdk import GlobusAPIError, TransferData

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    BackendFailure,
    Beat,
    Failure,
    FileSpec,
    JobSpec,
    Moved,
    Proved,
    RemoteState,
    Stopped,
)
from transfers.backends.globus.collection import Collection
from transfers.backends.globus.staging import Staging, demanded, staged_name
from transfers.backends.globus.tasks import Standing, label_of
from transfers.backends.judging import check, size_failure
from transfers.backends.paths import split
from transfers.rules.errors import ErrorCode, PolicyClass, Side, policy

BEFORE_SUBMIT = declare("globus.before_submit")
SUBMITTED = declare("globus.submitted")

_SPREADS = {PolicyClass.REPOSITORY, PolicyClass.NIGHTLY, PolicyClass.TRANSIENT}
"""What such a problem of the task means is true of each of its files; any other is one file's."""


def failure_for(error: BackendFailure) -> Failure:
    """An exception as the outcome of one file. Stopped is no outcome: it is raised again."""
    if isinstance(error, Stopped):
        raise error
    return Failure(error.code, error.detail, error.side)


def refuse_two_personal(source: Collection, destination: Collection) -> None:
    """Globus carries nothing from one personal computer to another without a subscription. Raises UNSUPPORTED."""
    ends = (source.document(), destination.document())
    if all(is_personal(end) for end in ends):
        detail = f"{ends[0]['display_name']} and {ends[1]['display_name']} are both on personal computers"
        raise BackendFailure(ErrorCode.UNSUPPORTED, detail, Side.BETWEEN)


def is_personal(document: dict[str, object]) -> bool:
    """Whether a collection is of Globus Connect Personal."""
    return bool(document.get("is_globus_connect")) or str(document.get("entity_type") or "").startswith("GCP")


def submit(source: Collection, staging: Staging, job: JobSpec, beat: Beat) -> Standing:
    """Submit the job's files as one task. The same handle never makes a second one: it is the service's own submission
    id, stored by the caller before. An answer with the handle as its id: it is not known whether the service has begun,
    and sending again tells. Raises LeaseLost, BackendFailure (refused for certain)."""
    refused: dict[str, Moved | Failure] = {}
    form = _form(source, staging, job)
    for spec in job.files:
        try:
            _add(form, source, staging, spec)
        except BackendFailure as error:
            refused[spec.key] = failure_for(error)
    if not form["DATA"]:
        return Standing(job.handle, RemoteState.SUCCEEDED, refused)
    check(beat)
    failpoint(BEFORE_SUBMIT)
    try:
        with staging.collection.client() as client:
            answer = client.submit_transfer(form)
    except BackendFailure as error:
        if _is_refusal(error):
            raise
        return Standing(
            job.handle, RemoteState.ACTIVE, {}, "not known to have begun: send it again", failure_for(error)
        )
    failpoint(SUBMITTED)
    return Standing(str(answer["task_id"]), RemoteState.ACTIVE, refused, str(answer["code"]))


def _is_refusal(error: BackendFailure) -> bool:
    """Whether the service has said no, so that nothing can have begun."""
    said = error.__cause__
    return isinstance(said, GlobusAPIError) and 400 <= said.http_status < 500 and said.http_status != 408


def _form(source: Collection, staging: Staging, job: JobSpec) -> TransferData:
    try:
        submission = UUID(job.handle)
    except ValueError:
        raise BackendFailure(ErrorCode.PATH_REFUSED, f"not a submission id: {job.handle}") from None
    return TransferData(
        source.place.collection,
        staging.collection.place.collection,
        label=label_of(job.handle),
        submission_id=submission,
        verify_checksum=True,
        preserve_timestamp=False,
        encrypt_data=True,
        skip_source_errors=True,
        fail_on_quota_errors=True,
        notify_on_succeeded=False,
        notify_on_failed=False,
        notify_on_inactive=False,
    )


def _add(form: TransferData, source: Collection, staging: Staging, spec: FileSpec) -> None:
    split(spec.final_path)
    start = source.place.path("/".join(split(spec.source_path, Side.SOURCE)))
    end = staging.collection.place.path(f"{staging.root}/{staged_name(spec.key, spec.content)}")
    wanted = demanded(spec.content)
    if wanted is None:
        form.add_item(start, end, checksum_algorithm="SHA256")
    else:
        form.add_item(start, end, external_checksum=wanted[1], checksum_algorithm=wanted[0].upper())


def prove(staging: Staging, job: JobSpec, standing: Standing | None, beat: Beat) -> dict[str, Proved | Failure]:
    """What the service's record of the job's task (`standing`) proves of each file. Raises LeaseLost, BackendFailure."""
    check(beat)
    outcomes: dict[str, Proved | Failure] = {}
    for spec in job.files:
        check(beat)
        try:
            outcomes[spec.key] = _prove(staging, standing, spec)
        except BackendFailure as error:
            outcomes[spec.key] = failure_for(error)
    return outcomes


def _prove(staging: Staging, standing: Standing | None, spec: FileSpec) -> Proved | Failure:
    split(spec.final_path)
    split(spec.source_path, Side.SOURCE)  # such a file was never submitted
    if standing is None:
        return Failure(ErrorCode.STAGED_LOST, "nothing was submitted")
    if standing.state is RemoteState.ACTIVE:
        return Failure(ErrorCode.TIMEOUT, "the transfer has not ended", Side.BETWEEN)
    moved = standing.outcomes.get(spec.key)
    if not isinstance(moved, Moved):
        return moved or _unknown(standing)
    wrong = size_failure(spec.content, moved.size_bytes) or _undemanded(moved, spec)
    return wrong or _at_rest(staging, spec, moved)


def _unknown(standing: Standing) -> Failure:
    """A file of which nothing is on record: what ended the whole task; another file that ended it; or simply once more."""
    problem = standing.problem
    if standing.state is RemoteState.CANCELLED:
        return Failure(ErrorCode.CANCELLED, side=Side.BETWEEN)
    if standing.state is RemoteState.EXPIRED:
        return problem or Failure(ErrorCode.EXPIRED, side=Side.BETWEEN)
    if problem is None:
        return Failure(ErrorCode.STAGED_LOST, "the task says nothing of this file")
    if policy(problem.code).kind in _SPREADS or _is_alone(standing):
        return problem
    return Failure(ErrorCode.LEFT_OUT, problem.detail, Side.BETWEEN)


def _is_alone(standing: Standing) -> bool:
    """Whether what ended the task can only be the fault of the one file of which nothing is on record."""
    failed = (one for one in standing.outcomes.values() if isinstance(one, Failure))
    return (
        standing.unknown == 1
        and standing.problem is not None
        and standing.problem.code not in {one.code for one in failed}
    )


def _undemanded(moved: Moved, spec: FileSpec) -> Failure | None:
    """Something is missing for a proof: the registered digest was not the one demanded, or none is known at all."""
    seen = moved.evidence
    if seen is None or (seen.md5 is None and seen.sha256 is None):
        return Failure(
            ErrorCode.UNSUPPORTED, "no digest is registered and the service tells none: hash it at the source"
        )
    if spec.content.attested and (seen.level < 3 or not spec.content.matches(seen)):
        return Failure(ErrorCode.STAGED_LOST, "another digest was demanded when it was sent")
    return None


def _at_rest(staging: Staging, spec: FileSpec, moved: Moved) -> Proved | Failure:
    assert moved.evidence is not None  # noqa: S101  (seen just before)
    evidence = replace(moved.evidence, level=3)
    staged = staging.files.get(spec.key)
    if staged is not None and staged.size_bytes == moved.size_bytes:
        return Proved(replace(evidence, seal=staged.seal), observed=not spec.content.attested)
    if staged is not None:
        return Failure(ErrorCode.DIGEST_MISMATCH, f"{staged.size_bytes} bytes now, {moved.size_bytes} checked")
    final = staging.collection.look(spec.final_path)
    if final is not None and final.regular and final.seal in staging.seals_named(spec.key):
        return Proved(replace(evidence, seal=final.seal), observed=not spec.content.attested, at_final=True)
    return Failure(ErrorCode.STAGED_LOST, "it is not in the staging place any more")
