"""Finding the rows that bodies of insertions, trajectories and fields of view refer to. Each raises Invalid by field."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from alyx.core.errors import Invalid
from alyx.core.rest.names import by_name, nearest
from sessions.models import CoordinateSystem, Session
from subjects.models import Implant, ProbeModel

M = TypeVar("M", bound=Model)


def session_by_key(key: UUID) -> Session:
    """The session, locked against others that add to it: what is unique within it can be asked for safely."""
    rows: QuerySet[Session] = Session.objects.shown().select_related("lab", "subject")
    found = rows.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
    if found is None:
        raise Invalid.of("session", f"there is no session {key}")
    return found


def model_by_part(part_number: str | None) -> ProbeModel | None:
    """The probe model of this part number, else of this name."""
    if not part_number:
        return None
    rows = ProbeModel.objects.order_by("name", "id")
    found = rows.filter(part_number=part_number).first() or rows.filter(name=part_number).first()
    if found is None:
        known = rows.exclude(part_number="").values_list("part_number", flat=True)
        raise Invalid.of("model", f"there is no probe model {part_number[:100]!r}{nearest(part_number, known)}")
    return found


def implant_by_key(key: UUID | None) -> Implant | None:
    """The chronic insertion, locked."""
    if key is None:
        return None
    rows = Implant.objects.filter(withdrawn_at__isnull=True, subject__withdrawn_at__isnull=True)
    found = rows.select_related("lab").select_for_update(of=("self",), no_key=True).filter(pk=key).first()
    if found is None:
        raise Invalid.of("chronic_insertion", f"there is no chronic insertion {key}")
    return found


def system_by_name(name: str | None) -> CoordinateSystem | None:
    """The coordinate system."""
    if not name:
        return None
    return by_name(CoordinateSystem.objects.all(), name, field="coordinate_system", what="coordinate system")


def others(rows: QuerySet[M], but: Model | None) -> QuerySet[M]:
    """The rows without this one."""
    return rows.exclude(pk=but.pk) if but is not None else rows


def refuse_missing(field: str, values: dict[str, Any], names: tuple[str, ...]) -> None:
    """Raise Invalid unless one of the names has a value."""
    if not any(values.get(name) for name in names):
        raise Invalid.of(field, f"say which {' or '.join(names)} it belongs to")
