"""The night on two directories: what arrives, what does not, and what is said about it."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.models import ReviewFlag
from datasets.models import FileRecord, HashState, Repository, RepositoryRole, RepositoryState
from datasets.rules.copies import CopyState
from tests.transfers.world import World, assert_converged, digest_of, run
from transfers import queries
from transfers.backends.posix import PosixBackend
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.rules.errors import ErrorCode
from transfers.services import night
from transfers.services.planning import plan_transfers
from transfers.services.scrubbing import verify_copies

DAY = timedelta(hours=25)


def pass_time(by: timedelta) -> None:
    """Move the database's clock to `by` from the real time."""
    clock.set_offset(by)


def test_everything_claimed_at_the_lab_is_proved_centrally_after_one_night(world: World) -> None:
    for number in range(5):
        world.add_file(b"x" * 1000 * number)
    run()
    assert_converged(world)
    assert queries.proved() == (5, 5)


def test_a_second_night_does_nothing(world: World) -> None:
    world.add_file(b"abc")
    run()
    again = run()
    assert (again.planned, again.jobs) == (0, 0)
    assert_converged(world)


def test_a_proof_is_dated_with_its_digests_and_evidence_of_a_whole_read(world: World) -> None:
    dataset = world.add_file(b"abc")
    run()
    copy = world.copy(dataset)
    assert copy.evidence_level == 4
    assert copy.evidence["by"] == "transfer"
    assert copy.verified_at is not None
    assert copy.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert Attempt.objects.get(item=world.item(dataset)).evidence["md5"] == digest_of(b"abc")


def test_a_file_that_nobody_hashed_gets_its_digests_where_it_is_read(world: World) -> None:
    dataset = world.add_file(b"unhashed", hashed=False)
    run()
    dataset.refresh_from_db()
    assert (dataset.hash_state, dataset.md5) == (HashState.OBSERVED, digest_of(b"unhashed"))
    assert dataset.versions.get().sha256 == dataset.sha256
    assert_converged(world)


def test_a_patched_file_arrives_and_the_bytes_it_replaces_are_in_the_trash(world: World) -> None:
    dataset = world.add_file(b"first")
    run()
    world.revise(dataset, b"second")
    run()
    assert_converged(world)
    trash = [path for path in (Path(world.central.root) / ".alyx-trash").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in trash] == [b"first"]
    assert trash[0].name.endswith(".v1")


def test_one_bad_file_of_many_stops_no_other(world: World) -> None:
    good = [world.add_file(f"file {number}".encode()) for number in range(6)]
    bad = world.add_file(b"was here once")
    world.path_of(bad, world.here).unlink()
    run()
    assert all(world.copy(dataset).state == CopyState.VERIFIED for dataset in good)
    assert world.copy(bad).state == CopyState.EXPECTED


@pytest.mark.parametrize(
    ("content", "on_disk", "code"),
    [
        (b"registered so", None, ErrorCode.SOURCE_VANISHED),
        (b"registered so", b"registered 50", ErrorCode.SOURCE_CHANGED),
        (b"registered so", b"regis", ErrorCode.SOURCE_TRUNCATED),
    ],
)
def test_a_source_that_is_not_as_registered_is_never_proved_and_named_with_the_reason(
    world: World, content: bytes, on_disk: bytes | None, code: ErrorCode
) -> None:
    dataset = world.add_file(content, on_disk=on_disk)
    if on_disk is None:
        world.path_of(dataset, world.here).unlink()
    run()
    assert world.copy(dataset).state == CopyState.EXPECTED
    assert world.copy(dataset, world.here).state == CopyState.SUSPECT
    assert world.bytes_at(dataset) is None
    (trouble,) = queries.status().troubles
    assert (trouble.code, trouble.who) == (code, "the lab")
    assert world.copy(dataset).relative_path == trouble.path
    assert trouble.what
    dataset.refresh_from_db()
    assert dataset.md5 == digest_of(content), "the registered digest is not overwritten"


def test_a_source_put_back_and_registered_again_is_copied_without_anybody_pressing_a_button(world: World) -> None:
    dataset = world.add_file(b"as registered", on_disk=b"changed bytes")
    run()
    assert world.item(dataset).state == "needs_human"
    world.path_of(dataset, world.here).write_bytes(b"as registered")
    FileRecord.objects.filter(pk=world.copy(dataset, world.here).pk).update(state=CopyState.CLAIMED)
    run()
    assert_converged(world, kept=1)


