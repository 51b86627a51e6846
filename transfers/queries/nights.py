"""What each lab's night did: its windows, and how far its files and sessions came. One statement for all labs.

Bounded by the files of the night and by what is still under way; the size of the registry does not matter.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Max

from alyx.core.status import Status
from alyx.labs.models import Lab
from datasets.models import SERVER_ROLES
from transfers.models import NightWindow
from transfers.queries.places import UNUSABLE
from transfers.queries.sql import LAB_OF, rows_of
from transfers.rules.lifecycle import LIVE


@dataclass(frozen=True)
class Part:
    """Files, their bytes, and the sessions they belong to."""

    files: int = 0
    bytes: int = 0
    sessions: int = 0


@dataclass
class Night:
    """One lab's night."""

    lab: uuid.UUID
    name: str
    zone: str
    on: date | None = None
    windows: list[NightWindow] = field(default_factory=list)
    expected: Part = field(default_factory=Part)
    """All that was to be brought."""
    moved: Part = field(default_factory=Part)
    """The bytes are at the destination, proved or not yet; sessions: all their files are."""
    verified: Part = field(default_factory=Part)
    """Read back there and equal; sessions: all their files are."""
    failed: Part = field(default_factory=Part)
    moving: Part = field(default_factory=Part)
    not_begun: Part = field(default_factory=Part)
    waiting: Part = field(default_factory=Part)
    """Neither moving nor begun, because the repository they go to or come from is out of use, or outside its hours."""
    held_by: list[str] = field(default_factory=list)
    """The names of those repositories."""
    replaced: Part = field(default_factory=Part)
    """Revised, withdrawn or given up meanwhile: nothing more is brought of them."""
    is_latest: bool = True
    unprotected_since: datetime | None = None
    """The oldest file whose copies are not all proved has been so since then."""
    taken_over: int = 0
    """How often a worker took a job over from one that had died."""
    needs: int = 0
    """How many things wait for a person."""

    @property
    def starts_at(self) -> datetime | None:
        """When the first window opened."""
        return min((window.starts_at for window in self.windows), default=None)

    @property
    def ends_at(self) -> datetime | None:
        """When the last one ends or ended."""
        return max((window.ends_at for window in self.windows), default=None)

    @property
    def is_open(self) -> bool:
        """Whether one is open still."""
        return any(window.state == "open" for window in self.windows)

    @property
    def standing(self) -> tuple[Status, str]:
        """One word for it."""
        if self.needs or self.failed.files:
            return (Status.FAILED, "needs you") if self.needs else (Status.WARNING, "retrying")
        if self.moving.files or self.is_open:
            return Status.NEUTRAL, "still moving" if self.moving.files else "open"
        if self.waiting.files:
            return Status.WARNING, "waiting"
        if self.not_begun.files:
            return Status.WARNING, "not begun"
        if not self.windows:
            return Status.NEUTRAL, "no night yet"
        return Status.FINE, "all verified" if self.expected.files else "nothing to do"


def labs_read_by(reader: Any) -> list[Lab]:
    """The labs whose nights this person sees. Nights are a lab's: a share in a project is not enough."""
    reach = reader.reach
    if reach.is_public:
        return []
    rows = Lab.objects.order_by("name")
    return list(rows if reach.is_superuser or reach.everything else rows.filter(pk__in=reach.labs))


def nights(labs: Iterable[Lab], on: date | None = None, closed: Collection[uuid.UUID] = ()) -> list[Night]:
    """The night of this date, or the latest one of each lab. `closed`: the places that let nothing be moved at this hour."""
    found = {lab.pk: Night(lab.pk, lab.name, lab.timezone) for lab in labs}
    latest = _latest(found)
    for lab, day in latest.items():
        found[lab].on = on or day
        found[lab].is_latest = on is None or on >= day
    if on is not None:
        for night in found.values():
            night.on = on
    for lab, window in _windows(found, {night.on for night in found.values() if night.on}):
        if window.local_date == found[lab].on:
            found[lab].windows.append(window)
    _count(found, closed)
    return list(found.values())


def dates(lab: uuid.UUID, around: date) -> tuple[date | None, date | None]:
    """The dates of this lab's nights before and after."""
    rows = NightWindow.objects.filter(repository__labs=lab)
    before = rows.filter(local_date__lt=around).aggregate(day=Max("local_date"))["day"]
    after = rows.filter(local_date__gt=around).order_by("local_date").values_list("local_date", flat=True).first()
    return before, after


