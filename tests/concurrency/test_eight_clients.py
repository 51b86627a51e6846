"""Eight clients at once, a hundred rounds, over HTTP: one row, no 5xx, nothing lost."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.db import connection

from alyx.labs.tokens import issue_token
from datasets.models import Dataset, FileRecord
from demo.served import free_port
from sessions.models import Session
from tests.datasets.world import World, a_world

pytestmark = [pytest.mark.clients, pytest.mark.django_db(transaction=True)]

CLIENTS, ROUNDS = 8, 100
PATIENCE_S = 240.0


class Answer(NamedTuple):
    """What a client got."""

    status: int
    body: Any


class Clients:
    """Eight threads that start each round together; a connection for each request, as stock ONE has it."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._gate = Barrier(CLIENTS)

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """One request."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as line:
            line.request(method, path, None if body is None else json.dumps(body), self.headers)
            answer = line.getresponse()
            return Answer(answer.status, json.loads(answer.read()))

    def at_once(self, call: Callable[[int], Answer]) -> list[Answer]:
        """The answers to `call(0)` … `call(7)`, sent together."""

        def run(number: int) -> Answer:
            self._gate.wait()
            return call(number)

        return list(self._pool.map(run, range(CLIENTS)))

    def close(self) -> None:
        """No more."""
        self._pool.shutdown()


@pytest.fixture
def world() -> World:
    return a_world()


@pytest.fixture
def clients(world: World, tmp_path: Path) -> Iterator[Clients]:
    """Clients of the web processes of deploy/gunicorn.conf.py (two, of four threads), on the test's database."""
    known, port = connection.settings_dict, free_port()
    user = known["USER"] + (f":{known['PASSWORD']}" if known["PASSWORD"] else "")
    url = f"postgres://{user}@{known['HOST'].replace('/', '%2F')}:{known['PORT']}/{known['NAME']}"
    log = tmp_path / "web.log"
    with log.open("wb") as said:
        web = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "-b", f"127.0.0.1:{port}", "alyx.wsgi"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": url, "ALYX_THROTTLE": "off"},
            stdout=said,
            stderr=said,
        )
    eight = Clients(port, issue_token(actor=world.rig, user=world.rig).key)
    try:
        patience = time.monotonic() + PATIENCE_S
        while not _listens(port):
            assert web.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < patience, log.read_text()[-3000:]
            time.sleep(0.1)
        yield eight
    finally:
        eight.close()
        web.terminate()
        web.wait()


def _listens(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/me", timeout=PATIENCE_S):
            return True
    except HTTPError as answer:  # it knows nobody, and says so
        answer.close()
        return True
    except OSError:
        return False


def test_a_hundred_rounds_of_each(world: World, clients: Clients) -> None:
    """One test, since the web processes take longer to start than the rounds."""
    the_same_session_is_made_once(world, clients)
    the_same_files_are_registered_once_whatever_their_order(world, clients)
    different_fields_of_a_record_are_all_kept(world, clients)


def the_same_session_is_made_once(world: World, clients: Clients) -> None:
    before, statuses = Session.objects.count(), Counter[int]()
    for number in range(1, ROUNDS + 1):
        body = {
            "subject": world.session.subject.nickname, "users": [world.rig.username], "number": number,
            "start_time": f"2026-05-04T09:{number % 60:02}:00.250000", "task_protocol": "p", "json": {"round": number},
        }  # fmt: skip
        answers = clients.at_once(lambda _, body=body: clients.call("POST", "/sessions", body))  # type: ignore[misc]
        assert len({answer.body["id"] for answer in answers}) == 1
        statuses.update(answer.status for answer in answers)
    assert statuses == {201: ROUNDS, 200: ROUNDS * (CLIENTS - 1)}
    made = Session.objects.order_by("created_at")[before:]
    assert sorted(session.number for session in made) == list(range(1, ROUNDS + 1))
    assert all(session.json == {"round": session.number} for session in made)


def the_same_files_are_registered_once_whatever_their_order(world: World, clients: Clients) -> None:
    """Each client names them in another order: whoever locks them as they come waits for another who waits for it."""
    before = Dataset.objects.count()
    for number in range(ROUNDS):
        names = [f"alf/round{number:03}/obj{file}.attr.npy" for file in range(4)]

        def register(client: int, names: list[str] = names) -> Answer:
            turned = names[client % 4 :] + names[: client % 4]
            return clients.call("POST", "/register-file", world.body(*turned))

        answers = clients.at_once(register)
        assert {answer.status for answer in answers} == {201}, answers
        ids = [{(one["collection"], one["name"]): one["id"] for one in answer.body} for answer in answers]
        assert all(one == ids[0] for one in ids)
    datasets = Dataset.objects.order_by("created_at")[before:]
    assert len(datasets) == 4 * ROUNDS
    assert {dataset.content_version for dataset in datasets} == {1}
    copies = FileRecord.objects.filter(dataset__in=[dataset.pk for dataset in datasets])
    assert len(copies) == len({(copy.dataset_id, copy.repository_id) for copy in copies})


def different_fields_of_a_record_are_all_kept(world: World, clients: Clients) -> None:
    path = f"/sessions/{world.session.pk}"
    for number in range(ROUNDS):
        fields = {
            "n_trials": number + 1000,
            "n_correct_trials": number,
            "narrative": f"told {number}",
            "task_protocol": f"protocol {number}",
            "qc": ("PASS", "WARNING", "FAIL", "CRITICAL")[number % 4],
            "extended_qc": {"round": number, "b": None},
            "json": {"round": number, "deep": {"a": [number]}},
            "end_time": f"2030-01-01T00:{number % 60:02}:00",
        }
        sent = list(fields.items())
        answers = clients.at_once(lambda client, sent=sent: clients.call("PATCH", path, dict([sent[client]])))  # type: ignore[misc]
        assert {answer.status for answer in answers} == {200}, answers
        kept = world.rest.get(path.lstrip("/")).json()
        assert {name: kept[name] for name in fields} == fields
