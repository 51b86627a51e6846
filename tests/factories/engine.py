"""Nights, jobs, items, and what scans find."""

from datetime import timedelta
from typing import Any

from alyx.core.clock import now
from alyx.labs.models import Lab, Role
from datasets.models import Dataset, Repository
from datasets.rules.copies import CopyState
from tests.factories.copies import a_copy, path_to
from tests.factories.people import NUMBERS, a_lab, a_member
from tests.factories.records import a_dataset, a_repository
from transfers.models import FoundFile, IntakePolicy, NightWindow, Scan, TransferItem, TransferJob
from transfers.rules.intake import Why
from transfers.rules.lifecycle import IN_FLIGHT, ITEM_MOVES, JOB_MOVES, ItemState, JobState


def a_window(repository: Repository | None = None, **columns: Any) -> NightWindow:
    """Tonight."""
    start = now()
    values: dict[str, Any] = {
        "local_date": start.date(),
        "starts_at": start,
        "ends_at": start + timedelta(hours=6),
        **columns,
    }
    return NightWindow.objects.create(repository=repository or a_repository(), **values)


def a_job(
    state: str = JobState.PREPARED,
    *,
    source: Repository | None = None,
    destination: Repository | None = None,
    **columns: Any,
) -> TransferJob:
    """A POSIX batch in that state."""
    source, destination = source or a_repository(), destination or a_repository(role="central")
    job = TransferJob.objects.create(backend="posix", source=source, destination=destination, **columns)
    for step in path_to(state, initial=[JobState.PREPARED], moves=JOB_MOVES)[1:]:
        TransferJob.objects.filter(pk=job.pk).update(state=step)
    job.refresh_from_db()
    return job


def an_item(state: str = ItemState.PLANNED, *, dataset: Dataset | None = None, **columns: Any) -> TransferItem:
    """An item from a claimed copy to an expected one; its job, where it has one, is only prepared."""
    dataset = dataset or a_dataset()
    destination = columns.pop("destination", None) or a_repository(role="central")
    source = columns.pop("source", None) or a_copy(dataset, state=CopyState.CLAIMED)
    copy = columns.pop("copy", None) or a_copy(dataset, destination, state=CopyState.EXPECTED)
    way = path_to(state, initial=[ItemState.PLANNED], moves=ITEM_MOVES)
    if IN_FLIGHT & set(way) and "job" not in columns:
        columns["job"] = a_job(source=source.repository, destination=destination, files_total=1)
    item = TransferItem.objects.create(
        dataset=dataset,
        content_version=dataset.content_version,
        source=source,
        copy=copy,
        destination=destination,
        dest_path_key=copy.path_key,
        size_bytes=dataset.size_bytes,
        **columns,
    )
    for step in way[1:]:
        TransferItem.objects.filter(pk=item.pk).update(state=step)
    item.refresh_from_db()
    return item


def a_policy(lab: Lab | None = None, **columns: Any) -> IntakePolicy:
    """What a lab wants done with found files; in the name of a rig of its own."""
    lab = lab or a_lab()
    return IntakePolicy.objects.create(lab=lab, account=a_member(lab, Role.RIG), **columns)


def a_scan(repository: Repository | None = None, **columns: Any) -> Scan:
    """Tonight's, not begun."""
    repository = repository or a_repository(a_lab())
    return Scan.objects.create(repository=repository, **{"local_date": now().date(), **columns})


def a_found_file(lab: Lab | None = None, repository: Repository | None = None, **columns: Any) -> FoundFile:
    """A file that fits no dataset type."""
    lab = lab or a_lab()
    folder = f"M{next(NUMBERS):04d}/2026-03-09/001"
    values: dict[str, Any] = {
        "path": f"{folder}/alf/unheard.of.npy",
        "folder": folder,
        "size_bytes": 1000,
        "modified_ns": 1,
        "since": now(),
        "why": Why.NO_TYPE,
        **columns,
    }
    return FoundFile.objects.create(lab=lab, repository=repository or a_repository(lab), seen_at=now(), **values)
