"""Pages of the colony: what they cost, who may use them, what they refuse and ask back, and that nothing is half saved."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from alyx.core.clock import now
from alyx.labs.models import Lab, Role
from subjects import models as m
from subjects.models import Basis, GenotypeTest, HandOver, Litter, Subject, Zygosity
from tests import factories
from tests.admin.conftest import logged_in
from tests.admin.pages import PAGES, Rows, url
from tests.admin.test_pages_open import QUERIES_AT_MOST, queries_of
from tests.factories.animals import a_litter, a_pair, a_restriction, a_water, a_weighing, a_word
from tests.factories.colony_days import Colony, a_colony

pytestmark = pytest.mark.django_db


@pytest.fixture
def colony(rows: Rows) -> Colony:
    """In the lab of the rows."""
    return a_colony(rows.lab)


def day(ago: int) -> date:
    """So many days before today."""
    return now().date() - timedelta(ago)


def said(client: Client, address: str, form: dict[str, Any]) -> str:
    """What the page answers to a form that is not accepted."""
    answer = client.post(address, form)
    assert answer.status_code == 200, answer.headers
    return answer.content.decode()


def job(slug: str) -> str:
    """The page of a job on many animals."""
    return reverse("admin:subjects_subject_job", args=[slug])


def of_litter(page: str, litter: Litter) -> str:
    """The page of a job with a litter."""
    return reverse(f"admin:subjects_litter_{page}", args=[litter.pk])


def keys(animals: list[Subject]) -> dict[str, list[str]]:
    """The animals as the boxes of a page send them."""
    return {"ids": [str(animal.pk) for animal in animals], "listed": [str(animal.pk) for animal in animals]}


def test_the_first_page_leads_to_each_page_once_with_the_vocabularies_folded(root: Client) -> None:
    page = root.get("/admin/").content.decode()
    groups, folded = page[page.index('<div class="groups">') :].split("<details")
    for model in PAGES:
        assert (groups + folded).count(f'href="{url(model, "changelist")}"') == 1, model
    assert url(m.Species, "changelist") in folded
    assert url(Subject, "changelist") in groups


# The list.


def full(lab: Lab, count: int) -> None:
    """Animals with everything a row shows."""
    line = factories.a_line(lab, alleles=2)
    litter = a_litter(a_pair(line))
    for _ in range(count):
        animal = factories.a_subject(lab, line=line, litter=litter, responsible_user=factories.a_user())
        for allele in line.alleles.all():
            Zygosity.objects.create(subject=animal, allele=allele, state=1)
        a_weighing(animal)
        a_water(animal)
        a_restriction(animal)
        factories.a_session(animal)


def test_the_list_costs_the_same_for_3_and_30_restricted_animals(rows: Rows, experimenter: Client) -> None:
    full(rows.lab, 3)
    few = queries_of(experimenter, url(Subject, "changelist"))
    full(rows.lab, 27)
    assert queries_of(experimenter, url(Subject, "changelist")) == few <= QUERIES_AT_MOST


def test_a_row_shows_weight_with_its_word_water_and_a_conflict(colony: Colony, root: Client) -> None:
    colony.lab.reference_weight_pct = 0.85
    colony.lab.save()
    page = root.get(url(Subject, "changelist"), {"q": colony.restricted.nickname}).content.decode()
    assert "87 % fine" in page
    assert "0.45 mL" in page
    assert "the tests say absent" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"whose": "mine"}, {"mine"}),
        ({"whose": "delegated"}, {"theirs"}),
        ({"whose": "stock"}, {"stock"}),
        ({"whose": "nobody"}, {"nobodys"}),
        ({"alive": "no"}, {"dead"}),
        ({"only": "restricted"}, {"theirs"}),
        ({"only": "cull"}, {"nobodys"}),
        ({"only": "genotype"}, {"mine"}),
        ({"cage": "c77"}, {"stock"}),
        ({"sex": "M"}, {"stock"}),
        ({"q": "LR"}, {"mine"}),
        ({"q": "dead"}, {"dead"}),
        ({}, {"mine", "theirs", "stock", "nobodys"}),
    ],
)
def test_the_list_is_narrowed(query: dict[str, str], expected: set[str], rows: Rows) -> None:
    me, other = rows.member(Role.EXPERIMENTER), rows.member(Role.EXPERIMENTER)
    other.allowed_users.add(me)
    keeper = factories.a_member(rows.lab, is_stock_manager=True)
    made = {
        "mine": factories.a_subject(rows.lab, "mine", responsible_user=me, ear_mark="LR", to_be_genotyped=True),
        "theirs": factories.a_subject(rows.lab, "theirs", responsible_user=other),
        "stock": factories.a_subject(rows.lab, "stock", responsible_user=keeper, cage_name="C77", sex="M"),
        "nobodys": factories.a_subject(rows.lab, "nobodys", to_be_culled=True),
        "dead": factories.a_subject(rows.lab, "dead", responsible_user=keeper, died_on=date(2026, 3, 1)),
    }
    a_restriction(made["theirs"])
    shown = logged_in(me).get(url(Subject, "changelist"), query).context["cl"].result_list
    assert {row.nickname for row in shown} == expected


# The page of one.


def test_an_animals_page_costs_the_same_for_1_and_20_of_everything(colony: Colony, root: Client) -> None:
    animal = colony.restricted

    def more(count: int) -> None:
        for number in range(count):
            a_weighing(animal, 20.0 + (count * 100 + number) / 1000)
            factories.a_note(animal)
            factories.a_surgery(animal)
            HandOver.objects.create(subject=animal, to_user=factories.a_user(), at=factories.a_note(animal).at)
            mate = factories.a_subject(colony.lab)
            factories.a_stay(mate, animal.stays.get().housing)
            GenotypeTest.objects.create(subject=animal, sequence=a_word(m.Sequence), result=1)
            Zygosity.objects.create(subject=animal, allele=factories.an_allele(), state=1)

    more(8)
    few = queries_of(root, url(Subject, "change", animal.pk))
    more(12)
    assert queries_of(root, url(Subject, "change", animal.pk)) == few


def test_the_page_says_what_people_ask_first(colony: Colony, root: Client) -> None:
    colony.lab.reference_weight_pct = 0.85
    colony.lab.save()
    page = root.get(url(Subject, "change", colony.restricted.pk)).content.decode()
    for words in ("12 w", colony.line.nickname, colony.litter.name, "C102", colony.pups[-2].nickname, "karin", "87.2"):
        assert words in page
    assert "pct = 100·(w − iw)/(ew − iw)" in page
    assert f"/admin/subjects/subject/{colony.restricted.pk}/water/" in page


def test_an_animal_that_drinks_freely_is_owed_no_water(colony: Colony, root: Client) -> None:
    animal = colony.pups[0]
    a_weighing(animal, 21.4)
    page = root.get(url(Subject, "change", animal.pk)).content.decode()
    assert "21.4 g" in page
    assert "drinks freely" in page
    assert "remaining = expected" not in page


def test_the_pedigree_shows_parents_and_offspring_and_costs_the_same_for_many(colony: Colony, root: Client) -> None:
    father = colony.pair.father
    assert father is not None
    address = reverse("admin:subjects_subject_pedigree", args=[father.pk])
    few = queries_of(root, address)
    for _ in range(3):
        litter = a_litter(colony.pair)
        factories.a_subject(colony.lab, litter=litter, line=colony.line)
    assert queries_of(root, address) == few <= QUERIES_AT_MOST
    of_pup = root.get(reverse("admin:subjects_subject_pedigree", args=[colony.pups[0].pk])).content.decode()
    assert father.nickname in of_pup
    assert "Ai95-Emx1_0002" in of_pup


def test_an_animal_that_is_its_own_ancestor_is_shown(colony: Colony, root: Client) -> None:
    father = colony.pair.father
    assert father is not None
    Subject.objects.filter(pk=father.pk).update(litter=colony.litter)
    page = root.get(reverse("admin:subjects_subject_pedigree", args=[father.pk])).content.decode()
    assert "its own ancestor" in page


# One job on many animals.


def test_animals_are_handed_over_with_their_history(colony: Colony, root: Client) -> None:
    to = factories.a_member(colony.lab)
    answer = root.post(
        job("hand-over"), {**keys(colony.pups[:3]), "to": str(to.pk), "reason": "training", "do": "Hand over"}
    )
    assert answer.status_code == 302
    assert Subject.objects.filter(responsible_user=to).count() == 3
    assert {(row.to_user, row.reason) for row in HandOver.objects.all()} == {(to, "training")}


def test_who_may_hand_over_which_animals_is_said_beside_each(colony: Colony) -> None:
    """Karin's own two go; the stock's stay, ticked, with the reason."""
    to = factories.a_member(colony.lab)
    page = said(
        logged_in(colony.keeper), job("hand-over"), {**keys(colony.pups[3:]), "to": str(to.pk), "do": "Hand over"}
    )
    assert "2 handed over; 1 refused" in page
    assert "may not hand over" in page
    assert set(Subject.objects.filter(responsible_user=to)) == set(colony.pups[4:])


@pytest.mark.parametrize("slug", ["hand-over", "cull", "mark", "move"])
def test_readers_have_no_pages_of_jobs(slug: str, colony: Colony) -> None:
    reader = logged_in(factories.a_member(colony.lab, Role.READER))
    assert reader.get(job(slug), keys(colony.pups)).status_code == 403
    assert reader.post(job(slug), {**keys(colony.pups), "do": "x"}).status_code == 403


@pytest.mark.usefixtures("open_reading")
@pytest.mark.parametrize("slug", ["hand-over", "cull", "mark", "move"])
def test_heads_of_another_lab_change_nothing(slug: str, colony: Colony) -> None:
    stranger = logged_in(factories.a_member(factories.a_lab(), Role.HEAD))
    before = list(Subject.objects.order_by("pk").values())
    form = {"to": str(colony.keeper.pk), "culled_on": str(day(1)), "to_be_culled": "yes", "cage_name": "X",
            "at": f"{day(1)}T10:00:00"}  # fmt: skip
    page = said(stranger, job(slug), {**keys(colony.pups[:2]), **form, "do": "x"})
    assert "2 refused" in page
    assert list(Subject.objects.order_by("pk").values()) == before


def test_many_are_culled_and_one_with_a_doubtful_date_is_asked_back(colony: Colony, root: Client) -> None:
    dead_before = factories.a_subject(colony.lab, born_on=day(3))
    reason = a_word(m.CullReason, "surplus")
    form = {
        **keys([*colony.pups[:2], dead_before]),
        "culled_on": str(day(11)),
        "cull_reason": str(reason.pk),
        "do": "x",
    }
    page = said(root, job("cull"), form)
    assert "2 culled; 1 refused" in page
    assert 'name="confirmed"' in page
    assert {cull.subject_id for cull in m.Cull.objects.filter(reason=reason)} == {pup.pk for pup in colony.pups[:2]}
    dead_before.refresh_from_db()
    assert dead_before.died_on is None
    answer = root.post(job("cull"), {**form, **keys([dead_before]), "confirmed": "on"})
    assert answer.status_code == 302
    dead_before.refresh_from_db()
    assert dead_before.died_on == day(11)


def test_moving_ends_the_old_stay_without_asking_whether_it_ends(colony: Colony, root: Client) -> None:
    form = {**keys(colony.pups[:1]), "cage_name": "C300", "at": f"{day(1)}T10:00:00", "do": "Move"}
    assert root.post(job("move"), form).status_code == 302
    pup = colony.pups[0]
    pup.refresh_from_db()
    assert pup.cage_name == "C300"
    assert [stay.housing.cage_name for stay in pup.stays.filter(ended_at__isnull=True)] == ["C300"]


def test_a_job_without_an_animal_or_a_value_says_so(colony: Colony, root: Client) -> None:
    listed = {"listed": [str(colony.pups[0].pk)], "do": "x"}
    assert "No animal is ticked" in said(root, job("hand-over"), {**listed, "to": str(colony.keeper.pk)})
    assert "This field is required" in said(root, job("hand-over"), {**keys(colony.pups[:1]), "do": "x"})
    assert "Choose yes or no" in said(root, job("mark"), {**keys(colony.pups[:1]), "do": "x"})
    assert "No animal is chosen" in root.get(job("hand-over")).content.decode()


def test_actions_of_the_list_open_the_page_of_the_job(colony: Colony, root: Client) -> None:
    chosen = [str(pup.pk) for pup in colony.pups[:2]]
    for action in ("hand_over", "move", "mark", "cull"):
        answer = root.post(url(Subject, "changelist"), {"action": action, "_selected_action": chosen})
        page = answer.content.decode()
        assert answer.status_code == 200
        assert all(f'name="ids" value="{key}"' in page for key in chosen)


# Litters.


def entry(colony: Colony, pups: list[dict[str, str]], **more: str) -> dict[str, str]:
    """The page of a new litter as it is sent."""
    form = {"breeding_pair": str(colony.pair.pk), "line": "", "born_on": str(day(20)), "rows": str(len(pups)), **more}
    for number, pup in enumerate(pups):
        form.update({f"p{number}-{name}": value for name, value in {"sex": "U", **pup}.items()})
    return form


def test_rows_are_made_without_script_and_keep_what_was_typed(colony: Colony, root: Client) -> None:
    form = entry(colony, [{"ear_mark": "LL", "sex": "F"}], females="1", males="2", description="white feet")
    page = said(root, url(Litter, "add"), {**form, "make_rows": "yes"})
    assert page.count('-ear_mark"') >= 4
    assert 'value="LL"' in page
    assert "white feet" in page
    assert "Rosa-WT" in page  # the sequences of the pair's line
    assert "errorlist" not in page


def test_a_litter_is_entered_with_its_pups_and_their_results(colony: Colony, root: Client) -> None:
    gcamp, wild = m.Sequence.objects.get(name="GCaMP6f"), m.Sequence.objects.get(name="Rosa-WT")
    pups = [
        {"sex": "F", "ear_mark": "L", f"r-{gcamp.pk}": "1", f"r-{wild.pk}": "1"},
        {"sex": "M", "ear_mark": "R"},
        {"leave_out": "on"},
    ]
    answer = root.post(url(Litter, "add"), {**entry(colony, pups), "do": "Save litter"})
    assert answer.status_code == 302, answer.content.decode()
    litter = Litter.objects.get(name="Ai95-Emx1_L_002")
    made = list(litter.subjects.order_by("nickname"))
    assert [(pup.nickname, pup.sex, pup.ear_mark) for pup in made] == [
        ("Ai95-Emx1_0010", "F", "L"),
        ("Ai95-Emx1_0011", "M", "R"),
    ]
    assert Zygosity.objects.get(subject=made[0], allele__nickname="Ai95D").get_state_display() == "heterozygous"
    assert made[0].responsible_user == colony.stock


def test_a_refused_pup_is_named_in_its_row_and_nothing_is_saved(colony: Colony, root: Client) -> None:
    pups = [{"sex": "F"}, {"sex": "M", "nickname": colony.pups[0].nickname}]
    litters, animals = Litter.objects.count(), Subject.objects.count()
    page = said(root, url(Litter, "add"), {**entry(colony, pups), "do": "Save litter"})
    assert "Pup 2:" in page
    assert page.count("has a subject named") == 2  # above, and in its row
    assert (Litter.objects.count(), Subject.objects.count()) == (litters, animals)
    colony.line.refresh_from_db()
    assert colony.line.last_litter_number == 1


def test_a_doubtful_birth_is_asked_back_and_kept_with_the_tick(colony: Colony, root: Client) -> None:
    form = entry(colony, [{"sex": "F"}], born_on=str(day(324)))  # before the pair began
    page = said(root, url(Litter, "add"), {**form, "do": "Save litter"})
    assert "the pair began" in page
    assert 'name="confirmed"' in page
    assert Litter.objects.count() == 1
    assert root.post(url(Litter, "add"), {**form, "do": "Save litter", "confirmed": "on"}).status_code == 302
    assert Litter.objects.count() == 2


@pytest.mark.parametrize(("role", "status"), [(Role.READER, 403), (Role.RIG, 403), (Role.EXPERIMENTER, 302)])
def test_who_enters_litters(role: Role, status: int, colony: Colony) -> None:
    client = logged_in(factories.a_member(colony.lab, role))
    answer = client.post(url(Litter, "add"), {**entry(colony, [{"sex": "F"}]), "do": "Save litter"})
    assert answer.status_code == status
    assert Litter.objects.count() == (2 if status == 302 else 1)


@pytest.mark.usefixtures("open_reading")
def test_a_litter_of_another_lab_is_refused_in_words(colony: Colony) -> None:
    stranger = logged_in(factories.a_member(factories.a_lab(), Role.HEAD))
    page = said(stranger, url(Litter, "add"), {**entry(colony, [{"sex": "F"}]), "do": "Save litter"})
    assert "may not change the colony" in page
    assert Litter.objects.count() == 1


def results(colony: Colony, found: dict[tuple[int, str], str], **more: str) -> dict[str, str]:
    """The grid as it is sent: what is in it, with these results typed."""
    form = {"tested_on": str(day(1)), **more}
    for number, pup in enumerate(colony.pups):
        for sequence in m.Sequence.objects.all():
            form[f"r-{pup.pk}-{sequence.pk}"] = found.get((number, sequence.name), "")
    return form


def test_a_litter_is_genotyped_on_one_page_and_the_rules_decide(colony: Colony, root: Client) -> None:
    found = {(0, "GCaMP6f"): "1", (0, "Rosa-WT"): "0", (1, "Cre"): "0", (2, "GCaMP6f"): "1"}
    address = of_litter("genotype", colony.litter)
    assert root.post(address, {**results(colony, found), "do": "Save results"}).status_code == 302
    assert GenotypeTest.objects.count() == 4
    states = {
        (row.subject, row.allele.nickname): row.get_state_display()
        for row in Zygosity.objects.filter(subject__in=colony.pups[:3]).select_related("allele", "subject")
    }
    assert states == {(colony.pups[0], "Ai95D"): "homozygous", (colony.pups[1], "Emx1-Cre"): "absent"}
    page = root.get(address).content.decode()
    assert "no test yet of Rosa-WT" in page  # of the third pup
    corrected = {**found, (0, "Rosa-WT"): "1", (1, "Cre"): ""}
    assert root.post(address, {**results(colony, corrected), "do": "Save results"}).status_code == 302
    assert GenotypeTest.objects.count() == 3
    assert Zygosity.objects.get(subject=colony.pups[0], allele__nickname="Ai95D").get_state_display() == "heterozygous"
    assert not Zygosity.objects.filter(subject=colony.pups[1]).exists()


def test_what_the_parents_make_certain_is_accepted_by_a_button_and_never_by_itself(
    colony: Colony, root: Client
) -> None:
    address = of_litter("genotype", colony.litter)
    page = root.get(address).content.decode()
    assert "father homozygous, mother absent: heterozygous is certain" in page
    assert not Zygosity.objects.filter(subject=colony.pups[0]).exists()
    ai95 = m.Allele.objects.get(nickname="Ai95D")
    one = {**results(colony, {(1, "Cre"): "1"}), "accept": f"{colony.pups[0].pk}:{ai95.pk}"}
    assert root.post(address, one).status_code == 302
    assert Zygosity.objects.get(subject=colony.pups[0]).basis == Basis.PARENTS
    assert GenotypeTest.objects.count() == 1  # what was typed is saved with it
    assert root.post(address, {**results(colony, {(1, "Cre"): "1"}), "accept": "all"}).status_code == 302
    accepted = Zygosity.objects.filter(basis=Basis.PARENTS, allele=ai95)
    assert {row.subject_id for row in accepted} == {pup.pk for pup in colony.pups}


def test_a_conflict_is_shown_and_not_overwritten(colony: Colony, root: Client) -> None:
    pup = colony.restricted
    found = {(5, "Cre"): "0"}
    address = of_litter("genotype", colony.litter)
    assert root.post(address, {**results(colony, found), "do": "x"}).status_code == 302
    assert Zygosity.objects.get(subject=pup).get_state_display() == "homozygous"
    assert "the tests say absent" in root.get(address).content.decode()


def test_the_grid_costs_the_same_for_6_and_16_pups(colony: Colony, root: Client) -> None:
    few = queries_of(root, of_litter("genotype", colony.litter))
    for _ in range(10):
        pup = factories.a_subject(colony.lab, litter=colony.litter, line=colony.line)
        GenotypeTest.objects.create(subject=pup, sequence=m.Sequence.objects.get(name="Cre"), result=1)
    assert queries_of(root, of_litter("genotype", colony.litter)) == few


def test_who_genotypes(colony: Colony) -> None:
    """Karin sees the boxes of her own two; a reader none; the stock's results are not hers to write."""
    address = of_litter("genotype", colony.litter)
    page = logged_in(colony.keeper).get(address).content.decode()
    assert f'aria-label="Cre, {colony.pups[5].nickname}"' in page
    assert f'aria-label="Cre, {colony.pups[0].nickname}"' not in page
    logged_in(colony.keeper).post(address, {**results(colony, {(0, "Cre"): "1", (5, "Cre"): "1"}), "do": "x"})
    assert [test.subject for test in GenotypeTest.objects.all()] == [colony.pups[5]]
    reader = logged_in(factories.a_member(colony.lab, Role.READER))
    assert "<select" not in reader.get(address).content.decode()
    assert reader.post(address, {**results(colony, {(1, "Cre"): "1"}), "do": "x"}).status_code == 403


