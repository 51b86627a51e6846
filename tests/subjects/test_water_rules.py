"""Weight and water, to the digit; no database."""

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.status import Status
from alyx.labs.percent import fraction
from subjects.rules import plausible
from subjects.rules.day import Case, Day, Restricted, Weighed
from subjects.rules.growth import Curve, curve_for, default_curves, weeks_old
from subjects.rules.implants import Implanted, latest_implant
from subjects.rules.policy import Held, Policy, Window, held, policy_on
from subjects.rules.water import Inputs, is_water_due, judged, numbers, protocol_number

BORN, START, DAY = date(2026, 1, 1), datetime(2026, 3, 12, 9), date(2026, 4, 23)
MORNING = datetime(2026, 4, 23, 9)


def a_case(**facts: Any) -> Case:
    """The male of the golden values: reference 26.5 g with an implant of 1.5 g, now 22.5 g; `zp`, `rp` and `w` for short."""
    policy = Held(facts.pop("rp", 0.0), facts.pop("zp", 0.0), facts.pop("floor", 0.75), "the test")
    weighed = Weighed(facts.pop("w", 22.5), MORNING)
    implant = Implanted(1.5, datetime(2026, 3, 1))
    sex = facts.get("sex", "M")
    values: dict[str, Any] = {
        "day": DAY, "policy": policy, "sex": sex, "born_on": BORN, "curve": curve_for(sex), "weighed": weighed,
        "implant": implant, "restricted": Restricted(START), "reference": Weighed(26.5, START),
        "reference_implant": implant, **facts,
    }  # fmt: skip
    return Case(**values)


def a_day(**facts: Any) -> Day:
    """Its numbers."""
    return judged([a_case(**facts)])[0]


FEMALE = {
    "sex": "F",
    "reference": None,
    "restricted": Restricted(START, 20.0),
    "reference_implant": None,
    "implant": Implanted(2.0, datetime(2026, 4, 1)),
    "w": 19.0,
}


@pytest.mark.parametrize(
    ("facts", "zw", "ew", "pct", "least", "water", "status"),
    [
        ({"zp": 0.8}, 29.359, 30.859, 71.53, 24.987, 1.05, Status.CRITICAL),
        ({"rp": 0.85}, 29.359, 26.5, 84.00, 22.75, 1.05, Status.FAILED),
        ({"rp": 0.425, "zp": 0.425, "w": 21.0}, 29.359, 28.679, 71.75, 24.6025, 0.975, Status.CRITICAL),
        ({"rp": 0.85, "w": 24.0}, 29.359, 26.5, 90.00, 22.75, 0.9, Status.FINE),
        ({"rp": 0.85, "w": 22.75}, 29.359, 26.5, 85.00, 22.75, 0.85, Status.WARNING),
        ({**FEMALE, "zp": 0.8}, 22.877, 24.877, 74.31, 20.302, 0.85, Status.CRITICAL),
    ],
)
def test_golden_values(
    facts: dict[str, Any], zw: float, ew: float, pct: float, least: float, water: float, status: Status
) -> None:
    day = a_day(**facts)
    assert day.zscored_g == pytest.approx(zw, abs=5e-4)
    assert day.expected_g == pytest.approx(ew, abs=5.1e-4)
    assert day.percentage == pytest.approx(pct, abs=5e-3)
    assert day.min_g == pytest.approx(least, abs=5.1e-4)
    assert day.expected_ml == pytest.approx(water, abs=1e-9)
    assert day.status is status
    assert not day.why_not


def test_golden_z_and_what_remains() -> None:
    day = a_day(rp=0.85, w=24.0, reward_ml=0.6, supplement_ml=0.2)
    assert day.z == pytest.approx(-0.3529, abs=5e-5)
    assert (day.given_ml, day.remaining_ml, day.excess_ml) == pytest.approx((0.8, 0.1, -0.1))


@pytest.mark.parametrize(
    ("weight", "status"),
    [(21.25 + 1.5 - 0.01, "failed"), (22.75, "warning"), (23.24, "warning"), (23.26, "fine"), (20.24, "critical")],
)
def test_status_by_threshold_margin_and_floor(weight: float, status: str) -> None:
    assert a_day(rp=0.85, w=weight).status == status


