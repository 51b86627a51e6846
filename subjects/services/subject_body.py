"""From the wire fields of an animal to columns and rows.

People, labs and projects must exist. A species, strain, source, line or litter that does not is left out and flagged with the
nearest names: a rig must not lose its animal over a word. A row in place of a name is taken as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import F, Model, Q, QuerySet

from alyx.core import clock
from alyx.core.flags import Doubt
from alyx.core.rest.names import all_by_name, by_name, nearest
from alyx.labs.models import Lab, Project, User
from subjects.models import Licence, Line, Litter, Source, Species, Strain, Subject

PLAIN = {
    "nickname": "nickname",
    "sex": "sex",
    "birth_date": "born_on",
    "death_date": "died_on",
    "wean_date": "weaned_on",
    "genotype_date": "genotyped_on",
    "reduced_date": "reduced_on",
    "to_be_genotyped": "to_be_genotyped",
    "to_be_culled": "to_be_culled",
    "actual_severity": "actual_severity",
    "adverse_effects": "adverse_effects",
    "ear_mark": "ear_mark",
    "name": "name",
    "protocol_number": "protocol_number",
    "export_id": "export_id",
    "description": "description",
    "json": "json",
}
"""Wire field → column, where the value is the value."""
DATES = {name: PLAIN[name] for name in ("birth_date", "death_date", "wean_date", "genotype_date", "reduced_date")}


@dataclass
class Content:
    """What a body says: columns, projects (None: not sent), findings."""

    columns: dict[str, Any] = field(default_factory=dict)
    projects: list[Project] | None = None
    doubts: list[Doubt] = field(default_factory=list)


def read_subject(sent: Mapping[str, Any], lab: Lab) -> Content:
    """Resolve the names in a body, in the lab. Raises Invalid for unknown users and projects."""
    content = Content({column: sent[name] for name, column in PLAIN.items() if name in sent})
    if "responsible_user" in sent:
        content.columns["responsible_user"] = person(sent["responsible_user"], "responsible_user")
    if "projects" in sent:
        content.projects = all_by_name(Project.objects.all(), sent["projects"], field="projects", what="project")
    for name, rows in _words(lab).items():
        if name in sent:
            _read_word(content, name, rows, sent[name])
    return content


def person(value: Any, name: str) -> User | None:
    """The user of this name, or the user itself; nobody for nothing. Raises Invalid."""
    if not value or isinstance(value, User):
        return value or None
    return by_name(User.objects.all(), value, field=name, what="user", column="username")


def of_lab(model: Any, lab: Lab | None) -> QuerySet[Any]:
    """Rows of the lab and of no lab, the lab's own first."""
    rows: QuerySet[Any] = model.objects.filter(Q(lab=lab) | Q(lab__isnull=True))
    return rows.order_by(F("lab").asc(nulls_last=True), "pk")


def _words(lab: Lab) -> dict[str, tuple[QuerySet[Any], tuple[str, ...]]]:
    """Field → where its names are looked up, and by which columns."""
    return {
        "species": (Species.objects.all(), ("name", "nickname")),
        "strain": (Strain.objects.all(), ("name",)),
        "source": (Source.objects.all(), ("name",)),
        "line": (of_lab(Line, lab), ("name", "nickname")),
        "litter": (of_lab(Litter, lab), ("name",)),
        "licence": (of_lab(Licence, lab), ("number",)),
    }


def _read_word(content: Content, name: str, where: tuple[QuerySet[Any], tuple[str, ...]], value: Any) -> None:
    if not value or isinstance(value, Model):
        content.columns[name] = value or None
        return
    rows, columns = where
    row = _named(rows, columns, value)
    if row is not None:
        content.columns[name] = row
        return
    near = nearest(value, rows.order_by().values_list(columns[0], flat=True)[:5000])
    content.doubts.append(
        Doubt(
            f"unknown-{name}",
            f"{name}: nothing is named {value!r}; left out{near}",
            {name: value},
            f"make the {name}, or choose another",
            (name,),
        )
    )


def _named(rows: QuerySet[Any], columns: tuple[str, ...], word: str) -> Any:
    """The row of this name, as written before ignoring case, by its name before its nickname."""
    for column in columns:
        found = list(rows.filter(**{f"{column}__iexact": word})[:50])
        exact = [row for row in found if getattr(row, column) == word]
        if found:
            return (exact or found)[0]
    return None


def date_doubts(subject: Subject, sent: Mapping[str, Any]) -> Iterator[Doubt]:
    """What the dates that were sent make of the animal's life."""
    dates = {name: getattr(subject, column) for name, column in DATES.items()}
    touched = {name: on for name, on in dates.items() if name in sent and on}
    if not touched and "litter" not in sent:
        return
    yield from _order(dates, touched)
    today = clock.utc_to_wall(clock.now(), subject.lab.timezone).date()
    for name, on in touched.items():
        if on > today:
            yield Doubt("date-in-the-future", f"{name} {on} lies in the future", {name: on}, "correct the date")
    litter = subject.litter if {"litter", "birth_date"} & sent.keys() else None
    if litter and litter.born_on and subject.born_on and litter.born_on != subject.born_on:
        text = f"born {subject.born_on}, its litter {litter.name} on {litter.born_on}"
        facts = {"birth_date": subject.born_on, "litter_birth_date": litter.born_on}
        yield Doubt("birth-differs-from-litter", text, facts, "correct one of the two", ("birth_date",))


def _order(dates: Mapping[str, date | None], touched: Mapping[str, date]) -> Iterator[Doubt]:
    born, died = dates["birth_date"], dates["death_date"]
    if born and died and died < born and touched.keys() & {"birth_date", "death_date"}:
        facts = {"birth_date": born, "death_date": died}
        yield Doubt("death-before-birth", f"died {died}, born {born}", facts, "correct one of the two dates")
    for name in ("wean_date", "genotype_date", "reduced_date"):
        on = dates[name]
        if on and born and on < born and touched.keys() & {name, "birth_date"}:
            text, facts = f"{name} {on} is before the birth, {born}", {name: on, "birth_date": born}
            yield Doubt("date-before-birth", text, facts, "correct one of the two dates")
    weaned = dates["wean_date"]
    if weaned and died and died < weaned and touched.keys() & {"wean_date", "death_date"}:
        text, facts = f"weaned {weaned}, died {died}", {"wean_date": weaned, "death_date": died}
        yield Doubt("weaned-after-death", text, facts, "correct one of the two dates")
