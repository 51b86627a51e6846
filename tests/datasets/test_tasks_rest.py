"""`/tasks`, as local servers of ibllib use it."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from alyx.labs.models import Role
from sessions.models import Task, TaskStatus
from tests.factories.people import a_lab, a_member
from tests.factories.recordings import a_task
from tests.factories.records import MORNING, a_repository, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db

FIELDS = """id name priority io_charge level gpu cpu ram time_out_secs time_elapsed_secs executable graph status log session
    version parents datetime arguments data_repository"""


@pytest.fixture
def server() -> Any:
    """A lab's server: its repository, a session, a member that calls."""
    lab = a_lab("cortexlab")
    session = a_session(a_subject(lab, "M1"))
    repository = a_repository(lab, name="cortexlab_SR")
    return Rest(a_member(lab, Role.EXPERIMENTER)), session, repository


def test_a_task_is_made_polled_and_finished(server: Any) -> None:
    rest, session, _ = server
    first = rest.post("tasks", {"session": str(session.pk), "name": "A", "level": 0, "priority": 60})
    assert first.status_code == 201, first.content
    body = {
        "executable": "ibllib.pipes.behavior_tasks.HabituationTrialsBpod",
        "priority": 90,
        "io_charge": 5,
        "gpu": 0,
        "cpu": 1,
        "ram": 4,
        "module": "ibllib.pipes",
        "parents": [first.json()["id"]],
        "level": 1,
        "time_out_secs": 3600,
        "session": str(session.pk),
        "status": "Waiting",
        "log": None,
        "name": "B",
        "graph": "pipe",
        "arguments": {"b": 1.0, "a": [1e5, None]},
        "data_repository": "cortexlab_SR",
    }
    made = rest.post("tasks", body)
    assert made.status_code == 201, made.content
    record = made.json()
    assert set(record) == set(FIELDS.split())
    assert record["arguments"] == {"b": 1.0, "a": [1e5, None]}
    assert list(record["arguments"]) == ["b", "a"]
    assert (record["status"], record["data_repository"], record["parents"], record["log"], record["version"]) == (
        "Waiting",
        "cortexlab_SR",
        [first.json()["id"]],
        None,
        None,
    )
    poll = "session__lab__name__in,['cortexlab'],data_repository__name,cortexlab_SR"
    assert [one["id"] for one in rest.found("tasks", status="waiting", django=poll)] == [record["id"]]
    done = rest.patch(f"tasks/{record['id']}", {"status": "Complete", "time_elapsed_secs": 12.5, "version": "4.1.0"})
    assert (done.status_code, done.json()["status"], done.json()["priority"]) == (200, "Complete", 90)
    assert rest.found("tasks", status="Waiting", django=poll) == []
    assert rest.put(f"tasks/{record['id']}", {"log": "y"}).json()["parents"] == [first.json()["id"]]
    assert rest.delete(f"tasks/{record['id']}").status_code == 204
    assert rest.get(f"tasks/{record['id']}").status_code == 404
    again = rest.post("tasks", body)
    assert again.status_code == 201  # what was withdrawn takes no name


def test_the_order_is_level_then_priority_then_newest_session(server: Any) -> None:
    rest, session, _ = server
    later = a_session(session.subject, number=2, start=MORNING + timedelta(days=1))
    for name, level, priority, of in (
        ("no level", None, 90, later),
        ("later low", 1, 10, later),
        ("earlier low", 1, 10, session),
        ("urgent", 1, 90, session),
        ("first", 0, 5, session),
    ):
        a_task(of, name, level=level, priority=priority)
    expected = ["first", "urgent", "later low", "earlier low", "no level"]
    assert [one["name"] for one in rest.found("tasks")] == expected
    pages = [rest.get("tasks", limit=2, offset=at).json()["results"] for at in (0, 2, 4)]
    assert [one["name"] for page in pages for one in page] == expected


