"""What was done to animals: surgeries, injections, implants, other procedures."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from alyx.core.flags import Doubt
from datasets.imports.importer import (
    LAB,
    LOCATION,
    PROCEDURE_TYPE,
    SUBJECT,
    USER,
    Here,
    Importer,
    Made,
    New,
    ends_before_start,
    lab_of,
    lived,
    without_time,
)
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take, spanned
from subjects.models import (
    Implant,
    Injection,
    InjectionType,
    OtherProcedure,
    Outcome,
    Surgery,
    Weighing,
)
from subjects.rules.surgery import implausible_implant

PROBE_MODEL = "experiments.probemodel"
ACTION_REFS: dict[str, str] = {
    "subject": SUBJECT,
    "lab": LAB,
    "location": LOCATION,
    "users": USER,
    "procedures": PROCEDURE_TYPE,
}
USUAL_BODY_G = 25.0
"""Of an animal that was never weighed, to judge what its implant weighs."""


def action(take: Take, here: Here) -> Made:
    """The columns of everything done to an animal."""
    key = take.link("subject", SUBJECT, needed=True)
    if key is None:
        raise Refused("it names no subject")
    lab = lab_of(take, here, here.subject(key))
    zone = here.zone(lab)
    start = take.wall("start_time", zone)
    if start is None:
        take.doubts.append(without_time("start_time"))
    columns = {
        "subject_id": key,
        "lab_id": lab,
        "location_id": take.link("location", LOCATION),
        "name": take.text("name"),
        **spanned(start, take.wall("end_time", zone), zone),
        "narrative": take.text("narrative", None),
        "json": take.json(),
    }
    links = {"users": take.links("users", USER), "procedures": take.links("procedures", PROCEDURE_TYPE)}
    return Made(columns, links, lab_id=lab, doubts=take.doubts)


class Actions(Importer):
    """Something with a beginning and perhaps an end."""

    refs = ACTION_REFS
    uncompared = frozenset({"zone", "started_at", "ended_at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The action."""
        return action(take, here)

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """Ends before the start; before the birth, after the death, in the future."""
        for one in new:
            subject = here.subject(one.columns["subject_id"])
            yield from ((one.key, doubt) for doubt in ends_before_start(one.columns))
            walls = {"start_time": one.columns["started_wall"]}
            yield from ((one.key, doubt) for doubt in lived(subject, walls, here.today(one.columns["lab_id"])))


class Surgeries(Actions):
    """A surgery. An implant weight is kept as it is; an implausible one enters no number and is flagged."""

    label, model = "actions.surgery", Surgery

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The surgery."""
        made = action(take, here)
        made.columns |= {
            "outcome_type": take.choice("outcome_type", Outcome.values, ""),
            "implant_weight_g": take.number("implant_weight"),
        }
        return made

    def doubts(self, new: Sequence[New], here: Here) -> Iterator[tuple[UUID, Doubt]]:
        """A body weight in the box of the implant's, too."""
        yield from super().doubts(new, here)
        weights: dict[UUID, list[tuple[datetime, float]]] = {}
        rows = Weighing.objects.shown().filter(subject__in={one.columns["subject_id"] for one in new}, counts=True)
        for subject_id, at, weight in rows.order_by("at_wall").values_list("subject_id", "at_wall", "weight_g"):
            weights.setdefault(subject_id, []).append((at, weight))
        for one in new:
            implant, start = one.columns["implant_weight_g"], one.columns["started_wall"]
            known = weights.get(one.columns["subject_id"], [])
            body = next((weight for at, weight in reversed(known) if start is None or at <= start), None)
            body = body or (known[0][1] if known else None)
            why = implausible_implant(implant, body or USUAL_BODY_G)
            if why:
                said = why if body else f"{why} (of a usual animal: this one was never weighed before)"
                facts = {"implant_weight": implant, "body_weight": body}
                fix = "enter the weight of the implant alone"
                yield one.key, Doubt("implant-weight-implausible", said, facts, fix, ("implant_weight",))


class Others(Actions):
    """A procedure that is no surgery."""

    label, model = "actions.otheraction", OtherProcedure


class VirusInjections(Actions):
    """An injection of a virus, which is a surgery of its own there: here a surgery under the same key, with the injection as part."""

    label, model = "actions.virusinjection", Surgery

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The surgery and its injection."""
        made, key = action(take, here), UUID(row.pk)
        rate = take.number("rate_of_injection")
        if rate is not None:
            words = f"the rate {rate:g} has no unit in the file; here it is nL/min"
            take.doubts.append(Doubt("unit-unknown", words, {"rate_of_injection": rate}, "check the unit"))
        injection = Injection(
            pk=key,
            surgery_id=key,
            material=take.text("virus_batch"),
            volume_nl=take.number("injection_volume"),
            rate_nl_per_min=rate,
            type=take.choice("injection_type", InjectionType.values, InjectionType.IONTOPHORESIS.value),
        )
        made.along.append(injection)
        return made


class Implants(Importer):
    """A chronic insertion: the implant of its animal."""

    label, model = "experiments.chronicinsertion", Implant
    refs = {**ACTION_REFS, "model": PROBE_MODEL}
    uncompared = frozenset({"zone", "started_at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The implant. Who put it in, where and when it came out have no place of their own: a flag and the narrative keep them."""
        made = action(take, here)
        columns = made.columns
        ended = columns.pop("ended_wall")
        columns.pop("ended_at")
        columns.pop("location_id")
        made.links = {}
        for name in ("users", "procedures", "location"):
            if value := take.raw(name):
                take.odd(name, value, "has no place in an implant; enter it in its surgery")
        columns |= {
            "serial": take.text("serial"),
            "probe_model_id": take.link("model", PROBE_MODEL),
            "removed_on": ended.date() if ended else None,
        }
        return made


class OldImplants(Implants):
    """The same, in the app where older ones keep it."""

    label = "actions.chronicinsertion"
