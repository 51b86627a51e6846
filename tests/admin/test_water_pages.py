"""Pages of weight and water: the history explains its numbers, the round saves row by row, the week says what is due."""

from datetime import date, datetime, time, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from alyx.core.clock import now, utc_to_wall
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Role, WelfarePolicy
from subjects.models import GrowthPoint, Strain, Subject, WaterAdministration, WaterRestriction, Weighing
from tests.admin.conftest import logged_in
from tests.admin.pages import Rows, url
from tests.factories import a_lab, a_member, a_session, a_subject
from tests.factories.animals import a_policy, a_restriction, a_surgery, a_water, a_weighing, a_word

pytestmark = pytest.mark.django_db
ROUND, TRAINING = "/admin/subjects/weighing/round/", "/admin/training/"
QUERIES_AT_MOST = 15


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def page_of(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def history(subject: Subject) -> str:
    return reverse("admin:water_history", args=[subject.pk])


def today(lab: Lab) -> date:
    return utc_to_wall(now(), lab.timezone).date()


def at(day: date, hour: int = 9) -> datetime:
    return datetime.combine(day, time(hour))


def a_restricted(lab: Lab, days: int = 5, **columns: Any) -> Subject:
    """Restricted since so many days, weighed at the start."""
    subject = a_subject(lab, **columns)
    start = at(today(lab) - timedelta(days=days))
    a_weighing(subject, 25.0, start)
    a_restriction(subject, start, reference_weight_g=25.0)
    return subject


# The history.


@pytest.fixture
def golden(rows: Rows) -> Subject:
    """The male of the welfare rules: weighed with 22.5 g in week 16, implant 1.5 g, judged by 85 % of the reference."""
    a_policy(rows.lab, reference_weight_pct=0.85, zscore_weight_pct=0.0)
    subject = a_subject(rows.lab, sex="M", born_on=date(2026, 1, 1))
    a_surgery(subject, datetime(2026, 3, 10, 9), implant_weight_g=1.5)
    a_weighing(subject, 26.5, datetime(2026, 3, 12, 8))
    a_restriction(subject, datetime(2026, 3, 12, 9))
    a_weighing(subject, 22.5, datetime(2026, 4, 23, 9))
    session = a_session(subject, start=datetime(2026, 4, 23, 10))
    a_water(subject, 0.6, datetime(2026, 4, 23, 11), session_id=session.pk)
    a_water(subject, 0.2, datetime(2026, 4, 23, 18), user=rows.member(Role.EXPERIMENTER))
    return subject


def cells(client: Client, subject: Subject, day: str) -> dict[str, Any]:
    """The numbers of a day by their column."""
    answer: Any = client.get(history(subject), {"from": "2026-03-01", "to": day})
    row = next(row for row in answer.context["rows"] if str(row.get("day")) == day)
    return {cell["key"].removesuffix(f"-{day}"): cell for cell in row["cells"]}


def test_the_table_shows_the_golden_numbers(golden: Subject, root: Client) -> None:
    shown = {name: cell["text"] for name, cell in cells(root, golden, "2026-04-23").items()}
    assert shown == {
        "weight_g": "22.5", "implant_g": "1.5", "expected_g": "26.5", "min_g": "22.8", "percentage": "84.0",
        "expected_ml": "1.05", "reward_ml": "0.60", "supplement_ml": "0.20", "remaining_ml": "0.25",
    }  # fmt: skip


def test_every_number_leads_to_the_records_it_came_from(golden: Subject, root: Client) -> None:
    page = page_of(root, history(golden), **{"from": "2026-04-20", "to": "2026-04-23"})
    weighing = Weighing.objects.get(subject=golden, weight_g=22.5)
    surgery, restriction = golden.surgery_set.get(), golden.waterrestriction_set.get()
    why = page[page.index('id="percentage-2026-04-23"') :]
    why = why[: why.index("</table>")]
    assert "100·(w − iw)/(ew − iw)" in why
    assert url(Weighing, "change", weighing.pk) in why
    assert url(type(surgery), "change", surgery.pk) in why
    assert 'popovertarget="expected_g-2026-04-23"' in why
    assert url(Weighing, "change", Weighing.objects.get(subject=golden, weight_g=26.5).pk) in page
    assert url(WelfarePolicy, "change", WelfarePolicy.objects.get().pk) in page
    for water in golden.wateradministration_set.all():
        assert url(WaterAdministration, "change", water.pk) in page
    assert restriction.started_wall.strftime("%Y-%m-%d") in page


def test_each_stretch_of_days_names_its_protocol_and_policy(golden: Subject, root: Client) -> None:
    a_policy(golden.lab, from_on=date(2026, 4, 1), reference_weight_pct=0.8)
    answer: Any = root.get(history(golden), {"from": "2026-03-08", "to": "2026-04-23"})
    lines = [(row["protocol"], row["policy"]) for row in answer.context["rows"] if "policy" in row]
    lab = golden.lab.name
    assert lines == [
        ("3", f"policy of lab {lab} from 2026-04-01"),
        ("3", f"policy of lab {lab}, from the beginning"),
        ("2", f"policy of lab {lab}, from the beginning"),
        ("1", f"policy of lab {lab}, from the beginning"),
    ]


def test_every_button_of_the_table_has_its_explanation(golden: Subject, root: Client) -> None:
    page = page_of(root, history(golden), **{"from": "2026-04-01", "to": "2026-04-30"})
    wanted = {part.split('"')[0] for part in page.split('popovertarget="')[1:]}
    there = {part.split('"')[0] for part in page.split('<div popover id="')[1:]}
    assert wanted
    assert wanted <= there


def test_the_plot_has_the_same_days_with_who_entered_what(golden: Subject, root: Client) -> None:
    answer: Any = root.get(history(golden), {"from": "2026-04-20", "to": "2026-04-23"})
    plot = answer.context["plot"]
    last = plot["days"][-1]
    assert (last["reward"], last["supplement"], last["due"], last["expected"]) == (0.6, 0.2, 1.05, 26.5)
    assert plot["weighings"] == [[int(datetime.fromisoformat("2026-04-23T09:00+00:00").timestamp()), 22.5]]
    assert plot["restricted"] == [[plot["from"], plot["to"]]]
    told = dict(last["told"])
    assert told["weighed 09:00"].startswith("22.5 g by")
    user = WaterAdministration.objects.get(volume_ml=0.2).user
    assert told["supplement 18:00"] == f"0.20 mL by {user}"


def test_the_history_costs_the_same_for_two_days_and_for_two_years(golden: Subject, root: Client) -> None:
    few = queries_of(root, f"{history(golden)}?from=2026-04-22&to=2026-04-23")
    assert queries_of(root, f"{history(golden)}?from=2024-06-01&to=2026-04-23") == few <= QUERIES_AT_MOST


def test_little_known_animals_are_normal_cases_said_in_words(rows: Rows, root: Client) -> None:
    unknown = a_subject(rows.lab, sex="U", born_on=None)
    page = page_of(root, history(unknown))
    for words in ("Never weighed", "Never water restricted", "sex is not known", "no birth date"):
        assert words in page
    dead = a_restricted(rows.lab)
    Subject.objects.filter(pk=dead.pk).update(died_on=today(rows.lab) - timedelta(days=2))
    page = page_of(root, history(dead))
    assert f"Died on {today(rows.lab) - timedelta(days=2)}" in page
    assert "Give water" not in page


def test_dates_that_cannot_be_do_not_hide_the_rest(rows: Rows, root: Client) -> None:
    subject = a_restricted(rows.lab)
    a_restriction(subject, datetime(1, 1, 1), datetime(9999, 12, 31))
    a_weighing(subject, 24.0, datetime(9999, 12, 31))
    for day in (date(1, 1, 1), date(9999, 12, 31)):
        Subject.objects.filter(pk=subject.pk).update(died_on=day, born_on=day)
        assert "25.0" in page_of(root, history(subject))


def test_the_default_is_the_restriction_else_sixty_days(rows: Rows, root: Client) -> None:
    restricted, free = a_restricted(rows.lab, days=20), a_subject(rows.lab)
    day = today(rows.lab)
    for subject, first in ((restricted, day - timedelta(days=27)), (free, day - timedelta(days=59))):
        answer: Any = root.get(history(subject))
        assert (answer.context["first"], answer.context["last"]) == (first, day)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-05-01", "2026-04-01", "comes after"),
        ("yesterday", "2026-04-01", "written as"),
        ("0001-01-01", "0001-01-05", "Nothing is known"),
        ("9999-12-30", "9999-12-31", "Nothing is known"),
        ("1990-01-01", "2026-04-01", "The last 800 of"),
    ],
)
def test_days_that_cannot_be_shown_are_said(first: str, last: str, said: str, golden: Subject, root: Client) -> None:
    assert said in page_of(root, history(golden), **{"from": first, "to": last})


