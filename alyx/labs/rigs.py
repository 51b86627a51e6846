"""The pulse of rigs: heard of with each call that a rig makes, and told to people when it stays away."""

import logging
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import MANAGING_ROLES, Lab, Location, NotificationKind, RigWatch, User
from alyx.labs.notifying import notify

logger = logging.getLogger(__name__)

PULSE_S = 60.0
"""A watch is written at most once in this time."""
KNOWN_AT_MOST = 10_000

_asked: dict[UUID, float] = {}
"""When this process last asked whether an account belongs to a watched rig: a call is not to cost more for it."""

_HEARD = """
UPDATE labs_rigwatch SET last_seen_at = alyx_now() WHERE id IN (
    SELECT id FROM labs_rigwatch WHERE {column} = %s
       AND (last_seen_at IS NULL OR last_seen_at < alyx_now() - make_interval(secs => %s)) FOR UPDATE SKIP LOCKED)
"""


def heard_from(user: User) -> None:
    """An account wrote something: the rig it belongs to lives. Never raises, never waits."""
    now = time.monotonic()
    if now - _asked.get(user.pk, -PULSE_S) < PULSE_S:
        return
    if len(_asked) >= KNOWN_AT_MOST:
        _asked.clear()
    _asked[user.pk] = now
    _heard("user_id", user.pk)


def heard_at(location: Location) -> None:
    """A client changed the record of its rig, as rigs do at each start. Never raises, never waits."""
    _heard("location_id", location.pk)


def _heard(column: str, key: Any) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_HEARD.format(column=column), [key, PULSE_S])
    except DatabaseError as error:
        logger.warning("the pulse of a rig was not written: %s", error)


def raise_alarms() -> int:
    """Tell of each watched rig that is silent for too long, once per silence; how many there were."""
    now = clock.now()
    quiet = RigWatch.objects.filter(is_watched=True).annotate(since=Coalesce("last_seen_at", "created_at"))
    quiet = quiet.filter(Q(alarmed_at__isnull=True) | Q(alarmed_at__lt=F("since")))
    late = [watch.pk for watch in quiet if _is_late(watch, now)]
    return sum(_alarm(key, now) for key in late)


def since(watch: RigWatch) -> datetime:
    """Since when nothing is known of it: the last call, or the beginning of the watch."""
    return watch.last_seen_at or watch.created_at


def _is_late(watch: RigWatch, now: datetime) -> bool:
    return now - since(watch) > timedelta(hours=watch.silent_after_hours)


@transaction.atomic
def _alarm(key: UUID, now: datetime) -> bool:
    """One of them, if it is silent still and nobody else is at it."""
    rows = RigWatch.objects.select_related("location__lab").select_for_update(of=("self",), skip_locked=True)
    watch = rows.filter(pk=key, is_watched=True).first()
    last = since(watch) if watch is not None else now
    if watch is None or not _is_late(watch, now) or (watch.alarmed_at is not None and watch.alarmed_at >= last):
        return False
    RigWatch.objects.filter(pk=key).update(alarmed_at=now)
    lab, name = watch.location.lab, watch.location.name
    hours = int((now - last) / timedelta(hours=1))
    heard = "was last heard of" if watch.last_seen_at else "was never heard of; it is watched since"
    notify(
        kind=NotificationKind.RIG_SILENT,
        about=watch.location,
        key=f"rig silent {watch.pk} {last.isoformat()}",
        title=f"{name} is silent",
        text=f"{name} {heard} {_local(last, lab)}, {hours} h ago; it is expected every {watch.silent_after_hours} h.",
        lab=lab,
        status=Status.WARNING,
        extra_recipients=_keepers(lab),
        facts={"last_seen_at": last.isoformat() if watch.last_seen_at else None, "hours": hours},
    )
    return True


def _local(at: datetime, lab: Lab | None) -> str:
    zone = lab.timezone if lab else str(clock.server_zone())
    return f"{clock.utc_to_wall(at, zone):%Y-%m-%d %H:%M} ({zone})"


def _keepers(lab: Lab | None) -> list[User]:
    """Heads and data managers of the lab; of a rig of no lab the superusers."""
    active = User.objects.filter(is_active=True)
    if lab is None:
        return list(active.filter(is_superuser=True))
    return list(active.filter(memberships__lab=lab, memberships__role__in=MANAGING_ROLES))
