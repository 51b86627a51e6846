"""The look at each repository in the evening: stored, and told to those who have to act before they go home.

A look changes nothing where it looks. Two at once are harmless: the row of the repository's local date is written once, and
the news with it. A place that failed as a whole is stopped as in the night, and healed by the tick once it is well.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from alyx.core import clock
from alyx.labs.models import MANAGING_ROLES, Lab, Membership, NotificationKind, User
from alyx.labs.notifying import notify
from datasets.models import SERVER_ROLES, Repository, RepositoryState
from datasets.rules.bandwidth import in_one_go, passes, spans
from transfers.models import Preflight
from transfers.rules.preflight import Load, Seen, Tonight, Verdict, judge, next_night, not_ours, preflight_due
from transfers.rules.schedule import Night
from transfers.services.places import allow_managing, block, probe, reachable
from transfers.services.planning import EVERYTHING, SOURCES, Scope

log = logging.getLogger(__name__)

_TONIGHT = f"""
SELECT q.repository_id, c.repository_id, count(*), coalesce(sum(d.size_bytes), 0)::bigint,
       count(*) FILTER (WHERE d.size_bytes IS NULL), coalesce(max(d.size_bytes), 0)
  FROM datasets_filerecord c
  JOIN datasets_repository r ON r.id = c.repository_id
  JOIN datasets_dataset d ON d.id = c.dataset_id
  CROSS JOIN LATERAL ({SOURCES.format(dataset="d.id", version="d.content_version", destination="r")}) s
  JOIN datasets_filerecord q ON q.id = s.id
 WHERE r.role = ANY (%(servers)s) AND r.state NOT IN ('retiring', 'retired')
   AND c.state = ANY (%(waiting)s) AND d.withdrawn_at IS NULL AND d.hash_state <> 'disputed'
 GROUP BY q.repository_id, c.repository_id
"""  # noqa: S608  (put together from constants)
Route = tuple[uuid.UUID, uuid.UUID]


@dataclass(frozen=True)
class _Evening:
    """What is the same for all repositories looked at together."""

    at: datetime
    tonight: Mapping[Route, Load]
    nights: Mapping[uuid.UUID, Night]
    places: Mapping[uuid.UUID, Repository]

    def comes_to(self, place: Repository) -> Load:
        return sum((load for (_, to), load in self.tonight.items() if to == place.pk), Load())

    def leaves(self, place: Repository) -> Load:
        return sum((load for (source, _), load in self.tonight.items() if source == place.pk), Load())

    def together_with(self, place: Repository) -> int:
        """How many others that send something tonight begin at this one's moment and fill a place that it fills."""
        filled = {to for source, to in self.tonight if source == place.pk}
        others = {source for source, to in self.tonight if to in filled and source != place.pk}
        begins = Counter(self.nights[other].starts_at for other in others if other in self.nights)
        return begins[self.nights[place.pk].starts_at]

    def hours_of(self, place: Repository) -> Tonight | None:
        """What its hours let pass while the windows of those that send from or to it are open."""
        routes = [route for route in self.tonight if place.pk in route and route[0] in self.nights]
        if not place.bandwidth or not routes:
            return None
        nights = [self.nights[source] for source, _ in routes]
        start, end = min(night.starts_at for night in nights), max(night.ends_at for night in nights)
        never = {other for route in routes for other in route if other != place.pk and self._never(route)}
        return Tonight(
            self.comes_to(place),
            self.leaves(place),
            tuple(spans([place.hours], max(start, self.at), end)),
            tuple(sorted(self.places[other].name for other in never)),
            in_one_go(place.hours, self.at),
        )

    def _never(self, route: Route) -> bool:
        night, ends = self.nights[route[0]], [self.places[end].hours for end in route if end in self.places]
        return passes(spans(ends, max(night.starts_at, self.at), night.ends_at)) == 0


def is_due() -> bool:
    """Whether some repository's evening has come and it was not looked at yet."""
    return bool(_due(clock.now()))


def _due(now: datetime) -> list[tuple[Repository, date]]:
    evenings: list[tuple[Repository, date]] = []
    for place in Repository.objects.exclude(state=RepositoryState.RETIRED).prefetch_related("labs").order_by("name"):
        day = preflight_due(now, settings.ALYX_PREFLIGHT_AT, place.zone)
        if day is not None:
            evenings.append((place, day))
    looked = Preflight.objects.filter(by_hand=False, local_date__in={day for _, day in evenings})
    before = set(looked.values_list("repository_id", "local_date")) if evenings else set()
    return [(place, day) for place, day in evenings if (place.pk, day) not in before]


