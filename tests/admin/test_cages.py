"""The cage pages: move in and out and change conditions on one page; licences and the usual conditions of a lab."""

from typing import Any

import pytest
from django.test import Client

from alyx.labs.models import Lab, Role, User
from subjects.models import Housing, HousingOption, LabConditions, Licence, Stay, Subject
from subjects.services.housing import house
from tests.admin.conftest import logged_in
from tests.admin.pages import Rows, url
from tests.factories import a_lab, a_member, a_subject

pytestmark = pytest.mark.django_db


def form(**said: Any) -> dict[str, Any]:
    return {"scanned": "", "at": "", "light_cycle": "", "cleaned_every_days": "", "reason": "", "_save": "Save", **said}


@pytest.fixture
def lab(rows: Rows) -> Lab:
    return rows.lab


@pytest.fixture
def kate(lab: Lab) -> User:
    return a_member(lab, Role.EXPERIMENTER)


@pytest.fixture
def page(kate: User) -> Client:
    return logged_in(kate)


def living(cage: str) -> set[str]:
    open_stays = Stay.objects.filter(housing__cage_name=cage, ended_at__isnull=True)
    return set(open_stays.values_list("subject__nickname", flat=True))


def test_a_cage_is_opened_with_animals_chosen_and_scanned(page: Client, lab: Lab) -> None:
    one = a_subject(lab, "KS_001")
    a_subject(lab, "KS_002")
    said = form(cage_name="C1", lab=lab.pk, animals=[one.pk], scanned="ks_002\n", at="2026-03-09T08:30")
    answer = page.post(url(Housing, "add"), said)
    housing = Housing.objects.get()
    assert answer["Location"] == url(Housing, "change", housing.pk)
    assert living("C1") == {"KS_001", "KS_002"}
    assert str(housing.started_wall) == "2026-03-09 08:30:00"
    shown = page.get(answer["Location"]).content.decode()
    assert "KS_001" in shown
    assert "2026-03-09 08:30" in shown


def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_saved(page: Client, lab: Lab) -> None:
    stranger = a_subject(a_lab(), "FAR_1")
    a_subject(lab, "KS_001")
    for said, sentence in (
        ({}, "say which animals"),
        ({"scanned": "KS_01"}, "no animal named ks_01; nearest: KS_001"),
        ({"animals": [stranger.pk]}, "animals of other labs"),
        ({"scanned": "KS_001", "cage_name": " "}, "required"),
    ):
        answer = page.post(url(Housing, "add"), form(**{"cage_name": "C1", "lab": lab.pk, **said}))
        assert sentence in answer.content.decode(), said
        assert "Cleaned every … days" in answer.content.decode(), "labels outlast a refusal"
    assert not Housing.objects.exists()


def test_an_animal_that_lives_elsewhere_is_asked_back_and_moved_when_it_is_right(
    page: Client, kate: User, lab: Lab
) -> None:
    one, other = a_subject(lab, "KS_001"), a_subject(lab, "KS_002")
    house(actor=kate, subjects=[one], cage_name="C1")
    target = house(actor=kate, subjects=[other], cage_name="C2")
    address, said = url(Housing, "change", target.pk), form(scanned="KS_001")
    asked = page.post(address, said).content.decode()
    assert "this moves KS_001 from cage C1" in asked
    assert 'name="confirmed"' in asked
    assert living("C1") == {"KS_001"}
    assert page.post(address, {**said, "confirmed": "on"}).status_code == 302
    assert living("C2") == {"KS_001", "KS_002"}
    assert not Housing.objects.filter(cage_name="C1", ended_at__isnull=True).exists()


def test_in_out_and_other_conditions_are_one_save(page: Client, kate: User, lab: Lab) -> None:
    tunnel = HousingOption.objects.create(kind="enrichment", name="tunnel")
    one, new = a_subject(lab, "KS_001"), a_subject(lab, "KS_002")
    old = house(actor=kate, subjects=[one], cage_name="C1")
    said = form(animals=[new.pk], leaving=[one.pk], enrichment=tunnel.pk, light_cycle="inverted")
    answer = page.post(url(Housing, "change", old.pk), said)
    now = Housing.objects.get(ended_at__isnull=True)
    assert answer["Location"] == url(Housing, "change", now.pk)
    assert (now.enrichment, now.light_cycle, living("C1")) == (tunnel, "inverted", {"KS_002"})
    one.refresh_from_db()
    assert one.cage_name == ""
    past = page.get(url(Housing, "change", old.pk)).content.decode()
    assert "as it is now" in past
    assert 'name="_save"' not in past


