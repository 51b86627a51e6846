"""What people are told about animals: at once, by day, in the evening, in the morning."""

import threading
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from alyx.celery import TIMETABLE, app
from alyx.core import clock
from alyx.labs.models import Delivery, Lab, Notification, NotificationRule, Role, User
from sessions.models import Session
from subjects.models import PostOpCheck, Subject, Weighing
from subjects.queries import water as queries
from subjects.services import notices, rounds
from subjects.services.checks import record_check
from tests.factories import (
    a_flag,
    a_lab,
    a_member,
    a_policy,
    a_restriction,
    a_session,
    a_subject,
    a_surgery,
    a_user,
    a_water,
    a_weighing,
)

START = datetime(2026, 3, 12, 9)
TODAY = datetime(2026, 4, 23, 9, 30)


def it_is(wall: datetime, zone: str = "Europe/London") -> datetime:
    """Set the clock of this test's transaction."""
    clock.set_offset(timedelta(0))
    clock.set_offset(clock.wall_to_utc(wall, zone) - clock.now())
    return clock.now()


@pytest.fixture
def lab(db: None) -> Lab:
    """85 % of the reference weight; it is noon."""
    it_is(TODAY.replace(hour=12))
    lab = a_lab()
    a_policy(lab, reference_weight_pct=0.85)
    return lab


@pytest.fixture
def keeper(lab: Lab) -> User:
    return a_member(lab, Role.EXPERIMENTER, "keeper", email="keeper@lab.org")


def an_animal(lab: Lab, keeper: User | None = None, weight: float | None = 22.5, at: datetime = TODAY) -> Subject:
    """Restricted for six weeks, watered yesterday morning, weighed as said."""
    animal = a_subject(lab, responsible_user=keeper)
    a_restriction(animal, START, reference_weight_g=25.0)
    a_water(animal, 0.9, at=TODAY - timedelta(days=1))
    if weight is not None:
        a_weighing(animal, weight, at)
    return animal


def told(kind: str = "") -> list[tuple[str, str]]:
    """What was told, and to whom."""
    rows = Delivery.objects.order_by("notification__key").exclude(notification__kind="digest" if not kind else "")
    if kind:
        rows = rows.filter(notification__kind=kind)
    return list(rows.values_list("notification__title", "user__username"))


# At once.


@pytest.mark.parametrize(
    ("weight", "words", "status"),
    [(21.4, "is close to", "warning"), (21.0, "is below", "failed"), (17.0, "is critically", "critical")],
)
def test_an_underweight_animal(lab: Lab, keeper: User, weight: float, words: str, status: str) -> None:
    animal = an_animal(lab, keeper, None)
    notices.weight_recorded(a_weighing(animal, weight, TODAY))
    ((title, who),) = told("underweight")
    assert words in title
    assert who == "keeper"
    assert Notification.objects.get().status == status


def test_weights_that_are_no_news(lab: Lab, keeper: User) -> None:
    free = a_subject(lab, responsible_user=keeper)
    dead = an_animal(lab, keeper, None)
    dead.died_on = TODAY.date()
    dead.save()
    light = an_animal(lab, keeper, 17.0)
    for weighing in (
        a_weighing(free, 5.0, TODAY),
        a_weighing(dead, 17.0, TODAY),
        a_weighing(light, 16.0, TODAY - timedelta(hours=1)),
        a_weighing(an_animal(lab, keeper, None), 17.0, TODAY - timedelta(days=8)),
        a_weighing(an_animal(lab, keeper, None), -3.0, TODAY, counts=False),
        a_weighing(an_animal(lab, keeper, None), 24.0, TODAY),
    ):
        notices.weight_recorded(weighing)
    assert told() == []


def test_within_the_hour_the_same_is_not_said_again_but_worse_is(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper, None)
    for minutes, weight in ((0, 21.0), (10, 20.9), (20, 17.0)):
        notices.weight_recorded(a_weighing(animal, weight, TODAY + timedelta(minutes=minutes)))
    assert {title.split(" ", 1)[1] for title, _ in told()} == {"is below its minimum weight", "is critically light"}
    assert len(told()) == 2


def ended(animal: Subject, at: datetime = TODAY) -> Session:
    return a_session(animal, start=at)


def test_the_reward_of_a_session_says_what_is_left(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper)
    session = ended(animal)
    reward = a_water(animal, 0.55, TODAY, session_id=session.pk)
    notices.water_recorded(reward)
    notices.session_ended(animal, session)
    notices.water_recorded(reward)
    assert told() == [(f"{animal.nickname}: 0.35 mL still to give", "keeper")]
    assert Delivery.objects.get().not_before is None


