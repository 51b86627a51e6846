"""The real SDK and our backend on it, against the stand-in: what arrives, what is proved, what survives."""

import os
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.backends.rig import NAME, NIGHT, bytes_of, code, content_of
from tests.globus.conftest import Ends
from transfers.backends.base import (
    Absent,
    BackendFailure,
    Content,
    Failure,
    LeaseLost,
    Moved,
    Promoted,
    Proved,
    RemoteState,
    Stat,
    Unknown,
    unattended,
)
from transfers.backends.globus import promoting
from transfers.backends.globus.collection import Collection
from transfers.backends.globus.staging import Staging, staged_name
from transfers.backends.globus.tasks import LISTS_FOLLOW_WITHIN
from transfers.rules.errors import ErrorCode, Side

pytestmark = pytest.mark.once


def test_bytes_arrive_checked_by_the_service_and_get_their_name(ends: Ends) -> None:
    data = bytes_of((3 << 20) + 5)
    job = ends.job(ends.spec(data), ends.spec(b"", "lab/empty.npy", "2"))
    sent = ends.send(job)
    assert (sent.state, sent.outcomes) == (RemoteState.ACTIVE, {})
    ended = ends.wait(sent.id)
    assert ended.state is RemoteState.SUCCEEDED
    moved = ended.outcomes["1"]
    assert isinstance(moved, Moved)
    assert (moved.size_bytes, moved.evidence and moved.evidence.sha256) == (len(data), content_of(data).sha256)
    assert ends.get() is None
    proofs = ends.destination.prove(ends.source, job)
    assert all(isinstance(proof, Proved) and proof.evidence.level == 3 for proof in proofs.values())
    proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
    assert ends.destination.promote(job, proved) == {"1": Promoted(), "2": Promoted()}
    assert (ends.get(), ends.get("lab/empty.npy")) == (data, b"")


def test_every_step_may_be_repeated(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    task = ends.send(job).id
    assert ends.send(job).id == task
    ends.wait(task)
    proof = ends.destination.prove(ends.source, job)["1"]
    assert isinstance(proof, Proved)
    assert ends.destination.promote(job, {"1": proof}) == ends.destination.promote(job, {"1": proof})
    again = ends.destination.prove(ends.source, job)["1"]
    assert isinstance(again, Proved)
    assert again.at_final
    assert ends.destination.promote(job, {"1": again}) == {"1": Promoted()}
    assert ends.get() == b"abc"


def test_a_lost_answer_and_the_same_submission_make_one_task(ends: Ends) -> None:
    before = len(ends.service.tasks())
    ends.service.fail("cut", "POST /v0.10/transfer")
    sent = ends.send(ends.job(ends.spec(b"abc")))
    assert sent.detail == "Duplicate"
    assert len(ends.service.tasks()) == before + 1


def test_an_answer_that_never_comes_is_not_taken_for_a_refusal(ends: Ends) -> None:
    before, job = len(ends.service.tasks()), ends.job(ends.spec(b"abc"))
    ends.service.fail("cut", "POST /v0.10/transfer", times=None)
    with ends.client.retry_config.tune(max_retries=0):
        unknown = ends.send(job)
    assert (unknown.id, unknown.state) == (job.handle, RemoteState.ACTIVE)
    assert unknown.problem is not None
    assert unknown.problem.code is ErrorCode.UNREACHABLE
    ends.service.heal()
    assert ends.send(job).detail == "Duplicate"
    assert len(ends.service.tasks()) == before + 1


def test_a_killed_service_goes_on_where_it_was(ends: Ends) -> None:
    data = bytes_of(6 << 20)
    ends.service.fail("drag", times=None, seconds=0.2)
    job = ends.job(ends.spec(data), ends.spec(b"small", "lab/small.npy", "2"))
    task = ends.send(job).id
    ends.service.kill()
    ends.service.start()
    ends.service.heal()
    assert ends.send(job).id == task
    assert ends.wait(task).state is RemoteState.SUCCEEDED
    assert set(ends.carry(job).values()) == {Promoted()}
    assert (ends.get(), ends.get("lab/small.npy")) == (data, b"small")


def test_partial_success_keeps_the_good_files(ends: Ends) -> None:
    specs = [ends.spec(b"%d" % n, f"lab/f{n:03}.npy", str(n)) for n in range(104)]
    (ends.folders["source"] / "lab" / specs[7].source_path).unlink()
    ends.service.fail("deny", "f009.npy")
    outcomes = ends.carry(ends.job(*specs))
    failed = {key: code(outcomes.pop(key)) for key in ("7", "9")}
    assert failed == {"7": ErrorCode.SOURCE_VANISHED, "9": ErrorCode.PERMISSION_DENIED}
    assert set(outcomes.values()) == {Promoted()}


def test_a_task_that_failed_half_way_settles_file_by_file(ends: Ends) -> None:
    ends.service.fail("fail", "after 2", code="NO_SPACE_LEFT")
    job = ends.job(*(ends.spec(b"%d" % n, f"lab/f{n}.npy", str(n)) for n in range(4)))
    ended = ends.wait(ends.send(job).id)
    assert ended.state is RemoteState.FAILED
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.side) == (ErrorCode.NO_SPACE, Side.DESTINATION)
    assert set(ended.outcomes) == {"0", "1"}
    proofs = ends.destination.prove(ends.source, job)
    assert [isinstance(proofs[key], Proved) for key in "01"] == [True, True]
    assert [code(proofs[key]) for key in "23"] == [ErrorCode.NO_SPACE] * 2


