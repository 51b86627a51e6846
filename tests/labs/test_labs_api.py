"""REST for people, labs, locations and projects."""

import uuid
from typing import Any

import pghistory.models
import pytest
from django.apps import apps

from alyx.labs.models import Lab, Location, Project, Role, User
from tests.factories.people import a_lab, a_member, a_project, a_superuser, a_user
from tests.factories.records import a_repository, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab", json={"a": 1})


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.RIG, "rig"))


# ---- labs


def test_a_lab_is_read_by_name_with_its_repositories(rest: Rest, lab: Lab) -> None:
    a_repository(lab, name="cortexlab_local")
    assert rest.get("labs/cortexlab").json() == {
        "name": "cortexlab",
        "institution": "",
        "address": "",
        "timezone": "Europe/London",
        "repositories": ["cortexlab_local"],
        "reference_weight_pct": 0.0,
        "zscore_weight_pct": 0.0,
        "json": {"a": 1},
    }
    assert rest.get("labs/nowhere").status_code == 404


def test_this_machine_finds_its_labs_by_its_endpoint(rest: Rest, lab: Lab) -> None:
    endpoint = uuid.uuid4()
    a_repository(lab, globus_endpoint_id=endpoint)
    a_repository(lab, a_lab("otherlab"), globus_endpoint_id=endpoint)
    a_lab("third")
    found = rest.found("labs", django=f"repositories__globus_endpoint_id,{endpoint}")
    assert [one["name"] for one in found] == ["cortexlab", "otherlab"]


