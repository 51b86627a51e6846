"""What each call of the clients costs the server: `python -m benchmarks.calls [--datasets 40000 400000] [--as member] [--only WORD …]`.

For each size a scratch database (`benchmarks.world`), calls through the whole of Django in this process, means of several. Printed as
Markdown: SQL statements, milliseconds of processor of the serving process and of PostgreSQL's (its backends by /proc, parallel workers
switched off so that nothing is missed), what of the latter is the pages' count, and the ratio to the plain way (`benchmarks.naive`) of the
same run. It fails when a bound is missed:

- registration: 15 statements for any number of files; 40 files within 40 ms and a fiftieth of the plain way's;
- pages of 250 within a tenth of the plain way's;
- what PostgreSQL does for a page, the count apart, does not grow with the database.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import count, repeat
from typing import Any

from benchmarks import world
from benchmarks.meter import Call, Cost, Meter
from benchmarks.planner import scratch_database

STATEMENTS, CPU_MS_FOR_40, REGISTRATION_RATIO, PAGE_RATIO = 15, 40.0, 50.0, 10.0
GROWTH, SLACK_MS = 2.0, 5.0
"""A page may take PostgreSQL this many times as long as at the smallest size, and a few milliseconds that are noise."""

SESSION_FILTERS = {
    "subject": "M00005", "nickname": "m00005", "lab": "lab2", "type": "Experiment", "location": "rig_lab3", "task_protocol": "ephysChoice",
    "project": "project_3", "projects": "project_3", "procedures": "acute probe", "users": "user7", "date_range": "2023-06-01,2023-06-03",
    "number": "1", "narrative": "sleepy", "n_trials": "500", "n_correct_trials": "350", "qc": "FAIL",
    "extended_qc": "_task_goCue_delays__gte,0.9,task,PASS", "json": "IBLRIG_VERSION__icontains,8.3",
    "performance_gte": "70", "performance_lte": "35",
    "tag": "Q3", "histology": "True", "datasets": "spikes.times.npy", "dataset_types": "spikes.times", "dataset_qc_lte": "PASS",
    "atlas_id": "997", "atlas_acronym": "MRN", "atlas_name": "Midbrain", "name": "x",
}  # fmt: skip
"""A value for each filter of `/sessions`; those that name one row are added when there is one."""
MORE_SESSION_CALLS = {
    "date_range (all)": "date_range=2020-01-01,2030-01-01",
    "project and task": "project=project_3&task_protocol=biased",
    "datasets, two": "datasets=spikes.times.npy,spikes.clusters.npy",
    "django project": "django=projects__name,project_3",
    "django subject, lab": "django=subject__nickname__icontains,M0000,lab__name,lab2",
    "django datasets": "django=data_dataset_session_related__name__icontains,spikes.times",
    "django json": "django=extended_qc___task_goCue_delays__gte,0.9",
    "django ~ exclude": "django=~task_protocol__icontains,passive",
    "page at offset 1000": "offset=1000",
}
DATASET_CALLS = {
    "": "",
    "session": "session={eid}",
    "session of a dozen": "session={usual}",
    "tag": "tag=2024_Q3_release",
    "exists": "exists=True",
    "lab": "lab=lab2",
    "subject": "subject=M00005",
    "dataset_type": "dataset_type=spikes.times",
    "collection": "collection=alf/probe00",
    "name": "name=spikes.times.npy",
    "name, session": "name=spikes.times.npy&session={eid}",
    "qc": "qc=CRITICAL",
    "protected": "protected=True",
    "public": "public=True",
    "revision": "revision=2024-05-06",
    "created_date": "created_date=2023-06-01",
    "probe_insertion": "probe_insertion={pid}",
    "hash": "hash={md5}",
    "django session, type": "django=session__id,{eid},dataset_type__name,spikes.times",
    "django id__in (100)": "django=id__in,{ids}",
    "django session__isnull": "django=session__isnull,True",
    "django lab": "django=session__lab__name,lab2",
    "django collection": "django=session__subject__nickname,M00011,collection__icontains,probe00",
    "django copies": "django=file_records__data_repository__name,flatiron_lab2",
}
NAIVE_READS = {
    "/datasets?": "/naive/datasets",
    "/datasets?session={eid}": "/naive/datasets?session={eid}",
    "/datasets?tag=2024_Q3_release": "/naive/datasets?tags__name=2024_Q3_release",
    "/datasets?dataset_type=spikes.times": "/naive/datasets?dataset_type__name=spikes.times",
    "/sessions": "/naive/sessions",
    "/sessions?lab=lab2": "/naive/sessions?lab__name=lab2",
    "/sessions?project=project_3": "/naive/sessions?projects__name=project_3",
    "/sessions?dataset_types=spikes.times": "/naive/sessions?datasets__dataset_type__name=spikes.times",
    "/sessions/{eid}": "/naive/sessions/{eid}",
    "/subjects": "/naive/subjects",
}

Result = dict[str, Any]


def free_places() -> Iterator[tuple[str, int]]:
    """Days and numbers of sessions that nobody has: after the animals' birth, before the first recording."""
    first = date(2022, 8, 1)
    return ((str(first + timedelta(days=day)), number) for number in range(1, 1000) for day in range(150))


