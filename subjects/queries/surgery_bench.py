"""What a tablet keeps for a surgery: the animals with their cards, the lab's templates and drugs, and the surgery as it stands."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from alyx.core import clock
from alyx.core.models import Note
from alyx.core.reading import readable
from alyx.labs.models import Lab, Location, Membership
from subjects.models import Drug, ProbeModel, ProcedureType, Subject, Surgery, SurgeryTemplate, VirusBatch, Zygosity
from subjects.permissions import Act, permitted
from subjects.queries.water import welfare_today
from subjects.rules.age import age_weeks
from subjects.rules.day import Day
from subjects.rules.surgery import POST_OP_DAYS

MOST_ANIMALS = 1500
MOST_FOUND = 20
MOST_NOTES = 3
RUNNING_DAYS = 3
"""A surgery that nobody ended is offered to go on with for so long."""
EVENTS = (
    "anaesthetised",
    "eyes protected",
    "fixed in the frame",
    "incision",
    "skull levelled",
    "drilling",
    "cementing",
    "closed",
    "awake",
)
"""One tap each, where the template names no others."""
ANALGESIA_AGAIN_H = 24.0
"""When analgesia is due again if the template does not say (`drugs[].repeat_h`)."""


def operable(actor: Any) -> QuerySet[Subject]:
    """The living animals that the actor reads, in the order of names."""
    rows: QuerySet[Subject] = readable(actor, Subject.objects.shown().alive())
    return rows.select_related("lab", "responsible_user", "line", "strain", "species").order_by("nickname", "id")


def found_animals(actor: Any, query: str) -> list[dict[str, Any]]:
    """Cards of those whose name, cage, ear mark or key the query is or begins; for herds larger than a tablet keeps."""
    said = query.strip().replace("\x00", "")
    if not said:
        return []
    wanted = Q(nickname__icontains=said) | Q(cage_name__iexact=said) | Q(ear_mark__iexact=said)
    with contextlib.suppress(ValueError):
        wanted |= Q(pk=UUID(said))
    animals = list(operable(actor).filter(wanted)[:MOST_FOUND])
    mine = permitted(actor, animals, Act.TREAT)
    return cards([one for one in animals if one.pk in mine])


def surgery_room(actor: Any) -> dict[str, Any]:
    """All that the screen needs when there is no network, in a constant number of statements."""
    animals = list(operable(actor)[: MOST_ANIMALS + 1])
    may = permitted(actor, animals, Act.TREAT)
    own = [one for one in animals[:MOST_ANIMALS] if one.pk in may]
    labs = {one.lab_id for one in own} | set(Membership.objects.filter(user=actor).values_list("lab_id", flat=True))
    since = clock.now() - timedelta(days=RUNNING_DAYS)
    rows: Any = Surgery.objects.shown().filter(ended_at__isnull=True, started_at__gte=since)
    running = readable(actor, rows).select_related("subject").prefetch_related("users").order_by("-started_at")
    templates = SurgeryTemplate.objects.filter(lab__in=labs, is_active=True).select_related("lab")
    drugs = Drug.objects.filter(Q(lab__in=labs) | Q(lab__isnull=True), is_active=True)
    people = Membership.objects.filter(lab__in=labs, user__is_active=True).select_related("user")
    return {
        "read_at": clock.now().isoformat(),
        "user": {"id": str(actor.pk), "name": actor.get_username()},
        "labs": [
            {"id": str(one.pk), "name": one.name, "zone": one.timezone}
            for one in Lab.objects.filter(pk__in=labs).order_by("name")
        ],
        "animals": cards(own),
        "more": len(animals) > MOST_ANIMALS,
        "running": [
            {
                "id": str(one.pk),
                "subject": str(one.subject_id),
                "nickname": one.subject.nickname,
                "zone": one.zone,
                "started_at": one.started_at.isoformat(),
                "people": [user.get_username() for user in one.users.all()],
            }
            for one in running[:50]
        ],
        "templates": _templates(templates.order_by("name", "id"), drugs),
        "drugs": [_drug(one) for one in drugs.order_by("name", "id")],
        "probe_models": _named(ProbeModel.objects.order_by("name")),
        "procedures": _named(ProcedureType.objects.order_by("name")),
        "virus_batches": [
            {"id": str(one.pk), "name": str(one)}
            for one in VirusBatch.objects.filter(Q(lab__in=labs) | Q(lab__isnull=True), is_used_up=False).order_by(
                "name"
            )[:200]
        ],
        "locations": _named(Location.objects.filter(lab__in=labs).order_by("name")),
        "people": sorted(
            {(one.user.get_username(), str(one.user_id)) for one in people} | {(actor.get_username(), str(actor.pk))}
        ),
        "events": list(EVENTS),
        "analgesia_again_h": ANALGESIA_AGAIN_H,
    }


def cards(animals: Sequence[Subject], *, without: UUID | None = None) -> list[dict[str, Any]]:
    """What is said of each animal at the table; among its surgeries is not the one that is looked at."""
    days = welfare_today(animals)
    now = clock.now()
    carried: dict[UUID, list[str]] = defaultdict(list)
    keys = [one.pk for one in animals]
    for row in Zygosity.objects.filter(subject__in=keys).select_related("allele").order_by("allele__nickname"):
        carried[row.subject_id].append(f"{row.allele.nickname} {row.get_state_display()}")
    before: dict[UUID, list[Surgery]] = defaultdict(list)
    surgeries = Surgery.objects.shown().filter(subject__in=keys, started_wall__isnull=False).exclude(pk=without)
    for surgery in surgeries.order_by("-started_wall"):
        before[surgery.subject_id].append(surgery)
    notes = _notes(keys)
    return [
        _card(
            one,
            days[one.pk],
            clock.utc_to_wall(now, one.lab.timezone).date(),
            carried[one.pk],
            before[one.pk],
            notes[one.pk],
        )
        for one in animals
    ]


def _notes(keys: Iterable[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    kind = ContentType.objects.get_for_model(Subject)
    rows = Note.objects.filter(content_type=kind, object_id__in=keys, withdrawn_at__isnull=True).exclude(text="")
    for note in rows.order_by("-at"):
        if len(found[note.object_id]) < MOST_NOTES:
            found[note.object_id].append(note.text)
    return found


def _card(
    animal: Subject, day: Day, today: date, carried: list[str], before: list[Surgery], notes: list[str]
) -> dict[str, Any]:
    return {
        "id": str(animal.pk),
        "nickname": animal.nickname,
        "lab": str(animal.lab_id),
        "lab_name": animal.lab.name,
        "cage": animal.cage_name,
        "ear_mark": animal.ear_mark,
        "sex": animal.sex,
        "born_on": _iso(animal.born_on),
        "died_on": _iso(animal.died_on),
        "age_weeks": age_weeks(animal.born_on, animal.died_on, today) if animal.born_on else None,
        "weight_g": day.weight_g,
        "weighed": _iso(day.weighed_at_wall),
        "is_restricted": day.is_restricted,
        "percentage": day.percentage,
        "status": day.status.value,
        "expected_g": day.expected_g,
        "min_g": day.min_g,
        "implant_g": day.implant_g,
        "genotype": carried,
        "line": animal.line.name if animal.line else "",
        "strain": animal.strain.name if animal.strain else "",
        "responsible": animal.responsible_user.get_username() if animal.responsible_user else "",
        "description": animal.description,
        "adverse": animal.adverse_effects,
        "notes": notes,
        "to_be_culled": animal.to_be_culled,
        "surgeries": [_iso(one.started_wall) for one in before[:5]],
    }


def _templates(templates: Iterable[SurgeryTemplate], drugs: Iterable[Drug]) -> list[dict[str, Any]]:
    named = dict(ProcedureType.objects.values_list("name", "pk"))
    return [_template(one, drugs, named) for one in templates]


def _template(template: SurgeryTemplate, drugs: Iterable[Drug], procedures: Mapping[str, UUID]) -> dict[str, Any]:
    """With its drugs as keys: those of the lab before everybody's, of the strength it asks for."""
    content: Mapping[str, Any] = template.content
    wanted = []
    rows = sorted(drugs, key=lambda one: one.lab_id is None)
    for asked in content.get("drugs") or []:
        strength = asked.get("concentration_mg_per_ml")
        fitting = [
            one
            for one in rows
            if one.name.lower() == asked["drug"].lower()
            and one.lab_id in {None, template.lab_id}
            and strength in {None, one.concentration_mg_per_ml}
        ]
        if fitting:
            wanted.append({**asked, "drug": str(fitting[0].pk)})
    return {
        "id": str(template.pk),
        "lab": str(template.lab_id),
        "name": template.name,
        "description": template.description,
        "drugs": wanted,
        "parts": content.get("parts") or [],
        "events": content.get("events") or [],
        "procedures": [str(procedures[name]) for name in content.get("procedures") or [] if name in procedures],
        "implant_weight": content.get("implant_weight_g"),
        "outcome_type": content.get("outcome_type") or "",
        "anaesthetic": content.get("anaesthetic") or "",
        "narrative": content.get("narrative") or "",
        "post_op_days": list(POST_OP_DAYS) if content.get("post_op_days") is None else content["post_op_days"],
    }


def _drug(drug: Drug) -> dict[str, Any]:
    names = ("name", "use", "route", "concentration_mg_per_ml", "dose_mg_per_kg", "dose_percent", "max_dose_mg_per_kg")
    return {"id": str(drug.pk), "lab": str(drug.lab_id) if drug.lab_id else None} | {
        name: getattr(drug, name) for name in names
    }


def _named(rows: Any) -> list[dict[str, str]]:
    return [{"id": str(one.pk), "name": one.name} for one in rows[:300]]


def _iso(value: date | datetime | None) -> str | None:
    return value.isoformat() if value else None