def test_the_end_of_a_session_waits_for_the_reward_and_then_says_it_right(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper)
    session = ended(animal)
    notices.session_ended(animal, session)
    assert told() == [(f"{animal.nickname}: 0.90 mL still to give", "keeper")]
    assert "No reward of this session" in Notification.objects.get().text
    waits = Delivery.objects.get().not_before
    assert waits is not None
    assert timedelta(minutes=4) < waits - clock.now() <= notices.REWARD_WITHIN
    notices.water_recorded(a_water(animal, 0.55, TODAY, session_id=session.pk))
    assert told() == [(f"{animal.nickname}: 0.35 mL still to give", "keeper")]
    assert Delivery.objects.get().not_before is None


def test_a_reward_that_leaves_nothing_to_give_takes_the_waiting_mail_back(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper)
    session = ended(animal)
    notices.session_ended(animal, session)
    notices.water_recorded(a_water(animal, 1.0, TODAY, session_id=session.pk))
    assert Delivery.objects.get().state == "muted"
    assert "has had its water" in Notification.objects.get().title


def test_a_reward_that_comes_after_the_mail_left_is_told_anew(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper)
    session = ended(animal)
    notices.session_ended(animal, session)
    Delivery.objects.update(state="sent", sent_at=clock.now())
    notices.water_recorded(a_water(animal, 0.55, TODAY, session_id=session.pk))
    assert {title.split(": ")[1] for title, _ in told()} == {"0.90 mL still to give", "0.35 mL still to give"}


def test_water_that_is_no_news(lab: Lab, keeper: User) -> None:
    animal, free = an_animal(lab, keeper), a_subject(lab, responsible_user=keeper)
    first_day = a_subject(lab, responsible_user=keeper)
    a_restriction(first_day, TODAY, reference_weight_g=25.0)
    a_weighing(first_day, 22.5, TODAY)
    for one, at in ((free, TODAY), (first_day, TODAY), (an_animal(lab, keeper), TODAY - timedelta(days=1))):
        session = ended(one, at)
        notices.session_ended(one, session)
        notices.water_recorded(a_water(one, 0.1, at, session_id=session.pk))
    notices.water_recorded(a_water(animal, 0.1, TODAY))
    a_water(animal, None, TODAY, adlib=True)
    notices.session_ended(animal, ended(animal))
    assert told() == []


