"""What belongs to recordings: the atlas, probes, fields of view, pipeline tasks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from alyx.core.flags import Doubt
from datasets.imports.importer import Here, Importer, Made, New, named
from datasets.imports.procedures import PROBE_MODEL
from datasets.imports.registry import REPOSITORY
from datasets.imports.sessions import SESSION
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take, as_key, broken
from sessions.models import (
    FOV,
    BrainRegion,
    Channel,
    FOVLocation,
    FOVProvenance,
    ImagingStack,
    ProbeInsertion,
    Provenance,
    Session,
    Task,
    TaskStatus,
    TrajectoryEstimate,
)
from sessions.services.atlas import number_regions
from subjects.models import ProbeModel

REGION, SYSTEM, CHRONIC = "experiments.brainregion", "experiments.coordinatesystem", "experiments.chronicinsertion"
INSERTION, TRAJECTORY = "experiments.probeinsertion", "experiments.trajectoryestimate"
IMAGING_TYPE, STACK, FIELD = "experiments.imagingtype", "experiments.imagingstack", "experiments.fov"
TASK = "jobs.task"
SMALL = 2**15 - 1


class Regions(Importer):
    """A region of the brain: ours stays, one that is missing is added, and the tree is numbered again."""

    label, model = REGION, BrainRegion
    natural = ("acronym",)
    refs = {"parent": REGION}
    uncompared = frozenset({"description"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The region; numbers that say where it was in their tree mean nothing here."""
        for name in ("lft", "rght", "tree_id", "level", "related_descriptions"):
            take.raw(name)
        acronym = take.text("acronym", 64)
        columns = {
            "acronym": acronym or f"region-{row.pk}"[:64],
            "name": take.text("name") or acronym,
            "description": take.text("description", None) or None,
            "parent_id": take.link("parent", REGION),
            "ontology": take.text("ontology", 64),
        }
        return Made(columns, doubts=take.doubts)

    def finish(self) -> None:
        """Number the tree."""
        number_regions()


class ProbeModels(Importer):
    """A model of probe."""

    label, model = PROBE_MODEL, ProbeModel
    natural = ("name",)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name, else the maker's."""
        number = take.text("probe_model")
        columns = {
            "name": named(take.text("name") or number, row, take),
            "description": take.text("description", None),
            "manufacturer": take.text("probe_manufacturer"),
            "part_number": number,
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)


class _OfSession(Importer):
    """Something of a session that has a name there. A second one of the same name gets another."""

    natural, renamed = ("session_id", "name"), "name"
    uncompared = frozenset({"updated_at"})

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two."""
        return not in_file

    def complete(self, new: Sequence[New], here: Here) -> None:
        """The labs of the sessions."""
        labs = labs_of({one.columns["session_id"] for one in new})
        for one in new:
            one.made.lab_id = labs.get(one.columns["session_id"])


def labs_of(sessions: Iterable[UUID | None]) -> dict[UUID | None, UUID]:
    """The labs of these sessions."""
    wanted = {key for key in sessions if key is not None}
    return dict(Session.objects.filter(pk__in=wanted).values_list("pk", "lab_id"))


class Insertions(_OfSession):
    """A probe in a session. Its datasets follow from their folder."""

    label, model = INSERTION, ProbeInsertion
    refs = {"session": SESSION, "model": PROBE_MODEL, "chronic_insertion": CHRONIC}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The insertion."""
        take.raw("datasets")
        columns = {
            "session_id": take.link("session", SESSION, needed=True),
            "name": named(take.text("name"), row, take),
            "model_id": take.link("model", PROBE_MODEL),
            "serial": take.text("serial"),
            "chronic_insertion_id": take.link("chronic_insertion", CHRONIC),
            "json": take.json(),
            **noted(take, here, "auto_datetime"),
        }
        return Made(columns, doubts=take.doubts)


def noted(take: Take, here: Here, name: str) -> dict[str, Any]:
    """When their server last wrote it, if it says so."""
    moment = take.instant(name, here.server)
    return {"updated_at": moment} if moment else {}


