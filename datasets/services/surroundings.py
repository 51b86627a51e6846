"""What a registration refers to: the session or object whose files they are (locked), and, in one query, the
repositories, types, formats and revisions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import QuerySet

from alyx.core.errors import Ambiguous, Forbidden, Invalid
from alyx.core.prepared import rows_of
from alyx.labs.models import Lab, Project
from alyx.labs.permissions import writable_labs
from datasets.models import RepositoryRole, RepositoryState, Tag
from datasets.permissions import authorise_owner, lab_of_owner, projects_of, projects_of_owner
from datasets.rules.alf import SessionPath
from datasets.rules.matching import FormatMatcher, FormatRow, TypeMatcher, TypeRow
from datasets.rules.refusals import shown
from datasets.services.register_call import RegisterCall
from sessions.models import Session
from subjects.models import Subject

OWNERS: dict[str, type[models.Model]] = {"subject": Subject, "project": Project, "tag": Tag, "lab": Lab}
"""What a dataset without a session may belong to, by the clients' word."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose files these are. `prefix` is the session's folder, "" for an aggregate."""

    lab: Lab | None
    session_id: UUID | None = None
    content_type_id: int | None = None
    object_id: UUID | None = None
    prefix: str = ""
    projects: QuerySet[Project] | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """Of a dataset."""
        return {
            "session_id": self.session_id,
            "content_type_id": self.content_type_id,
            "object_id": self.object_id,
        }


def find_owner(*, actor: Any, call: RegisterCall, lock: bool) -> Owner:
    """The session, or the object named by content type and id. With `lock`, nobody else registers files of it until the
    transaction ends. Raises Invalid when there is none, Ambiguous when several labs have one."""
    if call.session is not None:
        return _owner_of_session(_find_session(actor, call, call.session, lock=lock))
    return _find_object(call, lock=lock)


def _owner_of_session(session: Session) -> Owner:
    path = SessionPath(session.subject.nickname, session.path_date, session.number)
    return Owner(lab=session.lab, session_id=session.pk, prefix=str(path), projects=projects_of(session))


def _find_session(actor: Any, call: RegisterCall, path: SessionPath, *, lock: bool) -> Session:
    animals = Subject.objects.shown().named(path.subject)
    rows = Session.objects.shown()
    if call.session_id is not None:
        rows = rows.filter(pk=call.session_id)
    else:
        rows = rows.filter(subject__in=animals, path_date=path.date, number=path.number)
    rows = rows.select_related("subject", "lab").order_by("pk")
    if lock:
        rows = rows.select_for_update(of=("self",), no_key=True)
    found: list[Session] = list(rows)
    if len(found) > 1:
        found = _narrowed(actor, found, call.labs)
    if not found:
        raise _no_session(path)
    return found[0]


def _narrowed(actor: Any, found: list[Session], labs: Sequence[str]) -> list[Session]:
    names = {name.lower() for name in labs}
    mine = [session for session in found if session.lab.name.lower() in names]
    if len(mine) != 1:
        writable = writable_labs(actor)
        mine = [session for session in mine or found if session.lab_id in writable]
    if len(mine) == 1:
        return mine
    where = ", ".join(sorted(session.lab.name for session in found))
    raise Ambiguous(f"several labs have this session ({where}); say which in labs", fields={"labs": f"one of {where}"})


def _no_session(path: SessionPath) -> Invalid:
    if not Subject.objects.shown().named(path.subject).exists():
        return Invalid.of("path", f"there is no subject {shown(path.subject)}; register it first")
    return Invalid.of("path", f"there is no session {path}; create it first (POST /sessions)")


def owner_model(word: str) -> type[models.Model]:
    """The model behind a client's content type (`subject`, `subjects.subject`). Raises Invalid."""
    model = OWNERS.get(word.rpartition(".")[2].lower())
    if model is None:
        raise Invalid.of("content_type", f"{shown(word)} has no datasets of its own; use one of {', '.join(OWNERS)}")
    return model


