"""People who look at the pages."""

import pytest
from django.test import Client

from alyx.labs.models import Role, User
from tests.admin.pages import Rows
from tests.factories import a_member, a_superuser


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
