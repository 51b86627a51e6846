"""`django=` through notes and kinds of objects, as ONE sends it: by request."""

from typing import Any

import pytest

from alyx.core.notes import add_note
from alyx.labs.models import Role
from datasets.models import Dataset
from sessions.models import Session
from tests.datasets.world import World, a_world
from tests.factories.people import a_member
from tests.factories.records import a_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return a_world()


@pytest.fixture
def other(world: World) -> Session:
    return a_session(world.session.subject, number=7)


def found(world: World, endpoint: str, query: str) -> set[str]:
    """The ids of what the query finds."""
    return {one.get("id") or one["url"][-36:] for one in world.rest.found(endpoint, django=query)}


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("notes__text__icontains,RASTER", "noted"),
        ("notes__text__icontains,nothing", ""),
        ("notes__json__name,raster", "noted"),
        ("notes__user__username,rig2", "noted"),
        ("notes__isnull,False", "noted"),
        ("notes__isnull,True", "other"),
        ("~notes__text__icontains,raster", "other"),
        ("notes,{note}", "noted"),
        ("notes__in,['{note}']", "noted"),
        ("notes__text__icontains,raster,number,7", ""),
    ],
)
def test_sessions_are_found_by_their_notes(world: World, other: Session, query: str, finds: str) -> None:
    author = a_member(world.lab, Role.HEAD, "rig2")
    note = add_note(actor=author, about=world.session, text="a raster of it", json={"name": "raster"})
    wanted = {"noted": {str(world.session.pk)}, "other": {str(other.pk)}, "": set[str]()}[finds]
    assert found(world, "sessions", query.format(note=note.pk)) == wanted


def test_a_note_that_was_taken_back_finds_nothing(world: World) -> None:
    note = add_note(actor=world.rig, about=world.session, text="a raster")
    assert found(world, "sessions", "notes__text,a raster") == {str(world.session.pk)}
    world.rest.client.delete(f"/notes/{note.pk}")
    assert found(world, "sessions", "notes__text,a raster") == set()
    assert found(world, "sessions", "notes__isnull,True") == {str(world.session.pk)}


def test_datasets_and_animals_are_found_by_their_notes_and_through_each_other(world: World) -> None:
    dataset = world.register_one()
    for about in (dataset, world.session.subject):
        add_note(actor=world.rig, about=about, text=f"about {about._meta.model_name}")
    assert found(world, "datasets", "notes__text,about dataset") == {str(dataset.pk)}
    assert found(world, "subjects", "notes__text,about subject") == {str(world.session.subject_id)}
    assert found(world, "sessions", "subject__notes__text,about subject") == {str(world.session.pk)}
    assert found(world, "datasets", "session__notes__isnull,True") == {str(dataset.pk)}


def test_datasets_are_found_by_the_kind_of_what_they_belong_to(world: World) -> None:
    of_session = world.register_one()
    animal = str(world.session.subject_id)
    answer = world.rest.post(
        "register-file",
        world.body(
            "_ibl_subjectTrials.table.pqt", path="somewhere", content_type="subject", object_id=animal, labs=None
        ),
    )
    assert answer.status_code == 201, answer.content
    of_animal = Dataset.objects.get(object_id=animal)
    assert found(world, "datasets", "content_type__model,subject") == {str(of_animal.pk)}
    assert found(world, "datasets", "content_type__isnull,True") == {str(of_session.pk)}
    assert found(world, "datasets", f"content_type__model,subject,object_id,{animal}") == {str(of_animal.pk)}


def test_what_notes_do_not_have_is_said(world: World) -> None:
    answer: Any = world.rest.get("sessions", django="notes__colour,grey")
    assert answer.status_code == 400
    assert "colour" in answer.json()["django"][0]
