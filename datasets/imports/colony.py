"""Lines, alleles, breeding pairs, litters, requests, and what zygosities follow from."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from alyx.core.flags import Doubt
from datasets.imports.importer import LAB, SUBJECT, USER, Here, Importer, Made, New, named, own_lab
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take, as_key
from subjects.models import (
    Allele,
    BreedingPair,
    Line,
    Litter,
    Sex,
    Subject,
    SubjectRequest,
    TestResult,
    ZygosityRule,
    ZygosityState,
)
from subjects.rules.names import Kind, next_names, stem

ALLELE, SEQUENCE, LINE, PAIR, LITTER, REQUEST = (
    "subjects.allele",
    "subjects.sequence",
    "subjects.line",
    "subjects.breedingpair",
    "subjects.litter",
    "subjects.subjectrequest",
)
PARENTS = (("father", Sex.MALE), ("mother1", Sex.FEMALE), ("mother2", Sex.FEMALE))


class Alleles(Importer):
    """A gene variant; its nickname is what people say."""

    label, model = ALLELE, Allele
    natural = ("nickname",)
    refs = {"sequences": SEQUENCE}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its names and sequences."""
        name = take.text("name") or take.text("standard_name")
        nickname = take.text("nickname") or name
        columns = {
            "nickname": named(nickname, row, take, field_name="nickname"),
            "name": name,
            "json": take.json(),
        }
        return Made(columns, {"sequences": take.links("sequences", SEQUENCE)}, doubts=take.doubts)


class Lines(Importer):
    """A line with its counters, raised to what the names in the file show (`raised`)."""

    label, model = LINE, Line
    natural, folded, renamed = ("lab_id", "name"), frozenset({"name"}), "name"
    refs = {
        "lab": LAB,
        "species": "subjects.species",
        "strain": "subjects.strain",
        "source": "subjects.source",
        "alleles": ALLELE,
    }
    suffixed = frozenset({"nickname"})
    uncompared = frozenset({"last_subject_number", "last_breeding_pair_number", "last_litter_number"})

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """The names that animals, pairs and litters of these lines bear in the file."""
        lines = [row.pk for row in rows]
        here.names = {label: here.spool.places(label, lines) for label in (SUBJECT, PAIR, LITTER)}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The line."""
        lab = own_lab(take, here)
        nickname = take.text("nickname", 64)
        columns: dict[str, Any] = {
            "name": named(take.text("name") or nickname, row, take),
            "nickname": nickname,
            "lab_id": lab,
            "species_id": take.link("species", "subjects.species"),
            "strain_id": take.link("strain", "subjects.strain"),
            "source_id": take.link("source", "subjects.source"),
            "source_identifier": take.text("source_identifier"),
            "source_url": take.text("source_url", 200),
            "expression_data_url": take.text("expression_data_url", 200),
            "target_phenotype": take.text("target_phenotype", 1023),
            "description": take.text("description", None),
            "is_active": take.yes("is_active", default=True),
            "json": take.json(),
        }
        counters = (
            ("last_subject_number", "subject_autoname_index", SUBJECT, Kind.SUBJECT),
            ("last_breeding_pair_number", "breeding_pair_autoname_index", PAIR, Kind.BREEDING_PAIR),
            ("last_litter_number", "litter_autoname_index", LITTER, Kind.LITTER),
        )
        for column, theirs, label, kind in counters:
            known = here.names[label].get(row.pk, [])
            columns[column] = raised(nickname or columns["name"], kind, take.whole(theirs) or 0, known)
        return Made(columns, {"alleles": take.links("alleles", ALLELE)}, doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two."""
        return not in_file

    def complete(self, new: Sequence[New], here: Here) -> None:
        """A nickname begins automatic names, so a lab has it once; a later bearer has another."""
        taken = {
            (lab, nickname.lower()) for lab, nickname in Line.objects.values_list("lab_id", "nickname") if nickname
        }
        for one in new:
            wanted, number = one.columns["nickname"], 1
            while one.columns["nickname"] and (one.columns["lab_id"], one.columns["nickname"].lower()) in taken:
                number += 1
                one.columns["nickname"] = f"{wanted[:58]}.{number}"
            if one.columns["nickname"] != wanted:
                words = f"nickname {wanted} is borne by another line of the lab; here it is {one.columns['nickname']}"
                one.made.doubts.append(
                    Doubt("name-taken", words, {"field": "nickname", "wanted": wanted}, "rename one")
                )
            taken.add((one.columns["lab_id"], one.columns["nickname"].lower()))


