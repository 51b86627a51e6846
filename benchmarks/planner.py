"""The planner over a generated registry: `python -m benchmarks.planner [--datasets 400000] [--to-move 15000]`.

Makes a scratch database on the server of DATABASE_URL (else the private PostgreSQL), fills it by generate_series, plans
twice, prints the times and what they consist of, and drops it. Registry: every dataset has a claimed copy at its lab
and, for all but `--to-move`, a proved one at the central repository; of what is to move all have an EXPECTED record (what a
registration makes). One dataset in 26 belongs to a lab without a server.
"""

import argparse
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks import world


@contextmanager
def scratch_database() -> Iterator[None]:
    """DATABASE_URL names a new database inside this block."""
    from alyx.runtime import ensure_database

    ensure_database()
    server = os.environ["DATABASE_URL"]
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    os.environ["DATABASE_URL"] = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    try:
        yield
    finally:
        from django.db import connection as used

        used.close()
        used.close_pool()  # type: ignore[attr-defined]
        os.environ["DATABASE_URL"] = server
        with psycopg.connect(server, autocommit=True) as connection:
            drop(connection, name)


def drop(connection: psycopg.Connection, name: str) -> None:
    """A vacuum of the system's may still be at work there: then wait for it."""
    for _ in range(60):
        try:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.ObjectInUse:
            time.sleep(1)
        else:
            return


_TABLES = (
    "labs_lab",
    "datasets_repository",
    "subjects_subject",
    "lab_sessions_session",
    "datasets_dataset",
    "datasets_filerecord",
)
BOUNDS_SECONDS = {400_000: 2.0, 5_000_000: 15.0}
"""For so many datasets at most; none beyond."""
SETTLING_SECONDS = 10.0
"""So that the server has written out what was filled in before the clock starts."""
_FILL = """
INSERT INTO subjects_subject (id, nickname, lab_id, sex, protocol_number, description,
  name, ear_mark, cage_name, adverse_effects, export_id, to_be_genotyped, to_be_culled)
SELECT gen_random_uuid(), 'S' || l.name, l.id, 'U', '', '', '', '', '', '', '', false, false FROM labs_lab l;
CREATE TEMP TABLE s AS SELECT n, gen_random_uuid() AS id FROM generate_series(0, %(sessions)s) n;
INSERT INTO lab_sessions_session (id, subject_id, lab_id, path_date, number, zone, started_wall, started_at, type,
    task_protocol, narrative, qc)
SELECT s.id, x.id, x.lab_id, date '2020-01-01' + s.n / 12, 1 + s.n %% 12, 'UTC', '2020-01-01', '2020-01-01', '', '', '', 0
  FROM s JOIN subjects_subject x ON x.nickname = 'Slab' || CASE WHEN s.n = 0 THEN 13 ELSE 1 + s.n %% 12 END;
INSERT INTO datasets_datasettype (id, name, description, filename_pattern)
    VALUES (gen_random_uuid(), 'bench.times', '', '');
INSERT INTO datasets_dataformat (id, name, description, file_extension, python_loader_function, matlab_loader_function)
    VALUES (gen_random_uuid(), 'benchnpy', '', '.npy', '', '');
CREATE TEMP TABLE d AS SELECT n, gen_random_uuid() AS id, md5(n::text) AS md5,
    CASE WHEN n %% 1000 < 38 THEN 0 ELSE 1 + n %% %(sessions)s END AS session FROM generate_series(1, %(datasets)s) n;
INSERT INTO datasets_dataset (id, session_id, collection, name, dataset_type_id, data_format_id, content_version, size_bytes,
    md5, sha256, hash_state, generating_software, qc, is_default)
SELECT d.id, s.id, 'alf/probe00', 'obj' || d.n || '.times.npy', (SELECT id FROM datasets_datasettype WHERE name='bench.times'),
       (SELECT id FROM datasets_dataformat WHERE name='benchnpy'), 1, 1000 + d.n, d.md5, '', 'attested', '', 0, true
  FROM d JOIN s ON s.n = d.session;
INSERT INTO datasets_filerecord (id, dataset_id, repository_id, relative_path, stored_path, path_key, content_version, state,
    size_bytes, md5, sha256, evidence_level, evidence, verified_at, reason)
SELECT gen_random_uuid(), d.id, r.id, p.path, p.stored, p.stored, 1, p.state, 1000 + d.n,
       CASE WHEN p.state = 'verified' THEN d.md5 ELSE '' END, '', CASE WHEN p.state = 'verified' THEN 4 ELSE 0 END, '{}',
       CASE WHEN p.state = 'verified' THEN now() END, ''
  FROM d JOIN s ON s.n = d.session JOIN lab_sessions_session z ON z.id = s.id
  JOIN datasets_repository_labs l ON l.lab_id = z.lab_id JOIN datasets_repository r ON r.id = l.repository_id
  CROSS JOIN LATERAL (SELECT 'S/2020-01-01/001/alf/probe00/obj' || d.n || '.times.npy' AS path,
      'S/2020-01-01/001/alf/probe00/obj' || d.n || '.times.' || CASE WHEN r.role = 'central' THEN d.id || '.' ELSE '' END
          || 'npy' AS stored,
      CASE WHEN r.role = 'lab' THEN 'claimed' WHEN d.n <= %(to_move)s / 0.962 THEN 'expected' ELSE 'verified' END AS state) p;
"""