def test_without_a_threshold_only_water_is_known() -> None:
    day = a_day(rp=0.0, zp=0.0)
    assert (day.expected_g, day.min_g, day.percentage) == (None, None, None)
    assert day.expected_ml == pytest.approx(0.04 * 21.0)
    assert day.status is Status.NEUTRAL
    assert "no threshold" in day.why_not["percentage"]


@pytest.mark.parametrize(
    ("facts", "word"),
    [({"sex": "U"}, "sex"), ({"born_on": None}, "birth date"), ({"born_on": date(2026, 4, 1)}, "before its birth")],
)
def test_an_unknown_sex_or_birth_takes_the_z_score_only(facts: dict[str, Any], word: str) -> None:
    day = a_day(zp=0.8, **facts)
    assert (day.expected_g, day.percentage, day.zscored_g) == (None, None, None)
    assert word in day.why_not["expected_g"]
    assert day.explained()["zscored_g"].why_not == day.why_not["expected_g"]
    assert a_day(rp=0.85, **facts).percentage == pytest.approx(84.0)


def test_not_restricted_is_neutral_and_has_no_reference() -> None:
    day = a_day(rp=0.85, restricted=None, reference=None, reference_implant=None)
    assert day.status is Status.NEUTRAL
    assert (day.reference_g, day.percentage, day.remaining_ml) == (None, None, None)
    assert day.expected_ml == pytest.approx(0.84)


def test_the_reference_weighing_is_at_most_a_week_older() -> None:
    old = a_day(rp=0.85, reference=Weighed(26.5, START - timedelta(days=7)))
    assert old.reference_g == 26.5
    older = a_day(rp=0.85, reference=Weighed(26.5, START - timedelta(days=8)))
    assert older.reference_g is None
    assert "7 days" in older.why_not["percentage"]


@pytest.mark.parametrize("entered", [None, 0.0, -3.0])
def test_an_entered_reference_comes_first_unless_it_is_none(entered: float | None) -> None:
    assert a_day(rp=0.85, restricted=Restricted(START, 25.0)).reference_g == 25.0
    assert a_day(rp=0.85, restricted=Restricted(START, entered)).reference_g == 26.5


def test_an_implant_like_a_body_weight_is_not_believed() -> None:
    day = a_day(rp=0.85, implant=Implanted(4.5, START))
    numbers_of = (day.implant_g, day.expected_g, day.percentage, day.expected_ml, day.remaining_ml)
    assert numbers_of == (None,) * 5
    assert "20%" in day.why_not["expected_ml"]
    assert a_day(rp=0.85, implant=Implanted(4.4, START)).percentage is not None
    assert a_day(rp=0.85, reference_implant=Implanted(21.0, START)).percentage is None


def test_implants_replace_each_other() -> None:
    def said(*values: float | None) -> float | None:
        surgeries = [(START + timedelta(days=at), value, None) for at, value in enumerate(values)]
        found = latest_implant([*surgeries, (None, 9.0, None)], START.date() + timedelta(days=5))
        return found.implant_g if found else None

    assert said() is None
    assert said(1.5, 0.5) == 0.5
    assert said(1.5, None) == 1.5
    assert said(1.5, 0.0) == 0.0
    assert said(1.5, *[None] * 5, 3.0) == 1.5


def test_no_weighing_is_a_normal_case() -> None:
    day = a_day(rp=0.85, weighed=None)
    assert (day.weight_g, day.percentage, day.expected_ml, day.remaining_ml) == (None,) * 4
    assert "no weighing" in day.why_not["percentage"]
    assert day.min_g == pytest.approx(22.75)


def test_an_adlib_day_has_no_rest() -> None:
    day = a_day(rp=0.85, is_adlib=True)
    assert (day.remaining_ml, day.excess_ml) == (None, None)
    assert "ad libitum" in day.why_not["remaining_ml"]
    assert not is_water_due(day, last_given_at=None, restricted_at=START, now=MORNING)


