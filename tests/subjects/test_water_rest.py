"""Weights and water over REST, by the wire's names."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.models import ReviewFlag
from alyx.labs.models import Role
from subjects import models as m
from subjects.models import Subject, WaterAdministration, Weighing
from tests.factories.animals import a_policy, a_restriction, a_surgery, a_water, a_weighing, a_word
from tests.factories.people import a_lab, a_member
from tests.factories.records import MORNING, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db
AT = "2026-03-09T09:30:00.123456"


class House:
    """A lab with a rig and an animal."""

    def __init__(self) -> None:
        self.lab = a_lab("cortexlab")
        self.user = a_member(self.lab, Role.RIG, "rig")
        self.rest = Rest(self.user)
        self.subject = a_subject(self.lab, "M1")


@pytest.fixture
def house() -> House:
    return House()


def test_a_weighing_is_made_repeated_read_and_withdrawn(house: House) -> None:
    body = {"subject": "M1", "date_time": AT, "weight": 24.53, "user": "rig"}
    made = house.rest.post("weighings", body)
    assert made.status_code == 201
    record = made.json()
    assert record == {**body, "url": record["url"]}
    key = record["url"][-36:]
    again = house.rest.post("weighings", body)
    assert (again.status_code, again.json()) == (200, record)
    assert house.rest.get(f"weighings/{key}").json() == record
    assert house.rest.found("weighings", nickname="m1") == [record]
    assert house.rest.delete(f"weighings/{key}").status_code == 204
    assert house.rest.get(f"weighings/{key}").status_code == 404
    assert house.rest.found("weighings") == []
    assert house.rest.patch(f"weighings/{key}", {"weight": 1}).status_code == 405


def test_water_as_iblrig_sends_it(house: House) -> None:
    session = a_session(house.subject)
    body = {
        "subject": "M1", "date_time": AT, "water_administered": 0.85, "water_type": None, "user": "rig",
        "session": str(session.pk), "adlib": False,
    }  # fmt: skip
    made = house.rest.post("water-administrations", body)
    assert made.status_code == 201, made.content
    record = made.json()
    assert record == {**body, "water_type": "Water", "url": record["url"]}
    assert house.rest.post("water-administrations", body).json() == record
    key = record["url"][-36:]
    detail = house.rest.get(f"sessions/{session.pk}").json()
    assert detail["wateradmin_session_related"] == [
        {"id": key, "name": "", "water_type": "Water", "water_administered": 0.85}
    ]
    for verb, change in (("patch", {"water_administered": 0.9}), ("put", {**body, "water_administered": 0.95})):
        answer = getattr(house.rest, verb)(f"water-administrations/{key}", change)
        assert answer.status_code == 200, answer.content
        assert answer.json()["water_administered"] == change["water_administered"]
    assert house.rest.delete(f"water-administrations/{key}").status_code == 204
    assert house.rest.get(f"sessions/{session.pk}").json()["wateradmin_session_related"] == []


def test_a_bare_entry_is_now_by_the_caller(house: House) -> None:
    record = house.rest.post("weighings", {"subject": "m1", "weight": "24.5"}).json()
    assert (record["user"], record["weight"]) == ("rig", 24.5)
    assert abs(
        datetime.fromisoformat(record["date_time"]) - clock.utc_to_wall(clock.now(), "Europe/London")
    ) < timedelta(minutes=1)
    water = house.rest.post("water-administrations", {"subject": "M1", "adlib": True, "session": ""}).json()
    assert (water["adlib"], water["water_administered"], water["session"]) == (True, None, None)


@pytest.mark.parametrize("weight", [0, -1.5, 2450])
def test_a_rigs_bad_weight_is_kept_and_flagged(house: House, weight: float) -> None:
    a_weighing(house.subject, 24.0, MORNING - timedelta(days=1))
    answer = house.rest.post("weighings", {"subject": "M1", "weight": weight, "date_time": AT})
    assert answer.status_code == 201
    assert answer.json()["weight"] == weight
    assert ReviewFlag.objects.get().rule == "weight-implausible"
    assert not Weighing.objects.get(weight_g=weight).counts


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("weighings", {"weight": 24}, "subject"),
        ("weighings", {"subject": "M1"}, "weight"),
        ("weighings", {"subject": "M1", "weight": "NaN"}, "weight"),
        ("weighings", {"subject": "M1", "weight": "inf"}, "weight"),
        ("weighings", {"subject": "M9", "weight": 24}, "subject"),
        ("weighings", {"subject": "M1", "weight": 24, "user": "nobody"}, "user"),
        ("weighings", {"subject": "M1", "weight": 24, "date_time": "soon"}, "date_time"),
        ("water-administrations", {"subject": "M1", "water_administered": "nan"}, "water_administered"),
        ("water-administrations", {"subject": "M1", "water_administered": 1, "water_type": "Beer"}, "water_type"),
        ("water-administrations", {"subject": "M1", "water_administered": 1, "session": "x"}, "session"),
        (
            "water-administrations",
            {"subject": "M1", "water_administered": 1, "session": "5d6cbb4c-4f5a-4a6f-9d5f-4f6a0c5f3f10"},
            "session",
        ),
    ],
)
def test_what_is_wrong_is_named(house: House, path: str, body: dict[str, Any], field: str) -> None:
    answer = house.rest.post(path, body)
    assert answer.status_code == 400
    assert field in answer.json(), answer.json()
    assert not Weighing.objects.exists()
    assert not WaterAdministration.objects.exists()


@pytest.mark.usefixtures("open_reading")
def test_other_labs_and_readers_write_nothing(house: House) -> None:
    weighing, water = a_weighing(house.subject), a_water(house.subject)
    for user in (a_member(a_lab(), Role.HEAD), a_member(house.lab, Role.READER)):
        rest = Rest(user)
        for answer in (
            rest.post("weighings", {"subject": "M1", "weight": 24}),
            rest.post("water-administrations", {"subject": "M1", "water_administered": 1}),
            rest.patch(f"water-administrations/{water.pk}", {"water_administered": 2}),
            rest.delete(f"weighings/{weighing.pk}"),
            rest.delete(f"water-administrations/{water.pk}"),
        ):
            assert answer.status_code == 403, answer.content
        assert rest.get(f"weighings/{weighing.pk}").status_code == 200
    assert Rest().get("weighings").status_code in (401, 403)


@pytest.mark.parametrize(
    "asked",
    [
        {"subject": "m1"},
        {"nickname": "M1"},
        {"lab": "CortexLab"},
        {"user": "rig"},
        {"users": "rig"},
        {"date_range": "2026-03-09,2026-03-09"},
        {"date_time": "2026-03-09T09:30:00"},
        {"json": "scale,2"},
        {"django": "subject__nickname,M1"},
        {"django": "subject__lab__name,cortexlab,date_time__date__gte,2026-03-09"},
        {"django": "user__username__in,['rig']"},
        {"django": "json__scale,2"},
    ],
)
def test_filters_find_the_one(house: House, asked: dict[str, str]) -> None:
    for make in (a_weighing, a_water):
        make(house.subject, user=house.user, json={"scale": 2})
        make(a_subject(a_lab()), at=MORNING - timedelta(days=1))
    for path in ("weighings", "water-administrations"):
        assert [one["subject"] for one in house.rest.found(path, **asked)] == ["M1"], path


def test_filters_of_their_own(house: House) -> None:
    session, kind = a_session(house.subject), a_word(m.WaterType, "Beer")
    a_weighing(house.subject, 24.5)
    a_water(house.subject, 0.5, session_id=session.pk, water_type=kind)
    a_water(house.subject, None, adlib=True)
    found = house.rest.found
    assert len(found("weighings", weight=24.5)) == len(found("weighings", django="weight__gte,24.5")) == 1
    assert found("weighings", weight=25) == found("weighings", name="x") == found("weighings", location="x") == []
    for asked in (
        {"session": session.pk}, {"water_type": "Beer"}, {"water_administered": 0.5}, {"adlib": "False"},
        {"django": f"session,{session.pk}"}, {"django": "water_type__name,Beer"}, {"django": "adlib,False"},
    ):  # fmt: skip
        assert len(found("water-administrations", **asked)) == 1, asked
    assert house.rest.get("weighings", django="secret,1").status_code == 400
    assert house.rest.get("weighings", weight="heavy").status_code == 400
    assert house.rest.get("weighings", date_range="2026").status_code == 400


@pytest.mark.usefixtures("open_reading")
def test_restrictions_are_listed_and_filtered(house: House) -> None:
    kind = a_word(m.WaterType, "Beer")
    row = a_restriction(house.subject, end=MORNING + timedelta(days=2), water_type=kind, narrative="training")
    row.users.add(house.user)
    a_restriction(a_subject(), MORNING - timedelta(days=40), reference_weight_g=22.0)
    record = {
        "subject": "M1", "start_time": "2026-03-09T09:30:00", "end_time": "2026-03-11T09:30:00", "water_type": "Beer",
        "reference_weight": 0.0,
    }  # fmt: skip
    for asked in (
        {"subject": "m1"}, {"lab": "cortexlab"}, {"users": "rig"}, {"narrative": "train"}, {"water_type": "Beer"},
        {"date_range": "2026-03-09,2026-03-09"}, {"start_time": "2026-03-09T09:30:00"},
        {"django": "end_time__isnull,False"}, {"django": "water_type__name,Beer"},
    ):  # fmt: skip
        assert house.rest.found("water-restriction", **asked) == [record], asked
    assert len(house.rest.found("water-restriction", reference_weight=22)) == 1
    assert house.rest.found("water-restriction", procedures="Histology") == []
    assert house.rest.post("water-restriction", {}).status_code == 405


def the_male(house: House) -> Subject:
    """The animal of the golden values."""
    subject = a_subject(house.lab, "G1", sex="M", born_on=datetime(2026, 1, 1).date())
    a_surgery(subject, datetime(2026, 3, 1, 10), implant_weight_g=1.5)
    a_weighing(subject, 26.5, datetime(2026, 3, 12, 8))
    a_restriction(subject, datetime(2026, 3, 12, 9))
    a_weighing(subject, 22.5, datetime(2026, 4, 23, 9))
    a_policy(house.lab, reference_weight_pct=0.0, zscore_weight_pct=0.8)
    return subject


def test_the_water_requirement_of_each_day(house: House) -> None:
    subject = the_male(house)
    a_water(subject, 0.6, datetime(2026, 4, 23, 12), session_id=a_session(subject).pk)
    a_water(subject, 0.2, datetime(2026, 4, 23, 18))
    answer = house.rest.get("water-requirement/g1", start_date="2026-03-11", end_date="2026-04-23").json()
    assert list(answer) == ["subject", "implant_weight", "reference_weight_pct", "zscore_weight_pct", "records"]
    assert (answer["subject"], answer["implant_weight"], answer["zscore_weight_pct"]) == ("G1", 1.5, 0.8)
    assert len(answer["records"]) == 44
    first, last = answer["records"][0], answer["records"][-1]
    assert (first["date"], first["is_water_restricted"], first["percentage_weight"]) == ("2026-03-11", False, 0.0)
    numbers = {name: round(value, 3) for name, value in last.items() if isinstance(value, float)}
    assert numbers == {
        "weight": 22.5, "reference_weight": 26.5, "expected_weight": 30.859, "min_weight": 24.987,
        "percentage_weight": 71.529, "given_water_reward": 0.6, "given_water_supplement": 0.2, "given_water_total": 0.8,
        "expected_water": 1.05, "excess_water": -0.25, "implant_weight": 1.5,
    }  # fmt: skip
    assert (last["date"], last["weighing_at"], last["is_water_restricted"]) == (
        "2026-04-23", "2026-04-23T09:00:00", True,
    )  # fmt: skip


def test_the_water_requirement_by_default_begins_with_the_first_record(house: House) -> None:
    the_male(house)
    records = house.rest.get("water-requirement/G1", end_date="2026-03-14").json()["records"]
    assert [one["date"] for one in records] == ["2026-03-12", "2026-03-13", "2026-03-14"]
    assert [one["is_water_restricted"] for one in records] == [True] * 3
    (today,) = house.rest.get("water-requirement/M1").json()["records"]
    assert today["weight"] == 0.0
    dead = a_subject(house.lab, "D1", died_on=datetime(2026, 3, 10).date())
    a_weighing(dead)
    assert len(house.rest.get("water-requirement/D1").json()["records"]) == 2


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"start_date": "yesterday"}, 400, "start_date"),
        ({"end_date": "2026-02-30"}, 400, "end_date"),
        ({"start_date": "0001-01-01"}, 400, "start_date"),
    ],
)
def test_a_bad_date_is_named(house: House, asked: dict[str, str], code: int, field: str) -> None:
    answer = house.rest.get("water-requirement/M1", **asked)
    assert answer.status_code == code
    assert field in answer.json()
    assert house.rest.get("water-requirement/nobody").status_code == 404


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [("0001-01-01", "0001-01-01", 1), ("99999-01-01", "99999-01-01", 1), ("2026-03-09", "2026-03-08", 0)],
)
def test_the_ends_of_the_calendar_are_days_too(house: House, first: str, last: str, days: int) -> None:
    answer = house.rest.get("water-requirement/M1", start_date=first, end_date=last)
    assert (answer.status_code, len(answer.json()["records"])) == (200, days)


def test_restricted_animals_with_what_they_need(house: House) -> None:
    the_male(house)
    dead = a_subject(house.lab, died_on=datetime(2026, 3, 10).date())
    a_restriction(dead)
    a_restriction(a_subject(house.lab), end=MORNING)
    (record,) = house.rest.found("water-restricted-subjects")
    url = record.pop("url")
    assert url.endswith("/subjects/G1")
    assert record == {
        "nickname": "G1", "expected_water": 1.05, "remaining_water": 1.05, "reference_weight": 26.5,
        "last_water_restriction": "2026-03-12T09:00:00", "reference_weight_pct": 0.0, "zscore_weight_pct": 0.8,
    }  # fmt: skip


def test_types_of_water(house: House) -> None:
    a_word(m.WaterType, "Water")
    head = Rest(a_member(house.lab, Role.HEAD))
    assert [one["name"] for one in house.rest.found("water-type")] == ["Water"]
    assert head.post("water-type", {"name": "Water 3% Citric Acid"}).status_code == 201
    assert head.post("water-type", {"name": "Water"}).status_code == 400
    assert house.rest.post("water-type", {"name": "Beer"}).status_code == 403
    one = house.rest.get("water-type/Water 3% Citric Acid").json()
    assert (one["name"], one["json"]) == ("Water 3% Citric Acid", None)
    assert house.rest.get("water-type/Beer").status_code == 404


def test_the_cost_of_lists_does_not_grow(house: House) -> None:
    def costs() -> list[int]:
        found = []
        for path in ("weighings", "water-administrations", "water-restriction", "water-restricted-subjects"):
            with CaptureQueriesContext(connection) as captured:
                assert house.rest.found(path)
            found.append(len(captured))
        return found

    def grow() -> None:
        subject = a_subject(house.lab)
        a_weighing(subject, user=a_member(house.lab))
        a_water(subject, user=a_member(house.lab), water_type=a_word(m.WaterType))
        a_restriction(subject, water_type=a_word(m.WaterType))

    grow()
    costs()  # what is cached is cached
    before = costs()
    for _ in range(3):
        grow()
    assert costs() == before
    assert max(before) <= 8
