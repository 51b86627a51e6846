"""Buckets with limits: parts go one by one as fast as the place allows, and those that have arrived are not sent again."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alyx.core import clock
from datasets.models import Repository
from datasets.rules.copies import CopyState
from tests.backends.rig import bytes_of
from tests.kill.test_matrix import AFTER_THE_LEASE, in_child, pass_time, work
from tests.s3.buckets import Bucket, make_bucket
from tests.s3.servers import Servers
from tests.transfers.doors import Doors
from tests.transfers.world import World, make_world, run
from transfers.backends.s3 import uploading
from transfers.backends.s3.objects import PART_BYTES, Objects
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.services import pacing

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

MB = 1_000_000
PARTS = 4
DATA = bytes_of((PARTS - 1) * PART_BYTES + 4321, seed=7)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Doors:
    """All doors are counted."""
    counted = Doors()
    monkeypatch.setattr(pacing, "make_door", counted.make)
    return counted


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> World:
    """A lab; its central store is a bucket."""
    made = make_world(tmp_path)
    Repository.objects.filter(pk=made.central.pk).update(state="retired")
    return made


def limit(place: Repository, text: str) -> None:
    """What may be moved there."""
    Repository.objects.filter(pk=place.pk).update(bandwidth=text)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the parts that were sent."""
    sent: list[int] = []
    ask = Objects.ask

    def counted(self: Any, operation: str, **arguments: Any) -> Any:
        answer = ask(self, operation, **arguments)
        if operation == "upload_part":
            sent.append(arguments["PartNumber"])
        return answer

    monkeypatch.setattr(Objects, "ask", counted)
    return sent


@pytest.mark.parametrize("server", ["swift", "versioned"])
def test_a_bucket_is_filled_and_read_back_no_faster_than_it_allows(
    world: World, s3: Servers, doors: Doors, server: str
) -> None:
    bucket = make_bucket(world.lab, getattr(s3, server), "bucket")
    limit(bucket.repository, "00:00-24:00 2 MB/s")
    small = [world.add_file(bytes([n]) * 50_000, central=False) for n in range(3)]
    large = world.add_file(DATA, central=False)
    run()
    assert {bucket.copy(one).state for one in [*small, large]} == {"verified"}
    doors.assert_never_above("bucket", 2 * MB)
    most = (
        2 * len(DATA) + 4 * 150_000
    )  # small ones are written again under their final key; large ones the service copies
    assert 2 * len(DATA) + 2 * 150_000 <= doors.bytes_at("bucket") <= most


@pytest.mark.parametrize("server", ["swift", "versioned"])
def test_an_upload_stops_after_a_part_and_goes_on_with_the_next_when_the_hours_open(
    world: World, s3: Servers, doors: Doors, parts: list[int], server: str
) -> None:
    bucket = make_bucket(world.lab, getattr(s3, server), "bucket")
    limit(bucket.repository, "00:00-24:00 2 MB/s")
    large = world.add_file(DATA, central=False)
    doors.shut_after = ("bucket", 2 * PART_BYTES)
    run()
    assert bucket.copy(large).state == "verified", "the hours were open again at once: it went on in the same night"
    assert sorted(parts) == [1, 2, 3, 4], "no part was sent twice"
    assert TransferJob.objects.get(destination=bucket.repository).fence == 2
    assert set(TransferItem.objects.values_list("state", "attempts")) == {("done", 1)}
    assert set(Attempt.objects.values_list("outcome", flat=True)) <= {"done"}
    assert (bucket.uploads(), bucket.staged()) == ([], [])


def test_a_copy_out_of_a_limited_bucket_is_paid_for_there(world: World, s3: Servers, doors: Doors) -> None:
    bucket = make_bucket(world.lab, s3.swift, "bucket")
    dataset = world.add_file(DATA, central=False)
    run()
    assert bucket.copy(dataset).state == "verified"
    Repository.objects.filter(pk=world.here.pk).update(state="blocked", canary=None)
    Repository.objects.filter(pk=world.central.pk).update(state="active")
    world.add_record(dataset, world.central, CopyState.EXPECTED)
    limit(bucket.repository, "00:00-24:00 2 MB/s")
    doors.passed.clear()
    run()
    assert world.copy(dataset).state == "verified"
    doors.assert_never_above("bucket", 2 * MB)
    assert doors.bytes_at("bucket") == len(DATA)


def test_a_worker_killed_between_paced_parts_sends_none_of_them_again(
    world: World, s3: Servers, parts: list[int]
) -> None:
    bucket: Bucket = make_bucket(world.lab, s3.versioned, "bucket")
    limit(bucket.repository, "00:00-24:00 50 MB/s")
    large = world.add_file(DATA, central=False)
    now: datetime = clock.now().astimezone(world.here.zone)
    began, ends = (now - timedelta(minutes=5)).time(), (now + timedelta(hours=5)).time()
    Repository.objects.filter(pk=world.here.pk).update(window_start=began, window_end=ends)
    assert in_child(work, uploading.PART_SENT)
    [upload] = bucket.client.list_multipart_uploads(Bucket=bucket.place.bucket, Prefix=bucket.place.prefix)["Uploads"]
    ledger = bucket.client.list_parts(Bucket=bucket.place.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    arrived = {one["PartNumber"] for one in ledger["Parts"]}
    assert arrived
    for _ in range(4):
        pass_time(AFTER_THE_LEASE)
        work()
    assert bucket.copy(large).state == "verified"
    assert sorted(parts) == sorted(set(range(1, PARTS + 1)) - arrived), "of those that had not arrived, each once"
