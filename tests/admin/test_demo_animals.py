"""The demo's animals: made by the services without a doubt, and every page of them opens."""

import pytest
from django.core.management import call_command
from django.test import Client

from alyx.core import clock
from alyx.core.models import ReviewFlag
from alyx.labs.models import Notification
from alyx.labs.services import create_lab
from subjects.models import BreedingPair, Housing, Line, Litter, Subject, Surgery, WaterRestriction, Weighing
from subjects.queries.water import welfare_today
from tests.admin.conftest import logged_in
from tests.admin.pages import url
from tests.factories import a_superuser
from transfers.management.demo_animals import make_animals

pytestmark = pytest.mark.django_db


def test_a_newcomer_sees_living_pages() -> None:
    call_command("load_vocabularies", verbosity=0)
    actor = a_superuser("admin")
    lab = create_lab(actor=actor, values={"name": "demolab", "timezone": "Europe/London"})
    for _ in range(2):
        make_animals(actor, lab)
    assert Subject.objects.count() == 8
    assert not ReviewFlag.objects.exists()
    assert Notification.objects.filter(kind="underweight").exists()
    assert Housing.objects.filter(ended_at__isnull=True).count() == 4
    mouse = WaterRestriction.objects.get().subject
    assert Weighing.objects.filter(subject=mouse, at__lte=clock.now()).count() == 15
    day = welfare_today([mouse])[mouse.pk]
    assert (day.is_restricted, day.reference_g) == (True, 25.4)
    assert day.percentage is not None
    assert day.percentage < 85
    client: Client = logged_in(actor)
    models = (Line, BreedingPair, Litter, Subject, Housing, Surgery, WaterRestriction, Weighing)
    for row in (model.objects.first() for model in models):
        assert row is not None
        assert client.get(url(type(row), "change", row.pk)).status_code == 200, row
        assert client.get(url(type(row), "changelist"), {"e": "1"}).status_code == 200, row
