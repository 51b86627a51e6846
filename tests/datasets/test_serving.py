"""/data/<lab>/Subjects/…: who may read, what is sent, and that nothing outside the registry's word is."""

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client

from alyx.labs.tokens import issue_token
from datasets.models import Dataset, Repository, Tag
from datasets.rules.copies import CopyState
from tests.datasets.world import World
from tests.factories.copies import bring_to
from tests.factories.people import PASSWORD

BYTES = bytes(range(256)) * 40


@pytest.fixture
def served(world: World, tmp_path: Path) -> World:
    cache.clear()
    Repository.objects.filter(pk=world.central.pk).update(root=str(tmp_path))
    return world


def put(world: World, root: Path, name: str = "alf/#2024-01-10#/spikes.times.npy") -> tuple[Dataset, str]:
    """A dataset with its bytes at the central store, and the address ONE would build."""
    digest = hashlib.md5(BYTES, usedforsecurity=False).hexdigest()
    dataset = world.register_one(name, hashes=[digest], filesizes=[len(BYTES)])
    bring_to(world.copy(dataset, world.central), CopyState.VERIFIED)
    file = root / world.copy(dataset, world.central).stored_path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(BYTES)
    return dataset, f"/data/cortexlab/Subjects/{quote(world.copy(dataset, world.central).stored_path)}"


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def status_of(answer: Any) -> int:
    """The status, of an answer whose bytes do not matter."""
    content(answer)
    return int(answer.status_code)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def test_the_bytes_arrive_whole_with_length_and_digest(served: World, tmp_path: Path) -> None:
    dataset, url = put(served, tmp_path)
    assert "%23" in url
    answer = served.rest.client.get(url)
    assert answer.status_code == 200
    assert content(answer) == BYTES
    assert answer["Content-Length"] == str(len(BYTES))
    assert answer["ETag"] == f'"{dataset.md5}"'
    assert answer["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    ("asked", "begin", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, len(BYTES)), ("bytes=-5", -5, len(BYTES)),
                                ("bytes=10000-99999", 10000, len(BYTES))]
)  # fmt: skip
def test_a_range_is_a_206(served: World, tmp_path: Path, asked: str, begin: int, end: int) -> None:
    _, url = put(served, tmp_path)
    answer = served.rest.client.get(url, headers={"Range": asked})
    assert (answer.status_code, content(answer)) == (206, BYTES[begin:end])
    start = begin % len(BYTES)
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/{len(BYTES)}"
    assert answer["Content-Length"] == str(end - start)


def test_ranges_beyond_the_end_are_a_416_and_odd_ones_are_ignored(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    client = served.rest.client
    assert client.get(url, headers={"Range": "bytes=99999-"}).status_code == 416
    for odd in ("bytes=5-2", "bytes=-0"):
        assert client.get(url, headers={"Range": odd}).status_code == 416
    for odd in ("bytes=0-1,5-6", "lines=1-2", "bytes=-"):
        assert content(client.get(url, headers={"Range": odd})) == BYTES
    stale = client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, content(stale)) == (200, BYTES)


def test_head_has_the_length_and_no_body_and_a_known_etag_is_a_304(served: World, tmp_path: Path) -> None:
    dataset, url = put(served, tmp_path)
    answer = served.rest.client.head(url)
    assert (answer.status_code, answer["Content-Length"], answer.content) == (200, str(len(BYTES)), b"")
    again = served.rest.client.get(url, headers={"If-None-Match": f'"{dataset.md5}"'})
    assert again.status_code == 304


