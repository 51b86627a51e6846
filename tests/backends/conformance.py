"""What every backend has to do, whatever it stores on. A backend's own test module gives a `Rig` and inherits the rules.

Nothing here looks behind the interface; what can only be seen on the storage itself is asked of the rig.
"""

import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.backends.rig import NAME, NIGHT, Rig, bytes_of, code, content_of
from transfers.backends.base import (
    Absent,
    BackendFailure,
    Content,
    LeaseLost,
    Moved,
    Promoted,
    Proved,
    RemoteState,
    Stat,
)
from transfers.rules.errors import ErrorCode, Side


class Looking:
    """Health, stat, listing, digest."""

    def test_a_marked_root_is_healthy_and_another_mark_is_refused(self, rig: Rig) -> None:
        health = rig.destination.probe()
        assert health.healthy
        assert health.free_bytes is None or health.free_bytes > 0
        rig.destination.establish_canary(str(health.canary))
        with pytest.raises(BackendFailure) as refused:
            rig.destination.establish_canary("somebody-else")
        assert refused.value.code is ErrorCode.CANARY_WRONG
        assert rig.destination.probe().healthy

    def test_stat_tells_present_from_absent(self, rig: Rig) -> None:
        rig.put("a/b.npy", b"123")
        looks = rig.source.stat(["a/b.npy", "a/c.npy", "x/y/z.npy"])
        seen = looks["a/b.npy"]
        assert isinstance(seen, Stat)
        assert seen.size_bytes == 3
        assert looks["a/c.npy"] == looks["x/y/z.npy"] == Absent()

    def test_an_unreachable_root_is_unknown_and_never_absent(self, rig: Rig) -> None:
        rig.put("a/b.npy", b"123")
        rig.lose_root(at="source")
        assert rig.source.probe().problem is ErrorCode.UNREACHABLE
        looks = rig.source.stat(["a/b.npy", "a/c.npy"])
        assert {code(look) for look in looks.values()} == {ErrorCode.UNREACHABLE}
        with pytest.raises(BackendFailure):
            rig.source.entries()

    def test_an_empty_mount_point_is_unknown_and_never_absent(self, rig: Rig) -> None:
        rig.put("a/b.npy", b"123")
        rig.mount_nothing(at="source")
        assert rig.source.probe().problem is ErrorCode.CANARY_MISSING
        assert code(rig.source.stat(["a/b.npy"])["a/b.npy"]) is ErrorCode.CANARY_MISSING
        with pytest.raises(BackendFailure):
            rig.source.entries()
        with pytest.raises(BackendFailure) as refused:
            rig.source.digest("a/b.npy")
        assert refused.value.code is ErrorCode.CANARY_MISSING

    def test_the_wrong_mount_is_unknown_and_never_absent(self, rig: Rig) -> None:
        rig.mount_other(at="source")
        rig.put("a/here.npy", b"123")
        assert rig.source.probe().problem is ErrorCode.CANARY_WRONG
        looks = rig.source.stat(["a/b.npy"]), rig.source.stat(["a/here.npy"])
        assert [code(next(iter(look.values()))) for look in looks] == [ErrorCode.CANARY_WRONG] * 2

    @pytest.mark.parametrize(
        "path", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "a/./b", "a\0b", ".alyx-canary", "/"]
    )
    def test_paths_out_of_the_root_are_refused(self, rig: Rig, path: str) -> None:
        assert code(rig.source.stat([path])[path]) is ErrorCode.PATH_REFUSED
        with pytest.raises(BackendFailure) as refused:
            rig.source.digest(path)
        assert refused.value.code is ErrorCode.PATH_REFUSED
        with pytest.raises(BackendFailure):
            rig.destination.trash(path, 1, NIGHT)
        good = rig.spec(b"123")
        job = rig.job(replace(good, key="s", source_path=path), replace(good, key="d", final_path=path))
        assert {key: code(outcome) for key, outcome in rig.carry(job).items()} == {
            "s": ErrorCode.PATH_REFUSED,
            "d": ErrorCode.PATH_REFUSED,
        }

    def test_a_listing_gives_every_file_once_in_pages(self, rig: Rig) -> None:
        names = {f"lab/s{i % 3}/d{i % 5}/f{i}.npy" for i in range(40)} | {"lab/s1.npy", "lab/s1/d", "top.npy"}
        for name in names:
            rig.put(name, name.encode())
        seen: list[str] = []
        cursor = None
        while True:
            page = rig.source.entries(cursor=cursor, limit=7)
            assert not page.unseen
            assert len(page.entries) <= 7
            assert all(entry.size_bytes == len(entry.path) for entry in page.entries)
            seen += [entry.path for entry in page.entries]
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == len(set(seen))
        assert set(seen) == names
        below = rig.source.entries("lab/s1")
        assert {entry.path for entry in below.entries} == {name for name in names if name.startswith("lab/s1/")}
        assert rig.source.entries("lab/none").entries == ()

    @pytest.mark.parametrize("size", [0, 1, 10_000, (4 << 20) - 1, 4 << 20, (9 << 20) + 5])
    def test_the_digest_is_that_of_the_stored_bytes(self, rig: Rig, size: int) -> None:
        data = bytes_of(size)
        rig.put("a/b.npy", data)
        seen = rig.source.digest("a/b.npy")
        assert content_of(data) == Content(seen.size_bytes, seen.md5, seen.sha256)
        assert seen.level == 4

    def test_the_digest_of_a_missing_file_is_a_failure(self, rig: Rig) -> None:
        with pytest.raises(BackendFailure) as refused:
            rig.source.digest("a/b.npy")
        assert refused.value.code is ErrorCode.SOURCE_VANISHED


