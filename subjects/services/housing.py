"""Who lives in which cage, and how. A change never overwrites: it ends the old row and begins a new one.

Everybody locks the animals first, in the order of their keys, then the cages by name, and reads the stays only then; so two
who move the same animal come one after the other, and it is never in two cages.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Max, Value
from django.db.models.functions import Greatest
from django.db.transaction import atomic

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Conflict, Forbidden, Invalid, NotFound
from alyx.core.flags import Doubt, is_typed, raise_flags
from alyx.core.rest.names import by_name
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab
from alyx.labs.permissions import Right, authorise
from subjects.models import Housing, HousingOption, LabConditions, LightCycle, OptionKind, Stay, Subject
from subjects.permissions import Act, permitted
from subjects.rules.permissions import needed

OPTIONS = {"cage_type": OptionKind.CAGE_TYPE, "enrichment": OptionKind.ENRICHMENT, "food": OptionKind.FOOD}
"""Word of the services → the vocabulary of its values."""
CONDITIONS = (*OPTIONS, "light_cycle", "cage_cleaning_frequency_days")
"""What can be said of a cage, in the words of the wire."""


@atomic
def house(
    *,
    actor: Any,
    subjects: Iterable[Subject],
    cage_name: str,
    lab: Lab | None = None,
    at: datetime | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Housing:
    """Move animals into a cage of their lab, out of wherever they are; the cage is opened if nobody lives in it.

    `at` is the lab's wall clock (None: now). `conditions` change those of a cage that is open; a new one gets the lab's
    defaults for what is not said. Raises Forbidden, Invalid (animals of several labs, a time before their last move),
    NotFound; Doubtful in a form when an animal is dead or lives elsewhere.
    """
    name = _cage_name(cage_name)
    animals = locked_animals(subjects)
    lab = _one_lab(animals, lab)
    authorise_all(actor, animals, Act.RECORD, what="house")
    said = read_conditions(conditions or {})
    _lock_cages({(lab.pk, name), *_cages_of(animals)})
    wall = _wall(at, lab)
    there = {stay.subject_id: (stay.housing.lab_id, stay.housing.cage_name) for stay in _open_stays(animals)}
    moving = [animal for animal in animals if there.get(animal.pk) != (lab.pk, name)]
    _ask(moving, there, lab, name, wall)
    _check_order(moving, wall, lab)
    old, housing = _open_stays(moving), _opened(lab, name, wall, said)
    Stay.objects.bulk_create([Stay(housing=housing, subject=animal, **_start(wall, lab)) for animal in moving])
    _end(old, wall, lab.timezone)
    _say_cage(animals, name)
    return housing


@atomic
def leave_cage(*, actor: Any, subjects: Iterable[Subject], at: datetime | None = None) -> None:
    """Take animals out of their cages without a new one; the last one out closes the cage. Raises Forbidden, Invalid."""
    animals = locked_animals(subjects)
    lab = _one_lab(animals, None)
    authorise_all(actor, animals, Act.RECORD, what="move")
    _lock_cages(_cages_of(animals))
    wall = _wall(at, lab)
    stays = _open_stays(animals)
    _check_order([stay.subject for stay in stays], wall, lab)
    _end(stays, wall, lab.timezone)
    _say_cage(animals, "")


@atomic
def change_conditions(
    *, actor: Any, housing: Housing, conditions: Mapping[str, Any], at: datetime | None = None
) -> Housing:
    """Close the row of an open cage and open another, of the same animals, under these conditions; the row that is open now.

    Without any change it stays. Raises Forbidden, Invalid, Conflict when the cage is closed.
    """
    lab = housing.lab
    said = read_conditions(conditions)
    _lock_cages({(lab.pk, housing.cage_name)})
    housing = locked(Housing.objects.select_related("lab", *OPTIONS), housing.pk)
    if housing.ended_at is not None:
        raise Conflict(f"cage {housing.cage_name} was closed or changed by somebody else: look at it again")
    animals = [stay.subject for stay in _in_cage(housing)]
    authorise(actor, lab, act="change cages")
    authorise_all(actor, animals, Act.RECORD, what="house")
    return _changed(housing, said, _wall(at, lab))


@atomic
def set_lab_conditions(*, actor: Any, lab: Lab, values: Mapping[str, Any]) -> LabConditions:
    """How animals live in a lab when nothing else is said of their cage. Raises Forbidden, Invalid."""
    authorise(actor, lab, act="say how animals live", to=Right.MANAGE)
    Lab.objects.select_for_update(no_key=True).get(pk=lab.pk)
    known = LabConditions.objects.filter(lab=lab).first() or LabConditions(lab=lab)
    for column, value in read_conditions(values).items():
        setattr(known, column, value)
    known.save()
    return known


# What other services of the animal need.


def locked_animals(subjects: Iterable[Subject]) -> list[Subject]:
    """The animals, locked in the order of their keys for the rest of the transaction. Raises NotFound, Invalid (none)."""
    keys = {subject.pk: subject for subject in subjects}
    if not keys:
        raise Invalid.of("subjects", "say which animals")
    rows = Subject.objects.shown().filter(pk__in=keys).select_related("lab", "responsible_user").order_by("pk")
    found = list(rows.select_for_update(of=("self",), no_key=True))
    if len(found) < len(keys):
        gone = keys.keys() - {subject.pk for subject in found}
        raise NotFound(f"withdrawn or gone: {', '.join(sorted(keys[key].nickname for key in gone))}")
    return found


def authorise_all(actor: Any, subjects: Sequence[Subject], act: Act, *, what: str) -> None:
    """Raise Forbidden, naming the animals to which the actor may not do this."""
    allowed = permitted(actor, subjects, act)
    if refused := [subject.nickname for subject in subjects if subject.pk not in allowed]:
        raise Forbidden(f"{actor} may not {what} {_listed(refused)}: that is for {needed(act)}")


def end_stays(subjects: Sequence[Subject], wall: datetime, zone: str) -> list[tuple[UUID, UUID]]:
    """Empty the places of these animals (dead ones); (animal, stay) of each that ended. The caller holds their locks."""
    _lock_cages(_cages_of(subjects))
    stays = _open_stays(subjects)
    _end(stays, wall, zone)
    _say_cage(subjects, "")
    return [(stay.subject_id, stay.pk) for stay in stays]


def reopen_stays(subject: Subject, keys: Sequence[str]) -> str:
    """Put an animal back into the cage that it left by mistake; its name, empty when that cage is closed for good.

    A cage that was closed when it left is opened again, unless another of its name stands open by now.
    """
    last = Stay.objects.filter(pk__in=keys, subject=subject).select_related("housing__lab").order_by("-started_at")
    stay = last.first()
    if stay is None or _open_stays([subject]):
        return ""
    housing = stay.housing
    _lock_cages({(housing.lab_id, housing.cage_name)})
    housing.refresh_from_db()
    if housing.ended_at is not None:
        if _open_cage(housing.lab, housing.cage_name) is not None or housing.ended_at != stay.ended_at:
            return ""
        store(housing, {"ended_wall": None, "ended_at": None})
    store(stay, {"ended_wall": None, "ended_at": None})
    _say_cage([subject], housing.cage_name)
    return housing.cage_name


def read_conditions(said: Mapping[str, Any]) -> dict[str, Any]:
    """Our columns for the words of the wire. Raises Invalid."""
    if unknown := set(said) - set(CONDITIONS):
        raise Invalid.of(min(unknown), f"a cage has {', '.join(CONDITIONS)} only")
    columns: dict[str, Any] = {}
    for word, kind in OPTIONS.items():
        if word in said:
            rows = HousingOption.objects.filter(kind=kind)
            columns[word] = by_name(rows, said[word], field=word, what=str(kind.label)) if said[word] else None
    if "light_cycle" in said:
        if said["light_cycle"] and said["light_cycle"] not in LightCycle.values:
            raise Invalid.of("light_cycle", f"one of {', '.join(LightCycle.values)}")
        columns["light_cycle"] = said["light_cycle"] or ""
    if "cage_cleaning_frequency_days" in said:
        columns["cleaned_every_days"] = said["cage_cleaning_frequency_days"]
    return columns


# Steps.


def _cage_name(said: str) -> str:
    name = said.strip()
    if not name or len(name) > 64 or not name.isprintable():
        raise Invalid.of("cage_name", "a cage has a name of 1 to 64 letters")
    return name


def _one_lab(animals: Sequence[Subject], lab: Lab | None) -> Lab:
    labs = {animal.lab.name: animal.lab for animal in animals} | ({lab.name: lab} if lab else {})
    if len(labs) > 1:
        of = "; ".join(
            f"{_listed([animal.nickname for animal in animals if animal.lab.name == name])} of {name}"
            for name in sorted(labs)
            if any(animal.lab.name == name for animal in animals)
        )
        where = f" into a cage of {lab.name}" if lab else " together"
        raise Invalid.of("subjects", f"animals of other labs are not housed{where}: {of}; change their lab first")
    return next(iter(labs.values()))


def _wall(at: datetime | None, lab: Lab) -> datetime:
    """The lab's wall clock: what was sent, or now."""
    if at is None:
        return clock.utc_to_wall(clock.now(), lab.timezone)
    return at if at.tzinfo is None else clock.utc_to_wall(at, lab.timezone)


