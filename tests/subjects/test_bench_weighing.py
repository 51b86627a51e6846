"""What becomes of a weighing round that a tablet sends: once each, asked back, kept, undone; and what the tablet is told before."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alyx.celery import TIMETABLE
from alyx.core import clock
from alyx.core.flags import typing
from alyx.core.journal.kinds import Applied
from alyx.core.models import JournalEntry, ReviewFlag
from alyx.labs.models import Delivery, Notification, Role, User
from subjects.bench import entries_weighing
from subjects.models import Subject, WaterAdministration, Weighing
from subjects.services.water import record_weight
from tests.factories.animals import a_cull, a_restriction, a_surgery, a_water, a_weighing
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject
from tests.sessions.test_races import at_once

pytestmark = pytest.mark.django_db


class Tablet:
    """A tablet with somebody logged in."""

    def __init__(self, user: User) -> None:
        self.user, self.client, self.seq = user, Client(), 0
        self.client.force_login(user)

    def entry(self, kind: str, about: Any = None, *, ago: timedelta = timedelta(0), **body: Any) -> dict[str, Any]:
        """As the journal keeps it."""
        self.seq += 1
        made_at = clock.now() - ago
        return {
            "key": str(uuid4()),
            "kind": kind,
            "about": str(about.pk) if about else None,
            "body": body,
            "made_at": made_at.isoformat(),
            "seq": self.seq,
            "user": str(self.user.pk),
        }

    def send(self, *entries: dict[str, Any]) -> list[dict[str, Any]]:
        """Their answers."""
        batch = {"device": "tablet", "sent_at": clock.now().isoformat(), "entries": entries}
        answer = self.client.post("/bench/entries", json.dumps(batch), content_type="application/json")
        assert answer.status_code == 200, answer.content
        return list(answer.json()["answers"])

    def weigh(self, subject: Subject, grams: Any, **more: Any) -> dict[str, Any]:
        """The answer to a weight."""
        return self.send(self.entry("weighing.weight", subject, weight=grams, **more))[0]

    def give(self, subject: Subject, volume: Any, **more: Any) -> dict[str, Any]:
        """The answer to a supplement."""
        return self.send(self.entry("weighing.water", subject, water=volume, **more))[0]

    def round(self, **query: str) -> dict[str, Any]:
        """What the tablet is told."""
        answer = self.client.get("/bench/data/round", query)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())


class House:
    """A lab that judges by 85 % of the reference, with a restricted animal of 26.5 g."""

    def __init__(self) -> None:
        self.lab = a_lab(reference_weight_pct=0.85)
        self.kate = a_member(self.lab, name="kate")
        self.tablet = Tablet(self.kate)
        now = clock.utc_to_wall(clock.now(), self.lab.timezone)
        self.start = datetime.combine(now.date() - timedelta(days=30), datetime.min.time()).replace(hour=9)
        self.subject = self.restricted("M1", "12")

    def restricted(self, nickname: str, cage: str = "", **columns: Any) -> Subject:
        """One that was weighed yesterday: 24 g."""
        subject = a_subject(
            self.lab, nickname, cage_name=cage, responsible_user=self.kate, born_on=date(2025, 11, 3), **columns
        )
        a_restriction(subject, self.start, reference_weight_g=26.5)
        a_weighing(subject, 24.0, self.start + timedelta(days=29))
        return subject


@pytest.fixture
def house() -> House:
    return House()


def weights(subject: Subject) -> list[float]:
    """Those that stand, in order."""
    return list(Weighing.objects.shown().filter(subject=subject).order_by("at").values_list("weight_g", flat=True))


def waters(subject: Subject) -> list[float]:
    """Likewise."""
    return list(WaterAdministration.objects.shown().filter(subject=subject).values_list("volume_ml", flat=True))


# Entries.


def test_a_weight_is_stored_once_however_often_it_is_sent(house: House) -> None:
    entry = house.tablet.entry("weighing.weight", house.subject, weight=23.4, ago=timedelta(minutes=20))
    first = house.tablet.send(entry)
    assert house.tablet.send(entry, entry) == [first[0], first[0]]
    assert weights(house.subject) == [24.0, 23.4]
    row = Weighing.objects.get(pk=first[0]["result"]["id"])
    assert (row.user, row.counts, row.zone) == (house.kate, True, "Europe/London")
    assert abs(row.at - datetime.fromisoformat(entry["made_at"])) < timedelta(seconds=2)
    assert first[0]["state"] == "done"


def test_water_is_given_in_the_same_row(house: House) -> None:
    answer = house.tablet.give(house.subject, 0.85, given_ml=0)
    assert (answer["state"], answer["result"]["value"], waters(house.subject)) == ("done", 0.85, [0.85])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "weight"),
        ({"weight": None}, "weight"),
        ({"weight": "23"}, "weight"),
        ({"weight": True}, "weight"),
        ({"weight": 0}, "weight"),
        ({"weight": -4.5}, "weight"),
        ({"weight": 23.4, "nickname": 7}, "nickname"),
        ({"weight": 23.4, "given_ml": "much"}, "given_ml"),
        ({"weight": 23.4, "animal": "M1"}, "animal"),
    ],
)
def test_a_malformed_weight_is_kept_with_the_field_and_stores_nothing(
    body: dict[str, Any], field: str, house: House
) -> None:
    answer = house.tablet.send(house.tablet.entry("weighing.weight", house.subject, **body))[0]
    assert (answer["state"], weights(house.subject)) == ("kept", [24.0])
    assert list(answer["fields"]) == [field]
    assert JournalEntry.objects.get(key=answer["key"]).body == body


def test_a_weight_of_no_animal_is_kept(house: House) -> None:
    assert house.tablet.send(house.tablet.entry("weighing.weight", weight=20))[0]["state"] == "kept"
    nobody = Subject(pk=uuid4())
    answer = house.tablet.weigh(nobody, 20)
    assert (answer["state"], "is not there" in answer["message"]) == ("kept", True)


def test_an_implausible_weight_is_asked_about_and_kept_when_it_is_right(house: House) -> None:
    answer = house.tablet.weigh(house.subject, 20.0)
    assert (answer["state"], weights(house.subject)) == ("asked", [24.0])
    assert "more than 8% in 24 hours" in answer["message"]
    assert Notification.objects.count() == 0
    said = house.tablet.send(house.tablet.entry("journal.confirm", of=answer["key"]))[0]
    assert (said["state"], weights(house.subject)) == ("done", [24.0, 20.0])
    assert not ReviewFlag.objects.exists()


def test_a_doubt_never_stops_the_next_animal(house: House) -> None:
    other = house.restricted("M2")
    answers = house.tablet.send(
        house.tablet.entry("weighing.weight", house.subject, weight=2.34),
        house.tablet.entry("weighing.weight", other, weight=23.9),
    )
    assert [answer["state"] for answer in answers] == ["asked", "done"]
    assert weights(other) == [24.0, 23.9]


def test_a_second_weight_of_a_day_says_who_weighed_and_asks(house: House) -> None:
    other = Tablet(a_member(house.lab, name="omar"))
    assert other.weigh(house.subject, 23.6)["state"] == "done"
    answer = house.tablet.weigh(house.subject, 23.5)
    assert (answer["state"], weights(house.subject)) == ("asked", [24.0, 23.6])
    assert answer["message"].startswith("omar weighed M1 that day at ")
    assert "23.6 g" in answer["message"]
    house.tablet.send(house.tablet.entry("journal.discard", of=answer["key"], why="was weighed"))
    assert weights(house.subject) == [24.0, 23.6]


def test_what_is_corrected_is_no_second_weight(house: House) -> None:
    first = house.tablet.entry("weighing.weight", house.subject, weight=23.6)
    undo = house.tablet.entry("journal.undo", of=first["key"])
    second = house.tablet.entry("weighing.weight", house.subject, weight=23.5)
    answers = house.tablet.send(first, undo, second)
    assert [answer["state"] for answer in answers] == ["done", "done", "done"]
    assert weights(house.subject) == [24.0, 23.5]


def test_all_doubts_are_asked_at_once(house: House) -> None:
    answer = house.tablet.weigh(house.subject, 30.0, nickname="M7", cage="12")
    assert "M7 is called M1 now" in answer["message"]
    assert "more than 8%" in answer["message"]
    assert set(answer["fields"]) == {"subject", "weight"}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"nickname": "OLD_NAME"}, "OLD_NAME is called M1 now"),
        ({"cage": "7"}, "M1 is in cage 12 now, and was in cage 7 on the tablet"),
        ({"cage": ""}, "was in no cage on the tablet"),
        ({"cage": "12", "round_cage": "9"}, "M1 is in cage 12, and in cage 9 was at work"),
    ],
)
def test_an_animal_that_changed_meanwhile_or_is_another_one_is_asked_about(
    shown: dict[str, Any], words: str, house: House
) -> None:
    entry = house.tablet.entry("weighing.weight", house.subject, weight=23.5, **shown)
    answer = house.tablet.send(entry)[0]
    assert (answer["state"], weights(house.subject)) == ("asked", [24.0])
    assert words in answer["message"]
    assert house.tablet.send(house.tablet.entry("journal.confirm", of=entry["key"]))[0]["state"] == "done"
    assert weights(house.subject) == [24.0, 23.5]


def test_a_dead_animals_weight_is_kept_with_what_to_do_and_can_go_to_another(house: House) -> None:
    today = clock.utc_to_wall(clock.now(), house.lab.timezone).date()
    a_cull(house.subject, today - timedelta(days=1))
    other = house.restricted("M2")
    answer = house.tablet.weigh(house.subject, 23.5, animal=str(house.subject.pk), nickname="M1", cage="12")
    assert (answer["state"], weights(house.subject)) == ("kept", [24.0])
    assert "M1 died on" in answer["message"]
    assert "enter it for another animal" in answer["message"]
    again = house.tablet.entry("journal.again", of=answer["key"])
    again["body"]["about"] = str(other.pk)
    again = house.tablet.send(again)[0]
    assert again["state"] == "done", again
    assert weights(other) == [24.0, 23.5]


def test_a_weight_from_before_the_death_is_stored(house: House) -> None:
    a_cull(house.subject, clock.utc_to_wall(clock.now(), house.lab.timezone).date())
    assert house.tablet.weigh(house.subject, 23.5)["state"] == "done"


def test_an_animal_that_went_to_another_lab_is_kept(house: House) -> None:
    Subject.objects.filter(pk=house.subject.pk).update(lab=a_lab())
    answer = house.tablet.weigh(house.subject, 23.5)
    assert (answer["state"], weights(house.subject)) == ("kept", [24.0])


def test_who_may_not_record_is_refused_and_nothing_changes(house: House) -> None:
    reader = Tablet(a_member(house.lab, Role.READER))
    assert reader.weigh(house.subject, 23.5)["state"] == "kept"
    assert reader.give(house.subject, 0.5)["state"] == "kept"
    assert (weights(house.subject), waters(house.subject)) == ([24.0], [])


def test_water_given_meanwhile_is_asked_about(house: House) -> None:
    other = Tablet(a_member(house.lab, name="omar"))
    other.give(house.subject, 0.85, given_ml=0)
    answer = house.tablet.give(house.subject, 0.85, given_ml=0)
    assert (answer["state"], waters(house.subject)) == ("asked", [0.85])
    assert "0.85 mL were given already, last by omar" in answer["message"]
    assert house.tablet.give(house.subject, 0.1, given_ml=0.85)["state"] == "done"


def test_undo_takes_back_what_the_entry_made_and_nothing_else(house: House) -> None:
    weight, water = house.tablet.weigh(house.subject, 23.5), house.tablet.give(house.subject, 0.5)
    for answer in (water, weight, weight):
        undone = house.tablet.send(house.tablet.entry("journal.undo", of=answer["key"]))[0]
        assert undone["state"] == "done"
    assert (weights(house.subject), waters(house.subject)) == ([24.0], [])
    assert Weighing.objects.filter(subject=house.subject).count() == 2


def test_what_was_there_before_is_not_undone(house: House) -> None:
    at = clock.now()
    record_weight(actor=house.kate, values={"subject": house.subject, "weight": 23.5, "date_time": at})
    entry = Applied(actor=house.kate, about=house.subject.pk, body={"weight": 23.5}, at=at, key=uuid4())
    with typing():
        result = entries_weighing.weight(entry)
    assert result["created"] is False
    entries_weighing.not_weighed(entry, result)
    assert weights(house.subject) == [24.0, 23.5]


def test_an_underweight_animal_is_told_of_within_the_minute(house: House) -> None:
    entry = house.tablet.entry("weighing.weight", house.subject, weight=22.4)
    assert house.tablet.send(entry)[0]["state"] == "done"
    house.tablet.send(entry)
    told = Notification.objects.get(kind="underweight")
    assert "below" in told.title
    assert Delivery.objects.filter(notification=told, user=house.kate).count() == 1
    assert TIMETABLE["mails due, senders that died"][0] <= 60


# What the tablet is told.


def test_the_round_has_my_restricted_animals_in_the_order_of_the_cages(house: House) -> None:
    for name, cage in (("M3", "7"), ("M10", "12"), ("M2", "12"), ("M4", "")):
        house.restricted(name, cage)
    a_subject(house.lab, "FREE", cage_name="7")
    foreign = a_lab()
    a_restriction(a_subject(foreign, "THEIRS"))
    a_cull(house.restricted("DEAD", "7"))
    data = house.tablet.round()
    assert [one["nickname"] for one in data["animals"]] == ["M3", "M1", "M2", "M10", "M4"]
    assert {one["nickname"] for one in data["known"]} == {"M1", "M2", "M3", "M4", "M10", "FREE"}
    assert [one["nickname"] for one in house.tablet.round(cage="7")["animals"]] == ["FREE", "M3"]
    free = next(one["id"] for one in data["known"] if one["nickname"] == "FREE")
    assert len(house.tablet.round(also=free)["animals"]) == 6


def test_a_row_has_the_last_weight_and_what_was_given_today(house: House) -> None:
    now = clock.utc_to_wall(clock.now(), house.lab.timezone)
    midnight = datetime.combine(now.date(), datetime.min.time())
    a_surgery(house.subject, house.start - timedelta(days=3), implant_weight_g=1.5)
    session = a_session(house.subject, start=midnight)
    a_water(house.subject, 0.6, midnight, session_id=session.pk, user=house.kate)
    a_water(house.subject, 0.2, midnight, user=house.kate)
    a_water(house.subject, 0.9, midnight - timedelta(minutes=1))
    [row] = house.tablet.round()["animals"]
    assert row["last"]["g"] == 24.0
    assert row["case"]["implant_g"] == 1.5
    assert (row["case"]["reward_ml"], row["case"]["supplement_ml"]) == (0.6, 0.2)
    assert sorted(one["value"] for one in row["waters"]) == [0.2, 0.6]
    assert {one["by"] for one in row["waters"]} == {"kate"}
    assert row["weighings"] == []
    house.tablet.weigh(house.subject, 23.5)
    assert [one["by"] for one in house.tablet.round()["animals"][0]["weighings"]] == ["kate"]


def test_the_round_costs_the_same_for_one_and_for_many(house: House) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            house.tablet.round()
        return len(asked)

    house.tablet.round()
    few = statements()
    for number in range(12):
        house.restricted(f"N{number}", str(number))
    assert statements() == few
    assert few <= 16


def test_what_cannot_be_asked_is_a_400_that_names_it(house: House) -> None:
    answer = house.tablet.client.get("/bench/data/round", {"also": "M1"})
    assert answer.status_code == 400
    assert "also" in answer.json()
    assert house.tablet.round(cage="nowhere\x00")["animals"] == []


def test_without_a_login_data_is_a_401_and_the_page_asks_for_one(house: House) -> None:
    assert Client().get("/bench/data/round").status_code == 401
    assert Client().get("/weigh/").status_code == 302
    assert house.tablet.client.get("/weigh/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_people_weigh_one_animal_at_once_and_one_is_asked() -> None:
    house = House()
    animals = [house.subject, *(house.restricted(f"N{number}") for number in range(5))]
    tablets = [house.tablet, *(Tablet(a_member(house.lab)) for _ in range(2))]
    for animal in animals:
        answers = at_once(
            [lambda one=one, animal=animal: one.weigh(animal, 23.5) for one in tablets]  # type: ignore[misc]
        )
        assert sorted(answer["state"] for answer in answers) == ["asked", "asked", "done"]
        assert weights(animal) == [24.0, 23.5]


@pytest.mark.django_db(transaction=True)
def test_one_entry_sent_by_three_at_once_is_stored_once() -> None:
    house = House()
    for number in range(5):
        animal = house.restricted(f"N{number}")
        entry = house.tablet.entry("weighing.weight", animal, weight=23.5)
        clients = [Tablet(house.kate) for _ in range(3)]
        answers = at_once([lambda one=one, entry=entry: one.send(entry)[0] for one in clients])  # type: ignore[misc]
        assert [answer["state"] for answer in answers] == ["done"] * 3
        assert weights(animal) == [24.0, 23.5]
