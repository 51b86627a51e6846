"""The tablet's arithmetic is the server's: thousands of cases, worked out by both, compared number by number."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from subjects.queries.round import RULES, case_of
from subjects.rules import plausible
from subjects.rules.day import Case, Day, Restricted, Weighed
from subjects.rules.growth import curve_for
from subjects.rules.implants import Implanted
from subjects.rules.policy import Held
from subjects.rules.water import judged

BUILT = Path("alyx/static/bench/weigh-rules.js").resolve()
NUMBERS = ("implant_g", "zscored_g", "expected_g", "percentage", "min_g", "warning_g", "floor_g", "expected_ml",
           "given_ml", "remaining_ml", "excess_ml")  # fmt: skip
CASES = 3000


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page with the built rules in it."""
    page = browser.new_page()
    source = BUILT.read_text()
    page.goto("about:blank")
    page.evaluate(
        "async source => { window.rules = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'}))); }",
        source,
    )
    yield page
    page.close()


def some_case(chance: random.Random) -> Case:
    """A likely or unlikely animal."""
    today = date(2026, 4, 23)
    born = chance.choice([None, today - timedelta(days=chance.randint(-3, 900))])
    began = datetime.combine(today - timedelta(days=chance.choice([0, 0, 1, 7, 8, 40, 200])), datetime.min.time())
    sex = chance.choice("MFU")

    def weighed(latest: date) -> Weighed | None:
        on = datetime.combine(latest - timedelta(days=chance.choice([0, 0, 1, 6, 7, 8])), datetime.min.time())
        return chance.choice([None, *[Weighed(round(chance.uniform(0.3, 40), chance.randint(0, 3)), on)] * 5])

    def implant() -> Implanted | None:
        return chance.choice([None, Implanted(chance.choice([0.0, 1.5, 2.0, chance.uniform(0, 9)]), began)])

    policy = chance.choice([(0.85, 0.0), (0.0, 0.8), (0.425, 0.425), (0.0, 0.0), (chance.random(), chance.random())])
    restricted = chance.choice(
        [None, *[Restricted(began, chance.choice([None, 0.0, 26.5, chance.uniform(1, 40)]))] * 4]
    )
    return Case(
        day=today,
        policy=Held(*policy, floor=chance.choice([0.75, 0.75, 0.0, chance.random()])),
        sex=sex,
        born_on=born,
        curve=curve_for(sex),
        weighed=weighed(today),
        implant=implant(),
        restricted=restricted,
        reference=weighed(began.date()) if restricted else None,
        reference_implant=implant() if restricted else None,
        reward_ml=round(chance.uniform(0, 1.5), 3),
        supplement_ml=chance.choice([0.0, round(chance.uniform(0, 1.5), 2)]),
        is_adlib=chance.random() < 0.1,
    )


def typed_into(case: Case, weight: float) -> Case:
    """The case as the server sees it once that weight of the day is stored."""
    now = Weighed(weight, datetime.combine(case.day, datetime.max.time()))
    begins_today = case.restricted is not None and case.restricted.started_wall.date() == case.day
    return replace(case, weighed=now, reference=now if begins_today else case.reference)


def on_a_threshold(case: Case, chance: random.Random) -> float:
    """A weight exactly where a colour changes, where there is such a place."""
    [day] = judged([case])
    found = [value for value in (day.min_g, day.warning_g, day.floor_g, day.expected_g) if value and value > 0.5]
    return chance.choice(found) if found else 20.0


def same(ours: dict[str, Any], theirs: Day) -> list[str]:
    """What differs."""
    wrong = [] if ours["status"] == theirs.status.value else [f"status {ours['status']} {theirs.status}"]
    for name in NUMBERS:
        one, other = ours[name], getattr(theirs, name)
        if (one is None) != (other is None) or (
            one is not None and not math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
        ):
            wrong.append(f"{name} {one} {other}")
    return wrong


def test_each_number_and_colour_is_the_servers(page: Page) -> None:
    chance = random.Random(20260423)
    cases = [some_case(chance) for _ in range(CASES)]
    given = [case_of(case) for case in cases]
    ours = page.evaluate("([cases, rules]) => cases.map(one => window.rules.judge(one, rules))", [given, RULES])
    theirs = judged(cases)
    wrong = [
        (given[at], found)
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True))
        if (found := same(one, other))
    ]
    assert not wrong, (len(wrong), json.dumps(wrong[0], default=str))
    seen = {day.status.value for day in theirs}
    assert seen == {"neutral", "fine", "warning", "failed", "critical"}
    assert sum(day.remaining_ml is not None for day in theirs) > CASES / 4


