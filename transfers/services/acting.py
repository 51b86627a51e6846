"""What a person does about trouble of the night: try again, pass on, leave with a reason.

Each acts on exactly what the person saw: the group, and of it what had not changed since the page was made. Doing it twice changes
nothing more.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from alyx.core import clock
from alyx.core.audit import because
from alyx.core.clock import AlyxNow
from alyx.core.errors import Invalid, NotFound
from alyx.core.status import Status
from alyx.core.transitions import transition
from alyx.labs.models import Lab, Membership, NotificationKind, Role, User
from alyx.labs.notifying import notify
from alyx.labs.permissions import Right, authorise
from datasets.models import FileRecord, Repository
from transfers.models import Decision, NightWindow, TransferItem
from transfers.models.decision import About, DecisionKind
from transfers.models.window import WindowState
from transfers.queries.needs import Key, Need, needs
from transfers.queries.sql import LAB_OF
from transfers.rules.lifecycle import ItemState
from transfers.services.windows import open_by_hand

REASON_AT_MOST = 500
_WAITING = (ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT)

_SET = f"""
SELECT i.id FROM transfers_transferitem i JOIN datasets_filerecord c ON c.id = i.source_id
  JOIN datasets_dataset d ON d.id = i.dataset_id LEFT JOIN lab_sessions_session s ON s.id = d.session_id
 WHERE i.state = ANY (%(states)s) AND i.updated_at <= %(as_of)s AND {LAB_OF} = %(lab)s
   AND (%(code)s = '' OR coalesce(nullif(i.last_error_code, ''), 'unknown') = %(code)s)
   AND (%(source)s::uuid IS NULL OR c.repository_id = %(source)s::uuid)
   AND (%(destination)s::uuid IS NULL OR i.destination_id = %(destination)s::uuid)
   AND NOT EXISTS (SELECT 1 FROM transfers_decision n WHERE n.subject_id = i.id AND n.kind = 'ignored'
                    AND n.lab_id = %(lab)s AND n.ended_at IS NULL
                    AND n.code = coalesce(nullif(i.last_error_code, ''), 'unknown'))
 ORDER BY i.id FOR UPDATE OF i
"""  # noqa: S608  (put together from constants)


@dataclass(frozen=True)
class Acted:
    """How many things it was done to."""

    count: int
    lab: Lab
    opened: int = 0
    """Windows that were opened by hand."""


def _lab(key: uuid.UUID) -> Lab:
    lab = Lab.objects.filter(pk=key).first()
    if lab is None:
        raise NotFound(f"there is no lab {key}")
    return lab


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason:
        raise Invalid.of("reason", "say why, in a sentence: it stays with the decision")
    if len(reason) > REASON_AT_MOST:
        raise Invalid.of("reason", f"at most {REASON_AT_MOST} characters")
    return reason


def _held(lab: Lab, key: Key | None, as_of: datetime) -> list[uuid.UUID]:
    """The items of the group (None: of all groups of the lab) as the person saw them, locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SET,
            {
                "lab": lab.pk,
                "as_of": as_of,
                "states": [key.state] if key and key.state else [str(state) for state in _WAITING],
                "code": key.code if key else "",
                "source": key.source if key else None,
                "destination": key.destination if key else None,
            },
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def retry_failed(
    *,
    actor: Any,
    lab: uuid.UUID,
    key: Key | None = None,
    as_of: datetime | None = None,
    reason: str = "",
    now: bool = False,
) -> Acted:
    """Try again everything of a group that failed and was not ignored (None: of all groups of the lab), with a clean count.

    as_of: what has changed after this is left alone, because nobody has seen it; None: nothing is.
    now: the windows of the sources are opened by hand, so that it does not wait for the night; all that waits there moves too.
    Raises Forbidden, NotFound, Invalid (a group without files on their way).
    """
    held_lab = _lab(lab)
    authorise(actor, held_lab, act="retry transfers", to=Right.MANAGE)
    if key is not None and (key.about != "item" or key.lab != lab):
        raise Invalid.of("need", "only files on their way are tried again; a copy is looked at, a repository put right")
    items = _held(held_lab, key, as_of or clock.now())
    return Acted(*_again(items, held_lab, reason, actor=actor, now=now))