def test_a_test_before_birth_is_asked_back_for_the_whole_grid(colony: Colony, root: Client) -> None:
    form = results(colony, {(0, "Cre"): "1", (1, "Cre"): "1"}, tested_on="2020-01-01")
    page = said(root, of_litter("genotype", colony.litter), {**form, "do": "x"})
    assert "before the birth" in page
    assert 'name="confirmed"' in page
    assert not GenotypeTest.objects.exists()


def test_a_litter_is_weaned_into_cages_by_sex(colony: Colony, root: Client) -> None:
    litter = a_litter(colony.pair, born_on=day(27))
    pups = [factories.a_subject(colony.lab, litter=litter, sex=sex, born_on=litter.born_on) for sex in "FFM"]
    form = {"weaned_on": str(day(5)), "females": "W1", "males": "W2", "do": "Wean"}
    assert root.post(of_litter("wean", litter), form).status_code == 302
    litter.refresh_from_db()
    assert litter.weaned_on == day(5)
    assert [Subject.objects.get(pk=pup.pk).cage_name for pup in pups] == ["W1", "W1", "W2"]
    page = said(root, of_litter("wean", litter), {**form, "weaned_on": str(day(51))})
    assert f"weaned {day(51)}" in page
    litter.refresh_from_db()
    assert litter.weaned_on == day(5)


