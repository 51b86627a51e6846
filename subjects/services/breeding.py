"""Breeding pairs, litters and weaning."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import DomainError, Invalid, NotFound
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab, User
from alyx.labs.permissions import writable_labs
from subjects.models import BreedingPair, Line, Litter, Sex, Source, Subject
from subjects.permissions import authorise_breeding
from subjects.rules.names import Kind
from subjects.services.genotype import add_tests
from subjects.services.housing import house
from subjects.services.lines import chosen, chosen_line
from subjects.services.lookup import resolve_subject
from subjects.services.naming import take_names
from subjects.services.subject import add_subject
from subjects.services.subject_body import person

BRED = "bred"
"""The source of animals that are born here."""
PARENTS = ("father", "mother1", "mother2")
MOST_PUPS = 40
"""More pups than this in one call are a slip of the hand."""


# Pairs.


@transaction.atomic
def create_pair(*, actor: Any, values: Mapping[str, Any]) -> BreedingPair:
    """A father with one or two mothers: `name` (else the line's next one), `line`, `lab`, `father`, `mother1`, `mother2` (rows or
    nicknames), `start_date`, `end_date`, `description`, `json`.

    Raises Forbidden, Invalid (one animal in two places); Doubtful in a form about sexes and dates.
    """
    line, lab = _line_and_lab(values, None)
    authorise_breeding(actor, lab)
    columns = _pair_columns(actor, values, lab)
    name = columns.pop("name", "") or take_names(Kind.BREEDING_PAIR, lab=lab, line=line)[0]
    _check_parents(columns)
    try:
        with transaction.atomic():
            pair = BreedingPair.objects.create(name=name, line=line, lab=lab, **columns)
    except IntegrityError:
        raise _same_name("breeding pair", name, lab) from None
    _flag(pair, _pair_doubts(pair))
    return pair


@transaction.atomic
def change_pair(*, actor: Any, pair: BreedingPair, changes: Mapping[str, Any]) -> BreedingPair:
    """Change what is sent. Raises Forbidden, Invalid; Doubtful in a form."""
    pair = locked(BreedingPair.objects.select_related("lab", "line", *PARENTS), pair.pk)
    authorise_breeding(actor, pair.lab)
    columns = _pair_columns(actor, changes, pair.lab)
    if "line" in changes or "lab" in changes:
        columns["line"], columns["lab"] = _line_and_lab({"line": pair.line, "lab": pair.lab, **changes}, pair.lab)
        authorise_breeding(actor, columns["lab"])
    if not columns.get("name", pair.name):
        raise Invalid.of("name", "a breeding pair has a name")
    _check_parents({**{name: getattr(pair, name) for name in PARENTS}, **columns})
    try:
        with transaction.atomic():
            store(pair, columns)
    except IntegrityError:
        raise _same_name("breeding pair", pair.name, pair.lab) from None
    _flag(pair, _pair_doubts(pair))
    return pair


def _pair_columns(actor: Any, said: Mapping[str, Any], lab: Lab | None) -> dict[str, Any]:
    ours = {"start_date": "started_on", "end_date": "ended_on"}
    plain = ("name", "start_date", "end_date", "description", "json")
    columns = {ours.get(name, name): said[name] for name in plain if name in said}
    for name in PARENTS:
        if name in said:
            columns[name] = _parent(actor, said[name], lab, name)
    return columns


def _parent(actor: Any, value: Any, lab: Lab | None, name: str) -> Subject | None:
    if not value or isinstance(value, Subject):
        return value or None
    try:
        return resolve_subject(actor=actor, nickname=value, labs=[lab.name] if lab else [])
    except NotFound as error:
        raise Invalid.of(name, error.detail) from None


def _check_parents(columns: Mapping[str, Any]) -> None:
    """No animal is in two places of one pair."""
    seen: dict[Any, str] = {}
    for name in PARENTS:
        animal = columns.get(name)
        if animal is None:
            continue
        if animal.pk in seen:
            raise Invalid.of(name, f"{animal} is the {seen[animal.pk]} already")
        seen[animal.pk] = name.rstrip("12")


def _pair_doubts(pair: BreedingPair) -> Iterator[Doubt]:
    wrong = {"father": Sex.FEMALE, "mother1": Sex.MALE, "mother2": Sex.MALE}
    start, end = pair.started_on, pair.ended_on
    for name in PARENTS:
        animal: Subject | None = getattr(pair, name)
        if animal is None:
            continue
        if animal.sex == wrong[name]:
            text = f"{animal} is {animal.get_sex_display()}"
            fix = "choose another animal, or correct its sex"
            yield Doubt("parent-of-wrong-sex", text, {name: animal.nickname, "sex": animal.sex}, fix, (name,))
        if start and animal.died_on and animal.died_on < start:
            text, facts = f"{animal} died {animal.died_on}, the pair began {start}", {name: animal.nickname}
            yield Doubt("parent-dead-at-start", text, {**facts, "start_date": start}, "correct one of the two", (name,))
        if start and animal.born_on and animal.born_on >= start:
            text, facts = f"{animal} was born {animal.born_on}, the pair began {start}", {name: animal.nickname}
            yield Doubt("parent-not-yet-born", text, {**facts, "start_date": start}, "correct one of the two", (name,))
    if start and end and end < start:
        dates: dict[str, Any] = {"start_date": start, "end_date": end}
        yield Doubt("pair-ends-before-start", f"ends {end}, began {start}", dates, "correct one of the two dates")


# Litters.


@transaction.atomic
def create_litter(
    *, actor: Any, values: Mapping[str, Any], pups: Sequence[Mapping[str, Any]] = ()
) -> tuple[Litter, list[Subject]]:
    """Pups born together, with those that are entered now; all or none.

    `values`: `name` (else the line's next one), `breeding_pair`, `line`, `lab`, `birth_date`, `wean_date`, `n_born`, `description`,
    `json`, `responsible_user` (of the pups; else the father's, else the mother's). Each pup: words of `create_subject` (`sex`,
    `ear_mark`, `nickname`, `cage` …) and `tests` as of `record_tests`. Raises Forbidden, Invalid; Doubtful in a form; a refusal of a
    pup names it: `pups.<position>.<field>`.
    """
    pair = chosen(BreedingPair.objects.all(), values.get("breeding_pair"), field="breeding_pair", what="breeding pair")
    line, lab = _line_and_lab(values, pair.lab if pair else None, pair)
    authorise_breeding(actor, lab)
    columns = _litter_columns(values)
    if columns.get("n_born") is None:
        columns["n_born"] = len(pups) or None
    name = columns.pop("name", "") or take_names(Kind.LITTER, lab=lab, line=line)[0]
    try:
        with transaction.atomic():
            litter = Litter.objects.create(name=name, breeding_pair=pair, line=line, lab=lab, **columns)
    except IntegrityError:
        raise _same_name("litter", name, lab) from None
    _flag(litter, _litter_doubts(litter, len(pups)))
    return litter, _pups(actor, litter, pups, _keeper(values, pair, actor))


@transaction.atomic
def add_pups(*, actor: Any, litter: Litter, pups: Sequence[Mapping[str, Any]]) -> list[Subject]:
    """Pups of a litter that is there already; all or none. See `create_litter`."""
    litter = locked(Litter.objects.select_related(*_LITTER), litter.pk)
    authorise_breeding(actor, litter.lab)
    if litter.lab is None:
        raise Invalid.of("lab", "say first which lab the litter is in")
    _flag(litter, _litter_doubts(litter, _count(litter) + len(pups)))
    return _pups(actor, litter, pups, _keeper({}, litter.breeding_pair, actor))


@transaction.atomic
def change_litter(*, actor: Any, litter: Litter, changes: Mapping[str, Any]) -> Litter:
    """Change what is sent. Pups that had the litter's dates follow them, unless they are another lab's by now.

    Raises Forbidden, Invalid; Doubtful in a form.
    """
    litter = locked(Litter.objects.select_related(*_LITTER), litter.pk)
    authorise_breeding(actor, litter.lab)
    columns = _litter_columns(changes)
    if "breeding_pair" in changes:
        rows = BreedingPair.objects.all()
        columns["breeding_pair"] = chosen(rows, changes["breeding_pair"], field="breeding_pair", what="breeding pair")
    if "line" in changes or "lab" in changes:
        columns["line"], columns["lab"] = _line_and_lab({"line": litter.line, "lab": litter.lab, **changes}, litter.lab)
        authorise_breeding(actor, columns["lab"])
    if not columns.get("name", litter.name):
        raise Invalid.of("name", "a litter has a name")
    before = {name: getattr(litter, name) for name in ("born_on", "weaned_on")}
    try:
        with transaction.atomic():
            store(litter, columns)
    except IntegrityError:
        raise _same_name("litter", litter.name, litter.lab) from None
    for name, old in before.items():
        if old is not None and getattr(litter, name) != old:
            pups = Subject.objects.filter(litter=litter, **{name: old})
            _in_reach(actor, pups).update(**{name: getattr(litter, name)})
    _flag(litter, _litter_doubts(litter, _count(litter)))
    return litter


@transaction.atomic
def wean_litter(
    *, actor: Any, litter: Litter, wean_date: date | None = None, cages: Mapping[str, str] | None = None
) -> list[Subject]:
    """The litter is weaned (today, if no day is said): the day on it and on its living pups, and a cage per sex where one is given
    (`{"M": "1201", "F": "1202"}`). Raises Forbidden, Invalid; Doubtful in a form; as `house`.
    """
    litter = locked(Litter.objects.select_related(*_LITTER), litter.pk)
    authorise_breeding(actor, litter.lab)
    on = wean_date or _today(litter.lab)
    doubts = list(_wean_doubts(litter, on))
    store(litter, {"weaned_on": on})
    rows = _in_reach(actor, Subject.objects.shown().alive().filter(litter=litter))
    rows = rows.select_related("lab", "responsible_user")
    pups = list(rows.order_by("pk").select_for_update(of=("self",), no_key=True))
    rows.exclude(weaned_on=on).update(weaned_on=on)
    for sex, cage in (cages or {}).items():
        moving = [pup for pup in pups if pup.sex == sex]
        if cage and moving:
            house(actor=actor, subjects=moving, cage_name=cage)
    _flag(litter, doubts)
    return list(rows.order_by("nickname", "pk"))


def _in_reach(actor: Any, pups: Any) -> Any:
    """Those in labs where the actor may write: a pup that moved to another lab is that lab's to date."""
    return pups.filter(lab__in=writable_labs(actor))


_LITTER = ("lab", "line__species", "line__strain", "breeding_pair__father__responsible_user")


def _litter_columns(said: Mapping[str, Any]) -> dict[str, Any]:
    ours = {"birth_date": "born_on", "wean_date": "weaned_on"}
    plain = ("name", "birth_date", "wean_date", "n_born", "description", "json")
    return {ours.get(name, name): said[name] for name in plain if name in said}


def _pups(actor: Any, litter: Litter, pups: Sequence[Mapping[str, Any]], keeper: User | None) -> list[Subject]:
    if len(pups) > MOST_PUPS:
        raise Invalid.of("pups", f"{len(pups)} pups in one litter: at most {MOST_PUPS}")
    if not pups or litter.lab is None:
        return []
    shared: dict[str, Any] = {
        "litter": litter,
        "line": litter.line,
        "source": Source.objects.get_or_create(name=BRED)[0],
        "birth_date": litter.born_on,
        "wean_date": litter.weaned_on,
        "responsible_user": keeper,
    }
    unnamed = sum(not pup.get("nickname") for pup in pups)
    names = iter(take_names(Kind.SUBJECT, lab=litter.lab, line=litter.line, count=unnamed) if unnamed else [])
    made: list[Subject] = []
    for position, pup in enumerate(pups):
        with _about_pup(position):
            said = {**shared, **{name: value for name, value in pup.items() if name != "tests"}}
            said["nickname"] = said.get("nickname") or next(names)
            animal = add_subject(actor=actor, lab=litter.lab, sent=said)
            add_tests(actor=actor, subject=animal, tests=pup.get("tests") or [])
            made.append(animal)
    return made


@contextmanager
def _about_pup(position: int) -> Iterator[None]:
    """A refusal says which pup it is about."""
    try:
        yield
    except DomainError as refused:
        refused.fields = {f"pups.{position}.{name}": texts for name, texts in refused.fields.items()}
        refused.detail = f"pup {position + 1}: {refused.detail}"
        raise


def _keeper(values: Mapping[str, Any], pair: BreedingPair | None, actor: Any) -> User | None:
    """Who is responsible for the pups: who is said, else whose the parents are, else who enters them."""
    if values.get("responsible_user"):
        return person(values["responsible_user"], "responsible_user")
    parents = [getattr(pair, name) for name in PARENTS] if pair else []
    of_parents = [parent.responsible_user for parent in parents if parent and parent.responsible_user]
    keeper: User = of_parents[0] if of_parents else actor
    return keeper


def _count(litter: Litter) -> int:
    return int(Subject.objects.shown().filter(litter=litter).count())


def _litter_doubts(litter: Litter, pups: int) -> Iterator[Doubt]:
    born, weaned, pair = litter.born_on, litter.weaned_on, litter.breeding_pair
    if born and weaned and weaned < born:
        facts = {"birth_date": born, "wean_date": weaned}
        yield Doubt("weaned-before-birth", f"weaned {weaned}, born {born}", facts, "correct one of the two dates")
    today = _today(litter.lab)
    for name, on in (("birth_date", born), ("wean_date", weaned)):
        if on and on > today:
            yield Doubt("date-in-the-future", f"{name} {on} lies in the future", {name: on}, "correct the date")
    if born and pair and pair.started_on and born < pair.started_on:
        text, facts = f"born {born}, the pair began {pair.started_on}", {"birth_date": born, "start": pair.started_on}
        yield Doubt("litter-before-pair", text, facts, "correct one of the two", ("birth_date",))
    if litter.n_born is not None and pups > litter.n_born:
        counts: dict[str, Any] = {"n_born": litter.n_born, "pups": pups}
        yield Doubt(
            "more-pups-than-born", f"{pups} pups, {litter.n_born} born", counts, "correct the count", ("n_born",)
        )


def _wean_doubts(litter: Litter, on: date) -> Iterator[Doubt]:
    if litter.weaned_on and litter.weaned_on != on:
        text, facts = f"it was weaned {litter.weaned_on} already", {"wean_date": on, "before": litter.weaned_on}
        yield Doubt("weaned-twice", text, facts, "look which day is right", ("wean_date",))
    if litter.born_on and on < litter.born_on:
        facts = {"birth_date": litter.born_on, "wean_date": on}
        yield Doubt(
            "weaned-before-birth", f"born {litter.born_on}, weaned {on}", facts, "correct the date", ("wean_date",)
        )
    if on > _today(litter.lab):
        yield Doubt("date-in-the-future", f"{on} lies in the future", {"wean_date": on}, "correct the date")


# Both.


def _line_and_lab(
    values: Mapping[str, Any], known: Lab | None, pair: BreedingPair | None = None
) -> tuple[Line | None, Lab]:
    """The line (that of the pair, if none is said) and the lab (that said, else known, else the line's). Raises Invalid."""
    lab = chosen(Lab.objects.all(), values.get("lab"), field="lab", what="lab") or known
    said = values.get("line") or (pair.line if pair else None)
    line = chosen_line(lab, said)
    lab = lab or (line.lab if line else None)
    if lab is None:
        raise Invalid.of("lab", "say which lab; the line belongs to none")
    return line, lab


def _today(lab: Lab | None) -> date:
    return clock.utc_to_wall(clock.now(), lab.timezone if lab else str(clock.server_zone())).date()


def _same_name(what: str, name: str, lab: Lab | None) -> Invalid:
    where = f"lab {lab.name}" if lab else "no particular lab"
    return Invalid.of("name", f"there is a {what} {name!r} in {where} already (case does not matter)")


def _flag(row: BreedingPair | Litter, doubts: Iterator[Doubt] | list[Doubt]) -> None:
    raise_flags(type(row), [(row.pk, doubt) for doubt in doubts], lab_id=row.lab_id)
