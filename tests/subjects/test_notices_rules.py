"""When there is something to tell: the numbers of a day in, sentences out; and which date's round is due."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.status import Status
from subjects.rules import notices as rules
from subjects.rules.day import Case, Day, Restricted, Weighed
from subjects.rules.policy import Held
from subjects.rules.water import judged

TODAY = date(2026, 4, 23)
NOW = datetime(2026, 4, 23, 17, tzinfo=UTC)


def a_day(weight: float | None = 22.5, *, reward: float = 0.0, weighed_on: date = TODAY, since: date = date(2026, 3, 12),
          adlib: bool = False, restricted: bool = True) -> Day:  # fmt: skip
    """The golden animal of the rules: reference 26.5 g with an implant of 1.5 g, 85 % of it."""
    at = datetime.combine(weighed_on, time(9, 30))
    start = datetime.combine(since, time(9))
    case = Case(
        day=TODAY,
        policy=Held(0.85, 0.0),
        sex="M",
        weighed=None if weight is None else Weighed(weight, at),
        restricted=Restricted(start, 25.0) if restricted else None,
        reward_ml=reward,
        is_adlib=adlib,
    )
    return judged([case])[0]


@pytest.mark.parametrize(
    ("weight", "status", "words"),
    [
        (22.0, None, ""),
        (21.5, Status.WARNING, "close to"),
        (21.0, Status.FAILED, "below its minimum"),
        (18.0, Status.CRITICAL, "critically"),
    ],
)
def test_underweight(weight: float, status: Status | None, words: str) -> None:
    said = rules.underweight("KS_1", a_day(weight))
    assert (said and said.status) == status
    if said is not None:
        assert words in said.title
        assert f"{weight:.1f} g on 2026-04-23 09:30: {100 * weight / 25:.1f} %" in said.text
        assert "minimum 21.25 g" in said.text


def test_an_animal_that_drinks_as_it_likes_or_was_not_weighed_is_not_underweight() -> None:
    assert rules.underweight("KS_1", a_day(10.0, restricted=False)) is None
    assert rules.underweight("KS_1", a_day(None)) is None


def ago(hours: float | None) -> datetime | None:
    return None if hours is None else NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("day", "given", "began", "due"),
    [
        (a_day(), 23, 900, True),
        (a_day(), 22.99, 900, False),
        (a_day(), None, 900, True),
        (a_day(), None, 22, False),
        (a_day(), 900, 22, False),
        (a_day(reward=0.9), 30, 900, False),
        (a_day(reward=0.897), 30, 900, False),
        (a_day(adlib=True), 30, 900, False),
        (a_day(since=TODAY), 30, 30, False),
        (a_day(None), 30, 900, False),
        (a_day(restricted=False), 30, None, False),
    ],
)
def test_water_still_to_give(day: Day, given: float | None, began: float | None, due: bool) -> None:
    said = rules.water_due("KS_1", day, last_given_at=ago(given), restricted_at=ago(began), now=NOW)
    assert (said is not None) is due
    if said is not None:
        assert said.title == "KS_1: 0.90 mL still to give"


def test_the_supplement_after_training() -> None:
    said = rules.supplement_due("KS_1", a_day(reward=0.55))
    assert said is not None
    assert said.title == "KS_1: 0.35 mL still to give"
    assert "0.55 mL as reward" in said.text
    assert rules.still_due("KS_1", a_day(reward=0.55), was_trained=False) is None
    evening = rules.still_due("KS_1", a_day(reward=0.55), was_trained=True)
    assert evening is not None
    for none_due in (a_day(reward=0.95), a_day(adlib=True), a_day(since=TODAY), a_day(None)):
        assert rules.supplement_due("KS_1", none_due) is None
        assert rules.still_due("KS_1", none_due, was_trained=True) is None


def test_not_weighed_today() -> None:
    yesterday = TODAY - timedelta(days=1)
    said = rules.not_weighed("KS_1", a_day(weighed_on=yesterday))
    assert said is not None
    assert "Last weighed on 2026-04-22" in said.text
    assert rules.not_weighed("KS_1", a_day(None)) is not None
    for fine in (a_day(), a_day(weighed_on=yesterday, since=TODAY), a_day(weighed_on=yesterday, restricted=False)):
        assert rules.not_weighed("KS_1", fine) is None


def test_a_digest_says_what_waits_and_nothing_else() -> None:
    light, fine = a_day(18.0, weighed_on=TODAY - timedelta(days=1)), a_day(24.0, reward=2.0)
    unknown = a_day(None)
    animals = [rules.Animal("thin", light), rules.Animal("fat", fine), rules.Animal("new", unknown)]
    said = rules.digest(rules.Morning("cortexlab", TODAY, animals, flags=2, mails=1))
    assert said is not None
    assert said.status == Status.CRITICAL
    assert said.title == "cortexlab, 2026-04-23: 1 underweight, 2 to weigh, 1 to water, 2 to review, 1 mails in doubt"
    assert "thin: 72.0 %, critical, weighed 2026-04-22 09:30" in said.text
    assert "new, never weighed" in said.text
    assert "new: no weighing on or before 2026-04-23" in said.text
    assert "fat" not in said.text
    assert rules.digest(rules.Morning("cortexlab", TODAY, animals[1:2])) is None


# Rounds.

ZONES = ["Europe/London", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
hours = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))


@given(st.sampled_from(ZONES), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 28)), hours, hours)
def test_ticks_make_each_round_once_per_local_date(zone: str, start: datetime, morning: time, evening: time) -> None:
    """Around any moment, DST days included: every whole local date has its morning and its evening, in order, in time."""
    here, at = ZoneInfo(zone), start.replace(tzinfo=UTC)
    made: dict[str, list[date]] = {"morning": [], "evening": []}
    for _ in range(4 * 24 * 4):
        wall = at.astimezone(here).replace(tzinfo=None)
        due = {"morning": rules.morning_of(wall, morning), "evening": rules.evening_of(wall, evening, morning)}
        for part, hour in (("morning", morning), ("evening", evening)):
            day = due[part]
            if day is not None and day not in made[part]:
                assert datetime.combine(day, hour) <= wall
                made[part].append(day)
        at += timedelta(minutes=15)
    first = start.replace(tzinfo=UTC).astimezone(here).date()
    whole = [first + timedelta(days=shift) for shift in (1, 2)]
    for dates in made.values():
        assert dates == sorted(set(dates))
        assert set(whole) <= set(dates)


def test_the_hour_that_is_skipped_and_the_hour_that_comes_twice() -> None:
    at = time(2, 30)
    gap = [datetime(2026, 3, 29, 0, 45, tzinfo=UTC) + timedelta(minutes=15 * step) for step in range(3)]
    walls = [moment.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for moment in gap]
    assert [wall.hour for wall in walls] == [1, 3, 3]
    assert [rules.morning_of(wall, at) for wall in walls] == [None, date(2026, 3, 29), date(2026, 3, 29)]
    twice = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + timedelta(hours=step) for step in range(2)]
    walls = [moment.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for moment in twice]
    assert [rules.morning_of(wall, at) for wall in walls] == [date(2026, 10, 25)] * 2, (
        "the row of the date says it was made"
    )


def test_a_missed_evening_is_made_up_for_until_the_morning() -> None:
    evening, morning = time(18), time(7)
    day = date(2026, 3, 9)
    for wall, due in ((datetime(2026, 3, 9, 17, 59), None), (datetime(2026, 3, 9, 18), day),
                      (datetime(2026, 3, 10, 6, 59), day), (datetime(2026, 3, 10, 7), None)):  # fmt: skip
        assert rules.evening_of(wall, evening, morning) == due


def test_a_day_of_another_policy_is_judged_by_it() -> None:
    strict = replace(a_day(23.0).case, policy=Held(0.95, 0.0))
    said = rules.underweight("KS_1", judged([strict])[0])
    assert said is not None
    assert said.status == Status.FAILED
