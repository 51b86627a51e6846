"""How one model of theirs becomes one of ours: what each importer declares."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Model

from alyx.core import clock
from alyx.core.flags import Doubt
from alyx.labs.models import Lab
from datasets.imports.spool import Row, Spool
from datasets.imports.values import Refused, Take
from subjects.models import Subject

SUBJECT, LAB, USER, LOCATION, PROJECT = (
    "subjects.subject",
    "misc.lab",
    "misc.labmember",
    "misc.lablocation",
    "subjects.project",
)
PROCEDURE_TYPE = "actions.proceduretype"


@dataclass
class Made:
    """A row to be: columns by attribute name, links by relation, other rows that come with it, and what is doubted."""

    columns: dict[str, Any]
    links: dict[str, list[UUID]] = field(default_factory=dict)
    lab_id: UUID | None = None
    along: list[Model] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


@dataclass
class New:
    """A row that is about to be stored."""

    key: UUID
    row: Row
    made: Made

    @property
    def columns(self) -> dict[str, Any]:
        """Its columns."""
        return self.made.columns


class Here:
    """What the batch at hand needs to know of this database."""

    def __init__(self, spool: Spool, server: ZoneInfo, default_lab: Lab | None) -> None:
        self.spool, self.server, self.default_lab = spool, server, default_lab
        self.now = clock.now()
        self.subjects: dict[UUID, Subject] = {}
        self.names: dict[str, dict[str, list[str]]] = {}
        self.lines: dict[UUID, UUID | None] = {}
        self.content_types: dict[int, str] = {}
        """What the file says its numbers of content types mean."""
        self._labs: dict[UUID, Lab] = {}

    def lab(self, key: UUID) -> Lab:
        """A lab; they are few."""
        if key not in self._labs:
            self._labs = Lab.objects.in_bulk()
        return self._labs[key]

    def forget(self) -> None:
        """Labs may have come."""
        self._labs = {}

    def zone(self, lab_id: UUID | None) -> str:
        """The zone of a lab's wall clocks; without a lab, the server's."""
        return self.lab(lab_id).timezone if lab_id else clock.server_zone().key

    def today(self, lab_id: UUID | None) -> date:
        """The lab's date."""
        return clock.utc_to_wall(self.now, self.zone(lab_id)).date()

    def subject(self, key: UUID) -> Subject:
        """An animal of this batch."""
        return self.subjects[key]

    def home(self) -> UUID | None:
        """The lab of what names none: the one asked for, else the only one."""
        if self.default_lab is not None:
            return self.default_lab.pk
        if not self._labs:
            self._labs = Lab.objects.in_bulk()
        return next(iter(self._labs)) if len(self._labs) == 1 else None


class Importer:
    """One model. Subclasses say what its fields mean."""

    label: ClassVar[str]
    model: ClassVar[type[Model]]
    refs: ClassVar[Mapping[str, str]] = {}
    """Field → the model it names."""
    natural: ClassVar[tuple[str, ...]] = ()
    """Columns that identify a row besides its key."""
    folded: ClassVar[frozenset[str]] = frozenset()
    """Those of them that are compared ignoring case."""
    renamed: ClassVar[str] = ""
    """The column that gets another value when somebody else bears it."""
    suffixed: ClassVar[frozenset[str]] = frozenset()
    """Columns besides that one that may have got a suffix."""
    uncompared: ClassVar[frozenset[str]] = frozenset()
    """Columns that go their own way after the import."""
    nulls_are_same: ClassVar[bool] = True
    """Whether two rows that leave the same natural column empty agree in it."""
    whole_groups: ClassVar[bool] = False
    doubts_of: ClassVar[type[Model] | None] = None

    @property
    def rows(self) -> Any:
        """The rows that count for natural keys."""
        manager: Any = self.model._default_manager
        return manager.filter(withdrawn_at__isnull=True) if _can_be_withdrawn(self.model) else manager.all()

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Group and place in it; as in the file when nothing is said."""
        return "", ""

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """Fetch what the batch needs besides the rows it names."""

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The row of ours. Raises Refused."""
        raise NotImplementedError

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Whether the row of ours with the same natural key is the same thing."""
        return True

    def set_aside(self, made: Made, other: Any, here: Here) -> bool:
        """Keep the row although another, not the same thing, has its natural key: true when it lays no claim to it any more."""
        return False

    def twice(self, made: Made, other: Any) -> Doubt | None:
        """What is doubted of a row of ours that stands for two of one group of the file."""
        return None

    def barred(self, made: Sequence[tuple[UUID, Made]], here: Here) -> Mapping[UUID, str]:
        """Which rows cannot be stored and why, as only all of the batch together show."""
        return {}

    def finish(self) -> None:
        """What is left to do when all rows are in (of models that name each other)."""

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Last additions to the rows about to be stored, seen together."""

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """What the rules for new entries doubt about the rows about to be stored, seen together."""
        yield from ()


