"""The controlled vocabularies that are shipped with the code: rows with fixed primary keys, because clients know them.

What the database has always stays: a row somebody edited, a name that another row bears already. Only what is missing
is added, and an empty description filled.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

import datasets
import sessions
import subjects
from datasets.models import DataFormat, DatasetType
from sessions.models import CoordinateSystem, ImagingType
from sessions.services.atlas import load_regions
from subjects.models import CullMethod, CullReason, ProbeModel, ProcedureType, WaterType

_DATASETS = Path(datasets.__file__).parent / "vocabulary"
_SESSIONS = Path(sessions.__file__).parent / "vocabulary"
_SUBJECTS = Path(subjects.__file__).parent / "vocabulary"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A table, the file with its rows (columns are field names), and the fields that must be unique beside the key."""

    name: str
    model: Any
    path: Path
    unique: tuple[str, ...] = ("name",)


SHIPPED = (
    Vocabulary("dataset types", DatasetType, _DATASETS / "dataset_types.csv"),
    Vocabulary("data formats", DataFormat, _DATASETS / "data_formats.csv", unique=("name", "file_extension")),
    Vocabulary("procedure types", ProcedureType, _SUBJECTS / "procedure_types.csv"),
    Vocabulary("water types", WaterType, _SUBJECTS / "water_types.csv"),
    Vocabulary("cull reasons", CullReason, _SUBJECTS / "cull_reasons.csv"),
    Vocabulary("cull methods", CullMethod, _SUBJECTS / "cull_methods.csv"),
    Vocabulary("probe models", ProbeModel, _SUBJECTS / "probe_models.csv"),
    Vocabulary("coordinate systems", CoordinateSystem, _SESSIONS / "coordinate_systems.csv"),
    Vocabulary("imaging types", ImagingType, _SESSIONS / "imaging_types.csv"),
)
BRAIN_REGIONS = _SESSIONS / "brain_regions.csv"
"""A tree, with numbers for keys: loaded by its own service."""


@dataclass(slots=True)
class Outcome:
    """What loading one vocabulary did. `kept` says in sentences where the database differs and stayed."""

    vocabulary: str
    read: int = 0
    created: int = 0
    filled: int = 0
    unchanged: int = 0
    kept: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.vocabulary}: {self.read} read, {self.created} created, {self.filled} descriptions filled, "
            f"{self.unchanged} unchanged, {len(self.kept)} kept as they are here"
        )


@transaction.atomic
def load_vocabularies() -> list[Outcome]:
    """Add what is missing from each shipped vocabulary: at most three queries each, and nothing the second time."""
    outcomes = [_load(vocabulary) for vocabulary in SHIPPED]
    regions = load_regions(BRAIN_REGIONS)
    outcomes.append(
        Outcome(
            "brain regions",
            read=regions.read,
            created=regions.created,
            unchanged=regions.unchanged,
            kept=regions.kept,
        )
    )
    return outcomes


def _load(vocabulary: Vocabulary) -> Outcome:
    rows = read_rows(vocabulary.path)
    manager = vocabulary.model.objects
    stored: dict[UUID, Any] = manager.in_bulk()
    taken = {(key, getattr(row, key)): row for row in stored.values() for key in vocabulary.unique}
    outcome = Outcome(vocabulary.name, read=len(rows))
    new, fill = [], []
    for row in rows:
        if row["id"] in stored:
            if _compare(stored[row["id"]], row, outcome):
                fill.append(stored[row["id"]])
        elif bearer := next((taken[key, row[key]] for key in vocabulary.unique if (key, row[key]) in taken), None):
            outcome.kept.append(f'"{row["name"]}" ({row["id"]}) is here already as "{bearer}" ({bearer.pk})')
        else:
            new.append(vocabulary.model(**row))
    manager.bulk_create(new, ignore_conflicts=True)
    manager.bulk_update(fill, ["description"])
    outcome.created, outcome.filled = len(new), len(fill)
    return outcome


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a vocabulary's file, with the key as a UUID."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [{**row, "id": UUID(row["id"])} for row in csv.DictReader(lines)]


def _compare(stored: Any, row: dict[str, Any], outcome: Outcome) -> bool:
    """Fill an empty description (True), and note where the stored row differs otherwise."""
    fill = bool(row.get("description")) and not stored.description.strip()
    if fill:
        stored.description = row["description"]
    different = [name for name, value in row.items() if getattr(stored, name) != value]
    if different:
        outcome.kept.append(f'"{stored}" ({stored.pk}) has another {", ".join(different)} here')
    elif not fill:
        outcome.unchanged += 1
    return fill
