"""What is known of an animal when it is weighed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from alyx.core.prepared import rows_of

_KNOWN = """
SELECT alyx_now(),
    (SELECT id FROM subjects_weighing WHERE subject_id = %(subject)s::uuid AND withdrawn_at IS NULL
        AND at_wall = %(at)s::timestamp AND weight_g = %(weight)s::double precision AND user_id = %(user)s::uuid),
    EXISTS (SELECT FROM subjects_waterrestriction WHERE subject_id = %(subject)s::uuid AND withdrawn_at IS NULL),
    last.weight_g, last.at_wall
FROM (SELECT) one LEFT JOIN LATERAL (
    SELECT weight_g, at_wall FROM subjects_weighing
    WHERE subject_id = %(subject)s::uuid AND withdrawn_at IS NULL AND counts AND at_wall <= %(at)s::timestamp
    ORDER BY at_wall DESC, weight_g LIMIT 1
) last ON true
"""


@dataclass(frozen=True)
class Known:
    """In one statement."""

    now: datetime
    same: UUID | None
    """The key of the weighing of the same animal, time, weight and person."""
    was_restricted: bool
    """Whether it ever was water restricted."""
    last_g: float | None
    """The last weighing that counts, not later than this one; None when there is none."""
    last_wall: datetime | None


def known_of(subject: UUID, *, at_wall: datetime, weight_g: float, user: UUID) -> Known:
    """What is known about the animal, seen from a weighing of it."""
    values = {"subject": subject, "at": at_wall, "weight": weight_g, "user": user}
    [(now, same, was_restricted, last_g, last_wall)] = rows_of(_KNOWN, values)
    return Known(now.astimezone(UTC), same, was_restricted, last_g, last_wall)