def test_a_digest_that_is_not_the_registered_one_names_its_file(ends: Ends) -> None:
    bad = ends.spec(b"abd", "lab/bad.npy", "2", content=content_of(b"abc"))
    job = ends.job(ends.spec(b"abc"), bad, ends.spec(b"abe", "lab/late.npy", "3"))
    ended = ends.wait(ends.send(job).id)
    assert ended.state is RemoteState.FAILED
    proofs = ends.destination.prove(ends.source, job)
    assert isinstance(proofs["1"], Proved)
    assert (code(proofs["2"]), code(proofs["3"])) == (ErrorCode.DIGEST_MISMATCH, ErrorCode.LEFT_OUT)


@pytest.mark.parametrize("fault", ["change", "tear"])
def test_a_file_changed_in_flight_is_refused_and_a_torn_one_is_sent_again(ends: Ends, fault: str) -> None:
    ends.service.fail(fault)
    outcome = ends.carry(ends.job(ends.spec(b"abc")))["1"]
    if fault == "tear":
        assert outcome == Promoted()
    else:
        assert code(outcome) is ErrorCode.DIGEST_MISMATCH
        assert ends.get() is None


def test_lists_that_come_late_are_waited_for_but_not_for_ever(ends: Ends) -> None:
    ends.service.fail("hide", "successful_transfers", times=2)
    task = ends.send(ends.job(ends.spec(b"abc"))).id
    ends.until(task, lambda seen: "lists" in seen.detail)
    assert set(ends.wait(task).outcomes) == {"1"}
    ends.service.fail("hide", "successful_transfers", times=None)
    job = ends.job(ends.spec(b"abd", "lab/b.npy"))
    task = ends.send(job).id
    ends.until(task, lambda seen: "lists" in seen.detail)
    ends.service.control("clock", "shift", seconds=LISTS_FOLLOW_WITHIN.total_seconds() + 5)
    ended = ends.look(task)
    assert (ended.state, ended.outcomes) == (RemoteState.SUCCEEDED, {})
    assert code(ends.destination.prove(ends.source, job)["1"]) is ErrorCode.STAGED_LOST


