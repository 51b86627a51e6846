"""Weighing, giving water, restricting it: what is kept, flagged, asked back and refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alyx.core import clock
from alyx.core.errors import Doubtful, Forbidden, Invalid, NotFound
from alyx.core.flags import typing
from alyx.core.models import FlagState, ReviewFlag
from alyx.labs.models import Role, User
from subjects import models as m
from subjects.models import Subject, WaterAdministration, WaterRestriction, Weighing
from subjects.services import restriction as restriction_service
from subjects.services import water
from tests.factories.animals import a_restriction, a_surgery, a_weighing, a_word
from tests.factories.people import a_lab, a_member
from tests.factories.records import MORNING, a_session, a_subject
from tests.sessions.test_races import at_once

pytestmark = pytest.mark.django_db


class House:
    """A lab with an animal and its people."""

    def __init__(self) -> None:
        self.lab = a_lab()
        self.rig = a_member(self.lab, Role.RIG)
        self.person = a_member(self.lab)
        self.subject = a_subject(self.lab, "M1")

    def weigh(self, weight: Any = 24.5, by: User | None = None, **values: Any) -> Weighing:
        """A weight by the rig."""
        said = {"subject": "M1", "weight": weight, "date_time": MORNING, **values}
        return water.record_weight(actor=by or self.rig, values=said)[0]

    def give(self, volume: Any = 0.8, by: User | None = None, **values: Any) -> WaterAdministration:
        """Water by the rig."""
        said = {"subject": "M1", "water_administered": volume, "date_time": MORNING, **values}
        return water.record_water(actor=by or self.rig, values=said)[0]

    def restrict(self, **values: Any) -> WaterRestriction:
        """A restriction by the person."""
        said = {"subject": "M1", "start_time": MORNING, **values}
        return restriction_service.restrict_water(actor=self.person, values=said)


@pytest.fixture
def house() -> House:
    return House()


def rules_of(row: Any) -> set[str]:
    """What is doubted about the row."""
    return set(ReviewFlag.objects.filter(object_id=row.pk).values_list("rule", flat=True))


def test_a_weight_keeps_the_wall_clock_and_who(house: House) -> None:
    weighing = house.weigh(user=house.person.username, json={"scale": 2})
    assert (weighing.weight_g, weighing.user, weighing.json, weighing.counts) == (
        24.5,
        house.person,
        {"scale": 2},
        True,
    )
    assert (weighing.at_wall, weighing.zone, weighing.at) == (
        MORNING,
        "Europe/London",
        clock.wall_to_utc(MORNING, "Europe/London"),
    )
    assert not rules_of(weighing)


def test_without_time_and_user_it_is_now_and_the_actor(house: House) -> None:
    weighing = house.weigh(date_time=None)
    assert weighing.user == house.rig
    assert abs(weighing.at - clock.now()) < timedelta(minutes=1)
    aware = house.weigh(date_time=datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert aware.at_wall == datetime(2026, 7, 1, 13)


def test_a_repeat_is_the_same_row(house: House) -> None:
    first, is_new = water.record_weight(actor=house.rig, values={"subject": "m1", "weight": 0.0, "date_time": MORNING})
    again, is_new_again = water.record_weight(
        actor=house.rig, values={"subject": "M1", "weight": 0.0, "date_time": MORNING}
    )
    assert (first, is_new, is_new_again) == (again, True, False)
    assert ReviewFlag.objects.count() == 1
    assert house.weigh(24.6) != house.weigh(24.6, user=house.person)
    assert house.give() == house.give(water_type=a_word(m.WaterType).name)
    assert house.give() != house.give(None, adlib=True)


def test_a_withdrawn_one_is_no_repeat(house: House) -> None:
    first = house.weigh()
    water.withdraw_weighing(actor=house.rig, weighing=first)
    assert house.weigh() != first
    with pytest.raises(NotFound):
        water.withdraw_weighing(actor=house.rig, weighing=first)


@pytest.mark.parametrize("weight", [0, -3.0, 245.0, 0.01])
def test_an_absurd_weight_of_a_rig_is_kept_and_counts_nowhere(house: House, weight: float) -> None:
    weighing = house.weigh(weight)
    assert not weighing.counts
    assert rules_of(weighing) == {"weight-implausible"}


def test_a_sudden_change_is_flagged_and_counts(house: House) -> None:
    house.weigh(25.0, date_time=MORNING - timedelta(days=1))
    weighing = house.weigh(22.0)
    assert weighing.counts
    assert rules_of(weighing) == {"weight-jumps"}


@pytest.mark.parametrize("sent", ["nan", float("inf"), "heavy", None, ""])
def test_what_is_no_number_is_refused(house: House, sent: Any) -> None:
    with pytest.raises(Invalid) as refused:
        house.weigh(sent)
    assert "weight" in refused.value.fields
    if sent:
        with pytest.raises(Invalid):
            house.give(sent)


@pytest.mark.parametrize("values", [{"subject": "nobody"}, {"subject": ""}, {"user": "nobody"}])
def test_unknown_names_are_refused(house: House, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        house.weigh(**values)
    assert set(refused.value.fields) == set(values)


def test_times_outside_the_life_are_flagged(house: House) -> None:
    assert rules_of(house.weigh(date_time=datetime(2020, 1, 1))) == {"before-birth"}
    assert rules_of(house.give(date_time=datetime(2999, 1, 1))) == {"date-in-the-future"}


def test_a_person_is_asked_and_said_again_it_counts(house: House) -> None:
    with typing(), pytest.raises(Doubtful) as asked:
        house.weigh(245.0)
    assert "weight" in asked.value.fields
    assert not Weighing.objects.exists()
    with typing(confirmed=True):
        weighing = house.weigh(245.0)
    assert weighing.counts
    assert not rules_of(weighing)


def test_a_person_cannot_type_what_is_no_weight_or_volume(house: House) -> None:
    for confirmed in (False, True):
        with typing(confirmed=confirmed):
            for refused in (lambda: house.weigh(0), lambda: house.give(-1), lambda: house.give(None)):
                with pytest.raises(Invalid):
                    refused()
    assert not Weighing.objects.exists()


def test_a_doubted_weight_counts_when_somebody_says_so(house: House) -> None:
    weighing = house.weigh(150.0)
    with pytest.raises(Forbidden):
        water.let_count(actor=house.rig, row=weighing)
    water.let_count(actor=house.person, row=weighing)
    weighing.refresh_from_db()
    assert weighing.counts
    flag = ReviewFlag.objects.get()
    assert (flag.state, flag.decided_by) == (FlagState.RESOLVED, house.person)


def test_outsiders_and_readers_record_nothing(house: House) -> None:
    weighing, given = house.weigh(), house.give()
    for actor in (a_member(a_lab()), a_member(house.lab, Role.READER)):
        calls: list[Callable[[], Any]] = [
            lambda: house.weigh(by=actor),  # noqa: B023
            lambda: house.give(by=actor),  # noqa: B023
            lambda: water.withdraw_weighing(actor=actor, weighing=weighing),  # noqa: B023
            lambda: water.change_water(actor=actor, administration=given, values={}),  # noqa: B023
            lambda: restriction_service.restrict_water(actor=actor, values={"subject": "M1"}),  # noqa: B023
        ]
        for call in calls:
            with pytest.raises(Forbidden):
                call()


def test_a_rig_records_and_does_not_restrict(house: House) -> None:
    with pytest.raises(Forbidden):
        restriction_service.restrict_water(actor=house.rig, values={"subject": "M1"})
    row = house.restrict()
    with pytest.raises(Forbidden):
        restriction_service.end_restriction(actor=house.rig, restriction=row)
    with pytest.raises(Forbidden):
        restriction_service.withdraw_restriction(actor=house.rig, restriction=row)


def test_others_entries_are_withdrawn_by_those_who_may(house: House) -> None:
    given = house.give()
    with pytest.raises(Forbidden):
        water.withdraw_water(actor=house.person, administration=given)
    water.withdraw_water(actor=a_member(house.lab, Role.HEAD), administration=given)
    given.refresh_from_db()
    assert given.withdrawn_at


def test_water_in_a_session_of_the_animal_only(house: House) -> None:
    session = a_session(house.subject)
    assert house.give(session=session.pk).session_id == session.pk
    gone = a_session(house.subject, number=2, withdrawn_at=clock.now())
    for other in (a_session(), gone):
        with pytest.raises(Invalid) as refused:
            house.give(0.5, session=str(other.pk))
        assert "session" in refused.value.fields


def test_a_repeat_with_the_session_fills_it_in(house: House) -> None:
    given, session = house.give(), a_session(house.subject)
    assert given.session_id is None
    assert house.give(session=session.pk).session_id == session.pk


@pytest.mark.parametrize(("volume", "rule"), [(-0.5, "volume-implausible"), (800, "volume-implausible")])
def test_an_absurd_volume_of_a_rig_counts_nowhere(house: House, volume: float, rule: str) -> None:
    given = house.give(volume)
    assert not given.counts
    assert rules_of(given) == {rule}
    assert rules_of(house.give(None)) == {"water-without-volume"}


def test_the_type_of_water_is_that_of_the_last_restriction_else_water(house: House) -> None:
    assert str(house.give(water_type=None).water_type) == "Water"
    sweet = a_word(m.WaterType, "Water 10% Sucrose")
    a_restriction(house.subject, MORNING - timedelta(days=3), water_type=sweet)
    a_restriction(house.subject, MORNING - timedelta(days=9), water_type=a_word(m.WaterType))
    assert house.give(0.7).water_type == sweet
    assert str(house.give(0.6, water_type="Water").water_type) == "Water"
    with pytest.raises(Invalid) as refused:
        house.give(0.5, water_type="Beer")
    assert "water_type" in refused.value.fields


def test_water_is_changed_as_sent(house: House) -> None:
    given, session = house.give(), a_session(house.subject)
    changed = water.change_water(
        actor=house.rig,
        administration=given,
        values={
            "subject": "M1",
            "water_administered": 0.9,
            "session": session.pk,
            "date_time": MORNING + timedelta(hours=1),
        },
    )
    assert (changed.volume_ml, changed.session_id, changed.at_wall) == (0.9, session.pk, MORNING + timedelta(hours=1))
    assert changed.at == clock.wall_to_utc(changed.at_wall, changed.zone)
    assert changed.user == house.rig
    doubted = water.change_water(actor=house.rig, administration=given, values={"water_administered": 900})
    assert not doubted.counts
    assert "volume-implausible" in rules_of(doubted)
    a_subject(house.lab, "M2")
    with pytest.raises(Invalid, match="stays with its animal"):
        water.change_water(actor=house.rig, administration=given, values={"subject": "M2"})
    other = house.give(0.1)
    with pytest.raises(Invalid, match="same water"):
        water.change_water(
            actor=house.rig, administration=other, values={"water_administered": 900, "date_time": changed.at_wall}
        )


def test_a_restriction_begins_changes_and_ends(house: House) -> None:
    a_surgery(house.subject)
    house.weigh(25.0)
    row = house.restrict(reference_weight=25.0, water_type="", narrative="for training", minimum_water=1.0)
    assert (row.lab, row.zone, row.started_at) == (house.lab, house.lab.timezone, clock.wall_to_utc(MORNING, row.zone))
    assert list(row.users.all()) == [house.person]
    assert (row.reference_weight_g, row.minimum_water_ml, row.narrative) == (25.0, 1.0, "for training")
    assert not rules_of(row)
    assert Subject.objects.get().protocol_number == "3"
    kind = a_word(m.WaterType)
    changed = restriction_service.change_restriction(
        actor=house.person, restriction=row, values={"water_type": kind.name, "reference_weight": 24.9}
    )
    assert (changed.water_type, changed.reference_weight_g, changed.narrative) == (kind, 24.9, "for training")
    ended = restriction_service.end_restriction(
        actor=house.person, restriction=row, values={"end_time": MORNING + timedelta(days=3)}
    )
    assert ended.ended_at == clock.wall_to_utc(MORNING + timedelta(days=3), row.zone)
    assert Subject.objects.get().protocol_number == "2"
    with pytest.raises(Invalid, match="already"):
        restriction_service.end_restriction(actor=house.person, restriction=row)
    again = house.restrict(reference_weight=25.0, start_time=None)
    assert restriction_service.end_restriction(actor=house.person, restriction=again).ended_wall is not None
    third = house.restrict(reference_weight=25.0, start_time=None)
    restriction_service.withdraw_restriction(
        actor=house.person if house.subject.responsible_user else a_member(house.lab, Role.HEAD), restriction=third
    )
    assert Subject.objects.get().protocol_number == "2"


def test_a_protocol_number_of_the_labs_own_stays(house: House) -> None:
    Subject.objects.update(protocol_number="PPL-7")
    house.restrict()
    assert Subject.objects.get().protocol_number == "PPL-7"


def test_a_second_open_restriction(house: House) -> None:
    house.restrict(reference_weight=25.0)
    second = house.restrict(reference_weight=25.0, start_time=MORNING + timedelta(days=1))
    assert rules_of(second) == {"second-open-restriction"}
    with typing(confirmed=True), pytest.raises(Invalid, match="end that restriction first"):
        house.restrict(reference_weight=25.0, start_time=MORNING + timedelta(days=2))
    assert WaterRestriction.objects.count() == 2


def test_the_reference_weight_is_asked_for(house: House) -> None:
    assert rules_of(house.restrict(end_time=MORNING + timedelta(days=1))) == {"no-reference-weight"}
    with typing(), pytest.raises(Doubtful) as asked:
        house.restrict()
    assert set(asked.value.fields) == {"reference_weight"}
    a_weighing(house.subject, 25.0, MORNING - timedelta(days=8))
    with typing(), pytest.raises(Doubtful):
        house.restrict()
    a_weighing(house.subject, 25.0, MORNING - timedelta(days=7))
    with typing(), pytest.raises(Doubtful, match="from the last weighing"):
        house.restrict(reference_weight=30.0)
    with typing(), pytest.raises(Invalid, match="above 0"):
        house.restrict(reference_weight=0)
    with typing():
        assert house.restrict().reference_weight_g is None


def test_an_end_before_the_start(house: House) -> None:
    before = MORNING - timedelta(days=1)
    assert "restriction-ends-before-start" in rules_of(house.restrict(end_time=before))
    with typing(confirmed=True), pytest.raises(Invalid, match="ends"):
        house.restrict(end_time=before)


def test_the_dead_are_not_restricted(house: House) -> None:
    rows = [house.restrict(), a_restriction(house.subject, MORNING + timedelta(days=9))]
    Subject.objects.update(died_on=date(2026, 3, 12))
    end = datetime(2026, 3, 12, 15)
    ended = restriction_service.close_restrictions(actor=house.person, subject=house.subject, at_wall=end)
    assert [row.ended_wall for row in ended] == [end, rows[1].started_wall]
    assert ended[0].ended_at == clock.wall_to_utc(end, ended[0].zone)
    assert Subject.objects.get().protocol_number == "1"


@pytest.mark.django_db(transaction=True)
def test_racing_calls_give_one_row_and_no_error() -> None:
    house = House()
    for call in (house.weigh, house.give):
        rows = at_once([call] * 4)
        assert len({row.pk for row in rows}) == 1


@pytest.mark.django_db(transaction=True)
def test_racing_people_open_one_restriction() -> None:
    house = House()
    a_weighing(house.subject, 25.0, MORNING)

    def restrict() -> str:
        with typing():
            try:
                house.restrict()
            except Invalid:
                return "refused"
        return "made"

    assert sorted(at_once([restrict] * 3)) == ["made", "refused", "refused"]