def test_a_weight_that_is_typed_gives_what_the_server_will_say(page: Page) -> None:
    chance = random.Random(20260424)
    cases = [some_case(chance) for _ in range(CASES)]
    weights = [
        on_a_threshold(case, chance) if chance.random() < 0.5 else round(chance.uniform(0.5, 40), 2) for case in cases
    ]
    given = [[case_of(case), weight] for case, weight in zip(cases, weights, strict=True)]
    call = "([cases, rules]) => cases.map(([one, g]) => window.rules.judge(window.rules.withWeight(one, g), rules))"
    ours = page.evaluate(call, [given, RULES])
    theirs = judged([typed_into(case, weight) for case, weight in zip(cases, weights, strict=True)])
    wrong = [
        (given[at], found)
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True))
        if (found := same(one, other))
    ]
    assert not wrong, (len(wrong), json.dumps(wrong[0], default=str))


def test_the_same_weights_are_doubted(page: Page) -> None:
    chance = random.Random(20260425)
    asked: list[list[Any]] = []
    expected: list[list[bool]] = []
    start = datetime(2026, 4, 1, 9, 0)
    for _ in range(CASES):
        previous = round(chance.uniform(0, 40), 2)
        factor = 1 + chance.choice([-1, 1]) * chance.choice(
            [0.0, 0.0799999, 0.08, 0.0800001, 0.16, 0.5, chance.random()]
        )
        weight = chance.choice([previous * factor, 0.0, 0.5, 100.0, 100.01, -1.0])
        then = start + timedelta(seconds=chance.choice([0, 3600, 86_400, 86_401, 2 * 86_400, 20 * 86_400]))
        species = chance.choice(["", "Mus musculus", "Rattus norvegicus"])
        is_mouse = plausible.is_mouse(species)
        most = plausible.MOST_G if is_mouse else plausible.MOST_G_OTHERS
        asked.append([weight, then.isoformat(), previous, start.isoformat(), most, "a mouse" if is_mouse else species])
        expected.append(
            [
                bool(plausible.weight_is_absurd(weight, species)),
                bool(plausible.weight_jumps(weight, then, previous, start)),
            ]
        )
    call = """([cases, rules]) => cases.map(([g, wall, before, beforeWall, most, species]) => [
        window.rules.weightIsAbsurd(g, most, species, rules) !== "",
        window.rules.weightJumps(g, wall, before, beforeWall, rules) !== ""])"""
    assert page.evaluate(call, [asked, RULES]) == expected
    assert 200 < sum(jumps for _, jumps in expected) < CASES - 200


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("23.4", 23.4), ("23,4", 23.4), (" 23.41 g", 23.41), ("ST,GS,+0023.41g", 23.41), ("+   23.4 g  ", 23.4), (",5", 0.5),
        ("23", 23), ("-1,2", -1.2), ("M1", None), ("1,234.5", None), ("", None), ("12a", None), ("1e3", None), ("--1", None),
        ("cage:12", None), ("23.4 kg", None),
    ],
)  # fmt: skip
def test_numbers_are_read_with_commas_and_from_scales(text: str, grams: float | None, page: Page) -> None:
    found = page.evaluate("text => window.rules.gramsIn(text) ?? null", text)
    assert found == grams


def test_codes_mean_animals_and_cages(page: Page) -> None:
    known = [
        {"id": "a2b4c6d8-0000-4000-8000-000000000001", "nickname": "KS_001", "cage": "12", "lab": "a", "zone": "UTC"},
        {
            "id": "a2b4c6d8-0000-4000-8000-000000000002",
            "nickname": "KS_002",
            "cage": "Rack 7",
            "lab": "a",
            "zone": "UTC",
        },
        {"id": "a2b4c6d8-0000-4000-8000-000000000003", "nickname": "ks_001", "cage": "", "lab": "b", "zone": "UTC"},
    ]
    page_address = "https://x.org/admin/subjects/subject/A2B4C6D8-0000-4000-8000-000000000002/change/"
    expected = {
        page_address: "KS_002",
        "ks_002": "KS_002",
        "mouse: KS_002": "KS_002",
        "KS_001": None,
        "cage:12": "12",
        "rack 7": "Rack 7",
        "https://x.org/weigh/?cage=Rack%207": "Rack 7",
        "cage: 99": "99",
        "nobody": None,
        "": None,
    }
    call = "([code, known]) => { const found = window.rules.meant(code, known); return found?.animal?.nickname ?? found?.cage ?? null }"
    assert {code: page.evaluate(call, [code, known]) for code in expected} == expected
    assert (
        page.evaluate("([code, known]) => window.rules.meant(code, known, 'b').animal.id", ["KS_001", known])
        == known[2]["id"]
    )