def _lock_cages(cages: Iterable[tuple[UUID, str]]) -> None:
    """Hold these cages (lab, name), always in the same order, until the transaction ends."""
    with connection.cursor() as cursor:
        for lab_id, name in sorted(cages):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cage {lab_id} {name}"])


def _open_stays(animals: Sequence[Subject]) -> list[Stay]:
    rows = Stay.objects.filter(subject__in=[animal.pk for animal in animals], ended_at__isnull=True)
    return list(rows.select_related("housing", "subject__lab").order_by("subject_id", "started_at"))


def _in_cage(housing: Housing) -> list[Stay]:
    rows = Stay.objects.filter(housing=housing, ended_at__isnull=True)
    return list(rows.select_related("subject__lab", "subject__responsible_user").order_by("subject_id"))


def _cages_of(animals: Sequence[Subject]) -> set[tuple[UUID, str]]:
    return {(stay.housing.lab_id, stay.housing.cage_name) for stay in _open_stays(animals)}


def _ask(
    moving: Sequence[Subject], there: Mapping[UUID, tuple[UUID, str]], lab: Lab, name: str, wall: datetime
) -> None:
    """A dead animal and a time to come are doubted from everywhere; a move out of another cage only while a person types."""
    doubts = []
    for animal in moving:
        if animal.died_on is not None:  # whenever: it would live there still
            facts = {"subject": animal.nickname, "death_date": animal.died_on, "cage": name}
            text = f"{animal.nickname} died {animal.died_on}"
            doubts.append((animal.pk, Doubt("dead-animal-housed", text, facts, "correct the animal", ("subjects",))))
        if animal.born_on is not None and wall.date() < animal.born_on:
            text = f"{animal.nickname} was born {animal.born_on}, after {wall:%Y-%m-%d}"
            facts = {"subject": animal.nickname, "birth_date": animal.born_on, "at": wall}
            doubts.append((animal.pk, Doubt("housed-before-birth", text, facts, "correct one of the two", ("at",))))
        if animal.pk in there and is_typed():
            text = f"this moves {animal.nickname} from cage {there[animal.pk][1]}"
            doubts.append((animal.pk, Doubt("moves-animal", text, {"subject": animal.nickname}, "", ("subjects",))))
    if moving and wall > clock.utc_to_wall(clock.now(), lab.timezone) + timedelta(minutes=5):
        text = f"{wall:%Y-%m-%d %H:%M} lies in the future"
        doubts.append((moving[0].pk, Doubt("date-in-the-future", text, {"at": wall}, "correct the time", ("at",))))
    raise_flags(Subject, doubts, lab_id=lab.pk)


