"""A surgery as it stands, as JSON for the screen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType

from alyx.core import clock
from alyx.core.models import Note
from subjects.models import Surgery
from subjects.permissions import Act, permitted
from subjects.queries.surgery_bench import cards
from subjects.rules.surgery_fields import FIELDS
from subjects.rules.surgery_plan import SAID
from subjects.rules.template import days_after
from subjects.services.surgery import Ending, preview_end
from subjects.services.surgery_bench import field_of, wire
from subjects.services.surgery_bench_parts import plan_of

_PARTS = ("headplate", "craniotomy", "injection", "implant", "perfusion")


def surgery_state(actor: Any, surgery: Surgery) -> dict[str, Any]:
    """The surgery as it stands, for the screen to merge with what the tablet has not sent yet."""
    read_at = clock.now()
    subject = surgery.subject
    kind = ContentType.objects.get_for_model(Surgery)
    photos = Note.objects.filter(content_type=kind, object_id=surgery.pk, withdrawn_at__isnull=True)
    ending = preview_end(surgery, clock.utc_to_wall(read_at, surgery.zone).date())
    return {
        "read_at": read_at.isoformat(),
        "id": str(surgery.pk),
        "zone": surgery.zone,
        "withdrawn": surgery.withdrawn_at is not None,
        "subject": _card_before(surgery, ending),
        "template": str(surgery.template_id) if surgery.template_id else None,
        "template_name": surgery.template.name if surgery.template else "",
        "post_op_days": days_after(surgery.template.content if surgery.template else {}),
        "plan": plan_of(surgery),
        "fields": {name: wire(field_of(surgery, name)) for name in FIELDS},
        "events": [
            {
                "id": str(one.pk),
                "at": one.at.isoformat(),
                "what": one.what,
                "value": one.value,
                "unit": one.unit,
                "user": one.user.get_username() if one.user else "",
            }
            for one in surgery.timeline.select_related("user")
        ],
        "drugs": [
            _given(one) for one in surgery.drugs_given.filter(withdrawn_at__isnull=True).select_related("drug", "user")
        ],
        "parts": [part for name in _PARTS for part in _parts(surgery, name)],
        "photos": [
            {
                "id": str(one.pk),
                "at": one.at.isoformat(),
                "url": f"/media/{one.image.name}" if one.image else "",
                "text": one.text,
                "user": one.user.get_username(),
            }
            for one in photos.select_related("user").order_by("at")
        ],
        "checks": [
            {"due_on": one.due_on.isoformat(), "done": one.done_wall is not None}
            for one in surgery.checks.order_by("due_on")
        ],
        "missing": dict(ending.missing),
        "implant_before_g": ending.implant_before_g,
        "may": bool(permitted(actor, [subject], Act.TREAT)),
    }


def _card_before(surgery: Surgery, ending: Ending) -> dict[str, Any]:
    """The animal as it came to the table: without this surgery and what it leaves on it."""
    [card] = cards([surgery.subject], without=surgery.pk)
    added = (card["implant_g"] or 0) - ending.implant_before_g
    shifted = {name: None if card[name] is None else card[name] - added for name in ("expected_g", "min_g")}
    return {**card, **shifted, "implant_g": ending.implant_before_g}


def _given(given: Any) -> dict[str, Any]:
    names = ("route", "dose_mg_per_kg", "dose_percent", "weight_g", "concentration_mg_per_ml", "volume_ml")
    return {
        "id": str(given.pk),
        "at": given.at.isoformat(),
        "drug": str(given.drug_id),
        "name": given.drug.name,
        "use": given.drug.use,
        "user": given.user.get_username() if given.user else "",
        **{name: getattr(given, name) for name in names},
    }


def _parts(surgery: Surgery, kind: str) -> list[dict[str, Any]]:
    rows: Any = (
        surgery.implants.filter(withdrawn_at__isnull=True)
        if kind == "implant"
        else getattr(surgery, f"{kind}_set").all()
    )
    found = []
    for row in rows:
        wall: datetime | None = row.started_wall if kind == "implant" else row.at_wall
        columns = {name: getattr(row, f"{name}_id", getattr(row, name)) for name in SAID[kind]}
        at = clock.wall_to_utc(wall, surgery.zone).isoformat() if wall else None
        shown = {name: str(value) if isinstance(value, UUID) else value for name, value in columns.items()}
        found.append({"id": str(row.pk), "part": kind, "at": at, "values": shown})
    return found