def test_what_cannot_be_told_undoes_nothing(
    lab: Lab, keeper: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(notices, "welfare_on", broken)
    weighing = a_weighing(an_animal(lab, keeper, None), 17.0, TODAY)
    notices.weight_recorded(weighing)
    assert Weighing.objects.filter(pk=weighing.pk).exists()
    assert "was not told" in caplog.text


# By day.


def test_no_water_for_23_hours_by_day_and_once_per_date(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper, 22.5, TODAY - timedelta(days=1))
    watered = an_animal(lab, keeper)
    a_water(watered, 0.2, TODAY.replace(hour=8, minute=10))
    for hour, minute, count in ((6, 59, 0), (8, 29, 0), (8, 31, 1), (8, 32, 1), (12, 0, 1)):
        rounds.water_round(lab, it_is(TODAY.replace(hour=hour, minute=minute)))
        assert len(told()) == count, (hour, minute)
    assert told() == [(f"{animal.nickname}: 0.90 mL still to give", "keeper")]
    rounds.water_round(lab, it_is(TODAY.replace(hour=7, minute=5) + timedelta(days=1)))
    assert len(told()) == 2, "the other one has waited for less than 23 hours"


def test_a_lab_of_many_animals_costs_no_more(lab: Lab, keeper: User) -> None:
    def cost(count: int, at: datetime) -> int:
        for _ in range(count):
            a_water(an_animal(lab, keeper, 24.5, at), 2.0, at)
        for animal in Subject.objects.filter(lab=lab):
            a_water(animal, 2.0, at + timedelta(minutes=1))
            a_weighing(animal, 24.5, at + timedelta(minutes=1))
        it_is(at.replace(hour=18, minute=1))
        with CaptureQueriesContext(connection) as captured:
            rounds.tick()
        assert told() == []
        return len(captured)

    cost(1, TODAY - timedelta(days=1))  # content types are known by now
    assert cost(2, TODAY) == cost(20, TODAY + timedelta(days=1))


# In the evening.


def in_the_evening(lab: Lab) -> None:
    rounds.evening_round(lab, it_is(TODAY.replace(hour=18, minute=1)))


def test_the_evening(lab: Lab, keeper: User) -> None:
    trained, weighed, unweighed = (an_animal(lab, keeper) for _ in range(3))
    notices.water_recorded(a_water(trained, 0.5, TODAY, session_id=ended(trained).pk))
    a_water(weighed, 0.2, TODAY)
    Weighing.objects.filter(subject=unweighed).delete()
    a_weighing(unweighed, 22.5, TODAY - timedelta(days=1))
    a_water(unweighed, 2.0, TODAY)
    today = a_subject(lab, responsible_user=keeper)
    a_restriction(today, TODAY, reference_weight_g=25.0)
    in_the_evening(lab)
    again = f"{trained.nickname}: 0.40 mL still to give"
    assert sorted(told()) == sorted(
        [(again, "keeper"), (again, "keeper"), (f"{unweighed.nickname} was not weighed on 2026-04-23", "keeper")]
    )
    in_the_evening(lab)
    assert len(told()) == 3


def test_what_the_evening_told_the_clock_does_not_tell_again(lab: Lab, keeper: User) -> None:
    animal = an_animal(lab, keeper)
    a_water(animal, 0.5, TODAY.replace(hour=19) - timedelta(days=1))
    in_the_evening(lab)
    for hour in (18, 19, 20):
        rounds.water_round(lab, it_is(TODAY.replace(hour=hour, minute=30)))
    assert told("water_due") == [(f"{animal.nickname}: 0.90 mL still to give", "keeper")]


def test_a_missed_evening_is_made_up_for_at_night_and_not_by_day(lab: Lab, keeper: User) -> None:
    an_animal(lab, keeper, 22.5, TODAY - timedelta(days=1))
    tomorrow = TODAY + timedelta(days=1)
    rounds.evening_round(lab, it_is(tomorrow.replace(hour=8)))
    assert told("not_weighed") == []
    rounds.evening_round(lab, it_is(tomorrow.replace(hour=2)))
    ((title, _),) = told("not_weighed")
    assert title.endswith("was not weighed on 2026-04-23")


def test_the_timetable_makes_the_rounds(lab: Lab, keeper: User) -> None:
    app.loader.import_default_modules()
    assert {task for _, task in TIMETABLE.values()} <= set(app.tasks)
    an_animal(lab, keeper, 22.5, TODAY - timedelta(days=1))
    it_is(TODAY.replace(hour=18, minute=1))
    app.tasks["subjects.tasks.tick"].apply().get()
    assert len(told("not_weighed")) == 1


def test_one_bad_animal_stops_nobody(
    lab: Lab, keeper: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, other = (an_animal(lab, keeper, 22.5, TODAY - timedelta(days=1)) for _ in range(3))
    real = queries.welfare_on

    def fails(animals: Iterable[Subject], day: date, now: datetime | None = None) -> Any:
        animals = list(animals)
        if bad in animals:
            raise ArithmeticError("numbers that cannot be")
        return real(animals, day, now)

    monkeypatch.setattr(rounds, "welfare_on", fails)
    rounds.tick()
    in_the_evening(lab)
    assert {title.split(" ")[0] for title, _ in told("not_weighed")} == {good.nickname, other.nickname}
    assert "one by one" in caplog.text


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_days_of_23_and_25_hours_have_one_evening(lab: Lab, keeper: User, day: date) -> None:
    animal = a_subject(lab, responsible_user=keeper)
    a_restriction(animal, START, reference_weight_g=25.0)
    midnight = clock.wall_to_utc(datetime(day.year, day.month, day.day), lab.timezone)
    for hour in range(26):
        clock.set_offset(timedelta(0))
        clock.set_offset(midnight + timedelta(hours=hour) - clock.now())
        rounds.tick()
    made = Notification.objects.filter(facts={"check": True}).values_list("key", flat=True)
    assert sorted(key for key in made if key.endswith(str(day))) == [
        f"digest:{lab.pk}:{day}",
        f"evening:{lab.pk}:{day}",
    ]
    assert len(told("not_weighed")) == len({title for title, _ in told("not_weighed")})


# In the morning.


def test_the_morning(lab: Lab, keeper: User) -> None:
    a_member(lab, Role.HEAD, "head", email="head@lab.org")
    NotificationRule.objects.create(user=a_user("deaf"), kind="digest", scope="none")
    NotificationRule.objects.create(user=a_user("all"), kind="digest", scope="all")
    yesterday = TODAY - timedelta(days=1)
    light, other = (
        an_animal(lab, keeper, 17.0, yesterday),
        an_animal(lab, User.objects.get(username="deaf"), 22.5, yesterday),
    )
    a_subject(lab, responsible_user=a_user("nothing to do"))
    a_flag(light)
    a_flag(lab, lab_id=lab.pk)
    now = it_is(TODAY.replace(hour=7, minute=0, second=30))
    rounds.morning_round(lab, now)
    rounds.morning_round(lab, now)
    texts = {row.deliveries.get().user.username: row for row in Notification.objects.filter(deliveries__isnull=False)}
    assert set(texts) == {"keeper", "head", "all"}
    assert f"{light.nickname}: 68.0 %, critical" in texts["keeper"].text
    assert other.nickname not in texts["keeper"].text
    assert "1 record to review" in texts["keeper"].text
    assert "2 records to review" in texts["head"].text
    assert light.nickname not in texts["head"].text
    assert other.nickname in texts["all"].text
    assert texts["keeper"].status == "critical"


def test_mails_in_doubt_are_in_the_managers_digest(lab: Lab, keeper: User) -> None:
    manager = a_member(lab, Role.DATA_MANAGER)
    notices.weight_recorded(a_weighing(an_animal(lab, keeper, None), 17.0, TODAY))
    Delivery.objects.update(state="unsure")
    rounds.morning_round(lab, it_is(TODAY.replace(hour=7) + timedelta(days=1)))
    assert "1 mail that failed or may not have arrived" in Notification.objects.get(deliveries__user=manager).text


@pytest.mark.django_db(transaction=True)
def test_two_tickers_at_once_make_one_round() -> None:
    try:
        it_is(TODAY.replace(hour=18, minute=1))
        lab = a_lab()
        an_animal(lab, a_user(email="k@lab.org"), 22.5, TODAY - timedelta(days=1))
        together = threading.Barrier(3)

        def ticker() -> None:
            close_old_connections()
            together.wait()
            rounds.tick()
            connection.close()

        threads = [threading.Thread(target=ticker) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kinds = sorted(Delivery.objects.values_list("notification__kind", flat=True))
        assert kinds == ["digest", "not_weighed", "water_due"]
    finally:
        clock.set_offset(timedelta(0))


# After surgery.


def a_check(animal: Subject, due_on: date) -> PostOpCheck:
    """Of a surgery three days before it was due."""
    surgery = a_surgery(animal, datetime.combine(due_on - timedelta(days=3), TODAY.time()))
    return PostOpCheck.objects.create(surgery=surgery, due_on=due_on, sheet=SHEET)


SHEET = [{"key": "wound", "question": "?", "highest": 3}, {"key": "activity", "question": "?", "highest": 3}]


def test_a_check_that_scores_badly_is_told_and_a_worse_one_again(lab: Lab, keeper: User) -> None:
    check = a_check(a_subject(lab, responsible_user=keeper), TODAY.date())
    for wound in (0, 2, 2, 3):
        record_check(actor=keeper, check=check, values={"scores": {"wound": wound, "activity": 0}})
    titles = [title for title, who in told("post_op") if who == "keeper"]
    assert [title.split(maxsplit=1)[1] for title in sorted(titles, key=len)] == [
        "is unwell after its surgery: 3 of 6",
        "is to be watched after its surgery: 2 of 6",
    ]
    worst = Notification.objects.get(status="critical")
    assert "wound 3 of 3" in worst.text


def test_scores_that_are_no_news(lab: Lab, keeper: User) -> None:
    animal = a_subject(lab, responsible_user=keeper)
    earlier, later = a_check(animal, TODAY.date() - timedelta(days=1)), a_check(animal, TODAY.date())
    record_check(actor=keeper, check=later, values={"scores": {"wound": 0}})
    yesterday = {"scores": {"wound": 3}, "date_time": TODAY - timedelta(days=1)}
    record_check(actor=keeper, check=earlier, values=yesterday)
    assert told("post_op") == []


def test_a_check_that_was_not_made_is_told_in_the_evening_once(lab: Lab, keeper: User) -> None:
    late, done, future, dead = (a_subject(lab, responsible_user=keeper) for _ in range(4))
    a_check(late, TODAY.date() - timedelta(days=1))
    a_check(late, TODAY.date())
    record_check(actor=keeper, check=a_check(done, TODAY.date()), values={"scores": {"wound": 0}})
    a_check(future, TODAY.date() + timedelta(days=1))
    a_check(dead, TODAY.date())
    Subject.objects.filter(pk=dead.pk).update(died_on=TODAY.date())
    for minute in (0, 1):
        it_is(TODAY.replace(hour=20, minute=minute))
        rounds.tick()
    ((title, who),) = told("post_op")
    assert title == f"{late.nickname} was not checked after its surgery ({TODAY.date()})"
    assert who == "keeper"
