"""Schemathesis drives every action of the documented contract, as a superuser and as somebody of a lab.

What it makes is the same in every run: a red one is repeated by itself. ALYX_SCHEMATHESIS_EXAMPLES asks for more of it.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from alyx.core import clock
from alyx.core.errors import Invalid
from alyx.core.rest.schema import document
from alyx.labs.models import Lab, Project, Token
from alyx.labs.tokens import issue_token
from tests.contracts.everything import COMPLETE, hanging_on, rows
from tests.factories.people import a_member, a_superuser

pytestmark = [pytest.mark.django_db, pytest.mark.once]

EXAMPLES = int(os.environ.get("ALYX_SCHEMATHESIS_EXAMPLES", "3"))
"""How many calls of each action, of each sort: as documented, and otherwise."""
CALLERS = ("superuser", "experimenter")
RAW_BODIES = {
    "/register-file": {
        "created_by": {"type": "string"},
        "path": {"type": "string"},
        "filenames": {"type": "array", "items": {"type": "string"}},
        "hashes": {"type": "array", "items": {"type": "string", "nullable": True}},
        "filesizes": {"type": "array", "items": {"type": "integer"}},
        "name": {"type": "string", "nullable": True},
        "exists": {"type": "boolean"},
        "server_only": {"type": "boolean"},
        "default": {"type": "boolean"},
        "versions": {"type": "array", "items": {"type": "string", "nullable": True}},
        "check_protected": {"type": "boolean"},
        "labs": {"type": "string"},
        "qc": {"type": "string"},
        "content_type": {"type": "string"},
        "object_id": {"type": "string", "format": "uuid"},
    },
    "/new-download": {
        "datasets": {"type": "array", "items": {"type": "string", "format": "uuid"}},
        "user": {"type": "string"},
    },
    "/sync-file-status": {"project": {"type": "string"}},
}
"""Bodies that the document leaves out, as the clients send them."""
NAIVE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{6})?$"
"""A time on the wire: no zone, so it is not OpenAPI's date-time."""
NOT_JSON = {"/cache.zip", "/uploaded/{img_url}"}


