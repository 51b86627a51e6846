"""Repositories: places where copies lie."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Lab, validate_time_zone
from alyx.labs.permissions import MANAGING_ROLES, WRITING_ROLES, authorise, authorise_anywhere
from datasets.models import FileRecord, Repository, RepositoryKind, RepositoryRole
from datasets.services.secrets import refuse_secrets

_NAME = re.compile(r"[\w.-]+(?: [\w.-]+)*")
_SUPERUSERS_ONLY = ("root", "kind", "role", "uuid_in_names", "case_sensitive")
"""Which bytes of this machine are read and served, and under which names: not for clients to decide."""


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

    Managers of the labs may make one; a POSIX root is set by superusers only. Raises Forbidden, Invalid.
    """
    _authorise(actor, labs, act="make repositories", roles=MANAGING_ROLES)
    if root and not actor.is_superuser:
        raise Forbidden(f"{actor} may not say where a repository lies on this machine: that is for superusers")
    if not _NAME.fullmatch(name):
        raise Invalid.of("name", "a repository's name has letters, digits, spaces and _ . - only")
    values = _checked({**columns, "root": root, "timezone": timezone, "data_url": data_url})
    named = role != RepositoryRole.LAB if uuid_in_names is None else uuid_in_names
    try:
        with transaction.atomic():
            made: Repository = Repository.objects.create(name=name, kind=kind, role=role, uuid_in_names=named, **values)
    except IntegrityError as error:
        field = "root" if "one_repository_per_directory" in str(error) else "name"
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
    roles = WRITING_ROLES if set(changed) <= {"json"} else MANAGING_ROLES
    _authorise(actor, labs, act=f"change {repository.name}", roles=roles)
    if (found := [name for name in _SUPERUSERS_ONLY if name in changed]) and not actor.is_superuser:
        raise Forbidden(f"{actor} may not change {', '.join(found)} of a repository: that is for superusers")
    if "name" in changed:
        raise Invalid.of("name", "a repository is not renamed over REST; clients know it by its name")
    if "uuid_in_names" in changed and FileRecord.objects.filter(repository=repository).exists():
        raise Invalid.of("uuid_in_names", "copies lie there already, under names of the other kind")
    store(repository, _checked(changed))
    return repository


@transaction.atomic
def delete_repository(*, actor: Any, repository: Repository) -> None:
    """Remove a repository that holds no copy. Raises Forbidden."""
    repository = locked(Repository.objects.all(), repository.pk)
    _authorise(actor, list(repository.labs.all()), act="delete repositories", roles=MANAGING_ROLES)
    try:
        repository.delete()
    except ProtectedError:
        text = f"repository {repository.name} has copies on record; retire it instead"
        raise Forbidden(text) from None


def _authorise(actor: Any, labs: Sequence[Lab], *, act: str, roles: Sequence[str]) -> None:
    for lab in labs:
        authorise(actor, lab, act=act, roles=roles)
    if not labs:
        authorise_anywhere(actor, act=act, roles=roles)


def _checked(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, put right. Raises Invalid."""
    values = dict(columns)
    if values.get("json") is not None:
        refuse_secrets(values["json"])
    if "timezone" in values:
        try:
            validate_time_zone(values["timezone"])
        except ValidationError as error:
            raise Invalid("; ".join(error.messages), fields={"timezone": error.messages}) from None
    if "data_url" in values:
        values["data_url"] = _address(values["data_url"])
    if values.get("root") and not PurePosixPath(values["root"]).is_absolute():
        raise Invalid.of("root", "send an absolute path")
    return values


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
