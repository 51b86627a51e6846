"""The regions of the brain: loading them, numbering their tree, describing them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from alyx.core.changes import store
from alyx.core.errors import Invalid, NotFound
from sessions.models import BrainRegion
from sessions.permissions import authorise_atlas
from sessions.rules.regions import nested


@dataclass(slots=True)
class Loaded:
    """What loading the regions did; `kept` says in sentences where the database differs and stayed."""

    read: int = 0
    created: int = 0
    unchanged: int = 0
    kept: list[str] = field(default_factory=list)


@transaction.atomic
def load_regions(path: Path) -> Loaded:
    """Add the regions that are missing and number the tree: at most three statements, none that writes the second time.

    Descriptions are people's: the file has none, and those that are there stay.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        rows: list[dict[str, Any]] = [
            {**row, "id": int(row["id"]), "parent": int(row["parent"]) if row["parent"] else None}
            for row in csv.DictReader(lines)
        ]
    stored: dict[int, BrainRegion] = BrainRegion.objects.in_bulk()
    bearers = {region.acronym: region for region in stored.values()}
    loaded, new = Loaded(read=len(rows)), []
    for row in rows:
        there = stored.get(row["id"])
        if there is not None:
            before = {"acronym": there.acronym, "name": there.name, "parent": there.parent_id}
            different = [name for name, value in before.items() if value != row[name]]
            if different:
                loaded.kept.append(f'"{there}" ({there.pk}) has another {", ".join(different)} here')
            else:
                loaded.unchanged += 1
        elif bearer := bearers.get(row["acronym"]):
            loaded.kept.append(f'"{row["acronym"]}" ({row["id"]}) is here already as {bearer.pk}')
        else:
            new.append(row)
    known = stored.keys() | {row["id"] for row in new}
    made = [
        BrainRegion(
            id=row["id"],
            acronym=row["acronym"],
            name=row["name"],
            parent_id=row["parent"] if row["parent"] in known else None,
            ontology=row["ontology"],
        )
        for row in new
    ]
    loaded.created = len(made)
    _number([*stored.values(), *made], to_make=made)
    return loaded


@transaction.atomic
def number_regions() -> None:
    """Number the tree as it is: after an import that brought regions."""
    _number(list(BrainRegion.objects.all()), to_make=[])


def _number(regions: list[BrainRegion], *, to_make: list[BrainRegion]) -> None:
    numbers = nested({region.pk: region.parent_id for region in regions})
    fresh = {id(region) for region in to_make}
    moved = []
    for region in regions:
        if (region.first, region.last) != numbers[region.pk]:
            region.first, region.last = numbers[region.pk]
            if id(region) not in fresh:
                moved.append(region)
    if to_make:
        BrainRegion.objects.bulk_create(to_make)
    if moved:
        BrainRegion.objects.bulk_update(moved, ["first", "last"])


@transaction.atomic
def describe_region(*, actor: Any, region: BrainRegion, changes: Mapping[str, Any]) -> BrainRegion:
    """Change the description; the atlas itself is not ours to change. Raises Forbidden, Invalid, NotFound."""
    authorise_atlas(actor, act="describe brain regions")
    found = BrainRegion.objects.select_for_update(of=("self",), no_key=True).filter(pk=region.pk).first()
    if found is None:
        raise NotFound(f"there is no brain region {region.pk}")
    region = found
    fixed = {"id": region.pk, "acronym": region.acronym, "name": region.name, "parent": region.parent_id}
    for name, value in fixed.items():
        if name in changes and changes[name] != value:
            raise Invalid.of(name, f"the atlas says {value!r}; only the description can be changed")
    if "description" in changes:
        store(region, {"description": changes["description"]})
    return region
