"""Sessions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from alyx.core import clock
from alyx.core.flags import Doubt
from alyx.core.qc import QC
from datasets.imports.importer import PROJECT, Here, Importer, Made, New
from datasets.imports.procedures import ACTION_REFS, action
from datasets.imports.spool import Row
from datasets.imports.values import UNKNOWN, Take, as_key, broken
from sessions.models import Session
from sessions.services.doubts import plausibility

SESSION = "actions.session"


class Sessions(Importer):
    """A recording. One without a number gets the next free one of its animal and date, in the order of start times."""

    label, model = SESSION, Session
    natural, renamed = ("subject_id", "path_date", "number"), "number"
    refs = {**ACTION_REFS, "projects": PROJECT}
    uncompared = frozenset({"zone", "started_at", "ended_at", "updated_at", "parent_id", "number"})
    whole_groups = True

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of an animal together, in order of time."""
        return str(fields.get("subject") or ""), str(fields.get("start_time") or fields.get("end_time") or "")

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The session. Without a start it has that of its end, or of its entry in their database, or none."""
        made = action(take, here)
        columns = made.columns
        noted = take.instant("auto_datetime", here.server)
        if columns["started_wall"] is None:
            start = columns["ended_wall"] or (clock.utc_to_wall(noted, columns["zone"]) if noted else UNKNOWN)
            columns |= {"started_wall": start, "started_at": clock.wall_to_utc(start, columns["zone"])}
        if name := columns.pop("name"):
            take.odd("name", name, "a session has no name")
        columns |= {
            "path_date": columns["started_wall"].date(),
            "type": take.text("type"),
            "task_protocol": take.text("task_protocol", 1023),
            "n_trials": take.whole("n_trials"),
            "n_correct_trials": take.whole("n_correct_trials"),
            "qc": take.choice("qc", QC.values, QC.NOT_SET.value),
            "extended_qc": take.json("extended_qc"),
            "parent_id": as_key(take.raw("parent_session")),
        }
        number = take.whole("number")
        if number is not None:
            columns["number"] = number
        if noted is not None:
            columns["updated_at"] = noted
        made.links["projects"] = take.links("projects", PROJECT)
        return made

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Two of one file are two, and one of them gets another number."""
        return not in_file

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Numbers for those without one, and parents that exist."""
        days = {one.columns["path_date"] for one in new}
        animals = {one.columns["subject_id"] for one in new}
        taken: dict[tuple[UUID, date], set[int]] = {}
        stored = Session.objects.shown().filter(subject__in=animals, path_date__in=days)
        for subject, day, number in stored.values_list("subject_id", "path_date", "number"):
            taken.setdefault((subject, day), set()).add(number)
        for one in new:
            if "number" in one.columns:
                taken.setdefault(_day_of(one), set()).add(one.columns["number"])
        for one in new:
            if "number" not in one.columns:
                used = taken.setdefault(_day_of(one), set())
                one.columns["number"] = next(number for number in range(1, len(used) + 2) if number not in used)
                used.add(one.columns["number"])
        self._set_parents(new, here)

    def _set_parents(self, new: Sequence[New], here: Here) -> None:
        """A parent is stored already or with this batch; another is left out and flagged."""
        wanted = {one.columns["parent_id"] for one in new} - {None}
        known = {one.key: one.key for one in new if one.key in wanted} | here.spool.known(SESSION, wanted)
        stored = Session.objects.filter(pk__in=wanted - known.keys()).values_list("pk", flat=True)
        known.update({key: key for key in stored})
        mine = {one.key for one in new}
        there = mine | set(Session.objects.filter(pk__in=set(known.values())).values_list("pk", flat=True))
        for one in new:
            theirs = one.columns["parent_id"]
            ours = known.get(theirs)
            one.columns["parent_id"] = ours if ours in there and ours != one.key else None
            if theirs is not None and one.columns["parent_id"] is None:
                one.made.doubts.append(broken("parent_session", theirs))

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """As of every session."""
        for one in new:
            columns = {name: value for name, value in one.columns.items() if name not in {"subject_id", "lab_id"}}
            session = Session(pk=one.key, **columns)
            session.subject, session.lab = here.subject(one.columns["subject_id"]), here.lab(one.columns["lab_id"])
            if one.columns["started_wall"] != UNKNOWN:
                yield from ((one.key, doubt) for doubt in plausibility(session, here.now))


def _day_of(one: New) -> tuple[UUID, date]:
    return one.columns["subject_id"], one.columns["path_date"]
