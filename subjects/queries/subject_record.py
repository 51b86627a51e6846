"""The full record of an animal, read by one statement that PostgreSQL plans once per connection, beside its welfare numbers.

What hangs on it from above (projects of its sessions) is named as tables, so that nothing here imports it.
"""

# ruff: noqa: S608  (only constants of ours are put into the SQL; values are parameters)

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from alyx.core import clock
from alyx.core.json_sql import plain, records, text, value, wire_time
from alyx.core.prepared import rows_of
from subjects.models import Subject
from subjects.queries.water import days_of, numbers_of
from subjects.rules.age import age_weeks

_CARRIED = {"allele": text("x.nickname"), "zygosity": value("z.state")}
_WEIGHING = {
    "subject": text("b.nickname"),
    "date_time": wire_time("w.at_wall"),
    "weight": value("w.weight_g"),
    "user": text("u.username"),
    "url": plain("%(base)s::text", "'/weighings/'", "w.id"),
}
_WATER = {
    "subject": text("b.nickname"),
    "date_time": wire_time("w.at_wall"),
    "water_administered": value("w.volume_ml"),
    "water_type": text("k.name"),
    "user": text("u.username"),
    "url": plain("%(base)s::text", "'/water-administrations/'", "w.id"),
    "session": plain("w.session_id"),
    "adlib": value("w.adlib"),
}
_COLUMNS = (
    *("b.id", "b.lab_id", "l.name", "l.timezone", "b.nickname", "person.username", "b.born_on", "b.died_on"),
    *("species.name", "b.sex", "litter.name", "strain.name", "source.name", "line.name", "b.description", "b.json"),
    "b.strain_id",
)
_RECORD = f"""
SELECT alyx_now(), {", ".join(_COLUMNS)},
    ARRAY(SELECT p.name FROM subjects_subject_projects y JOIN labs_project p ON p.id = y.project_id WHERE y.subject_id = b.id),
    ARRAY(SELECT DISTINCT p.name FROM lab_sessions_session s JOIN lab_sessions_session_projects y ON y.session_id = s.id
        JOIN labs_project p ON p.id = y.project_id WHERE s.subject_id = b.id AND s.withdrawn_at IS NULL ORDER BY p.name),
    (SELECT {records(_CARRIED, "x.nickname, z.id")} FROM subjects_zygosity z JOIN subjects_allele x ON x.id = z.allele_id
        WHERE z.subject_id = b.id),
    (SELECT {records(_WEIGHING, "w.at_wall DESC, w.id")} FROM subjects_weighing w LEFT JOIN labs_user u ON u.id = w.user_id
        WHERE w.subject_id = b.id AND w.withdrawn_at IS NULL),
    (SELECT {records(_WATER, "w.at_wall DESC, w.id")} FROM subjects_wateradministration w
        LEFT JOIN labs_user u ON u.id = w.user_id LEFT JOIN subjects_watertype k ON k.id = w.water_type_id
        WHERE w.subject_id = b.id AND w.withdrawn_at IS NULL),
    (SELECT max(r.started_wall) FROM subjects_waterrestriction r WHERE r.subject_id = b.id AND r.withdrawn_at IS NULL)
FROM subjects_subject b JOIN labs_lab l ON l.id = b.lab_id LEFT JOIN labs_user person ON person.id = b.responsible_user_id
    LEFT JOIN subjects_species species ON species.id = b.species_id LEFT JOIN subjects_strain strain ON strain.id = b.strain_id
    LEFT JOIN subjects_source source ON source.id = b.source_id LEFT JOIN subjects_line line ON line.id = b.line_id
    LEFT JOIN subjects_litter litter ON litter.id = b.litter_id
WHERE b.withdrawn_at IS NULL AND """
_BY_KEY = f"{_RECORD} b.id = %(key)s::uuid"
_BY_NICKNAME = f"{_RECORD} lower(b.nickname) = %(nickname)s::text"


@dataclass(frozen=True)
class SubjectRow:
    """An animal with what its record is made of."""

    pk: UUID
    lab_id: UUID
    lab_name: str
    columns: tuple[Any, ...]

    @classmethod
    def of(cls, found: tuple[Any, ...]) -> "SubjectRow":
        """From a row of the statement."""
        return cls(pk=found[1], lab_id=found[2], lab_name=found[3], columns=found)


def rows_named(nickname: str, base_url: str) -> list[SubjectRow]:
    """The animals of this nickname, ignoring case, in all labs; those withdrawn are not among them."""
    if "\x00" in nickname:
        return []
    return [SubjectRow.of(one) for one in rows_of(_BY_NICKNAME, {"nickname": nickname.lower(), "base": base_url})]


def row_with(key: UUID, base_url: str) -> SubjectRow | None:
    """The animal of this key; None where there is none, or it was withdrawn."""
    found = rows_of(_BY_KEY, {"key": key, "base": base_url})
    return SubjectRow.of(found[0]) if found else None


def subject_record(row: SubjectRow, base_url: str) -> dict[str, Any]:
    """The full record, with the welfare numbers of today, in three statements more at most."""
    read_at, key, lab_id, lab, zone, nickname, person, born_on, died_on, *names = row.columns
    species, sex, litter, strain, source, line, description, content, strain_id, *linked = names
    projects, recorded, carried, weighings, waters, last = linked
    now: datetime = read_at.astimezone(UTC)
    today = clock.utc_to_wall(now, zone).date()
    animal = Subject(pk=key, lab_id=lab_id, strain_id=strain_id, sex=sex, born_on=born_on, died_on=died_on)
    numbers = numbers_of(days_of([(animal, today)], now)[0], last)
    return {
        "nickname": nickname,
        "url": f"{base_url}/subjects/{nickname}",
        "id": key,
        "responsible_user": person,
        "birth_date": born_on,
        "age_weeks": age_weeks(born_on, died_on, today),
        "death_date": died_on,
        "species": species,
        "sex": sex,
        "litter": litter,
        "strain": strain,
        "source": source,
        "line": line,
        "projects": sorted(projects),
        "session_projects": recorded,
        "lab": lab,
        "genotype": json.loads(carried),
        "description": description,
        "alive": died_on is None,
        "reference_weight": numbers.reference_weight,
        "last_water_restriction": numbers.last_water_restriction,
        "expected_water": numbers.expected_water,
        "remaining_water": numbers.remaining_water,
        "json": None if content is None else json.loads(content),
        "weighings": _as_floats(weighings, "weight"),
        "water_administrations": _as_floats(waters, "water_administered"),
    }


def _as_floats(made: str, name: str) -> list[dict[str, Any]]:
    """The records, with this number as Python writes it: PostgreSQL writes 1.0 as 1."""
    found: list[dict[str, Any]] = json.loads(made)
    for one in found:
        if one[name] is not None:
            one[name] = float(one[name])
    return found
