"""Taking the rows of a model in, batch by batch: a batch is one transaction, so a killed import goes on where it was."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Model, Q
from django.db.models.functions import Lower

from alyx.core.failpoints import failpoint
from alyx.core.flags import Doubt, raise_flags
from datasets.imports.importer import SUBJECT, Here, Importer, Made, New, by_lab
from datasets.imports.report import Report, Tally
from datasets.imports.spool import Row, Spool
from datasets.imports.values import NUMBERED, Found, Refused, Take, key_in, stored_key
from subjects.models import Subject

BATCH_STORED, BATCH_DONE = "import.batch-stored", "import.batch-done"
"""Where a test may kill an import: before a batch is committed, and after."""
LEAST_STEM = 58
"""A longer name may be cut to make room for the number behind it."""


class _Again(Exception):
    """A row of the group could not be stored after others were promised that it will be."""


@dataclass
class _Batch:
    """What is known of the rows at hand."""

    importer: Importer
    tally: Tally
    found: Found
    existing: Mapping[Any, Any]
    links: Mapping[str, Mapping[UUID, set[UUID]]]
    bearers: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    """Natural key → the row of ours that has it, stored or about to be."""
    in_file: set[UUID] = field(default_factory=set)
    keys: dict[UUID, UUID] = field(default_factory=dict)
    new: list[New] = field(default_factory=list)


class Taking:
    """One import at work."""

    def __init__(
        self,
        spool: Spool,
        here: Here,
        report: Report,
        models: Mapping[str, type[Model]],
        size: int,
        done: Callable[[int], None],
    ) -> None:
        self.spool, self.here, self.report, self.models, self.size, self.done = spool, here, report, models, size, done
        self.barred: dict[tuple[str, str], str] = {}
        self._suffixes: dict[tuple[Any, ...], int] = {}

    def group(self, importers: Sequence[Importer]) -> None:
        """Take models in. Several at once name each other: all their keys are looked at first, and they are stored together."""
        if len(importers) == 1 and importers[0].label not in importers[0].refs.values():
            for number, rows in enumerate(self._batches(importers[0]), 1):
                self._batch(importers[0], rows, write=True)
                if number.bit_count() == 1:
                    self._measure(importers[0].model)
                failpoint(BATCH_DONE)
            return
        while True:
            counted, barred = dict(self.report.models), len(self.barred)
            try:
                with transaction.atomic():
                    self._together(importers)
                    if len(self.barred) > barred:
                        raise _Again
            except _Again:
                self.report.models = counted
                self._suffixes.clear()
            else:
                failpoint(BATCH_DONE)
                return

    def _measure(self, model: type[Model]) -> None:
        """Tell the planner of the rows that came: it would read a table that was empty a moment ago from end to end."""
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")
            cursor.execute("ANALYZE import_key")

    def _together(self, importers: Sequence[Importer]) -> None:
        for importer in importers:
            self.report.models[importer.label] = Tally()
        for write in (False, True):
            for importer in importers:
                for rows in self._batches(importer):
                    self._batch(importer, rows, write=write)
        for importer in importers:
            if self.report.of(importer.label).read:
                importer.finish()

    def _batches(self, importer: Importer) -> Iterable[list[Row]]:
        return self.spool.batches(importer.label, self.size, whole_groups=importer.whole_groups)

    def _batch(self, importer: Importer, rows: list[Row], *, write: bool) -> None:
        tally = Tally()
        try:
            with transaction.atomic():
                self._take(importer, rows, tally, write=write)
                failpoint(BATCH_STORED)
        except (DatabaseError, ValueError, OverflowError) as error:
            if len(rows) > 1:
                for row in rows:
                    self._batch(importer, [row], write=write)
                return
            tally = Tally(read=1)
            reason = f"the database refuses it: {(str(error).splitlines() or [''])[0][:200]}"
            self.barred[importer.label, rows[0].pk] = reason
            tally.refuse(rows[0].pk, reason)
        if write:
            self.report.of(importer.label).add(tally)
            self.done(len(rows))

    def _take(self, importer: Importer, rows: list[Row], tally: Tally, *, write: bool) -> None:
        found = self._resolve(importer, rows)
        self._look_around(importer, rows, found)
        made: list[tuple[Row, UUID, Made]] = []
        for row in rows:
            tally.read += 1
            one = self._made(importer, row, found, tally)
            if one is not None:
                made.append((row, *one))
        barred = importer.barred([(key, one) for _, key, one in made], self.here)
        for row, key, _ in made:
            if key in barred:
                tally.refuse(row.pk, barred[key])
        made = [one for one in made if one[1] not in barred]
        batch = self._known_of(importer, made, found, tally)
        for row, key, one_made in made:
            self._place(batch, row, key, one_made, write=write)
        self.spool.remember(importer.label, batch.keys)
        if write:
            importer.complete(batch.new, self.here)
            self._store(batch)

    def _resolve(self, importer: Importer, rows: Sequence[Row]) -> dict[str, dict[UUID, UUID]]:
        """Their keys that the rows name, with ours: one or two queries per model named."""
        wanted: dict[str, set[UUID]] = {label: set() for label in importer.refs.values()}
        for row in rows:
            for name, label in importer.refs.items():
                value = row.fields.get(name)
                wanted[label].update(
                    key for one in (value if isinstance(value, list) else [value]) if (key := key_in(label, one))
                )
        return {label: self.known(label, keys) for label, keys in wanted.items()}

    def known(self, label: str, keys: set[UUID]) -> dict[UUID, UUID]:
        """Their keys that mean a row of ours: taken in from the file, else here under the same key."""
        known = self.spool.known(label, keys)
        missing = keys - known.keys()
        model = self.models.get(label)
        if missing and model is not None:
            wanted = {stored_key(label, key): key for key in missing}
            here = model._default_manager.filter(pk__in=wanted).values_list("pk", flat=True)
            known.update({wanted[pk]: wanted[pk] for pk in here})
        return known

    def _look_around(self, importer: Importer, rows: Sequence[Row], found: Found) -> None:
        if SUBJECT in found:
            animals = Subject.objects.select_related("lab", "species")
            self.here.subjects = {one.pk: one for one in animals.filter(pk__in=set(found[SUBJECT].values()))}
        importer.prepare(rows, self.here)

    def _made(self, importer: Importer, row: Row, found: Found, tally: Tally) -> tuple[UUID, Made] | None:
        reason = self.barred.get((importer.label, row.pk))
        if row.twin == "same":
            tally.unchanged += 1
            return None
        if row.twin:
            reason = "the file has this key twice, with different fields; the first is taken"
        key = key_in(importer.label, row.pk)
        if key is None:
            reason = "its key is no whole number" if importer.label in NUMBERED else "its key is no UUID"
        if reason is not None or key is None:
            tally.refuse(row.pk, reason or "")
            return None
        take = Take(row.fields, found)
        try:
            made = importer.make(row, take, self.here)
        except Refused as refusal:
            tally.refuse(row.pk, str(refusal))
            return None
        tally.left_out.update(take.left_out())
        return key, made

    def _known_of(
        self, importer: Importer, made: Sequence[tuple[Row, UUID, Made]], found: Found, tally: Tally
    ) -> _Batch:
        existing = importer.model._default_manager.in_bulk([stored_key(importer.label, key) for _, key, _ in made])
        relations = {name for _, _, one in made for name in one.links}
        links = {name: _linked(importer.model, name, list(existing)) for name in relations}
        batch = _Batch(importer, tally, found, existing, links)
        naturals = [_natural(importer, one.columns) for _, _, one in made]
        batch.bearers = _bearers(importer, [natural for natural in naturals if natural is not None])
        if importer.label not in NUMBERED:
            batch.in_file = self.spool.holds(importer.label, {bearer.pk for bearer in batch.bearers.values()})
        return batch

    def _place(self, batch: _Batch, row: Row, key: UUID, made: Made, *, write: bool) -> None:
        """Where the row goes: it is here, another is here in its stead, or it is new."""
        importer, tally = batch.importer, batch.tally
        pk = stored_key(importer.label, key)
        if pk in batch.existing:
            batch.keys[key] = key
            self._compare(batch, pk, made)
            return
        natural = _natural(importer, made.columns)
        bearer = batch.bearers.get(natural) if natural else None
        if bearer is not None and bearer.pk != pk:
            if importer.is_same(made, bearer, in_file=bearer.pk in batch.in_file):
                batch.keys[key] = key_in(importer.label, str(bearer.pk)) or key
                tally.remapped += 1
                self._doubt_twice(batch, row, made, bearer)
                other = [name for name, value in made.columns.items() if _differs(importer, name, value, bearer)]
                more = f"; ours stays: {', '.join(other)}" if other else ""
                tally.note("remapped", key=key, ours=bearer.pk, name=", ".join(map(str, natural or ())), more=more)
                return
            aside = importer.set_aside(made, bearer, self.here)
            natural = self._rename(batch, made) if write and not aside else None
        batch.keys[key] = key
        batch.new.append(New(pk, row, made))
        if natural is not None:
            batch.bearers[natural] = importer.model(pk=pk, **made.columns)
            batch.in_file.add(pk)

    def _doubt_twice(self, batch: _Batch, row: Row, made: Made, bearer: Any) -> None:
        """Two of one group are one here. Groups come whole, so the doubt is raised with the row that stands for both, once."""
        stands = batch.importer.whole_groups and next((one for one in batch.new if one.key == bearer.pk), None)
        if stands and stands.row.group == row.group:
            doubt = batch.importer.twice(made, bearer)
            stands.made.doubts.extend([doubt] if doubt else [])

    def _compare(self, batch: _Batch, key: Any, made: Made) -> None:
        ours = batch.existing[key]
        other = [name for name, value in made.columns.items() if _differs(batch.importer, name, value, ours)]
        other += [
            name
            for name, keys in made.links.items()
            if name not in batch.importer.uncompared and set(keys) != batch.links[name].get(key, set())
        ]
        if other:
            batch.tally.differs += 1
            batch.tally.note("differs", key=key, fields=", ".join(other))
        else:
            batch.tally.unchanged += 1

    def _rename(self, batch: _Batch, made: Made) -> tuple[Any, ...] | None:
        """Another name for what would bear a name twice: `NAME.2`, `NAME.3` …, in the order of the file."""
        importer, column = batch.importer, batch.importer.renamed
        wanted = made.columns[column]
        if not isinstance(wanted, str):  # a number: the importer gives the next free one
            del made.columns[column]
            made.doubts.append(_taken(column, wanted, ""))
            return None
        counter = (importer.label, _natural(importer, made.columns))
        number = self._suffixes.get(counter, 1)
        while True:
            number += 1
            made.columns[column] = f"{wanted[:245]}.{number}"
            natural = _natural(importer, made.columns) or ()
            if natural not in batch.bearers and not _bearers(importer, [natural]):
                self._suffixes[counter] = number
                made.doubts.append(_taken(column, wanted, made.columns[column]))
                return natural

    def _store(self, batch: _Batch) -> None:
        """The new rows, what comes along, their links and their flags."""
        importer, new = batch.importer, batch.new
        if not new:
            return
        manager: Any = importer.model._default_manager
        manager.bulk_create([importer.model(pk=one.key, **one.columns) for one in new])
        along: dict[type[Model], list[Model]] = {}
        for one in new:
            for more in one.made.along:
                along.setdefault(type(more), []).append(more)
        for model, rows in along.items():
            model._default_manager.bulk_create(rows)
        for name in {name for one in new for name in one.made.links}:
            _link(importer.model, name, {one.key: one.made.links.get(name, []) for one in new})
        batch.tally.created += len(new)
        doubts = [(one.key, doubt) for one in new for doubt in one.made.doubts]
        doubts += importer.doubts(new, self.here)
        batch.tally.flagged.update(doubt.rule for _, doubt in doubts)
        labs = {one.key: one.made.lab_id or one.columns.get("lab_id") for one in new}
        for lab_id, some in by_lab(doubts, labs).items():
            about = [(key_in(importer.label, str(key)) or key, doubt) for key, doubt in some]
            raise_flags(importer.doubts_of or importer.model, about, lab_id=lab_id)


def _taken(column: str, wanted: Any, given: str) -> Doubt:
    renamed = f"; here it is {given}" if given else "; it has the next free one"
    return Doubt(
        "name-taken",
        f"{column} {wanted} is borne by another already{renamed}",
        {"field": column, "wanted": wanted},
        "look whether the two are one, or rename",
    )


def _natural(importer: Importer, columns: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What identifies the row besides its key; None when it says not all of it."""
    if not importer.natural or any(name not in columns for name in importer.natural):
        return None
    if not importer.nulls_are_same and any(columns[name] is None for name in importer.natural):
        return None
    return tuple(_fold(importer, name, columns[name]) for name in importer.natural)


