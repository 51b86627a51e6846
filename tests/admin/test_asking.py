"""What a person types and a rule doubts is asked back beside the field, and kept when they say that it is right."""

from typing import Any

import pytest
from django.test import Client

from alyx.core.models import ReviewFlag
from subjects.models import Subject
from tests.admin.pages import Rows, url

pytestmark = pytest.mark.django_db


def typed(rows: Rows, **more: Any) -> dict[str, Any]:
    return {
        "nickname": "KS014",
        "lab": rows.lab.pk,
        "sex": "F",
        "born_on": "2026-03-01",
        "died_on": "2026-02-01",
        "projects": [],
        "reason": "",
        "_save": "Save",
        **more,
    }


def test_a_doubtful_date_is_asked_back_and_nothing_is_saved(experimenter: Client, rows: Rows) -> None:
    answer = experimenter.post(url(Subject, "add"), typed(rows))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "died 2026-02-01, born 2026-03-01" in page
    assert 'name="confirmed"' in page
    assert 'value="KS014"' in page
    assert not Subject.objects.filter(nickname="KS014").exists()
    assert not ReviewFlag.objects.exists()


def test_what_the_person_says_is_right_is_kept_without_a_flag(experimenter: Client, rows: Rows) -> None:
    answer = experimenter.post(url(Subject, "add"), typed(rows, confirmed="on", reason="the book says so"))
    assert answer.status_code == 302, answer.content.decode()
    assert Subject.objects.filter(nickname="KS014").exists()
    assert not ReviewFlag.objects.exists()


def test_what_is_refused_cannot_be_confirmed(experimenter: Client, rows: Rows) -> None:
    answer = experimenter.post(url(Subject, "add"), typed(rows, nickname="no such/name", confirmed="on", died_on=""))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "letters, digits" in page
    assert 'name="confirmed"' not in page
