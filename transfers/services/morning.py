"""The morning's mail: one per lab and local date, at ALYX_DIGEST_AT of the lab, also when all is well, never twice.

A tick decides nothing: the notification's key by lab and date is the row that says the mail was written. Whoever is late makes it up
until midnight; that a mail is overdue is noticed by others (`transfers.services.alarms`).
"""

import logging
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from alyx.core import clock
from alyx.core.admin_shown import megabytes
from alyx.core.status import Status
from alyx.labs.models import MANAGING_ROLES, Lab, Notification, NotificationKind, User
from alyx.labs.notifying import notify
from subjects.rules.notices import morning_of
from transfers.queries.morning import Morning, morning, sentence
from transfers.queries.needs import Need
from transfers.queries.nights import Night
from transfers.services.pulses import beat

log = logging.getLogger(__name__)

FILES_NAMED = 5


def key_of(lab: Lab, day: date) -> str:
    """The natural key of a morning's mail."""
    return f"night_report:{lab.pk}:{day}"


def due(now: datetime) -> list[tuple[Lab, date]]:
    """Labs with a repository whose morning has come and whose mail is not written yet: two statements."""
    labs = Lab.objects.filter(repositories__isnull=False).distinct().order_by("pk")
    mornings = [
        (lab, day)
        for lab in labs
        if (day := morning_of(clock.utc_to_wall(now, lab.timezone), settings.ALYX_DIGEST_AT)) is not None
    ]
    keys = {key_of(lab, day): (lab, day) for lab, day in mornings}
    for key in Notification.objects.filter(key__in=keys).values_list("key", flat=True):
        del keys[key]
    return list(keys.values())


def tick() -> int:
    """Once a minute: write each mail that is due; how many. One lab's trouble stops no other's."""
    written = 0
    for lab, day in due(clock.now()):
        try:
            with transaction.atomic():
                written += write(lab, day)
        except Exception:
            log.exception("the morning mail of %s failed and is written again at the next tick", lab)
    beat("morning")
    return written


def write(lab: Lab, day: date) -> bool:
    """The mail of one lab; False when another was faster."""
    found = morning([lab])
    (night,) = found.nights
    people = User.objects.filter(is_active=True, memberships__lab=lab, memberships__role__in=MANAGING_ROLES)
    told = notify(
        kind=NotificationKind.NIGHT_REPORT,
        about=lab,
        key=key_of(lab, day),
        title=f"{lab.name}, {day:%d %b}: {sentence(night)}",
        text=text_of(lab, night, found),
        lab=lab,
        status=status_of(night),
        extra_recipients=people,
        facts=_facts(night),
    )
    return told is not None


def status_of(night: Night) -> Status:
    """How urgent the mail is: what the page says."""
    status, _ = night.standing
    return Status.WARNING if status is Status.FAILED else Status.NEUTRAL


def text_of(lab: Lab, night: Night, found: Morning) -> str:
    """What the page says, as text."""
    lines = [f"Last night of {lab.name}: {sentence(night)}.", ""]
    if night.starts_at and night.ends_at:
        begins, ends = (clock.utc_to_wall(at, night.zone) for at in (night.starts_at, night.ends_at))
        lines.append(f"Window: {begins:%d %b %H:%M} to {ends:%d %b %H:%M} ({night.zone})")
    lines += [
        f"{name}: {part.files} files, {megabytes(part.bytes)}"
        for name, part in (
            ("Expected", night.expected),
            ("Moved", night.moved),
            ("Verified", night.verified),
            ("Failed", night.failed),
            ("Still moving", night.moving),
            ("Not begun", night.not_begun),
            (f"Waiting for {', '.join(night.held_by)}", night.waiting),
            ("Revised or given up meanwhile", night.replaced),
        )
        if part.files or name in {"Expected", "Verified", "Failed"}
    ]
    since = night.unprotected_since
    lines.append(
        f"Oldest file without its copies: since {since:%Y-%m-%d %H:%M} UTC" if since else "Every file has its copies."
    )
    lines += _list("What must be done", found.mine) or ["", "Nothing waits for a person."]
    lines += _list("Goes on by itself", found.by_itself)
    if found.ignored:
        lines += ["", f"Ignored with a reason: {sum(need.count for need in found.ignored)} (see the page)"]
    left = [one for one in found.left if not one.waits]
    if left:
        lines += ["", "What the last scan could not register:"]
        lines += [f"- {one.sentence} ({one.files}, such as {one.example})\n  to do: {one.fix}" for one in left]
    lines += [f"The scan of {scan.repository.name}: {scan.problem}" for scan in found.scans if scan.problem]
    if settings.ALYX_URL:
        lines += ["", f"The page: {settings.ALYX_URL}/admin/transfers/morning/?lab={lab.name}"]
    return "\n".join(lines)


def _list(title: str, needs: list[Need]) -> list[str]:
    if not needs:
        return []
    lines = ["", f"{title}:"]
    for need in needs:
        since = f", since {need.since:%Y-%m-%d %H:%M} UTC" if need.since else ""
        lines += [f"- {need.title} ({need.count}{since})", f"  {need.who}: {need.do}"]
        lines += [f"  {one.path}" for one in need.examples[:FILES_NAMED] if need.key.about != "place"]
    return lines


def _facts(night: Night) -> dict[str, Any]:
    parts = ("expected", "moved", "verified", "failed", "moving", "not_begun", "waiting")
    return {"night": str(night.on), "needs": night.needs} | {part: getattr(night, part).files for part in parts}
