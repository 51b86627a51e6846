"""What must be done, by whom: every trouble that is still there, in groups of one code at one place. A constant number of
statements, bounded by what is in trouble."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from alyx.labs.models import Lab
from transfers.queries.places import place_troubles
from transfers.queries.sql import LAB_OF, rows_of
from transfers.rules.errors import PolicyClass, parse_code, policy
from transfers.rules.needs import Act, Turn, Who, act_of, turn_of

EXAMPLES = 8
"""So many of a group are named on the page; the list shows them all."""
GROUPS_AT_MOST = 200


@dataclass(frozen=True)
class Key:
    """Names one group: of a lab, about `item`, `place` or `copy`, with one code, at these places, in one state."""

    lab: uuid.UUID
    about: str
    code: str
    state: str = ""
    source: uuid.UUID | None = None
    destination: uuid.UUID | None = None

    def __str__(self) -> str:
        return "~".join(
            str(part) if part else "-"
            for part in (self.lab, self.about, self.code, self.state, self.source, self.destination)
        )

    @classmethod
    def parse(cls, text: str) -> "Key":
        """From its text. Raises ValueError, with a sentence."""
        parts = text.split("~")
        if len(parts) != 6 or parts[1] not in {"item", "place", "copy"}:
            message = f"{text[:80]!r} names no group: take `key` from the list of needs"
            raise ValueError(message)
        code, state = ("" if part == "-" else part for part in parts[2:4])
        source, destination = (uuid.UUID(part) if part != "-" else None for part in parts[4:])
        return cls(uuid.UUID(parts[0]), parts[1], code, state, source, destination)


@dataclass(frozen=True)
class Example:
    """One file, copy or job of a group."""

    id: uuid.UUID
    path: str
    said: str
    dataset: uuid.UUID | None = None


@dataclass
class Need:
    """One group."""

    key: Key
    lab: str
    title: str
    who: Who
    do: str
    turn: Turn
    count: int
    bytes: int = 0
    since: datetime | None = None
    next_at: datetime | None = None
    changed_at: datetime | None = None
    """The latest change among them: what a button acts on is what had changed by then."""
    source: str = ""
    destination: str = ""
    said: str = ""
    is_ignored: bool = False
    escalated_at: datetime | None = None
    note: str = ""
    """Why it was ignored, or what was said when it was passed on, and by whom."""
    examples: list[Example] = field(default_factory=list)

    @property
    def can_retry(self) -> bool:
        """Whether there are items to try again."""
        return self.key.about == "item"

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to act now."""
        return self.turn is Turn.PERSON and not self.is_ignored


def needs(labs: Sequence[Lab]) -> list[Need]:
    """Every group of trouble of these labs: what a person has to do first, then what goes on by itself, then what was
    ignored; the largest first."""
    places = _places(labs)
    stopped = {one.key.source for one in places}
    items = _items(labs)
    for need in items:
        waits = policy(parse_code(need.key.code)).kind is PolicyClass.REPOSITORY
        if waits and stopped & {
            need.key.source,
            need.key.destination,
        }:  # said once, of the place: these follow by themselves
            need.turn = Turn.ITSELF
    found = [*items, *_copies(labs), *places]
    order = {Turn.PERSON: 0, Turn.ITSELF: 1}
    return sorted(
        found, key=lambda one: (one.is_ignored, order[one.turn], one.key.about != "place", -one.count, one.title)
    )


def _words(act: Act, **names: str) -> dict[str, Any]:
    return {"title": act.title.format_map(names), "who": act.who, "do": act.do.format_map(names)}


_DECIDED = """
LEFT JOIN LATERAL (
    SELECT bool_or(n.kind = 'ignored') AS ignored, max(n.created_at) FILTER (WHERE n.kind = 'escalated') AS escalated_at,
           (array_agg(n.reason || ' (' || u.username || ')' ORDER BY n.kind DESC, n.created_at DESC))[1] AS note
      FROM transfers_decision n JOIN labs_user u ON u.id = n.decided_by_id
     WHERE n.subject_id = t.id AND n.code = t.code AND n.lab_id = t.lab_id AND n.ended_at IS NULL {also}
) n ON true
"""

