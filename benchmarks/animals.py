"""What a big animal house costs: `python -m benchmarks.animals [--animals 20000] [--weighings 500000] [--rounds 5]`.

A scratch database with one lab of 20,000 animals (4,000 alive, 400 of them water restricted), 500,000 weighings and as many
waters, 2,000 surgeries, 20,000 sessions. Printed per page: statements, CPU of the Python process, wall; the bound is one
second a page, warm.
"""

import argparse
import os
import sys
from functools import partial
from typing import Any

from benchmarks import world
from benchmarks.planner import scratch_database

BOUND_MS = 1000.0

FILL = """
INSERT INTO subjects_line (id, name, nickname, lab_id, source_identifier, source_url, expression_data_url, target_phenotype,
    description, is_active, last_subject_number, last_breeding_pair_number, last_litter_number)
SELECT gen_random_uuid(), 'line ' || n, 'L' || n, l.id, '', '', '', '', '', true, 0, 0, 0 FROM labs_lab l, generate_series(1, 40) n;
CREATE TEMP TABLE lines AS SELECT id, row_number() OVER () - 1 AS n FROM subjects_line;
CREATE TEMP TABLE a AS SELECT n, gen_random_uuid() AS id, n %% 5 = 0 AS alive, n %% 50 = 0 AS restricted
    FROM generate_series(1, %(animals)s) n;
INSERT INTO subjects_subject (id, nickname, lab_id, line_id, responsible_user_id, sex, born_on, died_on, protocol_number,
    description, name, ear_mark, cage_name, adverse_effects, export_id, to_be_genotyped, to_be_culled)
SELECT a.id, 'B' || lpad(a.n::text, 6, '0'), l.id, lines.id, u.id, CASE WHEN a.n %% 2 = 0 THEN 'F' ELSE 'M' END,
       current_date - 400 + a.n %% 200, CASE WHEN a.alive THEN NULL ELSE current_date - a.n %% 100 END, '1', '', '', '',
       'C' || a.n / 4, '', '', false, false
  FROM a JOIN lines ON lines.n = a.n %% 40, labs_lab l, labs_user u WHERE u.username = 'rig';
INSERT INTO subjects_weighing (id, subject_id, at_wall, zone, at, weight_g, counts)
SELECT gen_random_uuid(), a.id, t.at, 'UTC', t.at, 20 + (a.n + d) %% 9, true
  FROM a, generate_series(1, %(each)s) d,
       LATERAL (SELECT date_trunc('day', localtimestamp) - d * interval '1 day' + interval '9 hours' AS at) t
 WHERE a.n %% 10 = 0;
INSERT INTO subjects_wateradministration (id, subject_id, at_wall, zone, at, volume_ml, adlib, counts)
SELECT gen_random_uuid(), a.id, t.at, 'UTC', t.at, 0.5 + ((a.n + d) %% 9) / 10.0, false, true
  FROM a, generate_series(1, %(each)s) d,
       LATERAL (SELECT date_trunc('day', localtimestamp) - d * interval '1 day' + interval '10 hours' AS at) t
 WHERE a.n %% 10 = 0;
INSERT INTO subjects_waterrestriction (id, subject_id, lab_id, name, zone, started_wall, started_at, narrative, reference_weight_g,
    ethics_review_id)
SELECT gen_random_uuid(), a.id, l.id, '', 'UTC', t.at, t.at, '', 25, '' FROM a, labs_lab l,
       LATERAL (SELECT date_trunc('day', localtimestamp) - interval '30 days' AS at) t WHERE a.restricted AND a.alive;
INSERT INTO subjects_surgery (id, subject_id, lab_id, name, zone, started_wall, started_at, narrative, outcome_type, implant_weight_g,
    anaesthetic, ethics_review_id)
SELECT gen_random_uuid(), a.id, l.id, '', 'UTC', t.at, t.at, '', 'r', 1.2, '', '' FROM a, labs_lab l,
       LATERAL (SELECT date_trunc('day', localtimestamp) - interval '60 days' AS at) t WHERE a.n %% 10 = 0;
INSERT INTO lab_sessions_session (id, subject_id, lab_id, path_date, number, zone, started_wall, started_at, type, task_protocol,
    narrative, qc)
SELECT gen_random_uuid(), a.id, l.id, t.at::date, 1, 'UTC', t.at, t.at, '', '', '', 0 FROM a, labs_lab l, generate_series(1, 10) d,
       LATERAL (SELECT date_trunc('day', localtimestamp) - d * interval '1 day' + interval '10 hours' AS at) t WHERE a.n %% 10 = 0;
UPDATE labs_lab SET reference_weight_pct = 0.425, zscore_weight_pct = 0.425;
"""

PAGES = {
    "subject list (100)": "/admin/subjects/subject/?all=1",
    "subject list, alive": "/admin/subjects/subject/?alive=yes",
    "subject list, a search": "/admin/subjects/subject/?q=B0100",
    "training overview": "/admin/training/",
    "weighing round": "/admin/subjects/weighing/round/",
    "weighings (100)": "/admin/subjects/weighing/",
    "water given (100)": "/admin/subjects/wateradministration/",
}
CALLS = {
    "GET /subjects (250)": "/subjects",
    "GET /subjects?alive=True&stock=False": "/subjects?alive=True&stock=False&lab=benchlab",
    "GET /water-restricted-subjects": "/water-restricted-subjects",
    "GET /water-requirement, 2 years": "/water-requirement/B000100?start_date=2024-12-01&end_date=2026-11-01",
    "GET /weighings?subject=": "/weighings?subject=B000100",
}


def fill(animals: int, weighings: int) -> None:
    """The rows, by SQL, with the audit off: only reading is measured."""
    from django.db import connection

    each = weighings // (animals // 10)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(FILL, {"animals": animals, "each": each})
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")


def browser() -> Any:
    """A page reader who may see everything."""
    from django.test import Client

    from alyx.labs.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("root", password="no one logs in with this"))
    return client


def main() -> int:
    """Run in a database that is dropped afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--animals", type=int, default=20_000)
    parser.add_argument("--weighings", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "alyx.settings"
    with scratch_database():
        rig = world.prepare()
        fill(asked.animals, asked.weighings)
        person, missed = browser(), 0
        print(f"{'page':<40}{'SQL':>5}{'CPU ms':>9}{'wall ms':>9}")
        for client, pages in ((person, PAGES), (rig, CALLS)):
            for name, path in pages.items():
                statements = world.queries(partial(client.get, path))
                costs = [world.cost(partial(client.get, path), 200) for _ in range(asked.rounds)]
                one = world.typical(costs, statements)
                missed += one.wall_ms > BOUND_MS
                print(f"{name:<40}{one.queries:>5}{one.cpu_ms:>9.0f}{one.wall_ms:>9.0f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