# Lines, pairs, requests.


def rules_form(colony: Colony, rules: list[dict[str, Any]], **more: str) -> dict[str, Any]:
    """The page of the line as it is sent, with these new rules."""
    line = colony.line
    form: dict[str, Any] = {
        "name": line.name, "nickname": line.nickname, "lab": str(colony.lab.pk), "is_active": "on",
        "alleles": [str(allele.pk) for allele in line.alleles.all()],
        "zygosity_rules-TOTAL_FORMS": str(len(rules)), "zygosity_rules-INITIAL_FORMS": str(sum("id" in rule for rule in rules)),
        "_save": "Save", **more,
    }  # fmt: skip
    for number, rule in enumerate(rules):
        form.update({f"zygosity_rules-{number}-{name}": str(value) for name, value in rule.items()})
    return form


def stored_rules(colony: Colony) -> list[dict[str, Any]]:
    """As the page shows them."""
    return [
        {"id": rule.pk, "line": rule.line_id, "allele": rule.allele_id, "sequence0": rule.sequence0_id,
         "result0": rule.result0, "sequence1": rule.sequence1_id or "", "state": rule.state,
         "result1": "" if rule.result1 is None else rule.result1}
        for rule in colony.line.zygosity_rules.all()
    ]  # fmt: skip