class Run:
    """The calls at one size, as one user."""

    def __init__(self, token: str, rounds: int, only: Sequence[str]) -> None:
        self.meter, self.rounds, self.names, self.only = Meter(token), rounds, world.kinds(), only
        self.results: dict[str, Result] = {}
        self.known = self._known()

    def _known(self) -> dict[str, str]:
        """Rows that the calls name: the newest session with a hundred datasets, and what hangs on it."""
        [session] = self.meter.ask(Call("/sessions?procedures=acute&limit=1"))["results"]
        rows = self.meter.ask(Call(f"/datasets?session={session['id']}"))["results"]
        insertions = self.meter.ask(Call(f"/insertions?session={session['id']}"))
        wide = self.meter.ask(Call("/datasets?limit=100"))["results"]
        [usual] = self.meter.ask(Call("/sessions?procedures=Behavior&limit=1"))["results"]
        return {
            "eid": session["id"],
            "usual": usual["id"],
            "subject": session["subject"],
            "start": session["start_time"],
            "pid": insertions["results"][0]["id"],
            "did": rows[0]["url"][-36:],
            "md5": rows[0]["hash"],
            "ids": "[" + ",".join(row["url"][-36:] for row in wide) + "]",
        }

    def wants(self, name: str) -> bool:
        """Whether a call is measured: all are, unless some are named by a part of their names."""
        return not self.only or any(word in name for word in self.only)

    def read(self, name: str, path: str) -> None:
        """A GET and, where there is one, its plain way."""
        if not self.wants(name):
            return
        cost = self.meter.cost(Call(path.format(**self.known)), self.rounds)
        naive = NAIVE_READS.get(path)
        plain = self.meter.cost(Call(naive.format(**self.known)), self.rounds) if naive else None
        self.keep(name, cost, plain)

    def keep(self, name: str, cost: Cost, plain: Cost | None = None) -> None:
        """Note the figures of a call."""
        self.results[name] = {"cost": cost, "plain": plain}
        print(f"{name:<48}{cost}{f'  × {plain.server_ms / cost.server_ms:.1f}' if plain else ''}", file=sys.stderr)

    def reads(self) -> None:
        """Every list and record."""
        from sessions.api.filters import FILTERS

        one = {
            "id": "{eid}",
            "start_time": "{start}",
            "end_time": "{start}",
            "auto_datetime": "{start}",
            "parent_session": "{eid}",
        }
        values = SESSION_FILTERS | one
        if missing := set(FILTERS) - set(values):
            raise LookupError(f"no value is given for the filters {', '.join(sorted(missing))}")
        self.read("GET /sessions", "/sessions")
        for name in FILTERS:
            self.read(f"GET /sessions?{name}", f"/sessions?{name}={values[name]}")
        for name, query in MORE_SESSION_CALLS.items():
            self.read(f"GET /sessions: {name}", f"/sessions?{query}")
        self.read("GET /sessions/{id}, 100 datasets", "/sessions/{eid}")
        for name, query in DATASET_CALLS.items():
            self.read(f"GET /datasets{name and ': '}{name}", f"/datasets?{query}")
        self.read("GET /datasets/{id}", "/datasets/{did}")
        self.read("GET /files: of a dataset", "/files?django=dataset,{did},data_repository__globus_is_personal,False")
        self.read("GET /insertions", "/insertions")
        self.read("GET /insertions: project, task", "/insertions?project=project_3&task_protocol=biased")
        self.read("GET /subjects", "/subjects")
        self.read("GET /subjects: alive, lab", "/subjects?alive=True&stock=False&lab=lab2")
        self.read("GET /subjects/{nickname}", "/subjects/{subject}")
        self.read("GET /dataset-types", "/dataset-types")

    def writes(self) -> None:
        """Sessions, changes, registrations, beside the plain ways."""
        free = free_places()
        acts = {
            "POST /sessions": self._new_sessions,
            "PATCH /sessions/{id}, 100 datasets": self._session_changes,
            "PATCH /datasets/{id}": self._dataset_changes,
            "POST /weighings": self._weighings,
        }
        for name, act in acts.items():
            if self.wants(name):
                act(name, free)
        if self.wants("POST /register-file"):
            self._registrations(free)

    def _new_sessions(self, name: str, free: Iterator[tuple[str, int]]) -> None:
        new = self.meter.cost(Call("/sessions", "POST", lambda: self._session(*next(free))), self.rounds)
        naive = self.meter.cost(Call("/naive/sessions", "POST", lambda: self._plain_session(*next(free))), self.rounds)
        self.keep(name, new, naive)

    def _session_changes(self, name: str, free: Iterator[tuple[str, int]]) -> None:
        notes = (f"note {number}" for number in range(10_000))
        path = f"/sessions/{self.known['eid']}"
        patch = self.meter.cost(Call(path, "PATCH", lambda: {"narrative": next(notes), "qc": "PASS"}), self.rounds)
        plain = self.meter.cost(
            Call(f"/naive{path}", "PATCH", lambda: {"narrative": next(notes), "qc": 10}), self.rounds
        )
        self.keep(name, patch, plain)

    def _dataset_changes(self, name: str, free: Iterator[tuple[str, int]]) -> None:
        turn = (("PASS", "FAIL")[number % 2] for number in range(10_000))
        change = Call("/datasets/{did}".format(**self.known), "PATCH", lambda: {"qc": next(turn)})
        self.keep(name, self.meter.cost(change, self.rounds))

    def _weighings(self, name: str, free: Iterator[tuple[str, int]]) -> None:
        grams = (20 + number / 1000 for number in range(10_000))

        def body() -> dict[str, Any]:
            return {"subject": "M00011", "weight": next(grams), "date_time": f"{next(free)[0]}T10:00:00"}

        self.keep(name, self.meter.cost(Call("/weighings", "POST", body), self.rounds))

    def _registrations(self, free: Iterator[tuple[str, int]]) -> None:
        new = self._new_paths(free)
        for files in (1, 40, 400):
            self._registration(f"{files} new", files, ((path, "first") for path in new), naive=files < 400)
            path = next(new)
            self._registration(f"{files} again", files, repeat((path, "first")))
            self._registration(f"{files} other bytes", files, ((path, f"content {number}") for number in count()))

    def _new_paths(self, free: Iterator[tuple[str, int]]) -> Iterator[str]:
        """Of sessions without files."""
        for day, number in free:
            self.meter.ask(Call("/sessions", "POST", partial(self._session, day, number)))
            yield f"M00011/{day}/{number:03d}"

    def _registration(self, name: str, files: int, sent: Iterator[tuple[str, str]], *, naive: bool = False) -> None:
        """`sent`: where, and what the digests are of."""

        def body() -> dict[str, Any]:
            path, content = next(sent)
            return world.body(path, self.names, files, content)

        plain = self.meter.cost(Call("/naive/register-file", "POST", body), 3) if naive else None
        rounds = self.rounds if files < 400 else 3
        self.keep(f"POST /register-file, {name}", self.meter.cost(Call("/register-file", "POST", body), rounds), plain)

    def _session(self, day: str, number: int) -> dict[str, Any]:
        return {
            "subject": "M00011", "users": ["user1"], "type": "Experiment", "number": number, "start_time": f"{day}T10:00:00",
            "projects": ["project_1"], "procedures": ["Behavior training/tasks"], "task_protocol": "ephysChoiceWorld",
            "lab": "lab2", "json": {"IBLRIG_VERSION": "8.2"},
        }  # fmt: skip

    def _plain_session(self, day: str, number: int) -> dict[str, Any]:
        begin = f"{day}T10:00:00"
        return self._session(day, number) | {
            "path_date": day,
            "zone": "UTC",
            "started_wall": begin,
            "started_at": f"{begin}Z",
        }


