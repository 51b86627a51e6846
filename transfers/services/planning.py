"""Which copies are missing, and the items that will make them: set-based SQL, repeated at will.

A copy becomes INCOMING when its item is put into a job, not when it is planned: what merely waits stays open to a
client's word.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from alyx.core.failpoints import declare, failpoint
from alyx.labs.models import Lab
from datasets.models import SERVER_ROLES, FileRecord, Repository
from datasets.rules import alf
from datasets.rules.copies import FILLABLE, CopyState
from transfers.rules.lifecycle import LIVE
from transfers.rules.routing import APART, LARGE_FROM_BYTES, SERVING
from transfers.services.long_names import refuse_long_names
from transfers.services.places import MAKERS, READABLE_STATES, allow_managing

MID_INSERT = declare("planner.mid_insert")
COMMITTED = declare("planner.committed")
BATCH = 20_000
"""Records made in one transaction."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to plan and run: everything, one lab, or what one repository sends or receives."""

    lab: Lab | None = None
    repository: Repository | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """For the queries."""
        return {
            "lab": self.lab.pk if self.lab else None,
            "repository": self.repository.pk if self.repository else None,
            "servers": list(SERVER_ROLES),
            "kinds": list(MAKERS),
            "apart": list(APART),
            "readable": list(READABLE_STATES),
            "serving": [state.value for state in SERVING],
            "fillable": sorted(FILLABLE),
            "live": sorted(LIVE),
            "large": LARGE_FROM_BYTES,
        }


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Plan:
    """What planning did: records made, items made."""

    records: int
    items: int


IN_LAB = """(%(lab)s::uuid IS NULL OR EXISTS (
    SELECT 1 FROM lab_sessions_session z WHERE z.id = d.session_id AND z.lab_id = %(lab)s::uuid
    UNION ALL
    SELECT 1 FROM datasets_repository_labs z
     WHERE d.session_id IS NULL AND z.repository_id = {destination} AND z.lab_id = %(lab)s::uuid))"""
"""Whether dataset d, on its way to {destination}, belongs to the lab asked for."""

MISSING = """
WITH missing AS MATERIALIZED (
SELECT d.id AS dataset_id, d.content_version, r.id AS repository_id, r.uuid_in_names, r.case_sensitive,
       (SELECT o.relative_path FROM datasets_filerecord o WHERE o.dataset_id = d.id LIMIT 1) AS path
  FROM datasets_dataset d
  JOIN lab_sessions_session s ON s.id = d.session_id
  JOIN datasets_repository_labs l ON l.lab_id = s.lab_id
  JOIN datasets_repository r ON r.id = l.repository_id
 WHERE d.withdrawn_at IS NULL AND r.role = ANY (%(servers)s) AND r.state NOT IN ('retiring', 'retired')
   AND (%(lab)s::uuid IS NULL OR s.lab_id = %(lab)s::uuid)
   AND NOT EXISTS (SELECT 1 FROM datasets_filerecord c WHERE c.dataset_id = d.id AND c.repository_id = r.id)
   AND EXISTS (SELECT 1 FROM datasets_filerecord o WHERE o.dataset_id = d.id)
)
SELECT * FROM missing LIMIT %(batch)s
"""
"""Materialized, so that it is planned as the one pass over everything that it is, not as if the limit made it short."""

SOURCES = """
    SELECT s.id FROM datasets_filerecord s
      JOIN datasets_repository q ON q.id = s.repository_id
     WHERE s.dataset_id = {dataset} AND s.content_version = {version} AND s.state = ANY (%(serving)s)
       AND q.state = ANY (%(readable)s) AND q.kind = ANY (%(kinds)s) AND q.root <> ''
       AND q.id <> {destination}.id
       AND (q.kind, q.root, q.endpoint) <> ({destination}.kind, {destination}.root, {destination}.endpoint)
       AND (q.kind = {destination}.kind
              AND coalesce(nullif(q.credential, ''), 'default') = coalesce(nullif({destination}.credential, ''), 'default')
              AND NOT (q.on_personal_computer AND {destination}.on_personal_computer)
            OR q.kind <> ALL (%(apart)s) AND {destination}.kind <> ALL (%(apart)s))
     ORDER BY s.state = 'verified' DESC, q.role <> 'lab' DESC, q.id
     LIMIT 1"""
