"""Fields of view, their locations and stacks, as the mesoscope pipeline of ibllib writes and asks for them."""

from typing import Any

import pytest

from alyx.labs.models import Lab, Role
from sessions.models import FOV, FOVLocation, ImagingType, Session
from tests.factories.people import a_lab, a_member
from tests.factories.recordings import a_fov, a_region
from tests.factories.records import a_dataset, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db

CORNERS = {"x": [1.0, 2.0, 3.0, 4.5], "y": [0.0, 0.0, 1.0, 1.0], "z": [-1.0, -1.0, -2.0, -2.0], "n_xyz": [512, 512, 1]}


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.EXPERIMENTER, "imager"))


@pytest.fixture
def session(lab: Lab) -> Session:
    ImagingType.objects.create(name="mesoscope")
    return a_session(a_subject(lab, "SP035"))


def test_a_session_of_the_mesoscope(rest: Rest, session: Session) -> None:
    regions = [a_region("VISp").pk, a_region("VISl").pk]
    stack = rest.post("imaging-stack", {"name": "depths"})
    assert (stack.status_code, stack.json()["slices"], stack.json()["name"]) == (201, [], "depths")
    body = {"session": str(session.pk), "imaging_type": "mesoscope", "name": "FOV_00", "stack": stack.json()["id"]}
    answer = rest.post("fields-of-view", body)
    assert answer.status_code == 201, answer.content
    fov = answer.json()
    assert fov == {**body, "id": fov["id"], "location": [], "json": None, "datasets": []}
    place = {
        "field_of_view": fov["id"],
        "provenance": "E",
        "default_provenance": True,
        "brain_region": regions,
        **CORNERS,
    }
    answer = rest.post("fov-location", place)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made.pop("auto_datetime")
    assert made == {**place, "id": made["id"], "coordinate_system": "IBL-Allen", "json": None}
    dataset = a_dataset(session, collection="alf/FOV_00")
    a_dataset(session, collection="alf/FOVx00")
    record = rest.get(f"fields-of-view/{fov['id']}").json()
    (location,) = record["location"]
    assert location.keys() == made.keys() - {"json", "field_of_view"} | {"auto_datetime"}
    assert record["datasets"] == [str(dataset.pk)]
    assert rest.found("fields-of-view", session=str(session.pk)) == [record]
    assert rest.get(f"sessions/{session.pk}").json()["field_of_view"] == [record]
    assert rest.get(f"imaging-stack/{stack.json()['id']}").json()["slices"] == [record]
    assert rest.found("imaging-stack") == [{"id": stack.json()["id"], "slices": [record]}]
    found = rest.found("fov-location", field_of_view=fov["id"], provenance="ESTIMATE")
    assert found == [location]


def test_the_newly_named_default_takes_that_from_the_one_before(rest: Rest, session: Session) -> None:
    fov = str(a_fov(session).pk)
    body = {"field_of_view": fov, "default_provenance": True, **CORNERS}
    estimate = rest.post("fov-location", {**body, "provenance": "E"}).json()["id"]
    histology = rest.post("fov-location", {**body, "provenance": "H"}).json()["id"]
    defaults = FOVLocation.objects.filter(default_provenance=True)
    assert [str(one.pk) for one in defaults] == [histology]
    assert rest.patch(f"fov-location/{estimate}", {"default_provenance": True}).status_code == 200
    assert [str(one.pk) for one in defaults.all()] == [estimate]
    twice = rest.post("fov-location", {**body, "provenance": "H"})
    assert (twice.status_code, "provenance" in twice.json()) == (400, True)
    assert "provenance" in rest.patch(f"fov-location/{estimate}", {"provenance": "H"}).json()
    patched = rest.patch(f"fov-location/{histology}", {"brain_region": [a_region("VISp").pk], "x": [0, 1, 2, 3]}).json()
    assert (patched["x"], patched["y"], len(patched["brain_region"])) == ([0, 1, 2, 3], CORNERS["y"], 1)
    assert len(rest.found("fov-location", brain_region="VISp", y="0.0,0.0,1.0,1.0")) == 1
    assert len(rest.found("fov-location", django="brain_region__acronym,VISp,provenance,H")) == 1
    assert rest.delete(f"fov-location/{histology}").status_code == 204
    assert rest.get(f"fov-location/{histology}").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provenance": "X"}, "provenance"),
        ({"x": [1, 2, 3]}, "x"),
        ({"x": [1] * 8}, "x"),
        ({"x": "1,2,3,4"}, "x"),
        ({"x": [1, 2, 3, None]}, "x"),
        ({"n_xyz": [1, 2]}, "n_xyz"),
        ({"brain_region": [424242]}, "brain_region"),
        ({"brain_region": [2**70]}, "brain_region"),
        ({"coordinate_system": "nowhere"}, "coordinate_system"),
        ({"field_of_view": "00000000-0000-0000-0000-000000000000"}, "field_of_view"),
    ],
)
def test_a_bad_location_names_the_field(rest: Rest, session: Session, change: dict[str, Any], field: str) -> None:
    answer = rest.post(
        "fov-location", {"field_of_view": str(a_fov(session).pk), "provenance": "E", **CORNERS, **change}
    )
    assert answer.status_code == 400
    assert field in answer.json()
    assert not FOVLocation.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "FOV_00"}, "name"),
        ({"imaging_type": "mesoscop"}, "imaging_type"),
        ({"stack": "00000000-0000-0000-0000-000000000000"}, "stack"),
        ({"session": "00000000-0000-0000-0000-000000000000"}, "session"),
        ({"session": None}, "session"),
    ],
)
def test_a_bad_field_of_view_names_the_field(rest: Rest, session: Session, change: dict[str, Any], field: str) -> None:
    a_fov(session)
    answer = rest.post("fields-of-view", {"session": str(session.pk), "name": "FOV_01", **change})
    assert (answer.status_code, field in answer.json()) == (400, True)
    assert FOV.objects.count() == 1


def test_fields_of_view_are_changed_found_and_withdrawn(rest: Rest, session: Session) -> None:
    fov, other = a_fov(session), a_fov(session, "FOV_01")
    dataset = a_dataset(session, collection="alf/FOV_00")
    assert rest.put(f"fields-of-view/{fov.pk}", {"imaging_type": "mesoscope"}).json()["name"] == "FOV_00"
    assert "name" in rest.patch(f"fields-of-view/{fov.pk}", {"name": "FOV_01"}).json()
    finds: list[dict[str, Any]] = [
        {"imaging_type": "mesoscope"},
        {"name": "FOV_00", "subject": "SP035"},
        {"dataset_types": dataset.dataset_type.name},
        {"django": f"datasets,{dataset.pk}"},
        {"django": "imaging_type__name,mesoscope,session__lab__name,cortexlab"},
    ]
    for asked in finds:
        assert [one["id"] for one in rest.found("fields-of-view", **asked)] == [str(fov.pk)], asked
    assert rest.delete(f"fields-of-view/{fov.pk}").status_code == 204
    assert [one["id"] for one in rest.found("fields-of-view")] == [str(other.pk)]
    assert rest.get(f"fields-of-view/{fov.pk}").status_code == 404