class Moving:
    """From the source to a proved copy under the final name."""

    @pytest.mark.parametrize("size", [0, 1, 10_000, (9 << 20) + 5])
    def test_a_file_arrives_proved_under_its_final_name(self, rig: Rig, size: int) -> None:
        data = bytes_of(size)
        job = rig.job(rig.spec(data))
        remote = rig.destination.send(rig.source, job)
        assert remote.state is RemoteState.SUCCEEDED
        assert remote.outcomes == {"1": Moved(size)}
        assert rig.get(NAME) is None
        proofs = rig.destination.prove(rig.source, job)
        proof = proofs["1"]
        assert isinstance(proof, Proved)
        assert not proof.observed
        assert job.files[0].content.matches(proof.evidence)
        assert rig.get(NAME) is None
        assert rig.destination.promote(job, {"1": proof}) == {"1": Promoted()}
        assert rig.get(NAME) == data
        assert rig.trashed() == {}

    def test_many_files_and_a_missing_one(self, rig: Rig) -> None:
        specs = [rig.spec(bytes_of(1000, i), f"lab/d{i % 4}/f{i}.npy", str(i)) for i in range(rig.many)]
        rig.remove(specs[7].source_path)
        outcomes = rig.carry(rig.job(*specs))
        assert code(outcomes.pop("7")) is ErrorCode.SOURCE_VANISHED
        assert set(outcomes.values()) == {Promoted()}
        assert [i for i in range(rig.many) if rig.get(f"lab/d{i % 4}/f{i}.npy") != bytes_of(1000, i)] == [7]

    def test_every_step_may_be_repeated(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc"))
        rig.destination.send(rig.source, job)
        rig.destination.send(rig.source, job)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert proof == rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        assert rig.destination.promote(job, {"1": proof}) == rig.destination.promote(job, {"1": proof})
        again = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(again, Proved)
        assert again.at_final
        assert rig.destination.promote(job, {"1": again}) == {"1": Promoted()}
        assert rig.carry(job) == {"1": Promoted()}
        assert rig.get(NAME) == b"abc"
        assert rig.trashed() == {}

    def test_an_older_version_goes_to_the_trash_whole(self, rig: Rig) -> None:
        rig.carry(rig.job(rig.spec(b"old")))
        spec = rig.spec(b"newer", version=2, replaces=(1, content_of(b"old")))
        done = rig.carry(rig.job(spec))["1"]
        assert isinstance(done, Promoted)
        assert done.trashed is not None
        assert done.trashed.accounted
        assert rig.get(NAME) == b"newer"
        assert rig.trashed() == {f"{NAME}.v1": b"old"}

    def test_the_trash_overwrites_nothing(self, rig: Rig) -> None:
        for number, data in enumerate([b"a", b"b", b"c", b"d"]):
            rig.put(NAME, data, at="destination")
            spec = rig.spec(b"new%d" % number, version=2, replaces=(1, content_of(data)))
            assert isinstance(rig.carry(rig.job(spec))["1"], Promoted)
        assert sorted(rig.trashed().values()) == [b"a", b"b", b"c", b"d"]

    def test_bytes_nobody_accounted_for_are_kept_and_reported(self, rig: Rig) -> None:
        rig.put(NAME, b"whose?", at="destination")
        done = rig.carry(rig.job(rig.spec(b"abc", replaces=(1, content_of(b"old")), version=2)))["1"]
        assert isinstance(done, Promoted)
        assert done.trashed is not None
        assert not done.trashed.accounted
        assert rig.get(NAME) == b"abc"
        assert list(rig.trashed().values()) == [b"whose?"]

    def test_the_same_bytes_already_in_place_are_left_there(self, rig: Rig) -> None:
        rig.put(NAME, b"abc", at="destination")
        assert rig.carry(rig.job(rig.spec(b"abc"))) == {"1": Promoted()}
        assert rig.trashed() == {}

    def test_a_folder_at_the_final_name_is_not_touched(self, rig: Rig) -> None:
        rig.put(f"{NAME}/inner", b"x", at="destination")
        assert code(rig.carry(rig.job(rig.spec(b"abc")))["1"]) in {ErrorCode.NAME_TAKEN, ErrorCode.NOT_A_FILE}
        assert rig.get(f"{NAME}/inner") == b"x"

    def test_a_file_without_a_digest_is_observed_at_both_ends(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc", content=Content(None)))
        rig.destination.send(rig.source, job)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        assert proof.observed
        assert content_of(b"abc").matches(proof.evidence)
        assert rig.destination.promote(job, {"1": proof}) == {"1": Promoted()}

    def test_a_file_without_a_digest_whose_source_changed_since_is_not_proved(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc", content=Content(3)))
        rig.destination.send(rig.source, job)
        rig.put(NAME, b"abd")
        assert code(rig.destination.prove(rig.source, job)["1"]) is ErrorCode.SOURCE_UNSTABLE

    def test_one_registered_md5_is_enough_and_case_does_not_matter(self, rig: Rig) -> None:
        md5 = str(content_of(b"abc").md5).upper()
        assert rig.carry(rig.job(rig.spec(b"abc", content=Content(3, md5)))) == {"1": Promoted()}


class BadInput:
    """What is not as registered is never proved, and says on which side it went wrong."""

    def test_a_truncated_source(self, rig: Rig) -> None:
        spec = rig.spec(b"abcdef")
        rig.put(NAME, b"abc")
        outcome = rig.carry(rig.job(spec))["1"]
        assert (code(outcome), outcome.side) == (ErrorCode.SOURCE_TRUNCATED, Side.SOURCE)  # type: ignore[union-attr]
        assert rig.get(NAME) is None

    @pytest.mark.parametrize("data", [b"abcdefg", b"abcdeX"])
    def test_a_changed_source(self, rig: Rig, data: bytes) -> None:
        spec = rig.spec(b"abcdef")
        rig.put(NAME, data)
        outcome = rig.carry(rig.job(spec))["1"]
        assert (code(outcome), outcome.side) == (ErrorCode.SOURCE_CHANGED, Side.SOURCE)  # type: ignore[union-attr]
        assert rig.get(NAME) is None

    def test_damage_on_the_way_is_told_from_a_changed_source_and_made_good_by_a_new_attempt(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abcdef"))
        rig.destination.send(rig.source, job)
        rig.spoil_staged(job, "1")
        assert code(rig.destination.prove(rig.source, job)["1"]) is ErrorCode.DIGEST_MISMATCH
        rig.destination.release(job)
        assert rig.get(NAME) is None
        assert rig.carry(rig.job(*job.files)) == {"1": Promoted()}

    def test_bytes_changed_between_proof_and_promotion_do_not_get_the_name(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abcdef"))
        rig.destination.send(rig.source, job)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        time.sleep(0.02)
        rig.spoil_staged(job, "1")
        assert code(rig.destination.promote(job, {"1": proof})["1"]) is ErrorCode.DIGEST_MISMATCH
        assert rig.get(NAME) is None

    def test_nothing_staged_is_nothing_proved(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc"))
        assert code(rig.destination.prove(rig.source, job)["1"]) is ErrorCode.STAGED_LOST

    @pytest.mark.parametrize("at", ["source", "destination"])
    @pytest.mark.parametrize("how", ["lose_root", "mount_nothing", "mount_other"])
    def test_a_lost_repository_blames_no_file(self, rig: Rig, at: str, how: str) -> None:
        job = rig.job(rig.spec(b"abc"), rig.spec(b"abd", "lab/other.npy", "2"))
        getattr(rig, how)(at=at)
        outcomes = rig.carry(job)
        expected = {
            "lose_root": ErrorCode.UNREACHABLE,
            "mount_nothing": ErrorCode.CANARY_MISSING,
            "mount_other": ErrorCode.CANARY_WRONG,
        }
        assert {code(outcome) for outcome in outcomes.values()} == {expected[how]}
        assert {outcome.side for outcome in outcomes.values()} == {Side(at)}  # type: ignore[union-attr]


class Ownership:
    """One writer at a time, whatever the database says."""

    def test_a_lost_lease_stops_before_the_next_side_effect(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc"))
        with pytest.raises(LeaseLost):
            rig.destination.send(rig.source, job, lambda: False)
        rig.destination.send(rig.source, job)
        with pytest.raises(LeaseLost):
            rig.destination.prove(rig.source, job, lambda: False)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        with pytest.raises(LeaseLost):
            rig.destination.promote(job, {"1": proof}, lambda: False)
        assert rig.get(NAME) is None

    def test_a_higher_fence_takes_over_and_the_former_owner_is_shut_out(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc"))
        rig.destination.send(rig.source, job)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        successor = replace(job, fence=2)
        assert rig.destination.prove(rig.source, successor)["1"] == proof
        for late in (
            lambda: rig.destination.send(rig.source, job),
            lambda: rig.destination.prove(rig.source, job),
            lambda: rig.destination.promote(job, {"1": proof}),
            lambda: rig.destination.release(job),
        ):
            with pytest.raises(LeaseLost):
                late()
        assert rig.get(NAME) is None
        assert rig.destination.promote(successor, {"1": proof}) == {"1": Promoted()}

    def test_a_released_job_can_promote_nothing_any_more(self, rig: Rig) -> None:
        job = rig.job(rig.spec(b"abc"))
        rig.destination.send(rig.source, job)
        proof = rig.destination.prove(rig.source, job)["1"]
        assert isinstance(proof, Proved)
        rig.destination.release(job)
        rig.destination.release(job)
        with pytest.raises(LeaseLost):
            rig.destination.promote(replace(job, fence=9), {"1": proof})
        assert rig.get(NAME) is None


class Removing:
    """Trash and staging."""

    def test_trash_moves_and_repeating_it_changes_nothing(self, rig: Rig) -> None:
        rig.put(NAME, b"abc", at="destination")
        first = rig.destination.trash(NAME, 3, NIGHT)
        assert first is not None
        assert rig.get(NAME) is None
        assert rig.trashed() == {f"{NAME}.v3": b"abc"}
        again = rig.destination.trash(NAME, 3, NIGHT)
        assert again is not None
        assert again.path == first.path
        assert rig.trashed() == {f"{NAME}.v3": b"abc"}
        assert rig.destination.trash("lab/never.npy", 1, NIGHT) is None

    def test_sweeping_spares_live_and_recent_attempts(self, rig: Rig) -> None:
        live, dead = rig.job(rig.spec(b"abc")), rig.job(rig.spec(b"abd", "lab/b.npy"))
        for job in (live, dead):
            rig.destination.send(rig.source, job)
        now = datetime.fromtimestamp(time.time()).astimezone()
        assert rig.destination.sweep_staging(now - timedelta(days=7), {live.handle}) == []
        assert rig.destination.sweep_staging(now + timedelta(seconds=5), {live.handle}) == [dead.handle]
        assert isinstance(rig.destination.prove(rig.source, live)["1"], Proved)
        assert code(rig.destination.prove(rig.source, dead)["1"]) is ErrorCode.STAGED_LOST


class Conformance(Looking, Moving, BadInput, Ownership, Removing):
    """All rules. A subclass has a fixture `rig`."""