def test_without_login_it_is_a_401_that_asks_for_basic(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    answer = Client().get(url)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Basic realm=")


def test_basic_takes_the_password_or_a_token_as_password(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    rig = served.rig
    token = issue_token(actor=rig, user=rig).key
    for secret in (PASSWORD, PASSWORD, token):
        assert status_of(Client().get(url, headers=basic(rig.username, secret))) == 200
    wrong = [basic(rig.username, "wrong"), basic("nobody", token), basic("nobody", PASSWORD), basic(rig.username, "")]
    for headers in [*wrong, {"Authorization": "Basic %%%"}, {"Authorization": "Token wrong"}]:
        assert Client().get(url, headers=headers).status_code == 401


def test_a_deactivated_account_reads_nothing(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    token = issue_token(actor=served.rig, user=served.rig).key
    served.rig.is_active = False
    served.rig.save()
    for headers in (basic(served.rig.username, PASSWORD), basic(served.rig.username, token)):
        assert Client().get(url, headers=headers).status_code == 401


def test_the_admins_login_reads_too(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    client = Client()
    client.force_login(served.rig)
    assert status_of(client.get(url)) == 200


def test_public_data_needs_no_login_and_other_data_still_does(served: World, tmp_path: Path) -> None:
    public, url = put(served, tmp_path)
    _, other = put(served, tmp_path, "alf/spikes.amps.npy")
    public.tags.add(Tag.objects.create(name="open", public=True))
    assert content(Client().get(url)) == BYTES
    assert Client().get(other).status_code == 401


def test_a_path_that_is_not_the_datasets_is_a_404(served: World, tmp_path: Path) -> None:
    dataset, url = put(served, tmp_path)
    other, _ = put(served, tmp_path, "alf/spikes.amps.npy")
    client = served.rest.client
    for wrong in (
        url.replace("cortexlab", "otherlab"),
        url.replace("KS014", "KS015"),
        url.replace("spikes.times", "spikes.amps"),
        url.replace(str(dataset.pk), str(other.pk)),
        url.replace(f".{dataset.pk}", ""),
        "/data/x",
        "/data/../../etc/passwd",
        f"/data/cortexlab/Subjects/../Subjects/a.{dataset.pk}.npy",
        "/data/%00",
    ):
        answer = client.get(wrong)
        assert (answer.status_code, "detail" in answer.json()) == (404, True), wrong


@pytest.mark.parametrize("state", ["expected", "suspect", "missing", "corrupt", "withdrawn", "superseded"])
def test_only_copies_that_exist_are_served(served: World, tmp_path: Path, state: str) -> None:
    dataset, url = put(served, tmp_path)
    bring_to(served.copy(dataset, served.central), state)
    assert served.rest.client.get(url).status_code == 404


def test_an_older_version_is_not_served(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    served.register("alf/#2024-01-10#/spikes.times.npy", content="patched")
    assert served.rest.client.get(url).status_code == 404


def test_a_labs_own_repository_is_not_served(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    Repository.objects.filter(pk=served.central.pk).update(role="lab")
    assert served.rest.client.get(url).status_code == 404


def test_a_file_of_another_size_than_registered_is_not_served(served: World, tmp_path: Path) -> None:
    dataset, url = put(served, tmp_path)
    (tmp_path / served.copy(dataset, served.central).stored_path).write_bytes(BYTES[:-1])
    answer = served.rest.client.get(url)
    assert answer.status_code == 404
    assert "bytes" in answer.json()["detail"]


def test_a_file_that_is_gone_is_a_404_with_the_reason(served: World, tmp_path: Path) -> None:
    dataset, url = put(served, tmp_path)
    (tmp_path / served.copy(dataset, served.central).stored_path).unlink()
    assert "cannot be opened" in served.rest.client.get(url).json()["detail"]


@pytest.mark.parametrize("part", ["file", "folder"])
def test_links_are_not_followed_out_of_the_repository(served: World, tmp_path: Path, part: str) -> None:
    dataset, url = put(served, tmp_path)
    file = tmp_path / served.copy(dataset, served.central).stored_path
    outside = tmp_path.parent / f"outside-{part}"
    if part == "file":
        outside.write_bytes(BYTES)
        file.unlink()
        file.symlink_to(outside)
    else:
        file.parent.rename(outside)
        file.parent.symlink_to(outside, target_is_directory=True)
    assert served.rest.client.get(url).status_code == 404


def test_a_fifo_does_not_hang_the_server(served: World, tmp_path: Path) -> None:
    import os

    dataset, url = put(served, tmp_path)
    file = tmp_path / served.copy(dataset, served.central).stored_path
    file.unlink()
    os.mkfifo(file)
    assert served.rest.client.get(url).status_code == 404


def test_behind_nginx_the_proxy_sends_the_file(served: World, tmp_path: Path, settings: Any) -> None:
    settings.ALYX_ACCEL = "/protected-data"
    dataset, url = put(served, tmp_path)
    answer = served.rest.client.get(url, headers={"Range": "bytes=0-1"})
    stored = served.copy(dataset, served.central).stored_path
    assert answer.status_code == 200
    assert answer["X-Accel-Redirect"] == quote(f"/protected-data{tmp_path}/{stored}")
    assert answer.content == b""


def test_writing_verbs_are_refused(served: World, tmp_path: Path) -> None:
    _, url = put(served, tmp_path)
    for verb in ("POST", "PUT", "DELETE", "PATCH"):
        assert served.rest.client.generic(verb, url).status_code in {403, 405}
