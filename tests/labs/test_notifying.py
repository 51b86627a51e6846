"""News is written with its cause, once, to those who want it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase

from alyx.celery import app
from alyx.core import clock
from alyx.core.errors import Forbidden, Invalid
from alyx.core.status import Status
from alyx.labs import notifying
from alyx.labs.models import (
    Delivery,
    Lab,
    Membership,
    Mute,
    Notification,
    NotificationKind,
    NotificationRule,
    RuleScope,
    User,
)
from tests.factories import a_lab, a_member, a_subject, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab()


def told(lab: Lab, responsible: User | None = None, key: str = "k", **more: Any) -> dict[str, str]:
    """Who was told of something new, and how their delivery stands."""
    about = more.pop("about", None) or a_subject(lab)
    row = notifying.notify(
        kind=more.pop("kind", NotificationKind.UNDERWEIGHT),
        about=about,
        key=key,
        title=more.pop("title", "thin"),
        text="feed it",
        lab=lab,
        status=Status.CRITICAL,
        responsible=responsible,
        **more,
    )
    return {} if row is None else {delivery.user.username: delivery.state for delivery in row.deliveries.all()}


def a_rule(user: User, scope: RuleScope, kind: str = NotificationKind.UNDERWEIGHT) -> User:
    NotificationRule.objects.create(user=user, kind=kind, scope=scope)
    return user


def test_the_responsible_user_and_whoever_asked_for_it(lab: Lab) -> None:
    keeper = a_user("keeper", email="keeper@lab.org")
    keeper.allowed_users.add(a_user("delegate"))
    a_rule(a_member(lab, name="in_lab", email="x@lab.org"), RuleScope.LAB)
    a_rule(a_member(a_lab(), name="in_other_lab"), RuleScope.LAB)
    a_rule(a_user("anywhere"), RuleScope.ALL)
    a_rule(a_user("other_kind"), RuleScope.ALL, NotificationKind.WATER_DUE)
    a_rule(a_user("gone", is_active=False), RuleScope.ALL)
    a_member(lab, name="no_rule")
    states = told(lab, keeper, extra_recipients=[keeper, a_rule(a_user("deaf"), RuleScope.NONE)])
    assert states == {"keeper": "waiting", "in_lab": "waiting", "anywhere": "page_only"}


def test_mutes_keep_it_back_and_lapse(lab: Lab) -> None:
    keeper, mouse = a_user("keeper", email="k@lab.org"), a_subject(lab)
    notifying.mute(actor=keeper, record=mouse.pk, until=clock.now() + timedelta(hours=5))
    assert told(lab, keeper, about=mouse) == {"keeper": "muted"}
    assert notifying.unseen(keeper) == 0
    assert told(lab, keeper, "another animal") == {"keeper": "waiting"}
    Mute.objects.update(until=clock.now() - timedelta(seconds=1))
    assert told(lab, keeper, "later", about=mouse, title="thinner") == {"keeper": "waiting"}
    notifying.mute(actor=keeper, kind=NotificationKind.UNDERWEIGHT)
    assert told(lab, keeper, "by kind") == {"keeper": "muted"}
    assert told(lab, keeper, "other kind", kind=NotificationKind.WATER_DUE) == {"keeper": "waiting"}


def test_the_same_key_is_the_same_news_and_the_same_title_waits_an_hour(lab: Lab) -> None:
    keeper, mouse = a_user("keeper"), a_subject(lab)
    assert told(lab, keeper, "one", about=mouse)
    assert not told(lab, keeper, "one", about=a_subject(lab), title="whatever")
    assert not told(lab, keeper, "two", about=mouse)
    assert told(lab, keeper, "three", about=mouse, title="very thin")
    assert told(lab, keeper, "four", about=mouse, kind=NotificationKind.WATER_DUE)
    for minutes, expected in ((59, False), (61, True)):
        try:
            clock.set_offset(timedelta(minutes=minutes))
            assert bool(told(lab, keeper, f"after {minutes}", about=mouse)) is expected
        finally:
            clock.set_offset(timedelta(0))


def test_news_goes_with_its_cause(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    task: Any = app.tasks["labs.tasks.deliver"]
    monkeypatch.setattr(task, "apply_async", lambda args, **options: sent.append(task.name))
    keeper = a_user("keeper", email="k@lab.org")

    def fails() -> None:
        with transaction.atomic():
            assert told(lab, keeper, "lost")
            raise RuntimeError("the cause is rolled back")

    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(RuntimeError):
        fails()
    assert not Notification.objects.exists()
    assert sent == []
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert told(lab, keeper, "kept")
        assert sent == []
    assert sent == ["labs.tasks.deliver"]


def test_what_people_say_to_it(lab: Lab) -> None:
    keeper, other = a_user("keeper"), a_user("other")
    told(lab, keeper, "one", extra_recipients=[other])
    assert notifying.mark_seen(actor=keeper, deliveries=Delivery.objects.all()) == 1
    assert (notifying.unseen(keeper), notifying.unseen(other)) == (0, 1)
    silence = notifying.mute(actor=keeper, kind="water_due", reason="holiday")
    assert notifying.mute(actor=keeper, kind="water_due").pk != silence.pk
    assert keeper.mutes.count() == 1
    with pytest.raises(Forbidden):
        notifying.unmute(actor=other, mute=keeper.mutes.get())
    notifying.unmute(actor=keeper, mute=keeper.mutes.get())
    for wrong in ("", "weather"):
        with pytest.raises(Invalid):
            notifying.mute(actor=keeper, kind=wrong)


def test_rules_are_set_changed_and_taken_away() -> None:
    keeper = a_user()
    notifying.set_rules(actor=keeper, scopes={"underweight": "all", "digest": "none", "water_due": ""})
    notifying.set_rules(actor=keeper, scopes={"underweight": "mine", "digest": ""})
    assert list(keeper.notification_rules.values_list("kind", "scope")) == [("underweight", "mine")]
    with pytest.raises(Invalid):
        notifying.set_rules(actor=keeper, scopes={"underweight": "some"})


def test_a_heads_membership_alone_tells_nothing(lab: Lab) -> None:
    Membership.objects.create(user=a_user("head"), lab=lab, role="head")
    assert told(lab) == {}
    assert Notification.objects.count() == 1, "nobody wanted to know; that it happened is kept"