def look_at_due() -> list[Preflight]:
    """Look at every repository whose evening has come, once for its local date. One place's trouble stops no other's."""
    now = clock.now()
    due = _due(now)
    if not due:
        return []
    evening = _evening(now)
    rows = []
    for place, day in due:
        try:
            row = _look(place, day, evening, by_hand=False)
        except Exception:
            log.exception("%s was not looked at; it is tried again at the next tick", place)
            continue
        rows += [row] if row is not None else []
    return rows


def look_by_hand(*, actor: Any, repositories: Sequence[Repository]) -> list[Preflight]:
    """The same at once, for whoever asked: nobody is told, and the evening's own look is made all the same.

    Raises Forbidden: `actor` (None: the command line) manages the data of no lab of one of them.
    """
    for place in repositories:
        allow_managing(actor, [lab.pk for lab in place.labs.all()])
    now = clock.now()
    evening = _evening(now)
    rows = (_look(place, now.astimezone(place.zone).date(), evening, by_hand=True) for place in repositories)
    return [row for row in rows if row is not None]


def tonight(scope: Scope = EVERYTHING) -> dict[Route, Load]:
    """What would be moved now from where to where, planned or not yet planned: (source, destination) → files and bytes."""
    parameters = scope.parameters
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_TONIGHT, parameters | {"waiting": [*parameters["fillable"], "incoming"]})
        return {(row[0], row[1]): Load(*row[2:]) for row in cursor.fetchall()}


def _evening(now: datetime) -> _Evening:
    places = {place.pk: place for place in Repository.objects.exclude(state=RepositoryState.RETIRED)}
    nights = {key: next_night(now, one.window_start, one.window_end, one.zone) for key, one in places.items()}
    return _Evening(now, tonight(), nights, places)


def _look(place: Repository, day: date, evening: _Evening, *, by_hand: bool) -> Preflight | None:
    """One look, stored. None: somebody else was faster with this evening."""
    comes, leaves = evening.comes_to(place), evening.leaves(place)
    free: int | None = None
    if reachable(place):
        health = probe(place)
        free = health.free_bytes
        is_filled = place.role in SERVER_ROLES and place.state not in {
            RepositoryState.RETIRING,
            RepositoryState.RETIRED,
        }
        seen = Seen(
            is_filled,
            health.problem,
            health.detail,
            free,
            health.read_only,
            comes,
            evening.together_with(place),
            evening.hours_of(place),
        )
        verdict = judge(seen)
    else:
        verdict = not_ours()
    row = Preflight(
        repository=place,
        local_date=day,
        by_hand=by_hand,
        status=verdict.status.value,
        problem=verdict.problem or "",
        what=verdict.what,
        who=verdict.who,
        checks=[[check.name, check.status.value, check.said] for check in verdict.checks],
        free_bytes=free,
        need_files=comes.files,
        need_bytes=comes.size_bytes,
        need_unknown=comes.unknown,
        send_files=leaves.files,
        send_bytes=leaves.size_bytes,
        starts_at=evening.nights[place.pk].starts_at,
    )
    return _store(row, verdict)


@transaction.atomic
def _store(row: Preflight, verdict: Verdict) -> Preflight | None:
    """The row, what follows for the place, and the news: all or nothing."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return None
    if verdict.problem is not None and verdict.stops_the_place:
        block(repository=row.repository, code=verdict.problem, detail=verdict.detail)
    if verdict.needs_somebody and not row.by_hand:
        _tell(row, verdict)
    return row


def _tell(row: Preflight, verdict: Verdict) -> None:
    """News for those who manage the data of the repository's labs; of one without labs, for the superusers."""
    place = row.repository
    labs: list[Lab] = list(place.labs.all())
    members = Membership.objects.filter(lab__in=labs, role__in=MANAGING_ROLES).values("user")
    people = User.objects.filter(Q(pk__in=members) if labs else Q(is_superuser=True), is_active=True)
    begins = row.starts_at.astimezone(place.zone)
    waiting = f"{row.need_files + row.send_files} files wait for it."
    notify(
        kind=NotificationKind.REPOSITORY_TROUBLE,
        about=place,
        key=f"preflight:{place.pk}:{row.local_date}",
        title=f"{place.name} is not ready for the night of {row.local_date}",
        text=f"{verdict.what}\nTo act: {verdict.who}. Its night begins at {begins:%H:%M} ({place.timezone}). {waiting}",
        lab=labs[0] if len(labs) == 1 else None,
        status=verdict.status,
        extra_recipients=people,
        facts={"problem": row.problem, "free_bytes": row.free_bytes, "need_bytes": row.need_bytes},
    )
