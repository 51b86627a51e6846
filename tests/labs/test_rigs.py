"""A rig is heard of with each call it makes; when it stays away, its keepers are told once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.labs import rigs
from alyx.labs.models import Delivery, Location, Notification, RigWatch, Role
from alyx.labs.tasks import sweep, tick
from tests.factories.people import a_lab, a_member, a_superuser
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


class Corner:
    """A rig of a lab, watched."""

    def __init__(self) -> None:
        self.lab = a_lab()
        self.user = a_member(self.lab, Role.RIG, "rig")
        self.rest = Rest(self.user)
        self.head = a_member(self.lab, Role.HEAD, "head", email="head@lab.org")
        self.keeper = a_member(self.lab, Role.DATA_MANAGER, "keeper")
        a_member(self.lab, Role.EXPERIMENTER, "other")
        a_member(a_lab(), Role.HEAD, "elsewhere")
        self.location = Location.objects.create(name="rig_1", lab=self.lab)
        self.watch = RigWatch.objects.create(location=self.location, user=self.user, silent_after_hours=26)

    def seen(self) -> Any:
        self.watch.refresh_from_db()
        return self.watch.last_seen_at

    def history(self) -> int:
        events: Any = self.watch
        return int(events.events.count())


@pytest.fixture
def corner() -> Corner:
    return Corner()


def later(hours: float) -> None:
    clock.set_offset(timedelta(hours=hours))
    rigs._asked.clear()


def test_changing_its_location_is_a_sign_of_life(corner: Corner) -> None:
    history = corner.history()
    assert corner.rest.patch("locations/rig_1", {"json": {"v": 1}}).status_code == 200
    first = corner.seen()
    assert first is not None
    corner.rest.patch("locations/rig_1", {"json": {"v": 2}})
    assert corner.seen() == first  # within a minute
    later(1)
    corner.rest.patch("locations/rig_1", {"json": {"v": 3}})
    assert corner.seen() > first
    assert corner.history() == history


def test_any_post_of_its_account_is_one_refused_too_and_reading_is_none(corner: Corner) -> None:
    corner.rest.get("sessions")
    assert corner.seen() is None
    assert corner.rest.post("sessions", {}).status_code == 400
    assert corner.seen() is not None
    with CaptureQueriesContext(connection) as captured:
        corner.rest.post("sessions", {})
    assert not any("labs_rigwatch" in query["sql"] for query in captured)


def test_a_pulse_that_fails_is_no_failure_of_the_call(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rigs, "_HEARD", "SELECT {column}, %s, %s FROM there_is_no_such_table")
    assert corner.rest.patch("locations/rig_1", {"json": {"v": 1}}).status_code == 200
    assert corner.seen() is None


def test_its_keepers_are_told_once_per_silence(corner: Corner) -> None:
    corner.rest.patch("locations/rig_1", {"json": {}})
    later(25)
    tick.apply().get()
    assert not Notification.objects.exists()
    later(27)
    tick.apply().get()
    tick.apply().get()
    news = Notification.objects.get()
    assert (news.kind, news.about, news.lab) == ("rig_silent", corner.location, corner.lab)
    assert "27 h ago" in news.text
    assert {row.user.username: row.state for row in Delivery.objects.all()} == {
        "head": "waiting",
        "keeper": "page_only",
    }
    later(60)
    tick.apply().get()
    assert Notification.objects.count() == 1
    corner.rest.patch("locations/rig_1", {"json": {}})
    tick.apply().get()
    assert Notification.objects.count() == 1
    later(90)
    tick.apply().get()
    assert Notification.objects.count() == 2


def test_a_rig_that_was_never_heard_of_counts_from_its_watch_and_unwatched_ones_do_not(corner: Corner) -> None:
    RigWatch.objects.update(is_watched=False)
    later(27)
    assert rigs.raise_alarms() == 0
    RigWatch.objects.update(is_watched=True)
    assert rigs.raise_alarms() == 1
    assert "never heard of" in Notification.objects.get().text


def test_a_rig_of_no_lab_concerns_the_superusers(corner: Corner) -> None:
    a_superuser("root")
    Location.objects.update(lab=None)
    later(27)
    assert rigs.raise_alarms() == 1
    assert [row.user.username for row in Delivery.objects.all()] == ["root"]


@pytest.mark.usefixtures("open_reading")
def test_the_page_says_how_it_stands(corner: Corner, client: Any) -> None:
    later(27)
    rigs.raise_alarms()
    client.force_login(corner.keeper)
    page = client.get("/admin/labs/rigwatch/")
    assert page.status_code == 200
    assert "silent, told" in page.content.decode()
    row = f"/admin/labs/rigwatch/{corner.watch.pk}/change/"
    said = {"location": corner.location.pk, "user": corner.user.pk, "silent_after_hours": 50, "is_watched": "on"}
    assert client.post(row, said).status_code == 302
    corner.watch.refresh_from_db()
    assert corner.watch.silent_after_hours == 50
    client.force_login(a_member(a_lab(), Role.HEAD))
    assert client.post(row, {**said, "silent_after_hours": 60}).status_code == 403


def test_the_timetable_sweeps_answers() -> None:
    from alyx.celery import TIMETABLE

    assert "labs.tasks.sweep" in {task for _, task in TIMETABLE.values()}
    sweep.apply().get()