def _fold(importer: Importer, name: str, value: Any) -> Any:
    return value.lower() if name in importer.folded and isinstance(value, str) else value


def _bearers(importer: Importer, naturals: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
    """The stored rows with these natural keys, in one query."""
    if not naturals:
        return {}
    rows = importer.rows
    for index, name in enumerate(importer.natural):
        values = {natural[index] for natural in naturals}
        if None in values:
            rows = rows.filter(Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__in": values - {None}}))
        elif name in importer.folded:
            rows = rows.alias(**{f"folded_{name}": Lower(name)}).filter(**{f"folded_{name}__in": values})
        else:
            rows = rows.filter(**{f"{name}__in": values})
    wanted = set(naturals)
    found = {tuple(_fold(importer, name, getattr(row, name)) for name in importer.natural): row for row in rows}
    return {natural: row for natural, row in found.items() if natural in wanted}


def _differs(importer: Importer, name: str, value: Any, ours: Any) -> bool:
    if name in importer.uncompared:
        return False
    stored = getattr(ours, name)
    if stored == value:
        return False
    if (name == importer.renamed or name in importer.suffixed) and isinstance(value, str):
        return not _is_suffixed(value, stored)
    return True


def _is_suffixed(wanted: str, stored: str) -> bool:
    """Whether it is the name with a number that an import put behind it (of a long name, behind its beginning)."""
    stem, _, number = stored.rpartition(".")
    return number.isdigit() and bool(stem) and wanted.startswith(stem) and len(stem) >= min(len(wanted), LEAST_STEM)


def _columns_of(model: type[Model], name: str) -> tuple[Any, str, str]:
    relation: Any = model._meta.get_field(name)
    return relation.remote_field.through, relation.m2m_column_name(), relation.m2m_reverse_name()


def _linked(model: type[Model], name: str, keys: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    through, source, target = _columns_of(model, name)
    found: dict[UUID, set[UUID]] = {}
    for key, other in through.objects.filter(**{f"{source}__in": keys}).values_list(source, target):
        found.setdefault(key, set()).add(other)
    return found


def _link(model: type[Model], name: str, links: Mapping[UUID, Sequence[UUID]]) -> None:
    through, source, target = _columns_of(model, name)
    through.objects.bulk_create(
        [through(**{source: key, target: other}) for key, others in links.items() for other in others]
    )