def test_rules_of_a_line_are_added_changed_and_removed_on_its_page(colony: Colony, root: Client) -> None:
    rules = stored_rules(colony)
    rules[0]["state"] = 3
    rules[1]["DELETE"] = "on"
    answer = root.post(url(m.Line, "change", colony.line.pk), rules_form(colony, rules))
    assert answer.status_code == 302, answer.content.decode()
    assert colony.line.zygosity_rules.count() == 4
    assert colony.line.zygosity_rules.get(pk=rules[0]["id"]).state == 3


def test_a_rule_of_a_foreign_sequence_is_asked_back_with_the_line(colony: Colony, root: Client) -> None:
    foreign = a_word(m.Sequence, "Tdt")
    allele = colony.line.alleles.first()
    assert allele is not None
    rule = {"allele": allele.pk, "sequence0": foreign.pk, "result0": 1, "state": 1}
    form = rules_form(colony, [*stored_rules(colony), rule], target_phenotype="red cells")
    page = said(root, url(m.Line, "change", colony.line.pk), form)
    assert "is not tested for Tdt" in page
    assert 'name="confirmed"' in page
    colony.line.refresh_from_db()
    assert (colony.line.target_phenotype, colony.line.zygosity_rules.count()) == ("", 5)


def test_a_father_of_the_wrong_sex_is_asked_back_beside_the_box(colony: Colony, root: Client) -> None:
    female = colony.pair.mother1
    assert female is not None
    form = {"name": "", "line": str(colony.line.pk), "lab": str(colony.lab.pk), "father": str(female.pk),
            "mother1": str(colony.pups[1].pk), "started_on": str(day(1)), "_save": "Save"}  # fmt: skip
    page = said(root, url(m.BreedingPair, "add"), form)
    assert "is female" in page
    assert m.BreedingPair.objects.count() == 1
    assert "is the father already" in said(
        root, url(m.BreedingPair, "add"), {**form, "mother1": form["father"], "confirmed": "on"}
    )
    assert root.post(url(m.BreedingPair, "add"), {**form, "confirmed": "on"}).status_code == 302
    assert m.BreedingPair.objects.filter(name="Ai95-Emx1_BP_002").exists()