class Trajectories(Importer):
    """Where a probe lay, from one source. Of two from one source the newer is kept, with the channels of both."""

    label, model = TRAJECTORY, TrajectoryEstimate
    natural = ("probe_insertion_id", "chronic_insertion_id", "provenance")
    refs = {"probe_insertion": INSERTION, "chronic_insertion": CHRONIC, "coordinate_system": SYSTEM}
    uncompared = frozenset({"updated_at"})
    whole_groups = True

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of an insertion together, newest first."""
        group = str(fields.get("probe_insertion") or fields.get("chronic_insertion") or "")
        return group, "".join(chr(0x9F - ord(one)) if " " <= one <= "~" else one for one in str(fields.get("datetime")))

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The trajectory."""
        probe = take.link("probe_insertion", INSERTION)
        chronic = take.link("chronic_insertion", CHRONIC)
        if probe is None and chronic is None:
            raise Refused("it names no insertion that is in the file or here")
        provenance = take.choice("provenance", Provenance.values, None)
        if provenance is None:
            raise Refused("it has no provenance")
        columns = {
            "probe_insertion_id": probe,
            "chronic_insertion_id": chronic,
            "provenance": provenance,
            "coordinate_system_id": take.link("coordinate_system", SYSTEM),
            **{name: take.number(name) for name in ("x", "y", "z", "depth", "theta", "phi", "roll")},
            "json": take.json(),
            **noted(take, here, "datetime"),
        }
        take.raw("name")
        return Made(columns, doubts=take.doubts)

    def twice(self, made: Made, other: Any) -> Doubt | None:
        """Two from one source."""
        facts = {name: made.columns[name] for name in ("x", "y", "z", "depth", "theta", "phi", "roll")}
        return Doubt(
            "trajectory-twice",
            "the file had a second trajectory of this insertion and source; the newer one is kept",
            facts,
            "look which one is right",
        )

    def complete(self, new: Sequence[New], here: Here) -> None:
        """The labs of their sessions."""
        probes = ProbeInsertion.objects.filter(pk__in={one.columns["probe_insertion_id"] for one in new} - {None})
        labs = dict(probes.values_list("pk", "session__lab_id"))
        for one in new:
            one.made.lab_id = labs.get(one.columns["probe_insertion_id"])


class Channels(Importer):
    """A site along a trajectory. Two at one position are one."""

    label, model = "experiments.channel", Channel
    natural, nulls_are_same = ("trajectory_id", "axial", "lateral"), False
    refs = {"trajectory_estimate": TRAJECTORY, "brain_region": REGION}
    whole_groups = True

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of a trajectory together."""
        return str(fields.get("trajectory_estimate") or ""), ""

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The channel."""
        columns = {
            "trajectory_id": take.link("trajectory_estimate", TRAJECTORY, needed=True),
            "brain_region_id": take.link("brain_region", REGION),
            "name": take.text("name"),
            **{name: take.number(name) for name in ("axial", "lateral", "x", "y", "z")},
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)

    def twice(self, made: Made, other: Any) -> Doubt | None:
        """Another place or region for the same site."""
        facts = {name: made.columns[name] for name in ("x", "y", "z", "brain_region_id")}
        if all(value == getattr(other, name) for name, value in facts.items()):
            return None
        return Doubt(
            "channel-twice", "the file had a second channel at this position", facts, "look which one is right"
        )


class Stacks(Importer):
    """Slices of one volume."""

    label, model = STACK, ImagingStack

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name."""
        return Made({"name": take.text("name"), "json": take.json()}, doubts=take.doubts)


class Fields(_OfSession):
    """A field of view. Its datasets follow from their folder."""

    label, model = FIELD, FOV
    refs = {"session": SESSION, "imaging_type": IMAGING_TYPE, "stack": STACK}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The field of view."""
        take.raw("datasets")
        columns = {
            "session_id": take.link("session", SESSION, needed=True),
            "name": named(take.text("name"), row, take),
            "imaging_type_id": take.link("imaging_type", IMAGING_TYPE),
            "stack_id": take.link("stack", STACK),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)


class Locations(Importer):
    """Where a field of view lies, from one source; one of them is the default."""

    label, model = "experiments.fovlocation", FOVLocation
    natural = ("field_of_view_id", "provenance")
    refs = {"field_of_view": FIELD, "coordinate_system": SYSTEM, "brain_region": REGION}
    uncompared = frozenset({"updated_at", "located_at", "default_provenance"})
    whole_groups = True

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of a field of view together, its default first."""
        return str(fields.get("field_of_view") or ""), "0" if fields.get("default_provenance") is True else "1"

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The location."""
        provenance = take.choice("provenance", FOVProvenance.values, None)
        if provenance is None:
            raise Refused("it has no provenance")
        columns = {
            "field_of_view_id": take.link("field_of_view", FIELD, needed=True),
            "coordinate_system_id": take.link("coordinate_system", SYSTEM),
            "provenance": provenance,
            "default_provenance": take.yes("default_provenance"),
            **{name: _list(take, name) for name in ("x", "y", "z", "n_xyz")},
            "json": take.json(),
            **noted(take, here, "auto_datetime"),
        }
        columns |= {"located_at": columns["updated_at"]} if "updated_at" in columns else {}
        take.raw("name")
        return Made(columns, {"brain_regions": take.links("brain_region", REGION)}, doubts=take.doubts)

    def twice(self, made: Made, other: Any) -> Doubt | None:
        """Two from one source."""
        facts = {name: made.columns[name] for name in ("x", "y", "z")}
        words = "the file had a second location of this field of view and source; one is kept"
        return Doubt("location-twice", words, facts, "look which one is right")

    def complete(self, new: Sequence[New], here: Here) -> None:
        """One default for each field of view."""
        fields = {one.columns["field_of_view_id"] for one in new}
        labs = dict(FOV.objects.filter(pk__in=fields).values_list("pk", "session__lab_id"))
        stored = FOVLocation.objects.filter(field_of_view__in=fields, default_provenance=True)
        taken = set(stored.values_list("field_of_view_id", flat=True))
        for one in new:
            field = one.columns["field_of_view_id"]
            one.made.lab_id = labs.get(field)
            if one.columns["default_provenance"] and field in taken:
                one.columns["default_provenance"] = False
                words = "another location of this field of view is the default; two cannot be"
                one.made.doubts.append(
                    Doubt("default-taken", words, {"default_provenance": True}, "choose the one that users get")
                )
            elif one.columns["default_provenance"]:
                taken.add(field)