def test_a_second_look_a_day_later_condemns_a_source_that_stays_away(world: World) -> None:
    dataset = world.add_file(b"gone")
    world.path_of(dataset, world.here).unlink()
    run()
    run()
    assert world.copy(dataset, world.here).state == CopyState.SUSPECT, "the same day it is only doubted"
    pass_time(DAY)
    run()
    assert world.copy(dataset, world.here).state == CopyState.MISSING
    assert world.item(dataset).state == "needs_human"


def test_another_good_copy_serves_when_the_first_source_fails(world: World, tmp_path: Path) -> None:
    mirror = world.add_repository(tmp_path, "mirror", role=RepositoryRole.MIRROR)
    dataset = world.add_file(b"in two places")
    run()
    assert world.copy(dataset, mirror).state == CopyState.VERIFIED
    world.path_of(dataset).unlink()
    verify_copies(actor=None, repository=world.central)
    assert world.copy(dataset).state == CopyState.SUSPECT
    world.path_of(dataset, mirror).write_bytes(b"rotten in place")
    run()
    assert world.copy(dataset).state == CopyState.VERIFIED, "the lab's copy served after the mirror's was found bad"
    assert world.copy(dataset, mirror).state in {CopyState.SUSPECT, CopyState.INCOMING, CopyState.VERIFIED}