def test_only_those_who_live_there_can_leave(page: Client, kate: User, lab: Lab) -> None:
    housing = house(actor=kate, subjects=[a_subject(lab)], cage_name="C1")
    elsewhere = a_subject(lab)
    house(actor=kate, subjects=[elsewhere], cage_name="C2")
    assert page.post(url(Housing, "change", housing.pk), form(leaving=[elsewhere.pk])).status_code == 200
    assert living("C2") == {elsewhere.nickname}


@pytest.mark.usefixtures("open_reading")
def test_the_list_shows_open_cages_of_my_labs_and_finds_them_by_animal(page: Client, kate: User, lab: Lab) -> None:
    one = a_subject(lab, "KS_001")
    house(actor=kate, subjects=[one], cage_name="OLD")
    house(actor=kate, subjects=[one, a_subject(lab)], cage_name="MINE")
    far = a_lab()
    house(actor=a_member(far), subjects=[a_subject(far)], cage_name="FAR")

    def found(**query: str) -> set[str]:
        rows = page.get(url(Housing, "changelist"), {"e": "1", **query}).context["cl"].result_list
        return {row.cage_name for row in rows}

    assert found() == {"MINE"}
    assert found(q="ks_001") == {"MINE"}
    assert found(q="nobody") == set()
    assert found(cages="past") == {"OLD"}
    assert found(of_lab="all") == {"MINE", "FAR"}
    assert found(of_lab=str(far.pk)) == {"FAR"}
    assert found(of_lab="rubbish") == set()


def test_the_usual_conditions_of_a_lab_are_its_managers(page: Client, lab: Lab) -> None:
    food = HousingOption.objects.create(kind="food", name="pellets")
    said = {"lab": lab.pk, "food": food.pk, "cleaned_every_days": "7", "light_cycle": "normal", "_save": "Save"}
    assert page.post(url(LabConditions, "add"), said).status_code == 403
    head = logged_in(a_member(lab, Role.HEAD))
    assert head.post(url(LabConditions, "add"), said).status_code == 302
    known = LabConditions.objects.get()
    assert (known.food, known.cleaned_every_days) == (food, 7)
    said = {"food": "", "cleaned_every_days": "7", "light_cycle": "normal", "_save": "Save"}
    assert head.post(url(LabConditions, "change", known.pk), said).status_code == 302
    known.refresh_from_db()
    assert known.food is None


def test_a_food_is_no_cage_type(page: Client, kate: User, lab: Lab) -> None:
    food = HousingOption.objects.create(kind="food", name="pellets")
    housing = house(actor=kate, subjects=[a_subject(lab)], cage_name="C1")
    assert page.post(url(Housing, "change", housing.pk), form(cage_type=food.pk)).status_code == 200
    assert Housing.objects.get().cage_type is None


def licence(lab: Lab, **said: str) -> dict[str, Any]:
    return {
        "number": "PPL 1",
        "lab": lab.pk,
        "title": "",
        "from_on": "2026-01-01",
        "to_on": "",
        "_save": "Save",
        **said,
    }


@pytest.mark.usefixtures("open_reading")
def test_licences_are_entered_by_managers_once_and_end_after_they_begin(page: Client, lab: Lab) -> None:
    head = logged_in(a_member(lab, Role.HEAD))
    assert page.post(url(Licence, "add"), licence(lab)).status_code == 403
    ends_before = head.post(url(Licence, "add"), licence(lab, to_on="2025-01-01")).content.decode()
    assert "before it begins" in ends_before
    assert not Licence.objects.exists()
    assert head.post(url(Licence, "add"), licence(lab)).status_code == 302
    again = head.post(url(Licence, "add"), licence(lab)).content.decode()
    assert "already" in again
    row = Licence.objects.get()
    assert head.post(url(Licence, "change", row.pk), licence(lab, title="vision")).status_code == 302
    row.refresh_from_db()
    assert row.title == "vision"
    stranger = logged_in(a_member(a_lab(), Role.HEAD))
    assert stranger.post(url(Licence, "change", row.pk), licence(lab, title="mine")).status_code == 403


def test_every_page_of_many_animals_costs_the_same(page: Client, kate: User, lab: Lab) -> None:
    from tests.admin.test_pages_open import queries_of

    def costs(name: str, count: int) -> int:
        some = [a_subject(lab) for _ in range(count)]
        housing = house(actor=kate, subjects=some, cage_name=name)
        assert Subject.objects.filter(cage_name=name).count() == count
        return queries_of(page, url(Housing, "change", housing.pk))

    assert costs("C1", 2) == costs("C2", 20)
