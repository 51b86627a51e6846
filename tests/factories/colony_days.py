"""A small colony as it stands after some weeks: lines with alleles and rules, pairs, litters, cages, weights, a conflict."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from alyx.core.clock import now, utc_to_wall
from alyx.labs.models import Lab, User
from subjects import models as m
from subjects.models import Subject
from tests.factories.animals import a_housing, a_restriction, a_stay, a_surgery, a_water, a_weighing, a_word
from tests.factories.people import a_member
from tests.factories.records import a_subject


@dataclass(frozen=True)
class Colony:
    """What the tests open."""

    lab: Lab
    line: m.Line
    pair: m.BreedingPair
    litter: m.Litter
    """Six pups, not genotyped yet; the father carries one allele twice."""
    pups: list[Subject]
    restricted: Subject
    keeper: User
    stock: User
    request: m.SubjectRequest


def a_colony(lab: Lab) -> Colony:
    """In the lab, today."""
    today = utc_to_wall(now(), lab.timezone).date()
    stock = a_member(lab, name="stock", is_stock_manager=True)
    keeper = a_member(lab, name="karin")
    line = _line(lab)
    father = a_subject(
        lab, "Ai95-Emx1_0001", sex="M", line=line, responsible_user=stock, born_on=today - timedelta(200)
    )
    mother = a_subject(
        lab, "Ai95-Emx1_0002", sex="F", line=line, responsible_user=stock, born_on=today - timedelta(190)
    )
    other = a_subject(lab, "Ai95-Emx1_0003", sex="F", line=line, responsible_user=stock, born_on=today - timedelta(190))
    ai95, emx1 = line.alleles.order_by("nickname")
    for animal, state in ((father, 2), (mother, 0), (other, 0)):
        m.Zygosity.objects.create(subject=animal, allele=ai95, state=state)
    m.Zygosity.objects.create(subject=father, allele=emx1, state=1)
    pair = m.BreedingPair.objects.create(
        name="Ai95-Emx1_BP_001", lab=lab, line=line, father=father, mother1=mother, started_on=today - timedelta(120)
    )
    born = today - timedelta(84)
    litter = m.Litter.objects.create(
        name="Ai95-Emx1_L_001", lab=lab, line=line, breeding_pair=pair, born_on=born, n_born=7
    )
    pups = [
        a_subject(
            lab, f"Ai95-Emx1_{number:04d}", sex="MF"[number % 2], line=line, litter=litter, born_on=born,
            responsible_user=stock if number < 8 else keeper, ear_mark="LRN"[number % 3], to_be_genotyped=True,
        )
        for number in range(4, 10)
    ]  # fmt: skip
    line.last_subject_number = 9
    line.last_breeding_pair_number = line.last_litter_number = 1
    line.save()
    _house(lab, pups, today)
    restricted = pups[-1]
    _welfare(restricted, today)
    m.Zygosity.objects.create(subject=restricted, allele=emx1, state=2, derived=0, why="typed from the cage card")
    request = m.SubjectRequest.objects.create(
        user=keeper, lab=lab, line=line, count=2, due_on=today + timedelta(14), requested_on=today
    )
    return Colony(lab, line, pair, litter, pups, restricted, keeper, stock, request)


def _line(lab: Lab) -> m.Line:
    line = m.Line.objects.create(
        name="Ai95D x Emx1-Cre", nickname="Ai95-Emx1", lab=lab, species=a_word(m.Species, "Mus musculus", nickname="mouse"),
        strain=a_word(m.Strain, "C57BL/6J"),
    )  # fmt: skip
    found: dict[str, tuple[m.Allele, Any]] = {}
    for nickname, name in (("Ai95D", "GCaMP6f"), ("Emx1-Cre", "Cre")):
        allele = m.Allele.objects.create(nickname=nickname)
        sequence = a_word(m.Sequence, name)
        allele.sequences.set([sequence])
        found[nickname] = (allele, sequence)
    line.alleles.set([allele for allele, _ in found.values()])
    wild = a_word(m.Sequence, "Rosa-WT")
    allele, sequence = found["Ai95D"]
    allele.sequences.add(wild)
    for here, there, state in ((1, 1, 1), (1, 0, 2), (0, 1, 0)):
        m.ZygosityRule.objects.create(
            line=line, allele=allele, sequence0=sequence, result0=here, sequence1=wild, result1=there, state=state
        )
    allele, sequence = found["Emx1-Cre"]
    for result, state in ((1, 3), (0, 0)):
        m.ZygosityRule.objects.create(line=line, allele=allele, sequence0=sequence, result0=result, state=state)
    return line


def _house(lab: Lab, pups: list[Subject], today: date) -> None:
    start = datetime.combine(today - timedelta(60), time(9, 30))
    for name, some in (("C101", pups[:3]), ("C102", pups[3:])):
        housing = a_housing(lab, name, started_wall=start, light_cycle="inverted")
        for pup in some:
            a_stay(pup, housing)
            Subject.objects.filter(pk=pup.pk).update(cage_name=name)
            pup.refresh_from_db()


def _welfare(subject: Subject, today: date) -> None:
    morning = datetime.combine(today, time(9, 5))
    a_surgery(subject, morning - timedelta(days=24), implant_weight_g=1.2)
    a_restriction(subject, morning - timedelta(days=10), reference_weight_g=25.5)
    for days in range(12, -1, -1):
        a_weighing(subject, 25.4 - 0.25 * (12 - days), morning - timedelta(days=days))
        a_water(subject, 0.75, morning + timedelta(hours=2) - timedelta(days=days + 1))
    a_water(subject, 0.4, morning + timedelta(hours=1))
