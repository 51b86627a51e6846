"""`/labs` found by how their animals live."""

import pytest

from subjects.models import HousingOption, LabConditions, LightCycle, OptionKind
from tests.factories.people import a_lab, a_user
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


def test_labs_are_found_by_their_conditions_and_public_users_by_their_mark() -> None:
    kinds = {kind: HousingOption.objects.create(kind=kind, name=f"A {kind.value}") for kind in OptionKind}
    LabConditions.objects.create(
        lab=a_lab("one"),
        light_cycle=LightCycle.INVERTED,
        cleaned_every_days=7,
        **{kind.value: option for kind, option in kinds.items()},
    )
    LabConditions.objects.create(lab=a_lab("two"), light_cycle=LightCycle.NORMAL, cleaned_every_days=14)
    a_lab("three")
    rest = Rest(a_user("reader"))
    asked = {
        "light_cycle": "1",
        "cage_cleaning_frequency_days": 7,
        "cage_type": "a cage_type",
        "enrichment": str(kinds[OptionKind.ENRICHMENT].pk),
        "food": "A food",
    }
    for name, value in asked.items():
        assert [lab["name"] for lab in rest.found("labs", **{name: value})] == ["one"], name
    assert [lab["name"] for lab in rest.found("labs", light_cycle="normal")] == ["two"]
    assert rest.found("labs", food="cheese") == []
    assert rest.get("labs", light_cycle="2").status_code == 400
    a_user("public", is_public_user=True)
    assert [one["username"] for one in rest.found("users", is_public_user=True)] == ["public"]
    assert [one["username"] for one in rest.found("users", is_public_user=False)] == ["reader"]
