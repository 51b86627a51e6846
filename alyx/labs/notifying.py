"""Writing down what people are to be told, and what they say to it: seen, mute, my rules.

`notify` writes in the transaction of the cause, so that news and cause exist together or not at all. A job sends it (`mailing`).
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import Q, QuerySet

from alyx.core import clock
from alyx.core.clock import AlyxNow
from alyx.core.errors import Forbidden, Invalid
from alyx.core.status import Status
from alyx.core.tasks import enqueue_on_commit
from alyx.labs.models import (
    Delivery,
    DeliveryState,
    Lab,
    Membership,
    Mute,
    Notification,
    NotificationKind,
    NotificationRule,
    RuleScope,
    User,
)
from alyx.labs.recipients import News, Person, Silence, Told, recipients

GAP = timedelta(hours=1)
"""The same kind, title and record is told at most once in this time."""
TITLE_AT_MOST = 200
NEWS = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.UNSURE, DeliveryState.FAILED,
        DeliveryState.PAGE_ONLY)  # fmt: skip
"""What the page shows as news: everything but what was muted."""


@transaction.atomic
def notify(
    *,
    kind: NotificationKind,
    about: models.Model,
    key: str,
    title: str,
    text: str,
    lab: Lab | None,
    status: Status = Status.NEUTRAL,
    responsible: User | None = None,
    extra_recipients: Iterable[User] = (),
    facts: Mapping[str, Any] | None = None,
    not_before: datetime | None = None,
) -> Notification | None:
    """Tell everybody whose rules ask for it, once: the same `key` is the same news.

    `responsible` and `extra_recipients` are whom it concerns; others hear of it by their rules. Returns None when it was told already,
    or something of the same title within the hour. A row without deliveries is kept too: nobody wanted to know.
    """
    title = " ".join(title.split())[:TITLE_AT_MOST]
    if Notification.objects.filter(key=key).exists() or _told_lately(kind, about, title):
        return None
    notification = _written(
        kind=kind, about=about, key=key, title=title, text=text, lab=lab, status=status, facts=facts
    )
    if notification is None:
        return None
    concerned = frozenset(user.pk for user in (responsible, *extra_recipients) if user is not None)
    told = who_is_told(kind, about.pk, lab, concerned)
    deliver_to(notification, told, not_before=not_before)
    return notification


def _written(
    *,
    kind: NotificationKind,
    about: models.Model,
    key: str,
    title: str,
    text: str,
    lab: Lab | None,
    status: Status,
    facts: Mapping[str, Any] | None,
) -> Notification | None:
    """The row, unless another transaction was faster with this key (it is waited for)."""
    row = Notification(
        kind=kind,
        key=key,
        content_type=ContentType.objects.get_for_model(about),
        object_id=about.pk,
        title=title,
        text=text,
        lab=lab,
        status=status.value,
        facts=dict(facts or {}),
    )
    Notification.objects.bulk_create([row], ignore_conflicts=True)
    return Notification.objects.filter(pk=row.pk).first()


def mark(*, kind: NotificationKind, about: models.Model, key: str, title: str, text: str, lab: Lab) -> bool:
    """Note that a periodic check was made: a notification to nobody. False when it had been (another ticker is waited for)."""
    row = _written(
        kind=kind, about=about, key=key, title=title, text=text, lab=lab, status=Status.NEUTRAL, facts={"check": True}
    )
    return row is not None


@transaction.atomic
def tell_one(
    *,
    user: uuid.UUID,
    is_muted: bool,
    kind: NotificationKind,
    about: models.Model,
    key: str,
    title: str,
    text: str,
    lab: Lab,
    status: Status,
) -> Notification | None:
    """What is worded for one person whose rules were asked already (a digest). None: it was told already."""
    row = _written(kind=kind, about=about, key=key, title=title, text=text, lab=lab, status=status, facts=None)
    if row is not None:
        alone = frozenset({user})
        deliver_to(row, Told(frozenset(), alone) if is_muted else Told(alone, frozenset()))
    return row


@transaction.atomic
def reword(
    key: str, *, title: str, text: str, status: Status, facts: Mapping[str, Any], is_over: bool = False
) -> bool | None:
    """Say something better while none of its mails has left, and let them leave now (`is_over`: not at all, it needs nobody).

    None: there is no such news. False: a mail has left, so what is new has to be told anew.
    """
    news = Notification.objects.select_for_update(no_key=True).filter(key=key).first()
    if news is None:
        return None
    states = set(news.deliveries.select_for_update(no_key=True).values_list("state", flat=True))
    if states - {DeliveryState.WAITING, DeliveryState.PAGE_ONLY, DeliveryState.MUTED}:
        return False
    Notification.objects.filter(pk=news.pk).update(title=title, text=text, status=status.value, facts=dict(facts))
    waiting = news.deliveries.filter(state=DeliveryState.WAITING)
    if is_over:
        waiting.update(state=DeliveryState.MUTED, last_error="not sent: nothing is due any more")
        news.deliveries.filter(seen_at__isnull=True).update(seen_at=AlyxNow())
    elif waiting.update(not_before=None):
        nudge()
    return True


def deliver_to(notification: Notification, told: Told, *, not_before: datetime | None = None) -> None:
    """Write the deliveries, and nudge a sender once they are committed."""
    with_address = set(
        User.objects.filter(pk__in=told.told).exclude(email="").values_list("pk", flat=True) if told.told else ()
    )
    rows = [
        Delivery(
            notification=notification,
            user_id=user,
            state=DeliveryState.WAITING if user in with_address else DeliveryState.PAGE_ONLY,
            not_before=not_before,
        )
        for user in sorted(told.told)
    ]
    rows += [
        Delivery(notification=notification, user_id=user, state=DeliveryState.MUTED) for user in sorted(told.muted)
    ]
    Delivery.objects.bulk_create(rows)
    if with_address and not_before is None:
        nudge()


def nudge() -> None:
    """Wake a sender once this transaction is committed."""
    from alyx.labs.tasks import deliver  # noqa: PLC0415  (the job calls the sender, which knows us)

    enqueue_on_commit(deliver)


def _told_lately(kind: str, about: models.Model, title: str) -> bool:
    """Whether the same was told within the gap. Two who ask at once wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"notify {kind} {about.pk} {title}"])
    return Notification.objects.filter(
        kind=kind, object_id=about.pk, title=title, created_at__gt=AlyxNow() - GAP
    ).exists()


