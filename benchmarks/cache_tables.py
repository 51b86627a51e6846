"""The clients' cache tables of 400,000 datasets: `python -m benchmarks.cache_tables [--datasets 400000]`.

Each way runs in a process of its own (its start-up, Django and libraries, is not counted) over the planner's registry: ours, and the
plain one, ORM objects with their relations prefetched into pandas frames, saved as iblutil does. Bounds: a twentieth of
the plain one's time, 250 MiB at the peak.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.planner import fill, scratch_database

RATIO = 20.0
PEAK_MIB = 250.0


def ours(folder: Path) -> None:
    """What the job does."""
    from django.conf import settings

    from datasets.exports.cache_tables import build

    settings.ALYX_CACHE_DIR = str(folder)
    build()


def again(folder: Path) -> None:
    """What it does when nothing has changed."""
    ours(folder)


def plain(folder: Path) -> None:
    """Rows as objects, a dictionary each, then frames; batches by key, so that it fits into memory at all."""
    import zipfile

    import pandas as pd
    from django.db.models import Prefetch
    from iblutil.io import parquet
    from one.alf.cache import DATASETS_COLUMNS, SESSIONS_COLUMNS

    from alyx.core.qc import QC
    from datasets.models import SERVER_ROLES, Dataset, FileRecord
    from sessions.models import Session

    there = FileRecord.objects.existing().filter(repository__role__in=SERVER_ROLES)
    datasets: Any = (
        Dataset.objects.shown()
        .filter(session__isnull=False, session__withdrawn_at__isnull=True)
        .select_related("session", "revision")
        .prefetch_related(Prefetch("file_records", there, to_attr="there"))
    )
    records = [
        {
            "eid": str(each.session.pk),
            "id": str(each.pk),
            "rel_path": each.path,
            "file_size": each.size_bytes,
            "hash": each.md5 or None,
            "exists": True,
            "qc": QC(each.qc).name,
            "default_revision": each.is_default,
        }
        for each in datasets.iterator(chunk_size=2000)
        if each.there
    ]
    frame = pd.DataFrame(records).astype(DATASETS_COLUMNS).set_index(["eid", "id"]).sort_index()
    parquet.save(folder / "datasets.pqt", frame, {"date_created": "2026-01-01 00:00"})
    sessions = Session.objects.shown().select_related("lab", "subject").prefetch_related("projects")
    rows = [
        {
            "id": str(each.pk),
            "lab": each.lab.name,
            "subject": each.subject.nickname,
            "date": each.path_date,
            "number": each.number,
            "task_protocol": each.task_protocol,
            "projects": ",".join(project.name for project in each.projects.all()),
        }
        for each in sessions
    ]
    frame = pd.DataFrame(rows).astype(SESSIONS_COLUMNS).set_index("id").sort_index()
    parquet.save(folder / "sessions.pqt", frame, {"date_created": "2026-01-01 00:00"})
    with zipfile.ZipFile(folder / "plain.zip", "w") as zipped:
        for name in ("datasets.pqt", "sessions.pqt"):
            zipped.write(folder / name, name)


WAYS: dict[str, Callable[[Path], None]] = {"ours": ours, "again": again, "plain": plain}
LIBRARIES = {
    "ours": ("datasets.exports.cache_tables", "pyarrow.compute"),
    "plain": ("pandas", "iblutil.io.parquet", "one.alf.cache"),
}
"""Part of the start-up."""
TITLES = {"ours": "ours", "again": "ours, nothing changed", "plain": "ORM and pandas"}


class WithoutPandas:
    """No site has pandas (requirements.txt), but pyarrow loads it where the clients have brought it: a second and 70 MiB."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Not this one. Raises ModuleNotFoundError."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def child(way: str, folder: Path) -> None:
    """Run one way; its figures as JSON."""
    import django

    django.setup()
    from importlib import import_module

    from django.db import connection

    if way != "plain":
        sys.meta_path.insert(0, WithoutPandas())
    for name in LIBRARIES["plain" if way == "plain" else "ours"]:
        import_module(name)
    connection.ensure_connection()
    cpu, wall = time.process_time(), time.perf_counter()
    WAYS[way](folder)
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    print(json.dumps({**took, "peak_mib": peak_mib()}))


def peak_mib() -> float:
    """Of this process's memory. (`getrusage` begins with what the process had that started it.)"""
    [kib] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(kib) / 1024


def measure(way: str, folder: Path) -> dict[str, float]:
    """One way in a process of its own."""
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.cache_tables", "--way", way, "--folder", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    figures: dict[str, float] = json.loads(said.splitlines()[-1])
    print(
        f"{TITLES[way]:<24}{figures['wall_s']:8.2f} s wall{figures['cpu_s']:8.2f} s CPU"
        f"{figures['peak_mib']:8.0f} MiB peak",
        flush=True,
    )
    return figures


def main() -> int:
    """Fill, run each way, compare; 0 when the bounds held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=400_000)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")
    if given.way:
        child(given.way, given.folder)
        return 0
    with scratch_database(), tempfile.TemporaryDirectory(prefix="alyx-cache-tables-") as folder:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        fill(given.datasets, to_move=0)
        figures: dict[str, Any] = {way: measure(way, Path(folder)) for way in WAYS}
        size = (Path(folder) / "all.zip").stat().st_size
    ratio = figures["plain"]["wall_s"] / figures["ours"]["wall_s"]
    print(f"{ratio:.1f} times faster; the zip has {size / 2**20:.1f} MiB")
    return 0 if ratio >= RATIO and figures["ours"]["peak_mib"] <= PEAK_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