def test_water_is_due_after_23_hours_and_not_on_the_first_day() -> None:
    day = a_day(rp=0.85)

    def due(hours: float | None, since_start: float = 500.0, of: Day = day) -> bool:
        given_at = MORNING - timedelta(hours=hours) if hours is not None else None
        began = MORNING - timedelta(hours=since_start)
        return is_water_due(of, last_given_at=given_at, restricted_at=began, now=MORNING)

    assert due(23)
    assert not due(22.9)
    assert due(None)
    assert not due(None, since_start=22)
    assert not due(23, of=a_day(rp=0.85, supplement_ml=2.0))
    first = judged(
        [replace(a_case(rp=0.85), restricted=Restricted(MORNING), weighed=None, reference=Weighed(24, START))]
    )
    assert not first[0].is_weighing_missing
    assert not due(30, of=a_day(rp=0.85, restricted=Restricted(MORNING - timedelta(hours=1), 24.0)))


def test_a_weighing_is_missing_from_the_second_day() -> None:
    assert not a_day().is_weighing_missing
    assert a_day(weighed=Weighed(22.0, MORNING - timedelta(days=1))).is_weighing_missing
    assert not a_day(weighed=None, restricted=None).is_weighing_missing


def test_every_number_is_explained_with_its_sources() -> None:
    explained = a_day(rp=0.425, zp=0.425, w=21.0).explained()
    said = {entry.source for one in explained.values() for entry in one.inputs}
    assert {"weighing of 2026-04-23 09:00", "surgery of 2026-03-01", "the test"} <= said
    assert any("16 weeks" in source for source in said)
    for one in explained.values():
        assert one.formula
        assert (one.value is None) == bool(one.why_not)


def test_every_missing_number_says_why() -> None:
    for facts in (
        {"weighed": None},
        {"restricted": None},
        {"sex": "U", "zp": 0.8},
        {"implant": Implanted(20.0, START)},
    ):
        day = a_day(**facts)
        for name in ("weight_g", "implant_g", "expected_g", "min_g", "percentage", "expected_ml", "remaining_ml"):
            assert (getattr(day, name) is None) == (name in day.why_not), name


@pytest.mark.parametrize(
    ("restricted", "surgery", "number"), [(True, True, "3"), (False, True, "2"), (False, False, "1")]
)
def test_protocol_number(restricted: bool, surgery: bool, number: str) -> None:
    assert protocol_number(is_restricted=restricted, has_surgery=surgery) == number


def test_growth_is_clamped_and_a_strain_has_its_own() -> None:
    male = default_curves()["M"]
    assert male.at(0)[0] == male.at(4)[0] == 15.7
    last = male.weeks[-1]
    assert male.at(last + 100)[0] == male.at(last)[0]
    assert math.isnan(male.at(float("nan"))[0])
    own = Curve.of("own", [(10, 30.0, 2.0), (4, 12.0, 1.0)])
    assert curve_for("M", {"M": own}) is own
    assert curve_for("F", {"M": own}) is default_curves()["F"]
    assert curve_for("U", {"M": own}) is None
    assert weeks_old(BORN, BORN + timedelta(days=13)) == 1.0


@pytest.mark.parametrize(("typed", "meant"), [(0.85, 0.85), (85, 0.85), (1, 1.0), (0, 0.0), (100, 1.0)])
def test_percentages_above_one_are_per_cent(typed: float, meant: float) -> None:
    assert fraction(typed) == meant


@pytest.mark.parametrize("typed", [-0.1, 101, math.nan, math.inf])
def test_what_is_no_part_is_refused(typed: float) -> None:
    with pytest.raises(ValueError, match=r"fraction|number"):
        fraction(typed)


