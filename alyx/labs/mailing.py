"""Sending what was written down: each delivery is one mail, sent at most once by itself (docs/decisions/050).

`waiting → sending` is committed before the mail leaves, `sending → sent` after. A sender that dies in between leaves a row in `sending`
whose lease lapses: nobody can know whether the mail left, so it becomes `unsure`, is shown, and is sent again only when a person says so.
What a server refuses has certainly not left: it waits for its next attempt.
"""

import logging
import smtplib
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from alyx.core.clock import AlyxNow
from alyx.core.errors import Conflict, Forbidden
from alyx.core.failpoints import declare, failpoint
from alyx.core.status import Status
from alyx.labs.models import MANAGING_ROLES, Delivery, DeliveryState, Membership, User
from alyx.labs.notifying import nudge

log = logging.getLogger(__name__)

CLAIMED = declare("mailing.claimed")
LEFT = declare("mailing.left")

LEASE = timedelta(minutes=5)
"""Longer than a mail can take: each step of SMTP has ALYX_SMTP_TIMEOUT seconds."""
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
"""After each refusal; one more refusal and it is given up."""
BUDGET_SECONDS = 120.0
REFUSALS = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError)
"""The server said no, so it has not taken the mail. After anything else (a line that went dead) it may have."""

_CLAIM = """
UPDATE labs_delivery
   SET state = 'sending', attempts = attempts + 1, leased_until = alyx_now() + make_interval(secs => %(lease)s)
 WHERE state = 'waiting' AND id = (
    SELECT id FROM labs_delivery
     WHERE state = 'waiting' AND (not_before IS NULL OR not_before <= alyx_now())
     ORDER BY not_before NULLS FIRST, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, attempts
"""


@dataclass(frozen=True)
class Claim:
    """A delivery in our hands; the attempt's number tells our writes from those of a later one."""

    delivery: uuid.UUID
    attempt: int


def due() -> QuerySet[Delivery]:
    """What a sender would take now."""
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING)
    return waiting.filter(Q(not_before__isnull=True) | Q(not_before__lte=AlyxNow()))


def claim() -> Claim | None:
    """Take the next delivery; of several senders one gets it. None: nothing is due, or others have it all."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"lease": LEASE.total_seconds()})
        row = cursor.fetchone()
    return Claim(*row) if row else None


def send_due(*, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Send one after the other until nothing is due or the time is over; how many were tried. Not inside a transaction."""
    if connection.in_atomic_block:
        raise RuntimeError("a claim has to be committed before the mail leaves")
    until = time.monotonic() + budget_seconds
    tried = 0
    while time.monotonic() < until and (claimed := claim()) is not None:
        failpoint(CLAIMED)
        _send(claimed)
        tried += 1
    return tried


def _send(claimed: Claim) -> None:
    """The mail of one delivery, and what became of it. Whatever goes wrong with one never stops the next."""
    rows = Delivery.objects.select_related("notification__content_type", "user")
    delivery = rows.filter(pk=claimed.delivery).first()
    if delivery is None:
        return  # it went with its user
    if not delivery.user.is_active:
        _settle(claimed, state=DeliveryState.MUTED, last_error="the account is no longer active")
        return
    if not delivery.user.email:
        _settle(claimed, state=DeliveryState.PAGE_ONLY)
        return
    try:
        mail = compose(delivery)
        mail.message()
    except Exception as error:  # noqa: BLE001  (a mail that cannot be written will not be writable later)
        log.warning("delivery %s cannot be written: %s", delivery.pk, error)
        _settle(claimed, state=DeliveryState.FAILED, last_error=_words(error))
        return
    _hand_over(claimed, mail)


def _hand_over(claimed: Claim, mail: EmailMessage) -> None:
    backend = get_connection()
    try:
        try:
            backend.open()
        except Exception as error:  # noqa: BLE001  (whatever keeps us from the server: nothing has left)
            _refused(claimed, error)
            return
        try:
            taken = backend.send_messages([mail])
        except REFUSALS as error:
            _refused(claimed, error)
            return
        except Exception as error:  # noqa: BLE001  (the line went dead: the server may have taken it)
            log.warning("delivery %s may have left: %s", claimed.delivery, error)
            _settle(claimed, state=DeliveryState.UNSURE, last_error=_words(error))
            return
        if not taken:
            _refused(claimed, RuntimeError("the mail backend took nothing"))
            return
        failpoint(LEFT)
        _settle(claimed, state=DeliveryState.SENT, sent_at=AlyxNow(), last_error="")
    finally:
        with suppress(Exception):  # saying goodbye decides nothing
            backend.close()


