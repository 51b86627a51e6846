"""Every test runs on PostgreSQL: the one of DATABASE_URL, else this instance's private one, each worker in its own database."""

import os

import dj_database_url
import pytest
from django.conf import settings as django_settings
from django.conf import settings as project
from django.db import connections

from alyx.celery import app
from alyx.runtime import ensure_database

ALLOW_TRUNCATE = "-c alyx.allow_truncate=on"
"""The audit guard refuses TRUNCATE, by which Django empties tables after a test that commits."""


def use_database() -> None:
    """Point Django at the database: pytest-django has read the settings before any conftest could start one."""
    ensure_database()
    settings = connections["default"].settings_dict
    found = dj_database_url.parse(os.environ["DATABASE_URL"])
    options = {**settings["OPTIONS"], **found.pop("OPTIONS", {}), "options": ALLOW_TRUNCATE}
    settings.update({**found, "OPTIONS": options})


def pytest_configure(config: pytest.Config) -> None:
    """One more mark."""
    config.addinivalue_line("markers", "embedded: tries the embedded servers themselves")


use_database()
django_settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns about a folder that is missing
django_settings.STORAGES = {  # nothing is collected in the test process; served instances do, and have hashed names
    **django_settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Messages sent inside the test process go nowhere; served instances and workers have real brokers.
app.conf.update(broker_url="memory://")
project.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a real one costs half a second a user
