"""The animals of the demo's lab: a line, its litter, cages, a restricted mouse with two weeks behind it.

Everything is made through the services that the pages and REST use, on days counted back from the database's clock.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from alyx.core import clock
from alyx.labs.models import Lab, User
from alyx.labs.policies import set_policy
from subjects.models import HousingOption, Line, OptionKind, Sequence, Species, Strain, Subject
from subjects.services.breeding import create_litter, create_pair, wean_litter
from subjects.services.genotype import create_rule
from subjects.services.housing import house, set_lab_conditions
from subjects.services.lines import create_allele, create_line, create_word
from subjects.services.requests import open_request
from subjects.services.restriction import restrict_water
from subjects.services.subject import create_subject
from subjects.services.surgery import record_surgery
from subjects.services.water import record_water, record_weight

LINE = "Ai95-Emx1"
NINE = time(9, 5)
ABSENT, PRESENT = 0, 1
AGE, WEANED_AT = 91, 21
RESTRICTED_DAYS = 14
WEIGHTS_G = (25.4, 24.9, 24.4, 24.0, 23.7, 23.3, 23.0, 22.7, 22.5, 22.4, 22.3, 22.2, 22.1, 21.9, 21.2)
"""From the morning before the restriction to today: the last is below what the lab allows, so somebody is told."""


def make_animals(actor: User, lab: Lab) -> None:
    """All of it, once."""
    if Line.objects.filter(lab=lab, nickname=LINE).exists():
        return
    now = clock.utc_to_wall(clock.now(), lab.timezone)
    today = (now - timedelta(hours=NINE.hour, minutes=NINE.minute)).date()  # of the last morning that has been
    set_policy(actor=actor, lab=lab, values={"from_on": None, "reference_weight_pct": 0.85, "zscore_weight_pct": 0.0})
    line = _line(actor, lab)
    born = today - timedelta(AGE)
    parents = [
        create_subject(
            actor=actor,
            values={"lab": lab.name, "line": line, "species": line.species, "strain": line.strain, "sex": sex,
                    "birth_date": born - timedelta(100), "responsible_user": actor.username},
        )
        for sex in "MF"
    ]  # fmt: skip
    pups = _litter(actor, line, parents, born)
    _cages(actor, lab, parents, pups, born)
    _operate(actor, pups[0], today - timedelta(RESTRICTED_DAYS + 10))
    _restrict(actor, pups[0], today, now)
    open_request(actor=actor, values={"lab": lab, "line": line, "count": 2, "due_date": today + timedelta(14)})


def _line(actor: User, lab: Lab) -> Line:
    """Two alleles; one told apart by two sequences, so that one copy and two are known."""
    names = ("GCaMP6f", "Rosa-WT", "Cre")
    gcamp, wild, cre = (_word(actor, Sequence, name) for name in names)
    ai95 = create_allele(actor=actor, values={"nickname": "Ai95D", "sequences": [gcamp, wild]})
    emx1 = create_allele(actor=actor, values={"nickname": "Emx1-Cre", "sequences": [cre]})
    line = create_line(
        actor=actor,
        values={"name": "Ai95D × Emx1-Cre", "nickname": LINE, "lab": lab, "alleles": [ai95, emx1],
                "species": _word(actor, Species, "Mus musculus"), "strain": _word(actor, Strain, "C57BL/6J"),
                "description": "a calcium indicator in excitatory neurons of the cortex"},
    )  # fmt: skip
    for with_it, without, copies in ((PRESENT, ABSENT, 2), (PRESENT, PRESENT, 1), (ABSENT, PRESENT, 0)):
        rule = {"allele": ai95, "sequence0": gcamp, "result0": with_it, "sequence1": wild, "result1": without}
        create_rule(actor=actor, line=line, values={**rule, "state": copies})
    for result, state in ((PRESENT, 3), (ABSENT, 0)):
        create_rule(
            actor=actor, line=line, values={"allele": emx1, "sequence0": cre, "result0": result, "state": state}
        )
    return line


def _litter(actor: User, line: Line, parents: list[Subject], born: date) -> list[Subject]:
    """Six pups, four of them genotyped."""
    pair = create_pair(
        actor=actor,
        values={"line": line, "father": parents[0], "mother1": parents[1], "start_date": born - timedelta(22)},
    )
    results = ((1, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1))
    pups: list[dict[str, Any]] = [
        {"sex": "MMMFFF"[number], "ear_mark": ("L", "R", "LR")[number % 3]} for number in range(6)
    ]
    for pup, found in zip(pups, results, strict=False):
        pup["tests"] = [
            {"sequence": name, "result": result, "tested_on": born + timedelta(14)}
            for name, result in zip(("GCaMP6f", "Rosa-WT", "Cre"), found, strict=True)
        ]
    litter, made = create_litter(
        actor=actor, values={"breeding_pair": pair, "birth_date": born, "n_born": 7}, pups=pups
    )
    wean_litter(actor=actor, litter=litter, wean_date=born + timedelta(WEANED_AT))
    return made


def _cages(actor: User, lab: Lab, parents: list[Subject], pups: list[Subject], born: date) -> None:
    """The parents', and one for each sex of the pups; the restricted mouse lived alone after its surgery."""
    food, kind = OptionKind.FOOD, OptionKind.CAGE_TYPE
    for option, name in ((food, "RM3 pellets"), (kind, "IVC, 501 cm²"), (OptionKind.ENRICHMENT, "tunnel and nesting")):
        HousingOption.objects.get_or_create(kind=option, name=name)
    usual = {"food": "RM3 pellets", "cage_type": "IVC, 501 cm²", "enrichment": "tunnel and nesting"}
    usual |= {"light_cycle": "inverted"}
    set_lab_conditions(actor=actor, lab=lab, values={**usual, "cage_cleaning_frequency_days": 7})
    weaned = datetime.combine(born + timedelta(WEANED_AT), NINE)
    paired = datetime.combine(born - timedelta(22), NINE)
    for name, animals, at in (
        ("C101", parents, paired),
        ("C102", [pup for pup in pups if pup.sex == "M"], weaned),
        ("C103", [pup for pup in pups if pup.sex == "F"], weaned),
        ("C104", pups[:1], weaned + timedelta(days=AGE - WEANED_AT - RESTRICTED_DAYS - 10, hours=1)),
    ):
        house(actor=actor, subjects=animals, cage_name=name, at=at)