@pytest.mark.usefixtures("open_reading")
def test_only_who_may_record_sees_the_doors(rows: Rows) -> None:
    subject = a_restricted(rows.lab)
    for user, sees in (
        (rows.member(Role.EXPERIMENTER), True),
        (rows.member(Role.READER), False),
        (a_member(a_lab()), False),
    ):
        page = page_of(logged_in(user), history(subject))
        assert ("Record a weighing" in page, "Change or end the restriction" in page) == (sees, sees)


def test_of_an_animal_that_is_not_there_nothing_is_shown(rows: Rows, root: Client) -> None:
    subject = a_subject(rows.lab)
    Subject.objects.filter(pk=subject.pk).update(withdrawn_at=now())
    assert root.get(history(subject)).status_code == 404


# The round.


def test_the_round_has_the_restricted_animals_in_the_order_of_the_cages(rows: Rows, experimenter: Client) -> None:
    late, early = a_restricted(rows.lab, cage_name="12"), a_restricted(rows.lab, cage_name="7")
    a_subject(rows.lab, cage_name="7")
    a_restricted(a_lab())
    answer: Any = experimenter.get(ROUND)
    assert [row["animal"] for row in answer.context["rows"]] == [early, late]
    of_cage: Any = experimenter.get(ROUND, {"cage": "7"})
    assert len(of_cage.context["rows"]) == 2


