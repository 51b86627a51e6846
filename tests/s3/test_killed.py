"""A worker killed at every place of the S3 backend, some twice: nothing lost, nothing double, nothing shown as proved
that was not read back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alyx.core import clock
from alyx.core.failpoints import DECLARED
from datasets.models import FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.kill.test_matrix import AFTER_THE_LEASE, in_child, pass_time, work
from tests.s3.buckets import LARGE, Bucket, make_bucket
from tests.s3.servers import Servers
from tests.transfers.world import World, digest_of, make_world
from transfers.backends.s3 import uploading
from transfers.models import TransferItem, TransferJob

pytestmark = [pytest.mark.once, pytest.mark.kill]

PLACES = sorted(place for place in DECLARED if place.startswith("s3.") and place != uploading.ABORTED)
TWICE = {uploading.PART_SENT, uploading.COMPLETED}
OLD = b"first version"
ROUNDS = 12


def make_case(folder: Path, s3: Servers, name: str) -> tuple[World, Bucket, dict[str, bytes]]:
    """A large file, a small one, and one whose old version holds the key in the bucket. It is night."""
    world = make_world(folder, name)
    bucket = make_bucket(world.lab, s3.versioned, f"bucket{name}")
    Repository.objects.filter(pk=world.central.pk).update(state="retiring")
    now = clock.now()
    started: datetime = (now - timedelta(minutes=5)).astimezone(world.here.zone)
    ended: datetime = (now + timedelta(hours=5)).astimezone(world.here.zone)
    Repository.objects.filter(pk=world.here.pk).update(window_start=started.time(), window_end=ended.time())
    world.add_file(LARGE, central=False)
    world.add_file(b"small" * 100, central=False)
    revised = world.add_file(OLD, central=False)
    held = world.add_record(revised, bucket.repository, CopyState.CLAIMED)
    bucket.put(held.stored_path, OLD)
    FileRecord.objects.filter(pk=held.pk).update(
        state=CopyState.VERIFIED,
        md5=digest_of(OLD),
        size_bytes=len(OLD),
        verified_at=now,
        evidence_level=4,
    )
    world.revise(revised, b"second version")
    contents = (LARGE, b"small" * 100, b"second version")
    return world, bucket, {str(one.pk): data for one, data in zip(world.datasets, contents, strict=True)}


def proved(bucket: Bucket, contents: dict[str, bytes]) -> Iterator[FileRecord]:
    """Every copy said to be proved; each is."""
    for copy in FileRecord.objects.filter(repository=bucket.repository, state=CopyState.VERIFIED):
        data = contents[str(copy.dataset_id)]
        assert (copy.md5, copy.evidence_level) == (digest_of(data), 4)
        assert bucket.get(copy.stored_path) == data
        yield copy


def run_to_the_end(bucket: Bucket, contents: dict[str, bytes]) -> None:
    """Nothing fails any more: the minutes pass until nothing is left to do."""
    jobs = TransferJob.objects.filter(destination=bucket.repository).exclude(state="settled")
    for _ in range(ROUNDS):
        work()
        if len(list(proved(bucket, contents))) == len(contents) and not jobs.exists():
            return
        pass_time(AFTER_THE_LEASE)
    raise AssertionError(list(FileRecord.objects.filter(repository=bucket.repository).values_list("state", "reason")))


def check(bucket: Bucket, contents: dict[str, bytes]) -> None:
    """The end state, whatever happened before."""
    assert len(list(proved(bucket, contents))) == len(contents)
    assert (bucket.staged(), bucket.uploads(), len(bucket.data())) == ([], [], len(contents))
    kept = [path for path in bucket.paths() if path.startswith(".alyx-trash/")]
    assert [bucket.get(path) for path in kept] == [OLD], "the old version is kept, once"
    done = TransferItem.objects.filter(destination=bucket.repository, state="done")
    assert done.count() == len(contents), "no version is sent twice"


def test_a_worker_killed_anywhere_in_an_upload_changes_nothing_but_time(
    transactional_db: None, tmp_path: Path, s3: Servers
) -> None:
    kills = 0
    for number, place in enumerate(PLACES):
        world, bucket, contents = make_case(tmp_path / str(number), s3, f"_{number}")
        for turn in range(2 if place in TWICE else 1):
            killed = in_child(work, place)
            kills += killed
            assert killed or turn, f"{place} was never passed"
            list(proved(bucket, contents))
            pass_time(AFTER_THE_LEASE)
        try:
            run_to_the_end(bucket, contents)
            check(bucket, contents)
        except AssertionError as error:
            raise AssertionError(f"{place}: {error}") from error
        Repository.objects.filter(labs=world.lab).update(state="retired")
    print(f"\nS3 kill matrix: {len(PLACES)} places, {kills} kills, one end state")


def test_an_upload_whose_version_is_not_meant_any_more_is_ended_with_its_job(
    transactional_db: None, tmp_path: Path, s3: Servers
) -> None:
    world, bucket, contents = make_case(tmp_path, s3, "")
    assert in_child(work, uploading.PART_SENT)
    assert len(bucket.uploads()) == 1
    half = bucket.uploads()[0].rsplit("/", 1)[1]
    dataset = TransferItem.objects.get(pk=half).dataset
    world.revise(dataset, b"meanwhile a third one")
    contents[str(dataset.pk)] = b"meanwhile a third one"
    pass_time(AFTER_THE_LEASE)
    assert in_child(work, uploading.ABORTED)
    pass_time(AFTER_THE_LEASE)
    run_to_the_end(bucket, contents)
    assert (bucket.uploads(), bucket.staged()) == ([], [])
