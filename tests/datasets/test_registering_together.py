"""POST /register-file: the cost of many files, and many clients at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from datasets.models import ContentVersion, Dataset, FileRecord
from sessions.models import Session
from tests.datasets.world import FILES, World, a_world

QUERIES = 15
"""The most that a registration may take, its transaction and the login included."""


def names(count: int) -> list[str]:
    return [f"alf/probe00/obj{number}.attr.npy" for number in range(count)]


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as counted:
        act()
    return len(counted)


def test_queries_do_not_depend_on_the_number_of_files(world: World) -> None:
    world.register("alf/spikes.times.npy")  # the login's hourly note is taken
    first = queries(lambda: world.register("alf/obj.attr.npy"))
    many = queries(lambda: world.register(*[f"raw/obj{number}.attr.npy" for number in range(40)]))
    most = queries(lambda: world.register(*[f"more/obj{number}.attr.npy" for number in range(400)]))
    assert first == many == most
    assert first <= QUERIES


def test_repeats_take_no_more(world: World) -> None:
    for count in (1, 40, 400):
        world.register(*names(count))
    counts = [queries(lambda: world.register(*names(count))) for count in (1, 40, 400)]  # noqa: B023
    assert len(set(counts)) == 1
    assert counts[0] <= QUERIES


def test_the_worst_mixture_of_changes_stays_within_the_bound(world: World) -> None:
    world.server.labs.clear()
    world.register(*names(10), name=world.server.name)
    world.register(*names(10), name=world.server.name, content="two")
    mixed = [f"alf/probe00/#rev#/obj{number}.attr.npy" for number in range(5)]
    body = world.body(
        *names(10), *mixed, "alf/new.spikes.times.npy", "alf/spikes.times.npy", content="first", name=None
    )
    body["filenames"].remove("alf/new.spikes.times.npy")
    for field in ("hashes", "filesizes", "versions"):
        body[field].pop()
    body["filesizes"][-1] = 0
    ContentType.objects.get_for_models(Dataset, Session)  # remembered by every process after its first flag
    taken = queries(lambda: world.rest.post("register-file", body))
    assert Dataset.objects.filter(content_version=3).count() == 10
    assert taken <= QUERIES


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, with its own connection, all starting together."""
    barrier = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[index] = act()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, act)) for index, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_four_clients_registering_the_same_new_files_make_one_row_each_and_all_get_201(attempt: int) -> None:
    world = a_world()
    body = world.body(*FILES, "alf/#2024-01-10#/spikes.times.npy")
    answers = at_once(*[lambda: world.rest.post("register-file", body)] * 4)
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({tuple(record["id"] for record in answer.json()) for answer in answers}) == 1
    assert Dataset.objects.count() == ContentVersion.objects.count() == 3
    assert FileRecord.objects.count() == 9


@pytest.mark.django_db(transaction=True)
def test_two_clients_with_different_bytes_leave_two_versions_and_one_truth() -> None:
    world = a_world()
    bodies = [world.body(FILES[0], content=content) for content in ("one", "two")]
    answers = at_once(*[lambda body=body: world.rest.post("register-file", body) for body in bodies])
    assert [answer.status_code for answer in answers] == [201, 201]
    dataset = Dataset.objects.get()
    assert dataset.content_version == 2
    newest = ContentVersion.objects.get(dataset=dataset, content_version=2)
    assert newest.md5 == dataset.md5
    assert world.copy(dataset, world.server).content_version == 2


@pytest.mark.django_db(transaction=True)
def test_two_sessions_racing_for_one_path_at_a_shared_server_leave_one_and_tell_the_other() -> None:
    first, second = a_world("cortexlab", "KS014"), a_world("churchlandlab", "KS014")
    first.server.labs.add(second.lab)
    calls = [(world, world.body(FILES[0], name=first.server.name)) for world in (first, second)]
    answers = at_once(*[lambda world=world, body=body: world.rest.post("register-file", body) for world, body in calls])
    assert sorted(answer.status_code for answer in answers) in ([201, 400], [201, 409])
    assert Dataset.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_withdrawing_and_registering_at_once_end_in_one_default() -> None:
    world = a_world()
    revised = world.register_one("alf/#r#/spikes.times.npy")
    world.register_one("alf/spikes.times.npy", default=False)
    body = world.body("alf/spikes.times.npy", "alf/#r#/spikes.times.npy")
    answers = at_once(
        lambda: world.rest.delete(f"datasets/{revised.pk}"), lambda: world.rest.post("register-file", body)
    )
    assert {answer.status_code for answer in answers} <= {201, 204}
    assert Dataset.objects.shown().filter(is_default=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_clients_making_the_same_revision_for_two_sessions_both_succeed() -> None:
    first, second = a_world("cortexlab", "a"), a_world("churchlandlab", "b")
    calls = [(world, world.body("alf/#v1.0#/spikes.times.npy")) for world in (first, second)]
    answers = at_once(*[lambda world=world, body=body: world.rest.post("register-file", body) for world, body in calls])
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Dataset.objects.filter(revision__name="v1.0").count() == 2
