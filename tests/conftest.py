"""Every test runs on PostgreSQL: the one of DATABASE_URL, else this instance's private one, each worker in its own database."""

import os
from collections.abc import Iterator

import dj_database_url
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connections
from pytest_django import DjangoDbBlocker

from alyx.celery import app
from alyx.runtime import ensure_database

ALLOW_TRUNCATE = "-c alyx.allow_truncate=on"
"""The audit guard refuses TRUNCATE, by which Django empties tables after a test that commits."""


def use_database() -> None:
    """Point Django at the database: pytest-django has read the settings before any conftest could start one."""
    ensure_database()
    known = connections["default"].settings_dict
    found = dj_database_url.parse(os.environ["DATABASE_URL"], conn_health_checks=True)  # as in the settings
    options = {
        **known["OPTIONS"],
        **found.pop("OPTIONS", {}),
        "options": f"{known['OPTIONS'].get('options', '')} {ALLOW_TRUNCATE}",
    }
    known.update({**found, "OPTIONS": options})


def use_test_settings() -> None:
    """What differs from an instance, in the test process only; served instances and workers are as they will be."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns about a folder that is missing
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # nothing is collected here
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher"
    ]  # a real one costs half a second a user
    caches.settings["logins"] = caches.settings["default"]  # one `cache.clear()` forgets all
    app.conf.update(broker_url="memory://")  # messages go nowhere


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's, which at the end cannot drop a database that a thread of a test server still holds."""
    yield
    with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def pytest_configure(config: pytest.Config) -> None:
    """One more mark."""
    config.addinivalue_line("markers", "embedded: tries the embedded servers themselves")


use_database()
use_test_settings()