def test_each_row_is_saved_or_comes_back_with_its_reason(rows: Rows, experimenter: Client) -> None:
    good, doubted, wrong, empty = (a_restricted(rows.lab) for _ in range(4))
    form = {
        f"weight-{good.pk}": "24,6", f"water-{good.pk}": "0.4", f"weight-{doubted.pk}": "12.1", f"water-{doubted.pk}": "0.3",
        f"weight-{wrong.pk}": "abc", f"weight-{empty.pk}": "", f"water-{empty.pk}": " ",
    }  # fmt: skip
    assert experimenter.post(ROUND, form).status_code == 302
    assert good.weighing_set.latest("at_wall").weight_g == 24.6
    assert good.wateradministration_set.get().volume_ml == 0.4
    assert [one.weighing_set.count() for one in (doubted, wrong, empty)] == [1, 1, 1]
    assert not doubted.wateradministration_set.exists()
    assert not ReviewFlag.objects.exists()
    page = page_of(experimenter, ROUND)
    assert "1 row saved" in page
    assert 'value="12.1"' in page
    assert "more than 8% in 24 hours" in page
    assert "“abc” is no number: write grams, like 23.4" in page
    assert page.count('type="checkbox"') == 1
    experimenter.post(ROUND, {f"weight-{doubted.pk}": "12.1", f"right-{doubted.pk}": "on"})
    assert doubted.weighing_set.latest("at_wall").weight_g == 12.1
    assert "not saved" not in page_of(experimenter, ROUND)


def test_the_round_is_for_those_who_record_in_the_lab(rows: Rows) -> None:
    subject = a_restricted(rows.lab)
    form = {f"weight-{subject.pk}": "24.0"}
    assert logged_in(rows.member(Role.READER)).post(ROUND, form).status_code == 403
    stranger = logged_in(a_member(a_lab()))
    assert stranger.post(ROUND, form).status_code == 302
    assert subject.weighing_set.count() == 1


def test_the_round_costs_the_same_for_2_and_for_20_animals(rows: Rows, experimenter: Client) -> None:
    for _ in range(2):
        a_restricted(rows.lab)
    few = queries_of(experimenter, ROUND)
    for _ in range(18):
        a_restricted(rows.lab)
    assert queries_of(experimenter, ROUND) == few <= QUERIES_AT_MOST


# The week.


def test_what_is_due_stands_first(rows: Rows, experimenter: Client) -> None:
    done, thirsty, unweighed = (a_restricted(rows.lab) for _ in range(3))
    for subject in (done, thirsty):
        a_weighing(subject, 24.0, at(today(rows.lab), 0))
    a_water(done, 2.0, at(today(rows.lab), 0))
    a_weighing(a_subject(rows.lab), 20.0)
    answer: Any = experimenter.get(TRAINING)
    shown = [one["row"] for one in answer.context["rows"]]
    assert [row.subject for row in shown] == [unweighed, thirsty, done]
    assert [(row.weigh, row.give_ml > 0) for row in shown] == [(True, True), (False, True), (False, False)]
    assert answer.context["due"] == 2


