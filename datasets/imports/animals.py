"""Animals, what tests found in them, and their death."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from alyx.core.flags import Doubt
from datasets.imports.colony import ALLELE, LINE, LITTER, REQUEST, SEQUENCE, line_group
from datasets.imports.importer import LAB, PROJECT, SUBJECT, USER, Here, Importer, Made, New, lived, named, own_lab
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take
from subjects.models import (
    Basis,
    Cull,
    CullMethod,
    CullReason,
    GenotypeTest,
    Line,
    Severity,
    Sex,
    Subject,
    TestResult,
    Zygosity,
    ZygosityState,
)

FOLDER_NAME = re.compile(r"[\w.-]+", re.ASCII)


class Subjects(Importer):
    """An animal. A second one of the same name in a lab of the same file is another animal and gets another name."""

    label, model = SUBJECT, Subject
    natural, folded, renamed = ("lab_id", "nickname"), frozenset({"nickname"}), "nickname"
    refs = {
        "lab": LAB,
        "responsible_user": USER,
        "projects": PROJECT,
        "species": "subjects.species",
        "strain": "subjects.strain",
        "source": "subjects.source",
        "line": LINE,
        "litter": LITTER,
        "request": REQUEST,
    }

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """By line, so that the line finds its names."""
        return line_group(fields), str(fields.get("nickname") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The animal."""
        lab = own_lab(take, here)
        columns = {
            "nickname": named(take.text("nickname"), row, take, field_name="nickname"),
            "lab_id": lab,
            "responsible_user_id": take.link("responsible_user", USER),
            "sex": take.choice("sex", Sex.values, Sex.UNKNOWN.value),
            "born_on": take.day("birth_date"),
            "died_on": take.day("death_date"),
            "species_id": take.link("species", "subjects.species"),
            "strain_id": take.link("strain", "subjects.strain"),
            "source_id": take.link("source", "subjects.source"),
            "line_id": take.link("line", LINE),
            "litter_id": take.link("litter", LITTER),
            "request_id": take.link("request", REQUEST),
            "name": take.text("name"),
            "ear_mark": take.text("ear_mark", 32),
            "cage_name": take.text("cage", 64) or take.text("lamis_cage", 64),
            "genotyped_on": take.day("genotype_date"),
            "weaned_on": take.day("wean_date"),
            "reduced_on": take.day("reduced_date"),
            "to_be_genotyped": take.yes("to_be_genotyped"),
            "to_be_culled": take.yes("to_be_culled"),
            "actual_severity": take.choice("actual_severity", Severity.values, None),
            "adverse_effects": take.text("adverse_effects", None),
            "protocol_number": take.text("protocol_number", 64),
            "description": take.text("description", None),
            "json": take.json(),
        }
        return Made(columns, {"projects": take.links("projects", PROJECT)}, doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """One that is here under another key is the same animal, unless birth or sex say otherwise."""
        born = (made.columns["born_on"], other.born_on)
        sexes = {made.columns["sex"], other.sex} - {Sex.UNKNOWN.value}
        return not in_file and (None in born or born[0] == born[1]) and len(sexes) < 2

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """Dates that cannot be, and names no folder may have."""
        for one in new:
            born, died, nickname = (one.columns[name] for name in ("born_on", "died_on", "nickname"))
            dates = {"birth_date": born, "death_date": died}
            if born and died and died < born:
                words = f"died {died}, born {born}"
                yield one.key, Doubt("death-before-birth", words, dates, "correct one of the two dates")
            yield from ((one.key, doubt) for doubt in _out_of_order(one.columns))
            for name, value in dates.items():
                if value and value > here.today(one.columns["lab_id"]):
                    words = f"{name} {value} lies in the future"
                    yield one.key, Doubt("date-in-the-future", words, {name: value}, "correct the date")
            if not FOLDER_NAME.fullmatch(nickname) or nickname in {".", ".."}:
                words = (
                    f"{nickname!r}: a nickname has letters, digits, _, - and . only, because it is the name of a folder"
                )
                yield one.key, Doubt("nickname-is-no-folder-name", words, {"nickname": nickname}, "rename the animal")


class Tests(Importer):
    """A genotype test."""

    label, model = "subjects.genotypetest", GenotypeTest
    refs = {"subject": SUBJECT, "sequence": SEQUENCE, "user": USER}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The test. Without a result it is none."""
        subject = here.subject(_needed(take.link("subject", SUBJECT, needed=True)))
        result = take.choice("test_result", TestResult.values, None)
        if result is None:
            raise Refused("it has no usable test_result")
        columns = {
            "subject_id": subject.pk,
            "sequence_id": take.link("sequence", SEQUENCE, needed=True),
            "result": result,
            "tested_on": take.day("date_time"),
            "user_id": take.link("user", USER),
            "name": take.text("name"),
            "json": take.json(),
        }
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """A sequence that the animal's line does not have."""
        lines = {line for one in new if (line := here.subject(one.columns["subject_id"]).line_id)}
        has = set(Line.objects.filter(pk__in=lines).values_list("pk", "alleles__sequences"))
        for one in new:
            subject = here.subject(one.columns["subject_id"])
            if subject.line_id and (subject.line_id, one.columns["sequence_id"]) not in has:
                facts = {"subject": subject.nickname, "sequence": str(one.columns["sequence_id"])}
                words = f"the line of {subject.nickname} has no allele with this sequence"
                yield one.key, Doubt("sequence-not-of-line", words, facts, "add the sequence to an allele of the line")


class Zygosities(Importer):
    """What an animal carries, as it stands in the file: no rule is applied to it."""

    label, model = "subjects.zygosity", Zygosity
    natural = ("subject_id", "allele_id")
    refs = {"subject": SUBJECT, "allele": ALLELE}
    uncompared = frozenset({"basis"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The zygosity."""
        subject = here.subject(_needed(take.link("subject", SUBJECT, needed=True)))
        state = take.choice("zygosity", ZygosityState.values, None)
        if state is None:
            raise Refused("it has no usable zygosity")
        columns = {
            "subject_id": subject.pk,
            "allele_id": take.link("allele", ALLELE, needed=True),
            "state": state,
            "basis": Basis.IMPORTED.value,
            "json": take.json(),
        }
        take.raw("name")
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)


class Culls(Importer):
    """The end of a life. Its date and the animal's death date stay as they are in the file; a difference is flagged."""

    label, model = "actions.cull", Cull
    natural = ("subject_id",)
    refs = {"subject": SUBJECT, "user": USER, "cull_reason": "actions.cullreason", "cull_method": "actions.cullmethod"}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The cull; without a date, the day the animal died."""
        subject = here.subject(_needed(take.link("subject", SUBJECT, needed=True)))
        on = take.day("date") or subject.died_on
        if on is None:
            raise Refused("neither it nor the animal says when")
        columns = {
            "subject_id": subject.pk,
            "culled_on": on,
            "user_id": take.link("user", USER),
            "reason_id": take.link("cull_reason", "actions.cullreason"),
            "method_id": take.link("cull_method", "actions.cullmethod"),
            "description": take.text("description", None),
            "name": take.text("name"),
            "json": take.json(),
        }
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """A cull on another day than the death."""
        for one in new:
            subject, on = here.subject(one.columns["subject_id"]), one.columns["culled_on"]
            if subject.died_on != on:
                facts = {"date": on, "death_date": subject.died_on}
                words = f"culled {on}, but the animal died {subject.died_on or 'on no known day'}"
                yield one.key, Doubt("other-death-date", words, facts, "make the two dates one")
            for doubt in lived(subject, {"date": on}, here.today(subject.lab_id)):
                if doubt.rule != "after-death":
                    yield one.key, doubt


CULL_WORDS = (CullReason, CullMethod)


def _out_of_order(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """Dates of a life before its beginning, and a weaning after its end."""
    born, died, weaned = columns["born_on"], columns["died_on"], columns["weaned_on"]
    for name, column in (("wean_date", "weaned_on"), ("genotype_date", "genotyped_on"), ("reduced_date", "reduced_on")):
        on = columns[column]
        if on and born and on < born:
            facts = {name: on, "birth_date": born}
            words = f"{name} {on} is before the birth, {born}"
            yield Doubt("date-before-birth", words, facts, "correct one of the two dates")
    if weaned and died and died < weaned:
        facts = {"wean_date": weaned, "death_date": died}
        yield Doubt("weaned-after-death", f"weaned {weaned}, died {died}", facts, "correct one of the two dates")


def _needed(key: UUID | None) -> UUID:
    """For the type checker: what was needed is there."""
    if key is None:
        raise Refused("it names none")
    return key
