"""/dataset-types, /data-formats, /revisions, /tags, /data-repository."""

from typing import Any

import pytest

from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Role
from datasets.models import DatasetType, Repository, RepositoryRole, Tag
from datasets.services.repositories import create_repository
from tests.datasets.world import World, a_world
from tests.factories.people import a_member, a_superuser, a_user
from tests.factories.rest import Rest

WORDS: dict[str, dict[str, Any]] = {
    "dataset-types": {"name": "wheel.position.x", "filename_pattern": " *Wheel.Position* ", "description": "m"},
    "data-formats": {"name": "ssv", "file_extension": "ssv"},
    "revisions": {"name": "2024-01-10.b"},
    "tags": {"name": "2024_Q1.x", "protected": True},
}


@pytest.mark.parametrize(("endpoint", "body"), WORDS.items())
def test_a_word_is_made_read_changed_and_deleted_by_a_name_with_dots(
    world: World, endpoint: str, body: dict[str, Any]
) -> None:
    assert world.rest.post(endpoint, body).status_code == 201
    assert world.rest.post(endpoint, body).status_code == 400
    path = f"{endpoint}/{body['name']}"
    assert world.rest.get(path).json()["name"] == body["name"]
    assert body["name"] in {row["name"] for row in world.rest.found(endpoint)}
    assert world.rest.patch(path, {"description": "new"}).json()["description"] == "new"
    assert world.rest.delete(path).status_code == 403
    assert Rest(a_superuser()).delete(path).status_code == 204
    assert world.rest.get(path).status_code == 404


def test_patterns_are_lower_case_text_and_extensions_have_their_dot(world: World) -> None:
    world.rest.post("dataset-types", WORDS["dataset-types"])
    found = {row["name"]: row["filename_pattern"] for row in world.rest.found("dataset-types")}
    assert found["wheel.position.x"] == "*wheel.position*"
    assert found["spikes.times"] == ""
    world.rest.post("data-formats", WORDS["data-formats"])
    assert world.rest.get("data-formats/ssv").json()["file_extension"] == ".ssv"
    assert world.rest.post("data-formats", {"name": "nothing", "file_extension": ""}).json()["file_extension"] == ""
    assert DatasetType.objects.get(name="wheel.position.x").created_by == world.rig


def test_a_tag_also_says_is_protected(world: World) -> None:
    Tag.objects.create(name="frozen", protected=True)
    tag = world.rest.get("tags/frozen").json()
    assert (tag["protected"], tag["is_protected"], tag["public"]) == (True, True, False)


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", "#x#", "x" * 300])
def test_a_revision_is_the_name_of_a_folder(world: World, name: str) -> None:
    assert world.rest.post("revisions", {"name": name}).status_code == 400


def test_readers_and_strangers_make_no_words(world: World) -> None:
    for user in (a_user(), a_member(world.lab, Role.READER)):
        for endpoint, body in WORDS.items():
            assert Rest(user).post(endpoint, body).status_code == 403


def test_a_word_in_use_is_not_deleted(world: World) -> None:
    dataset = world.register_one("alf/#r1#/spikes.times.npy")
    world.protect(dataset)
    boss = Rest(a_superuser())
    for path in ("dataset-types/spikes.times", "data-formats/npy", "revisions/r1", "tags/frozen"):
        assert boss.delete(path).status_code == 403
    assert boss.patch("revisions/r1", {"name": "r2"}).status_code == 400


def test_only_managers_of_every_lab_concerned_change_what_a_tag_allows(world: World) -> None:
    other = a_world("churchlandlab", "KS100")
    for one in (world, other):
        one.protect(one.register_one())
    manager = a_member(world.lab, Role.DATA_MANAGER)
    assert Rest(manager).patch("tags/frozen", {"protected": False}).status_code == 403
    other.lab.memberships.create(user=manager, role=Role.HEAD)
    assert world.rest.patch("tags/frozen", {"public": True}).status_code == 403
    assert Rest(manager).patch("tags/frozen", {"protected": False}).json()["protected"] is False


def repository(world: World, status: int = 201, **fields: Any) -> Any:
    boss = a_member(world.lab, Role.HEAD)
    answer = Rest(boss).post("data-repository", {"name": "aws_cortexlab2", **fields})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_repository_is_a_labs_own_when_personal_and_central_else(world: World) -> None:
    assert repository(world, name="a", globus_is_personal=True)["globus_is_personal"] is True
    assert repository(world, name="b", globus_is_personal=False)["globus_is_personal"] is False
    roles = dict(Repository.objects.filter(name__in=["a", "b"]).values_list("name", "role"))
    assert roles == {"a": RepositoryRole.LAB, "b": RepositoryRole.CENTRAL}
    assert Repository.objects.get(name="b").uuid_in_names is True