def test_a_day_of_the_week_says_weight_water_and_training(rows: Rows, experimenter: Client) -> None:
    subject = a_restricted(rows.lab, days=14)
    day = today(rows.lab) - timedelta(days=7)
    a_weighing(subject, 24.4, at(day, 9))
    session = a_session(subject, start=at(day, 10))
    a_water(subject, 0.55, at(day, 11), session_id=session.pk)
    a_water(subject, 0.25, at(day, 18))
    answer: Any = experimenter.get(TRAINING, {"week": f"{day}"})
    (row,) = answer.context["rows"]
    cell = next(cell for cell in row["cells"] if cell.day == day)
    assert (cell.weight_g, round(cell.given_ml, 2), cell.sessions) == (24.4, 0.8, [session.pk])
    assert cell.expected_ml is not None
    assert not any(one["row"].is_due for one in answer.context["rows"])
    later: Any = experimenter.get(TRAINING, {"week": f"{day - timedelta(days=70)}"})
    assert later.context["rows"] == []


def test_lab_and_person_are_remembered(rows: Rows, root: Client) -> None:
    mine = rows.member(Role.EXPERIMENTER)
    a_restricted(rows.lab, responsible_user=mine)
    a_restricted(rows.lab)
    chosen: Any = root.get(TRAINING, {"lab": rows.lab.name, "user": mine.username})
    assert [one["subject"].responsible_user for one in chosen.context["rows"]] == [mine]
    back = root.get(TRAINING)
    assert (back.status_code, back["Location"]) == (302, f"{TRAINING}?lab={rows.lab.name}&user={mine.username}")


def test_the_week_costs_the_same_for_2_and_for_20_animals(rows: Rows, experimenter: Client) -> None:
    for _ in range(2):
        a_restricted(rows.lab)
    few = queries_of(experimenter, TRAINING)
    for _ in range(18):
        subject = a_restricted(rows.lab)
        a_session(subject, start=at(today(rows.lab), 0))
    assert queries_of(experimenter, TRAINING) == few <= QUERIES_AT_MOST


@pytest.mark.parametrize("week", ["x", "9999-12-31", "0001-01-01", "2026-02-30"])
def test_any_week_answers(week: str, rows: Rows, experimenter: Client) -> None:
    a_restricted(rows.lab)
    assert experimenter.get(TRAINING, {"week": week}).status_code == 200


@pytest.mark.parametrize("address", [ROUND, TRAINING])
def test_somebody_who_is_no_staff_sees_none_of_it(address: str, rows: Rows) -> None:
    outsider = logged_in(a_member(rows.lab, is_staff=False))
    assert outsider.get(address)["Location"].startswith("/admin/login/")
    assert outsider.get(history(a_subject(rows.lab)))["Location"].startswith("/admin/login/")


# Records.


def test_a_weighing_is_entered_doubted_confirmed_and_withdrawn(rows: Rows) -> None:
    user = rows.member(Role.EXPERIMENTER)
    client, subject = logged_in(user), a_restricted(rows.lab)
    given: Any = client.get(url(Weighing, "add"), {"subject": str(subject.pk)})
    initial = given.context["adminform"].form.initial
    assert (initial["subject"], initial["user"]) == (subject.pk, user.pk)
    assert abs(initial["at_wall"] - utc_to_wall(now(), rows.lab.timezone)) < timedelta(minutes=1)
    assert f"({rows.lab}: {rows.lab.timezone})" in given.content.decode()
    wall = f"{initial['at_wall']:%Y-%m-%dT%H:%M:%S}"
    form = {"subject": str(subject.pk), "weight_g": "12", "at_wall": wall, "user": str(user.pk), "_save": "Save"}
    asked = client.post(url(Weighing, "add"), form)
    assert "more than 8% in 24 hours" in asked.content.decode()
    assert subject.weighing_set.count() == 1
    assert client.post(url(Weighing, "add"), {**form, "confirmed": "on"}).status_code == 302
    made = subject.weighing_set.get(weight_g=12)
    assert (made.at_wall, made.user, made.zone) == (initial["at_wall"], user, rows.lab.timezone)
    next_one: Any = client.get(url(Weighing, "add"))
    assert next_one.context["adminform"].form.initial["subject"] == subject.pk
    assert client.post(url(Weighing, "change", made.pk), form).status_code == 403
    client.post(f"/admin/subjects/weighing/{made.pk}/do/withdraw/", {"reason": "the wrong animal"})
    made.refresh_from_db()
    assert made.withdrawn_at is not None


