"""The services tell in the transaction of what they write: both are there, or neither is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model

from alyx.core import clock
from alyx.labs.models import Delivery, Lab, Notification, Role, User
from sessions.models import Session
from sessions.services.session import change_session, register_session
from subjects.models import HandOver, Subject, SubjectRequest, WaterAdministration, Weighing
from subjects.services.requests import allocate, open_request
from subjects.services.subject import hand_over
from subjects.services.water import record_water, record_weight
from tests.factories import a_lab, a_line, a_member, a_restriction, a_session, a_subject, a_weighing

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 23, 12)


class Scene:
    """A restricted animal of its keeper, and a head who acts."""

    def __init__(self) -> None:
        clock.set_offset(timedelta(0))
        clock.set_offset(clock.wall_to_utc(NOW, "Europe/London") - clock.now())
        self.lab: Lab = a_lab(reference_weight_pct=0.85)
        self.head = a_member(self.lab, Role.HEAD, "head", is_stock_manager=True)
        self.keeper = a_member(self.lab, Role.EXPERIMENTER, "keeper", email="keeper@lab.org")
        self.animal = self.another()
        a_restriction(self.animal, NOW - timedelta(days=30), reference_weight_g=25.0)
        self.before = [a_weighing(self.animal, 22.5, NOW - timedelta(hours=3)).pk]

    def another(self) -> Subject:
        return a_subject(self.lab, responsible_user=self.keeper)

    def hand_over(self) -> None:
        hand_over(actor=self.head, subject=self.animal, to="head", reason="holiday")

    def open_request(self) -> SubjectRequest:
        return open_request(actor=self.keeper, values={"lab": self.lab.name, "line": a_line(self.lab), "count": 2})

    def allocate(self) -> None:
        request = SubjectRequest.objects.create(user=self.keeper, lab=self.lab, count=2)
        allocate(actor=self.head, request=request, subjects=[self.another()])

    def weigh(self) -> None:
        values = {"subject": self.animal.nickname, "weight": 17.0, "date_time": NOW - timedelta(hours=1)}
        record_weight(actor=self.keeper, values=values)

    def reward(self) -> None:
        """The rig sends it three times, the last time long after the mail has left."""
        session = a_session(self.animal, start=NOW - timedelta(hours=2))
        values = {
            "subject": self.animal.nickname,
            "water_administered": 0.4,
            "session": session.pk,
            "date_time": NOW - timedelta(hours=1),
        }
        for _ in range(2):
            record_water(actor=self.keeper, values=values)
        clock.set_offset(timedelta(0))
        clock.set_offset(clock.wall_to_utc(NOW + timedelta(hours=2), "Europe/London") - clock.now())
        Delivery.objects.filter(state="waiting").update(state="sent", sent_at=clock.now())
        record_water(actor=self.keeper, values=values)

    def end_session(self) -> None:
        start = NOW - timedelta(hours=2)
        values = {
            "subject": self.animal.nickname,
            "start_time": start,
            "end_time": NOW - timedelta(hours=1),
            "number": 1,
        }
        register_session(actor=self.head, values=values)

    def end_session_later(self) -> None:
        session = a_session(self.animal, start=NOW - timedelta(hours=2), ended_wall=None, ended_at=None)
        change_session(actor=self.head, session=session, changes={"end_time": NOW - timedelta(hours=1)})


CAUSES: list[tuple[Callable[[Scene], Any], type[Model], str, set[str]]] = [
    (Scene.hand_over, HandOver, "responsible_changed", {"head", "keeper"}),
    (Scene.open_request, SubjectRequest, "request_opened", {"head"}),
    (Scene.allocate, SubjectRequest, "request_assigned", {"keeper"}),
    (Scene.weigh, Weighing, "underweight", {"keeper"}),
    (Scene.reward, WaterAdministration, "water_due", {"keeper"}),
    (Scene.end_session, Session, "water_due", {"keeper"}),
    (Scene.end_session_later, Session, "water_due", {"keeper"}),
]


@pytest.mark.parametrize(("cause", "row", "kind", "who"), CAUSES, ids=[cause[0].__name__ for cause in CAUSES])
def test_news_and_cause_are_written_together(
    cause: Callable[[Scene], Any], row: type[Model], kind: str, who: set[str]
) -> None:
    scene = Scene()

    def rolled_back() -> None:
        with transaction.atomic():
            cause(scene)
            assert Notification.objects.filter(kind=kind).count() == 1
            raise RuntimeError("something later in the request fails")

    with pytest.raises(RuntimeError):
        rolled_back()
    assert not row._default_manager.exclude(pk__in=scene.before).exists()
    assert not Notification.objects.exists()
    Subject.objects.filter(pk=scene.animal.pk).update(responsible_user=scene.keeper)
    cause(scene)
    (news,) = Notification.objects.filter(kind=kind)
    assert set(User.objects.filter(deliveries__notification=news).values_list("username", flat=True)) == who
    assert set(Delivery.objects.filter(notification=news, user=scene.keeper).values_list("state", flat=True)) <= {
        "waiting",
        "sent",
    }
