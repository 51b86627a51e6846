"""DELETE /sessions/<id> with what hangs on it."""

import pytest

from alyx.labs.models import Role
from datasets.models import Dataset
from datasets.rules.copies import CopyState
from sessions.models import Session
from tests.datasets.world import World, a_world
from tests.factories.people import a_member
from tests.factories.records import a_note
from tests.factories.rest import Rest

S = CopyState


def test_a_session_goes_with_its_datasets_copies_and_notes(world: World) -> None:
    world.register()
    note = a_note(world.session)
    boss = Rest(a_member(world.lab, Role.HEAD))
    assert boss.delete(f"sessions/{world.session.pk}").status_code == 204
    assert boss.get(f"sessions/{world.session.pk}").status_code == 404
    assert boss.found("datasets") == boss.found("files") == []
    assert {state for row in Dataset.objects.all() for state in world.states(row).values()} == {S.WITHDRAWN}
    note.refresh_from_db()
    assert note.withdrawn_at is not None
    assert boss.delete(f"sessions/{world.session.pk}").status_code == 404


def test_files_of_a_withdrawn_session_cannot_be_registered(world: World) -> None:
    Rest(a_member(world.lab, Role.HEAD)).delete(f"sessions/{world.session.pk}")
    world.register(status=400)


def test_a_session_registered_again_is_a_new_one_with_new_datasets(world: World) -> None:
    old = world.register_one()
    Rest(a_member(world.lab, Role.HEAD)).delete(f"sessions/{world.session.pk}")
    body = {"subject": "KS014", "number": 1, "start_time": "2026-03-09T09:30:00"}
    assert world.rest.post("sessions", body).status_code == 201
    assert world.register_one().pk != old.pk


def test_one_protected_dataset_keeps_the_whole_session(world: World) -> None:
    world.register()
    world.protect(Dataset.objects.order_by("name")[0])
    answer = Rest(a_member(world.lab, Role.HEAD)).delete(f"sessions/{world.session.pk}")
    assert answer.status_code == 403
    assert "spikes.amps.npy" in answer.json()["detail"]
    assert Session.objects.shown().count() == 1
    assert Dataset.objects.shown().count() == 2


@pytest.mark.usefixtures("open_reading")
def test_strangers_and_rigs_do_not_delete_what_others_registered(world: World) -> None:
    dataset = world.register_one()
    for rest in (a_world("churchlandlab", "x").rest, world.rest):
        assert rest.delete(f"sessions/{world.session.pk}").status_code == 403
    assert world.states(dataset)["server"] == S.CLAIMED
