"""What only a bucket can do, or break."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from tests.backends.rig import DESTINATION_MARK, NAME, SOURCE_MARK, Rig, bytes_of, code, content_of
from tests.backends.stores import S3Store
from tests.s3.buckets import LARGE
from tests.s3.servers import Servers
from transfers.backends.base import BackendFailure, LeaseLost, Promoted, Proved
from transfers.backends.paths import CANARY
from transfers.backends.s3 import Place, S3Backend, objects
from transfers.backends.s3.errors import CODES, failure_of
from transfers.backends.s3.objects import ConditionRefused, Objects, pieces
from transfers.rules.errors import ErrorCode, Side, policy

pytestmark = pytest.mark.once


@pytest.fixture
def swift(s3: Servers) -> Rig:
    source, destination = (S3Store(s3.swift, mark) for mark in (SOURCE_MARK, DESTINATION_MARK))
    return Rig({"source": source, "destination": destination})


@pytest.fixture
def versioned(s3: Servers) -> Rig:
    source, destination = (S3Store(s3.versioned, mark) for mark in (SOURCE_MARK, DESTINATION_MARK))
    return Rig({"source": source, "destination": destination})


def place_of(rig: Rig) -> Place:
    """Of its destination."""
    assert isinstance(rig.destination, S3Backend)
    return rig.destination.place


def test_an_upload_goes_on_after_the_parts_that_arrived(swift: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", 5 << 20)
    monkeypatch.setattr("transfers.backends.s3.uploading.WORKERS", 1)
    data = bytes_of((11 << 20) + 5)
    job = swift.job(swift.spec(data))
    sent: list[Any] = []
    client = place_of(swift).client()
    client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: sent.append(params["query_string"]))
    with pytest.raises(LeaseLost):
        swift.destination.send(swift.source, job, lambda: len(sent) < 2)
    assert len(sent) == 2
    successor = replace(job, fence=2)
    swift.destination.send(swift.source, successor)
    assert [one["partNumber"] for one in sent] == [1, 2, 3]
    proof = swift.destination.prove(swift.source, successor)["1"]
    assert isinstance(proof, Proved)
    assert swift.destination.promote(successor, {"1": proof}) == {"1": Promoted()}
    assert swift.get(NAME) == data


def test_a_source_that_changed_between_two_halves_of_an_upload_is_not_proved(swift: Rig) -> None:
    job = swift.job(swift.spec(LARGE))
    beats = iter([True] * 4)
    with pytest.raises(LeaseLost):
        swift.destination.send(swift.source, job, lambda: next(beats, False))
    swift.put(NAME, LARGE[::-1])
    assert code(swift.carry(replace(job, fence=2))["1"]) in {ErrorCode.SOURCE_CHANGED, ErrorCode.SOURCE_UNSTABLE}
    assert swift.get(NAME) is None


def test_the_service_refuses_bytes_that_changed_on_the_way(swift: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "sha256_of", lambda _: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    assert code(swift.carry(swift.job(swift.spec(b"abc")))["1"]) is ErrorCode.DIGEST_MISMATCH


@pytest.mark.parametrize("server", ["swift", "versioned"])
def test_a_key_that_is_taken_meanwhile_is_not_overwritten(server: str, request: pytest.FixtureRequest) -> None:
    rig: Rig = request.getfixturevalue(server)
    bucket = Objects(place_of(rig))
    key = bucket.place.key("lab/x.npy")
    bucket.put(key, b"first", IfNoneMatch="*")
    with pytest.raises(ConditionRefused):
        bucket.put(key, b"second", IfNoneMatch="*")
    assert rig.get("lab/x.npy") == b"first"


def test_wrong_keys_are_the_repositorys_failure_and_no_secret_is_told(s3: Servers, swift: Rig) -> None:
    backend = S3Backend(replace(place_of(swift), credential=s3.wrong.credential), DESTINATION_MARK)
    health = backend.probe()
    assert health.problem is ErrorCode.AUTH_FAILED
    assert policy(health.problem).blocks_repository
    unknown = S3Backend(replace(place_of(swift), credential="nobody"), DESTINATION_MARK).probe()
    assert unknown.problem is ErrorCode.AUTH_FAILED
    for text in (health.detail, unknown.detail, repr(backend.place)):
        assert "a-secret-for-tests" not in text


def test_renewed_keys_are_found_without_a_restart(s3: Servers, swift: Rig) -> None:
    before = s3.credentials.read_text()
    s3.credentials.write_text(f"{before}[late]\naws_access_key_id = alyx:tester\naws_secret_access_key = old\n")
    backend = S3Backend(replace(place_of(swift), credential="late"), DESTINATION_MARK)
    try:
        assert backend.probe().problem is ErrorCode.AUTH_FAILED
        s3.credentials.write_text(s3.credentials.read_text().replace("= old", "= a-secret-for-tests"))
        assert backend.probe().healthy
    finally:
        s3.credentials.write_text(before)


def test_a_bucket_that_is_not_there_is_a_wrong_root_and_not_an_absence(swift: Rig) -> None:
    backend = S3Backend(replace(place_of(swift), bucket="no-such-bucket"), DESTINATION_MARK)
    assert backend.probe().problem is ErrorCode.CANARY_MISSING
    assert code(backend.stat(["a.npy"])["a.npy"]) is ErrorCode.CANARY_MISSING


def test_a_public_bucket_is_read_without_keys(versioned: Rig) -> None:
    versioned.put("a.npy", b"public", at="destination")
    place = place_of(versioned)
    backend = S3Backend(replace(place, credential=""), DESTINATION_MARK)
    assert backend.probe().problem is ErrorCode.AUTH_FAILED
    for path in (CANARY, "a.npy"):
        place.client().put_object_acl(Bucket=place.bucket, Key=place.key(path), ACL="public-read")
    assert backend.probe().healthy
    assert backend.probe().read_only
    assert backend.digest("a.npy").sha256 == content_of(b"public").sha256
    assert "Signature" not in backend.address("a.npy", 60, "GET")


def test_nothing_of_the_staging_place_is_paid_for_and_old_versions_stay(versioned: Rig) -> None:
    for data in (b"old", b"new"):
        job = versioned.job(versioned.spec(data, version=2, replaces=(1, content_of(b"old"))))
        assert isinstance(versioned.carry(job)["1"], Promoted)
        versioned.destination.release(job)
    place = place_of(versioned)
    listed = place.client().list_object_versions(Bucket=place.bucket, Prefix=place.prefix)
    kept = [(one["Key"].removeprefix(place.prefix), one["Size"]) for one in listed["Versions"]]
    assert sorted(size for path, size in kept if path == NAME) == [3, 3]
    assert not [path for path, size in kept if path.startswith(".alyx-staging/") and size]
    assert not listed.get("DeleteMarkers")


def test_lapsed_uploads_are_ended_and_live_ones_are_not(swift: Rig) -> None:
    jobs = [swift.job(swift.spec(LARGE, f"lab/{n}.npy")) for n in range(2)]
    place = place_of(swift)
    client = place.client()
    for job in jobs:
        client.create_multipart_upload(Bucket=place.bucket, Key=place.key(f".alyx-staging/{job.handle}/1"))
    later = datetime.fromtimestamp(time.time(), UTC) + timedelta(minutes=5)
    swift.destination.sweep_staging(later - timedelta(days=7), set())
    left = client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix)["Uploads"]
    assert len(left) == 2
    swift.destination.sweep_staging(later, {jobs[0].handle})
    left = client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix)["Uploads"]
    assert [jobs[0].handle in one["Key"] for one in left] == [True]


def answer(word: str, status: int) -> ClientError:
    """As botocore raises it."""
    return ClientError({"Error": {"Code": word}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answer("AccessDenied", 403), ErrorCode.PERMISSION_DENIED),
        (answer("RequestTimeTooSkewed", 403), ErrorCode.AUTH_FAILED),
        (answer("ExpiredToken", 400), ErrorCode.AUTH_FAILED),
        (answer("SlowDown", 503), ErrorCode.TOO_BUSY),
        (answer("Whatever", 429), ErrorCode.TOO_BUSY),
        (answer("InternalError", 500), ErrorCode.UNREACHABLE),
        (answer("QuotaExceeded", 403), ErrorCode.NO_SPACE),
        (answer("NoSuchBucket", 404), ErrorCode.CANARY_MISSING),
        (answer("BadDigest", 400), ErrorCode.DIGEST_MISMATCH),
        (answer("KeyTooLongError", 400), ErrorCode.NAME_TOO_LONG),
        (answer("NeverHeardOf", 418), ErrorCode.UNKNOWN),
        (EndpointConnectionError(endpoint_url="http://x"), ErrorCode.UNREACHABLE),
        (ReadTimeoutError(endpoint_url="http://x"), ErrorCode.TIMEOUT),
        (NoCredentialsError(), ErrorCode.AUTH_FAILED),
    ],
)
def test_every_answer_has_a_code_that_people_understand(error: Exception, expected: ErrorCode) -> None:
    failure = failure_of(error, Side.DESTINATION)
    assert failure.code is expected
    assert policy(failure.code).sentence


def test_a_wrong_clock_says_so() -> None:
    assert "clock" in failure_of(answer("RequestTimeTooSkewed", 403), Side.DESTINATION).detail
    assert set(CODES.values()) <= set(ErrorCode)


@pytest.mark.parametrize("size", [0, 1, objects.PART_BYTES, objects.PART_BYTES + 1, 300 << 30, 5 << 40])
def test_parts_cover_the_object_and_are_within_the_limits_of_s3(size: int) -> None:
    parts = pieces(size)
    assert sum(length for _, length in parts) == size
    assert len(parts) <= 10_000
    assert all(5 << 20 <= length <= 5 << 30 for _, length in parts[:-1])


def test_a_root_that_is_no_bucket_is_refused() -> None:
    for root in ("/srv/data", "https://bucket/x", "s3://", "s3://b?x=1"):
        with pytest.raises(BackendFailure):
            Place.of(root)
    assert Place.of("s3://bucket/a/b/") == Place("bucket", "a/b/")
