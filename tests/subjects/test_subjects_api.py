"""REST for animals."""

from datetime import date
from typing import Any

import pytest

from alyx.core.errors import Invalid
from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, Role
from subjects.models import (
    Allele,
    Cull,
    GenotypeTest,
    Litter,
    ProcedureType,
    Sequence,
    Source,
    Species,
    Strain,
    Subject,
    SubjectRequest,
    Zygosity,
)
from subjects.rules.age import age_weeks
from subjects.services.subject import change_subject
from tests.factories.animals import a_line, a_pair, a_restriction, a_weighing, a_word, an_allele
from tests.factories.people import a_lab, a_member, a_project, a_superuser
from tests.factories.records import MORNING, a_session, a_subject, an_aggregate
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, name="anna"))


def rules() -> list[str]:
    return sorted(ReviewFlag.objects.values_list("rule", flat=True))


def test_an_animal_is_read_by_nickname_dots_and_all(rest: Rest, lab: Lab) -> None:
    project, recorded = a_project("mine"), a_project("recorded")
    subject = a_subject(lab, "KS.014", json={"trained_criteria": {"ready": ["2024-01-01", "x"]}})
    subject.projects.add(project)
    a_session(subject).projects.add(recorded)
    record = rest.get("subjects/KS.014").json()
    assert record["url"] == "http://testserver/subjects/KS.014"
    assert (record["projects"], record["session_projects"]) == (["mine"], ["recorded"])
    assert (record["lab"], record["sex"], record["alive"], record["birth_date"]) == (
        "cortexlab",
        "F",
        True,
        "2025-11-03",
    )
    assert record["responsible_user"] is None
    assert record["genotype"] == record["weighings"] == record["water_administrations"] == []
    for number in ("reference_weight", "expected_water", "remaining_water"):
        assert record[number] == 0
    assert isinstance(record["age_weeks"], int)
    assert rest.get("subjects/ks.014").json()["id"] == record["id"]
    (listed,) = rest.found("subjects", nickname="ks.014")
    assert listed == {
        name: value for name, value in record.items() if name not in ("weighings", "water_administrations")
    }


def test_a_missing_animal_is_a_404_that_names_the_nearest(rest: Rest, lab: Lab) -> None:
    a_subject(lab, "KS.014")
    answer = rest.get("subjects/KS.015")
    assert answer.status_code == 404
    assert "nearest: KS.014" in answer.json()["detail"]
    assert rest.get("subjects/a%00b").status_code == 404


@pytest.mark.usefixtures("open_reading")
def test_a_nickname_in_several_labs_is_resolved_by_the_call_then_by_the_caller(rest: Rest, lab: Lab) -> None:
    ours, theirs = a_subject(lab, "M1"), a_subject(a_lab("otherlab"), "m1")
    assert rest.get("subjects/M1").json()["id"] == str(ours.pk)
    assert rest.get("subjects/M1?lab=otherlab").json()["id"] == str(theirs.pk)
    stranger = Rest(a_superuser())
    answer = stranger.get("subjects/M1")
    assert answer.status_code == 409
    assert "cortexlab, otherlab" in answer.json()["detail"]


def test_the_lab_alone_makes_an_animal_and_automatic_names_never_come_twice(rest: Rest, lab: Lab) -> None:
    first = rest.post("subjects", {"lab": "cortexlab"})
    assert first.status_code == 201
    assert (first.json()["nickname"], first.json()["responsible_user"]) == ("cortexlab_0001", "anna")
    assert rest.post("subjects", {"lab": "cortexlab"}).json()["nickname"] == "cortexlab_0002"
    assert rest.delete("subjects/cortexlab_0002").status_code == 204
    assert rest.post("subjects", {"lab": "cortexlab"}).json()["nickname"] == "cortexlab_0003"


