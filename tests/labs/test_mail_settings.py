"""Mistakes in the mail settings are named, each with the way to mend it."""

from typing import Any

import pytest

from alyx import checks

FILES = "django.core.mail.backends.filebased.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def list_of_mistakes() -> Any:
    found: Any = checks.mail
    return found()


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ({}, set()),
        ({"EMAIL_HOST": ""}, set()),
        ({"EMAIL_HOST": "", "EMAIL_BACKEND": SMTP}, {"alyx.E041"}),
        ({"ALYX_SMTP_TLS": "ssl"}, {"alyx.E040"}),
        ({"ALYX_SMTP_TLS": "off"}, {"alyx.E042"}),
        ({"EMAIL_HOST_USER": ""}, {"alyx.E043"}),
        ({"DEFAULT_FROM_EMAIL": "notebook@localhost"}, {"alyx.W044"}),
        ({"ALYX_URL": ""}, {"alyx.W045"}),
        ({"EMAIL_TIMEOUT": 100}, {"alyx.W046"}),
    ],
)
def test_mistakes_in_the_mail_settings_are_named(settings: Any, mistake: dict[str, Any], expected: set[str]) -> None:
    whole = {"EMAIL_BACKEND": FILES, "EMAIL_HOST": "smtp.lab.org", "ALYX_SMTP_TLS": "starttls", "EMAIL_TIMEOUT": 20,
             "EMAIL_HOST_USER": "notes", "EMAIL_HOST_PASSWORD": "secret", "DEFAULT_FROM_EMAIL": "notes@lab.org",
             "ALYX_URL": "https://alyx.lab.org"}  # fmt: skip
    for name, value in {**whole, **mistake}.items():
        setattr(settings, name, value)
    assert {message.id for message in list_of_mistakes()} == expected
