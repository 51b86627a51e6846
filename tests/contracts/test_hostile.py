"""Nothing a client may send gets a 5xx, or anything but a JSON object, from any route of the contract."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from alyx.core.rest.schema import document
from tests.contracts.everything import COMPLETE, RAW_CALL, hanging_on, rows
from tests.factories.rest import Rest

pytestmark = [pytest.mark.django_db, pytest.mark.once]

VALUES = [
    "a\x00b",
    "'",
    "%",
    "\\",
    "[len('ab')]",
    "('x',",
    "-1",
    "99999999999999999999999999",
    "NaN",
    "1e400",
    "None",
    "True",
    "2024-02-30",
    "0000-00-00,99999-99-99",
    "a__b,1",
    "id__in,[1]",
    "pk__isnull,maybe",
    "x" * 5000,
    "\U0001f600",
    ",,,,",
    "00000000-0000-0000-0000-000000000000",
]
SCALARS: list[Any] = [
    None,
    "",
    -1,
    2**63,
    2**200,
    1.5,
    [None],
    [[]],
    {"a": {"b": []}},
    "x" * 3000,
    "../\U0001f600",
]
RAW = [
    b"",
    b"null",
    b"[]",
    b"0",
    b'"x"',
    b"{",
    b'{"a":NaN}',
    b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}',
    b"\xff",
    b"[" * 50_000,
]


@pytest.fixture
def keys() -> dict[str, str]:
    """What stands in the path, by endpoint: rows that exist."""
    return rows()


@pytest.fixture
def rest(keys: dict[str, str]) -> Rest:
    from alyx.labs.models import User

    return Rest(User.objects.get(username="head"))


def paths(verb: str) -> list[str]:
    return [path for path, item in document()["paths"].items() if verb in item and path not in {"/auth-token", "/me"}]


def filled(path: str, keys: dict[str, str]) -> str:
    endpoint = path.strip("/").split("/")[0]
    return f"{endpoint}/{keys[endpoint]}" if "{" in path else endpoint


def properties(path: str, verb: str) -> Iterator[str]:
    """The fields of the body of a call, as documented; for the raw calls, as the client sends them."""
    body = document()["paths"][path][verb].get("requestBody")
    if body is None:
        yield from RAW_CALL
        return
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    yield from document()["components"]["schemas"][name]["properties"]


def assert_survived(answer: Any, what: object) -> None:
    assert answer.status_code < 500, (what, answer.content)
    if answer.content:
        assert isinstance(json.loads(answer.content), dict | list), what
    if answer.status_code >= 400:
        body = json.loads(answer.content)
        assert body["status_code"] == answer.status_code, what
        assert body["detail"], what


@pytest.mark.parametrize("path", [path for path in paths("get") if "{" not in path])
def test_query_parameters(path: str, rest: Rest, keys: dict[str, str]) -> None:
    for parameter in document()["paths"][path]["get"].get("parameters", []):
        for value in VALUES:
            assert_survived(rest.get(path.strip("/"), **{parameter["name"]: value}), (parameter["name"], value))


@pytest.mark.parametrize("path", [path for path in paths("get") if "{" in path])
def test_keys_in_the_path(path: str, rest: Rest) -> None:
    for value in ("%00", "%2e%2e", "a%2Fb", "%F0%9F%98%80", "x" * 2000, "'", "%25", "1", "None"):
        assert_survived(rest.get(path.strip("/").split("/")[0] + "/" + value), value)


@pytest.mark.parametrize("verb", ["post", "patch"])
def test_bodies(verb: str, rest: Rest, keys: dict[str, str]) -> None:
    for path in paths(verb):
        target = filled(path, keys)
        whole = {**COMPLETE, **hanging_on(keys)}.get(target, {}) if verb == "post" else {}
        for raw in RAW:
            assert_survived(rest.send(verb.upper(), target, raw), (target, raw[:20]))
        for name in properties(path, verb):
            for value in SCALARS:
                assert_survived(rest.send(verb.upper(), target, {**whole, name: value}), (target, name, value))


def test_other_types_of_bodies_are_refused_as_json(rest: Rest) -> None:
    answer = rest.client.post("/sessions", {"subject": "M1"})
    assert answer.status_code == 415
    assert_survived(answer, "multipart")
