"""Cages, what is in them, and who lived there when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from alyx.core.flags import Doubt
from datasets.imports.importer import SUBJECT, Here, Importer, Made, New, lived, named
from datasets.imports.labs import conditions_of
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take, as_key, spanned
from subjects.models import Housing, HousingOption, OptionKind, Stay, Subject

HOUSING, STAY = "misc.housing", "misc.housingsubject"
OPTIONS = {"cage_type": "misc.cagetype", "enrichment": "misc.enrichment", "food": "misc.food"}


class Options(Importer):
    """A cage type, an enrichment or a food: ours stays."""

    model = HousingOption
    natural = ("kind", "name")
    kind: ClassVar[OptionKind]

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The option."""
        columns = {
            "kind": self.kind.value,
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)


class CageTypes(Options):
    """Cage types."""

    label, kind = "misc.cagetype", OptionKind.CAGE_TYPE


class Enrichments(Options):
    """Enrichments."""

    label, kind = "misc.enrichment", OptionKind.ENRICHMENT


class Foods(Options):
    """Foods."""

    label, kind = "misc.food", OptionKind.FOOD


class Housings(Importer):
    """A cage. Their cages have neither lab nor time: both follow from who lived in it."""

    label, model = HOUSING, Housing
    refs = OPTIONS

    def __init__(self) -> None:
        self._stays: dict[str, list[Row]] = {}
        self._labs: dict[UUID, UUID] = {}

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """Who lived in these cages, and their labs."""
        self._stays = {}
        for stay in here.spool.of_groups(STAY, [row.pk for row in rows]):
            self._stays.setdefault(stay.group, []).append(stay)
        theirs = {key for stays in self._stays.values() for one in stays if (key := as_key(one.fields.get("subject")))}
        ours = {**{key: key for key in theirs}, **here.spool.known(SUBJECT, theirs)}
        labs = dict(Subject.objects.filter(pk__in=set(ours.values())).values_list("pk", "lab_id"))
        self._labs = {key: labs[mine] for key, mine in ours.items() if mine in labs}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """From the first move in to the last move out; open while somebody lives there."""
        stays = self._stays.get(row.pk, [])
        keys = [as_key(stay.fields.get("subject")) for stay in stays]
        lab = next((self._labs[key] for key in keys if key in self._labs), None) or here.home()
        if lab is None:
            raise Refused("no animal says in which lab it is; say --default-lab")
        zone = here.zone(lab)
        times = [Take(stay.fields, {}) for stay in stays]
        starts = [start for one in times if (start := one.wall("start_datetime", zone))]
        ends = [one.wall("end_datetime", zone) for one in times]
        closed = [end for end in ends if end]
        columns = {
            "cage_name": named(take.text("cage_name", 64), row, take, field_name="cage_name"),
            "lab_id": lab,
            **conditions_of(take),
            **spanned(min(starts, default=None), max(closed) if closed and len(closed) == len(ends) else None, zone),
            "json": take.json(),
        }
        take.raw("name")
        return Made(columns, doubts=take.doubts)


class Stays(Importer):
    """An animal in a cage."""

    label, model = STAY, Stay
    refs = {"subject": SUBJECT, "housing": HOUSING}

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """By cage, so that the cage finds who lived in it."""
        return str(fields.get("housing") or ""), str(fields.get("start_datetime") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """From, to."""
        key = take.link("subject", SUBJECT, needed=True)
        subject = here.subject(key) if key else None
        if subject is None:
            raise Refused("it names no subject")
        zone = subject.lab.timezone
        columns = {
            "housing_id": take.link("housing", HOUSING, needed=True),
            "subject_id": subject.pk,
            **spanned(take.wall("start_datetime", zone), take.wall("end_datetime", zone), zone),
        }
        take.raw("name")
        return Made(columns, lab_id=subject.lab_id, doubts=take.doubts)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """An animal in two cages at once, before its birth, after its death."""
        animals = {one.columns["subject_id"] for one in new}
        rows = Stay.objects.filter(subject__in=animals, ended_wall__isnull=True).values_list("subject_id", "pk")
        still: dict[UUID, set[UUID]] = {}
        for animal, key in rows:  # the new ones are stored by now
            still.setdefault(animal, set()).add(key)
        for one in new:
            subject = here.subject(one.columns["subject_id"])
            others = still.get(subject.pk, set()) - {one.key}
            if one.columns["ended_wall"] is None and others:
                facts = {"subject": subject.nickname, "others": sorted(map(str, others))}
                words = f"{subject.nickname} is in another cage too"
                yield one.key, Doubt("animal-in-two-cages", words, facts, "end one of the stays")
            walls = {"start_datetime": one.columns["started_wall"]}
            yield from ((one.key, doubt) for doubt in lived(subject, walls, here.today(subject.lab_id)))