def test_a_second_one_of_the_name_in_the_lab_is_a_400_whatever_the_case(rest: Rest, lab: Lab) -> None:
    assert rest.post("subjects", {"lab": "cortexlab", "nickname": "M1"}).status_code == 201
    answer = rest.post("subjects", {"lab": "cortexlab", "nickname": "m1"})
    assert answer.status_code == 400
    assert "nickname" in answer.json()["errors"]
    rest.post("subjects", {"lab": "cortexlab", "nickname": "M2"})
    assert rest.patch("subjects/M2", {"nickname": "M1"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "lab"),
        ({"lab": "cortxlab"}, "lab"),
        ({"lab": "cortexlab", "nickname": "../x"}, "nickname"),
        ({"lab": "cortexlab", "nickname": "a b"}, "nickname"),
        ({"lab": "cortexlab", "nickname": ".."}, "nickname"),
        ({"lab": "cortexlab", "sex": "X"}, "sex"),
        ({"lab": "cortexlab", "birth_date": "soon"}, "birth_date"),
        ({"lab": "cortexlab", "responsible_user": "nobody"}, "responsible_user"),
        ({"lab": "cortexlab", "projects": ["nothing"]}, "projects"),
        ({"lab": "cortexlab", "nickname": "x" * 300}, "nickname"),
    ],
)
def test_what_cannot_be_is_a_400_that_names_the_field(rest: Rest, body: dict[str, Any], field: str) -> None:
    answer = rest.post("subjects", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Subject.objects.exists()


def test_the_implausible_and_the_unknown_is_flagged(rest: Rest, lab: Lab) -> None:
    a_word(Species, "Mus musculus")
    body = {"lab": "cortexlab", "birth_date": "2024-05-01", "death_date": "2024-04-01", "species": "Mus muscullus"}
    assert rest.post("subjects", body).status_code == 201
    assert rules() == ["death-before-birth", "unknown-species"]
    flag = ReviewFlag.objects.get(rule="unknown-species")
    assert flag.facts == {"species": "Mus muscullus"}
    assert "nearest: Mus musculus" in flag.message
    rest.post("subjects", {"lab": "cortexlab", "birth_date": "2199-01-01"})
    assert "date-in-the-future" in rules()


def test_patch_and_put_change_what_is_sent(rest: Rest, lab: Lab) -> None:
    a_subject(lab, "M1", description="old", json={"a": 1})
    record = rest.patch("subjects/M1", {"json": {"trained_criteria": {}}, "death_date": "2026-05-01"}).json()
    assert (record["json"], record["alive"], record["description"]) == ({"trained_criteria": {}}, False, "old")
    record = rest.put("subjects/M1", {"description": "new", "responsible_user": "anna"}).json()
    assert (record["description"], record["responsible_user"], record["death_date"]) == ("new", "anna", "2026-05-01")


def test_an_animal_with_sessions_is_neither_renamed_nor_deleted(rest: Rest, lab: Lab) -> None:
    subject = a_subject(lab, "M1", responsible_user_id=rest.get("users/anna").json()["id"])
    session = a_session(subject)
    assert rest.patch("subjects/M1", {"nickname": "M2"}).status_code == 400
    answer = rest.delete("subjects/M1")
    assert answer.status_code == 403
    assert "M1/2026-03-09/001" in answer.json()["detail"]
    Rest(a_superuser()).delete(f"sessions/{session.pk}")
    aggregate = an_aggregate(subject)
    assert rest.delete("subjects/M1").status_code == 403
    aggregate.withdrawn_at = aggregate.created_at
    aggregate.save()
    assert rest.delete("subjects/M1").status_code == 204
    assert rest.get("subjects/M1").status_code == 404
    assert rest.found("subjects") == []
    assert rest.post("subjects", {"lab": "cortexlab", "nickname": "M1"}).status_code == 201


@pytest.mark.usefixtures("open_reading")
def test_another_labs_animals_are_read_and_not_written(lab: Lab) -> None:
    a_subject(lab, "M1")
    stranger = Rest(a_member(a_lab("elsewhere")))
    assert stranger.get("subjects/M1").status_code == 200
    assert stranger.patch("subjects/M1", {"description": "x"}).status_code == 403
    assert stranger.delete("subjects/M1").status_code == 403
    assert stranger.post("subjects", {"lab": "cortexlab"}).status_code == 403
    assert Rest(a_member(lab, Role.READER)).patch("subjects/M1", {"description": "x"}).status_code == 403


def test_an_animal_changes_labs_only_with_a_role_in_both(rest: Rest, lab: Lab) -> None:
    other = a_lab("otherlab")
    a_subject(lab, "M1")
    assert rest.patch("subjects/M1", {"lab": "otherlab"}).status_code == 403
    both = a_member(other)
    both.memberships.create(lab=lab, role=Role.EXPERIMENTER)
    assert Rest(both).patch("subjects/M1", {"lab": "otherlab"}).json()["lab"] == "otherlab"


FINDS = [
    ("alive", "True", "False"),
    ("stock", "True", "False"),
    ("lab", "cortexlab", "otherlab"),
    ("nickname", "m1", "m"),
    ("responsible_user", "stock.manager", "anna"),
    ("sex", "F", "M"),
    ("project", "NEURO", "qq"),
    ("projects", "neuro", "qq"),
    ("birth_date", "2025-11-03", "2025-11-04"),
    ("description", "white", "black"),
    ("json", "a__gte,1", "a__gte,2"),
    ("water_restricted", "False", "True"),
    ("django", "lab__name,cortexlab,birth_date__lte,2025-12-01", "lab__name,cortexlab,birth_date__lte,2025-01-01"),
    ("django", "responsible_user__username__icontains,stock", "responsible_user__username__icontains,no"),
    ("django", "death_date__isnull,True", "death_date__isnull,False"),
    ("django", "birth_date__year,2025", "birth_date__year__lt,2025"),
]


@pytest.mark.parametrize(("name", "fits", "does_not"), FINDS)
def test_each_filter_finds_what_fits_and_nothing_else(
    rest: Rest, lab: Lab, name: str, fits: str, does_not: str
) -> None:
    manager = a_member(lab, name="stock.manager", is_stock_manager=True)
    subject = a_subject(lab, "M1", responsible_user=manager, description="white spot", json={"a": 1})
    subject.projects.add(a_project("ibl_neuropixel"))
    assert "M1" in [one["nickname"] for one in rest.found("subjects", **{name: fits})]
    assert "M1" not in [one["nickname"] for one in rest.found("subjects", **{name: does_not})]


COLONY_FINDS = [
    ("species", "MUS musculus", "Rattus"),
    ("strain", "c57bl/6j", "CBA"),
    ("source", "bred", "bought"),
    ("line", "ai32", "Ai3"),
    ("line", "Ai32 line", "other line"),
    ("litter", "Ai32_L_001", "Ai32_L_002"),
    ("request", "for the summer", "for the winter"),
    ("genotype", "cre", "Flp"),
    ("genotype_test", "cre-1", "cre-2"),
    ("genotype_date", "2026-02-10", "2026-02-11"),
    ("wean_date", "2026-02-20", "2026-02-21"),
    ("reduced_date", "2026-03-01", "2026-03-02"),
    ("cage", "1201", "120"),
    ("ear_mark", "tl", "T"),
    ("name", "Felix", "Fel"),
    ("actual_severity", "3", "2"),
    ("adverse_effects", "INFECT", "tumour"),
    ("to_be_culled", "True", "False"),
    ("to_be_genotyped", "False", "True"),
    ("water_restricted", "True", "False"),
    ("django", "line__nickname,Ai32,cage,1201", "line__nickname,Ai32,cage,1202"),
    ("django", "genotype__nickname,Cre", "~genotype__nickname,Cre"),
    ("django", "zygosity__allele__nickname,Cre,zygosity__zygosity,1", "zygosity__zygosity,2"),
    ("django", "genotype_test__name,cre-1,genotypetest__test_result,1", "genotypetest__test_result,0"),
    ("django", "litter__breeding_pair__father__nickname,dad", "litter__breeding_pair__father__nickname,mum"),
    ("django", "wean_date__gte,2026-02-20,species__name,Mus musculus", "wean_date__isnull,True"),
]


@pytest.fixture
def bred(lab: Lab) -> Subject:
    line = a_line(lab, "Ai32")
    pair = a_pair(line, father=a_subject(lab, "dad", sex="M"))
    subject = a_subject(
        lab,
        "M1",
        line=line,
        species=a_word(Species, "Mus musculus"),
        strain=a_word(Strain, "C57BL/6J"),
        source=a_word(Source, "bred"),
        litter=Litter.objects.create(name="Ai32_L_001", line=line, lab=lab, breeding_pair=pair),
        request=SubjectRequest.objects.create(name="for the summer", user=a_member(lab), lab=lab),
        genotyped_on=date(2026, 2, 10),
        weaned_on=date(2026, 2, 20),
        reduced_on=date(2026, 3, 1),
        cage_name="1201",
        ear_mark="TL",
        name="Felix",
        actual_severity=3,
        adverse_effects="an infected ear",
        to_be_culled=True,
    )
    allele = an_allele("Cre", sequences=0)
    Zygosity.objects.create(subject=subject, allele=allele, state=1)
    GenotypeTest.objects.create(subject=subject, sequence=a_word(Sequence, "cre-1"), result=1)
    a_restriction(subject)
    ended = a_subject(lab, "ended")
    a_restriction(ended, end=MORNING)
    return subject


@pytest.mark.parametrize(("name", "fits", "does_not"), COLONY_FINDS)
def test_each_filter_of_the_colony_finds_what_fits_and_nothing_else(
    rest: Rest, bred: Subject, name: str, fits: str, does_not: str
) -> None:
    found = [one["nickname"] for one in rest.found("subjects", **{name: fits})]
    assert "M1" in found
    if name == "water_restricted":
        assert found == ["M1"]
    assert "M1" not in [one["nickname"] for one in rest.found("subjects", **{name: does_not})]


def test_related_rows_are_found_by_their_key_too(rest: Rest, bred: Subject) -> None:
    line, allele = bred.line, Allele.objects.get()
    assert line is not None
    for query in ({"line": line.pk}, {"genotype": allele.pk}):
        assert "M1" in [one["nickname"] for one in rest.found("subjects", **query)]
        assert rest.found("subjects", **dict.fromkeys(query, bred.pk)) == []


def test_a_name_in_releases_has_no_underscore_and_stands_once(lab: Lab) -> None:
    head, one, other = a_member(lab, Role.HEAD), a_subject(lab), a_subject(lab)
    change_subject(actor=head, subject=one, changes={"export_id": "CL-001"})
    for said, words in (("CL-001", "another animal"), ("CL_002", "no underscore")):
        with pytest.raises(Invalid, match=words):
            change_subject(actor=head, subject=other, changes={"export_id": said})


def test_the_record_names_its_line_and_genotype(rest: Rest, bred: Subject) -> None:
    record = rest.get("subjects/M1").json()
    words = {"species": "Mus musculus", "strain": "C57BL/6J", "source": "bred", "litter": "Ai32_L_001"}
    assert {name: record[name] for name in words} == words
    assert record["line"] == "Ai32 line"
    assert record["genotype"] == [{"allele": "Cre", "zygosity": 1}]
    (listed,) = rest.found("subjects", nickname="M1")
    assert listed["genotype"] == ["Cre heterozygous"]


def test_words_are_resolved_ignoring_case_and_taken_away_by_null(rest: Rest, bred: Subject) -> None:
    body = {"lab": "cortexlab", "nickname": "M2", "line": "AI32", "litter": "ai32_l_001", "species": "mus Musculus"}
    record = rest.post("subjects", body).json()
    assert (record["line"], record["litter"], record["species"]) == ("Ai32 line", "Ai32_L_001", "Mus musculus")
    record = rest.patch("subjects/M2", {"line": None, "litter": ""}).json()
    assert (record["line"], record["litter"]) == (None, None)
    assert rules() == []


def test_a_rig_with_a_wrong_word_keeps_its_animal_and_the_inbox_tells(rest: Rest, bred: Subject) -> None:
    body = {"lab": "cortexlab", "nickname": "M2", "line": "Ai23 line", "birth_date": "2026-02-03"}
    assert rest.post("subjects", body).json()["line"] is None
    flag = ReviewFlag.objects.get(rule="unknown-line")
    assert "nearest: Ai32 line" in flag.message
    Litter.objects.update(born_on=date(2026, 2, 1))
    rest.patch("subjects/M2", {"litter": "Ai32_L_001"})
    assert rules() == ["birth-differs-from-litter", "unknown-line"]


def test_json_is_every_writing_roles_and_the_rest_is_the_keepers(rest: Rest, lab: Lab) -> None:
    a_subject(lab, "M1", responsible_user=a_member(lab))
    rig = Rest(a_member(lab, Role.RIG))
    for one in (rest, rig):
        assert one.patch("subjects/M1", {"json": {"trained_criteria": 1}}).status_code == 200
        answer = one.patch("subjects/M1", {"json": {}, "description": "x"})
        assert answer.status_code == 403
        assert "responsible user" in answer.json()["detail"]
    assert Rest(a_member(lab, Role.READER)).patch("subjects/M1", {"json": {}}).status_code == 403


def test_a_death_date_ends_what_lasts_for_a_life_and_moves_the_cull(rest: Rest, bred: Subject) -> None:
    rest.patch("subjects/M1", {"death_date": "2026-03-20"})
    assert bred.waterrestriction_set.get().ended_at is not None
    assert not Subject.objects.get(pk=bred.pk).to_be_culled
    cull = Cull.objects.create(subject=bred, culled_on=date(2026, 3, 20))
    rest.patch("subjects/M1", {"death_date": "2026-03-21"})
    cull.refresh_from_db()
    assert cull.culled_on == date(2026, 3, 21)
    assert rest.patch("subjects/M1", {"death_date": None}).status_code == 400


def test_an_animal_with_weights_or_young_is_not_withdrawn(lab: Lab) -> None:
    head = Rest(a_member(lab, Role.HEAD))
    a_weighing(a_subject(lab, "M1"))
    a_pair(a_line(lab), father=a_subject(lab, "dad", sex="M"))
    assert "has 1 weighings" in head.delete("subjects/M1").json()["detail"]
    assert "has 1 breeding pairs" in head.delete("subjects/dad").json()["detail"]


@pytest.mark.parametrize(
    ("born", "died", "weeks"),
    [
        (None, None, 0),
        (date(2026, 1, 1), None, 2),
        (date(2026, 1, 1), date(2026, 1, 8), 1),
        (date(2026, 1, 8), date(2026, 1, 1), 0),
        (date(2027, 1, 1), None, 0),
    ],
)
def test_age_is_whole_weeks_and_never_negative(born: date | None, died: date | None, weeks: int) -> None:
    assert age_weeks(born, died, date(2026, 1, 20)) == weeks


def test_procedures_are_a_controlled_vocabulary(rest: Rest, lab: Lab) -> None:
    ProcedureType.objects.create(name="Behavior training/tasks")
    assert [one["name"] for one in rest.found("procedures")] == ["Behavior training/tasks"]
    assert rest.post("procedures", {"name": "magic"}).status_code == 403
    manager = Rest(a_member(lab, Role.DATA_MANAGER))
    assert manager.post("procedures", {"name": "Imaging"}).status_code == 201
    assert manager.post("procedures", {"name": "Imaging"}).status_code == 400