def test_every_filter_finds_the_one_and_not_the_other(server: Any) -> None:
    rest, session, repository = server
    parent = a_task(session, "parent", level=9)
    numbers: dict[str, Any] = {
        "cpu": 2,
        "gpu": 1,
        "io_charge": 3,
        "level": 4,
        "priority": 5,
        "ram": 6,
        "time_out_secs": 7,
    }
    texts: dict[str, Any] = {"name": "T", "executable": "x.Y", "graph": "g", "version": "1.2", "log": "it Went well"}
    task = a_task(
        session, arguments={"n": 3}, status=TaskStatus.ERRORED, repository_id=repository.pk, **numbers, **texts
    )
    task.parents.add(parent)
    a_task(a_session())
    asked = {
        **numbers,
        **texts,
        "log": "went",
        "id": task.pk,
        "status": "ERRORED",
        "data_repository": "cortexlab_SR",
        "parents": parent.pk,
        "arguments": "n__gte,3",
    }
    for name, value in asked.items():
        assert [one["id"] for one in rest.found("tasks", **{name: value})] == [str(task.pk)], name
    task.time_elapsed_secs = 1.5
    task.save(update_fields=["time_elapsed_secs"])
    assert len(rest.found("tasks", time_elapsed_secs=1.5)) == 1
    assert {one["name"] for one in rest.found("tasks", session=session.pk, lab="CortexLab")} == {"T", "parent"}
    moment = rest.get(f"tasks/{task.pk}").json()["datetime"]
    assert [one["id"] for one in rest.found("tasks", datetime=moment)] == [str(task.pk)]
    for query in (
        "data_repository,None,name,parent",
        "~data_repository__name,cortexlab_SR,session__subject__nickname,M1",
        "children__name,T",
    ):
        answer = rest.get("tasks", django=query)
        if query.startswith("children"):
            assert answer.status_code == 400
        else:
            assert [one["name"] for one in answer.json()["results"]] == ["parent"], query
    assert [one["id"] for one in rest.found("tasks", django="status__in,['Errored', 25]")] == [str(task.pk)]
    assert len(rest.found("sessions", django="tasks__status,Errored")) == 1


def test_a_second_of_the_same_name_and_arguments_is_refused(server: Any) -> None:
    rest, session, _ = server
    body = {"session": str(session.pk), "name": "A", "arguments": {"a": 1}}
    assert rest.post("tasks", body).status_code == 201
    again = rest.post("tasks", body)
    assert (again.status_code, Task.objects.count()) == (400, 1)
    assert "this name" in again.json()["detail"]
    assert rest.post("tasks", {**body, "arguments": None}).status_code == 201
    assert rest.post("tasks", {**body, "arguments": None}).status_code == 400
    assert rest.post("tasks", {"name": "A"}).status_code == 201  # of no session
    assert rest.post("tasks", {"name": "A"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "Wating"}, "status"),
        ({"data_repository": "cortexlab_SP"}, "data_repository"),
        ({"parents": ["00000000-0000-0000-0000-000000000000"]}, "parents"),
        ({"session": "00000000-0000-0000-0000-000000000000"}, "session"),
        ({"time_out_secs": 32768}, "time_out_secs"),
        ({"log": ["a"]}, "log"),
        ({"time_elapsed_secs": "nan"}, "time_elapsed_secs"),
    ],
)
def test_bad_fields_are_named_and_change_nothing(server: Any, body: dict[str, Any], field: str) -> None:
    rest, session, _ = server
    task = a_task(session, "kept", priority=1)
    for answer in (
        rest.patch(f"tasks/{task.pk}", {"priority": 2, **body}),
        rest.post("tasks", {"session": str(session.pk), "name": "new", **body}),
    ):
        assert answer.status_code == 400
        assert field in answer.json()
    task.refresh_from_db()
    assert (task.priority, Task.objects.count()) == (1, 1)


@pytest.mark.usefixtures("open_reading")
def test_a_log_may_be_large_and_people_of_other_labs_may_not_write(server: Any) -> None:
    rest, session, _ = server
    task = a_task(session)
    log = "one line of a log\n" * 80_000
    assert rest.patch(f"tasks/{task.pk}", {"log": log}).status_code == 200
    assert rest.get(f"tasks/{task.pk}").json()["log"] == log
    stranger = Rest(a_member(a_lab()))
    assert stranger.patch(f"tasks/{task.pk}", {"status": "Held"}).status_code == 403
    assert stranger.post("tasks", {"session": str(session.pk), "name": "x"}).status_code == 403
    assert stranger.delete(f"tasks/{task.pk}").status_code == 403
    session.withdrawn_at = session.started_at
    session.save(update_fields=["withdrawn_at"])
    assert rest.found("tasks") == []


@pytest.mark.django_db(transaction=True)
def test_servers_that_write_different_fields_at_once_lose_nothing() -> None:
    lab = a_lab()
    task, member = a_task(a_session(a_subject(lab))), a_member(lab)
    bodies = [{"status": "Errored"}, {"log": "it went"}, {"time_elapsed_secs": 2.5}, {"version": "4.1.0"}]
    codes: list[int] = []
    gate = Barrier(len(bodies))
    callers = [Rest(member) for _ in bodies]

    def send(rest: Rest, body: dict[str, Any]) -> None:
        try:
            gate.wait(20)
            codes.append(rest.patch(f"tasks/{task.pk}", body).status_code)
        finally:
            connection.close()

    threads = [Thread(target=send, args=pair) for pair in zip(callers, bodies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    task.refresh_from_db()
    assert codes == [200] * len(bodies)
    assert (task.status, task.log, task.time_elapsed_secs, task.version) == (40, "it went", 2.5, "4.1.0")