def test_repositories_are_found_by_endpoint_and_name(world: World) -> None:
    endpoint = "2dc8ccc6-2f8e-11e9-9351-0e3d676669f4"
    repository(world, globus_endpoint_id=endpoint, globus_path="/mnt/data/", timezone="Europe/Paris")
    [found] = world.rest.found("data-repository", globus_endpoint_id=endpoint)
    assert found == {
        "name": "aws_cortexlab2",
        "timezone": "Europe/Paris",
        "globus_path": "/mnt/data/",
        "hostname": "",
        "data_url": None,
        "repository_type": None,
        "globus_endpoint_id": endpoint,
        "globus_is_personal": False,
        "json": None,
    }
    assert len(world.rest.found("data-repository", globus_is_personal="True")) == 1
    assert world.rest.get("data-repository/nowhere").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"json": {"Secret access key": "x"}},
        {"json": {"aws": [{"password": "x"}]}},
        {"json": {"api_token": "x"}},
        {"timezone": "Mars/Olympus"},
        {"data_url": "ftp://x"},
        {"data_url": "http://user:pw@x/"},
        {"name": "a/b"},
        {"name": ""},
        {"globus_endpoint_id": "x"},
    ],
)
def test_a_bad_repository_is_a_400(world: World, fields: dict[str, Any]) -> None:
    count = Repository.objects.count()
    repository(world, 400, **fields)
    assert Repository.objects.count() == count


def test_secrets_that_were_imported_are_not_served(world: World) -> None:
    secret = {"bucket_name": "b", "Access key ID": "AKIA", "Secret access key": "s3cr3t"}
    Repository.objects.filter(pk=world.mirror.pk).update(json=secret)
    answer = world.rest.get("data-repository/aws_cortexlab")
    assert answer.json()["json"] == {"bucket_name": "b", "Access key ID": "AKIA"}
    assert b"s3cr3t" not in world.rest.get("data-repository").content


def test_a_rig_reports_health_in_json_and_changes_nothing_else(world: World) -> None:
    path = f"data-repository/{world.server.name}"
    assert world.rest.patch(path, {"json": {"free_gb": 12.0}}).json()["json"] == {"free_gb": 12.0}
    assert world.rest.patch(path, {"globus_path": "/elsewhere/"}).status_code == 403
    manager = Rest(a_member(world.lab, Role.DATA_MANAGER))
    assert manager.patch(path, {"globus_path": "/elsewhere/"}).status_code == 200
    assert a_world("churchlandlab", "x").rest.patch(path, {"json": {}}).status_code == 403


def test_where_a_repository_lies_cannot_be_said_over_rest(world: World) -> None:
    before = Repository.objects.get(pk=world.server.pk).root
    answer = Rest(a_superuser()).patch(f"data-repository/{world.server.name}", {"root": "/etc"})
    assert answer.status_code == 200
    assert Repository.objects.get(pk=world.server.pk).root == before
    assert "root" not in answer.json()


def test_only_superusers_say_where_a_repository_lies(world: World) -> None:
    head = a_member(world.lab, Role.HEAD)
    with pytest.raises(Forbidden):
        create_repository(actor=head, name="mine", labs=[world.lab], root="/etc")
    boss = a_superuser()
    made = create_repository(actor=boss, name="central2", role="central", labs=[world.lab], root="/srv/data/central2")
    assert (made.root, made.uuid_in_names, [lab.name for lab in made.labs.all()]) == (
        "/srv/data/central2",
        True,
        ["cortexlab"],
    )
    for root in ("relative/path", "/srv/data/central2"):
        with pytest.raises(Invalid):
            create_repository(actor=boss, name="central3", root=root)
    with pytest.raises(Forbidden):
        create_repository(actor=head, name="theirs", labs=[a_world("churchlandlab", "x").lab])


def test_what_a_repository_is_for_and_its_name_stay(world: World) -> None:
    boss = Rest(a_superuser())
    assert boss.patch(f"data-repository/{world.server.name}", {"globus_is_personal": False}).status_code == 400
    assert boss.patch(f"data-repository/{world.server.name}", {"name": "other"}).status_code == 400


def test_a_repository_with_copies_is_not_deleted(world: World) -> None:
    world.register_one()
    boss = Rest(a_superuser())
    assert boss.delete(f"data-repository/{world.server.name}").status_code == 403
    repository(world)
    assert boss.delete("data-repository/aws_cortexlab2").status_code == 204