def _list(take: Take, name: str) -> list[Any]:
    value = take.json(name)
    if isinstance(value, list):
        return value
    if value is not None:
        take.odd(name, value, "is no list")
    return []


class Tasks(Importer):
    """A step of a pipeline. A second one of the same session, name and arguments is kept withdrawn."""

    label, model = TASK, Task
    refs = {"session": SESSION, "data_repository": REPOSITORY}
    uncompared = frozenset({"updated_at", "withdrawn_at", "parents"})
    whole_groups = True

    def __init__(self) -> None:
        self._parents: dict[UUID, UUID] = {}

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of a session together; without one, by level: parents come before their children."""
        level = fields.get("level")
        step = f"{level:06d}" if isinstance(level, int) and level >= 0 else ""
        return (str(fields["session"]), step) if fields.get("session") else (f"!{step}", "")

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """Which of the parents there are."""
        wanted = {key for row in rows for one in _listed(row.fields.get("parents")) if (key := as_key(one))}
        stored = Task.objects.filter(pk__in=wanted).values_list("pk", flat=True)
        self._parents = {key: key for key in wanted & {row.key for row in rows if row.key}} | {
            key: key for key in stored
        }

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The task."""
        small = ("priority", "level", "gpu", "cpu", "ram", "io_charge", "time_out_secs")
        columns = {
            "session_id": take.link("session", SESSION),
            "name": take.text("name", 64),
            "repository_id": take.link("data_repository", REPOSITORY),
            "status": take.choice("status", TaskStatus.values, TaskStatus.WAITING.value),
            **{name: take.whole(name, -SMALL - 1, SMALL) for name in small},
            "time_elapsed_secs": take.number("time_elapsed_secs"),
            "executable": take.text("executable", 128),
            "graph": take.text("graph", 64),
            "arguments": take.json("arguments"),
            "log": take.text("log", None),
            "version": take.text("version", 64),
            **noted(take, here, "datetime"),
        }
        if take.raw("json"):
            take.odd("json", take.raw("json"), "has no place in a task")
        keys: list[UUID] = []
        for said in _listed(take.raw("parents")):
            key = as_key(said)
            if key is None or key not in self._parents or str(key) == row.pk:
                take.missing("parents", said)
            else:
                keys.append(key)
        return Made(columns, {"parents": list(dict.fromkeys(keys))}, doubts=take.doubts)

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Labs; parents that were stored; and one task for each session, name and arguments."""
        sessions = {one.columns["session_id"] for one in new}
        labs = labs_of(sessions)
        mine = {one.key for one in new}
        wanted = {key for one in new for key in one.made.links["parents"]} - mine
        there = mine | set(Task.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        names = {one.columns["name"] for one in new}
        stored = Task.objects.filter(
            Q(session__in=sessions - {None}) | Q(session=None), name__in=names, withdrawn_at__isnull=True
        )
        taken = {
            (session, name, _text(said))
            for session, name, said in stored.values_list("session_id", "name", "arguments").iterator()
        }
        for one in new:
            columns, parents = one.columns, one.made.links["parents"]
            one.made.lab_id = labs.get(columns["session_id"])
            one.made.doubts += [broken("parents", key) for key in parents if key not in there]
            one.made.links["parents"] = [key for key in parents if key in there]
            identity = columns["session_id"], columns["name"], _text(columns["arguments"])
            if identity in taken:
                columns["withdrawn_at"] = here.now
                words = f"the session has a task {columns['name']} with the same arguments; this one is kept withdrawn"
                one.made.doubts.append(
                    Doubt("task-twice", words, {"name": columns["name"], "status": columns["status"]}, "none is needed")
                )
            taken.add(identity)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(arguments: Any) -> str:
    """The arguments as the column has them."""
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
