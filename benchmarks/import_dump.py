"""What taking in an Alyx costs: `python -m benchmarks.import_dump [--sessions 2000]`.

A dump of three labs, 2,000 sessions, 50,000 datasets with two file records each, insertions, trajectories, channels, tasks and
notes is written by a seeded script, taken into a scratch database, and taken in again. Printed: objects, time, CPU of the Python
process, SQL statements, peak memory. Bounds: 20 statements for a thousand objects, 250 MiB.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks import world
from benchmarks.planner import scratch_database
from tests.imports.big_dump import Size, write_dump

MIB_BOUND, STATEMENTS_BOUND = 250.0, 20.0


class Counter:
    """Counts statements."""

    def __init__(self) -> None:
        self.statements = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Let it through."""
        self.statements += 1
        return execute(sql, params, many, context)


def peak_mib() -> float:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def once(path: Path, what: str, objects: int) -> float:
    """Import, print; returns statements per thousand objects."""
    from django.db import connection

    from datasets.imports.running import import_dump

    counter, wall, cpu = Counter(), time.perf_counter(), time.process_time()
    with connection.execute_wrapper(counter):
        report = import_dump(path, server=ZoneInfo("UTC"))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    total = report.as_json()["total"]
    per_thousand = counter.statements * 1000 / objects
    print(
        f"{what:<7}{objects:>9} objects{wall:>8.1f} s{cpu:>8.1f} s CPU{counter.statements:>7} statements"
        f"{per_thousand:>6.1f} per 1,000{peak_mib():>7.0f} MiB  {total}"
    )
    return per_thousand


def main() -> int:
    """Run in a database that is dropped afterwards; 1 when a bound was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000)
    asked = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "alyx.settings"
    with scratch_database(), tempfile.TemporaryDirectory() as folder:
        world.prepare()
        path = Path(folder) / "dump.json.gz"
        counts = write_dump(path, Size(sessions=asked.sessions))
        objects = sum(counts.values())
        print(
            f"{counts['data.dataset']} datasets, {counts['data.filerecord']} file records; before: {peak_mib():.0f} MiB"
        )
        worst = max(once(path, "first", objects), once(path, "again", objects))
    return int(peak_mib() > MIB_BOUND or worst > STATEMENTS_BOUND)


if __name__ == "__main__":
    sys.exit(main())