def _operate(actor: User, subject: Subject, on: date) -> None:
    start = datetime.combine(on, NINE)
    record_surgery(
        actor=actor,
        subject=subject,
        values={"start_time": start, "end_time": start + timedelta(minutes=55), "outcome_type": "r", "severity": 2,
                "implant_weight": 0.6, "weight_before": 25.9, "narrative": "Headplate over the left visual cortex."},
        parts=[{"part": "headplate", "headframe_type": "titanium", "cement": "Super-Bond"}],
    )  # fmt: skip


def _restrict(actor: User, subject: Subject, today: date, now: datetime) -> None:
    """Weighed each morning, given water after training; today it is still to give."""
    first = datetime.combine(today - timedelta(RESTRICTED_DAYS), NINE)
    for day, weight in enumerate(WEIGHTS_G):
        at = first + timedelta(days=day)
        record_weight(actor=actor, values={"subject": subject, "weight": weight, "date_time": at})
        if day == 0:
            start = at + timedelta(minutes=5)
            restrict_water(actor=actor, values={"subject": subject, "start_time": start, "reference_weight": weight})
        elif at.date() < now.date():
            for volume, later in ((0.7, 2), (0.25, 3)):
                given = {"subject": subject, "water_administered": volume, "date_time": at + timedelta(hours=later)}
                record_water(actor=actor, values=given)


def _word(actor: User, model: Any, name: str) -> Any:
    return model.objects.filter(name=name).first() or create_word(actor=actor, model=model, values={"name": name})