"""The best copy to read from: proved before claimed, a server's before a lab's."""

PLAN = f"""
INSERT INTO transfers_transferitem
    (id, dataset_id, content_version, source_id, copy_id, destination_id, dest_path_key, size_class, size_bytes, state,
     attempts, last_error_code, last_error)
SELECT gen_random_uuid(), d.id, d.content_version, s.id, c.id, r.id, c.path_key,
       CASE WHEN d.size_bytes >= %(large)s THEN 'large' ELSE 'small' END, d.size_bytes, 'planned', 0, '', ''
  FROM datasets_filerecord c
  JOIN datasets_repository r ON r.id = c.repository_id
  JOIN datasets_dataset d ON d.id = c.dataset_id
  CROSS JOIN LATERAL ({SOURCES.format(dataset="d.id", version="d.content_version", destination="r")}) s
 WHERE r.role = ANY (%(servers)s) AND r.state = 'active' AND r.kind = ANY (%(kinds)s) AND r.root <> ''
   AND c.state = ANY (%(fillable)s)
   AND d.withdrawn_at IS NULL AND d.hash_state <> 'disputed'
   AND (%(repository)s::uuid IS NULL OR r.id = %(repository)s::uuid
        OR EXISTS (SELECT 1 FROM datasets_filerecord f WHERE f.id = s.id AND f.repository_id = %(repository)s::uuid))
   AND {IN_LAB.format(destination="r.id")}
   AND (SELECT i.id FROM transfers_transferitem i
         WHERE i.copy_id = c.id AND array_position(%(live)s::text[], i.state::text) IS NOT NULL LIMIT 1) IS NULL
ON CONFLICT DO NOTHING
RETURNING 1
"""  # noqa: S608  (put together from constants)


def plan_transfers(*, actor: Any, scope: Scope = EVERYTHING) -> Plan:
    """Plan every copy that a server repository should have and that some place can give it.

    Planning twice plans nothing twice; two planners at once are harmless: the unique indexes on live items decide.
    Raises Forbidden.
    """
    allow_managing(actor, [scope.lab.pk] if scope.lab else [])
    records = create_expected(actor=actor, scope=scope)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute("SET LOCAL enable_seqscan = off")  # every step by index, also while the table of items is new
        cursor.execute(PLAN, scope.parameters)
        planned = cursor.rowcount
        if planned:
            refuse_long_names()
            failpoint(MID_INSERT)
    if planned:
        failpoint(COMMITTED)
    return Plan(records, planned)


def create_expected(*, actor: Any, scope: Scope = EVERYTHING) -> int:
    """Make the records that server repositories of a session's lab lack (a repository was added, a dataset imported).
    Returns how many. A path that another record holds already gets none."""
    del actor
    made = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL jit = off")
            cursor.execute(MISSING, scope.parameters | {"batch": BATCH})
            found = cursor.fetchall()
            before = FileRecord.objects.filter(repository__in={row[2] for row in found}).count() if found else 0
            FileRecord.objects.bulk_create((_record(*row) for row in found), ignore_conflicts=True, batch_size=2_000)
            new = FileRecord.objects.filter(repository__in={row[2] for row in found}).count() - before if found else 0
        made += new
        if len(found) < BATCH or not new:
            return made


def _record(
    dataset: uuid.UUID, version: int, repository: uuid.UUID, names_carry_uuid: bool, case_sensitive: bool, path: str
) -> FileRecord:
    stored = alf.with_uuid(path, dataset) if names_carry_uuid else path
    return FileRecord(
        dataset_id=dataset,
        repository_id=repository,
        relative_path=path,
        stored_path=stored,
        path_key=alf.path_key(stored, case_sensitive=case_sensitive),
        content_version=version,
        state=CopyState.EXPECTED,
    )