def test_a_health_report_is_written_by_data_managers_and_the_rest_by_heads(rest: Rest, lab: Lab) -> None:
    manager, head = Rest(a_member(lab, Role.DATA_MANAGER)), Rest(a_member(lab, Role.HEAD))
    assert rest.patch("labs/cortexlab", {"json": {"b": 2}}).status_code == 403
    assert manager.patch("labs/cortexlab", {"json": {"b": 2}}).json()["json"] == {"b": 2}
    assert manager.patch("labs/cortexlab", {"address": "x"}).status_code == 403
    repository = a_repository(name="central")
    record = head.patch("labs/cortexlab", {"address": "x", "repositories": ["central"]}).json()
    assert (record["address"], record["repositories"]) == ("x", [repository.name])
    assert record["json"] == {"b": 2}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"repositories": ["nowhere"]}, "repositories"),
        ({"reference_weight_pct": "nan"}, "reference_weight_pct"),
        ({"name": "renamed"}, "name"),
    ],
)
def test_a_lab_cannot_become_nonsense(lab: Lab, body: dict[str, Any], field: str) -> None:
    answer = Rest(a_superuser()).patch("labs/cortexlab", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_superusers_make_labs_whose_names_fit_paths(rest: Rest) -> None:
    root = Rest(a_superuser())
    assert rest.post("labs", {"name": "newlab"}).status_code == 403
    assert root.post("labs", {"name": "new-lab"}).status_code == 400
    assert root.post("labs", {"name": "../x"}).status_code == 400
    assert root.post("labs", {"name": "newlab", "timezone": "Europe/Zurich"}).status_code == 201
    assert root.post("labs", {"name": "newlab"}).status_code == 400
    assert root.post("labs", {"name": "NewLab"}).status_code == 400


def test_a_lab_with_animals_is_not_deleted(lab: Lab) -> None:
    root = Rest(a_superuser())
    a_subject(lab)
    answer = root.delete("labs/cortexlab")
    assert answer.status_code == 403
    assert "subjects" in answer.json()["detail"]
    a_lab("empty")
    assert root.delete("labs/empty").status_code == 204
    assert root.get("labs/empty").status_code == 404


# ---- locations


def test_a_rig_writes_into_its_own_location_only(rest: Rest, lab: Lab) -> None:
    Location.objects.create(name="_iblrig_cortexlab.ephys_0", lab=lab)
    Location.objects.create(name="other", lab=a_lab("otherlab"))
    record = rest.patch("locations/_iblrig_cortexlab.ephys_0", {"json": {"device": "1.2"}}).json()
    assert record == {"name": "_iblrig_cortexlab.ephys_0", "lab": "cortexlab", "json": {"device": "1.2"}}
    assert rest.patch("locations/other", {"json": {}}).status_code == 403
    assert rest.patch("locations/nowhere", {"json": {}}).status_code == 404
    assert rest.patch("locations/_iblrig_cortexlab.ephys_0", {"lab": "otherlab"}).status_code == 403
    assert [one["name"] for one in rest.found("locations")] == ["_iblrig_cortexlab.ephys_0", "other"]


# ---- projects


def test_projects_have_exactly_three_fields(rest: Rest) -> None:
    project = a_project("ibl")
    project.users.add(User.objects.get(username="rig"))
    assert rest.found("projects") == [{"name": "ibl", "description": "", "users": ["rig"]}]


def test_projects_are_made_and_changed_by_people_who_write_somewhere(rest: Rest, lab: Lab) -> None:
    reader = Rest(a_member(a_lab(), Role.READER))
    assert reader.post("projects", {"name": "p"}).status_code == 403
    assert rest.post("projects", {"name": "p", "users": ["rig"]}).status_code == 201
    assert rest.post("projects", {"name": "p"}).status_code == 400
    assert rest.patch("projects/p", {"users": ["nobody"]}).status_code == 400
    assert rest.put("projects/p", {"description": "d"}).json() == {"name": "p", "description": "d", "users": ["rig"]}


def test_a_project_in_use_is_not_deleted(lab: Lab) -> None:
    manager = Rest(a_member(lab, Role.DATA_MANAGER))
    project = a_project("p")
    session = a_session(a_subject(lab))
    session.projects.add(project)
    assert manager.delete("projects/p").status_code == 403
    session.projects.clear()
    assert manager.delete("projects/p").status_code == 204
    assert not Project.objects.filter(name="p").exists()


# ---- users


def test_a_person_is_read_by_name_and_the_address_of_others_stays_empty(rest: Rest, lab: Lab) -> None:
    anna = a_member(lab, name="anna.b", email="anna@example.org", is_stock_manager=True)
    a_subject(lab, "M1", responsible_user=anna)
    record = rest.get("users/anna.b").json()
    assert record == {
        "id": str(anna.pk),
        "username": "anna.b",
        "email": "",
        "subjects_responsible": ["M1"],
        "lab": ["cortexlab"],
        "allowed_users": [],
        "is_stock_manager": True,
    }
    assert Rest(anna).get("users/anna.b").json()["email"] == "anna@example.org"
    assert Rest(a_superuser()).get("users/anna.b").json()["email"] == "anna@example.org"
    assert rest.get("users/nobody").status_code == 404


def test_addresses_and_passwords_of_others_cannot_be_guessed_by_filters(rest: Rest, lab: Lab) -> None:
    a_member(lab, name="anna", email="anna@example.org")
    assert rest.found("users", email="anna@example.org") == []
    assert len(rest.found("users", password="x")) == 2, "unknown parameters are ignored"
    for path in ("password__startswith", "email__icontains", "tokens__nonce", "last_login__gt"):
        assert rest.get("users", django=f"{path},a").status_code == 400


def test_people_change_their_own_address_and_nothing_of_others(lab: Lab) -> None:
    anna = a_member(lab, name="anna")
    rest = Rest(anna)
    a_user("berta")
    assert rest.patch("users/anna", {"email": "a@example.org", "allowed_users": ["berta"]}).status_code == 200
    assert rest.patch("users/anna", {"email": "nonsense"}).status_code == 400
    assert rest.patch("users/anna", {"is_stock_manager": True}).status_code == 403
    assert rest.patch("users/berta", {"email": "b@example.org"}).status_code == 403
    assert rest.patch("users/anna", {"is_superuser": True, "password": "x"}).status_code == 200, (
        "unknown keys are ignored"
    )
    anna.refresh_from_db()
    assert not anna.is_superuser
    assert list(anna.allowed_users.values_list("username", flat=True)) == ["berta"]


def test_superusers_make_and_deactivate_people(rest: Rest) -> None:
    root = Rest(a_superuser("root"))
    assert rest.post("users", {"username": "new"}).status_code == 403
    assert root.post("users", {"username": "new"}).status_code == 201
    assert root.post("users", {"username": "new"}).status_code == 400
    assert not User.objects.get(username="new").has_usable_password()
    assert root.delete("users/new").status_code == 204
    assert "new" not in [one["username"] for one in rest.found("users")]
    assert "new" in [one["username"] for one in rest.found("users", is_active="False")]
    assert rest.get("users/new").status_code == 200, "what they recorded keeps their name"


# ---- audit


def test_a_change_over_rest_names_the_caller_the_path_and_the_request(rest: Rest, lab: Lab) -> None:
    Location.objects.create(name="rig_1", lab=lab)
    rest.patch("locations/rig_1", {"json": {"x": 1}})
    event = apps.get_model("labs", "LocationEvent").objects.filter(pgh_label="update").get()
    context = pghistory.models.Context.objects.get(pk=event.pgh_context_id)
    assert context.metadata["actor_name"] == "rig"
    assert context.metadata["path"] == "PATCH /locations/rig_1"
    assert context.metadata["request_id"]
