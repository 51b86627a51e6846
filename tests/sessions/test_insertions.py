"""Insertions, trajectories, channels and chronic insertions, as ibllib and ONE write and ask for them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core.qc import QC
from alyx.labs.models import Lab, Role
from datasets.models import RepositoryRole, Tag
from sessions.models import Channel, CoordinateSystem, ProbeInsertion, Session, TrajectoryEstimate
from subjects.models import Implant, ProbeModel
from tests.factories.animals import a_surgery, an_implant
from tests.factories.copies import a_copy
from tests.factories.people import a_lab, a_member, a_project
from tests.factories.recordings import a_channel, a_fov, a_region, a_trajectory, an_insertion
from tests.factories.records import MORNING, a_dataset, a_repository, a_session, a_subject, a_type
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db

PLACE = {"x": -2243.1, "y": -2000.0, "z": 0.0, "depth": 4000.0, "theta": 15.0, "phi": 180.0, "roll": None}


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.EXPERIMENTER, "histologist"))


@pytest.fixture
def session(lab: Lab) -> Session:
    session = a_session(a_subject(lab, "KS.014"), number=2)
    session.projects.add(a_project("brainwide"))
    return session


@pytest.fixture
def model() -> ProbeModel:
    return ProbeModel.objects.create(name="Neuropixel 3B2", part_number="3B2", manufacturer="Imec")


def statements(call: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = call()
    assert answer.status_code < 300, answer.content
    return len(captured)


def info(session: Session) -> dict[str, Any]:
    return {
        "subject": "KS.014",
        "start_time": "2026-03-09T09:30:00",
        "number": 2,
        "lab": "cortexlab",
        "id": str(session.pk),
        "projects": ["brainwide"],
        "task_protocol": session.task_protocol,
    }


# ---- insertions


def test_an_insertion_as_the_rig_makes_it(rest: Rest, session: Session, model: ProbeModel) -> None:
    body = {"session": str(session.pk), "name": "probe00", "model": "3B2", "json": {"qc": "NOT_SET", "extended_qc": {}}}
    answer = rest.post("insertions", body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made.pop("auto_datetime")
    assert made == {
        "id": str(ProbeInsertion.objects.get().pk),
        "session": str(session.pk),
        "model": "3B2",
        "session_info": info(session),
        "name": "probe00",
        "json": {"qc": "NOT_SET", "extended_qc": {}},
        "serial": "",
        "chronic_insertion": None,
        "datasets": [],
    }
    (listed,) = rest.found("insertions", session=str(session.pk), name="probe00")
    assert {name: listed[name] for name in made} == made


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "name"),
        ({"session": "00000000-0000-0000-0000-000000000000", "name": "b"}, "session"),
        ({"name": "b", "session": None}, "session"),
        ({"name": "b", "model": "3B3"}, "model"),
        ({"name": "b", "chronic_insertion": "00000000-0000-0000-0000-000000000000"}, "chronic_insertion"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_refused_names_the_field_and_makes_nothing(
    rest: Rest, session: Session, model: ProbeModel, change: dict[str, Any], field: str
) -> None:
    an_insertion(session)
    answer = rest.post("insertions", {"session": str(session.pk), "name": "probe00", **change})
    assert answer.status_code == 400
    assert field in answer.json(), answer.json()
    assert ProbeInsertion.objects.count() == 1


def test_a_withdrawn_insertion_is_gone_and_frees_its_name(rest: Rest, session: Session) -> None:
    insertion = an_insertion(session)
    trajectory = a_trajectory(insertion)
    a_channel(trajectory)
    assert rest.delete(f"insertions/{insertion.pk}").status_code == 204
    for path in ("insertions", "trajectories", "channels"):
        assert rest.found(path) == []
    assert rest.get(f"insertions/{insertion.pk}").status_code == 404
    assert rest.get(f"sessions/{session.pk}").json()["probe_insertion"] == []
    assert rest.post("insertions", {"session": str(session.pk), "name": "probe00"}).status_code == 201


def test_with_the_session_its_insertions_and_fields_of_view_go(rest: Rest, session: Session) -> None:
    insertion, fov = an_insertion(session), a_fov(session)
    Session.objects.filter(pk=session.pk).update(registered_by=a_member(session.lab, Role.HEAD))
    head = Rest(a_member(session.lab, Role.HEAD, "head"))
    assert head.delete(f"sessions/{session.pk}").status_code == 204
    assert rest.get(f"insertions/{insertion.pk}").status_code == rest.get(f"fields-of-view/{fov.pk}").status_code == 404


def test_a_put_with_a_part_of_the_record_is_a_change(rest: Rest, session: Session, model: ProbeModel) -> None:
    insertion = an_insertion(session, json={"qc": "PASS"}, serial="19051")
    answer = rest.put(f"insertions/{insertion.pk}", {"session": str(session.pk), "name": "probe00", "model": "3B2"})
    assert answer.status_code == 200, answer.content
    record = answer.json()
    assert (record["model"], record["serial"], record["json"]) == ("3B2", "19051", {"qc": "PASS"})
    answer = rest.patch(f"insertions/{insertion.pk}", {"json": {"extended_qc": {"tracing_exists": True}}})
    assert answer.json()["json"] == {"extended_qc": {"tracing_exists": True}}
    an_insertion(session, "probe01")
    assert "name" in rest.patch(f"insertions/{insertion.pk}", {"name": "probe01"}).json()


def test_its_datasets_are_those_in_folders_of_its_name(rest: Rest, session: Session) -> None:
    insertion = an_insertion(session, "Probe_00")
    own = [a_dataset(session, collection=folder) for folder in ("alf/probe_00/pykilosort", "raw_ephys_data/probe_00")]
    for folder in ("alf", "alf/probe_01", "alf/probex00", "probe_00", "alf/probe_00b"):
        a_dataset(session, collection=folder)
    a_dataset(a_session(session.subject, number=9), collection="alf/probe_00")
    wanted = {str(one.pk) for one in own}
    (listed,) = rest.found("insertions")
    assert set(listed["datasets"]) == wanted
    detail = rest.get(f"insertions/{insertion.pk}").json()["datasets"]
    assert {one["id"] for one in detail} == wanted
    assert set(detail[0]) == {
        *("id", "name", "dataset_type", "data_url", "url", "file_size", "hash"),
        *("version", "collection", "revision", "default_revision", "qc"),
    }
    (nested,) = rest.get(f"sessions/{session.pk}").json()["probe_insertion"]
    assert nested == listed
    assert {one["url"][-36:] for one in rest.found("datasets", probe_insertion=str(insertion.pk))} == wanted
    assert {one["url"][-36:] for one in rest.found("datasets", probe_insertion="probe_00")} > wanted


@pytest.fixture
def two(rest: Rest, session: Session, model: ProbeModel, lab: Lab) -> ProbeInsertion:
    """An insertion with something to be found by, beside one of another animal with nothing."""
    insertion = an_insertion(session, model=model, serial="19051", json={"extended_qc": {"alignment_count": 2}})
    central = a_repository(lab, role=RepositoryRole.CENTRAL)
    dataset = a_dataset(session, "spikes.times.npy", qc=QC.WARNING)
    dataset.tags.add(Tag.objects.create(name="2024_Q2_IBL"))
    a_copy(dataset, central)
    a_copy(
        a_dataset(session, "spikes.depths.npy", collection="alf/probe01", dataset_type=a_type("spikes.depths")), central
    )
    other = a_session(a_subject(a_lab("otherlab"), "ZZ"), start=MORNING + timedelta(days=1), task_protocol="nothing")
    an_insertion(other, "probe01")
    return insertion


FINDS: list[tuple[str, Any, Any]] = [
    ("subject", "KS.014", "ks.014"),
    ("lab", "CortexLab", "cortex"),
    ("project", "wide", "narrow"),
    ("task_protocol", "training", "biased"),
    ("date", "2026-03-09", "2026-03-11"),
    ("experiment_number", "002", 3),
    ("name", "probe00", "probe"),
    ("serial", "19051", "1905"),
    ("model", "Neuropixel 3B2", "3B2"),
    ("datasets", "spikes.times.npy", "spikes.depths.npy"),
    ("dataset_types", "spikes.times", "spikes.depths"),
    ("dataset_qc_lte", "WARNING", "PASS"),
    ("tag", "q2", "Q3"),
    ("django", "datasets__name__icontains,spikes.times", "datasets__name__icontains,depths"),
    ("django", "datasets__tags__name,2024_Q2_IBL", "datasets__tags__name,2024_Q3"),
    ("django", "json__extended_qc__alignment_count__gt,1", "json__extended_qc__alignment_count__gt,2"),
    ("django", "session__projects__name__icontains,brainwide,~json__qc,CRITICAL", "session__number,3"),
    ("django", "session__subject__nickname__in,['KS.014'],model__name,Neuropixel 3B2", "name,probe02"),
    ("django", "trajectory_estimate__provenance__gte,70", "trajectory_estimate__provenance,50"),
    ("django", "trajectory_estimate__channels__brain_region__acronym,CA1", "trajectory_estimate__x__gt,0"),
]


@pytest.mark.parametrize(("name", "fits", "does_not"), FINDS)
def test_insertions_are_found(rest: Rest, two: ProbeInsertion, name: str, fits: Any, does_not: Any) -> None:
    a_channel(a_trajectory(two), brain_region=a_region("CA1"))
    assert [one["id"] for one in rest.found("insertions", **{name: fits})] == [str(two.pk)]
    assert rest.found("insertions", **{name: does_not}) == []


def test_sessions_trajectories_and_datasets_are_asked_through_insertions(rest: Rest, two: ProbeInsertion) -> None:
    a_trajectory(two)
    ask = "probe_insertion__name,probe00,probe_insertion__serial,19051"
    assert [one["id"] for one in rest.found("sessions", django=ask)] == [str(two.session_id)]
    ask = "probe_insertion__session__projects__name__icontains,wide,probe_insertion__session__qc__lt,50"
    assert len(rest.found("trajectories", django=ask, provenance="Ephys aligned histology track")) == 1
    found = rest.found("datasets", django=f"probe_insertion,{two.pk}")
    assert [one["name"] for one in found] == ["spikes.times.npy"]
    assert rest.get("insertions", django="colour,grey").status_code == 400
    assert rest.get("insertions", dataset_qc_lte="GREY").json()["dataset_qc_lte"]


def test_lists_cost_the_same_however_many(rest: Rest, session: Session) -> None:
    def grow() -> None:
        for at in range(3):
            insertion = an_insertion(session, f"probe{ProbeInsertion.objects.count()}")
            a_dataset(session, collection=f"alf/{insertion.name}")
            a_channel(a_trajectory(insertion))
            implant = an_implant(a_surgery(session.subject), name=f"chronic{at}")
            an_insertion(session, f"{implant.pk}", chronic_insertion=implant)
            a_fov(session, f"FOV_{ProbeInsertion.objects.count()}")

    paths = ("insertions", "trajectories", "channels", "chronic-insertions", "fields-of-view")
    grow()
    rest.get("insertions")  # the token's last use is written once
    before = [statements(lambda path=path: rest.get(path)) for path in paths]
    grow()
    assert [statements(lambda path=path: rest.get(path)) for path in paths] == before
    assert max(before) <= 6


@pytest.mark.usefixtures("open_reading")
def test_another_lab_does_not_write(session: Session) -> None:
    stranger = Rest(a_member(a_lab("elsewhere"), Role.HEAD))
    insertion = an_insertion(session)
    trajectory = a_trajectory(insertion)
    channel = a_channel(trajectory)
    calls = [
        stranger.post("insertions", {"session": str(session.pk), "name": "b"}),
        stranger.patch(f"insertions/{insertion.pk}", {"json": {}}),
        stranger.delete(f"insertions/{insertion.pk}"),
        stranger.post("trajectories", {**PLACE, "probe_insertion": str(insertion.pk), "provenance": "Planned"}),
        stranger.delete(f"trajectories/{trajectory.pk}"),
        stranger.post("channels", [{"trajectory_estimate": str(trajectory.pk)}]),
        stranger.patch(f"channels/{channel.pk}", {"x": 1}),
        stranger.post("fields-of-view", {"session": str(session.pk), "name": "FOV_00"}),
        stranger.post("chronic-insertions", {"subject": "KS.014", "name": "p"}),
    ]
    assert [call.status_code for call in calls] == [403] * len(calls)


# ---- trajectories and channels


def test_a_track_is_registered_and_registered_again(rest: Rest, session: Session) -> None:
    insertion = an_insertion(session)
    CoordinateSystem.objects.create(name="IBL-Allen")
    regions = [a_region(acronym) for acronym in ("CA1", "DG")]
    body = {
        **PLACE,
        "probe_insertion": str(insertion.pk),
        "chronic_insertion": None,
        "provenance": "Histology track",
        "coordinate_system": "IBL-Allen",
    }
    answer = rest.post("trajectories", body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    trajectory = made.pop("id")
    assert made.pop("datetime")
    assert made == {**body, "session": info(session), "probe_name": "probe00", "json": None}
    again = rest.post("trajectories", body)
    assert again.status_code == 400
    assert trajectory in again.json()["provenance"][0]
    channels = [
        {
            "x": -2000.0,
            "y": 1.5,
            "z": float(at),
            "axial": 20.0 * at,
            "lateral": 16.0,
            "brain_region": regions[at % 2].pk,
            "trajectory_estimate": trajectory,
        }
        for at in range(4)
    ]
    answer = rest.post("channels", channels)
    assert answer.status_code == 201, answer.content
    assert [{name: one[name] for name in channels[0]} for one in answer.json()] == channels
    assert rest.post("channels", channels).json() == answer.json(), "a repeat answers with what is there"
    assert len(rest.found("channels", trajectory_estimate=trajectory)) == 4
    found = rest.found("trajectories", probe_insertion=str(insertion.pk), provenance="Histology track")
    assert [one["id"] for one in found] == [trajectory]
    assert rest.delete(f"trajectories/{trajectory}").status_code == 204
    assert not Channel.objects.exists()
    assert rest.post("trajectories", body).status_code == 201


def test_an_empty_track_is_all_nulls(rest: Rest, session: Session) -> None:
    nothing = dict.fromkeys(PLACE)
    body = {**nothing, "probe_insertion": str(an_insertion(session).pk), "provenance": "Histology track"}
    answer = rest.post("trajectories", body)
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in nothing} == nothing


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provenance": "Guessed"}, "provenance"),
        ({"provenance": 60}, "provenance"),
        ({"probe_insertion": None}, "probe_insertion"),
        ({"probe_insertion": "00000000-0000-0000-0000-000000000000"}, "probe_insertion"),
        ({"coordinate_system": "IBL-Alen"}, "coordinate_system"),
        ({"x": "NaN"}, "x"),
        ({"x": "left"}, "x"),
    ],
)
def test_a_bad_trajectory_names_the_field(rest: Rest, session: Session, change: dict[str, Any], field: str) -> None:
    body = {**PLACE, "probe_insertion": str(an_insertion(session).pk), "provenance": "Planned"}
    answer = rest.post("trajectories", {**body, **change})
    assert answer.status_code == 400
    assert field in answer.json(), answer.json()
    assert rest.post("trajectories", {"provenance": "Planned"}).json().keys() >= {"x", "y", "depth", "theta", "phi"}
    assert not TrajectoryEstimate.objects.exists()


def test_a_patch_without_insertion_keeps_it(rest: Rest, session: Session) -> None:
    insertion = an_insertion(session)
    trajectory, planned = a_trajectory(insertion), a_trajectory(insertion, provenance=10)
    answer = rest.patch(f"trajectories/{trajectory.pk}", {"x": 5.5, "json": {"a": [1]}})
    assert answer.status_code == 200
    assert (answer.json()["probe_insertion"], answer.json()["x"]) == (str(insertion.pk), 5.5)
    assert "provenance" in rest.patch(f"trajectories/{planned.pk}", {"provenance": trajectory.provenance}).json()
    assert rest.patch(f"trajectories/{planned.pk}", {"probe_insertion": None}).status_code == 400
    other = an_insertion(session, "probe01")
    assert rest.put(f"trajectories/{planned.pk}", {"probe_insertion": str(other.pk)}).status_code == 200


@pytest.mark.parametrize(
    ("name", "fits", "does_not"),
    [
        ("probe", "probe00", "probe01"),
        ("provenance", "ephys aligned histology track", "Planned"),
        ("provenance", "70", "10"),
        ("subject", "KS.014", "KS"),
        ("date", "2026-03-09", "2026-03-10"),
        ("experiment_number", 2, 1),
        ("project", "brain", "x"),
        ("x", "-2000", "2000"),
        ("theta", "10.0", "11"),
    ],
)
def test_trajectories_are_found(rest: Rest, session: Session, name: str, fits: Any, does_not: Any) -> None:
    trajectory = a_trajectory(an_insertion(session))
    assert [one["id"] for one in rest.found("trajectories", **{name: fits})] == [str(trajectory.pk)]
    assert rest.found("trajectories", **{name: does_not}) == []


def test_bad_channels_make_none_at_all(rest: Rest, session: Session) -> None:
    trajectory = str(a_trajectory(an_insertion(session)).pk)
    good = {"trajectory_estimate": trajectory, "axial": 20.0, "lateral": 16.0}
    bad: list[Any] = [
        [good, {**good, "axial": 40, "brain_region": 424242}],
        [good, dict(good)],
        [good, {"axial": 40}],
        [good, {**good, "axial": 40, "trajectory_estimate": "00000000-0000-0000-0000-000000000000"}],
        [good, 5],
        [good, {**good, "axial": 40, "x": "left"}],
        "channels",
        {**good, "x": [1]},
    ]
    assert [rest.post("channels", body).status_code for body in bad] == [400] * len(bad)
    assert not Channel.objects.exists()
    one = rest.post("channels", good)
    assert (one.status_code, one.json()["axial"]) == (201, 20.0)
    assert "another" in rest.post("channels", {**good, "x": 3.0}).json()["axial"][0]
    assert rest.post("channels", []).json() == []


def test_a_thousand_channels_cost_no_more_statements_than_two(rest: Rest, session: Session) -> None:
    region = a_region("CA1").pk
    trajectory = str(a_trajectory(an_insertion(session)).pk)

    def bodies(count: int, lateral: float) -> list[dict[str, Any]]:
        place = {"trajectory_estimate": trajectory, "lateral": lateral, "brain_region": region}
        return [{**place, "axial": float(at)} for at in range(count)]

    rest.post("channels", bodies(1, 8.0))  # what is cached is cached, the token's last use written
    two = statements(lambda: rest.post("channels", bodies(2, 0.0)))
    assert statements(lambda: rest.post("channels", bodies(1000, 16.0))) == two
    assert Channel.objects.count() == 1003


def test_a_channel_is_changed_and_removed(rest: Rest, session: Session) -> None:
    trajectory = a_trajectory(an_insertion(session))
    channel, other = a_channel(trajectory, name="a"), a_channel(trajectory)
    region = a_region("CA1")
    answer = rest.patch(f"channels/{channel.pk}", {"brain_region": region.pk})
    assert (answer.json()["brain_region"], answer.json()["name"]) == (region.pk, "a")
    assert [one["id"] for one in rest.found("channels", brain_region="CA1")] == [str(channel.pk)]
    assert rest.patch(f"channels/{channel.pk}", {"axial": other.axial}).status_code == 400
    assert rest.delete(f"channels/{channel.pk}").status_code == 204
    assert rest.get(f"channels/{channel.pk}").status_code == 404


# ---- chronic insertions


def test_a_chronic_insertion_and_its_insertions(rest: Rest, session: Session, model: ProbeModel) -> None:
    body = {
        "subject": "KS.014",
        "name": "probe00",
        "model": "3B2",
        "serial": "19051",
        "start_time": "2026-02-01T10:00:00",
    }
    answer = rest.post("chronic-insertions", body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made == {**body, "id": made["id"], "lab": "cortexlab", "json": None, "probe_insertion": []}
    again = rest.post("chronic-insertions", body)
    assert (again.status_code, again.json()) == (200, made)
    insertion = {"session": str(session.pk), "name": "probe00", "chronic_insertion": made["id"]}
    assert "serial" in rest.post("insertions", {**insertion, "serial": "19052"}).json()
    single = rest.post("insertions", insertion).json()
    assert single["serial"] == "19051"
    nested = rest.get(f"chronic-insertions/{made['id']}").json()["probe_insertion"]
    assert nested == [
        {"id": single["id"], "name": "probe00", "model": None, "serial": "19051", "session_info": info(session)}
    ]
    assert "serial" in rest.patch(f"chronic-insertions/{made['id']}", {"serial": "7"}).json()
    assert "serial" in rest.patch(f"insertions/{single['id']}", {"serial": "7"}).json()
    other = a_session(a_subject(session.lab))
    assert "chronic_insertion" in rest.post("insertions", {**insertion, "session": str(other.pk)}).json()
    for name, value in (
        ("serial", "19051"),
        ("model", "Neuropixel 3B2"),
        ("session", session.pk),
        ("probe", single["id"]),
    ):
        assert [one["id"] for one in rest.found("chronic-insertions", **{name: value})] == [made["id"]], name
    assert rest.found("chronic-insertions", model="3B2") == []
    assert len(rest.found("insertions", chronic_insertion=made["id"])) == 1
    assert rest.delete(f"chronic-insertions/{made['id']}").status_code == 204
    assert rest.found("chronic-insertions") == []


def test_an_implant_of_a_surgery_is_the_chronic_insertion(rest: Rest, session: Session) -> None:
    implant = an_implant(a_surgery(session.subject), name="probe00", narrative="by the surgeon", serial="")
    answer = rest.post("chronic-insertions", {"subject": "KS.014", "name": "probe00", "serial": "19051"})
    assert (answer.status_code, answer.json()["id"]) == (200, str(implant.pk))
    implant.refresh_from_db()
    assert (implant.serial, implant.narrative) == ("19051", "by the surgeon")
    second = rest.post("chronic-insertions", {"subject": "KS.014", "name": "probe00", "serial": "19060"})
    assert second.status_code == 201, "another serial number is another probe"
    assert Implant.objects.count() == 2
    assert "subject" in rest.post("chronic-insertions", {"subject": "nobody", "name": "p"}).json()


def test_a_chronic_trajectory_stands_alone(rest: Rest, session: Session) -> None:
    implant = an_implant(a_surgery(session.subject), name="probe00")
    body = {**PLACE, "chronic_insertion": str(implant.pk), "probe_insertion": None, "provenance": "Histology track"}
    answer = rest.post("trajectories", body)
    assert answer.status_code == 201, answer.content
    assert (answer.json()["session"], answer.json()["probe_name"]) == (None, None)
    assert rest.post("trajectories", body).status_code == 400
    assert len(rest.found("trajectories", chronic_insertion=str(implant.pk))) == 1
    assert len(rest.found("trajectories", subject="KS.014")) == 1