class WordImporter(Importer):
    """A word of a vocabulary: ours stays."""

    natural = ("name",)
    extra: ClassVar[tuple[str, ...]] = ()

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Name, description, JSON."""
        columns = {
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "json": take.json(),
            **{name: take.text(name) for name in self.extra},
        }
        return Made(columns, doubts=take.doubts)


def word(label: str, model: type[Model], *extra: str) -> WordImporter:
    """An importer of a vocabulary."""
    return type("Words", (WordImporter,), {"label": label, "model": model, "extra": extra})()  # type: ignore[no-any-return]


def named(name: str, row: Row, take: Take, *, field_name: str = "name") -> str:
    """The name, or one from the key for what has none."""
    if name.strip() not in {"", "-"}:
        return name
    given = f"unnamed-{row.pk[:8]}"
    take.doubts.append(
        Doubt("name-missing", f"it has no {field_name}; here it is {given}", {"field": field_name}, "give it a name")
    )
    return given


def lived(subject: Subject, walls: Mapping[str, datetime | date | None], today: date) -> Iterator[Doubt]:
    """For each field: before the birth, after the death, or still to come."""
    for name, moment in walls.items():
        if moment is None:
            continue
        on = moment.date() if isinstance(moment, datetime) else moment
        facts = {name: moment.isoformat()}
        if subject.born_on and on < subject.born_on:
            words = f"{on} is before the birth of {subject.nickname}, {subject.born_on}"
            yield Doubt("before-birth", words, {**facts, "born": subject.born_on}, "correct the date", (name,))
        if subject.died_on and on > subject.died_on:
            words = f"{on} is after the death of {subject.nickname}, {subject.died_on}"
            yield Doubt("after-death", words, {**facts, "died": subject.died_on}, "correct the date", (name,))
        if on > today:
            yield Doubt("date-in-the-future", f"{on} lies in the future", facts, "correct the date", (name,))


def ends_before_start(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """Doubted of everything with a beginning and an end."""
    start, end = columns.get("started_wall"), columns.get("ended_wall")
    if start and end and end < start:
        facts = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        yield Doubt(
            "end-before-start", f"it ends {end}, before it starts {start}", facts, "correct one of the two times"
        )


def lab_of(take: Take, here: Here, subject: Subject) -> UUID:
    """Where it was done: the lab it names, else the animal's."""
    named_lab: UUID | None = take.link("lab", LAB)
    return named_lab or subject.lab_id


def own_lab(take: Take, here: Here) -> UUID:
    """The lab of an animal or a word of a lab. Raises Refused for one that does not exist, and when nobody says which."""
    if take.raw("lab") not in (None, ""):
        found: UUID | None = take.link("lab", LAB, needed=True)
        if found:
            return found
    home = here.home()
    if home is None:
        raise Refused("it names no lab; say --default-lab")
    return home


def without_time(field_name: str) -> Doubt:
    """It happened, nobody knows when."""
    return Doubt("time-missing", f"it has no {field_name}", {"field": field_name}, "enter when it happened")


def by_lab(
    doubts: Iterable[tuple[UUID, Doubt]], labs: Mapping[UUID, UUID | None]
) -> dict[UUID | None, list[tuple[UUID, Doubt]]]:
    """The doubts, sorted by the lab whose people see them."""
    sorted_doubts: dict[UUID | None, list[tuple[UUID, Doubt]]] = {}
    for key, doubt in doubts:
        sorted_doubts.setdefault(labs.get(key), []).append((key, doubt))
    return sorted_doubts


def _can_be_withdrawn(model: type[Model]) -> bool:
    return any(column.name == "withdrawn_at" for column in model._meta.concrete_fields)
