"""Chronic insertions: the implants of the surgeries, entered by a rig. One record, two doors."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid, NotFound
from alyx.core.rest.names import by_name
from alyx.labs.models import Lab
from sessions.permissions import Right, authorise_of_animal
from sessions.rules.times import as_wall
from sessions.services.rows import model_by_part
from subjects.models import Implant, Subject
from subjects.services.lookup import resolve_subject


def shown_implants() -> QuerySet[Implant]:
    """Those not withdrawn, in animals not withdrawn."""
    return Implant.objects.filter(withdrawn_at__isnull=True, subject__withdrawn_at__isnull=True)


@transaction.atomic
def create_chronic(*, actor: Any, values: Mapping[str, Any]) -> tuple[Implant, bool]:
    """The chronic insertion, and whether this call made it.

    One of this animal and name that is still in, with the same serial number or none (a surgery entered it), is filled
    where it is empty. Raises Invalid, Ambiguous, Forbidden.
    """
    lab = by_name(Lab.objects.all(), values["lab"], field="lab", what="lab") if values.get("lab") else None
    subject = _subject(actor, values, lab)
    lab = lab or subject.lab
    authorise_of_animal(actor, lab, subject.pk, act="register chronic insertions", to=Right.LOCATE)
    columns = _columns(values, lab.timezone)
    there = _entered(subject, columns)
    if there is not None:
        empty = {name: value for name, value in columns.items() if getattr(there, name) in (None, "")}
        store(there, empty)
        return there, False
    made: Implant = Implant.objects.create(subject=subject, lab=lab, zone=lab.timezone, **columns)
    return made, True


@transaction.atomic
def change_chronic(*, actor: Any, implant: Implant, changes: Mapping[str, Any]) -> Implant:
    """Change what is sent and nothing else. Raises Invalid (a serial number that its insertions contradict), Forbidden."""
    implant = locked(shown_implants().select_related("lab", "subject__lab"), implant.pk)
    authorise_of_animal(actor, implant.lab, implant.subject_id, to=Right.LOCATE, act="change chronic insertions")
    lab = implant.lab
    if changes.get("lab"):
        lab = by_name(Lab.objects.all(), changes["lab"], field="lab", what="lab")
    columns = _columns(changes, lab.timezone)
    if lab.pk != implant.lab_id:
        authorise_of_animal(actor, lab, implant.subject_id, act="take in chronic insertions", to=Right.LOCATE)
        columns |= {"lab": lab, "zone": lab.timezone, **_start(columns.get("started_wall", implant.started_wall), lab)}
    if changes.get("subject"):
        subject = _subject(actor, changes, lab)
        if subject.pk != implant.subject_id:
            _refuse_linked(implant, "subject", implant.insertions.exclude(session__subject=subject))
            columns["subject"] = subject
    if columns.get("serial"):
        others = implant.insertions.exclude(serial__in=["", columns["serial"]])
        _refuse_linked(implant, "serial", others)
    store(implant, columns)
    return implant


@transaction.atomic
def withdraw_chronic(*, actor: Any, implant: Implant) -> None:
    """Out of every answer; insertions that name it stay. Raises Forbidden, NotFound."""
    implant = locked(shown_implants().select_related("lab"), implant.pk)
    authorise_of_animal(actor, implant.lab, implant.subject_id, to=Right.LOCATE, act="withdraw chronic insertions")
    store(implant, {"withdrawn_at": clock.now()})


def _subject(actor: Any, values: Mapping[str, Any], lab: Lab | None) -> Subject:
    """The animal, locked. Raises Invalid."""
    if not values.get("subject"):
        raise Invalid.of("subject", "say in which animal")
    try:
        found = resolve_subject(actor=actor, nickname=values["subject"], labs=[lab.name] if lab else [])
    except NotFound as error:
        raise Invalid.of("subject", error.detail) from None
    return Subject.objects.select_related("lab").select_for_update(of=("self",), no_key=True).get(pk=found.pk)


def _entered(subject: Subject, columns: Mapping[str, Any]) -> Implant | None:
    if not columns.get("name"):
        return None
    serial = columns.get("serial", "")
    same = Q(serial__in=["", serial]) if serial else Q()
    rows = shown_implants().filter(same, subject=subject, name__iexact=columns["name"], removed_on__isnull=True)
    return rows.select_for_update(of=("self",), no_key=True).order_by("-serial", "created_at").first()


def _columns(sent: Mapping[str, Any], zone: str) -> dict[str, Any]:
    columns: dict[str, Any] = {name: sent[name] for name in ("name", "json") if name in sent}
    if "serial" in sent:
        columns["serial"] = sent["serial"].strip()
    if "model" in sent:
        columns["probe_model"] = model_by_part(sent["model"])
    if "start_time" in sent:
        wall = as_wall(sent["start_time"], zone) if sent["start_time"] else None
        columns |= {"started_wall": wall, "started_at": clock.wall_to_utc(wall, zone) if wall else None}
    return columns


def _start(wall: Any, lab: Lab) -> dict[str, Any]:
    return {"started_at": clock.wall_to_utc(wall, lab.timezone) if wall else None}


def _refuse_linked(implant: Implant, field: str, others: QuerySet[Any]) -> None:
    """Raise Invalid naming an insertion of the chronic one that would contradict it."""
    there = others.filter(withdrawn_at__isnull=True, session__withdrawn_at__isnull=True).first()
    if there is not None:
        raise Invalid.of(field, f"insertion {there.pk} of {implant.pk} says {there.serial or there.session}")
