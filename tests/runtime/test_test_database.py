"""The database tests run on."""

import pytest
from django.db import connection, transaction

from alyx.labs.models import Lab


@pytest.mark.django_db
def test_tests_run_on_postgresql_in_a_database_of_their_own() -> None:
    assert connection.vendor == "postgresql"
    assert str(connection.settings_dict["NAME"]).startswith("test_")


@pytest.mark.django_db(transaction=True)
def test_tables_are_emptied_after_a_test_that_commits() -> None:
    assert not Lab.objects.exists()
    with transaction.atomic():
        Lab.objects.create(name="committed")


@pytest.mark.django_db(transaction=True)
def test_tables_were_emptied_after_a_test_that_commits() -> None:
    assert not Lab.objects.exists()