def _find_object(call: RegisterCall, *, lock: bool) -> Owner:
    model = owner_model(call.content_type)
    found = model._default_manager.filter(pk=call.object_id)
    if model is Subject:
        found = found.filter(withdrawn_at__isnull=True).select_related("lab")
    thing: Any = found.first()
    if thing is None:
        raise Invalid.of("object_id", f"there is no {call.content_type} {call.object_id}")
    if lock:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(call.object_id)])
    content_type = ContentType.objects.get_for_model(model)
    return Owner(
        lab=lab_of_owner(thing),
        content_type_id=content_type.pk,
        object_id=call.object_id,
        projects=projects_of_owner(thing),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A repository, as registration needs it."""

    id: UUID
    name: str
    role: str
    state: str
    hostname: str
    uuid_in_names: bool
    case_sensitive: bool
    labs: frozenset[UUID]

    @property
    def is_server(self) -> bool:
        """Not a lab's own."""
        return self.role != RepositoryRole.LAB

    @property
    def filled(self) -> bool:
        """Whether new copies are still meant to come here."""
        return self.state not in {RepositoryState.RETIRING, RepositoryState.RETIRED}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`places` are by id, `named` is the repository the call names."""

    places: dict[UUID, Place]
    named: Place | None
    lab_ids: frozenset[UUID]
    types: TypeMatcher = field(repr=False)
    formats: FormatMatcher = field(repr=False)
    type_id: UUID | None
    format_id: UUID | None
    revisions: dict[str, UUID] = field(repr=False)
    created_by: UUID | None = None


_LOOK_AROUND = """
SELECT made FROM (WITH lab AS (SELECT id, name FROM labs_lab WHERE id = %(lab)s::uuid OR lower(name) = ANY(%(labs)s::text[])),
     place AS (
    SELECT r.* FROM datasets_repository r
    WHERE r.name = %(name)s::text OR %(name)s::text <> '' AND r.hostname = %(name)s::text
       OR EXISTS (SELECT 1 FROM datasets_repository_labs l JOIN lab ON lab.id = l.lab_id WHERE l.repository_id = r.id))
SELECT json_build_object(
    'labs', (SELECT coalesce(json_agg(json_build_array(id, name)), '[]') FROM lab),
    'places', (SELECT coalesce(json_agg(json_build_array(
        p.id, p.name, p.role, p.state, p.hostname, p.uuid_in_names, p.case_sensitive,
        (SELECT coalesce(json_agg(l.lab_id), '[]') FROM datasets_repository_labs l WHERE l.repository_id = p.id))
        ORDER BY p.name), '[]') FROM place p),
    'types', (SELECT coalesce(json_agg(json_build_array(id, name, filename_pattern)), '[]') FROM datasets_datasettype),
    'formats', (SELECT coalesce(json_agg(json_build_array(id, name, file_extension)), '[]') FROM datasets_dataformat),
    'revisions', (SELECT coalesce(json_object_agg(name, id), '{}') FROM datasets_revision WHERE name = ANY(%(revisions)s::text[])),
    'created_by', (SELECT id FROM labs_user WHERE username = %(created_by)s::text)
)::text AS made) around
"""


def look_around(*, call: RegisterCall, owner: Owner) -> Surroundings:
    """Read what the call refers to. Raises Invalid for an unknown repository, lab or user."""
    wanted = call.repository or call.hostname
    said = {
        "lab": owner.lab.pk if owner.lab else None,
        "labs": [name.lower() for name in call.labs],
        "name": wanted,
        "revisions": sorted({file.path.revision for file in call.files} - {""}),
        "created_by": call.created_by,
    }
    [[text]] = rows_of(_LOOK_AROUND, said)
    read = orjson.loads(text)
    labs = {UUID(lab): str(name) for lab, name in read["labs"]}
    _refuse_unknown_labs(call.labs, labs.values())
    places = [_place(row) for row in read["places"]]
    if call.created_by and read["created_by"] is None:
        raise Invalid.of("created_by", f"there is no user {shown(call.created_by)}")
    return Surroundings(
        places={place.id: place for place in places},
        named=_named(wanted, "name" if call.repository else "hostname", places, frozenset(labs)),
        lab_ids=frozenset(labs),
        types=TypeMatcher(TypeRow(UUID(row[0]), row[1], row[2]) for row in read["types"]),
        formats=FormatMatcher(FormatRow(UUID(row[0]), row[1], row[2]) for row in read["formats"]),
        type_id=_word(call.dataset_type, "dataset_type", read["types"]),
        format_id=_word(call.data_format, "data_format", read["formats"]),
        revisions={name: UUID(pk) for name, pk in read["revisions"].items()},
        created_by=UUID(read["created_by"]) if read["created_by"] else None,
    )


def _word(name: str, field_name: str, rows: Sequence[Sequence[str]]) -> UUID | None:
    if not name:
        return None
    for pk, known, _ in rows:
        if known == name:
            return UUID(pk)
    raise Invalid.of(field_name, f"there is no {field_name.replace('_', ' ')} {shown(name)}")


def _place(row: Sequence[Any]) -> Place:
    pk, name, role, state, hostname, uuid_in_names, case_sensitive, labs = row
    return Place(UUID(pk), name, role, state, hostname, uuid_in_names, case_sensitive, frozenset(map(UUID, labs)))


def _refuse_unknown_labs(asked: Sequence[str], known: Collection[str]) -> None:
    have = {name.lower() for name in known}
    if unknown := [name for name in asked if name.lower() not in have]:
        raise Invalid.of("labs", f"there is no lab {', '.join(map(shown, unknown))}")


def _named(wanted: str, field_name: str, places: Sequence[Place], labs: frozenset[UUID]) -> Place | None:
    if not wanted:
        return None
    hits = (
        [place for place in places if place.name == wanted]
        or [place for place in places if place.hostname == wanted and place.labs & labs]
        or [place for place in places if place.hostname == wanted]
    )
    if not hits:
        raise Invalid.of(field_name, f"there is no repository {shown(wanted)}")
    if len(hits) > 1:
        names = ", ".join(place.name for place in hits)
        raise Invalid.of(field_name, f"several repositories are on host {shown(wanted)} ({names}); send name")
    return hits[0]


def authorise_registration(*, actor: Any, call: RegisterCall, owner: Owner, around: Surroundings) -> None:
    """Raise Forbidden unless the actor may register files of the owner, in the labs and at the place that are named."""
    authorise_owner(actor, owner.lab, owner.projects, act="register files")
    others = around.lab_ids - ({owner.lab.pk} if owner.lab else set())
    named = around.named
    foreign = named is not None and named.labs and not named.labs & around.lab_ids
    if not (others or foreign):
        return
    writable = writable_labs(actor)
    if others - writable:
        raise Forbidden(f"{actor} may not register files in all of the labs {', '.join(call.labs)}")
    if foreign and named is not None and not named.labs & writable:
        raise Forbidden(f"{named.name} belongs to another lab; {actor} may not register files there")
