"""Celery through one door: a nudge after the commit, never before, and a broker that is down loses nothing else."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pghistory
import pytest
from django.db import transaction
from django.test import TestCase
from kombu.exceptions import OperationalError

from alyx.celery import app
from alyx.core.audit import request_id
from alyx.core.tasks import enqueue_on_commit, job
from alyx.labs.models import Lab
from tests.factories import a_lab
from tests.ground.tables import event_model_of


def real_task() -> Any:
    """The task behind the name: `shared_task` gives a stand-in until there is an app."""
    return app.tasks[note_it.name]


committing = partial(TestCase.captureOnCommitCallbacks, execute=True)
"""A block after which everything is as after a commit."""

seen: list[tuple[Any, ...]] = []


@job(name="tests.ground.note_it")
def note_it(*words: str) -> None:
    """Remember what came, with the context it came in."""
    seen.append((*words, request_id.get()))


@job(name="tests.ground.rename_lab")
def rename_lab(key: str) -> None:
    """Write a row."""
    Lab.objects.filter(pk=key).update(institution="renamed by a job")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    seen.clear()
    yield
    app.tasks.pop("tests.ground.nothing", None)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have gone to the broker."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        real_task(), "apply_async", lambda args, **options: calls.append((note_it.name, *args, options))
    )
    return calls


@pytest.mark.django_db
def test_a_nudge_waits_for_the_commit(sent: list[Any]) -> None:
    with committing():
        enqueue_on_commit(note_it, "hello")
        assert sent == []
    assert [(name, word) for name, word, _ in sent] == [("tests.ground.note_it", "hello")]


@pytest.mark.django_db
def test_nothing_is_enqueued_when_the_transaction_is_rolled_back(sent: list[Any]) -> None:
    def fail() -> None:
        with transaction.atomic():
            a_lab("gone")
            enqueue_on_commit(note_it, "hello")
            raise RuntimeError("no")

    with committing(), pytest.raises(RuntimeError):
        fail()
    assert sent == []
    assert not Lab.objects.filter(name="gone").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("trouble", [OperationalError("refused"), OSError("no route"), ValueError("anything")])
def test_a_broker_that_is_down_loses_the_nudge_and_nothing_else(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*args: Any, **options: Any) -> None:
        raise trouble

    monkeypatch.setattr(real_task(), "apply_async", down)
    with caplog.at_level(logging.WARNING), committing():
        lab = a_lab()
        enqueue_on_commit(note_it, "hello")
    assert Lab.objects.filter(pk=lab.pk).exists()
    assert "no broker for tests.ground.note_it" in caplog.text


@pytest.mark.django_db
def test_a_nudge_does_not_wait_for_a_broker(sent: list[Any]) -> None:
    with committing():
        enqueue_on_commit(note_it, "hello")
    assert sent[0][-1] == {"retry": False}


def test_a_job_has_the_name_the_queue_and_the_words_of_its_function() -> None:
    assert note_it.name == "tests.ground.note_it"
    assert note_it.ignore_result
    assert "Remember" in str(note_it.run.__doc__)


def test_a_job_goes_to_the_queue_it_was_declared_with() -> None:
    @job(name="tests.ground.nothing", queue="verify")
    def nothing() -> None:
        """Nothing."""

    def queue_of(name: str) -> str:
        return str(app.amqp.router.route({}, name)["queue"].name)

    assert [queue_of(name) for name in ("tests.ground.nothing", "tests.ground.note_it")] == ["verify", "control"]


def test_a_job_runs_with_an_id_of_its_own_and_leaves_none_behind() -> None:
    note_it.apply(args=("a", "b"), task_id="7").get()
    assert seen == [("a", "b", "job-7")]
    assert request_id.get() == ""


@pytest.mark.django_db
def test_what_a_job_writes_is_recorded_under_its_name() -> None:
    lab = a_lab()
    rename_lab.apply(args=(str(lab.pk),), task_id="8").get()
    context = event_model_of(Lab).objects.filter(pgh_obj_id=lab.pk).latest("pgh_id").pgh_context.metadata
    assert (context["path"], context["request_id"]) == ("job tests.ground.rename_lab", "job-8")


def test_a_job_that_fails_fails_and_leaves_no_context() -> None:
    @job(name="tests.ground.nothing")
    def fail() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError):
        fail.apply(task_id="9").get()
    assert request_id.get() == ""
    assert not hasattr(pghistory.runtime._tracker, "value") or pghistory.runtime._tracker.value is None