@transaction.atomic
def retry_items(*, actor: Any, items: list[uuid.UUID], reason: str = "", now: bool = False) -> int:
    """Try exactly these again that wait; how many did. Raises Forbidden when one is of a lab the actor does not manage."""
    labs = _by_lab(items)
    for lab in labs:
        authorise(actor, lab, act="retry transfers", to=Right.MANAGE)
    return sum(_again(mine, lab, reason, actor=actor, now=now)[0] for lab, mine in labs.items())


def _by_lab(items: list[uuid.UUID]) -> dict[Lab, list[uuid.UUID]]:
    """These of the items that wait, locked, by lab."""
    sql = f"""
        SELECT i.id, {LAB_OF} FROM transfers_transferitem i JOIN datasets_dataset d ON d.id = i.dataset_id
          LEFT JOIN lab_sessions_session s ON s.id = d.session_id
         WHERE i.id = ANY (%s) AND i.state = ANY (%s) ORDER BY i.id FOR UPDATE OF i
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [items, [str(state) for state in _WAITING]])
        found: dict[uuid.UUID, list[uuid.UUID]] = {}
        for item, lab in cursor.fetchall():
            found.setdefault(lab, []).append(item)
    return {lab: found[lab.pk] for lab in Lab.objects.filter(pk__in=found).order_by("name")}


def _again(items: list[uuid.UUID], lab: Lab, reason: str, *, actor: Any, now: bool) -> tuple[int, Lab, int]:
    with because(reason.strip()):
        count = transition(
            TransferItem.objects.filter(pk__in=items),
            sources=_WAITING,
            to=ItemState.PLANNED,
            attempts=0,
            not_before=AlyxNow(),
            job=None,
        )
        Decision.objects.filter(about=About.ITEM, subject_id__in=items, ended_at__isnull=True).update(
            ended_at=AlyxNow()
        )
        opened = len(_open(actor, items)) if now and count else 0
    return count, lab, opened


def _open(actor: Any, items: list[uuid.UUID]) -> list[Any]:
    """Windows of the sources of these items that are not open already."""
    sources = Repository.objects.filter(file_records__items_from__in=items).distinct()
    open_now = NightWindow.objects.filter(repository=OuterRef("pk"), state=WindowState.OPEN, ends_at__gt=AlyxNow())
    return open_by_hand(actor=actor, repositories=sources.filter(~Exists(open_now)).order_by("pk"))


@transaction.atomic
def ignore(*, actor: Any, key: Key, as_of: datetime, reason: str) -> Acted:
    """Leave what is in a group, saying why: it stands folded below the others until it is tried again or new trouble comes.

    Raises Forbidden, NotFound, Invalid (no reason).
    """
    return _decide(DecisionKind.IGNORED, actor, key, as_of, _reason(reason))


@transaction.atomic
def escalate(*, actor: Any, key: Key, as_of: datetime, reason: str) -> Acted:
    """Tell the heads of the lab and whoever runs the server, with what is known and why; the group stays where it is.

    Raises Forbidden, NotFound (nothing is left of the group), Invalid (no reason).
    """
    said = _reason(reason)
    lab = _lab(key.lab)
    authorise(actor, lab, act="pass trouble on", to=Right.MANAGE)
    need = next((one for one in needs([lab]) if str(one.key) == str(key)), None)
    if need is None:
        raise NotFound("nothing is left of this group: it was put right meanwhile")
    acted = _decide(DecisionKind.ESCALATED, actor, key, as_of, said)
    if acted.count:
        _tell(actor, lab, need, said)
    return acted


def _decide(kind: DecisionKind, actor: Any, key: Key, as_of: datetime, reason: str) -> Acted:
    lab = _lab(key.lab)
    authorise(actor, lab, act="decide about trouble of the night", to=Right.MANAGE)
    rows = [
        Decision(
            kind=kind, lab=lab, about=key.about, subject_id=subject, code=key.code, reason=reason, decided_by=actor
        )
        for subject in _subjects(lab, key, as_of)
    ]
    keys = [row.subject_id for row in rows]
    with because(reason):
        if key.about != About.ITEM:  # an older decision was about trouble that is over
            stale = Decision.objects.filter(
                lab=lab, kind=kind, code=key.code, subject_id__in=keys, ended_at__isnull=True
            )
            stale.filter(created_at__lt=_episode(lab, key)).update(ended_at=AlyxNow())
        before = Decision.objects.filter(lab=lab, kind=kind, code=key.code, subject_id__in=keys, ended_at__isnull=True)
        known = set(before.values_list("subject_id", flat=True))
        Decision.objects.bulk_create([row for row in rows if row.subject_id not in known], ignore_conflicts=True)
    return Acted(len(set(keys) - known), lab)


def _episode(lab: Lab, key: Key) -> datetime:
    """When this trouble began; the beginning of time where nobody knows."""
    need = next((one for one in needs([lab]) if str(one.key) == str(key)), None)
    since = need.since if need else None
    return since or datetime.min.replace(tzinfo=clock.now().tzinfo, year=1970)


def _subjects(lab: Lab, key: Key, as_of: datetime) -> list[uuid.UUID]:
    if key.about == About.ITEM:
        return _held(lab, key, as_of)
    if key.about == About.PLACE:
        if key.source is None:
            return []
        here = key.source == lab.pk or Repository.objects.filter(pk=key.source, labs=lab).exists()
        return [key.source] if here else []
    return list(copies_of(lab, key).filter(updated_at__lte=as_of).order_by("pk").values_list("pk", flat=True))


def copies_of(lab: Lab, key: Key) -> QuerySet[FileRecord]:
    """The copies of a group of copies."""
    rows: QuerySet[FileRecord] = FileRecord.objects.filter(
        repository=key.source, state=key.code, dataset__withdrawn_at=None, repository__labs=lab
    )
    if key.code == "announced":
        rows = rows.filter(first_miss_at__isnull=False)
    return rows.filter(dataset__session__lab=lab) | rows.filter(dataset__session=None)


@transaction.atomic
def look_again(*, actor: Any, key: Key) -> int:
    """Read the copies of a group back now; how many. Raises Forbidden, NotFound."""
    lab = _lab(key.lab)
    authorise(actor, lab, act="have copies verified", to=Right.MANAGE)
    keys = list(copies_of(lab, key).values_list("pk", flat=True))
    return FileRecord.objects.filter(pk__in=keys, content_version=F("dataset__content_version")).update(
        look_due_at=AlyxNow()
    )


def _tell(actor: Any, lab: Lab, need: Need, said: str) -> None:
    heads = Membership.objects.filter(lab=lab, role=Role.HEAD).values("user")
    people = User.objects.filter(is_active=True).filter(pk__in=heads) | User.objects.filter(
        is_active=True, is_superuser=True
    )
    lines = [
        f"{actor} passes this on: {said}",
        f"{need.title}: {need.count} {'file' if need.key.about != 'place' else 'thing'}{'' if need.count == 1 else 's'}.",
        need.said,
        f"To do, by {need.who}: {need.do}.",
        *[f"- {example.path}" for example in need.examples if need.key.about != "place"],
    ]
    notify(
        kind=NotificationKind.NIGHT_ESCALATED,
        about=lab,
        key=f"night_escalated:{need.key}:{clock.now().isoformat()}",
        title=f"{lab.name}: {need.title}",
        text="\n".join(line for line in lines if line),
        lab=lab,
        status=Status.FAILED,
        extra_recipients=list(people),
    )
