"""A correction of a lab's zone moves the instants of what happened to its animals; the wall clocks stay."""

from datetime import timedelta
from typing import Any

import pytest

from alyx.core.clock import wall_to_utc
from alyx.labs.services import change_lab
from subjects import models as m
from subjects.services.zone import BATCH, instants_of
from tests.factories import animals, people, records
from tests.factories.animals import MAKERS

pytestmark = pytest.mark.django_db
TOKYO = "Asia/Tokyo"
MORNING_IN_LONDON = wall_to_utc(records.MORNING, "Europe/London")


def test_every_table_with_a_wall_clock_and_an_instant_is_known() -> None:
    known = {model for model in MAKERS if model._meta.app_label == "subjects" and instants_of(model)}
    assert {
        m.Weighing,
        m.WaterAdministration,
        m.WaterRestriction,
        m.Surgery,
        m.Stay,
        m.Housing,
        m.TimelineEntry,
    } <= known
    assert m.Subject not in known


def test_instants_follow_and_wall_clocks_stay() -> None:
    lab = people.a_lab()
    subject = records.a_subject(lab)
    surgery = animals.a_surgery(subject)
    rows: list[Any] = [
        animals.a_weighing(subject),
        animals.a_water(subject),
        animals.a_restriction(subject, end=records.MORNING + timedelta(days=3)),
        surgery,
        m.TimelineEntry.objects.create(surgery=surgery, at_wall=records.MORNING, at=MORNING_IN_LONDON, what="drill"),
        animals.a_stay(subject),
        animals.a_housing(lab),
    ]
    abroad = animals.a_weighing(subject, 20.0)
    m.Weighing.objects.filter(pk=abroad.pk).update(zone="Europe/Paris")
    elsewhere = [animals.a_weighing(), abroad]
    before: list[Any] = [row.at for row in elsewhere]
    change_lab(actor=people.a_superuser(), lab=lab, changes={"timezone": TOKYO})
    for row in rows:
        walls = {wall: getattr(row, wall) for wall in instants_of(type(row))}
        row.refresh_from_db()
        assert walls == {wall: getattr(row, wall) for wall in walls}
        for wall, at in instants_of(type(row)).items():
            clock = getattr(row, wall)
            assert getattr(row, at) == (wall_to_utc(clock, TOKYO) if clock else None), (row, at)
        assert getattr(row, "zone", TOKYO) == TOKYO
    for one, instant in zip(elsewhere, before, strict=True):
        one.refresh_from_db()
        assert one.at == instant
        assert one.zone != TOKYO


def test_more_rows_than_a_batch_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subjects.services.zone.BATCH", 2)
    subject = records.a_subject()
    for minute in range(5):
        animals.a_weighing(subject, at=records.MORNING + timedelta(minutes=minute))
    change_lab(actor=people.a_superuser(), lab=subject.lab, changes={"timezone": TOKYO})
    assert m.Weighing.objects.filter(zone=TOKYO).count() == 5
    assert BATCH > 2