def test_a_box_for_a_father_offers_no_females(colony: Colony, root: Client) -> None:
    offered = {}
    for box in ("father", "mother1"):
        asked = {"app_label": "subjects", "model_name": "breedingpair", "field_name": box, "term": "Ai95"}
        found = root.get("/admin/autocomplete/", asked).json()["results"]
        offered[box] = {Subject.objects.get(pk=row["id"]).sex for row in found}
    assert offered == {"father": {"M"}, "mother1": {"F"}}


def test_animals_are_given_to_a_request_which_closes_when_full(colony: Colony) -> None:
    address = reverse("admin:subjects_subjectrequest_allocate", args=[colony.request.pk])
    stock = logged_in(colony.stock)
    assert "No animal is ticked" in said(stock, address, {"do": "x"})
    ids = [str(pup.pk) for pup in colony.pups[:3]]
    assert "2 asked for, this would be 3" in said(stock, address, {"ids": ids, "do": "x"})
    assert not Subject.objects.filter(request=colony.request).exists()
    assert stock.post(address, {"ids": ids[:2], "do": "x"}).status_code == 302
    colony.request.refresh_from_db()
    assert colony.request.closed_on is not None
    assert set(Subject.objects.filter(request=colony.request, responsible_user=colony.keeper)) == set(colony.pups[:2])