def _refused(claimed: Claim, error: Exception) -> None:
    """Not taken: again later, or given up."""
    log.warning("delivery %s refused at attempt %s: %s", claimed.delivery, claimed.attempt, error)
    if claimed.attempt > len(BACKOFF):
        _settle(claimed, state=DeliveryState.FAILED, last_error=_words(error))
        return
    again = AlyxNow() + BACKOFF[claimed.attempt - 1]
    _settle(claimed, state=DeliveryState.WAITING, not_before=again, last_error=_words(error))


def _settle(claimed: Claim, **columns: Any) -> None:
    """Write what became of this attempt.

    Known news also after the lease lapsed meanwhile (`unsure`), and after a person asked to send again but nobody has yet
    (`waiting`): what is known to have left does not leave twice.
    """
    ours = Delivery.objects.filter(pk=claimed.delivery, attempts=claimed.attempt)
    states = [DeliveryState.SENDING, DeliveryState.UNSURE]
    if columns["state"] == DeliveryState.SENT:
        states.append(DeliveryState.WAITING)
    ours.filter(state__in=states).update(leased_until=None, **columns)


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        error = Exception("; ".join(f"{code} {_text(said)}" for code, said in error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        error = Exception(f"{error.smtp_code} {_text(error.smtp_error)}")
    return f"{error}"[:500] or type(error).__name__


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def compose(delivery: Delivery) -> EmailMessage:
    """The mail: what happened, what to do, where, and how to be told less."""
    news, base = delivery.notification, settings.ALYX_URL
    lines = [news.text]
    if base:
        lines += ["", f"Open: {base}/admin/notifications/{delivery.pk}/"]
        lines += ["", f"Mute it, or choose what you are told: {base}/admin/notifications/"]
    word = {Status.WARNING: "Warning: ", Status.FAILED: "Alert: ", Status.CRITICAL: "Critical: "}
    return EmailMessage(
        subject=f"{word.get(Status(news.status), '')}{news.title}",
        body="\n".join(lines),
        to=[delivery.user.email],
        headers={"Message-ID": message_id(delivery.pk), "Auto-Submitted": "auto-generated"},
    )


def message_id(delivery: uuid.UUID) -> str:
    """The same for each attempt, so that whoever gets it twice can tell."""
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return f"<delivery.{delivery.hex}@{address.rpartition('@')[2] or 'localhost'}>"


def lapse() -> int:
    """Deliveries whose sender died: nobody knows whether they left. How many."""
    rows = Delivery.objects.filter(state=DeliveryState.SENDING, leased_until__lte=AlyxNow())
    return rows.update(
        state=DeliveryState.UNSURE,
        leased_until=None,
        last_error="the sender ended before it noted whether the mail had left",
    )


def tick() -> bool:
    """Once a minute: lapsed leases, and whether anything is due."""
    lapse()
    return due().exists()


# What people do about a mail that did not arrive.


def troubled(actor: User) -> QuerySet[Delivery]:
    """Failed and unsure mails that this person may send again: one's own, and those of the labs one heads or manages."""
    rows = Delivery.objects.filter(state__in=[DeliveryState.FAILED, DeliveryState.UNSURE])
    if actor.is_superuser:
        return rows
    managed = Membership.objects.filter(user=actor, role__in=MANAGING_ROLES).values("lab_id")
    return rows.filter(Q(user=actor) | Q(notification__lab__in=managed))


@transaction.atomic
def send_again(*, actor: User, delivery: Delivery) -> None:
    """A person decides that it shall leave (perhaps once more). Raises Forbidden, Conflict when it is on its way or has left."""
    if not troubled(actor).filter(pk=delivery.pk).exists():
        row = Delivery.objects.filter(pk=delivery.pk).first()
        if row is not None and row.state not in {DeliveryState.FAILED, DeliveryState.UNSURE}:
            raise Conflict(f"this mail needs no second sending: {row.get_state_display()}")
        raise Forbidden("mails are sent again by their recipient and by heads and data managers of the lab")
    moved = Delivery.objects.filter(pk=delivery.pk, state__in=[DeliveryState.FAILED, DeliveryState.UNSURE]).update(
        state=DeliveryState.WAITING, not_before=None
    )
    if not moved:
        raise Conflict("somebody has sent it again already")
    nudge()