_ITEMS = f"""
WITH t AS MATERIALIZED (
    SELECT i.id, i.state, coalesce(nullif(i.last_error_code, ''), 'unknown') AS code, i.last_error, i.attempts, i.size_bytes,
           i.not_before, i.updated_at, c.relative_path AS path, i.dataset_id, i.destination_id, c.repository_id AS source_id,
           {LAB_OF} AS lab_id
      FROM transfers_transferitem i
     CROSS JOIN LATERAL (SELECT * FROM datasets_filerecord c WHERE c.id = i.source_id OFFSET 0) c
     CROSS JOIN LATERAL (SELECT d.session_id FROM datasets_dataset d WHERE d.id = i.dataset_id OFFSET 0) d
      LEFT JOIN lab_sessions_session s ON s.id = d.session_id
     WHERE i.state IN ('needs_human', 'retry_wait')
)
SELECT t.lab_id, t.code, t.state, t.source_id, t.destination_id, coalesce(n.ignored, false) AS ignored,
       count(*) AS count, coalesce(sum(t.size_bytes), 0)::bigint AS bytes, max(t.attempts) AS attempts,
       min(t.not_before) AS next_at, max(t.updated_at) AS changed_at, min(a.since) AS since,
       max(n.escalated_at) AS escalated_at, max(n.note) AS note, max(t.last_error) AS said,
       (array_agg(ARRAY[t.id::text, t.path, t.last_error, t.dataset_id::text] ORDER BY t.path))[1:{EXAMPLES}] AS examples
  FROM t
  LEFT JOIN LATERAL (SELECT min(x.ended_at) AS since FROM transfers_attempt x
                      WHERE x.item_id = t.id AND x.error_code = t.code) a ON true
  {_DECIDED.format(also="")}
 WHERE t.lab_id = ANY (%(labs)s)
 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY count(*) DESC LIMIT {GROUPS_AT_MOST}
"""  # noqa: S608  (put together from constants)

_COPIES = f"""
WITH t AS MATERIALIZED (
    SELECT f.id, f.state AS code, f.reason, f.size_bytes, f.look_due_at, f.first_miss_at, f.updated_at, f.relative_path,
           f.dataset_id, f.repository_id, r.role, coalesce(s.lab_id, rl.lab_id) AS lab_id
      FROM datasets_repository_labs rl JOIN datasets_repository r ON r.id = rl.repository_id
      JOIN datasets_filerecord f ON f.repository_id = r.id
      JOIN datasets_dataset d ON d.id = f.dataset_id LEFT JOIN lab_sessions_session s ON s.id = d.session_id
     WHERE rl.lab_id = ANY (%(labs)s) AND coalesce(s.lab_id, rl.lab_id) = rl.lab_id AND d.withdrawn_at IS NULL
       AND f.state IN ('suspect', 'missing', 'corrupt', 'announced')
       AND (f.state <> 'announced' OR f.first_miss_at IS NOT NULL)
       AND f.id NOT IN (SELECT source_id FROM transfers_transferitem WHERE state IN ('needs_human', 'retry_wait'))
)
SELECT t.lab_id, t.code, t.repository_id, t.role <> 'lab' AS is_server, coalesce(n.ignored, false) AS ignored,
       count(*) AS count, coalesce(sum(t.size_bytes), 0)::bigint AS bytes, min(t.look_due_at) AS next_at,
       max(t.updated_at) AS changed_at, min(t.first_miss_at) AS since, max(n.escalated_at) AS escalated_at,
       max(n.note) AS note, max(t.reason) AS said,
       (array_agg(ARRAY[t.id::text, t.relative_path, t.reason, t.dataset_id::text]
                  ORDER BY t.relative_path))[1:{EXAMPLES}] AS examples
  FROM t {_DECIDED.format(also="AND (t.first_miss_at IS NULL OR n.created_at >= t.first_miss_at)")}
 GROUP BY 1, 2, 3, 4, 5 ORDER BY count(*) DESC LIMIT {GROUPS_AT_MOST}
"""  # noqa: S608  (put together from constants)


