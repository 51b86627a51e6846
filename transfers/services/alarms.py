"""The dead man's switch: what nobody would be told of, because what tells people is what has stopped.

Looked at from several sides: the tick and the morning's round look at each other, `/healthz` says it to whoever watches the server, and
the supervisor calls `manage.py transfers health --alarm` when `/healthz` is not well.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import Lab, NotificationKind, User
from alyx.labs.notifying import notify
from transfers.models import NightWindow
from transfers.services import morning
from transfers.services.pulses import LATE_AFTER, heard

MAIL_LATE_AFTER = timedelta(minutes=15)
"""A morning mail that is not written so long after its hour is overdue."""


@dataclass(frozen=True)
class Alarm:
    """Something that has stopped."""

    code: str
    """`tick`, `morning` or `mail`: what to look for in a log."""
    says: str
    key: str
    lab: Lab | None = None


def alarms(*, since: datetime | None = None) -> list[Alarm]:
    """What is overdue now. since: rounds are not expected earlier than some minutes after this (a server that just started)."""
    now = clock.now()
    found = [
        Alarm(name, f"{what} was not made since {at:%Y-%m-%d %H:%M} UTC", f"alarm:{name}:{at.isoformat()}")
        for name, what in (("tick", "the minute's tick of the transfers"), ("morning", "the minute's round of mails"))
        if (at := _last(name, since)) is not None and now - at > LATE_AFTER
    ]
    return found + _mails(now, since)


def _last(name: str, since: datetime | None) -> datetime | None:
    """When it was last made, or when it could have been at the earliest; None: never, and nobody says since when it should."""
    known = [at for at in (heard(name), since) if at is not None]
    return max(known, default=None)


def _mails(now: datetime, since: datetime | None) -> list[Alarm]:
    """Labs whose mail should long have been written."""
    if since is not None and now - since <= LATE_AFTER:
        return []
    late = now - MAIL_LATE_AFTER
    due = morning.due(late)
    with_nights = set(
        NightWindow.objects.filter(repository__labs__in=[lab.pk for lab, _ in due], starts_at__lt=late)
        .order_by().values_list("repository__labs", flat=True).distinct()
    )  # fmt: skip
    return [
        Alarm(
            "mail",
            f"the morning mail of {lab.name} of {day} is not written; it was due at {settings.ALYX_DIGEST_AT:%H:%M} {lab.timezone}",
            f"alarm:mail:{lab.pk}:{day}",
            lab,
        )
        for lab, day in due
        if lab.pk in with_nights
    ]


def raise_alarms(*, since: datetime | None = None) -> list[Alarm]:
    """Tell the superusers, and the managers of the lab, of each alarm, once; all that hold now."""
    found = alarms(since=since)
    everybody = User.objects.filter(is_active=True, is_superuser=True)
    for alarm in found:
        about = alarm.lab or Lab.objects.order_by("created_at", "pk").first()
        if about is None:
            continue  # nobody has a night yet
        people = list(everybody)
        if alarm.lab is not None:
            people += User.objects.filter(
                is_active=True, memberships__lab=alarm.lab, memberships__role__in=["data_manager", "head"]
            )
        notify(
            kind=NotificationKind.ALARM,
            about=about,
            key=alarm.key,
            title=alarm.says,
            text=f"{alarm.says}. Look at the worker and beat of the server, and at `manage.py transfers health`.",
            lab=alarm.lab,
            status=Status.CRITICAL,
            extra_recipients=people,
        )
    return found
