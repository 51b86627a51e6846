"""Arithmetic and shapes of surgeries, tried on many inputs."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.status import Status
from subjects.rules.surgery import (
    SCORE_SHEET,
    Done,
    check_days,
    completed_injection,
    contradicting_injection,
    dose_given,
    implausible_implant,
    missing_at_end,
    overdose,
    score_faults,
    score_of,
    volume_of,
)
from subjects.rules.template import days_after, sheet_of, template_faults

DOSE, WEIGHT, STRENGTH = st.floats(0.01, 500), st.floats(5, 60), st.floats(0.01, 500)
SHEET = st.lists(st.integers(1, 10), min_size=1, max_size=6).map(
    lambda highest: [{"key": f"k{at}", "question": "?", "highest": most} for at, most in enumerate(highest)]
)


def test_carprofen_for_a_mouse() -> None:
    volume = volume_of(5, 24, 1)
    assert volume is not None
    assert (volume.exact_ml, volume.ml) == (0.12, 0.12)
    assert volume.explained == "5 mg/kg × 24 g / 1000 / 1 mg/mL = 0.12 mL, drawn up 0.12 mL"


def test_halves_of_a_mark_are_drawn_up_upwards() -> None:
    assert [getattr(volume_of(dose, 25, 1), "ml", None) for dose in (5, 5.2, 0.2, 0.1)] == [0.13, 0.13, 0.01, 0.0]


@given(DOSE, WEIGHT, STRENGTH)
def test_what_is_drawn_up_is_within_half_a_mark_and_is_the_dose(dose: float, weight: float, strength: float) -> None:
    volume = volume_of(dose, weight, strength)
    assert volume is not None
    exact = Decimal(dose) * Decimal(weight) / 1000 / Decimal(strength)
    assert abs(exact - Decimal(volume.exact_ml)) <= exact * Decimal("1e-12")
    assert abs(volume.ml - volume.exact_ml) <= 0.005 + 1e-9
    assert dose_given(volume.exact_ml, weight, strength) == pytest.approx(dose)


@given(DOSE, DOSE, WEIGHT, STRENGTH)
def test_a_higher_dose_is_never_a_smaller_volume(one: float, other: float, weight: float, strength: float) -> None:
    less, more = (volume_of(dose, weight, strength) for dose in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert less.ml <= more.ml


@pytest.mark.parametrize("bad", [None, 0, -1, float("nan"), float("inf")])
def test_without_sensible_inputs_there_is_no_volume(bad: Any) -> None:
    assert volume_of(bad, 25, 1) is volume_of(5, bad, 1) is volume_of(5, 25, bad) is None


@pytest.mark.parametrize(
    ("dose", "highest", "asks"), [(5, 5, False), (5.01, 5, True), (None, 5, False), (50, None, False)]
)
def test_a_dose_above_the_highest_is_asked_about(dose: Any, highest: Any, asks: bool) -> None:
    assert (overdose(dose, highest) is not None) is asks


@pytest.mark.parametrize(
    ("implant", "body", "asks"),
    [
        (1.5, 25, False),
        (5, 25, True),
        (4.99, 25, False),
        (24, 25, True),
        (-1, 25, True),
        (0, 25, False),
        (3, None, False),
        (None, 25, False),
    ],
)
def test_a_body_weight_is_no_implant_weight(implant: Any, body: Any, asks: bool) -> None:
    assert (implausible_implant(implant, body) is not None) is asks


@given(st.floats(1, 5000), st.floats(1, 500))
def test_the_third_of_volume_rate_and_duration_follows_and_agrees(volume: float, rate: float) -> None:
    duration = completed_injection(volume, rate, None)["duration_min"]
    assert completed_injection(None, rate, duration)["volume_nl"] == pytest.approx(volume)
    assert completed_injection(volume, None, duration)["rate_nl_per_min"] == pytest.approx(rate)
    assert contradicting_injection(volume, rate, duration) is None
    assert contradicting_injection(volume, rate, duration * 1.2) is not None
    assert completed_injection(volume, rate, duration) == completed_injection(volume, None, None) == {}


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.lists(st.integers(-3, 60)))
def test_checks_come_once_a_day_in_order_and_never_before_the_end(end: date, days: list[int]) -> None:
    due = check_days(end, days)
    assert due == sorted(set(due))
    assert all(day >= end for day in due)
    assert {(day - end).days for day in due} == {one for one in days if one >= 0}


def test_unless_somebody_says_more_the_next_three_days_are_checked() -> None:
    end = date(2026, 3, 9)
    assert check_days(end) == [end + timedelta(days=after) for after in (1, 2, 3)]


@given(SHEET, st.data())
def test_a_worse_score_never_looks_better(sheet: list[dict[str, Any]], data: Any) -> None:
    order = [Status.FINE, Status.WARNING, Status.CRITICAL]
    scores = {item["key"]: data.draw(st.integers(0, item["highest"])) for item in sheet}
    one = data.draw(st.sampled_from(sheet))
    worse = {**scores, one["key"]: data.draw(st.integers(scores[one["key"]], one["highest"]))}
    before, after = score_of(sheet, scores), score_of(sheet, worse)
    assert before.total <= after.total <= after.highest
    assert order.index(before.status) <= order.index(after.status)
    assert score_faults(sheet, scores) == {}


def test_what_scores_mean() -> None:
    sheet = list(SCORE_SHEET)
    keys = [item["key"] for item in sheet]
    assert score_of(sheet, {}).status == Status.NEUTRAL
    assert score_of(sheet, dict.fromkeys(keys, 0)).status == Status.FINE
    assert score_of(sheet, {**dict.fromkeys(keys, 0), "wound": 1}).status == Status.FINE
    assert score_of(sheet, {**dict.fromkeys(keys, 0), "wound": 2}).status == Status.WARNING
    assert score_of(sheet, dict.fromkeys(keys, 1)).status == Status.WARNING
    assert score_of(sheet, {"wound": 3}).status == Status.CRITICAL
    assert score_of(sheet, {"wound": 1}).unanswered == ("activity", "posture", "eating")


def test_scores_that_are_not_on_the_sheet_are_named() -> None:
    faults = score_faults(SCORE_SHEET, {"wound": 4, "posture": True, "coat": 1, "activity": None, "eating": 0})
    assert set(faults) == {"wound", "posture", "coat"}
    assert "from 0 to 3" in faults["wound"]


def test_what_is_missing_at_the_end() -> None:
    assert set(missing_at_end(Done())) == {"start_time", "end_time", "users", "procedures", "outcome_type", "drugs"}
    whole: dict[str, Any] = {
        "started": True,
        "ended": True,
        "outcome": "r",
        "procedures": 1,
        "surgeons": 1,
        "analgesia": True,
    }
    assert missing_at_end(Done(**whole)) == {}
    assert set(missing_at_end(Done(**whole, leaves_something=True))) == {"implant_weight"}
    assert missing_at_end(Done(**whole, leaves_something=True, implant_weight_g=0.0)) == {}
    assert missing_at_end(Done(**{**whole, "outcome": "n"}, leaves_something=True)) == {}


GOOD = {
    "procedures": ["Headplate implant"],
    "drugs": [{"drug": "carprofen", "dose_mg_per_kg": 5, "route": "SC"}],
    "parts": [{"part": "headplate", "cement": "Super-Bond"}, {"part": "implant", "kind": "probe", "ap_mm": -2.5}],
    "implant_weight_g": 1.5,
    "location": "surgery room",
    "outcome_type": "r",
    "post_op_days": [1, 2, 7],
    "score_sheet": [{"key": "wound", "question": "Wound", "highest": 3}],
}


def test_a_whole_template_has_no_fault() -> None:
    assert template_faults(GOOD) == {}
    assert days_after(GOOD) == [1, 2, 7]
    assert sheet_of(GOOD) == GOOD["score_sheet"]
    assert (days_after({}), days_after({"post_op_days": []})) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], "content"),
        ({"procedure": []}, "procedure"),
        ({"procedures": "Headplate"}, "procedures"),
        ({"procedures": [3]}, "procedures[0]"),
        ({"drugs": [{}]}, "drugs[0].drug"),
        ({"drugs": [{"drug": "x", "route": "nose"}]}, "drugs[0].route"),
        ({"drugs": [{"drug": "x", "dose_mg_per_kg": -1}]}, "drugs[0].dose_mg_per_kg"),
        ({"drugs": [{"drug": "x", "mg": 1}]}, "drugs[0].mg"),
        ({"parts": [{"part": "leg"}]}, "parts[0].part"),
        ({"parts": [{"part": []}]}, "parts[0].part"),
        ({"parts": [{"part": "headplate", "ap_mm": 1}]}, "parts[0].ap_mm"),
        ({"parts": [{"part": "craniotomy", "shape": "star"}]}, "parts[0].shape"),
        ({"implant_weight_g": "heavy"}, "implant_weight_g"),
        ({"implant_weight_g": float("nan")}, "implant_weight_g"),
        ({"outcome_type": "x"}, "outcome_type"),
        ({"post_op_days": [1.5]}, "post_op_days[0]"),
        ({"post_op_days": [True]}, "post_op_days[0]"),
        ({"score_sheet": [{"key": "a", "question": "?", "highest": 0}]}, "score_sheet[0].highest"),
        ({"score_sheet": [{"key": "a", "question": "?", "highest": 1}] * 2}, "score_sheet[1].key"),
    ],
)
def test_a_fault_names_its_key(content: Any, where: str) -> None:
    faults = template_faults(content)
    assert set(faults) == {where}
    assert faults[where].startswith(f"{where}:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "part", "drug", "x"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_judged_and_what_passes_can_be_used(content: Any) -> None:
    if not template_faults(content):
        check_days(date(2026, 3, 9), days_after(content))
        score_of(sheet_of(content), {})