def test_only_animals_that_one_may_give_are_offered(colony: Colony) -> None:
    other = factories.a_member(colony.lab)
    page = logged_in(other).get(reverse("admin:subjects_subjectrequest_allocate", args=[colony.request.pk]))
    assert 'name="ids"' not in page.content.decode()


WORDS: list[tuple[type[Model], dict[str, Any]]] = [
    (m.Species, {"name": "Rattus"}),
    (m.Sequence, {"name": "Cre2"}),
    (m.Allele, {"nickname": "PV-Cre"}),
]


@pytest.mark.parametrize(("model", "form"), WORDS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("role", [Role.EXPERIMENTER, Role.HEAD])
def test_managers_extend_the_vocabularies(model: type[Model], form: dict[str, Any], role: Role, rows: Rows) -> None:
    answer = logged_in(rows.member(role)).post(url(model, "add"), {**form, "_save": "Save"})
    assert answer.status_code == (302 if role == Role.HEAD else 403)
    assert model._default_manager.filter(**form).exists() is (role == Role.HEAD)


def test_a_zygosity_that_was_typed_is_left_to_the_tests_by_its_button(colony: Colony, root: Client) -> None:
    cre = m.Sequence.objects.get(name="Cre")
    root.post(of_litter("genotype", colony.litter), {**results(colony, {(5, "Cre"): "0"}), "do": "x"})
    typed = Zygosity.objects.get(subject=colony.restricted)
    address = reverse("admin:subjects_zygosity_act", args=[typed.pk, "let_tests_decide"])
    root.post(address)
    now = Zygosity.objects.get(subject=colony.restricted)
    assert (now.get_state_display(), now.basis) == ("absent", Basis.TESTS)
    assert GenotypeTest.objects.filter(sequence=cre).count() == 1