def test_a_cancelled_task_may_go_on_until_it_has_ended(ends: Ends) -> None:
    ends.service.fail("drag", times=None, seconds=0.05)
    ends.service.fail("linger", seconds=0.5)
    task = ends.send(ends.job(ends.spec(bytes_of(40 << 20)))).id
    ends.destination.cancel(task)
    assert ends.look(task).state is RemoteState.ACTIVE
    ended = ends.wait(task)
    assert (ended.state, ended.problem, ended.outcomes) == (RemoteState.CANCELLED, None, {})


def test_a_task_past_its_deadline_is_expired(ends: Ends) -> None:
    ends.service.fail("drag", times=None, seconds=0.1)
    job = ends.job(ends.spec(bytes_of(30 << 20)))
    task = ends.send(job).id
    ends.service.control("clock", "shift", seconds=25 * 3600)
    assert ends.wait(task).state is RemoteState.EXPIRED
    assert code(ends.destination.prove(ends.source, job)["1"]) is ErrorCode.EXPIRED


def test_an_observed_file_brings_the_digest_that_both_ends_had(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc", content=Content(None)))
    ends.wait(ends.send(job).id)
    proof = ends.destination.prove(ends.source, job)["1"]
    assert isinstance(proof, Proved)
    assert proof.observed
    assert proof.evidence.sha256 == content_of(b"abc").sha256


def test_a_digest_registered_after_sending_proves_nothing(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc", content=Content(None)))
    ends.wait(ends.send(job).id)
    later = replace(job, files=(replace(job.files[0], content=content_of(b"abc")),))
    assert code(ends.destination.prove(ends.source, later)["1"]) is ErrorCode.STAGED_LOST


def test_bytes_changed_between_proof_and_promotion_are_seen_by_size_or_time(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"), ends.spec(b"abc", "lab/b.npy", "2"))
    ends.wait(ends.send(job).id)
    proofs = ends.destination.prove(ends.source, job)
    proved = {key: proof for key, proof in proofs.items() if isinstance(proof, Proved)}
    for spec, data in zip(job.files, (b"abcd", b"abd"), strict=True):
        staged = (
            ends.folders["destination"] / "central/.alyx-staging" / job.handle / staged_name(spec.key, spec.content)
        )
        staged.write_bytes(data)
        os.utime(staged, (staged.stat().st_atime, staged.stat().st_mtime + 2))
    outcomes = ends.destination.promote(job, proved)
    assert [code(outcomes[key]) for key in "12"] == [ErrorCode.DIGEST_MISMATCH] * 2
    assert code(ends.destination.prove(ends.source, job)["1"]) is ErrorCode.DIGEST_MISMATCH
    assert ends.get() is None


def test_a_higher_fence_shuts_the_former_owner_out(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    ends.wait(ends.send(job).id)
    proof = ends.destination.prove(ends.source, replace(job, fence=2))["1"]
    assert isinstance(proof, Proved)
    for late in (
        lambda: ends.destination.send(ends.source, job),
        lambda: ends.destination.promote(job, {"1": proof}),
        lambda: ends.destination.release(job),
    ):
        with pytest.raises(LeaseLost):
            late()
    ends.destination.release(replace(job, fence=2))
    with pytest.raises(LeaseLost):
        ends.destination.promote(replace(job, fence=9), {"1": proof})
    assert ends.get() is None


def test_a_worker_that_slept_while_giving_a_name_finds_nothing_after_the_release(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    ends.wait(ends.send(job).id)
    proof = ends.destination.prove(ends.source, job)["1"]
    assert isinstance(proof, Proved)
    asleep = Staging.claim(Collection(ends.destination.place), job)
    ends.destination.release(replace(job, fence=2))
    late = promoting.promote(asleep, job, {"1": proof}, unattended)
    assert code(late["1"]) is ErrorCode.STAGED_LOST
    assert ends.get() is None
    with pytest.raises(LeaseLost):
        ends.destination.prove(ends.source, replace(job, fence=3))


def test_a_running_task_is_found_by_its_handle(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    assert ends.destination.find(job.handle) is None
    task = ends.send(job).id
    known = ends.destination.find(job.handle)
    assert known is not None
    assert known.id == task


def test_what_had_the_name_goes_to_the_trash(ends: Ends) -> None:
    assert ends.carry(ends.job(ends.spec(b"old"))) == {"1": Promoted()}
    done = ends.carry(ends.job(ends.spec(b"newer", version=2, replaces=(1, content_of(b"old")))))["1"]
    assert isinstance(done, Promoted)
    assert done.trashed is not None
    assert done.trashed.accounted
    assert ends.get() == b"newer"
    assert ends.get(f".alyx-trash/{NIGHT}/{NAME}.v1") == b"old"
    assert ends.destination.trash(NAME, 2, NIGHT) == ends.destination.trash(NAME, 2, NIGHT)
    assert ends.get() is None


def test_the_trash_and_promotion_never_overwrite_or_touch_a_folder(ends: Ends) -> None:
    ends.carry(ends.job(ends.spec(b"x", f"{NAME}/inner")))
    spec = replace(ends.spec(b"x", f"{NAME}/inner", "2"), final_path=NAME)
    assert code(ends.carry(ends.job(spec))["2"]) is ErrorCode.NAME_TAKEN
    assert ends.get(f"{NAME}/inner") == b"x"


def test_looking_tells_present_from_absent_from_unknown(ends: Ends) -> None:
    ends.spec(b"abc")
    looks = ends.source.stat([NAME, "lab/none.npy", "../x"])
    assert isinstance(looks[NAME], Stat)
    assert looks["lab/none.npy"] == Absent()
    assert code(looks["../x"]) is ErrorCode.PATH_REFUSED
    ends.service.control("collection", ends.ids["source"], connected=False)
    assert {type(look) for look in ends.source.stat([NAME, "lab/none.npy"]).values()} == {Unknown}
    with pytest.raises(BackendFailure):
        ends.source.entries()


def test_a_listing_gives_every_file_once_in_pages(ends: Ends) -> None:
    names = {f"s{i % 3}/d{i % 2}/f{i}.npy" for i in range(15)} | {"s1.npy", "s1/d", "top.npy"}
    for name in names - {"s1/d"}:
        ends.spec(name.encode(), name)
    names -= {"s1/d"}
    seen, cursor = [], None
    while True:
        page = ends.source.entries(cursor=cursor, limit=4)
        seen += [entry.path for entry in page.entries]
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(names)
    assert ends.source.entries("none").entries == ()


def test_another_mark_or_none_is_never_worked_with(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    ends.destination.canary = "somebody-else"
    assert code(ends.destination.send(ends.source, job).outcomes["1"]) is ErrorCode.CANARY_WRONG
    with pytest.raises(BackendFailure) as refused:
        ends.destination.establish_canary("somebody-else")
    assert refused.value.code is ErrorCode.CANARY_WRONG
    for folder in (ends.folders["source"] / "lab/.alyx-marks").iterdir():
        folder.rmdir()
    ends.destination.canary = "22222222-destination"
    outcome = ends.destination.send(ends.source, job).outcomes["1"]
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.side) == (ErrorCode.CANARY_MISSING, Side.SOURCE)


def test_sweeping_spares_live_and_recent_attempts(ends: Ends) -> None:
    live, dead = ends.job(ends.spec(b"abc")), ends.job(ends.spec(b"abd", "lab/b.npy"))
    for job in (live, dead):
        ends.wait(ends.send(job).id)
    now = datetime.fromtimestamp(time.time()).astimezone()
    assert ends.destination.sweep_staging(now - timedelta(days=7), {live.handle}) == []
    assert ends.destination.sweep_staging(now + timedelta(seconds=5), {live.handle}) == [dead.handle]
    assert isinstance(ends.destination.prove(ends.source, live)["1"], Proved)