def child(datasets: int, rounds: int, who: str, only: Sequence[str]) -> None:
    """Measure at one size; the figures as JSON."""
    with scratch_database():
        world.start()
        from django.conf import settings
        from django.db import connection

        settings.ROOT_URLCONF = "benchmarks.naive"
        world.fill(datasets)
        with connection.cursor() as cursor:  # else part of the work would be done by processes that nobody counts
            cursor.execute(
                "SELECT format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 0', current_database())"
            )
            cursor.execute(cursor.fetchone()[0])
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        run = Run(world.person("member", lab="lab2") if who == "member" else world.person("bench"), rounds, only)
        run.reads()
        run.writes()
    print(json.dumps(run.results))


def measure(datasets: int, rounds: int, who: str, only: Sequence[str]) -> dict[str, Result]:
    """One size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.calls", "--child", str(datasets), "--rounds", str(rounds), "--as", who]
    command += ["--only", *only] if only else []
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    results: dict[str, Result] = json.loads(said.splitlines()[-1])
    for one in results.values():
        one |= {key: Cost(*one[key]) if one[key] else None for key in ("cost", "plain")}
    return results


def table(sizes: dict[int, dict[str, Result]]) -> None:
    """Print the figures side by side."""
    heads = [f"Python | PostgreSQL | of it count | × plain ({size:,})" for size in sizes]
    print(f"| call | SQL | {' | '.join(heads)} |\n|---|{'---|' * (1 + 4 * len(sizes))}")
    for name in next(iter(sizes.values())):
        cells: list[str] = []
        for results in sizes.values():
            cost, plain = results[name]["cost"], results[name]["plain"]
            ratio = f"{plain.server_ms / cost.server_ms:.0f}" if plain else ""
            counted = f"{cost.count_ms:.1f}" if cost.count_ms else ""
            cells += [f"{cost.python_ms:.1f}", f"{cost.postgres_ms:.1f}", counted, ratio]
        print(f"| {name} | {next(iter(sizes.values()))[name]['cost'].statements} | {' | '.join(cells)} |")


def missed(sizes: dict[int, dict[str, Result]]) -> Iterator[str]:
    """What does not hold."""
    least, most = min(sizes), max(sizes)
    for size, results in sizes.items():
        for name, one in results.items():
            cost, plain = one["cost"], one["plain"]
            registers = name.startswith("POST /register-file")
            if registers and cost.statements > STATEMENTS:
                yield f"{name} at {size:,}: {cost.statements} statements, more than {STATEMENTS}"
            if registers and ", 40 " in name and cost.server_ms > CPU_MS_FOR_40:
                yield f"{name} at {size:,}: {cost.server_ms:.1f} ms, more than {CPU_MS_FOR_40}"
            wanted = (
                REGISTRATION_RATIO
                if name == "POST /register-file, 40 new"
                else PAGE_RATIO
                if name.startswith("GET")
                else 0.0
            )
            if plain and plain.server_ms < wanted * cost.server_ms:
                yield f"{name} at {size:,}: {plain.server_ms / cost.server_ms:.1f} times the plain way, less than {wanted:.0f}"
    for name, one in sizes[least].items():
        before, after = one["cost"].page_ms, sizes[most][name]["cost"].page_ms
        if after > GROWTH * before + SLACK_MS:
            yield f"{name}: the page takes PostgreSQL {before:.1f} ms at {least:,}, {after:.1f} ms at {most:,}"


def main() -> int:
    """Measure each size, print, judge; 0 when the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, nargs="+", default=[40_000, 400_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--as", dest="who", choices=["superuser", "member"], default="superuser")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="calls whose names have one of these words"
    )
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.rounds, given.who, given.only)
        return 0
    sizes = {size: measure(size, given.rounds, given.who, given.only) for size in given.datasets}
    table(sizes)
    sentences = list(missed(sizes))
    for sentence in sentences:
        print(f"MISSED {sentence}")
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
