"""System checks of the settings: each mistake is named with the way to mend it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from alyx.runtime.instance import Instance

pytestmark = pytest.mark.django_db

SAFE = {"ALLOWED_HOSTS": ["127.0.0.1"], "DEBUG": False, "BEHIND_HTTPS": False, "THROTTLE": True}


def found() -> set[str]:
    ours = [message for message in run_checks() if str(message.id).startswith("alyx.")]
    assert all(message.hint for message in ours)
    return {str(message.id) for message in ours}


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ({}, set()),
        ({"SECRET_KEY": "short"}, {"alyx.E010"}),
        ({"ALLOWED_HOSTS": ["*"], "BEHIND_HTTPS": True}, {"alyx.E020"}),
        ({"ALLOWED_HOSTS": ["lab.org"], "BEHIND_HTTPS": True, "DEBUG": True}, {"alyx.E021"}),
        ({"ALLOWED_HOSTS": ["lab.org"]}, {"alyx.W022"}),
        ({"ALLOWED_HOSTS": ["lab.org"], "BEHIND_HTTPS": True}, set()),
        ({"ALYX_MAX_BODY_BYTES": 1000}, {"alyx.W030"}),
        ({"ALLOWED_HOSTS": ["lab.org"], "BEHIND_HTTPS": True, "THROTTLE": False}, {"alyx.W031"}),
    ],
)
def test_mistake_in_the_settings_is_named(settings: Any, mistake: dict[str, Any], expected: set[str]) -> None:
    for name, value in {**SAFE, **mistake}.items():
        setattr(settings, name, value)
    assert found() == expected


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ({"ENGINE": "django.db.backends.sqlite3"}, "alyx.E001"),
        ({"OPTIONS": {"server_side_binding": True}}, "alyx.E002"),
    ],
)
def test_other_database_or_binding_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, mistake: dict[str, Any], expected: str
) -> None:
    for name, value in mistake.items():
        monkeypatch.setitem(settings.DATABASES["default"], name, value)
    assert expected in found()


def test_secret_key_that_others_can_read_is_named(settings: Any, tmp_path: Path) -> None:
    settings.INSTANCE = Instance(tmp_path)
    settings.INSTANCE.secret_key()
    assert "alyx.E011" not in found()
    settings.INSTANCE.path("secret_key").chmod(0o644)
    assert "alyx.E011" in found()
