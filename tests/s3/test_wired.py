"""Buckets as repositories of the engine: filled, read from, proved, shown, served, stopped and healed."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import call_command
from django.test import Client

from alyx.labs.models import User
from datasets.models import FileRecord, Repository, RepositoryRole
from datasets.rules.copies import CopyState
from tests.s3.buckets import LARGE, Bucket, make_bucket
from tests.s3.servers import Servers
from tests.transfers.world import World, digest_of, make_world, run
from transfers.services.looking import look_at_due
from transfers.services.places import heal_repositories

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def admin() -> User:
    user: User = User.objects.create_superuser("root", password="let me in")
    return user


def assert_proved(bucket: Bucket, copy: FileRecord, data: bytes) -> None:
    """The engine says so, and so do the bytes."""
    assert (copy.state, copy.evidence_level) == (CopyState.VERIFIED, 4), copy.reason
    assert (copy.size_bytes, copy.md5) == (len(data), digest_of(data))
    assert bucket.get(copy.stored_path) == data


def test_a_night_fills_a_bucket_and_proves_it_by_reading_back(world: World, s3: Servers) -> None:
    bucket = make_bucket(world.lab, s3.swift, "swift")
    contents = [LARGE, b"small" * 1000, b"", b"nobody hashed this"]
    datasets = [world.add_file(data, hashed=data != contents[3]) for data in contents]
    run()
    for dataset, data in zip(datasets, contents, strict=True):
        assert_proved(bucket, bucket.copy(dataset), data)
    assert (bucket.staged(), bucket.uploads()) == ([], [])
    assert len(bucket.data()) == len(contents)


def test_a_bucket_is_a_source_for_directories_and_other_buckets(world: World, s3: Servers) -> None:
    first, second = make_bucket(world.lab, s3.swift, "swift"), make_bucket(world.lab, s3.versioned, "moto")
    for data in (LARGE, b"small"):
        dataset = world.add_file(data, state=CopyState.EXPECTED, on_disk=b"lost since")
        copy = world.add_record(dataset, first.repository, CopyState.CLAIMED)
        first.put(copy.stored_path, data)
        run()
        assert_proved(first, first.copy(dataset), data)
        assert_proved(second, second.copy(dataset), data)
        assert world.copy(dataset).state == CopyState.VERIFIED
        assert world.bytes_at(dataset) == data


def test_a_new_version_keeps_the_old_one_in_the_trash(world: World, s3: Servers) -> None:
    bucket = make_bucket(world.lab, s3.versioned, "moto")
    dataset = world.add_file(LARGE)
    run()
    world.revise(dataset, b"second version")
    run()
    copy = bucket.copy(dataset)
    assert_proved(bucket, copy, b"second version")
    trashed = [path for path in bucket.paths() if path.startswith(".alyx-trash/")]
    assert [path.rsplit(".", 1)[1] for path in trashed] == ["v1"]
    assert bucket.get(trashed[0]) == LARGE


def test_damage_in_a_bucket_is_found_by_a_look_and_a_vanished_bucket_condemns_nothing(
    world: World, s3: Servers
) -> None:
    bucket = make_bucket(world.lab, s3.swift, "swift")
    dataset = world.add_file(b"whole")
    run()
    copy = bucket.copy(dataset)
    bucket.put(copy.stored_path, b"whale")
    FileRecord.objects.filter(pk=copy.pk).update(look_due_at="2026-01-01T00:00Z")
    look_at_due(asked_only=True)
    assert bucket.copy(dataset).state == CopyState.SUSPECT
    Repository.objects.filter(pk=bucket.repository.pk).update(root="s3://no-such-bucket/x")
    FileRecord.objects.filter(pk=copy.pk).update(look_due_at="2026-01-01T00:00Z")
    look_at_due(asked_only=True)
    bucket.repository.refresh_from_db()
    assert bucket.repository.state == "quarantined"
    assert bucket.copy(dataset).state == CopyState.SUSPECT


def test_refused_keys_stop_the_repository_say_no_secret_and_heal(world: World, s3: Servers) -> None:
    bucket = make_bucket(world.lab, s3.swift, "swift")
    dataset = world.add_file(b"waits")
    Repository.objects.filter(pk=bucket.repository.pk).update(credential="wrong")
    run()
    bucket.repository.refresh_from_db()
    assert bucket.repository.state == "blocked"
    assert "credentials" in bucket.repository.state_reason
    assert "a-secret" not in bucket.repository.state_reason
    assert bucket.copy(dataset).state != CopyState.VERIFIED
    Repository.objects.filter(pk=bucket.repository.pk).update(credential=s3.swift.credential)
    assert heal_repositories() == ["swift"]
    run()
    assert_proved(bucket, bucket.copy(dataset), b"waits")


def test_it_is_shown_and_served_by_an_address_that_expires(
    world: World, s3: Servers, admin: User, client: Client
) -> None:
    address = "http://testserver/data/cortexlab/Subjects/"
    bucket = make_bucket(world.lab, s3.swift, "swift", data_url=address)
    dataset = world.add_file(b"to be read")
    run()
    copy = bucket.copy(dataset)
    path = f"/data/cortexlab/Subjects/{copy.stored_path}"
    assert client.get(path).status_code == 401
    client.force_login(admin)
    shown = client.get(f"/datasets/{dataset.pk}/copies").json()
    mine = next(one for one in shown if one["repository"] == "swift")
    assert (mine["state"], mine["exists"], mine["evidence_level"]) == ("verified", True, 4)
    record = client.get(f"/datasets/{dataset.pk}").json()
    urls = {one["data_repository"]: one["data_url"] for one in record["file_records"]}
    assert urls["swift"] == address + copy.stored_path
    answer = client.get(path)
    assert answer.status_code == 302
    assert "a-secret" not in answer["Location"]
    assert f"{urlsplit(answer['Location']).scheme}://{urlsplit(answer['Location']).netloc}" == s3.swift.endpoint
    assert requests.get(answer["Location"], timeout=60).content == b"to be read"
    longer = answer["Location"].replace("X-Amz-Expires=3600", "X-Amz-Expires=99999")
    assert requests.get(longer, timeout=60).status_code == 403
    assert requests.head(client.head(path)["Location"], timeout=60).headers["Content-Length"] == "10"


def test_it_is_made_over_rest_and_by_command_by_superusers_only(
    world: World, s3: Servers, admin: User, client: Client
) -> None:
    client.force_login(admin)
    place = {"endpoint": s3.swift.endpoint, "region": s3.swift.region, "credential": s3.swift.credential}
    sent = {"name": "over_rest", "kind": "s3", "root": f"s3://{s3.swift.bucket}/rest/"} | place
    assert client.post("/data-repository", sent, content_type="application/json").status_code == 201
    made = Repository.objects.get(name="over_rest")
    assert (made.kind, made.root, made.endpoint, made.credential) == (
        "s3",
        f"s3://{s3.swift.bucket}/rest",
        s3.swift.endpoint,
        "swift",
    )
    again = client.post("/data-repository", sent | {"name": "again"}, content_type="application/json")
    assert (again.status_code, list(again.json()["errors"] if "errors" in again.json() else again.json())) != (201, [])
    for wrong in ({"root": "/srv"}, {"endpoint": "https://key:secret@s3.example.org"}, {"credential": "a b"}):
        answer = client.post("/data-repository", sent | {"name": "w"} | wrong, content_type="application/json")
        assert answer.status_code == 400, answer.content
        assert next(iter(wrong)) in answer.content.decode()
    options = {"role": RepositoryRole.MIRROR, "lab": ["cortexlab"], "actor": "root"} | place
    call_command("add_s3_repository", "by_command", f"s3://{s3.swift.bucket}/command", **options)
    made = Repository.objects.get(name="by_command")
    assert made.canary is not None
    dataset = world.add_file(b"abc")
    run()
    assert FileRecord.objects.get(dataset=dataset, repository=made).state == CopyState.VERIFIED
