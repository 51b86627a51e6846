"""What is looked after by the clock of each lab: water due by day, the evening's check, the morning's digest.

A tick decides nothing: a row by lab and local date says that a round was made. Two tickers wait for each other at that row;
a round that was missed is made when there is a tick again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from alyx.core import clock
from alyx.core.models import FlagState, ReviewFlag
from alyx.labs.mailing import troubled
from alyx.labs.models import (
    MANAGING_ROLES,
    Lab,
    Membership,
    Notification,
    NotificationKind,
    NotificationRule,
    RuleScope,
    User,
)
from alyx.labs.notifying import mark, tell_one, who_is_told
from subjects.models import Subject, WaterAdministration, WaterRestriction, Weighing
from subjects.queries.checks import open_checks
from subjects.queries.water import welfare_on
from subjects.rules import notices as rules
from subjects.rules.day import Day
from subjects.rules.water import DUE_AFTER
from subjects.services.notices import aside, tell

log = logging.getLogger(__name__)

OF_CHECK = ("surgery__subject__lab", "surgery__subject__responsible_user")
Round = Callable[[Lab, datetime], None]


def tick() -> None:
    """Once a minute: every round of every lab that is due. One lab's trouble stops no other's."""
    now = clock.now()
    for lab in Lab.objects.order_by("pk"):
        for make in (evening_round, water_round, morning_round):
            try:
                with transaction.atomic():
                    make(lab, now)
            except Exception:
                log.exception("%s of %s failed and is made again at the next tick", make.__name__, lab)


def restricted(lab: Lab, now: datetime) -> QuerySet[Subject]:
    """The lab's living animals under a water restriction."""
    wall = clock.utc_to_wall(now, lab.timezone)
    begun = WaterRestriction.objects.shown().filter(subject=OuterRef("pk"), started_wall__lte=wall)
    in_force = begun.filter(Q(ended_wall__isnull=True) | Q(ended_wall__gt=wall))
    rows: QuerySet[Subject] = Subject.objects.shown().alive().filter(Exists(in_force), lab=lab)
    return rows.select_related("lab", "responsible_user").order_by("pk")


def numbers(animals: Sequence[Subject], day: date, now: datetime) -> dict[UUID, Day]:
    """The day's numbers of all of them at once; if that fails, of each that has some."""
    try:
        with transaction.atomic():
            return welfare_on(animals, day, now)
    except OperationalError:
        raise
    except Exception:
        log.exception("the numbers of %s animals failed; now one by one", len(animals))
    found: dict[UUID, Day] = {}
    for animal in animals:
        with aside("the day", animal):
            found |= welfare_on([animal], day, now)
    return found


def water_round(lab: Lab, now: datetime) -> None:
    """By day, from the hour of the digest on: animals without water for 23 hours, each once per date.

    Whoever was told in the evening is not told again by the clock.
    """
    today = rules.morning_of(clock.utc_to_wall(now, lab.timezone), settings.ALYX_DIGEST_AT)
    if today is None:
        return
    lately = WaterAdministration.objects.shown().filter(
        subject=OuterRef("pk"), counts=True, at__gt=now - DUE_AFTER, at__lte=now
    )
    animals = list(restricted(lab, now).exclude(Exists(lately)))
    keys = {_key(part, one, today): one.pk for one in animals for part in ("day", "evening")}
    told = {keys[key] for key in Notification.objects.filter(key__in=keys).values_list("key", flat=True)}
    animals = [one for one in animals if one.pk not in told]
    if animals:
        _tell_water(animals, today, now, part="day")


def evening_round(lab: Lab, now: datetime) -> None:
    """Once per lab and local date: not weighed today, water for 23 hours due, the supplement after training still due, checks
    after surgery that were not made."""
    wall = clock.utc_to_wall(now, lab.timezone)
    day = rules.evening_of(wall, settings.ALYX_EVENING_AT, settings.ALYX_DIGEST_AT)
    if day is None or not _begin("evening", lab, day, NotificationKind.WATER_DUE, "Evening check"):
        return
    animals = list(restricted(lab, now))
    days = _tell_water(animals, day, now, part="evening")
    for animal in animals:
        if animal.pk in days and (said := _worded(animal, rules.not_weighed, days[animal.pk])):
            with aside("the evening", animal):
                tell(animal, NotificationKind.NOT_WEIGHED, f"not_weighed:{animal.pk}:{day}", said)
    for check in open_checks(Subject.objects.filter(lab=lab)).filter(due_on__lte=day).select_related(*OF_CHECK):
        animal = check.surgery.subject
        with aside("a check", animal):
            said = rules.not_checked(animal.nickname, check.due_on, day)
            tell(animal, NotificationKind.POST_OP, f"not_checked:{animal.pk}:{day}", said)


def _tell_water(animals: Sequence[Subject], day: date, now: datetime, *, part: str) -> dict[UUID, Day]:
    days = numbers(animals, day, now)
    given = _last_given(animals, now)
    began = _restricted_since(animals, now)
    trained = set(_trained(animals, day)) if part == "evening" else set()
    for animal in animals:
        if (found := days.get(animal.pk)) is None:
            continue
        times = {"last_given_at": given.get(animal.pk), "restricted_at": began.get(animal.pk), "now": now}
        said = _worded(animal, rules.water_due, found, **times) or _worded(
            animal, rules.still_due, found, was_trained=animal.pk in trained
        )
        if said is not None:
            with aside("water due", animal):
                tell(animal, NotificationKind.WATER_DUE, _key(part, animal, day), said)
    return days


