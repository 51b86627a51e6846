"""Telling people what happened to animals. Each function is called by the service that wrote the cause, after its write.

What cannot be told never undoes what happened: a rig's weight is kept even when the notice about it fails.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction

from alyx.core import clock
from alyx.core.status import Status
from alyx.labs.models import Notification, NotificationKind, User
from alyx.labs.notifying import notify, reword
from subjects.models import (
    HandOver,
    PostOpCheck,
    Subject,
    SubjectRequest,
    WaterAdministration,
    WaterRestriction,
    Weighing,
)
from subjects.queries.water import today_of, welfare_on, welfare_today
from subjects.rules import notices as rules

log = logging.getLogger(__name__)

NEWS_FOR = timedelta(days=7)
"""An older weighing is history (an import, a notebook typed in), no news. A rig's outbox may be a weekend late."""
REWARD_WITHIN = timedelta(minutes=5)
"""A rig sends the end of a session and its reward one after the other; the mail waits so long for the second."""


@contextmanager
def aside(what: str, about: Any) -> Iterator[None]:
    """A savepoint; what fails in it is logged and goes no further. A lost database or deadlock is everybody's affair."""
    try:
        with transaction.atomic():
            yield
    except OperationalError:
        raise
    except Exception:
        log.exception("%s about %s was not told", what, about)


def tell(subject: Subject, kind: NotificationKind, key: str, said: rules.Sentence, **more: Any) -> Notification | None:
    """A sentence about an animal, to its responsible user and whoever asked for such news."""
    return notify(
        kind=kind,
        about=subject,
        key=key,
        title=said.title,
        text=said.text,
        status=said.status,
        lab=subject.lab,
        responsible=subject.responsible_user,
        **more,
    )


def weight_recorded(weighing: Weighing, *, was_restricted: bool | None = None) -> None:
    """An underweight animal: a warning, or an alert below the minimum. Only its newest weighing is news.

    `was_restricted`: whether it ever was, where the caller has read that.
    """
    subject = weighing.subject
    if not weighing.counts or weighing.withdrawn_at is not None or not _was_restricted(subject, was_restricted):
        return
    with aside("a weight", subject):
        now = clock.now()
        if weighing.at < now - NEWS_FOR:
            return
        newer = Weighing.objects.shown().filter(subject=subject, counts=True, at_wall__gt=weighing.at_wall)
        if newer.exists():
            return
        day = welfare_on([subject], weighing.at_wall.date(), now)[subject.pk]
        if said := rules.underweight(subject.nickname, day):
            tell(subject, NotificationKind.UNDERWEIGHT, f"underweight:{weighing.pk}", said)


def water_recorded(administration: WaterAdministration) -> None:
    """The reward of a session: what is left to give today. Water given by hand is no news."""
    subject, session = administration.subject, administration.session_id
    if session is None or not administration.counts or administration.withdrawn_at is not None:
        return
    if not _was_restricted(subject):
        return
    with aside("the supplement due", subject):
        if administration.at_wall.date() == today_of(subject):
            _reward_came(subject, session, administration)


def session_ended(subject: Subject, session: Any) -> None:
    """Training is over: what is left to give today. The mail waits some minutes for the reward, which says it better."""
    if session.ended_wall is None or not _was_restricted(subject):
        return
    with aside("the supplement due", subject):
        now = clock.now()
        if session.ended_wall.date() != today_of(subject, now):
            return
        day = welfare_today([subject], now)[subject.pk]
        rewards = WaterAdministration.objects.shown().filter(session_id=session.pk, counts=True)
        is_known = rewards.exists()
        said = rules.supplement_due(subject.nickname, day, is_reward_known=is_known)
        if said is not None:
            wait = None if is_known else now + REWARD_WITHIN
            tell(subject, NotificationKind.WATER_DUE, _after(session.pk), said, not_before=wait)


