"""Pages of culls and adverse effects."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from alyx.core import clock
from alyx.labs.models import Lab, Role, User
from subjects.models import AdverseEffect, Cull, CullMethod, CullReason, Stay, Subject
from subjects.services.death import record_cull
from subjects.services.housing import house
from tests.admin.conftest import logged_in
from tests.admin.pages import Rows, url
from tests.admin.test_writing import last_context
from tests.factories import a_member, a_subject, a_word

pytestmark = pytest.mark.django_db


def form(**said: Any) -> dict[str, Any]:
    return {
        "culled_on": "2026-03-20",
        "user": "",
        "cull_reason": "",
        "method": "",
        "reason": "",
        "description": "",
        "_save": "Save",
        **said,
    }


@pytest.fixture
def lab(rows: Rows) -> Lab:
    return rows.lab


@pytest.fixture
def kate(lab: Lab) -> User:
    return a_member(lab, Role.EXPERIMENTER)


@pytest.fixture
def page(kate: User) -> Client:
    return logged_in(kate)


@pytest.fixture
def mouse(lab: Lab, kate: User) -> Subject:
    mouse = a_subject(lab, "KS_001", responsible_user=kate)
    house(actor=kate, subjects=[mouse], cage_name="C1")
    return mouse


def test_a_cull_is_entered_with_its_words_and_today_stands_there(
    page: Client, mouse: Subject, kate: User, lab: Lab
) -> None:
    reason, method = a_word(CullReason), a_word(CullMethod)
    empty = page.get(url(Cull, "add"), {"subject": str(mouse.pk)}).context["adminform"].form
    today = clock.utc_to_wall(clock.now(), lab.timezone).date()
    assert (empty.initial["culled_on"], empty.initial["user"]) == (today, kate.pk)
    said = form(subject=mouse.pk, culled_on=str(today), user=kate.pk, description="ill", reason="asked for by the vet")
    said |= {"cull_reason": reason.pk, "method": method.pk}
    answer = page.post(url(Cull, "add"), said)
    assert answer.status_code == 302, answer.content.decode()
    cull = Cull.objects.get()
    assert (cull.method, cull.reason, cull.user, cull.description) == (method, reason, kate, "ill")
    assert last_context(cull)["reason"] == "asked for by the vet"
    mouse.refresh_from_db()
    assert mouse.died_on == today
    assert not Stay.objects.filter(ended_at__isnull=True).exists()


def test_a_doubtful_date_is_asked_back_beside_its_field(page: Client, mouse: Subject) -> None:
    said = form(subject=mouse.pk, culled_on=str(date(2025, 11, 1)))
    asked = page.post(url(Cull, "add"), said)
    assert "born 2025-11-03" in asked.content.decode()
    assert asked.context["adminform"].form.errors["culled_on"]
    assert not Cull.objects.exists()
    assert page.post(url(Cull, "add"), {**said, "confirmed": "on"}).status_code == 302
    assert Cull.objects.get().culled_on == date(2025, 11, 1)


def test_who_may_not_cull_is_told_for_whom_it_is(page: Client, lab: Lab) -> None:
    other = a_subject(lab, responsible_user=a_member(lab))
    answer = page.post(url(Cull, "add"), form(subject=other.pk)).content.decode()
    assert "that is for" in answer
    assert not Cull.objects.exists()


def test_the_date_of_a_cull_is_corrected_and_the_death_date_follows(page: Client, mouse: Subject, kate: User) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={})
    on = cull.culled_on - timedelta(days=1)
    reason = a_word(CullReason)
    answer = page.post(url(Cull, "change", cull.pk), form(culled_on=str(on), user=kate.pk, cull_reason=reason.pk))
    assert answer.status_code == 302
    mouse.refresh_from_db()
    cull.refresh_from_db()
    assert (mouse.died_on, cull.reason) == (on, reason)
    shown = page.get(url(Cull, "change", cull.pk)).context["adminform"].form
    assert shown["cull_reason"].value() == reason.pk


def test_a_cull_of_the_wrong_animal_is_undone_by_its_button(page: Client, mouse: Subject, kate: User) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={})
    answer = page.post(f"/admin/subjects/cull/{cull.pk}/do/undo/", {"reason": "it was KS_002"})
    assert answer["Location"] == url(Subject, "change", mouse.pk)
    mouse.refresh_from_db()
    assert (mouse.died_on, mouse.cage_name) == (None, "C1")
    assert not Cull.objects.exists()


def test_a_stranger_to_the_animal_undoes_nothing(lab: Lab, mouse: Subject, kate: User) -> None:
    cull = record_cull(actor=kate, subject=mouse, values={})
    colleague = logged_in(a_member(lab, Role.EXPERIMENTER))
    answer = colleague.post(f"/admin/subjects/cull/{cull.pk}/do/undo/", follow=True)
    assert "may not undo" in answer.content.decode()
    assert Cull.objects.exists()


def test_an_adverse_effect_is_entered_changed_and_withdrawn(page: Client, mouse: Subject, kate: User) -> None:
    said = {
        "subject": mouse.pk,
        "at_wall": "",
        "user": kate.pk,
        "description": "limps",
        "severity": "3",
        "action_taken": "",
        "resolved_on": "",
        "_save": "Save",
    }
    assert page.post(url(AdverseEffect, "add"), said).status_code == 302
    effect = AdverseEffect.objects.get()
    assert (effect.description, effect.severity, effect.user) == ("limps", 3, kate)
    answer = page.post(
        url(AdverseEffect, "change", effect.pk), {**said, "at_wall": "2025-01-01T08:00:00", "resolved_on": ""}
    )
    assert "before the birth" in answer.content.decode()
    answer = page.post(
        url(AdverseEffect, "change", effect.pk),
        {**said, "at_wall": "2026-03-10T08:00:00", "resolved_on": "2026-03-12"},
    )
    assert answer.status_code == 302
    effect.refresh_from_db()
    assert f"{effect.at_wall:%Y-%m-%d %H:%M}" == "2026-03-10 08:00"
    page.post(url(AdverseEffect, "changelist"), {"action": "withdraw", "_selected_action": str(effect.pk)})
    effect.refresh_from_db()
    assert effect.withdrawn_at is not None
    assert page.get(url(AdverseEffect, "change", effect.pk), follow=True).redirect_chain
