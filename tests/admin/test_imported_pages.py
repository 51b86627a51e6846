"""The pages with a real lab's data behind them: lists cost what they cost with five rows, and each page opens."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from subjects.models import Subject, WaterRestriction
from tests.admin.conftest import logged_in
from tests.admin.pages import PAGES, url
from tests.factories import a_superuser
from tests.imports.dumps import REAL, take

pytestmark = [pytest.mark.django_db, pytest.mark.once]
QUERIES_AT_MOST = 15
SAMPLE = 4


@pytest.fixture(scope="module")
def everyone(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Client]:
    """A superuser, with the real dump taken in once for all tests."""
    with django_db_blocker.unblock(), transaction.atomic():
        take(REAL)
        yield logged_in(a_superuser())
        transaction.set_rollback(True)


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_every_list_opens_and_costs_little(everyone: Client, model: type[Model]) -> None:
    everyone.get(url(model, "changelist"))  # what is remembered is known by now
    with CaptureQueriesContext(connection) as captured:
        assert everyone.get(url(model, "changelist")).status_code == 200
    assert len(captured) <= QUERIES_AT_MOST


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_pages_of_records_open(everyone: Client, model: type[Model]) -> None:
    rows: Any = model._default_manager.order_by("pk")
    for key in rows.values_list("pk", flat=True)[:2]:
        assert everyone.get(url(model, "change", key)).status_code == 200, key


def animals() -> set[Any]:
    """Those with something odd, and some others."""
    odd = {"born_on": None, "litter": None, "line": None}
    found = {key for name in odd for key in Subject.objects.filter(**{name: None}).values_list("pk", flat=True)[:2]}
    found |= set(WaterRestriction.objects.values_list("subject_id", flat=True)[:SAMPLE])
    found |= set(Subject.objects.exclude(surgery=None).values_list("pk", flat=True)[:SAMPLE])
    found |= set(Subject.objects.filter(died_on__lt=F("born_on")).values_list("pk", flat=True))
    return found


@pytest.mark.parametrize("page", ["change", "history", "water"])
def test_pages_of_animals_open(everyone: Client, page: str) -> None:
    chosen = animals()
    assert len(chosen) > SAMPLE
    for key in chosen:
        change = url(Subject, "change", key)
        address = change.replace("/change/", "/water/") if page == "water" else url(Subject, page, key)
        assert everyone.get(address).status_code == 200, key