def _latest(labs: Iterable[uuid.UUID]) -> dict[uuid.UUID, date]:
    rows = NightWindow.objects.filter(repository__labs__in=list(labs)).order_by()
    return dict(rows.values_list("repository__labs").annotate(day=Max("local_date")))


def _windows(labs: Iterable[uuid.UUID], days: set[date]) -> list[tuple[uuid.UUID, NightWindow]]:
    keys = set(labs)
    rows = NightWindow.objects.filter(local_date__in=days, repository__labs__in=keys).distinct()
    windows = list(rows.select_related("repository").prefetch_related("repository__labs").order_by("starts_at"))
    return [(lab.pk, window) for window in windows for lab in window.repository.labs.all() if lab.pk in keys]


PARTS = {
    "expected": "word <> 'replaced'",
    "moved": "word IN ('verified', 'arrived')",
    "verified": "word = 'verified'",
    "failed": "word IN ('failed', 'later')",
    "moving": "word IN ('bound', 'arrived') AND held_by IS NULL",
    "not_begun": "word = 'planned' AND held_by IS NULL",
    "waiting": "held_by IS NOT NULL",
    "replaced": "word = 'replaced'",
}
"""Which files each part counts."""
_WHOLE = {"moved": "word IN ('verified', 'arrived', 'replaced')", "verified": "word IN ('verified', 'replaced')"}
"""Parts to which a session belongs only if all its files do."""


def _counts(part: str, files: str) -> str:
    some = f"count(DISTINCT session_id) FILTER (WHERE {files})"
    if part in _WHOLE:
        some = (
            f"count(DISTINCT session_id) FILTER (WHERE {PARTS['expected']})"
            f" - count(DISTINCT session_id) FILTER (WHERE NOT ({_WHOLE[part]}))"
        )
    return f"""
       coalesce(sum(files) FILTER (WHERE {files}), 0)::bigint AS {part},
       coalesce(sum(bytes) FILTER (WHERE {files}), 0)::bigint AS {part}_bytes, {some} AS {part}_sessions"""


_FIGURES = f"""
WITH chosen AS (
    SELECT * FROM unnest(%(labs)s::uuid[], %(windows)s::uuid[]) AS c (lab_id, window_id)
), job AS MATERIALIZED (
    SELECT c.lab_id, j.id, j.fence FROM transfers_transferjob j JOIN chosen c ON c.window_id = j.window_id
), stopped AS MATERIALIZED (
    SELECT id, name, state FROM datasets_repository WHERE state = ANY (%(unusable)s) OR id = ANY (%(closed)s)
), failed AS MATERIALIZED (
    SELECT DISTINCT a.item_id FROM job CROSS JOIN LATERAL (
        SELECT a.item_id FROM transfers_attempt a WHERE a.job_id = job.id AND a.outcome <> 'done' OFFSET 0) a
), touched AS (
    SELECT i.*, true AS of_night, true AS tried FROM job CROSS JOIN LATERAL (
        SELECT * FROM transfers_transferitem i WHERE i.job_id = job.id OFFSET 0) i
    UNION ALL
    SELECT i.*, false, true FROM failed JOIN transfers_transferitem i ON i.id = failed.item_id
     WHERE i.job_id IS NULL OR i.job_id NOT IN (SELECT id FROM job)
    UNION ALL
    SELECT i.*, false, false FROM transfers_transferitem i
     WHERE i.state = ANY (%(live)s) AND (i.job_id IS NULL OR i.job_id NOT IN (SELECT id FROM job))
       AND i.id NOT IN (SELECT item_id FROM failed)
), told AS (
    SELECT d.session_id, CASE WHEN d.session_id IS NULL THEN i.destination_id END AS destination_id, i.tried,
           coalesce(i.size_bytes, 0) AS bytes, CASE
        WHEN i.of_night AND i.state = 'done' THEN 'verified'
        WHEN i.state IN ('stale', 'cancelled') THEN 'replaced'
        WHEN i.state IN ('verifying', 'promoted', 'moved') THEN 'arrived'
        WHEN i.state = 'bound' THEN 'bound'
        WHEN i.state = 'planned' THEN 'planned'
        WHEN i.state = 'done' THEN 'later'
        ELSE 'failed' END AS word, CASE
        WHEN NOT EXISTS (SELECT FROM stopped) THEN NULL
        WHEN i.state IN ('planned', 'bound') THEN (
            SELECT min(r.name) FROM stopped r JOIN datasets_filerecord c ON c.id = i.source_id
             WHERE r.id IN (i.destination_id, c.repository_id))
        WHEN i.state IN ('verifying', 'promoted', 'moved') THEN (
            SELECT r.name FROM stopped r WHERE r.id = i.destination_id AND r.state <> 'full')
        END AS held_by
      FROM touched i CROSS JOIN LATERAL (SELECT d.session_id FROM datasets_dataset d WHERE d.id = i.dataset_id OFFSET 0) d
), i AS (
    SELECT session_id, destination_id, tried, word, held_by, count(*) AS files, sum(bytes) AS bytes
      FROM told GROUP BY 1, 2, 3, 4, 5
), counted AS MATERIALIZED (
    SELECT i.*, {LAB_OF} AS lab_id FROM i LEFT JOIN lab_sessions_session s ON s.id = i.session_id
)
SELECT lab_id, array_remove(array_agg(DISTINCT held_by), NULL) AS held_by,
       (SELECT coalesce(sum(greatest(job.fence - 1, 0)), 0) FROM job WHERE job.lab_id = counted.lab_id)::bigint AS taken_over,
       {",".join(_counts(part, files) for part, files in PARTS.items())}
  FROM counted WHERE lab_id = ANY (%(asked)s) AND (tried OR lab_id = ANY (%(latest)s))
 GROUP BY lab_id
"""  # noqa: S608  (put together from constants)
"""Files are counted by session before anything else is asked of them: sessions are few. `LATERAL (… OFFSET 0)`, here and below:
row by row by index, as many as the night has; PostgreSQL, who guesses far more, would read the whole registry."""


