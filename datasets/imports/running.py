"""One import from beginning to end."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from alyx.core.audit import acting
from alyx.core.failpoints import failpoint
from alyx.labs.models import Lab
from datasets.imports.importer import Here
from datasets.imports.order import groups, models_of
from datasets.imports.reading import objects
from datasets.imports.report import Report
from datasets.imports.spool import Spool
from datasets.imports.taking import Taking

Progress = Callable[[str, int, int], None]
"""What is going on, how far, of how much."""
SPOOLED = "import.spooled"
"""Where a test may kill an import: all is read, nothing is stored."""
LOCK = 0x616C7978
"""Two imports at once would wait for each other's rows anyway."""


def import_dump(
    path: Path,
    *,
    server: ZoneInfo,
    default_lab: Lab | None = None,
    size: int = 1000,
    dry_run: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Take a dump in and say what happened to each object. Raises Unreadable before anything was changed."""
    report = Report(path.name, dry_run=dry_run)
    with acting(path="command import_alyx", reason=path.name[:500]), _alone():
        if not dry_run:
            _run(path, report, server, default_lab, size, progress)
        else:
            with transaction.atomic():
                _run(path, report, server, default_lab, size, progress)
                transaction.set_rollback(True)
    return report


class _alone:  # noqa: N801  (a context manager by its use)
    """No other import at the same time."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])

    def __exit__(self, *error: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _run(path: Path, report: Report, server: ZoneInfo, default_lab: Lab | None, size: int, progress: Progress) -> None:
    ordered = groups()
    importers = {one.label: one for group in ordered for one in group}
    content_types: dict[int, str] = {}
    spool = Spool()
    try:
        whole = path.stat().st_size
        read = objects(path, _told(progress, f"reading {path.name}", whole))
        total = 0

        def rows() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
            nonlocal total
            for row in _understood(read, importers, report, content_types):
                total += 1
                yield row

        with transaction.atomic():  # a file that cannot be read to its end leaves an outer transaction usable
            spool.fill(rows(), {label: one.order for label, one in importers.items()})
        failpoint(SPOOLED)
        here = Here(spool, server, default_lab)
        here.content_types = content_types
        _take(spool, report, here, ordered, size, total, progress)
    finally:
        if not connection.needs_rollback:
            spool.drop()


def _take(
    spool: Spool, report: Report, here: Here, ordered: list[Any], size: int, total: int, progress: Progress
) -> None:
    done = 0
    label = ""

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(label, min(done, total), total)

    taking = Taking(spool, here, report, models_of(ordered), size, tell)
    for group in ordered:
        label = group[0].label
        taking.group(group)
        here.forget()
        for importer in group:
            if not report.of(importer.label).read:
                del report.models[importer.label]


def _understood(
    read: Iterator[Any], importers: Mapping[str, Any], report: Report, content_types: dict[int, str]
) -> Iterator[tuple[str, str, Any]]:
    """What has an importer; the rest is counted. What numbers of content types mean is noted."""
    for one in read:
        model = one.get("model") if isinstance(one, dict) else None
        fields = one.get("fields") if isinstance(one, dict) else None
        if not isinstance(model, str) or not isinstance(fields, dict):
            tally = report.of("(no model)")
            tally.read += 1
            tally.refuse(str(one)[:100], "it is no object of a dump: it has no model and fields")
        elif model.lower() in importers:
            yield model.lower(), str(one.get("pk")), fields
        else:
            tally = report.of(model.lower())
            tally.read += 1
            tally.not_yet_supported += 1
            if model.lower() == "contenttypes.contenttype" and isinstance(one.get("pk"), int):
                content_types[one["pk"]] = f"{fields.get('app_label')}.{fields.get('model')}".lower()


def _told(progress: Progress, what: str, whole: int) -> Callable[[int], None]:
    """Tell about the file now and then, not at each object."""
    last = 0.0

    def seen(position: int) -> None:
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            progress(what, position, whole)

    return seen