def _asked(sql: str, labs: Iterable[Lab]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"labs": [lab.pk for lab in labs]})
        return rows_of(cursor)


def _examples(row: dict[str, Any]) -> list[Example]:
    return [Example(uuid.UUID(key), path, said, uuid.UUID(dataset)) for key, path, said, dataset in row["examples"]]


_COMMON = ("count", "bytes", "since", "changed_at", "said", "escalated_at")


def _common(row: dict[str, Any]) -> dict[str, Any]:
    known = {name: row[name] for name in _COMMON if name in row}
    return known | {"is_ignored": row["ignored"], "note": row["note"] or ""}


def _names() -> dict[uuid.UUID, tuple[str, str]]:
    """Name and root of each repository."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, root FROM datasets_repository")
        return {key: (name, root) for key, name, root in cursor.fetchall()}


def _where(said: str, source: tuple[str, str], destination: tuple[str, str]) -> str:
    """Which of the two what was said is about: the one whose root it names."""
    named = [name for name, root in (source, destination) if root and root in said]
    return named[0] if len(named) == 1 else f"{source[0]} or {destination[0]}"


def _items(labs: Sequence[Lab]) -> list[Need]:
    rows, names, of = _asked(_ITEMS, labs), _names(), {lab.pk: lab.name for lab in labs}
    found = []
    for row in rows:
        ends = names[row["source_id"]], names[row["destination_id"]]
        source, destination = (name for name, _ in ends)
        where = _where(row["said"], *ends)
        turn = turn_of(row["state"], parse_code(row["code"]), row["attempts"])
        found.append(
            Need(
                key=Key(row["lab_id"], "item", row["code"], row["state"], row["source_id"], row["destination_id"]),
                lab=of[row["lab_id"]],
                **_words(act_of("item", row["code"]), source=source, destination=destination, where=where),
                turn=turn,
                next_at=row["next_at"] if row["state"] == "retry_wait" else None,
                source=source,
                destination=destination,
                examples=_examples(row),
                **_common(row),
            )
        )
    return found


def _copies(labs: Sequence[Lab]) -> list[Need]:
    rows, names, of = _asked(_COPIES, labs), _names(), {lab.pk: lab.name for lab in labs}
    return [
        Need(
            key=Key(row["lab_id"], "copy", row["code"], "", row["repository_id"]),
            lab=of[row["lab_id"]],
            **_words(act_of("copy", row["code"]), place=names[row["repository_id"]][0]),
            turn=Turn.ITSELF if row["is_server"] or row["code"] == "suspect" else Turn.PERSON,
            next_at=row["next_at"],
            source=names[row["repository_id"]][0],
            examples=_examples(row),
            **_common(row),
        )
        for row in rows
    ]


def _places(labs: Sequence[Lab]) -> list[Need]:
    return [
        Need(
            key=Key(one.lab.pk, "place", one.code, "", one.place),
            lab=one.lab.name,
            **(_words(act_of("place", one.code), place=one.name) | ({"who": one.who} if one.who else {})),
            turn=Turn.PERSON,
            count=one.count,
            since=one.since,
            changed_at=one.since,
            source=one.name,
            said=one.said,
            is_ignored=one.is_ignored,
            escalated_at=one.escalated_at,
            note=one.note,
            examples=[Example(job, str(job), "", None) for job in one.jobs],
        )
        for one in place_troubles(labs)
    ]
