"""Repositories: places where copies lie."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Lab, validate_time_zone
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from datasets.models import FileRecord, Repository, RepositoryKind, RepositoryRole, RepositoryType
from datasets.rules import bandwidth
from datasets.services.secrets import refuse_secrets

_NAME = re.compile(r"[\w.-]+(?: [\w.-]+)*")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^/\s?#]+)*")
_COLLECTION = re.compile(r"globus://([0-9a-fA-F-]{32,36})((?:/[^/\s?#]+)*)")
_WORD = re.compile(r"[\w.-]*")
_WHERE = ("root", "endpoint", "region", "credential")
_SUPERUSERS_ONLY = (*_WHERE, "kind", "role", "uuid_in_names", "case_sensitive")
"""Which bytes of this machine are read and served, with whose keys, under which names: not for clients to decide."""
_TAKEN = {
    "one_repository_per_directory": "root",
    "one_repository_per_bucket_folder": "root",
    "one_repository_per_collection_folder": "root",
}


@transaction.atomic
def create_repository(
    *,
    actor: Any,
    name: str,
    kind: str = RepositoryKind.POSIX,
    role: str = RepositoryRole.LAB,
    labs: Sequence[Lab] = (),
    root: str = "",
    timezone: str = "UTC",
    data_url: str | None = None,
    uuid_in_names: bool | None = None,
    **columns: Any,
) -> Repository:
    """A new repository. `uuid_in_names` None: as its role has it (servers yes, a lab's own no).

    Managers of the labs may make one; where it lies is set by superusers only. Raises Forbidden, Invalid.
    """
    _authorise(actor, labs, act="make repositories", right=Right.MANAGE)
    if (root or any(columns.get(name) for name in _WHERE)) and not actor.is_superuser:
        raise Forbidden(f"{actor} may not say where a repository lies: that is for superusers")
    if not _NAME.fullmatch(name):
        raise Invalid.of("name", "a repository's name has letters, digits, spaces and _ . - only")
    values = _checked({**columns, "root": root, "timezone": timezone, "data_url": data_url}, kind)
    named = role != RepositoryRole.LAB if uuid_in_names is None else uuid_in_names
    try:
        with transaction.atomic():
            made: Repository = Repository.objects.create(name=name, kind=kind, role=role, uuid_in_names=named, **values)
    except IntegrityError as error:
        field = next((field for name, field in _TAKEN.items() if name in str(error)), "name")
        raise Invalid.of(field, f"there is a repository with this {field} already") from None
    made.labs.set(labs)
    return made


@transaction.atomic
def change_repository(*, actor: Any, repository: Repository, changes: Mapping[str, Any]) -> Repository:
    """Change columns. Members who write may change `json` (a lab server's health report), managers the rest but for what
    is the superusers'. Raises Forbidden, Invalid."""
    repository = locked(Repository.objects.all(), repository.pk)
    changed = {name: value for name, value in changes.items() if getattr(repository, name) != value}
    if not changed:
        return repository
    labs = list(repository.labs.all())
    right = Right.REGISTER if set(changed) <= {"json"} else Right.MANAGE
    _authorise(actor, labs, act=f"change {repository.name}", right=right)
    if (found := [name for name in _SUPERUSERS_ONLY if name in changed]) and not actor.is_superuser:
        raise Forbidden(f"{actor} may not change {', '.join(found)} of a repository: that is for superusers")
    if "name" in changed:
        raise Invalid.of("name", "a repository is not renamed over REST; clients know it by its name")
    if "uuid_in_names" in changed and FileRecord.objects.filter(repository=repository).exists():
        raise Invalid.of("uuid_in_names", "copies lie there already, under names of the other kind")
    kind = changed.get("kind", repository.kind)
    whole = {"root": repository.root} | changed if "kind" in changed else changed
    try:
        with transaction.atomic():
            store(repository, _checked(whole, kind))
    except IntegrityError:
        raise Invalid.of("root", "there is a repository at this place already") from None
    return repository


@transaction.atomic
def delete_repository(*, actor: Any, repository: Repository) -> None:
    """Remove a repository that holds no copy. Raises Forbidden."""
    repository = locked(Repository.objects.all(), repository.pk)
    _authorise(actor, list(repository.labs.all()), act="delete repositories", right=Right.MANAGE)
    try:
        repository.delete()
    except ProtectedError:
        text = f"repository {repository.name} has copies on record; retire it instead"
        raise Forbidden(text) from None


def _authorise(actor: Any, labs: Sequence[Lab], *, act: str, right: Right) -> None:
    for lab in labs:
        authorise(actor, lab, act=act, to=right)
    if not labs:
        authorise_anywhere(actor, act=act, to=right)


def _checked(columns: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The columns, put right. Raises Invalid."""
    values = dict(columns)
    if values.get("json") is not None:
        refuse_secrets(values["json"])
    if "timezone" in values:
        _refuse_unknown_zone(values["timezone"])
    if "bandwidth" in values:
        values["bandwidth"] = _bandwidth(values["bandwidth"] or "")
    if "data_url" in values:
        values["data_url"] = _address(values["data_url"])
    if values.get("repository_type"):  # a new word is a type from now on
        RepositoryType.objects.get_or_create(name=values["repository_type"])
    if values.get("root"):
        values["root"] = _root(kind, values["root"])
    if values.get("endpoint"):
        values["endpoint"] = _endpoint(values["endpoint"])
    for name in ("region", "credential"):
        if not _WORD.fullmatch(values.get(name) or ""):
            raise Invalid.of(name, "send the name only: letters, digits and _ . -")
    return values


def _refuse_unknown_zone(name: str) -> None:
    try:
        validate_time_zone(name)
    except ValidationError as error:
        raise Invalid("; ".join(error.messages), fields={"timezone": error.messages}) from None


def _bandwidth(text: str) -> str:
    try:
        return bandwidth.written(bandwidth.parse(text))
    except ValueError as error:
        raise Invalid.of("bandwidth", str(error)) from None


def _root(kind: str, root: str) -> str:
    if kind == RepositoryKind.S3:
        if not _BUCKET.fullmatch(root.rstrip("/")):
            raise Invalid.of("root", "send s3://bucket/folder, the folder that holds the subjects' folders")
        return root.rstrip("/")
    if kind == RepositoryKind.GLOBUS:
        return _collection(root.rstrip("/"))
    if not PurePosixPath(root).is_absolute():
        raise Invalid.of("root", "send an absolute path")
    return root


def _collection(root: str) -> str:
    """One spelling for one place: the id as Globus writes it."""
    found = _COLLECTION.fullmatch(root)
    try:
        key = UUID(found[1]) if found else None
    except ValueError:
        key = None
    if found is None or key is None or ".." in found[2].split("/"):
        raise Invalid.of("root", "send globus://<collection id>/folder, the folder that holds the subjects' folders")
    return f"globus://{key}{found[2]}"


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    told = (parts.username, parts.password, parts.query, parts.fragment, parts.path.strip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(told):
        raise Invalid.of("endpoint", "send the http(s) address of the service, without bucket, user and query")
    return url.rstrip("/")


def _address(url: str | None) -> str | None:
    if not url:
        return None
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https", "s3"}
        or not parts.netloc
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise Invalid.of("data_url", "send an http(s) address without password, query and fragment")
    return url if url.endswith("/") else f"{url}/"