def fill(datasets: int, to_move: int) -> None:
    """Make the registry. Its guards are off meanwhile: the rows are made as they would have become."""
    from django.db import connection

    for number in range(1, 14):
        world.lab(f"lab{number}", "UTC", {"server": "lab"} if number == 13 else {"server": "lab", "central": "central"})
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(_FILL, {"datasets": datasets, "sessions": max(12, datasets // 40), "to_move": to_move})
        for table in _TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("VACUUM ANALYZE")
    time.sleep(SETTLING_SECONDS)


def main() -> None:
    """Fill, plan, plan again, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=400_000)
    parser.add_argument("--to-move", type=int, default=15_000)
    parser.add_argument("--explain", action="store_true", help="print how PostgreSQL runs the two statements")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")
    with scratch_database():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        fill(given.datasets, given.to_move)
        seconds = measure(explain=given.explain)
    bound = next((most for datasets, most in BOUNDS_SECONDS.items() if given.datasets <= datasets), float("inf"))
    if seconds > bound:
        raise SystemExit(f"planning took {seconds:.2f} s, more than {bound} s")


def measure(*, explain: bool) -> float:
    """Plan twice; how long the first took, in seconds."""
    from django.db import connection

    from alyx.core.audit import acting
    from datasets.models import Dataset, FileRecord
    from transfers.services import planning
    from transfers.services.reconsidering import reconsider_items

    print(f"{Dataset.objects.count():,} datasets, {FileRecord.objects.count():,} records; PostgreSQL {_version()}")
    if explain:
        with connection.cursor() as cursor:
            for title, statement in (("missing", planning.MISSING), ("plan", planning.PLAN)):
                cursor.execute(
                    f"EXPLAIN (ANALYZE, BUFFERS) {statement}",
                    planning.EVERYTHING.parameters | {"batch": planning.BATCH},
                )
                print(title, *(row[0] for row in cursor.fetchall()), sep="\n  ")
                connection.rollback() if not connection.get_autocommit() else None
    acts: list[tuple[str, Callable[[], Any]]] = [
        ("plan", lambda: planning.plan_transfers(actor=None)),
        ("  of which looking for missing records", lambda: planning.create_expected(actor=None)),
        ("reconsider idle items", reconsider_items),
        ("plan again", lambda: planning.plan_transfers(actor=None)),
    ]
    took = []
    with acting(path="benchmark"):
        for title, act in acts:
            began, cpu = time.perf_counter(), _server_cpu()
            answer = act()
            seconds = time.perf_counter() - began
            took.append(seconds)
            print(f"{title}: {answer} in {seconds:.2f} s (server CPU {_server_cpu() - cpu:.2f} s)")
    return took[0]


def _server_cpu() -> float:
    """Seconds of processor time our session's server process has used; 0 where that cannot be seen."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _version() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
