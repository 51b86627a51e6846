"""What more workers add: `python -m benchmarks.workers [--files 2000] [--workers 1 2 4]`.

In a scratch database and folder: eight labs, each with a directory and a central one. First the night's parts are timed in this
process (what is registered and settled per minute); then, for each number, as many real Celery workers (solo) share one night.
The clock of a run is the database's: from the first job begun to the last settled.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.planner import scratch_database

LABS = 8
BYTES = 20_000
PATIENCE_S = 600.0
PARTS = {"moving": ("_stage", "settle_job"), "steps": ("_prove", "_observe", "_promote", "register_proved")}
"""Services of the engine and their functions that are timed."""


def make_labs(folder: Path) -> list[Any]:
    """Labs with a session and two marked directories."""
    from alyx.core import clock
    from alyx.labs.models import Lab
    from datasets.models import Repository
    from sessions.models import Session
    from subjects.models import Subject
    from transfers.services.places import establish_canary

    now, made = clock.now(), []
    for number in range(LABS):
        lab = Lab.objects.create(name=f"lab{number}", timezone="UTC")
        for role in ("lab", "central"):
            root = folder / f"{role}{number}" / "Subjects"
            root.mkdir(parents=True)
            place = Repository.objects.create(name=f"{role}{number}", role=role, root=str(root))
            place.labs.add(lab)
            establish_canary(actor=None, repository=place)
        made.append(
            Session.objects.create(
                subject=Subject.objects.create(nickname=f"S{number}", lab=lab),
                lab=lab,
                path_date=date(2026, 1, 1),
                zone="UTC",
                started_wall=now.replace(tzinfo=None),
                started_at=now,
            )
        )
    return made


def add_files(sessions: list[Any], files: int, turn: int) -> None:
    """As many new files in all, registered at the labs and on their disks."""
    from datasets.models import DataFormat, Dataset, DatasetType, FileRecord, Repository

    kind = DatasetType.objects.get_or_create(name="bench.times")[0]
    form = DataFormat.objects.get_or_create(name="npy", defaults={"file_extension": ".npy"})[0]
    for session in sessions:
        place = Repository.objects.get(labs=session.lab, role="lab")
        central = Repository.objects.get(labs=session.lab, role="central")
        rows, records = [], []
        for number in range(files // len(sessions)):
            content = os.urandom(BYTES)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            name = f"bench{turn}x{number}.times.npy"
            row = Dataset(
                session=session, collection="alf", name=name, dataset_type=kind, data_format=form,
                size_bytes=BYTES, md5=digest, hash_state="attested",
            )  # fmt: skip
            path = f"{session}/alf/{name}"
            file = Path(place.root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            rows.append(row)
            for where, state in ((place, "claimed"), (central, "expected")):
                records.append(
                    FileRecord(
                        dataset=row, repository=where, relative_path=path, stored_path=path, path_key=path,
                        content_version=1, state=state,
                    )
                )  # fmt: skip
        Dataset.objects.bulk_create(rows)
        FileRecord.objects.bulk_create(records)


def prepare() -> tuple[list[Any], float]:
    """A night open at all labs, planned and packed; the windows, and how long that took."""
    from datasets.models import Repository
    from transfers.services import night
    from transfers.services.windows import open_by_hand

    windows = open_by_hand(actor=None, repositories=list(Repository.objects.filter(role="lab")))
    began = time.perf_counter()
    night.prepare()
    return [window.pk for window in windows], time.perf_counter() - began


def parts(windows: list[Any], files: int) -> None:
    """One worker in this process, its parts timed."""
    from transfers.services import moving, night, steps

    spent: dict[str, float] = defaultdict(float)

    def timed(module: Any, name: str) -> Any:
        real = getattr(module, name)

        def around(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **more)
            finally:
                spent[name] += time.perf_counter() - began

        return around

    for module, names in ((moving, PARTS["moving"]), (steps, PARTS["steps"])):
        for name in names:
            setattr(module, name, timed(module, name))
    began = time.perf_counter()
    night.run_jobs(windows=windows, budget_seconds=PATIENCE_S)
    took = time.perf_counter() - began
    print(f"one process: {files} files of {BYTES // 1000} kB in {took:.2f} s: {files / took * 60:,.0f} a minute")
    for name, seconds in spent.items():
        print(f"  {name.strip('_')}: {seconds:.2f} s, {files / max(seconds, 1e-9) * 60:,.0f} files a minute")


@contextmanager
def workers(number: int, folder: Path) -> Iterator[None]:
    """So many Celery workers with one broker of files (or REDIS_URL)."""
    environment = {**os.environ, "ALYX_VAR": str(folder / "var")}
    command = [sys.executable, "-m", "celery", "-A", "alyx.celery", "worker", "--pool", "solo", "-l", "error"]
    started = [
        subprocess.Popen(
            [*command, "-n", f"w{one}@bench"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for one in range(number)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def drain(number: int, windows: list[Any], files: int, folder: Path) -> None:
    """The night by so many workers."""
    from django.db.models import Max, Min

    from transfers.models import Event, TransferJob

    jobs = TransferJob.objects.filter(window__in=windows)
    script = (
        "import alyx.celery, django; django.setup(); from transfers import tasks;"
        f"[tasks.run_jobs.delay({[str(window) for window in windows]!r}) for _ in range({number})]"
    )
    environment = {**os.environ, "ALYX_VAR": str(folder / "var")}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with workers(number, folder):
        until = time.monotonic() + PATIENCE_S
        while jobs.exclude(state="settled").exists() and time.monotonic() < until:
            time.sleep(0.2)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    moves = Event.objects.filter(kind="job", subject_id__in=jobs.values("pk"), new__in=["submitting", "settled"])
    span = moves.aggregate(first=Min("at"), last=Max("at"))
    seconds = (span["last"] - span["first"]).total_seconds()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{number} workers: {files} files in {jobs.count()} jobs, {seconds:.2f} s: {files / seconds * 60:,.0f} a minute;"
        f" processors of the workers, start included {cpu:.1f} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")
    with scratch_database(), tempfile.TemporaryDirectory() as folder:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        sessions = make_labs(Path(folder))
        for turn, number in enumerate([0, *given.workers]):
            add_files(sessions, given.files, turn)
            windows, took = prepare()
            print(f"looked, planned and packed in {took:.2f} s")
            if number:
                drain(number, windows, given.files, Path(folder))
            else:
                parts(windows, given.files)


if __name__ == "__main__":
    main()