def _reward_came(subject: Subject, session: UUID, reward: WaterAdministration) -> None:
    keys = [_after(session), f"water_due:administration:{reward.pk}:{reward.volume_ml}"]
    facts = {"administration": str(reward.pk), "volume_ml": reward.volume_ml}
    if Notification.objects.filter(key__in=keys, facts=facts).exists():
        return  # a rig that repeats itself
    day = welfare_today([subject])[subject.pk]
    said = rules.supplement_due(subject.nickname, day)
    over = rules.Sentence(f"{subject.nickname} has had its water", "Nothing is left to give today.", Status.FINE)
    shown = said or over
    reworded = reword(
        _after(session),
        title=shown.title,
        text=shown.text,
        status=shown.status,
        facts=facts,
        is_over=said is None,
    )
    if reworded is not True and said is not None:
        tell(subject, NotificationKind.WATER_DUE, keys[reworded is False], said, facts=facts)


def _after(session: UUID) -> str:
    return f"water_due:session:{session}"


def check_recorded(check: PostOpCheck) -> None:
    """A check after surgery whose score is no good. A later check says it better, and an old one is history."""
    subject = check.surgery.subject
    if check.done_wall is None or check.done_at is None or subject.died_on is not None:
        return
    with aside("a check", subject):
        if check.done_at < clock.now() - NEWS_FOR:
            return
        later = PostOpCheck.objects.filter(surgery__subject=subject, done_at__gt=check.done_at)
        said = rules.checked(subject.nickname, check.sheet, check.scores, check.done_wall)
        if said is not None and not later.exists():
            tell(subject, NotificationKind.POST_OP, f"post_op:{check.pk}:{said.status}", said)


def responsible_changed(hand_over: HandOver) -> None:
    """Whoever has the animal now, and whoever had it."""
    subject = hand_over.subject
    with aside("a hand-over", subject):
        had, has = hand_over.from_user, hand_over.to_user
        by = f" by {hand_over.by}" if hand_over.by else ""
        why = f"\nReason: {hand_over.reason}" if hand_over.reason else ""
        text = f"{subject.nickname} of {subject.lab.name} passed from {had or 'nobody'} to {has or 'nobody'}{by}.{why}"
        notify(
            kind=NotificationKind.RESPONSIBLE_CHANGED,
            about=subject,
            key=f"responsible_changed:{hand_over.pk}",
            title=f"{subject.nickname} is now {f'in the care of {has}' if has else 'in nobody’s care'}",
            text=f"{text}\n{'Take over its weighing and water.' if has else 'Name somebody who looks after it.'}",
            lab=subject.lab,
            status=Status.NEUTRAL if has else Status.WARNING,
            responsible=has,
            extra_recipients=[had] if had else [],
        )


def request_opened(request: SubjectRequest) -> None:
    """The stock managers of the lab."""
    with aside("a request", request):
        keepers = User.objects.filter(is_stock_manager=True, is_active=True)
        if request.lab_id is not None:
            keepers = keepers.filter(memberships__lab=request.lab_id)
        due = f", by {request.due_on}" if request.due_on else ""
        notify(
            kind=NotificationKind.REQUEST_OPENED,
            about=request,
            key=f"request_opened:{request.pk}",
            title=f"{request.user} asks for {request.count} × {request.line or 'any line'}",
            text=f"{request.count} × {request.line or 'any line'} for {request.user}{due}.\n{request.description}".strip()
            + "\nAllocate animals to it, or close it.",
            lab=request.lab,
            extra_recipients=keepers.distinct(),
        )


def subject_allocated(subject: Subject, request: SubjectRequest) -> None:
    """Whoever asked for the animal."""
    with aside("an allocation", subject):
        notify(
            kind=NotificationKind.REQUEST_ASSIGNED,
            about=subject,
            key=f"request_assigned:{request.pk}:{subject.pk}",
            title=f"{subject.nickname} is allocated to your request",
            text=f"{subject.nickname} of {subject.lab.name} is allocated to the request {request}.\nArrange its hand-over.",
            lab=subject.lab,
            responsible=request.user,
        )


def _was_restricted(subject: Subject, known: bool | None = None) -> bool:
    """Cheaply, before any number is worked out: most animals never were, and of the dead there is nothing to tell."""
    if subject.died_on is not None or subject.withdrawn_at is not None:
        return False
    return known if known is not None else bool(WaterRestriction.objects.shown().filter(subject=subject).exists())