def _check_order(moving: Sequence[Subject], wall: datetime, lab: Lab) -> None:
    """A move before an animal's last one would put it into two cages."""
    instant = clock.wall_to_utc(wall, lab.timezone)
    rows = Stay.objects.filter(subject__in=[animal.pk for animal in moving]).order_by()
    last = rows.values("subject__nickname").annotate(moved=Greatest(Max("started_at"), Max("ended_at")))
    for row in last.filter(moved__gt=instant).order_by("subject__nickname"):
        moved = clock.utc_to_wall(row["moved"], lab.timezone)
        raise Invalid.of(
            "at",
            f"{row['subject__nickname']} was moved at {moved:%Y-%m-%d %H:%M:%S} ({lab.timezone}), later than"
            f" {wall:%Y-%m-%d %H:%M:%S}: it would be in two cages; give a later time",
        )


def _open_cage(lab: Lab, name: str) -> Housing | None:
    rows = Housing.objects.filter(lab=lab, cage_name=name, ended_at__isnull=True).select_related("lab", *OPTIONS)
    return rows.order_by("-started_at", "pk").first()


def _opened(lab: Lab, name: str, wall: datetime, said: Mapping[str, Any]) -> Housing:
    """The open row of the cage, under these conditions."""
    housing = _open_cage(lab, name)
    if housing is not None:
        if housing.started_wall is not None and wall < housing.started_wall:
            raise Invalid.of(
                "at", f"cage {name} stands as it is since {housing.started_wall:%Y-%m-%d %H:%M:%S}: give a later time"
            )
        return _changed(housing, said, wall)
    usual = LabConditions.objects.filter(lab=lab).first()
    defaults = {column: getattr(usual, column) for column in _COLUMNS} if usual is not None else {}
    return Housing.objects.create(lab=lab, cage_name=name, **_start(wall, lab), **{**defaults, **said})


