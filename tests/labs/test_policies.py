"""How a lab judges weight and water: with history, by its head, mirrored in its columns."""

from datetime import date, timedelta
from typing import Any

import pytest

from alyx.core import clock
from alyx.core.errors import Forbidden, Invalid
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, PolicyWindow, Role, WelfarePolicy
from alyx.labs.policies import mirror_policies, set_policy, today_in
from alyx.labs.services import change_lab, create_lab
from tests.factories.people import a_lab, a_member, a_superuser
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab(reference_weight_pct=0.8)


def rows(lab: Lab) -> list[tuple[Any, ...]]:
    """The lab's policies, oldest first."""
    columns = ("from_on", "reference_weight_pct", "zscore_weight_pct", "floor")
    return list(WelfarePolicy.objects.filter(lab=lab).values_list(*columns))


def test_the_first_policy_keeps_what_the_columns_said(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    today = today_in(lab)
    made = set_policy(
        actor=head, lab=lab, values={"reference_weight_pct": 0, "zscore_weight_pct": 85, "reason": "licence"}
    )
    assert rows(lab) == [(None, 0.8, 0.0, 0.75), (today, 0.0, 0.85, 0.75)]
    assert (made.decided_by, made.reason) == (head, "licence")
    lab.refresh_from_db()
    assert (lab.reference_weight_pct, lab.zscore_weight_pct) == (0.0, 0.85)


def test_the_same_day_is_changed_and_what_is_not_said_stays(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    set_policy(actor=head, lab=lab, values={"floor": 70})
    set_policy(actor=head, lab=lab, values={"zscore_weight_pct": 0.05})
    assert rows(lab)[1:] == [(today_in(lab), 0.8, 0.05, 0.7)]
    always = a_lab()
    set_policy(actor=a_superuser(), lab=always, values={"from_on": None, "reference_weight_pct": 0.85})
    assert rows(always) == [(None, 0.85, 0.0, 0.75)]


def test_a_later_policy_is_mirrored_when_its_day_comes(lab: Lab) -> None:
    tomorrow = today_in(lab) + timedelta(days=1)
    set_policy(actor=a_superuser(), lab=lab, values={"from_on": tomorrow, "reference_weight_pct": 0.9})
    lab.refresh_from_db()
    assert lab.reference_weight_pct == 0.8
    clock.set_offset(timedelta(days=1))
    assert mirror_policies() == 1
    assert mirror_policies() == 0
    lab.refresh_from_db()
    assert lab.reference_weight_pct == 0.9


def test_windows_replace_those_there_were(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    first = {"title": "first days", "first_day": 0, "last_day": 6, "reference_weight_pct": 75}
    easter = {"title": "Easter", "from_on": date(2026, 4, 3), "to_on": date(2026, 4, 6), "floor": 0.7}
    set_policy(actor=head, lab=lab, values={"windows": [first, easter]})
    assert PolicyWindow.objects.filter(reference_weight_pct=0.75, first_day=0).count() == 1
    set_policy(actor=head, lab=lab, values={"reference_weight_pct": 0.85})
    assert PolicyWindow.objects.count() == 2
    set_policy(actor=head, lab=lab, values={"windows": [easter]})
    assert list(PolicyWindow.objects.values_list("title", "floor")) == [("Easter", 0.7)]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reference_weight_pct": -1}, "reference_weight_pct"),
        ({"zscore_weight_pct": 101}, "zscore_weight_pct"),
        ({"floor": float("nan")}, "floor"),
        ({"windows": [{"title": "", "first_day": 0, "last_day": 1, "floor": 0.7}]}, "windows"),
        ({"windows": [{"title": "x", "first_day": 3, "last_day": 1, "floor": 0.7}]}, "windows"),
        ({"windows": [{"title": "x", "first_day": 0, "last_day": 1}]}, "windows"),
        ({"windows": [{"title": "x", "first_day": 0, "floor": 0.7}]}, "windows"),
        (
            {"windows": [{"title": "x", "first_day": 0, "last_day": 1, "from_on": date(2026, 1, 1), "floor": 0.7}]},
            "windows",
        ),
        ({"windows": [{"title": str(at), "first_day": 0, "last_day": 5, "floor": 0.7} for at in range(2)]}, "windows"),
    ],
)
def test_nonsense_is_refused_whole(lab: Lab, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        set_policy(actor=a_superuser(), lab=lab, values=values)
    assert field in refused.value.fields
    assert rows(lab) == []


def test_more_than_the_whole_is_flagged(lab: Lab) -> None:
    made = set_policy(actor=a_superuser(), lab=lab, values={"reference_weight_pct": 0.85, "zscore_weight_pct": 0.85})
    assert ReviewFlag.objects.get().object_id == made.pk


@pytest.mark.parametrize("role", [Role.DATA_MANAGER, Role.EXPERIMENTER, Role.RIG])
def test_the_head_decides(lab: Lab, role: Role) -> None:
    with pytest.raises(Forbidden):
        set_policy(actor=a_member(lab, role), lab=lab, values={"floor": 0.7})
    with pytest.raises(Forbidden):
        change_lab(actor=a_member(lab, role), lab=lab, changes={"reference_weight_pct": 0.1})
    assert rows(lab) == []


def test_percentages_of_a_lab_become_its_policy(lab: Lab) -> None:
    head = a_member(lab, Role.HEAD)
    changed = change_lab(actor=head, lab=lab, changes={"reference_weight_pct": 85, "institution": "UCL"})
    assert (changed.reference_weight_pct, changed.institution) == (0.85, "UCL")
    assert rows(lab) == [(None, 0.8, 0.0, 0.75), (today_in(lab), 0.85, 0.0, 0.75)]
    change_lab(actor=head, lab=lab, changes={"reference_weight_pct": 0.85, "institution": "KCL"})
    assert WelfarePolicy.objects.filter(lab=lab).count() == 2
    made = create_lab(actor=a_superuser(), values={"name": "newlab", "reference_weight_pct": 80.0})
    assert (made.reference_weight_pct, rows(made)) == (0.8, [])


def test_over_rest_a_percentage_that_is_none_is_named(lab: Lab) -> None:
    rest = Rest(a_member(lab, Role.HEAD))
    answer = rest.patch(f"labs/{lab.name}", {"zscore_weight_pct": 120})
    assert (answer.status_code, "zscore_weight_pct" in answer.json()) == (400, True)
    assert rest.patch(f"labs/{lab.name}", {"zscore_weight_pct": 0.05}).json()["zscore_weight_pct"] == 0.05