def who_is_told(kind: str, record: uuid.UUID, lab: Lab | None, concerned: Collection[uuid.UUID]) -> Told:
    """Those concerned, those whose rule reaches this lab, and their mutes: three queries."""
    scopes = dict(NotificationRule.objects.filter(kind=kind).values_list("user_id", "scope"))
    reaching = [user for user, scope in scopes.items() if scope in {RuleScope.LAB, RuleScope.ALL}]
    people = people_of(User.objects.filter(Q(pk__in=concerned) | Q(pk__in=reaching)), kind, scopes)
    return recipients(News(kind, record, lab.pk if lab else None, frozenset(concerned)), people, clock.now())


def people_of(users: QuerySet[User], kind: str, scopes: Mapping[uuid.UUID, str]) -> list[Person]:
    """These users as the rule sees them."""
    active = dict(users.values_list("pk", "is_active"))
    if not active:
        return []
    labs: dict[uuid.UUID, set[uuid.UUID]] = {}
    for user, lab in Membership.objects.filter(user__in=active).values_list("user_id", "lab_id"):
        labs.setdefault(user, set()).add(lab)
    silences: dict[uuid.UUID, list[Silence]] = {}
    for mute in Mute.objects.filter(user__in=active, kind__in=["", kind]):
        silences.setdefault(mute.user_id, []).append(Silence(mute.kind, mute.object_id, mute.until))
    return [
        Person(user, is_active, frozenset(labs.get(user, ())), scopes.get(user), tuple(silences.get(user, ())))
        for user, is_active in active.items()
    ]


# What a person says to it.


def news_of(user: User) -> QuerySet[Delivery]:
    """What this person has been told, muted news left out."""
    return Delivery.objects.filter(user=user, state__in=NEWS)


def unseen(user: User) -> int:
    """How much of it they have not seen."""
    return news_of(user).filter(seen_at__isnull=True).count()


def mark_seen(*, actor: User, deliveries: QuerySet[Delivery]) -> int:
    """Of one's own only; how many were news. A mail that has not left is sent all the same: the page may be somebody's tablet."""
    return deliveries.filter(user=actor, seen_at__isnull=True).update(seen_at=AlyxNow())


@transaction.atomic
def mute(
    *, actor: User, kind: str = "", record: uuid.UUID | None = None, until: datetime | None = None, reason: str = ""
) -> Mute:
    """Silence for oneself, about a record or about a kind. An older mute of the same gives way to this one. Raises Invalid."""
    if not kind and record is None:
        raise Invalid("a mute names a kind of news or a record; to hear nothing at all, set every rule to nothing")
    if kind and kind not in NotificationKind.values:
        raise Invalid.of("kind", f"there is no kind of notification {kind!r}")
    Mute.objects.filter(user=actor, kind=kind, object_id=record).delete()
    return Mute.objects.create(user=actor, kind=kind, object_id=record, until=until, reason=reason[:255])


def unmute(*, actor: User, mute: Mute) -> None:
    """Hear of it again. Raises Forbidden."""
    if mute.user_id != actor.pk:
        raise Forbidden("that is somebody else's mute")
    mute.delete()


@transaction.atomic
def set_rules(*, actor: User, scopes: Mapping[str, str]) -> None:
    """One's own rules, kind → scope (empty: none of one's own). Raises Invalid for a kind or scope there is not."""
    for kind, scope in scopes.items():
        if kind not in NotificationKind.values or (scope and scope not in RuleScope.values):
            raise Invalid(f"there is no rule {scope!r} for {kind!r}")
        if scope:
            NotificationRule.objects.update_or_create(user=actor, kind=kind, defaults={"scope": scope})
        else:
            NotificationRule.objects.filter(user=actor, kind=kind).delete()