_COLUMNS = (*OPTIONS, "light_cycle", "cleaned_every_days")


def _changed(housing: Housing, said: Mapping[str, Any], wall: datetime) -> Housing:
    """The row itself when nothing differs, else its successor with the same animals."""
    if all(getattr(housing, column) == value for column, value in said.items()):
        return housing
    lab, stays = housing.lab, _in_cage(housing)
    starts = [housing.started_wall, *(stay.started_wall for stay in stays)]
    begun = [start for start in starts if start is not None]
    if begun and wall < max(begun):
        raise Invalid.of("at", f"the last change of cage {housing.cage_name} was {max(begun):%Y-%m-%d %H:%M:%S}")
    columns = {column: getattr(housing, column) for column in (*_COLUMNS, "lab", "cage_name")}
    _end_rows(stays, wall, lab.timezone)
    _end_rows([housing], wall, lab.timezone)
    following: Housing = Housing.objects.create(**{**columns, **said}, **_start(wall, lab))
    Stay.objects.bulk_create([Stay(housing=following, subject=stay.subject, **_start(wall, lab)) for stay in stays])
    return following


def _end(stays: Sequence[Stay], wall: datetime, zone: str) -> None:
    """End these stays, and the cages in which nobody is left. Their locks are held."""
    if not stays:
        return
    _end_rows(stays, wall, zone)
    left = Housing.objects.filter(pk__in={stay.housing_id for stay in stays}, ended_at__isnull=True)
    inhabited = Stay.objects.filter(ended_at__isnull=True).values("housing")
    _end_rows(list(left.exclude(pk__in=inhabited)), wall, zone)


def _end_rows(rows: Sequence[Stay] | Sequence[Housing], wall: datetime, zone: str) -> None:
    """At this moment, never before they began."""
    at = clock.wall_to_utc(wall, zone)
    for own in {row.zone for row in rows}:  # another one only where a cage stood in another lab
        its = wall if own == zone else clock.utc_to_wall(at, own)
        type(rows[0]).objects.filter(pk__in=[row.pk for row in rows if row.zone == own]).update(
            ended_wall=Greatest(F("started_wall"), Value(its, WallClockField())), ended_at=Greatest(F("started_at"), at)
        )


def _start(wall: datetime, lab: Lab) -> dict[str, Any]:
    zone = lab.timezone
    return {"zone": zone, "started_wall": wall, "started_at": clock.wall_to_utc(wall, zone)}


def _say_cage(animals: Sequence[Subject], name: str) -> None:
    """`cage_name` follows."""
    Subject.objects.filter(pk__in=[animal.pk for animal in animals]).exclude(cage_name=name).update(cage_name=name)


def _listed(nicknames: Sequence[str]) -> str:
    shown = ", ".join(sorted(nicknames)[:10])
    return f"{shown} and {len(nicknames) - 10} more" if len(nicknames) > 10 else shown
