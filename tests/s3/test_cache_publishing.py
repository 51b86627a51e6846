"""Cache tables of public data in a bucket: named to clients only when they were read back there."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from alyx.labs.models import User
from datasets.exports.cache_tables import EVERYTHING, PUBLIC, Scope, build
from datasets.models import Tag
from tests.factories import a_copy, a_dataset, a_lab, a_repository, a_session, a_superuser
from tests.factories.rest import Rest
from tests.s3.buckets import Bucket, make_bucket
from tests.s3.servers import Servers
from transfers.backends.base import BackendFailure
from transfers.services.cache_publishing import publish_cache_tables
from transfers.tasks import publish

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def bucket(s3: Servers, settings: Any, tmp_path: Path) -> Bucket:
    settings.ALYX_CACHE_DIR, settings.ALYX_CACHE_REPOSITORY = str(tmp_path), "aws_public"
    made = make_bucket(a_lab(), s3.versioned, "aws_public")
    made.repository.data_url = f"{made.place.endpoint}/{made.place.bucket}/{made.place.prefix}"
    made.repository.save()
    return made


@pytest.fixture
def tag() -> Tag:
    return Tag.objects.create(name="paper", public=True)


def release(tag: Tag, name: str) -> None:
    dataset = a_dataset(a_session(), name)
    a_copy(dataset, a_repository(role="central", data_url="http://data.test/Subjects/"))
    dataset.tags.add(tag)


def there(bucket: Bucket, address: str) -> bytes | None:
    """What lies at the address: its server lets only owners read without asking each object."""
    return bucket.get(address.removeprefix(str(bucket.repository.data_url)))


def where(reader: User, of: str = "") -> str:
    return str(Rest(reader).get(f"cache/info{of}").json()["location"])


def test_what_is_public_is_put_there_and_named_when_it_is(bucket: Bucket, tag: Tag) -> None:
    release(tag, "a.first.npy")
    guest, admin = User.objects.create_user("guest", is_public_user=True), a_superuser()
    ours = [where(guest), where(guest, "/paper"), where(admin)]
    assert ours == [
        "http://testserver/cache.zip",
        f"http://testserver/cache/{tag.pk}.zip",
        "http://testserver/cache.zip",
    ]
    addresses = publish_cache_tables()
    assert len(addresses) == 2
    assert where(guest) in addresses
    assert where(guest, "/paper") == where(admin, "/paper") in addresses
    assert where(admin) == ours[2], "the tables of everything are for nobody's bucket"
    got = there(bucket, where(guest))
    assert got == PUBLIC.file.read_bytes()
    assert "sessions.pqt" in zipfile.ZipFile(io.BytesIO(got)).namelist()
    assert not [path for path in bucket.paths() if EVERYTHING.file.name in path]
    assert publish_cache_tables() == [], "what has not changed stays"


def test_what_changed_is_ours_again_until_it_is_there(bucket: Bucket, tag: Tag) -> None:
    release(tag, "a.first.npy")
    guest = User.objects.create_user("guest", is_public_user=True)
    where(guest)
    [address] = publish_cache_tables()
    release(tag, "a.second.npy")
    build(PUBLIC)
    assert where(guest) == "http://testserver/cache.zip"
    publish.apply().get()
    assert where(guest) == address
    assert there(bucket, address) == PUBLIC.file.read_bytes()


def test_what_could_not_be_put_there_is_not_named(bucket: Bucket, tag: Tag) -> None:
    release(tag, "a.first.npy")
    guest = User.objects.create_user("guest", is_public_user=True)
    where(guest)
    bucket.repository.root = "s3://no-such-bucket/x"
    bucket.repository.save()
    with pytest.raises(BackendFailure):
        publish_cache_tables()
    assert where(guest) == "http://testserver/cache.zip"


def test_a_tag_that_is_not_public_any_more_is_not_named(bucket: Bucket, tag: Tag) -> None:
    release(tag, "a.first.npy")
    admin = a_superuser()
    where(admin, "/paper")
    assert len(publish_cache_tables()) == 1
    tag.public = False
    tag.save()
    assert where(admin, "/paper") == f"http://testserver/cache/{tag.pk}.zip"
    notice = Scope(tag).file.with_suffix(".published.json")
    assert "address" in json.loads(notice.read_text())


def test_a_repository_that_is_no_public_bucket_is_refused(bucket: Bucket, settings: Any) -> None:
    settings.ALYX_CACHE_REPOSITORY = a_repository().name
    with pytest.raises(LookupError, match="no repository of kind S3"):
        publish_cache_tables()
    settings.ALYX_CACHE_REPOSITORY = ""
    assert publish_cache_tables() == []
