"""A POST with an `Idempotency-Key` is done once, whatever happens between its effect and its answer."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.models import AnsweredCall, Note
from alyx.core.rest import idempotency
from alyx.labs.models import Project, Role
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest


class Desk:
    """Somebody who makes projects."""

    def __init__(self) -> None:
        self.lab = a_lab()
        self.user = a_member(self.lab, Role.HEAD)
        self.rest = Rest(self.user)

    def post(self, path: str, body: Any, key: str, **more: Any) -> Any:
        data = body if isinstance(body, str) else json.dumps(body)
        headers = {"Idempotency-Key": key}
        return self.rest.client.generic("POST", f"/{path}", data, content_type="application/json", headers=headers)

    def project(self, name: str = "p", key: str = "k1") -> Any:
        return self.post("projects", {"name": name}, key)


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk()


def test_a_repeat_is_answered_the_same_and_done_once(desk: Desk) -> None:
    first, again = desk.project(), desk.post("projects", '{ "name" : "p" }', "k1")
    assert (first.status_code, again.status_code) == (201, 201)  # without the key the second is a 400
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert ("Idempotency-Repeated" in first, again["Idempotency-Repeated"]) == (False, "true")
    assert Project.objects.count() == 1


def test_a_refusal_is_stored_too_and_leaves_nothing(desk: Desk) -> None:
    desk.project("p", "k1")
    refused = desk.project("p", "k2")
    Project.objects.all().delete()
    again = desk.project("p", "k2")
    assert (refused.status_code, again.status_code) == (400, 400)
    assert again.content == refused.content
    assert not Project.objects.exists()


def test_a_key_stands_for_one_call(desk: Desk) -> None:
    desk.project("p", "k1")
    other_body, other_path = desk.project("q", "k1"), desk.post("sessions", {"name": "p"}, "k1")
    assert (other_body.status_code, other_path.status_code) == (409, 409)
    assert "another body" in other_body.json()["detail"]
    assert "POST /projects" in other_path.json()["detail"]
    assert "k1" in other_path.json()["detail"]
    assert "Retry-After" not in other_body
    assert Project.objects.count() == 1


def test_keys_of_two_people_are_two_keys(desk: Desk) -> None:
    desk.project("p", "k1")
    other = Rest(a_member(desk.lab, Role.HEAD))
    answer = other.client.generic(
        "POST", "/projects", '{"name": "q"}', content_type="application/json", headers={"Idempotency-Key": "k1"}
    )
    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "ké", "a\x07b"])
def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    answer = desk.project("p", key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["errors"]
    assert not Project.objects.exists()
    assert desk.project("p", "k" * 255).status_code == 201


def test_a_fault_of_ours_is_not_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = idempotency._done

    def breaks(view: Any, act: Callable[[], Any]) -> Any:
        made(view, act)
        raise RuntimeError("the process died between the effect and its answer")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "_done", breaks)
        assert desk.project().status_code == 500
    assert not Project.objects.exists()
    assert not AnsweredCall.objects.exists()
    assert desk.project().status_code == 201


def test_without_the_header_it_costs_nothing(desk: Desk) -> None:
    desk.rest.post("projects", {"name": "p"})
    with CaptureQueriesContext(connection) as plain:
        desk.rest.post("projects", {"name": "q"})
    assert not any("core_answeredcall" in query["sql"] for query in plain)


def test_a_form_is_the_same_form_whatever_its_boundary(desk: Desk) -> None:
    session = a_session(a_subject(desk.lab))

    def post(picture: bytes, **more: str) -> Any:
        fields = {"text": "a slice", "content_type": "session", "object_id": str(session.pk), **more}
        return desk.rest.client.post(
            "/notes",
            {**fields, "image": SimpleUploadedFile("slice.png", picture)},
            headers={"Idempotency-Key": "k"},
        )

    first = post(_PNG)
    assert first.status_code == 201, first.content
    assert post(_PNG).content == first.content
    assert post(_PNG + b"\0").status_code == 409
    assert post(_PNG, text="another").status_code == 409
    assert Note.objects.count() == 1


def _png() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, "PNG")
    return stream.getvalue()


_PNG = _png()


def test_old_answers_are_swept(desk: Desk) -> None:
    desk.project("p", "old")
    clock.set_offset(timedelta(days=14, minutes=-1))
    assert idempotency.sweep() == 0
    clock.set_offset(timedelta(days=14, minutes=1))
    desk.project("q", "new")
    assert idempotency.sweep() == 1
    assert AnsweredCall.objects.get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_a_repeat_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, made = Desk(), idempotency._done
    at_work, answers = threading.Event(), {}

    def waits(view: Any, act: Callable[[], Any]) -> Any:
        done = made(view, act)
        at_work.set()
        _until_somebody_waits()
        return done

    def call(name: str) -> None:
        try:
            answers[name] = desk.project()
        finally:
            connection.close()

    monkeypatch.setattr(idempotency, "_done", waits)
    first = threading.Thread(target=call, args=["first"])
    first.start()
    assert at_work.wait(20)
    call("second")
    first.join(20)
    assert [answers[name].status_code for name in ("first", "second")] == [201, 201]
    assert answers["first"].content == answers["second"].content
    assert Project.objects.count() == 1


def _until_somebody_waits() -> None:
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid IS NOT NULL"
    for _ in range(20_000):
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_a_first_that_takes_too_long_is_told_with_a_time_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(idempotency, "WAIT_S", 0.05)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                idempotency._claim(desk.user.pk, "k1", "/projects", "a digest")
                held.set()
                over.wait(20)
                transaction.set_rollback(True)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    answer = desk.project()
    over.set()
    holder.join(20)
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    assert desk.project().status_code == 201
