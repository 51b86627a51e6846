"""Collections as repositories: made by command, form and REST, by superusers; and which may send to which."""

import json
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from alyx.labs.models import User
from datasets.models import FileRecord, Repository, RepositoryRole
from datasets.rules.copies import CopyState
from tests.globus.driver import StandIn
from tests.globus.night import GlobusNight, work
from transfers.backends.base import Feature
from transfers.models import TransferItem
from transfers.services.places import MAKERS, REMOTE_KINDS
from transfers.services.planning import plan_transfers

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def admin() -> User:
    user: User = User.objects.create_superuser("root", password="let me in")
    return user


def test_it_is_made_by_command_marked_and_used(globus_night: GlobusNight, admin: User, tmp_path: Path) -> None:
    service, lab = globus_night.service, globus_night.world.lab
    key = service.collection(tmp_path / "made")
    said = StringIO()
    arguments = ["by_command", f"globus://{key}/Subjects/", "--role", "mirror", "--lab", lab.name, "--as", "root"]
    with pytest.raises(CommandError, match="no folder"):
        call_command("add_globus_repository", *arguments, stdout=said)
    (tmp_path / "made" / "Subjects").mkdir()
    call_command("add_globus_repository", *arguments, stdout=said)
    told = json.loads(said.getvalue())
    made = Repository.objects.get(name="by_command")
    assert (told["healthy"], told["on_personal_computer"], told["canary"]) == (True, False, str(made.canary))
    assert (made.root, str(made.globus_endpoint_id), made.globus_path) == (f"globus://{key}/Subjects", key, "/Subjects")
    copy = globus_night.add(b"abc")
    globus_night.until(lambda: globus_night.arrived(copy, b"abc") and globus_night.settled())
    mine = FileRecord.objects.get(dataset=copy.dataset, repository=made)
    assert mine.state == CopyState.VERIFIED, TransferItem.objects.filter(copy=mine).values("state", "last_error")


def test_it_is_made_over_rest_by_superusers_and_wrong_places_are_refused_by_field(client: Client, admin: User) -> None:
    client.force_login(admin)
    key = str(uuid4())
    sent = {"name": "over_rest", "kind": "globus", "root": f"globus://{key.upper()}/a/b/", "credential": "x"}
    assert client.post("/data-repository", sent, content_type="application/json").status_code == 201
    made = Repository.objects.get(name="over_rest")
    assert (made.kind, made.root, made.credential) == ("globus", f"globus://{key}/a/b", "x")
    wrong: list[dict[str, str]] = [
        {"root": "/srv"},
        {"root": "globus://no-id/a"},
        {"root": f"globus://{key}/../b"},
        {"credential": "a b"},
        {"root": f"globus://{key}/a/b"},
    ]
    for change in wrong:
        answer = client.post("/data-repository", sent | {"name": "w"} | change, content_type="application/json")
        assert answer.status_code == 400, answer.content
        assert next(iter(change)) in answer.content.decode()
    client.force_login(User.objects.create_user("somebody", password="let me in"))
    other = sent | {"name": "mine", "root": f"globus://{uuid4()}/a"}
    assert client.post("/data-repository", other, content_type="application/json").status_code == 403


def test_directories_and_collections_serve_only_their_like(globus_night: GlobusNight) -> None:
    world = globus_night.world
    here = world.add_file(b"only in a directory")
    world.add_record(here, globus_night.central.repository, CopyState.EXPECTED)
    there = globus_night.add(b"only in a collection")
    world.add_record(there.dataset, world.central, CopyState.EXPECTED)
    plan_transfers(actor=None)
    routes = set(TransferItem.objects.values_list("source__repository__kind", "destination__kind"))
    assert routes == {("posix", "posix"), ("globus", "globus")}


def test_collections_of_other_logins_or_two_personal_computers_are_no_route(
    globus_night: GlobusNight, process: StandIn
) -> None:
    globus_night.add(b"abc")
    ends = Repository.objects.filter(kind="globus")
    ends.filter(role=RepositoryRole.LAB).update(credential="other")
    assert plan_transfers(actor=None).items == 0
    ends.update(credential="default", on_personal_computer=True)
    assert plan_transfers(actor=None).items == 0
    ends.filter(role=RepositoryRole.LAB).update(on_personal_computer=False)
    assert plan_transfers(actor=None).items == 1


def test_two_personal_computers_not_known_as_such_are_refused_before_anything_is_sent(
    globus_night: GlobusNight,
) -> None:
    copy = globus_night.add(b"abc")
    for place in (globus_night.lab, globus_night.central):
        globus_night.service.control("collection", place.collection, entity_type="GCP_mapped_collection")
    work()
    item = globus_night.item(copy)
    assert (item.state, item.last_error_code, globus_night.tasks()) == ("needs_human", "unsupported", 0)


def test_the_kinds_that_run_elsewhere_are_those_whose_backends_say_so(globus_night: GlobusNight) -> None:
    world = globus_night.world
    places = {place.kind: place for place in (world.central, globus_night.central.repository)}
    remote = {kind for kind, place in places.items() if Feature.REMOTE_JOBS in MAKERS[kind](place).features}
    assert remote == set(REMOTE_KINDS)