@cache
def whole() -> dict[str, Any]:
    """The document (`test_schema` holds it to the golden file) with the bodies that it leaves out, and times as the contract has them."""
    plain: dict[str, Any] = json.loads(json.dumps(document()).replace('"format": "date-time"', f'"pattern": "{NAIVE}"'))
    for path, properties in RAW_BODIES.items():
        body = {"type": "object", "properties": properties}
        plain["paths"][path]["post"]["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return plain


ACTIONS = [(path, verb) for path, item in document()["paths"].items() for verb in item]


@cache
def contract() -> Any:
    """Schemathesis' reading of the document, bound to the application."""
    import schemathesis

    loaded = schemathesis.openapi.from_dict(whole())
    loaded.app = get_wsgi_application()
    return loaded


@dataclass(frozen=True)
class World:
    """A row of each kind, bodies that would be taken, and tokens of the callers."""

    keys: dict[str, str]
    bodies: dict[str, dict[str, Any]]
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Made once, in a transaction of its own: each call is undone."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # as Django's own test client does
    with django_db_blocker.unblock(), transaction.atomic():
        keys = rows()
        callers = {"superuser": a_superuser(), "experimenter": a_member(Lab.objects.get(name="cortexlab"))}
        tokens = {name: issue_token(actor=user, user=user).key for name, user in callers.items()}
        Token.objects.update(last_used_at=clock.now())  # so that reading writes nothing
        yield World(keys, {**COMPLETE, **hanging_on(keys)}, tokens)
        transaction.set_rollback(True)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def tables_of_its_own(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.ALYX_CACHE_DIR = str(tmp_path_factory.getbasetemp() / "cache")


def can_be_sent_otherwise(path: str, verb: str) -> bool:
    """Whether there is more to a call than its path."""
    action = whole()["paths"][path][verb]
    return "requestBody" in action or any(one["in"] == "query" for one in action.get("parameters", []))


@st.composite
def calls(draw: st.DrawFn, path: str, verb: str, world: World, mode: Any) -> Any:
    """A call of the action: mostly on a row that exists, with few parameters, and with a body that would be taken but for some fields."""
    action = contract()[path][verb.upper()]
    endpoint = path.partition("/{")[0].strip("/")
    key = {one.name: world.keys[endpoint] for one in action.path_parameters}
    case = draw(action.as_strategy(generation_mode=mode, path_parameters=key if draw(st.integers(0, 3)) else {}))
    if len(case.query) > 2:
        kept = draw(st.lists(st.sampled_from(sorted(case.query)), max_size=2))
        case.query = {name: value for name, value in case.query.items() if name in kept}
    complete = world.bodies.get(path.strip("/"), {}) if verb == "post" else {}
    if isinstance(case.body, dict) and case.body:
        kept = draw(st.lists(st.sampled_from(sorted(case.body)), max_size=4))
        case.body = {**complete, **{name: value for name, value in case.body.items() if name in kept}}
    return case


def answered(case: Any, token: str, changes: bool) -> tuple[Any, int]:
    """The answer, and what it has written (0 or 1); then it is undone."""
    with transaction.atomic():
        if not changes:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL transaction_read_only = on")
        answer = case.call(
            headers={"Authorization": f"Token {token}"}, environ_base={"REMOTE_ADDR": "127.0.0.1"}, buffered=True
        )
        written = written_by(answer.headers["x-request-id"][0])
        transaction.set_rollback(True)
    return answer, written


def written_by(request_id: str) -> int:
    """How many contexts the audit has of a request: one when anything that it has written is there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pghistory_context WHERE metadata->>'request_id' = %s", [request_id])
        return int(cursor.fetchone()[0])


def check(case: Any, answer: Any, written: int) -> None:
    """No fault, no traceback, nothing half done, and what is documented."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    checks: list[Any] = [not_a_server_error]
    if answer.status_code >= 400:
        said = answer.json()
        assert said["status_code"] == answer.status_code, case.as_curl_command()
        assert said["detail"], case.as_curl_command()
        assert "Traceback" not in answer.text, case.as_curl_command()
        assert not written, f"refused, and yet something is written: {case.as_curl_command()}"
    elif case.operation.path not in NOT_JSON and answer.status_code != 204:
        assert answer.headers["content-type"] == ["application/json"]
        checks.append(response_schema_conformance)
    if answer.status_code < 400:
        checks.append(status_code_conformance)
    case.validate_response(answer, checks=checks)


@pytest.mark.parametrize(("path", "verb"), ACTIONS)
def test_every_action(path: str, verb: str, world: World) -> None:
    from schemathesis import GenerationMode

    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if can_be_sent_otherwise(path, verb) else [])]
    for mode in modes:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(calls(path, verb, world, mode))
        def tried(case: Any) -> None:
            for caller in CALLERS:
                check(case, *answered(case, world.tokens[caller], changes=verb != "get"))

        tried()


def a_project_by(world: World, service: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a call to a service that is planted."""
    monkeypatch.setattr("alyx.labs.services.create_project", service)
    case = contract()["/projects"]["POST"].Case(body={"name": "q"}, media_type="application/json")
    check(case, *answered(case, world.tokens["superuser"], changes=True))


def test_a_refusal_that_leaves_something_behind_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(*, actor: Any, values: Any) -> Project:
        Project.objects.create(name="half")
        raise Invalid("no")

    with pytest.raises(AssertionError, match="something is written"):
        a_project_by(world, half, monkeypatch)


def test_a_fault_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*, actor: Any, values: Any) -> Project:
        raise KeyError("name")

    with pytest.raises(BaseExceptionGroup, match="Server error"):
        a_project_by(world, fault, monkeypatch)
