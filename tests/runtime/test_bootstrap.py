"""`manage.py bootstrap`: nobody gets in by default."""

from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

PASSWORD = "a long word for tests"


@pytest.fixture(autouse=True)
def static_files_elsewhere(settings: Any, tmp_path: Any) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.mark.django_db
def test_without_a_password_no_account_is_made_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ALYX_ADMIN_PASSWORD", raising=False)
    call_command("bootstrap")
    assert not get_user_model().objects.filter(is_superuser=True).exists()
    assert "ALYX_ADMIN_PASSWORD" in capsys.readouterr().err


@pytest.mark.django_db
def test_bootstrap_twice_makes_one_admin_with_the_password_given_last(monkeypatch: pytest.MonkeyPatch) -> None:
    for password in (PASSWORD, PASSWORD, PASSWORD + "2"):
        monkeypatch.setenv("ALYX_ADMIN_PASSWORD", password)
        call_command("bootstrap")
        assert authenticate(username="admin", password=password)
    admin = get_user_model().objects.get(username="admin")
    assert admin.is_superuser
    assert admin.is_staff
    assert not authenticate(username="admin", password=PASSWORD)


@pytest.mark.django_db
def test_bootstrap_without_a_password_leaves_the_admin_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALYX_ADMIN_PASSWORD", PASSWORD)
    call_command("bootstrap")
    monkeypatch.delenv("ALYX_ADMIN_PASSWORD")
    call_command("bootstrap")
    assert authenticate(username="admin", password=PASSWORD)
