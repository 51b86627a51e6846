"""Templates: what a lab's usual surgery begins with."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from alyx.core import clock
from alyx.core.changes import locked
from alyx.core.errors import Invalid
from alyx.core.rest.names import unknown
from alyx.labs.models import Lab, Location
from alyx.labs.permissions import authorise
from subjects.models import Drug, ProcedureType, Subject, Surgery, SurgeryTemplate
from subjects.rules.template import template_faults
from subjects.services.surgery import record_surgery


@transaction.atomic
def create_template(*, actor: Any, values: Mapping[str, Any]) -> SurgeryTemplate:
    """A template of a lab. Raises Forbidden, Invalid naming each key of `content` that is wrong."""
    authorise(actor, values["lab"], act="make templates of surgeries")
    return _stored(SurgeryTemplate(), values)


@transaction.atomic
def change_template(*, actor: Any, template: SurgeryTemplate, values: Mapping[str, Any]) -> SurgeryTemplate:
    """Change a template; surgeries that began with it stay as they are. Raises Forbidden, Invalid."""
    template = locked(SurgeryTemplate.objects.select_related("lab"), template.pk)
    authorise(actor, template.lab, act="change templates of surgeries")
    if "lab" in values:
        authorise(actor, values["lab"], act="make templates of surgeries")
    return _stored(template, values)


@transaction.atomic
def start_from_template(
    *, actor: Any, subject: Subject, template: SurgeryTemplate, values: Mapping[str, Any] | None = None
) -> Surgery:
    """A surgery that begins now with what the template says; `values` say more. Raises as `record_surgery` does."""
    said, parts = filled_from(template)
    start = {"start_time": clock.now(), **said, "template": template, **(values or {})}
    return record_surgery(actor=actor, subject=subject, values=start, parts=parts)


def filled_from(template: SurgeryTemplate) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The values and parts a surgery of this template begins with; words that have gone meanwhile are left out.

    The outcome is the end's business, and so is not among them.
    """
    content = template.content
    values: dict[str, Any] = {}
    for key, word in (
        ("implant_weight_g", "implant_weight"),
        ("anaesthetic", "anaesthetic"),
        ("narrative", "narrative"),
    ):
        if content.get(key) is not None:
            values[word] = content[key]
    if content.get("procedures"):
        values["procedures"] = list(ProcedureType.objects.filter(name__in=content["procedures"]))
    if content.get("location"):
        values["location"] = Location.objects.filter(name=content["location"]).first()
    parts = [{name: value for name, value in part.items() if value is not None} for part in content.get("parts") or []]
    wanted = content.get("drugs") or []
    known = _drugs(template.lab, [drug["drug"] for drug in wanted])
    for drug in wanted:
        row = _of_strength(known.get(drug["drug"].lower(), []), drug.get("concentration_mg_per_ml"))
        if row is not None:
            given = {name: drug[name] for name in ("dose_mg_per_kg", "dose_percent", "route") if drug.get(name)}
            parts.append({"part": "drug", "drug": row, "route": row.route, **given})
    return values, parts


def _drugs(lab: Lab, names: list[str]) -> dict[str, list[Drug]]:
    """The lab's drugs of these names, before those of everybody."""
    found: dict[str, list[Drug]] = {}
    rows = Drug.objects.filter(Q(lab=lab) | Q(lab__isnull=True), is_active=True)
    for drug in sorted(rows, key=lambda row: row.lab_id is None):
        if drug.name.lower() in {name.lower() for name in names}:
            found.setdefault(drug.name.lower(), []).append(drug)
    return found


def _of_strength(drugs: list[Drug], concentration: float | None) -> Drug | None:
    fitting = [drug for drug in drugs if concentration is None or drug.concentration_mg_per_ml == concentration]
    return fitting[0] if fitting else None


def _stored(template: SurgeryTemplate, values: Mapping[str, Any]) -> SurgeryTemplate:
    for name, value in values.items():
        setattr(template, name, value)
    if faults := template_faults(template.content):
        raise Invalid("; ".join(faults.values()), fields={"content": list(faults.values())})
    if words := _unknown_words(template):
        raise Invalid("; ".join(words), fields={"content": words})
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError:
        raise Invalid.of("name", f"lab {template.lab.name} has a template named {template.name!r} already") from None
    return template


def _unknown_words(template: SurgeryTemplate) -> list[str]:
    """Procedures, drugs and the location by names that nothing has."""
    content = template.content
    words: list[str] = []
    names = content.get("procedures") or []
    there = set(ProcedureType.objects.filter(name__in=names).values_list("name", flat=True))
    rows: Any = ProcedureType.objects.all()
    words += [
        f"procedures[{at}]: {unknown(rows, 'name', name, what='procedure')}"
        for at, name in enumerate(names)
        if name not in there
    ]
    wanted = content.get("drugs") or []
    drugs = _drugs(template.lab, [drug["drug"] for drug in wanted])
    usable: Any = Drug.objects.filter(Q(lab=template.lab) | Q(lab__isnull=True), is_active=True)
    words += [
        f"drugs[{at}].drug: {unknown(usable, 'name', drug['drug'], what='drug')}"
        for at, drug in enumerate(wanted)
        if _of_strength(drugs.get(drug["drug"].lower(), []), drug.get("concentration_mg_per_ml")) is None
    ]
    place = content.get("location")
    if place and not Location.objects.filter(name=place).exists():
        words.append(f"location: {unknown(Location.objects.all(), 'name', place, what='location')}")
    return words