def test_the_list_of_weighings_says_the_percentage_of_each_day(golden: Subject, root: Client) -> None:
    page = page_of(root, url(Weighing, "changelist"))
    assert "84.0 %" in page
    assert "100.0 %" in page


def test_water_is_given_and_corrected_on_its_page(rows: Rows, experimenter: Client) -> None:
    subject = a_restricted(rows.lab)
    wall = f"{at(today(rows.lab), 0):%Y-%m-%dT%H:%M:%S}"
    form = {
        "subject": str(subject.pk),
        "volume_ml": "0.8",
        "at_wall": wall,
        "water_type": "",
        "user": "",
        "_save": "Save",
    }
    assert experimenter.post(url(WaterAdministration, "add"), form).status_code == 302
    made: Any = subject.wateradministration_set.get()
    assert (made.volume_ml, made.water_type.name, made.user is None) == (0.8, "Water", False)
    changed = {**form, "volume_ml": "0.9", "user": str(made.user.pk), "water_type": str(made.water_type.pk)}
    assert experimenter.post(url(WaterAdministration, "change", made.pk), changed).status_code == 302
    made.refresh_from_db()
    assert made.volume_ml == 0.9


def test_a_restriction_asks_for_its_reference_weight_and_is_ended_by_a_button(rows: Rows) -> None:
    user = rows.member(Role.EXPERIMENTER)
    client, subject = logged_in(user), a_subject(rows.lab)
    wall = f"{at(today(rows.lab), 0):%Y-%m-%dT%H:%M:%S}"
    form = {"subject": str(subject.pk), "started_wall": wall, "users": [str(user.pk)], "_save": "Save"}
    asked = client.post(url(WaterRestriction, "add"), form)
    assert "no reference weight" in asked.content.decode()
    assert not subject.waterrestriction_set.exists()
    assert client.post(url(WaterRestriction, "add"), {**form, "reference_weight_g": "25.5"}).status_code == 302
    made = subject.waterrestriction_set.get()
    assert (made.reference_weight_g, list(made.users.all())) == (25.5, [user])
    again = client.post(url(WaterRestriction, "add"), {**form, "reference_weight_g": "25.5", "confirmed": "on"})
    assert "restricted already" in again.content.decode()
    client.post(f"/admin/subjects/waterrestriction/{made.pk}/do/end/", {"reason": "trained"})
    made.refresh_from_db()
    assert made.ended_wall is not None


@pytest.mark.usefixtures("open_reading")
def test_a_stranger_and_a_reader_record_nothing(rows: Rows) -> None:
    subject = a_restricted(rows.lab)
    wall = f"{at(today(rows.lab), 0):%Y-%m-%dT%H:%M:%S}"
    forms: list[tuple[Any, dict[str, str]]] = [
        (Weighing, {"weight_g": "25", "at_wall": wall}),
        (WaterAdministration, {"volume_ml": "0.5", "at_wall": wall}),
        (WaterRestriction, {"started_wall": wall, "reference_weight_g": "25"}),
    ]
    counts = [model.objects.count() for model, _ in forms]
    for user in (a_member(a_lab(), Role.HEAD), rows.member(Role.READER)):
        for model, form in forms:
            answer = logged_in(user).post(url(model, "add"), {**form, "subject": str(subject.pk), "_save": "Save"})
            assert answer.status_code == 403 or "may not" in answer.content.decode()
    assert [model.objects.count() for model, _ in forms] == counts


# Policies and curves.


def policy_form(lab: Lab, windows: list[dict[str, str]], **more: str) -> dict[str, str]:
    form = {
        "lab": str(lab.pk), "from_on": "2026-05-01", "reference_weight_pct": "85", "zscore_weight_pct": "0", "floor": "0.75",
        "reason": "the licence says so", "windows-TOTAL_FORMS": str(len(windows)), "windows-INITIAL_FORMS": "0",
        "_save": "Save", **more,
    }  # fmt: skip
    return form | {f"windows-{place}-{name}": value for place, one in enumerate(windows) for name, value in one.items()}


