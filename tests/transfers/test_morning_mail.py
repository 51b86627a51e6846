"""The morning's mail: to each lab at its own seven o'clock, once, also when all is well; and what notices that it was not sent."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from alyx.core import clock
from alyx.labs.models import Delivery, Lab, Notification, NotificationKind, Role
from tests.factories.engine import a_window, an_item
from tests.factories.people import a_lab, a_member, a_superuser
from tests.factories.records import a_dataset, a_repository, a_session, a_subject
from transfers.models import Pulse
from transfers.services import alarms, morning
from transfers.services.pulses import beat
from transfers.services.windows import close_windows, open_windows

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    """In Paris, with a night behind it."""
    lab = a_lab("parislab", timezone="Europe/Paris")
    here = a_repository(lab, timezone="Europe/Paris", canary=uuid4())
    a_repository(lab, role="central", timezone="Europe/Paris", canary=uuid4())
    a_member(lab, Role.DATA_MANAGER, "manager", email="manager@lab.test")
    start = clock.now() - timedelta(days=2)
    a_window(here, starts_at=start, ends_at=start + timedelta(hours=6), local_date=start.date())
    return lab


def at(lab: Lab, hour: int, minute: int = 0) -> None:
    """Move the clock to this time of tomorrow in the lab."""
    clock.set_offset(timedelta(0))
    now = clock.now()
    day = now.astimezone(ZoneInfo(lab.timezone)).date() + timedelta(days=1)
    wanted = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(lab.timezone))
    clock.set_offset(wanted.astimezone(UTC) - now - timedelta(hours=4))
    open_windows()
    clock.advance(timedelta(hours=4))
    close_windows()


def reports() -> list[Notification]:
    return list(Notification.objects.filter(kind=NotificationKind.NIGHT_REPORT))


def test_it_is_sent_at_seven_of_the_lab_once_and_also_when_all_is_well(lab: Lab) -> None:
    at(lab, 6, 59)
    assert morning.tick() == 0
    at(lab, 7, 1)
    assert [morning.tick(), morning.tick()] == [1, 0]
    (news,) = reports()
    assert "nothing was to be brought" in news.title
    assert "Nothing waits for a person." in news.text
    assert [row.user.username for row in news.deliveries.all()] == ["manager"]
    clock.advance(timedelta(days=1))
    assert morning.tick() == 1


def test_it_says_what_the_page_says(lab: Lab) -> None:
    dataset = a_dataset(a_session(a_subject(lab, "M1")))
    item = an_item("needs_human", dataset=dataset, last_error_code="source_vanished", last_error="It is gone.")
    at(lab, 7, 1)
    morning.tick()
    (news,) = reports()
    assert "1 thing needs you" in news.title
    assert "What must be done" in news.text
    assert "file gone from" in news.text
    assert item.source.relative_path in news.text


def test_each_lab_has_its_own_morning(lab: Lab) -> None:
    other = a_lab("tokyolab", timezone="Asia/Tokyo")
    a_repository(other)
    at(lab, 7, 1)  # 15:01 in Tokyo
    assert morning.tick() == 2
    assert {news.lab for news in reports()} == {lab, other}


def test_an_overdue_mail_raises_one_alarm(lab: Lab) -> None:
    a_superuser("ada")
    at(lab, 7, 10)
    assert [alarm.code for alarm in alarms.alarms()] == []
    at(lab, 7, 20)
    assert [alarm.code for alarm in alarms.raise_alarms()] == ["mail"]
    alarms.raise_alarms()
    told = Delivery.objects.filter(notification__kind=NotificationKind.ALARM).values_list("user__username", flat=True)
    assert sorted(told) == ["ada", "manager"]
    morning.tick()
    assert alarms.alarms() == []


def test_a_tick_that_stopped_is_noticed_and_told_by_healthz(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from alyx import health

    beat("tick")
    beat("morning")
    assert "tick" not in [alarm.code for alarm in alarms.alarms()]
    Pulse.objects.filter(name="tick").update(at=clock.now() - timedelta(minutes=6))
    assert "tick" in [alarm.code for alarm in alarms.alarms()]
    assert alarms.alarms(since=clock.now()) == [], "a server that just started has some minutes"
    monkeypatch.setattr(health, "_STARTED", health._STARTED - 3600)
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["tick"]) == (503, "not heard")
