"""`/surgeries` on the wire."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core.models import ReviewFlag
from alyx.labs.models import Location, Role, User
from subjects.models import ProcedureType, Surgery
from tests.factories import a_lab, a_member, a_subject
from tests.factories.animals import a_surgery
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 9, 9, 30)


@pytest.fixture
def surgeon() -> User:
    return a_member(a_lab("cortexlab"), name="ann")


@pytest.fixture
def rest(surgeon: User) -> Rest:
    return Rest(surgeon)


@pytest.fixture
def surgery(surgeon: User) -> Surgery:
    made = a_surgery(
        a_subject(surgeon.labs.get(), "KS014"),
        START,
        outcome_type="r",
        implant_weight_g=1.5,
        narrative="all went well",
        location=Location.objects.create(name="table 1"),
        json={"b": 1, "a": 2.0},
    )
    made.users.add(surgeon)
    made.procedures.add(ProcedureType.objects.get_or_create(name="Craniotomy")[0])
    return made


def test_the_record(rest: Rest, surgery: Surgery, surgeon: User) -> None:
    record = rest.get(f"surgeries/{surgery.pk}").json()
    assert record == {
        "id": str(surgery.pk),
        "subject": "KS014",
        "name": "",
        "json": {"b": 1, "a": 2.0},
        "narrative": "all went well",
        "start_time": "2026-03-09T09:30:00",
        "end_time": "2026-03-09T10:30:00",
        "outcome_type": "r",
        "implant_weight": 1.5,
        "lab": str(surgery.lab_id),
        "location": str(surgery.location_id),
        "users": [str(surgeon.pk)],
        "procedures": [str(surgery.procedures.get().pk)],
    }
    assert rest.found("surgeries") == [record]


FINDS: list[tuple[str, str, bool]] = [
    ("subject", "ks014", True),
    ("nickname", "KS0", False),
    ("lab", "CortexLab", True),
    ("lab", "other", False),
    ("location", "table", True),
    ("users", "ann", True),
    ("users", "ann,bob", False),
    ("procedure", "cranio", True),
    ("procedures", "headplate", False),
    ("date_range", "2026-03-09,2026-03-09", True),
    ("date_range", "2026-03-10,2026-03-20", False),
    ("start_time", "2026-03-09T09:30:00", True),
    ("end_time", "2026-03-09T09:30:00", False),
    ("outcome_type", "r", True),
    ("outcome_type", "a", False),
    ("implant_weight", "1.5", True),
    ("narrative", "WENT", True),
    ("name", "x", False),
    ("json", "a__gte,2", True),
    ("django", "subject__nickname__startswith,KS,start_time__date,2026-03-09", True),
    ("django", "procedures__name,Headplate", False),
    ("django", "users__username__in,['ann']", True),
    ("unknown", "x", True),
]


@pytest.mark.parametrize(("name", "value", "is_found"), FINDS)
def test_every_filter(name: str, value: str, is_found: bool, rest: Rest, surgery: Surgery) -> None:
    assert bool(rest.found("surgeries", **{name: value})) is is_found


@pytest.mark.parametrize(
    ("name", "value"), [("date_range", "x"), ("implant_weight", "nan"), ("start_time", "noon"), ("id", "1")]
)
def test_a_filter_that_cannot_be_read_is_named(name: str, value: str, rest: Rest) -> None:
    answer = rest.get("surgeries", **{name: value})
    assert answer.status_code == 400
    assert name in answer.json()


def test_keys_find_too(rest: Rest, surgery: Surgery) -> None:
    for name in ("lab", "location"):
        assert rest.found("surgeries", **{name: str(getattr(surgery, f"{name}_id"))})
    assert rest.found("surgeries", users=str(surgery.users.get().pk), id=str(surgery.pk))


def test_only_what_is_sent_changes(rest: Rest, surgery: Surgery) -> None:
    answer = rest.patch(f"surgeries/{surgery.pk}", {"narrative": "  put right\n", "implant_weight": None})
    assert answer.status_code == 200, answer.content
    assert (answer.json()["narrative"], answer.json()["implant_weight"]) == ("  put right\n", None)
    answer = rest.put(
        f"surgeries/{surgery.pk}",
        {"subject": "ks014", "implant_weight": 0, "users": [], "procedures": [], "start_time": "2026-03-09T11:00:00Z"},
    )
    assert answer.status_code == 200, answer.content
    record = answer.json()
    assert (record["users"], record["procedures"], record["implant_weight"]) == ([], [], 0)
    assert record["start_time"] == "2026-03-09T11:00:00"
    assert record["outcome_type"] == "r"


def test_quality_is_flagged_and_never_refused(rest: Rest, surgery: Surgery) -> None:
    strange = {
        "implant_weight": -3,
        "end_time": "2001-01-01T00:00:00",
        "procedures": ["00000000-0000-0000-0000-000000000000"],
        "location": "00000000-0000-0000-0000-000000000000",
    }
    answer = rest.patch(f"surgeries/{surgery.pk}", strange)
    assert answer.status_code == 200, answer.content
    assert answer.json()["implant_weight"] == -3
    assert set(ReviewFlag.objects.values_list("rule", flat=True)) == {
        "implant-weight-implausible",
        "before-birth",
        "end-before-start",
        "unknown-procedures",
        "unknown-location",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "nobody"},
        {"users": ["00000000-0000-0000-0000-000000000000"]},
        {"lab": "00000000-0000-0000-0000-000000000000"},
        {"outcome_type": "x"},
        {"implant_weight": "heavy"},
        {"implant_weight": "NaN"},
        {"start_time": "yesterday"},
        {"procedures": ["Craniotomy"]},
    ],
)
def test_what_cannot_be_stored_or_is_nobody_is_a_400_naming_the_field(
    body: dict[str, Any], rest: Rest, surgery: Surgery
) -> None:
    answer = rest.patch(f"surgeries/{surgery.pk}", body)
    assert answer.status_code == 400
    assert set(body) <= set(answer.json())


@pytest.mark.usefixtures("open_reading")
def test_others_may_look_and_not_write(surgery: Surgery) -> None:
    for who in (a_member(a_lab()), a_member(surgery.lab, Role.READER), a_member(surgery.lab, Role.RIG)):
        assert Rest(who).get(f"surgeries/{surgery.pk}").status_code == 200
        assert Rest(who).patch(f"surgeries/{surgery.pk}", {"name": "x"}).status_code == 403
    assert Rest().get("surgeries").status_code == 403


def test_gone_and_unknown_ones_are_404(rest: Rest, surgery: Surgery) -> None:
    for key in ("x", "00000000-0000-0000-0000-000000000000"):
        assert rest.get(f"surgeries/{key}").status_code == 404
    assert rest.post("surgeries", {}).status_code == 405
    Surgery.objects.update(withdrawn_at=START.astimezone())
    assert rest.get(f"surgeries/{surgery.pk}").status_code == 404
    assert rest.found("surgeries") == []


def test_a_list_costs_the_same_for_1_and_for_30(rest: Rest, surgery: Surgery) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            rest.found("surgeries")
        return len(captured)

    cost()
    few = cost()
    for _ in range(30):
        more = a_surgery(a_subject(surgery.lab), START)
        more.users.add(surgery.users.get())
    assert cost() == few
