"""What happened to animals follows the correction of their lab's time zone; wall clocks stay as they were sent."""

from typing import Any

from django.apps import apps
from django.db.models import Model

from alyx.core.clock import wall_to_utc
from alyx.core.records import Record
from alyx.core.wall_clock import WallClockField
from alyx.labs.models import Lab
from alyx.labs.zones import follows_zone

BATCH = 1000
PLACES = ("lab", "housing", "subject", "surgery")
"""By which of its columns a record belongs to a lab, the nearest first."""


@follows_zone
def correct_instants(lab: Lab, was: str) -> None:
    """Derive the instants anew where the zone was the one corrected: what an animal lived through in another lab stays."""
    followers = [
        (model, walls) for model in apps.get_app_config("subjects").get_models() if (walls := instants_of(model))
    ]
    for model, walls in sorted(followers, key=lambda one: _has_zone(one[0])):  # parts before what holds their zone
        _correct(model, _of(model, lab, was), lab.timezone, walls)


def instants_of(model: type[Model]) -> dict[str, str]:
    """The wall clocks of a table, each with the instant derived from it."""
    if model._meta.proxy or not issubclass(model, Record):
        return {}  # histories say what was, and stay
    names = {field.name for field in model._meta.get_fields()}
    walls = [field.name for field in model._meta.get_fields() if isinstance(field, WallClockField)]
    pairs = {wall: "at" if wall == "at_wall" else f"{wall.removesuffix('_wall')}_at" for wall in walls}
    return {wall: at for wall, at in pairs.items() if at in names}


def _has_zone(model: type[Model]) -> bool:
    return any(field.name == "zone" for field in model._meta.get_fields())


def _of(model: type[Model], lab: Lab, was: str) -> dict[str, Any]:
    """Which rows follow."""
    names = {field.name for field in model._meta.get_fields()}
    place = next(name for name in PLACES if name in names)
    zone = "zone" if _has_zone(model) else f"{place}__zone"
    return {"lab" if place == "lab" else f"{place}__lab": lab, zone: was}


def _correct(model: type[Model], of: dict[str, Any], zone: str, walls: dict[str, str]) -> None:
    own_zone = ["zone"] if _has_zone(model) else []
    rows: Any = model._default_manager.filter(**of).only("id", *walls).order_by("pk")
    batch = list(rows[:BATCH])
    while batch:
        for row in batch:
            row.zone = zone
            for wall, at in walls.items():
                clock = getattr(row, wall)
                setattr(row, at, wall_to_utc(clock, zone) if clock else None)
        model._default_manager.bulk_update(batch, [*own_zone, *walls.values()])
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])
