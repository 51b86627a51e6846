"""What a tablet wrote down in a weighing round: `weighing.weight` and `weighing.water`, each with its undo.

Bodies: `{weight | water: number (g, mL), animal, nickname, cage, round_cage, given_ml}`; all but the number are what the tablet
showed (`subjects.services.weighing_round.Shown`). Results: `{id, created, at_wall, zone, value}` of the row made.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alyx.core.journal import kinds
from alyx.core.journal.kinds import Applied
from subjects.models import Subject, WaterAdministration, Weighing
from subjects.services import weighing_round as rounds


def weight(entry: Applied) -> dict[str, Any]:
    """`weighing.weight`, about the animal."""
    row, created = rounds.weigh_in_round(
        actor=entry.actor,
        subject=entry.subject_of(),
        weight_g=entry.said("weight", float),
        at=entry.at,
        shown=_shown(entry),
    )
    return _told(row, row.weight_g, created)


def water(entry: Applied) -> dict[str, Any]:
    """`weighing.water`, about the animal: a supplement by hand."""
    row, created = rounds.water_in_round(
        actor=entry.actor,
        subject=entry.subject_of(),
        volume_ml=entry.said("water", float),
        at=entry.at,
        shown=_shown(entry),
    )
    return _told(row, row.volume_ml, created)


def not_weighed(entry: Applied, result: Mapping[str, Any]) -> dict[str, Any]:
    """Undo of a weight."""
    return _taken_back(entry, Weighing, result)


def not_given(entry: Applied, result: Mapping[str, Any]) -> dict[str, Any]:
    """Undo of a supplement."""
    return _taken_back(entry, WaterAdministration, result)


def lab_of(about: UUID | None, body: Mapping[str, Any]) -> UUID | None:
    """Of the animal."""
    if about is None:
        return None
    found: UUID | None = Subject.objects.filter(pk=about).values_list("lab_id", flat=True).first()
    return found


def _shown(entry: Applied) -> rounds.Shown:
    """Nothing, where it is entered for another animal than it was typed for. Raises Invalid."""
    typed_for = entry.said("animal", UUID, None)
    if typed_for is not None and typed_for != entry.about:
        return rounds.Shown()
    texts = {name: entry.said(name, str, None) for name in ("nickname", "cage", "round_cage")}
    return rounds.Shown(**texts, given_ml=entry.said("given_ml", float, None))


def _told(row: Weighing | WaterAdministration, value: float | None, created: bool) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "created": created,
        "at_wall": row.at_wall.isoformat(),
        "zone": row.zone,
        "value": value,
    }


def _taken_back(entry: Applied, model: type[Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """A row that was there before this entry is not this entry's to take back."""
    if result.get("created"):
        rounds.take_back(actor=entry.actor, model=model, key=UUID(result["id"]))
    return {"id": result["id"]}


kinds.register("weighing.weight", weight, undo=not_weighed, lab_of=lab_of, label="weight")
kinds.register("weighing.water", water, undo=not_given, lab_of=lab_of, label="supplement water")