def _worded(
    animal: Subject, rule: Callable[..., rules.Sentence | None], day: Day, **facts: Any
) -> rules.Sentence | None:
    """What a rule says; one that fails is logged, and the next animal has its turn."""
    try:
        return rule(animal.nickname, day, **facts)
    except Exception:
        log.exception("%s of %s was not told", rule.__name__, animal)
        return None


def _key(part: str, animal: Subject, day: date) -> str:
    return f"water_due:{part}:{animal.pk}:{day}"


def _last_given(animals: Iterable[Subject], now: datetime) -> dict[UUID, datetime]:
    rows = WaterAdministration.objects.shown().filter(subject__in=list(animals), counts=True, at__lte=now)
    return dict(rows.order_by().values("subject").annotate(last=Max("at")).values_list("subject", "last"))


def _restricted_since(animals: Iterable[Subject], now: datetime) -> dict[UUID, datetime]:
    rows = WaterRestriction.objects.shown().filter(subject__in=list(animals), started_at__lte=now)
    in_force = rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=now))
    return dict(in_force.order_by().values("subject").annotate(last=Max("started_at")).values_list("subject", "last"))


def _trained(animals: Iterable[Subject], day: date) -> QuerySet[Any]:
    """Those with a session on that day, or with a reward of one."""
    recorded = Q(sessions__path_date=day, sessions__withdrawn_at__isnull=True)
    rewarded = WaterAdministration.objects.shown().filter(
        subject=OuterRef("pk"), session_id__isnull=False, counts=True, at_wall__date=day
    )
    among = Subject.objects.filter(pk__in=[one.pk for one in animals])
    return among.filter(recorded | Exists(rewarded)).values_list("pk", flat=True).distinct()


def _begin(part: str, lab: Lab, day: date, kind: NotificationKind, title: str) -> bool:
    """Whether this ticker makes the round."""
    key = f"{part}:{lab.pk}:{day}"
    if Notification.objects.filter(key=key).exists():
        return False
    return mark(kind=kind, about=lab, key=key, title=f"{title} of {lab.name}, {day}", text="Made.", lab=lab)


# The morning.


def morning_round(lab: Lab, now: datetime) -> None:
    """Once per lab and local date: a digest for everybody who has something to do there."""
    day = rules.morning_of(clock.utc_to_wall(now, lab.timezone), settings.ALYX_DIGEST_AT)
    if day is None or not _begin("digest", lab, day, NotificationKind.DIGEST, "Morning digest"):
        return
    animals = list(restricted(lab, now))
    days = numbers(animals, day, now)
    animals = [one for one in animals if one.pk in days]
    managers = set(Membership.objects.filter(lab=lab, role__in=MANAGING_ROLES).values_list("user_id", flat=True))
    keepers = set(
        Subject.objects.shown().alive().filter(lab=lab, responsible_user__isnull=False)
        .order_by().values_list("responsible_user_id", flat=True).distinct()
    )  # fmt: skip
    people = who_is_told(NotificationKind.DIGEST, lab.pk, lab, managers | keepers)
    everything = set(
        NotificationRule.objects.filter(kind=NotificationKind.DIGEST, scope__in=[RuleScope.LAB, RuleScope.ALL])
        .values_list("user_id", flat=True)
    )  # fmt: skip
    of_lab = _open_flags(lab).count()
    of_keeper = _flags_by_keeper(lab)
    for user in User.objects.filter(pk__in=people.told | people.muted).order_by("pk"):
        with aside("the morning", user):
            whole = user.pk in everything
            mine = animals if whole else [one for one in animals if one.responsible_user_id == user.pk]
            said = rules.digest(
                rules.Morning(
                    lab=lab.name,
                    on=day,
                    animals=[rules.Animal(one.nickname, days[one.pk]) for one in mine],
                    flags=of_lab if whole or user.pk in managers else of_keeper.get(user.pk, 0),
                    mails=troubled(user).filter(Q(notification__lab=lab) | Q(notification__lab=None)).count(),
                )
            )
            if said is not None:
                tell_one(
                    user=user.pk,
                    is_muted=user.pk in people.muted,
                    kind=NotificationKind.DIGEST,
                    about=lab,
                    key=f"digest:{lab.pk}:{day}:{user.pk}",
                    title=said.title,
                    text=said.text,
                    lab=lab,
                    status=said.status,
                )


def _open_flags(lab: Lab) -> QuerySet[ReviewFlag]:
    return ReviewFlag.objects.filter(state=FlagState.OPEN, lab_id=lab.pk)


def _flags_by_keeper(lab: Lab) -> dict[UUID, int]:
    """Open flags about the animals of each responsible user, and about their weighings, water and restrictions."""
    counts: dict[UUID, int] = {}
    for model, path in ((Subject, "pk"), (Weighing, "weighing"), (WaterAdministration, "wateradministration"),
                        (WaterRestriction, "waterrestriction")):  # fmt: skip
        kind = ContentType.objects.get_for_model(model)
        keys = _open_flags(lab).filter(content_type=kind).values("object_id")
        rows = Subject.objects.filter(responsible_user__isnull=False, **{f"{path}__in": keys}).order_by()
        for keeper in rows.annotate(flagged=F(path)).values_list("responsible_user_id", flat=True):
            counts[keeper] = counts.get(keeper, 0) + 1
    return counts
