"""`GET /why`: why a file can or cannot be loaded, and what happens next."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Ambiguous, Invalid, NotFound
from alyx.core.reading import readable
from alyx.core.rest.names import nearest
from alyx.core.rest.views import Endpoint
from datasets.models import SERVER_ROLES, Dataset, FileRecord
from datasets.rules import alf
from datasets.rules.copies import EXISTS, CopyState
from datasets.rules.standing import dataset_standing
from sessions.models import Session
from subjects.models import Subject
from transfers.queries import Explanation, explain_all

AT_MOST = 100
"""So many datasets of a session are explained; the count says how many there are."""
NAMES_AT_MOST = 5000


class Why(Endpoint):
    """`/why?eid=…&dataset=…`; without `dataset` those of the session that cannot be loaded."""

    pagination_class = None

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """In words and as fields."""
        asked = {name: request.query_params.get(name, "").strip() for name in ("eid", "session", "dataset")}
        if any("\x00" in word for word in asked.values()):
            raise Invalid("a name holds no NUL")
        eid, word = asked["eid"] or asked["session"], asked["dataset"]
        if not eid and not word:
            raise Invalid.of("eid", "name a session by its id or subject/date/number, a dataset by its id, or both")
        session = _session(self.actor, eid) if eid else None
        if not word and session is not None:
            return Response(_of_session(session))
        dataset = _dataset(self.actor, session, word)
        return Response(_told(explain_all([dataset])[0]) | {"session": dataset.session_id})


def _uuid(word: str) -> UUID | None:
    try:
        return UUID(word)
    except ValueError:
        return None


def _session(actor: Any, word: str) -> Session:
    """By id, or by subject/date/number. Raises NotFound with the nearest there are."""
    rows: QuerySet[Session] = readable(actor, Session.objects.shown())
    key = _uuid(word)
    found: Session | None
    if key is not None:
        found = rows.filter(pk=key).first()
        if found is None:
            raise NotFound(f"there is no session {key}")
        return found
    try:
        path = alf.parse_session(word)
    except alf.PathRefused as refused:
        raise NotFound(f"{word[:100]!r} is neither the id of a session nor subject/date/number: {refused}") from None
    here = list(rows.filter(subject__nickname=path.subject, path_date=path.date, number=path.number)[:10])
    if not here:
        raise NotFound(f"there is no session {path}{_near_sessions(actor, rows, path)}")
    if len(here) > 1:
        ids = [str(one.pk) for one in here]
        raise Ambiguous(f"several labs have a session {path}; name it by its id: {', '.join(ids)}", fields={"eid": ids})
    return here[0]


def _near_sessions(actor: Any, rows: QuerySet[Session], path: alf.SessionPath) -> str:
    own = rows.filter(subject__nickname=path.subject).values_list("subject__nickname", "path_date", "number")
    paths = [str(alf.SessionPath(*one)) for one in own.order_by("-path_date")[:NAMES_AT_MOST]]
    if paths:
        return nearest(str(path), paths)
    animals = readable(actor, Subject.objects.shown()).order_by().values_list("nickname", flat=True)
    return f"; no animal is named {path.subject!r}{nearest(path.subject, animals[:NAMES_AT_MOST])}"


def _dataset(actor: Any, session: Session | None, word: str) -> Dataset:
    """By id, or by its name or path in the session. Raises NotFound with the nearest there are, Ambiguous."""
    rows: QuerySet[Dataset] = readable(actor, Dataset.objects.shown()).select_related("revision", "session")
    if session is not None:
        rows = rows.filter(session=session)
    key = _uuid(word)
    if key is not None:
        found = rows.filter(pk=key).first()
        if found is None:
            where = f" of session {session.pk}" if session is not None else ""
            raise NotFound(f"there is no dataset {key}{where}")
        return found
    if session is None:
        raise Invalid.of("eid", "a dataset without its id needs a session")
    return _named(list(rows.order_by("collection", "name", "revision__name")[:NAMES_AT_MOST]), word.strip("/"))


def _named(rows: list[Dataset], word: str) -> Dataset:
    """The one of this path, else the default one of this collection and name, else of this name."""
    for named in (
        [row for row in rows if row.path == word],
        [row for row in rows if f"{row.collection}/{row.name}".lstrip("/") == word],
        [row for row in rows if row.name == word],
        [row for row in rows if row.name.rsplit(".", 1)[0] == word],
    ):
        defaults = [row for row in named if row.is_default] or named
        if len(defaults) > 1:
            paths = sorted(row.path for row in defaults)
            raise Ambiguous(
                f"{word[:100]!r} is several datasets: {', '.join(paths[:10])}", fields={"dataset": paths[:10]}
            )
        if defaults:
            return defaults[0]
    near = nearest(word, [row.path for row in rows]) or nearest(word, [row.name for row in rows])
    raise NotFound(f"no dataset of this session is named {word[:100]!r}{near}")


def _of_session(session: Session) -> dict[str, Any]:
    served = FileRecord.objects.filter(
        dataset=OuterRef("pk"),
        state__in=sorted(EXISTS),
        content_version=OuterRef("content_version"),
        repository__data_url__isnull=False,
    ).exclude(repository__data_url="")
    rows = Dataset.objects.shown().filter(session=session)
    lost = rows.filter(~Exists(served)).select_related("revision").order_by("collection", "name", "id")
    count, of = lost.count(), rows.count()
    shown = [_told(one) for one in explain_all(list(lost[:AT_MOST]))]
    says = "it has no datasets" if not of else f"{of - count} of {of} datasets can be loaded"
    return {"session": session.pk, "says": says, "datasets": of, "cannot_be_loaded": count, "results": shown}


def _told(one: Explanation) -> dict[str, Any]:
    copies = [copy for copy in one.copies if copy["state"] not in {CopyState.TRASHED, CopyState.DELETED}]
    states = [(copy["role"] in SERVER_ROLES, CopyState(copy["state"])) for copy in copies]
    servers, others = ([state for is_server, state in states if is_server is wanted] for wanted in (True, False))
    status, standing = dataset_standing(servers, others)
    served = [copy["repository"] for copy in copies if copy["is_served"]]
    loaded = f"it can be loaded from {', '.join(served)}" if served else "it cannot be loaded"
    return {
        "dataset": one.dataset,
        "path": one.path,
        "can_be_loaded": bool(served),
        "status": status.value,
        "says": f"{loaded}: {standing}",
        "version": one.version,
        "content": one.content,
        "notes": one.notes,
        "copies": [_copy(copy) for copy in one.copies],
    }


def _copy(copy: dict[str, Any]) -> dict[str, Any]:
    names = (
        "repository",
        "role",
        "path",
        "state",
        "meaning",
        "version",
        "is_served",
        "proved_at",
        "evidence",
        "reason",
    )
    return {
        **{name: copy[name] for name in names},
        "exists": copy["exists_on_the_wire"],
        "last_failure": copy["last_failure"],
        "next": {"what": copy["why"], "at": copy["next_at"], "who": copy["acts"], "tries": copy["tries"]},
    }
