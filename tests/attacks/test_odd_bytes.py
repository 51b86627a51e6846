"""NUL, lone surrogates, numbers beyond all columns and very deep JSON, wherever a client can put them."""

import json
from typing import Any

import pytest
from django.db import transaction

from tests.datasets.world import World

pytestmark = pytest.mark.once

DEEP = 100_000
NESTED = {
    "lists": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "one field": b'{"json":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "never closed": b'{"json":' + b"[" * DEEP,
}
ODD = ["a\x00b", "\x00", "\ud800", "a\udfffb"]


def refused(answer: Any, status: int = 400) -> Any:
    assert answer.status_code == status, answer.content
    said = answer.json()
    assert said["status_code"] == status
    assert said["detail"]
    assert "Traceback" not in answer.content.decode()
    return said


def asked(world: World, **parameters: str) -> int:
    """The status of a search; what PostgreSQL refuses does not end the test's own transaction."""
    with transaction.atomic():
        status: int = world.rest.get("sessions", **parameters).status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.parametrize("body", NESTED.values(), ids=NESTED.keys())
@pytest.mark.parametrize("path", ["register-file", "sessions", "channels", "auth-token"])
def test_json_of_any_depth_is_refused(world: World, path: str, body: bytes) -> None:
    refused(world.rest.post(path, body))


@pytest.mark.parametrize("text", ODD)
def test_text_that_cannot_be_stored_is_refused_in_bodies(world: World, text: str) -> None:
    session = f"sessions/{world.session.pk}"
    for body in ({"narrative": text}, {"json": {text: 1}}, {"json": [text]}, {text: 1}):
        assert "cannot be stored" in refused(world.rest.patch(session, body))["detail"]
    refused(world.rest.post("register-file", {**world.body("x"), "filenames": [f"alf/{text}.times.npy"]}))
    world.session.refresh_from_db()
    assert (world.session.narrative, world.session.json) == ("", None)


@pytest.mark.parametrize("sent", ["%00", "a%00b", "%ed%a0%80", "%ff%fe", "%f0%9f%98", "%C0%80"])
def test_odd_bytes_in_paths_and_queries_are_no_fault(world: World, sent: str) -> None:
    client = world.rest.client
    for path in ("subjects", "sessions", "datasets", "tags", "users", "data-repository", "uploaded", "media", "data"):
        answer = client.get(f"/{path}/{sent}")
        assert answer.status_code in {302, 400, 401, 404}, (path, answer.content)
    for path in ("subjects", "sessions", "datasets", "users", "insertions", "why", "check-protected"):
        for name in ("django", "name", "nickname", "subject", "path", "eid", "email", "limit", "offset"):
            answer = client.generic("GET", f"/{path}", QUERY_STRING=f"{name}={sent}")
            assert answer.status_code in {200, 400, 404}, (path, name, answer.content)


@pytest.mark.parametrize("value", ["a\x00b", "\u00ff\u00fe", "x" * 20_000, "\u0661", ""])
def test_odd_headers_are_no_fault(world: World, value: str) -> None:
    for name in (
        *("Authorization", "X-Request-Id", "X-Change-Reason", "Idempotency-Key", "If-Match", "Content-Length"),
        *("Accept", "Content-Type", "X-Forwarded-For"),
    ):
        for said in (value, f"Token {value}", f"Basic {value}"):
            meta: dict[str, Any] = {f"HTTP_{name.upper().replace('-', '_')}": said}
            if name in {"Content-Length", "Content-Type"}:
                meta = {name.upper().replace("-", "_"): said}
            answer = world.rest.client.generic("PATCH", f"/sessions/{world.session.pk}", b"{}", **meta)
            assert answer.status_code < 500, (name, said[:30], answer.content)
            assert json.loads(answer.content), name


@pytest.mark.parametrize("size", [2**63, 2**64, -1, 10**400, 1.5, 1e300])
def test_a_size_that_no_file_has_is_refused(world: World, size: float) -> None:
    said = refused(world.rest.post("register-file", {**world.body("alf/spikes.times.npy"), "filesizes": [size]}))
    assert "filesizes" in said["errors"]


@pytest.mark.parametrize(
    "said", [str(2**31), str(2**63), str(-(2**63) - 1), "9" * 4000, "9" * 5000], ids=lambda said: f"{len(said)} digits"
)
def test_numbers_beyond_every_column_are_refused_or_find_nothing(world: World, said: str) -> None:
    for name in ("number", "n_trials", "limit", "offset", "performance_gte", "atlas_id", "qc"):
        assert asked(world, **{name: said}) in {200, 400}, name
    for query in (
        f"number,{said}",
        f"number__in,[{said}]",
        f"json__a__gte,{said}",
        f"start_time__year,{said}",
        "start_time__year__lt,1.5",
    ):
        assert asked(world, django=query) in {200, 400}, query
    body = b'{"n_trials": ' + said.encode() + b"}"
    refused(world.rest.send("PATCH", f"sessions/{world.session.pk}", body))
