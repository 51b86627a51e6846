"""Every test runs on PostgreSQL: the one of DATABASE_URL, else this instance's private one, each worker in its own database."""

import os
from collections.abc import Iterator
from typing import Any

import dj_database_url
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import DjangoDbBlocker
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from alyx.celery import app
from alyx.runtime import ensure_database


def empty_what_has_rows(self: DatabaseOperations, style: Any, tables: Any, **_: Any) -> list[str]:
    """Statements that empty the tables: a test that commits fills a few of two hundred, and TRUNCATE costs by the table.

    Foreign keys are checked at the end, when all is empty; the guards and the audit look away.
    """
    quoted = [self.quote_name(table) for table in tables]
    if not quoted:
        return []
    asked = " UNION ALL ".join(
        f"SELECT {number} WHERE EXISTS (SELECT FROM {name})" for number, name in enumerate(quoted)
    )
    with self.connection.cursor() as cursor:
        cursor.execute(asked)
        filled = [quoted[number] for (number,) in cursor.fetchall()]
    return [
        *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in filled),
        *(f"DELETE FROM {name}" for name in filled),
        "SET CONSTRAINTS ALL IMMEDIATE",
        *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in filled),
    ]


TEST_OPTIONS = "-c alyx.allow_truncate=on -c synchronous_commit=off"
"""The audit guard refuses TRUNCATE, by which Django empties tables after a test that commits. No test pulls the plug."""

SHARING = ("tests/clients/", "tests/journeys/bench/", "tests/journeys/")
"""Folders that share what takes long to make (a served instance, a lab of weeks, a browser): all of one to one worker."""

LONG = (
    *SHARING,
    *("tests/admin/test_pages_open", "tests/contracts/", "tests/model/", "tests/kill/", "tests/runtime/"),
    *("tests/concurrency/", "tests/imports/", "tests/outbox/", "tests/backends/"),
)
"""What begins first, so that no worker is left with something long at the end."""

WHOLE = os.environ.get("ALYX_WHOLE", "")
"""What `make test-faults` sets: another order, and what the tests counted is told together at the end."""
LONG_FAULTS = (
    *("tests/soak/test_soak", "tests/wire/test_s3", "tests/wire/test_postgres", "tests/model/test_evidence"),
    *("tests/kill/test_matrix", "tests/globus/test_killed_night", "tests/soak/test_rows", "tests/wire/test_redis"),
)
"""The soak has a worker for itself: behind it waits only what is over at once."""
SINGLY = "tests/model/test_protocol"
"""Tests that share nothing and compute for long: one by one to whoever is free."""


def use_database() -> None:
    """Point Django at the database: pytest-django has read the settings before any conftest could start one."""
    ensure_database()
    known = connections["default"].settings_dict
    found = dj_database_url.parse(os.environ["DATABASE_URL"], conn_health_checks=True)  # as in the settings
    options = {
        **known["OPTIONS"],
        **found.pop("OPTIONS", {}),
        "options": f"{known['OPTIONS'].get('options', '')} {TEST_OPTIONS}",
    }
    known.update({**found, "OPTIONS": options})


def use_test_settings() -> None:
    """What differs from an instance, in the test process only; served instances and workers are as they will be."""
    DatabaseOperations.sql_flush = empty_what_has_rows  # type: ignore[assignment]
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
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture(autouse=True)
def the_present(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A test that commits may have moved the clock for all processes: the next one begins in the present."""
    yield
    mark = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (mark and mark.kwargs.get("transaction")):
        with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
            cursor.execute("UPDATE alyx_clock SET shift = '0' WHERE shift <> '0'")


@pytest.fixture
def open_reading(settings: Any) -> None:
    """Every user reads every lab's records, as IBL runs it."""
    settings.ALYX_OPEN_READING = True


def pytest_configure(config: pytest.Config) -> None:
    """Our own marks."""
    config.addinivalue_line("markers", "embedded: tries the embedded servers themselves")
    config.addinivalue_line("markers", "faults: long: by `make test-faults`, not by `make test`")
    config.addinivalue_line("markers", "once: the same on every PostgreSQL, and long: every page, every hostile body")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, else as they were."""
    order = LONG_FAULTS if WHOLE else LONG
    items.sort(key=lambda item: next((place for place, long in enumerate(order) if item.nodeid.startswith(long)), 99))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests counted: cases, kills, faults, histories."""
    if not WHOLE:
        return
    told = [line for report in terminalreporter.getreports("passed") for line in report.capstdout.splitlines()]
    terminalreporter.section("what was counted")
    for line in filter(str.strip, told):
        terminalreporter.write_line(line)


class BySharing(LoadScopeScheduling):  # type: ignore[misc]
    """A worker gets a file, or a whole folder that shares."""

    def _split_scope(self, nodeid: str) -> str:
        if WHOLE and nodeid.startswith(SINGLY):
            return nodeid
        return next((folder for folder in SHARING if nodeid.startswith(folder)), nodeid.split("::", maxsplit=1)[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BySharing:
    """For `-n`."""
    return BySharing(config, log)


use_database()
use_test_settings()