def test_a_copy_damaged_on_its_way_is_caught_and_made_good_in_the_same_night(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = world.add_file(b"precious bytes", name="precious.times.npy")
    send = PosixBackend.send
    damaged: list[Path] = []

    def over_a_bad_cable(self: PosixBackend, *given: Any) -> Any:
        sent = send(self, *given)
        if not damaged:
            damaged.extend(world.staged())
            damaged[0].write_bytes(bytes([b"p"[0] ^ 0xFF]) + b"recious bytes")
        return sent

    monkeypatch.setattr(PosixBackend, "send", over_a_bad_cable)
    run()
    assert [path.read_bytes() for path in world.staged()] == [bytes([b"p"[0] ^ 0xFF]) + b"recious bytes"], "kept to see"
    assert_converged(world, kept=1)
    outcomes = list(Attempt.objects.filter(item=world.item(dataset)).values_list("outcome", "error_code"))
    assert outcomes == [("retry_wait", ErrorCode.DIGEST_MISMATCH), ("done", "")]


def test_a_corrupt_central_copy_is_found_by_verify_and_healed_by_the_next_run(world: World) -> None:
    dataset = world.add_file(b"precious bytes")
    run()
    world.path_of(dataset).write_bytes(b"precious bytez")
    looked = verify_copies(actor=None, repository=world.central)
    assert [copy.pk for copy, _ in looked.complaints] == [world.copy(dataset).pk]
    assert world.copy(dataset).state == CopyState.SUSPECT
    run()
    assert world.copy(dataset).state == CopyState.VERIFIED
    assert world.bytes_at(dataset) == b"precious bytes"


# --- announced files and claims ----------------------------------------------------------------------------------------


def test_an_announced_file_that_lies_there_is_proved_where_it_lies_and_copied(world: World) -> None:
    dataset = world.add_file(b"look here", state=CopyState.ANNOUNCED)
    run()
    assert world.copy(dataset, world.here).state == CopyState.VERIFIED
    assert_converged(world)


def test_an_announced_file_without_a_digest_is_hashed_where_it_lies(world: World) -> None:
    dataset = world.add_file(b"look here", state=CopyState.ANNOUNCED, hashed=False)
    run()
    dataset.refresh_from_db()
    assert dataset.hash_state == HashState.OBSERVED
    assert world.copy(dataset, world.here).state == CopyState.VERIFIED


def test_an_announced_file_that_two_looks_a_day_apart_do_not_find_is_expected_again_with_a_flag(world: World) -> None:
    dataset = world.add_file(b"soon", state=CopyState.ANNOUNCED)
    world.path_of(dataset, world.here).unlink()
    run()
    copy = world.copy(dataset, world.here)
    assert (copy.state, copy.first_miss_at is not None) == (CopyState.ANNOUNCED, True)
    assert not ReviewFlag.objects.exists()
    pass_time(DAY)
    run()
    assert world.copy(dataset, world.here).state == CopyState.EXPECTED
    assert ReviewFlag.objects.get().rule == "announced_file_not_found"


def test_an_announced_file_with_other_bytes_is_flagged_and_never_accepted(world: World) -> None:
    dataset = world.add_file(b"announced", on_disk=b"different", state=CopyState.ANNOUNCED)
    run()
    assert world.copy(dataset, world.here).state == CopyState.ANNOUNCED
    assert ReviewFlag.objects.get().rule == "announced_file_differs"
    assert not TransferItem.objects.exists()


def test_a_claim_at_the_destination_is_read_back_instead_of_copied_over(world: World) -> None:
    dataset = world.add_file(b"already there")
    copy = world.copy(dataset)
    world.path_of(dataset).parent.mkdir(parents=True)
    world.path_of(dataset).write_bytes(b"already there")
    FileRecord.objects.filter(pk=copy.pk).update(state=CopyState.CLAIMED)
    run()
    assert world.copy(dataset).state == CopyState.VERIFIED
    assert world.copy(dataset).evidence["by"] == "look"
    assert not TransferItem.objects.exists()


def test_a_false_claim_at_the_destination_is_doubted_then_made_good(world: World) -> None:
    dataset = world.add_file(b"not there")
    FileRecord.objects.filter(pk=world.copy(dataset).pk).update(state=CopyState.CLAIMED)
    run()
    assert world.copy(dataset).state == CopyState.VERIFIED
    assert world.copy(dataset).evidence["by"] == "transfer"


# --- places that fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["here", "central"])
def test_another_disk_at_the_root_quarantines_the_place_and_changes_no_copy(
    world: World, which: str, tmp_path: Path
) -> None:
    world.add_file(b"abc")
    place: Repository = getattr(world, which)
    (Path(place.root) / ".alyx-canary").write_text("somebody else\n")
    before = list(FileRecord.objects.order_by("pk").values_list("pk", "state"))
    run()
    place.refresh_from_db()
    assert place.state == RepositoryState.QUARANTINED
    after = dict(FileRecord.objects.values_list("pk", "state"))
    assert all(after[key] == state for key, state in before)
    assert place.name in {one.name for one in queries.status().places if one.why}


def test_an_unmounted_lab_disk_unregisters_nothing_and_heals_by_itself(world: World) -> None:
    dataset = world.add_file(b"abc")
    root = Path(world.here.root)
    root.rename(root.with_name("unplugged"))
    root.mkdir()
    run()
    assert world.copy(dataset, world.here).state == CopyState.CLAIMED
    root.rmdir()
    root.with_name("unplugged").rename(root)
    run()
    assert_converged(world)


def test_a_full_destination_loses_no_attempt_and_goes_on_when_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = world.add_file(b"x" * 10_000)
    real = os.fstatvfs

    def no_room(fd: int) -> os.statvfs_result:
        seen = list(real(fd))
        seen[4] = 0
        return os.statvfs_result(seen)

    monkeypatch.setattr(os, "fstatvfs", no_room)
    run()
    world.central.refresh_from_db()
    item = world.item(dataset)
    assert (world.central.state, item.attempts, item.last_error_code) == ("full", 0, ErrorCode.NO_SPACE)
    monkeypatch.undo()
    run()
    assert_converged(world)


def test_a_place_whose_mark_was_never_established_is_not_used(world: World) -> None:
    dataset = world.add_file(b"abc")
    Repository.objects.filter(pk=world.central.pk).update(canary=None)
    run()
    assert world.copy(dataset).state == CopyState.EXPECTED
    assert world.bytes_at(dataset) is None


def test_a_retired_or_retiring_place_is_not_filled_but_a_retiring_one_is_read(world: World) -> None:
    dataset = world.add_file(b"abc")
    Repository.objects.filter(pk=world.here.pk).update(state=RepositoryState.RETIRING)
    run()
    assert world.copy(dataset).state == CopyState.VERIFIED
    Repository.objects.filter(pk=world.central.pk).update(state=RepositoryState.RETIRING)
    other = world.add_file(b"abcd")
    run()
    assert world.copy(other).state == CopyState.EXPECTED


# --- planning ----------------------------------------------------------------------------------------------------------


def test_planning_twice_plans_once(world: World) -> None:
    world.add_file(b"abc")
    assert plan_transfers(actor=None).items == 1
    assert plan_transfers(actor=None).items == 0
    assert TransferItem.objects.count() == 1


def test_a_new_server_repository_of_the_lab_gets_records_and_copies(world: World, tmp_path: Path) -> None:
    dataset = world.add_file(b"abc")
    run()
    archive = world.add_repository(tmp_path, "archive", role=RepositoryRole.ARCHIVE, uuid_in_names=True)
    plan = plan_transfers(actor=None)
    assert (plan.records, plan.items) == (1, 1)
    copy = world.copy(dataset, archive)
    assert copy.stored_path == world.copy(dataset).stored_path
    assert world.item(dataset).state == "done"
    source = TransferItem.objects.get(destination=archive).source
    assert source.repository == world.central, "a proved copy is read before a claimed one"
    run()
    assert world.copy(dataset, archive).state == CopyState.VERIFIED


def test_nothing_is_planned_between_two_lab_repositories(world: World, tmp_path: Path) -> None:
    other = world.add_repository(tmp_path, "other_lab_server")
    dataset = world.add_file(b"abc")
    world.add_record(dataset, other, CopyState.EXPECTED)
    run()
    assert world.copy(dataset, other).state == CopyState.EXPECTED


def test_a_withdrawn_dataset_or_record_is_not_planned(world: World) -> None:
    dataset, other = world.add_file(b"abc"), world.add_file(b"abcd")
    dataset.withdrawn_at = clock.now()
    dataset.save()
    FileRecord.objects.filter(pk=world.copy(other).pk).update(state=CopyState.WITHDRAWN)
    run()
    assert not TransferItem.objects.exists()


def test_an_item_is_stale_when_the_dataset_moved_on_before_it_was_sent(world: World) -> None:
    dataset = world.add_file(b"old")
    plan_transfers(actor=None)
    world.revise(dataset, b"new one")
    run()
    assert_converged(world)
    assert sorted(TransferItem.objects.values_list("content_version", "state")) == [(1, "stale"), (2, "done")]


def test_files_of_another_lab_wait_when_one_lab_runs(world: World, tmp_path: Path) -> None:
    from tests.transfers.world import make_world
    from transfers.services.planning import Scope

    other = make_world(tmp_path / "other", "_other")
    mine, theirs = world.add_file(b"abc"), other.add_file(b"abc")
    run(Scope(lab=world.lab))
    assert world.copy(mine).state == CopyState.VERIFIED
    assert other.copy(theirs).state == CopyState.EXPECTED


def test_the_number_of_queries_does_not_grow_with_the_number_of_files(world: World) -> None:
    counts = []
    for files in (3, 60):
        for number in range(files):
            world.add_file(f"{files} {number}".encode())
        with CaptureQueriesContext(connection) as queries_made:
            run()
        counts.append(len(queries_made))
    assert counts[1] <= counts[0] + 3, counts
    assert_converged(world)


# --- the tick ----------------------------------------------------------------------------------------------------------


def test_ticks_open_each_night_once_and_the_night_does_the_work(world: World) -> None:
    world.add_file(b"abc")
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    pass_time(midnight + timedelta(hours=1, minutes=30) - now)  # 1:30 UTC, 2:30 or 1:30 in London
    for _ in range(3):
        if night.tick():
            night.night_work()
    pass_time(midnight + timedelta(hours=2, minutes=30) - now)
    for _ in range(3):
        if night.tick():
            night.night_work()
    assert_converged(world)
    from transfers.models import NightWindow

    assert NightWindow.objects.filter(repository=world.here, kind="night", state="open").count() == 1
    assert TransferJob.objects.get(window__repository=world.here).state == "settled"


def test_by_day_the_tick_moves_nothing_but_looks_at_what_was_asked_for(world: World) -> None:
    Repository.objects.update(window_start="02:00", window_end="02:01")
    evening = clock.now().replace(hour=20, minute=0) + timedelta(days=1)
    pass_time(evening - clock.now())
    dataset = world.add_file(b"abc")
    FileRecord.objects.filter(pk=world.copy(dataset, world.here).pk).update(
        state=CopyState.SUSPECT, look_due_at=clock.now()
    )
    assert night.tick()
    night.night_work()
    assert world.copy(dataset, world.here).state == CopyState.VERIFIED
    assert world.copy(dataset).state == CopyState.EXPECTED