def test_a_day_is_judged_by_its_policy_and_window() -> None:
    fallback = Policy(0.5, 0.0)
    early = Policy(0.8, 0.0, from_on=None)
    windows = (
        Window("first days", first_day=0, last_day=6, reference_pct=0.75),
        Window("Easter", from_on=date(2026, 4, 3), to_on=date(2026, 4, 6), zscore_pct=0.1, floor=0.7),
    )
    late = Policy(0.85, 0.0, from_on=date(2026, 4, 1), windows=windows)
    policies = [late, early]
    assert policy_on([], fallback, DAY) is fallback
    assert policy_on(policies, fallback, date(2026, 3, 31)) is early
    assert policy_on(policies, fallback, date(2026, 4, 1)) is late

    def numbers_on(day: date, since: date | None) -> tuple[float, float, float]:
        found = held(policy_on(policies, fallback, day), day, since)
        return found.reference_pct, found.zscore_pct, found.floor

    assert numbers_on(date(2026, 4, 20), None) == (0.85, 0.0, 0.75)
    assert numbers_on(date(2026, 4, 20), date(2026, 4, 14)) == (0.75, 0.0, 0.75)
    assert numbers_on(date(2026, 4, 20), date(2026, 4, 13)) == (0.85, 0.0, 0.75)
    assert numbers_on(date(2026, 4, 6), None) == (0.85, 0.1, 0.7)
    assert "first days" in held(late, date(2026, 4, 20), date(2026, 4, 20)).source
    assert held(Policy(-3.0, 850.0), DAY, None).threshold == 0


def test_weights_and_volumes_that_cannot_be() -> None:
    assert plausible.weight_is_absurd(0)
    assert plausible.weight_is_absurd(-2)
    assert plausible.weight_is_absurd(245.0)
    assert not plausible.weight_is_absurd(24.5, "Mus musculus")
    assert not plausible.weight_is_absurd(245.0, "Rattus norvegicus")
    assert plausible.volume_is_absurd(-0.1)
    assert plausible.volume_is_absurd(800.0)
    assert not plausible.volume_is_absurd(0.8)


@pytest.mark.parametrize(
    ("weight", "hours", "jumps"),
    [(27.0, 5, False), (27.1, 5, True), (22.9, 24, True), (22.9, 48, False), (42, 2000, True)],
)
def test_jumps_of_weight(weight: float, hours: float, jumps: bool) -> None:
    assert bool(plausible.weight_jumps(weight, MORNING, 25.0, MORNING - timedelta(hours=hours))) is jumps


def test_a_reference_far_from_the_last_weighing() -> None:
    assert plausible.reference_is_far(30.0, 25.0)
    assert not plausible.reference_is_far(27.5, 25.0)
    assert not plausible.reference_is_far(30.0, None)


weights = st.floats(-5, 80)
parts = st.floats(0, 1)


def _numbers(weight: Any, **changes: Any) -> Any:
    values = {
        "implant": 1.5, "reference": 26.5, "reference_implant": 1.5, "mean_then": 25.9, "sd_then": 2.5,
        "mean_now": 30.0, "sd_now": 2.7, "reference_pct": 0.4, "zscore_pct": 0.4, "floor": 0.75, **changes,
    }  # fmt: skip
    return numbers(Inputs.of(weight=weight, **values))


@given(st.lists(weights, min_size=1, max_size=20), parts, parts, st.floats(0, 10), st.booleans())
def test_water_is_never_negative(found: list[float], rp: float, zp: float, implant: float, restricted: bool) -> None:
    water = _numbers(found, implant=implant, reference_pct=rp, zscore_pct=zp, is_restricted=restricted).expected_ml
    assert (water >= 0).all()


@given(weights, weights, parts, parts)
def test_the_percentage_rises_with_the_weight(one: float, other: float, rp: float, zp: float) -> None:
    low, high = _numbers(sorted([one, other]), reference_pct=rp, zscore_pct=zp).percentage
    assert (math.isnan(low) and math.isnan(high)) or low <= high


@given(weights, weights, parts, parts, parts)
def test_no_heavier_animal_stands_worse(one: float, other: float, rp: float, zp: float, floor: float) -> None:
    light, heavy = _numbers(sorted([one, other]), reference_pct=rp, zscore_pct=zp, floor=floor).status
    assert heavy <= light


@given(st.lists(st.tuples(weights, parts, st.sampled_from("MFU")), max_size=12))
def test_many_at_once_are_as_each_alone(found: list[tuple[float, float, str]]) -> None:
    cases = [a_case(w=w, zp=zp, rp=0.1, sex=sex) for w, zp, sex in found]
    assert judged(cases) == [judged([case])[0] for case in cases]


@given(st.integers(-500, 5000))
def test_ages_beyond_the_curve_are_its_ends(days: int) -> None:
    for curve in default_curves().values():
        mean, sd = curve.at(days / 7)
        assert curve.means.min() <= mean <= curve.means.max()
        assert sd > 0