def _count(found: dict[uuid.UUID, Night], closed: Collection[uuid.UUID]) -> None:
    pairs: list[tuple[uuid.UUID, uuid.UUID | None]] = [
        (night.lab, window.pk) for night in found.values() for window in night.windows
    ]
    pairs += [(lab, None) for lab in found]
    parameters: dict[str, Any] = {
        "asked": list(found),
        "labs": [lab for lab, _ in pairs],
        "windows": [window for _, window in pairs],
        "latest": [night.lab for night in found.values() if night.is_latest],
        "live": sorted(LIVE),
        "closed": list(closed),
        "unusable": [str(state) for state in UNUSABLE],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters)
        for row in rows_of(cursor):
            night = found[row["lab_id"]]
            for part in PARTS:
                setattr(night, part, Part(row[part], row[f"{part}_bytes"], row[f"{part}_sessions"]))
            night.taken_over, night.held_by = row["taken_over"], row["held_by"]


# --- what is not protected yet


_OLDEST = """
WITH place AS (
    SELECT rl.lab_id, r.id FROM datasets_repository r JOIN datasets_repository_labs rl ON rl.repository_id = r.id
     WHERE r.role = ANY (%(servers)s) AND r.state <> 'retired' AND rl.lab_id = ANY (%(labs)s)
), read AS MATERIALIZED (
    SELECT place.lab_id, d.session_id, min(CASE WHEN d.content_version = 1 THEN d.created_at ELSE coalesce(
               (SELECT v.registered_at FROM datasets_contentversion v
                 WHERE v.dataset_id = d.id AND v.content_version = d.content_version), d.created_at) END) AS since
      FROM place CROSS JOIN LATERAL (
        SELECT f.dataset_id FROM datasets_filerecord f
         WHERE f.repository_id = place.id AND f.state = ANY (%(unproved)s) OFFSET 0) f
      CROSS JOIN LATERAL (SELECT * FROM datasets_dataset d WHERE d.id = f.dataset_id OFFSET 0) d
     WHERE d.withdrawn_at IS NULL GROUP BY 1, 2
)
SELECT read.lab_id, min(read.since) FROM read LEFT JOIN lab_sessions_session s ON s.id = read.session_id
 WHERE coalesce(s.lab_id, read.lab_id) = read.lab_id GROUP BY 1
"""
UNPROVED = ("announced", "claimed", "corrupt", "expected", "incoming", "missing", "superseded", "suspect")
"""States of a copy at a server that protect nothing."""


def unprotected_since(labs: Iterable[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """By lab: since when its oldest file lacks a proved copy that a server should have. Labs that lack none are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OLDEST, {"labs": list(labs), "servers": [str(role) for role in SERVER_ROLES], "unproved": list(UNPROVED)}
        )
        return {lab: since for lab, since in cursor.fetchall() if since is not None}
