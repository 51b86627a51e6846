"""Whatever stands in a dump: what can be kept is kept and flagged, the rest is refused with its reason, and nothing crashes."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from alyx.core.models import Note, ReviewFlag
from alyx.labs.models import Lab, Location, Membership, User
from datasets.imports.report import OUTCOMES, Report
from sessions.models import Session
from subjects.models import (
    BreedingPair,
    Housing,
    Implant,
    Injection,
    LabConditions,
    Line,
    Litter,
    OtherProcedure,
    ProbeModel,
    Species,
    Stay,
    Subject,
    SubjectRequest,
    Surgery,
    WaterAdministration,
    WaterRestriction,
    Weighing,
)
from tests import factories
from tests.imports.dumps import LAB, USER, a_lab, a_mouse, a_user, key, one, take, write

pytestmark = pytest.mark.django_db
WORLD = [a_lab(), a_user()]


def run(folder: Path, *objects: Any, **options: Any) -> Report:
    """Import, and check that each object is in exactly one count."""
    report = take(write(folder, [*WORLD, *objects]), **options)
    for label, tally in report.models.items():
        assert tally.read == sum(getattr(tally, name) for name in OUTCOMES), label
    assert sum(tally.read for tally in report.models.values()) == len(WORLD) + len(objects)
    return report


def rules(name: str) -> set[str]:
    """The rules of the flags of what `name` stands for."""
    return set(ReviewFlag.objects.filter(object_id=key(name)).values_list("rule", flat=True))


def a_weighing(name: str, mouse: str = "M1", **fields: Any) -> dict[str, Any]:
    return one(
        "actions.weighing",
        name,
        **{"subject": key(mouse), "date_time": "2024-05-06T10:00:00", "weight": 20.5, **fields},
    )


def test_references_may_point_forward_and_in_circles(tmp_path: Path) -> None:
    father = a_mouse("F", sex="M", litter=key("L1"))
    pair = one("subjects.breedingpair", "P1", name="P1", father=key("F"), mother1=key("M1"))
    litter = one("subjects.litter", "L1", name="L1", breeding_pair=key("P1"))
    report = take(write(tmp_path, [a_weighing("w"), litter, pair, father, a_mouse(litter=key("L1")), *WORLD]))
    assert not any(tally.refused for tally in report.models.values())
    born = Subject.objects.get(nickname="F")
    assert born.litter is not None
    assert born.litter.breeding_pair is not None
    assert born.litter.breeding_pair.father == born
    assert Weighing.objects.get().subject.nickname == "M1"


def test_a_broken_reference_to_the_animal_refuses_and_takes_along_what_depends(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        a_mouse("lost", lab="no such lab"),
        a_weighing("w1", "lost"),
        a_weighing("w2", "nowhere"),
        one("actions.session", "s1", subject=key("lost"), start_time="2024-05-06T10:00:00"),
        one("actions.wateradministration", "a1", subject=key("M1"), session=key("s1"), water_administered=1.0,
            date_time="2024-05-06T10:00:00"),
        a_mouse(),
    )  # fmt: skip
    assert report.models["subjects.subject"].reasons == {"its lab is neither in the file nor here": 1}
    assert report.models["actions.weighing"].reasons == {"its subject is neither in the file nor here": 2}
    assert report.models["actions.session"].refused == 1
    assert WaterAdministration.objects.get().session_id is None
    assert rules("a1") == {"broken-reference"}


def test_what_an_animal_can_do_without_is_left_out_and_flagged(tmp_path: Path) -> None:
    mouse = a_mouse(line=key("x"), litter=key("x"), responsible_user=key("x"), projects=[key("x"), 5], source="no key")
    run(tmp_path, mouse)
    animal = Subject.objects.get()
    assert (animal.line, animal.litter, animal.responsible_user, animal.source) == (None, None, None, None)
    broken = ReviewFlag.objects.filter(object_id=key("M1"), rule="broken-reference")
    assert sorted(flag.facts["field"] for flag in broken) == [
        "line", "litter", "projects", "projects", "responsible_user", "source",
    ]  # fmt: skip
    assert set(broken.values_list("lab_id", flat=True)) == {Lab.objects.get().pk}


def test_values_that_cannot_be_stored_are_flagged_with_what_they_were(tmp_path: Path) -> None:
    mouse = a_mouse(
        birth_date="yesterday", sex="X", ear_mark="long " * 20, description="a\x00b\ud800", name=["no text"],
        json={"a": math.nan, "b": [1.0, "x\x00"]}, actual_severity=99, to_be_culled="yes", death_date=5,
    )  # fmt: skip
    run(tmp_path, mouse, a_weighing("w1", weight="12.5"))
    animal = Subject.objects.get()
    assert (animal.born_on, animal.sex, animal.actual_severity, animal.to_be_culled) == (None, "U", None, False)
    assert animal.json == {"a": None, "b": [1.0, "x"]}
    assert animal.description == "ab?"
    odd = ReviewFlag.objects.filter(object_id=key("M1"), rule="value-not-kept")
    assert {flag.facts["field"] for flag in odd} == {
        "birth_date", "sex", "ear_mark", "description", "name", "json", "actual_severity", "to_be_culled", "death_date",
    }  # fmt: skip
    assert odd.get(facts__field="birth_date").facts["value"] == "'yesterday'"
    assert Weighing.objects.get().weight_g == 12.5


@pytest.mark.parametrize("weight", [math.nan, math.inf, None, "heavy", True, [1], 10**400])
def test_a_weighing_without_a_weight_is_refused(tmp_path: Path, weight: Any) -> None:
    report = run(tmp_path, a_mouse(), a_weighing("w", weight=weight))
    assert report.models["actions.weighing"].reasons == {"it has no usable weight": 1}


def test_weights_no_animal_has_are_kept_and_count_nowhere(tmp_path: Path) -> None:
    mouse = a_mouse(birth_date="2024-01-01", death_date="2024-06-01")
    run(
        tmp_path,
        mouse,
        a_weighing("negative", weight=-3),
        a_weighing("absurd", weight=21000),
        a_weighing("early", date_time="2023-12-31T23:59:59"),
        a_weighing("late", date_time="2024-06-02T00:00:00"),
        a_weighing("never", date_time=None),
        a_weighing("future", date_time="2190-01-01T00:00:00"),
        a_weighing("fine"),
    )
    assert {one.pk.hex for one in Weighing.objects.filter(counts=False)} == {
        key(name).replace("-", "") for name in ("negative", "absurd", "never")
    }
    assert rules("negative") == rules("absurd") == {"weight-implausible"}
    assert rules("early") == {"before-birth"}
    assert rules("late") == {"after-death"}
    assert rules("never") == {"time-missing"}
    assert rules("future") == {"after-death", "date-in-the-future"}
    assert not rules("fine")


def test_the_same_weighing_twice_is_one(tmp_path: Path) -> None:
    report = run(tmp_path, a_mouse(), a_weighing("w1"), a_weighing("w2"), a_weighing("w3", weight=20.6))
    tally = report.models["actions.weighing"]
    assert (tally.created, tally.remapped, Weighing.objects.count()) == (2, 1, 2)


def test_a_key_twice_in_the_file(tmp_path: Path) -> None:
    report = run(tmp_path, a_mouse("A"), a_mouse("A"), a_mouse("A", ear_mark="TL"))
    tally = report.models["subjects.subject"]
    assert (tally.created, tally.unchanged, tally.refused) == (1, 1, 1)
    assert "twice" in next(iter(tally.reasons))
    assert Subject.objects.get().ear_mark == ""


def test_two_animals_of_one_name_are_both_kept(tmp_path: Path) -> None:
    mice = [
        a_mouse("a", nickname="Bob"),
        a_mouse("b", nickname="BOB"),
        a_mouse("c", nickname="bob"),
        a_mouse("d", nickname=""),
    ]
    report = run(tmp_path, *mice, a_lab("other"), a_mouse("e", nickname="Bob", lab="other"))
    assert report.models["subjects.subject"].created == 5
    names = sorted(Subject.objects.values_list("lab__name", "nickname"))
    assert names[:3] == [(LAB, "BOB"), (LAB, "Bob.2"), (LAB, "bob.3")]
    assert names[4] == ("other", "Bob")
    assert "name-taken" in rules("a") & rules("c")
    assert rules("d") == {"name-missing"}
    assert not rules("b")
    again = take(tmp_path / "dump.json")
    assert again.models["subjects.subject"].unchanged == 5


def test_names_no_folder_can_have_are_flagged(tmp_path: Path) -> None:
    run(
        tmp_path,
        a_mouse("a", nickname="two words"),
        a_mouse("b", nickname="..", death_date="2020-01-02", birth_date="2020-01-03"),
    )
    assert rules("a") == {"nickname-is-no-folder-name"}
    assert rules("b") == {"nickname-is-no-folder-name", "death-before-birth"}


def test_vocabularies_are_found_by_name_and_ours_stays(tmp_path: Path) -> None:
    mouse = Species.objects.create(name="Mus musculus", nickname="ours")
    Species.objects.create(pk=key("rat"), name="Rattus", nickname="ours")
    report = run(
        tmp_path,
        one("subjects.species", "mouse", name="Mus musculus", nickname="theirs"),
        one("subjects.species", "rat", name="Rattus norvegicus"),
        a_mouse("a", species=key("mouse")),
        a_mouse("b", species=key("rat")),
    )
    tally = report.models["subjects.species"]
    assert (tally.remapped, tally.differs, Species.objects.count()) == (1, 1, 2)
    assert tally.examples["remapped"][0]["ours"] == str(mouse.pk)
    assert Subject.objects.get(nickname="a").species == mouse
    assert Subject.objects.get(nickname="b").species_id == UUID(key("rat"))
    assert Species.objects.get(pk=key("rat")).name == "Rattus"


def test_a_user_who_is_here_keeps_password_and_rights(tmp_path: Path) -> None:
    ours = User.objects.create_user("ann", password="right", is_staff=False)
    report = run(
        tmp_path, a_user("eve"), a_user("bob", username="ann", is_superuser=True), a_mouse(responsible_user=key(USER))
    )
    ours.refresh_from_db()
    assert ours.check_password("right")
    assert (ours.is_staff, ours.is_superuser) == (False, False)
    assert report.models["misc.labmember"].remapped == 2
    assert Subject.objects.get().responsible_user == ours
    eve = User.objects.get(username="eve")
    assert not eve.has_usable_password()
    assert eve.date_joined == datetime(2020, 7, 1, 11, tzinfo=UTC)


def test_an_animal_that_is_here_under_another_key_is_the_same_animal(tmp_path: Path) -> None:
    lab = Lab.objects.create(name="LAB", timezone="Europe/London")
    here = factories.a_subject(lab, "m1", sex="F", born_on=date(2024, 1, 1))
    other = factories.a_subject(lab, "m2", sex="M")
    report = run(tmp_path, a_mouse(birth_date="2024-01-01"), a_mouse("M2"), a_weighing("w"))
    assert report.models["misc.lab"].remapped == 1
    assert report.models["subjects.subject"].remapped == 1
    assert Weighing.objects.get().subject == here
    assert Subject.objects.exclude(pk__in=[here.pk, other.pk]).get().nickname == "M2.2"


def test_what_people_changed_since_stays_theirs(tmp_path: Path) -> None:
    objects = [a_mouse(ear_mark="TL"), a_weighing("w")]
    run(tmp_path, *objects)
    Subject.objects.update(ear_mark="BR")
    Lab.objects.update(timezone="Europe/Paris")
    report = run(tmp_path, *objects)
    assert report.models["subjects.subject"].examples["differs"] == [{"key": key("M1"), "fields": "ear_mark"}]
    assert report.models["misc.lab"].differs == 1
    assert Subject.objects.get().ear_mark == "BR"
    assert Lab.objects.get().timezone == "Europe/Paris"


def test_times_in_the_spring_gap_stay_as_sent(tmp_path: Path) -> None:
    run(
        tmp_path,
        a_mouse(),
        a_weighing("gap", date_time="2024-03-31T01:30:00"),
        a_weighing("summer", date_time="2024-07-01T09:00:00.123"),
        a_weighing("aware", date_time="2024-07-01T09:00:00Z"),
        a_weighing("first day of all", date_time="0001-01-01T00:00:00"),
    )
    walls = {str(one.pk): (one.at_wall, one.at) for one in Weighing.objects.all()}
    assert walls[key("gap")] == (datetime(2024, 3, 31, 1, 30), datetime(2024, 3, 31, 1, 30, tzinfo=UTC))
    assert walls[key("summer")] == (
        datetime(2024, 7, 1, 9, 0, 0, 123000),
        datetime(2024, 7, 1, 8, 0, 0, 123000, tzinfo=UTC),
    )
    assert walls[key("aware")][0] == datetime(2024, 7, 1, 10)
    assert rules("first day of all") == {"value-not-kept", "time-missing"}


def a_session(name: str, start: str | None = "2024-05-06T10:00:00", **fields: Any) -> dict[str, Any]:
    return one("actions.session", name, subject=key("M1"), start_time=start, **fields)


def test_numbers_of_sessions_are_free_ones(tmp_path: Path) -> None:
    run(
        tmp_path,
        a_mouse(),
        a_session("noon", "2024-05-06T12:00:00"),
        a_session("morning", "2024-05-06T08:00:00"),
        a_session("second", "2024-05-06T14:00:00", number=2),
        a_session("also second", "2024-05-06T15:00:00", number=2),
        a_session("child", "2024-05-06T07:00:00", parent_session=key("noon")),
        a_session("orphan", "2024-05-07T07:00:00", parent_session=key("nothing"), location=key("nothing")),
        size=3,
    )
    numbers = {str(one.pk): one.number for one in Session.objects.all()}
    wanted = {"second": 2, "child": 1, "morning": 3, "noon": 4, "also second": 5, "orphan": 1}
    assert numbers == {key(name): number for name, number in wanted.items()}
    assert Session.objects.get(pk=key("child")).parent_id == Session.objects.get(pk=key("noon")).pk
    assert rules("also second") == {"name-taken"}
    assert rules("orphan") == {"broken-reference"}
    again = take(tmp_path / "dump.json", size=2)
    assert again.models["actions.session"].unchanged == 6


def test_sessions_without_a_start(tmp_path: Path) -> None:
    run(
        tmp_path,
        a_mouse(birth_date="2024-01-01"),
        a_session("ended", None, end_time="2024-05-06T11:00:00"),
        a_session("noted", None, auto_datetime="2024-07-06T11:00:00"),
        a_session("nothing", None),
        server="America/New_York",
    )
    starts = {str(one.pk): one.started_wall for one in Session.objects.all()}
    assert starts == {
        key("ended"): datetime(2024, 5, 6, 11),
        key("noted"): datetime(2024, 7, 6, 16),  # 11:00 in New York is 16:00 in London
        key("nothing"): datetime(1970, 1, 1),
    }
    assert rules("ended") == rules("noted") == rules("nothing") == {"time-missing"}
    noted = Session.objects.get(pk=key("noted"))
    assert noted.updated_at == datetime(2024, 7, 6, 15, tzinfo=UTC)


def test_restrictions(tmp_path: Path) -> None:
    def restriction(name: str, mouse: str, start: str, **fields: Any) -> dict[str, Any]:
        return one("actions.waterrestriction", name, subject=key(mouse), start_time=start, **fields)

    run(
        tmp_path,
        a_mouse(death_date="2024-06-01"),
        a_mouse("M2"),
        a_weighing("w"),
        restriction("later", "M1", "2024-05-20T10:00:00", reference_weight=20.0),
        restriction("first", "M1", "2024-05-07T10:00:00", reference_weight=0.0),
        restriction("none", "M2", "2024-05-07T10:00:00", end_time="2024-05-06T10:00:00"),
        restriction("far", "M2", "2024-06-07T10:00:00", reference_weight=-1, end_time="2024-06-08T10:00:00"),
    )
    assert rules("first") == {"open-after-death"}
    assert rules("later") == {"second-open-restriction", "open-after-death"}
    assert rules("none") == {"no-reference-weight", "end-before-start"}
    assert rules("far") == {"no-reference-weight", "value-not-kept"}
    assert set(WaterRestriction.objects.values_list("reference_weight_g", flat=True)) == {None, 20.0}


def test_implant_weights_are_judged_by_the_body(tmp_path: Path) -> None:
    def surgery(name: str, weight: Any) -> dict[str, Any]:
        return one("actions.surgery", name, subject=key("M1"), start_time="2024-05-06T12:00:00", implant_weight=weight)

    run(
        tmp_path,
        a_mouse(),
        a_weighing("w"),
        surgery("a", 1.2),
        surgery("b", 20.5),
        surgery("c", None),
        surgery("d", -1),
    )
    assert rules("b") == rules("d") == {"implant-weight-implausible"}
    assert rules("a") == rules("c") == set()
    assert Surgery.objects.get(pk=key("c")).implant_weight_g is None


def test_parents_and_tests_that_cannot_be(tmp_path: Path) -> None:
    run(
        tmp_path,
        one("subjects.sequence", "seq", name="seq"),
        one("subjects.sequence", "other", name="other"),
        one("subjects.allele", "cre", nickname="cre", sequences=[key("seq")]),
        one("subjects.line", "line", name="line", nickname="L", lab=key(LAB), alleles=[key("cre")],
            subject_autoname_index=3, litter_autoname_index=1),
        a_mouse("L_0007", line=key("line"), sex="F", birth_date="2024-02-01"),
        a_mouse("dad", line=key("line"), sex="M", birth_date="2024-01-01"),
        one("subjects.breedingpair", "pair", name="L_BP_004", line=key("line"), father=key("L_0007"), mother1=key("dad"),
            start_date="2024-01-20", end_date="2024-01-19"),
        one("subjects.litter", "litter", name="L_L_002", line=key("line"), breeding_pair=key("pair"), birth_date="2024-01-10"),
        one("subjects.genotypetest", "t1", subject=key("dad"), sequence=key("seq"), test_result=1),
        one("subjects.genotypetest", "t2", subject=key("dad"), sequence=key("other"), test_result=0),
        one("subjects.genotypetest", "t3", subject=key("dad"), sequence=key("seq"), test_result=None),
        one("subjects.zygosity", "z1", subject=key("dad"), allele=key("cre"), zygosity=1),
        one("subjects.zygosity", "z2", subject=key("dad"), allele=None, zygosity=1),
        one("subjects.zygosityrule", "r", line=key("line"), allele=key("cre"), sequence0=key("seq"), sequence0_result=1,
            zygosity=3),
    )  # fmt: skip
    assert rules("pair") == {"parent-of-wrong-sex", "parent-not-yet-born", "pair-ends-before-start"}
    assert rules("litter") == {"litter-before-pair"}
    assert rules("t2") == {"sequence-not-of-line"}
    assert not rules("t1")
    line = Line.objects.get()
    assert (line.last_subject_number, line.last_breeding_pair_number, line.last_litter_number) == (7, 4, 2)
    assert BreedingPair.objects.get().lab == Litter.objects.get().lab == line.lab


def test_shares_above_one_are_percentages_and_labs_have_conditions(tmp_path: Path) -> None:
    run(
        tmp_path,
        one("misc.cagetype", "cage", name="cage", description="a box"),
        a_lab(
            "two", "Nowhere/None", reference_weight_pct=85, zscore_weight_pct=0.8, cage_type=key("cage"), light_cycle=1
        ),
        a_lab("LAB"),
        a_lab("three", zscore_weight_pct=-3),
    )
    two = Lab.objects.get(name="two")
    assert (two.reference_weight_pct, two.zscore_weight_pct, two.timezone) == (0.85, 0.8, "UTC")
    conditions = LabConditions.objects.get()
    assert (conditions.lab, conditions.light_cycle, conditions.cage_type.name) == (two, "inverted", "cage")  # type: ignore[union-attr]
    assert Lab.objects.filter(name__iexact="lab.2").count() == 1
    assert rules("two") == rules("three") == {"value-not-kept"}


def test_cages_get_lab_and_times_from_who_lived_there(tmp_path: Path) -> None:
    def stay(name: str, mouse: str, cage: str, start: str | None, end: str | None = None) -> dict[str, Any]:
        return one(
            "misc.housingsubject", name, subject=key(mouse), housing=key(cage), start_datetime=start, end_datetime=end
        )

    run(
        tmp_path,
        a_lab("tokyo", "Asia/Tokyo"),
        a_mouse(lab="tokyo"),
        one("misc.housing", "c1", cage_name="C1", cage_cleaning_frequency_days=7),
        one("misc.housing", "c2", cage_name="C2"),
        stay("s1", "M1", "c1", "2024-05-01T10:00:00", "2024-05-09T10:00:00"),
        stay("s2", "M1", "c2", "2024-05-09T10:00:00"),
        stay("s3", "M1", "c1", "2024-05-10T10:00:00"),
        stay("s4", "nobody", "c1", "2024-05-10T10:00:00"),
    )
    housing = Housing.objects.get(pk=key("c1"))
    assert (housing.lab.name, housing.zone, housing.started_wall) == ("tokyo", "Asia/Tokyo", datetime(2024, 5, 1, 10))
    assert (housing.ended_wall, housing.cleaned_every_days) == (None, 7)
    assert Stay.objects.get(pk=key("s1")).started_at == datetime(2024, 5, 1, 1, tzinfo=UTC)
    assert rules("s3") == {"animal-in-two-cages"}
    assert Stay.objects.count() == 3


def test_other_things_done_to_animals(tmp_path: Path) -> None:
    model = ProbeModel.objects.create(name="NP1")
    when = {"subject": key("M1"), "start_time": "2024-05-06T10:00:00"}
    report = run(
        tmp_path,
        a_mouse(),
        one("misc.lablocation", "room", name="room", lab=key(LAB)),
        one("actions.virusinjection", "v", **when, virus_batch="AAV", injection_volume=200.0, rate_of_injection=50.0),
        one("actions.otheraction", "o", **when, users=[key(USER)], location=key("room"), narrative="imaged"),
        one("experiments.chronicinsertion", "c", **when, serial="123", model=str(model.pk), users=[key(USER)]),
    )
    injection = Injection.objects.get()
    assert (injection.material, injection.volume_nl, injection.surgery_id) == ("AAV", 200.0, Surgery.objects.get().pk)
    assert list(OtherProcedure.objects.get().users.values_list("username", flat=True)) == [USER]
    implant = Implant.objects.get()
    assert (str(implant.pk), implant.serial, implant.probe_model) == (key("c"), "123", model)
    assert rules("v") == {"unit-unknown"}
    assert rules("c") == {"value-not-kept"}
    assert not report.models["experiments.chronicinsertion"].refused


def test_notes_find_what_they_are_about_by_its_key(tmp_path: Path) -> None:
    def note(name: str, about: str, **fields: Any) -> dict[str, Any]:
        known = {"user": key(USER), "content_type": 17, "text": name, "date_time": "2024-07-01T09:00:00"}
        return one("misc.note", name, object_id=key(about), **{**known, **fields})

    report = run(
        tmp_path, a_mouse(), note("n1", "M1"), note("n2", "dataset"), note("n3", "M1", image="a.png", date_time=None)
    )
    first = Note.objects.get(pk=key("n1"))
    assert first.about == Subject.objects.get()
    assert first.at == datetime(2024, 7, 1, 8, tzinfo=UTC)
    assert rules("n3") == {"picture-not-copied", "time-missing"}
    assert report.models["misc.note"].refused == 1


def test_people_of_labs_and_places(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        a_lab("two"),
        a_user("bob", allowed_users=[key(USER), key("bob")], is_active=False),
        one("misc.labmembership", "m1", user=key(USER), lab=key(LAB), role="Head", start_date="2020-01-01"),
        one("misc.labmembership", "m2", user=key("bob"), lab=key(LAB), role="gardener"),
        one("misc.labmembership", "m3", user=key("bob"), lab=key("two"), end_date="2020-01-01"),
        one("misc.lablocation", "l1", name="rig", lab=key(LAB)),
        one("misc.lablocation", "l2", name="rig", lab=key("two")),
        one("subjects.subjectrequest", "r1", user=None, count=3),
        one("subjects.subjectrequest", "r2", user=key(USER), count=3, date_time="2024-05-06"),
    )
    assert set(Membership.objects.values_list("user__username", "role")) == {(USER, "head"), ("bob", "experimenter")}
    assert rules("m2") == {"value-not-kept"}
    assert set(Location.objects.values_list("name", "lab__name")) == {("rig", LAB), ("rig.2", "two")}
    assert set(User.objects.get(username="bob").allowed_users.values_list("username", flat=True)) == {USER, "bob"}
    assert report.models["subjects.subjectrequest"].reasons == {"it names no user": 1}
    assert SubjectRequest.objects.get().requested_on == date(2024, 5, 6)


def test_strange_objects_are_counted(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        5,
        None,
        {"model": "subjects.subject"},
        {"model": "subjects.subject", "pk": 7, "fields": {"nickname": "x"}},
        {
            "model": "Subjects.Subject",
            "pk": key("cap"),
            "fields": {"nickname": "cap", "lab": key(LAB), "colour": "brown"},
        },
        one("auth.group", "g"),
        one("something.else", "e"),
    )
    assert report.models["(no model)"].refused == 3
    assert report.models["subjects.subject"].reasons == {"its key is no UUID": 1}
    assert report.models["subjects.subject"].left_out == {"colour": 1}
    assert sum(tally.not_yet_supported for tally in report.models.values()) == 2
    assert json.dumps(report.as_json())
    assert any("colour has no place here yet" in line for line in report.lines())


def test_animals_without_a_lab_go_to_the_one_asked_for(tmp_path: Path) -> None:
    second = Lab.objects.create(name="second", timezone="Asia/Tokyo")
    lost = a_mouse("lost", lab=None)
    report = run(tmp_path, lost)
    assert report.models["subjects.subject"].reasons == {"it names no lab; say --default-lab": 1}
    report = run(tmp_path, lost, default_lab=second)
    assert Subject.objects.get().lab == second
    assert report.models["subjects.subject"].created == 1


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    objects = [a_mouse(), a_weighing("w", weight=-1)]
    dry = run(tmp_path, *objects, dry_run=True)
    assert not User.objects.exists()
    assert not ReviewFlag.objects.exists()
    wet = run(tmp_path, *objects)
    assert {**dry.as_json(), "dry_run": False} == wet.as_json()


def test_what_the_database_alone_refuses_takes_along_only_what_depends_on_it(tmp_path: Path) -> None:
    with connection.cursor() as cursor:  # a rule that the import does not know
        cursor.execute("ALTER TABLE subjects_subject ADD CONSTRAINT no_bad CHECK (ear_mark <> 'BAD')")
    report = run(
        tmp_path,
        a_mouse("bad", ear_mark="BAD", sex="M"),
        a_mouse("fine", litter=key("litter")),
        one("subjects.breedingpair", "pair", name="pair", father=key("bad"), mother1=key("fine")),
        one("subjects.litter", "litter", name="litter", breeding_pair=key("pair")),
        a_weighing("w1", "bad"),
        a_weighing("w2", "fine"),
    )
    tally = report.models["subjects.subject"]
    assert (tally.read, tally.created, tally.refused) == (2, 1, 1)
    assert "no_bad" in next(iter(tally.reasons))
    pair = BreedingPair.objects.get()
    assert (pair.father, pair.mother1) == (None, Subject.objects.get(nickname="fine"))
    assert rules("pair") == {"broken-reference"}
    assert Weighing.objects.get().subject.nickname == "fine"


def test_a_nickname_of_two_lines_is_kept_once(tmp_path: Path) -> None:
    lines = [one("subjects.line", name, name=name, nickname="N" * 64, lab=key(LAB)) for name in ("a", "b")]
    run(tmp_path, *lines)
    assert set(Line.objects.values_list("nickname", flat=True)) == {"N" * 64, "N" * 58 + ".2"}
    assert rules("b") == {"name-taken"}
    assert take(tmp_path / "dump.json").models["subjects.line"].unchanged == 2