def raised(nickname: str, kind: Kind, counter: int, names: Sequence[str]) -> int:
    """The counter, not below a number that a name bears."""
    if stem(nickname) == "_":
        return counter
    return next_names(nickname, kind, last=counter, taken=names)[0].number - 1


class Pairs(Importer):
    """A breeding pair; its lab is its line's."""

    label, model = PAIR, BreedingPair
    natural, folded, renamed = ("lab_id", "name"), frozenset({"name"}), "name"
    refs = {"line": LINE, "father": SUBJECT, "mother1": SUBJECT, "mother2": SUBJECT}

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """The labs of the lines."""
        fetch_labs_of_lines(rows, here)

    def order(self, fields: Any) -> tuple[str, str]:
        """By line, so that the line finds its names."""
        return line_group(fields), str(fields.get("name") or fields.get("descriptive_name") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The pair."""
        line = take.link("line", LINE)
        columns = {
            "name": named(take.text("name"), row, take),
            "lab_id": here.lines.get(line) if line else here.home(),
            "line_id": line,
            "father_id": take.link("father", SUBJECT),
            "mother1_id": take.link("mother1", SUBJECT),
            "mother2_id": take.link("mother2", SUBJECT),
            "started_on": take.day("start_date"),
            "ended_on": take.day("end_date"),
            "description": take.text("description", None) or take.text("notes", None),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two."""
        return not in_file

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """A parent of the wrong sex, dead before or born after the beginning; an end before the beginning."""
        parents = {one.columns[f"{name}_id"] for one in new for name, _ in PARENTS}
        known = Subject.objects.in_bulk([parent for parent in parents if parent])
        for one in new:
            for name, sex in PARENTS:
                parent = known.get(one.columns[f"{name}_id"])
                if parent is not None:
                    found = _of_parent(name, sex, parent, one.columns["started_on"])
                    yield from ((one.key, doubt) for doubt in found)
            start, end = one.columns["started_on"], one.columns["ended_on"]
            if start and end and end < start:
                facts = {"start_date": start, "end_date": end}
                words = f"ends {end}, began {start}"
                yield one.key, Doubt("pair-ends-before-start", words, facts, "correct one of the two dates")


class Litters(Importer):
    """A litter; its lab is its line's."""

    label, model = LITTER, Litter
    natural, folded, renamed = ("lab_id", "name"), frozenset({"name"}), "name"
    refs = {"line": LINE, "breeding_pair": PAIR}

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """The labs of the lines."""
        fetch_labs_of_lines(rows, here)

    def order(self, fields: Any) -> tuple[str, str]:
        """By line, so that the line finds its names."""
        return line_group(fields), str(fields.get("name") or fields.get("descriptive_name") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The litter."""
        line = take.link("line", LINE)
        columns = {
            "name": named(take.text("name") or take.text("descriptive_name"), row, take),
            "lab_id": here.lines.get(line) if line else here.home(),
            "line_id": line,
            "breeding_pair_id": take.link("breeding_pair", PAIR),
            "born_on": take.day("birth_date"),
            "description": take.text("description", None) or take.text("notes", None),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two."""
        return not in_file

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """Born before the pair began; in the future."""
        pairs = BreedingPair.objects.in_bulk([key for one in new if (key := one.columns["breeding_pair_id"])])
        for one in new:
            born, pair = one.columns["born_on"], pairs.get(one.columns["breeding_pair_id"])
            if born and pair and pair.started_on and born < pair.started_on:
                facts = {"birth_date": born, "start": pair.started_on}
                words = f"born {born}, the pair began {pair.started_on}"
                yield one.key, Doubt("litter-before-pair", words, facts, "correct one of the two", ("birth_date",))
            if born and born > here.today(one.columns["lab_id"]):
                words = f"birth_date {born} lies in the future"
                yield one.key, Doubt("date-in-the-future", words, {"birth_date": born}, "correct the date")


class Requests(Importer):
    """Somebody asked for animals; `date_time` is a date."""

    label, model = REQUEST, SubjectRequest
    refs = {"user": USER, "line": LINE}

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """The labs of the lines."""
        fetch_labs_of_lines(rows, here)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The request."""
        line, count = take.link("line", LINE), take.whole("count")
        if count is None:
            take.doubts.append(
                Doubt("count-missing", "it says no count; here it is 1", {"field": "count"}, "enter how many")
            )
        columns = {
            "name": take.text("name"),
            "user_id": take.link("user", USER, needed=True),
            "lab_id": here.lines.get(line) if line else here.home(),
            "line_id": line,
            "count": 1 if count is None else count,
            "requested_on": take.day("date_time"),
            "due_on": take.day("due_date"),
            "description": take.text("description", None) or take.text("notes", None),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)


class Rules(Importer):
    """In a line, these results mean this zygosity."""

    label, model = "subjects.zygosityrule", ZygosityRule
    natural = ("line_id", "allele_id", "sequence0_id", "result0", "sequence1_id", "result1")
    refs = {"line": LINE, "allele": ALLELE, "sequence0": SEQUENCE, "sequence1": SEQUENCE}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The rule; a second sequence without its result, or the other way round, says nothing."""
        second = take.link("sequence1", SEQUENCE)
        second_result = take.choice("sequence1_result", TestResult.values, None)
        columns = {
            "line_id": take.link("line", LINE, needed=True),
            "allele_id": take.link("allele", ALLELE, needed=True),
            "sequence0_id": take.link("sequence0", SEQUENCE, needed=True),
            "result0": take.choice("sequence0_result", TestResult.values, None),
            "sequence1_id": second if second_result is not None else None,
            "result1": second_result if second is not None else None,
            "state": take.choice("zygosity", ZygosityState.values, None),
        }
        take.raw("name")
        take.raw("json")
        if take.raw("sequence1") and not (second and second_result is not None):
            raise Refused("its second sequence has no usable result")
        if columns["result0"] is None or columns["state"] is None:
            raise Refused("it has no usable result or zygosity")
        return Made(columns, doubts=take.doubts)


def line_group(fields: Any) -> str:
    """The group of what belongs to a line."""
    key = as_key(fields.get("line"))
    return str(key) if key else ""


def fetch_labs_of_lines(rows: Sequence[Row], here: Here) -> None:
    """The labs of the lines that the rows name."""
    keys = {key for row in rows if (key := as_key(row.fields.get("line")))}
    known = {**{key: key for key in keys}, **here.spool.known(LINE, keys)}
    here.lines = dict(Line.objects.filter(pk__in=set(known.values())).values_list("pk", "lab_id"))


def _of_parent(name: str, sex: Sex, parent: Subject, start: date | None) -> Iterator[Doubt]:
    facts, about = {name: parent.nickname}, (name,)
    if parent.sex not in {sex, Sex.UNKNOWN}:
        words = f"{parent} is {parent.get_sex_display()}"
        fix = "choose another animal, or correct its sex"
        yield Doubt("parent-of-wrong-sex", words, {**facts, "sex": parent.sex}, fix, about)
    begun = {**facts, "start_date": start}
    if start and parent.died_on and parent.died_on < start:
        words = f"{parent} died {parent.died_on}, the pair began {start}"
        yield Doubt("parent-dead-at-start", words, begun, "correct one of the two", about)
    if start and parent.born_on and parent.born_on >= start:
        words = f"{parent} was born {parent.born_on}, the pair began {start}"
        yield Doubt("parent-not-yet-born", words, begun, "correct one of the two", about)
