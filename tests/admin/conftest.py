"""People who look at the pages."""

from pathlib import Path

import pytest
from django.test import Client

from alyx.labs.models import Role, User
from tests.admin.pages import Rows
from tests.factories import a_member, a_superuser

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pages are the same on every PostgreSQL; only logins are counted in the cache, which may be Redis."""
    for item in items:
        if item.path.parent == HERE and item.path.name != "test_around.py":
            item.add_marker(pytest.mark.once)


def logged_in(user: User) -> Client:
    """A browser in which this person is logged in, arriving from nowhere."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def rows(db: None) -> Rows:
    """Rows of every kind in one lab."""
    return Rows()


@pytest.fixture
def root(db: None) -> Client:
    """A superuser."""
    return logged_in(a_superuser())


@pytest.fixture
def experimenter(rows: Rows) -> Client:
    """A member of the lab who records."""
    return logged_in(a_member(rows.lab, Role.EXPERIMENTER))
