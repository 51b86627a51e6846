"""`GET /why`: what state each copy is in, the last failure, what happens next and when."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.labs.models import Role
from datasets.models import Dataset, Repository
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest
from tests.transfers.world import World, run
from transfers.rules.routing import why_no_way
from transfers.services.planning import plan_transfers


@pytest.fixture
def rest(world: World) -> Rest:
    Repository.objects.filter(pk=world.central.pk).update(data_url="http://data.test/lab/Subjects/")
    return Rest(a_member(world.lab, Role.READER))


def asked(rest: Rest, **words: Any) -> Any:
    answer = rest.get("why", **words)
    assert answer.status_code == 200, answer.content
    return answer.json()


def at(told: Any, place: Repository) -> Any:
    return next(copy for copy in told["copies"] if copy["repository"] == place.name)


def test_what_waits_for_the_night_says_when_it_comes(world: World, rest: Rest) -> None:
    dataset = world.add_file(b"abc", name="spikes.times.npy")
    Repository.objects.update(window_start="20:00", window_end="06:00")
    clock.set_offset(timedelta(0))
    told = asked(rest, eid=world.session.pk, dataset="spikes.times.npy")
    waiting = at(told, world.central)
    assert (told["dataset"], told["session"]) == (str(dataset.pk), str(world.session.pk))
    assert (told["can_be_loaded"], waiting["state"], waiting["is_served"]) == (False, "expected", False)
    assert "to be planned in the next window" in waiting["next"]["what"]
    assert waiting["next"]["at"] >= clock.now().replace(tzinfo=None).isoformat()
    assert waiting["last_failure"] is None
    run()
    told = asked(rest, dataset=dataset.pk)
    assert (told["can_be_loaded"], at(told, world.central)["state"]) == (True, "verified")
    assert "1 of 1 server copies proved" in told["says"]


def test_what_failed_says_how_and_who_must_act(world: World, rest: Rest) -> None:
    dataset = world.add_file(b"registered so", on_disk=b"registered 50")
    run()
    copy = at(asked(rest, dataset=dataset.pk), world.central)
    assert copy["last_failure"]["code"] == "source_changed"
    assert "changed without a new registration" in copy["last_failure"]["said"]
    assert copy["last_failure"]["at"]
    assert (copy["next"]["who"], copy["next"]["tries"]) == ("the lab", 1)


def test_a_dataset_is_found_by_its_path_its_collection_and_name_or_its_name(world: World, rest: Rest) -> None:
    dataset, eid = world.add_file(b"abc", name="spikes.times.npy"), str(world.session.pk)
    for word in ("spikes.times.npy", "alf/spikes.times.npy", "spikes.times", dataset.pk):
        assert asked(rest, eid=eid, dataset=word)["path"] == "alf/spikes.times.npy"
    assert asked(rest, session=str(world.session), dataset="spikes.times.npy")["session"] == eid


def test_an_unknown_name_answers_with_the_nearest(world: World, rest: Rest) -> None:
    world.add_file(b"abc", name="spikes.times.npy")
    path = str(world.session)
    subject, day, number = path.split("/")
    for words, near in (
        ({"eid": world.session.pk, "dataset": "spike.time.npy"}, "alf/spikes.times.npy"),
        ({"eid": f"{subject}/{day}/{int(number) + 1:03}"}, path),
        ({"eid": f"{subject}x/{day}/{number}"}, subject),
        ({"eid": uuid.uuid4()}, "there is no session"),
        ({"dataset": uuid.uuid4()}, "there is no dataset"),
        ({"eid": "rubbish"}, "neither the id of a session nor"),
    ):
        answer = rest.get("why", **words)
        assert answer.status_code == 404, answer.content
        assert near in answer.json()["detail"]
    assert rest.get("why").status_code == 400
    assert rest.get("why", dataset="spikes.times.npy").status_code == 400


def test_a_name_that_several_datasets_have_names_them(world: World, rest: Rest) -> None:
    first = world.add_file(b"abc", name="other.times.npy")
    Dataset.objects.filter(pk=first.pk).update(collection="alf/probe00", name="spikes.times.npy")
    world.add_file(b"abcd", name="spikes.times.npy")
    answer = rest.get("why", eid=world.session.pk, dataset="spikes.times.npy")
    assert answer.status_code == 409
    assert answer.json()["dataset"] == ["alf/probe00/spikes.times.npy", "alf/spikes.times.npy"]


@pytest.mark.usefixtures("open_reading")
def test_the_same_path_in_two_labs_is_said_to_be_two(world: World, rest: Rest) -> None:
    twin = a_session(a_subject(a_lab(), world.session.subject.nickname), start=world.session.started_wall)
    type(twin).objects.filter(pk=twin.pk).update(number=world.session.number)
    assert rest.get("why", eid=str(world.session)).status_code == 409


def test_a_session_lists_what_cannot_be_loaded_in_few_queries(world: World, rest: Rest) -> None:
    world.add_file(b"here", name="here.times.npy")
    run()
    lost = world.add_file(b"lost", name="lost.times.npy", on_disk=b"")

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            asked(rest, eid=world.session.pk)
        return len(captured)

    told = asked(rest, eid=world.session.pk)  # and what is cached is cached
    before = cost()
    assert [one["path"] for one in told["results"]] == [f"alf/{lost.name}"]
    assert (told["says"], told["cannot_be_loaded"]) == ("1 of 2 datasets can be loaded", 1)
    for number in range(4):
        world.add_file(b"more", name=f"more{number}.times.npy")
    assert cost() == before
    assert asked(rest, eid=world.session.pk)["cannot_be_loaded"] == 5
    assert before <= 10


@dataclass
class An:
    """One end of a way."""

    name: str
    kind: str = "globus"
    root: str = "globus://c/"
    endpoint: str = ""
    credential: str = ""
    on_personal_computer: bool = False


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        (An("rig", "posix", "/d"), An("hub"), "hub is reached over Globus and rig is not"),
        (An("rig", "globus", "globus://r/"), An("box", "s3", "s3://b/"), "rig is reached over Globus and box is not"),
        (An("rig", root="globus://r/", credential="mine"), An("hub"), "Globus login “mine” and hub by “default”"),
        (
            An("a", root="globus://a/", on_personal_computer=True),
            An("b", on_personal_computer=True),
            "personal computers",
        ),
        (An("a"), An("b"), "the same folder"),
        (An("a", root="globus://a/", on_personal_computer=True, credential="default"), An("hub"), ""),
        (An("rig", "posix", "/d"), An("bucket", "s3", "s3://b/"), ""),
    ],
)
def test_a_way_that_is_missing_is_named(source: An, destination: An, said: str) -> None:
    told = why_no_way(source, destination)
    assert said in told
    assert bool(said) == bool(told)


def test_what_has_no_way_is_said_to_be_unplanned_and_why(world: World, rest: Rest) -> None:
    dataset = world.add_file(b"abc")
    Repository.objects.filter(pk=world.central.pk).update(kind="globus", root=f"globus://{uuid.uuid4()}/lab/")
    assert plan_transfers(actor=None).items == 0
    following = at(asked(rest, dataset=dataset.pk), world.central)["next"]
    assert following["what"].startswith("not planned because central_server is reached over Globus")
    assert following["who"] == "whoever runs the repository"