def test_the_head_sets_a_policy_with_its_exceptions(rows: Rows) -> None:
    head = rows.member(Role.HEAD)
    windows = [
        {"title": "the first two weeks", "first_day": "0", "last_day": "13", "reference_weight_pct": "90"},
        {"title": ""},
    ]
    answer = logged_in(head).post(url(WelfarePolicy, "add"), policy_form(rows.lab, windows))
    assert answer.status_code == 302, answer.content.decode()
    made = WelfarePolicy.objects.get(lab=rows.lab, from_on=date(2026, 5, 1))
    assert (made.reference_weight_pct, made.floor, made.decided_by) == (0.85, 0.75, head)
    assert made.reason == "the licence says so"
    (window,) = made.windows.all()
    assert (window.title, window.last_day, window.reference_weight_pct) == ("the first two weeks", 13, 0.9)
    kept = policy_form(rows.lab, [{"id": str(window.pk), "policy": str(made.pk), "title": window.title, "first_day": "0",
                                   "last_day": "6", "reference_weight_pct": "0.9"}])  # fmt: skip
    kept["windows-INITIAL_FORMS"] = "1"
    assert logged_in(head).post(url(WelfarePolicy, "change", made.pk), kept).status_code == 302
    assert [one.last_day for one in made.windows.all()] == [6]


def test_a_wrong_exception_is_said_and_nothing_is_saved(rows: Rows) -> None:
    form = policy_form(rows.lab, [{"title": "half", "first_day": "3", "reference_weight_pct": "0.9"}])
    answer = logged_in(rows.member(Role.HEAD)).post(url(WelfarePolicy, "add"), form)
    assert "needs either first_day and last_day, or from_on and to_on" in unescape(answer.content.decode())
    assert not WelfarePolicy.objects.exists()


@pytest.mark.parametrize("role", [Role.READER, Role.EXPERIMENTER, Role.DATA_MANAGER])
def test_a_policy_is_the_heads_to_set(role: Role, rows: Rows) -> None:
    member = logged_in(rows.member(role))
    assert member.post(url(WelfarePolicy, "add"), policy_form(rows.lab, [])).status_code == 403
    elsewhere = logged_in(a_member(a_lab(), Role.HEAD)).post(url(WelfarePolicy, "add"), policy_form(rows.lab, []))
    assert "may not" in elsewhere.content.decode()
    assert not WelfarePolicy.objects.exists()


LOAD = "/admin/subjects/growthpoint/load/"


def test_a_curve_is_loaded_and_replaced_as_a_table(rows: Rows) -> None:
    strain: Strain = a_word(Strain)
    client = logged_in(rows.member(Role.DATA_MANAGER))
    table = "sex;age_weeks;mean_g;sd_g\nM;4;15,7;2,2\nM;5;19.4;1.8\n"
    assert client.post(LOAD, {"strain": str(strain.pk), "table": table}).status_code == 302
    assert list(GrowthPoint.objects.values_list("sex", "age_weeks", "mean_g")) == [("M", 4, 15.7), ("M", 5, 19.4)]
    kept = GrowthPoint.objects.get(age_weeks=4)
    table = "age_weeks,sex,sd_g,mean_g\n4,M,2.2,16\n6,F,1.5,17\n"
    assert client.post(LOAD, {"strain": str(strain.pk), "table": table}).status_code == 302
    assert list(GrowthPoint.objects.values_list("sex", "age_weeks", "mean_g")) == [("F", 6, 17.0), ("M", 4, 16.0)]
    kept.refresh_from_db()
    assert kept.mean_g == 16


def test_every_wrong_line_of_a_curve_is_named_and_nothing_is_loaded(rows: Rows) -> None:
    client = logged_in(rows.member(Role.HEAD))
    table = "sex,age_weeks,mean_g,sd_g\nM,4,15.7,2.2\nX,5,19,1\nM,4,16,2\nM,six,1,1\nM,7,-1,1\nF,1.5,8,1\nF,9,nan,1"
    page = unescape(client.post(LOAD, {"strain": str(a_word(Strain).pk), "table": table}).content.decode())
    for words in ("line 3: sex is M or F", "line 4: M at 4 weeks stands twice", "line 5: age_weeks is no number",
                  "line 6: mean and deviation are above 0", "line 7: the age is whole weeks", "line 8: mean and deviation"):  # fmt: skip
        assert words in page
    assert not GrowthPoint.objects.exists()
    assert logged_in(rows.member(Role.EXPERIMENTER)).get(LOAD).status_code == 403
