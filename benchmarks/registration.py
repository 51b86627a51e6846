"""What a registration costs as the number of files grows: `python -m benchmarks.registration [--rounds 15]`.

In a scratch database, through the whole of Django by its test client: `POST /register-file` of 1, 40 and 400 files, new, repeated, and
with other bytes. CPU is that of the Python process, which is the server's; PostgreSQL's is in the wall time. The bound is 15
statements for any number of files and 40 ms of CPU for 40; the run fails when one is missed.
"""

import argparse
import os
import sys
from functools import partial

from benchmarks import world
from benchmarks.planner import scratch_database

SIZES = (1, 40, 400)
QUERIES = 15
CPU_MS_FOR_40 = 40.0


def measure(rounds: int) -> bool:
    """Print the table; whether the bounds hold."""
    client = world.prepare()
    paths = iter(world.sessions(rounds * len(SIZES) * 2 + 50))
    kept = True
    client.post(
        "/register-file", world.body(next(paths), 40), content_type="application/json"
    )  # first imports, hourly notes

    def post(path: str, count: int, content: str) -> object:
        return client.post("/register-file", world.body(path, count, content), content_type="application/json")

    print(f"{'call':<14}{'files':>6}{'SQL':>6}{'CPU ms':>9}{'wall ms':>9}{'CPU ms/file':>13}")
    used: dict[int, str] = {}
    for kind in ("new", "repeated", "other bytes"):
        for count in SIZES:
            costs = []
            for number in range(max(3, rounds if count < 400 else rounds // 3)):
                used[count] = next(paths) if kind == "new" else used[count]
                content = f"version {number}" if kind == "other bytes" else "first"
                costs.append(world.cost(partial(post, used[count], count, content), 201))
            last = next(paths) if kind == "new" else used[count]
            statements = world.queries(partial(post, last, count, "newest" if kind == "other bytes" else "first"))
            one = world.typical(costs, statements)
            print(
                f"{kind:<14}{count:>6}{one.queries:>6}{one.cpu_ms:>9.1f}{one.wall_ms:>9.1f}{one.cpu_ms / count:>13.2f}"
            )
            kept &= one.queries <= QUERIES and (count != 40 or one.cpu_ms <= CPU_MS_FOR_40)
    return kept


def main() -> None:
    """Run in a database that is dropped afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    os.environ["DJANGO_SETTINGS_MODULE"] = "alyx.settings"
    with scratch_database():
        kept = measure(rounds)
    print("within the bounds" if kept else f"MISSED: {QUERIES} statements, {CPU_MS_FOR_40} ms for 40 files")
    sys.exit(not kept)


if __name__ == "__main__":
    main()
