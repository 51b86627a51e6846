"""Changing people, labs, locations and projects."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from alyx.core.changes import locked, store
from alyx.core.clock import AlyxNow
from alyx.core.errors import Forbidden, Invalid
from alyx.core.rest.names import all_by_name
from alyx.labs import policies
from alyx.labs.models import Lab, Location, Project, Token, User
from alyx.labs.permissions import Right, authorise, authorise_anywhere, may
from alyx.labs.rights import labs_in
from alyx.labs.zones import zone_corrected

_LAB_NAME = re.compile(r"\w+", re.ASCII)


def _superuser(actor: Any, act: str) -> None:
    if not getattr(actor, "is_superuser", False):
        raise Forbidden(f"{actor} may not {act}: that is for superusers")


def _unique(what: str, name: str) -> Invalid:
    return Invalid.of("name", f"there is a {what} named {name!r} already")


def _repositories(names: Sequence[str]) -> list[Any]:
    model: Any = Lab._meta.get_field("repositories").related_model
    return all_by_name(model.objects.all(), names, field="repositories", what="repository")


@transaction.atomic
def create_lab(*, actor: Any, values: Mapping[str, Any]) -> Lab:
    """A new lab. Its name stands in data URLs, which clients cut with `\\w+`. Raises Forbidden, Invalid."""
    _superuser(actor, "make labs")
    columns, repositories = _split(values, "repositories")
    if not _LAB_NAME.fullmatch(columns.get("name", "")):
        raise Invalid.of(
            "name", "a lab's name has letters, digits and _ only: it is part of paths that clients take apart"
        )
    try:
        with transaction.atomic():
            lab = Lab.objects.create(**policies.as_parts(columns))
    except IntegrityError:
        raise _unique("lab", columns["name"]) from None
    if repositories is not None:
        getattr(lab, "repositories").set(_repositories(repositories))  # noqa: B009  (the relation belongs to the registry)
    return lab


@transaction.atomic
def change_lab(*, actor: Any, lab: Lab, changes: Mapping[str, Any]) -> Lab:
    """Change a lab's columns and repositories; its percentages become its policy from today on. Raises Forbidden, Invalid."""
    lab = locked(Lab.objects.all(), lab.pk)
    right = Right.MANAGE if set(changes) <= {"json"} else Right.HEAD
    authorise(actor, lab, act="change the lab", to=right)
    columns, repositories = _split(changes, "repositories")
    if columns.get("name", lab.name) != lab.name:
        raise Invalid.of("name", "a lab is not renamed: its name is part of the paths of its data")
    columns.pop("name", None)
    parts = {name: columns.pop(name) for name in policies.PARTS if name in columns}
    was = lab.timezone
    store(lab, columns)
    if lab.timezone != was:
        zone_corrected(lab, was)
    policies.change_parts(actor=actor, lab=lab, parts=parts)
    if repositories is not None:
        wanted = _repositories(repositories)
        for repository in wanted:
            _authorise_taking(actor, lab, repository)
        getattr(lab, "repositories").set(wanted)  # noqa: B009
    return lab


def _authorise_taking(actor: Any, lab: Lab, repository: Any) -> None:
    """A repository that other labs have becomes this lab's too only by somebody who manages it there."""
    labs = list(repository.labs.all())
    if lab in labs or not labs or any(may(actor, other.pk, Right.MANAGE) for other in labs):
        return
    raise Forbidden(f"{repository.name} belongs to another lab; {actor} may not give it to lab {lab.name}")


@transaction.atomic
def delete_lab(*, actor: Any, lab: Lab) -> None:
    """Remove a lab that nothing belongs to. Raises Forbidden."""
    _superuser(actor, "delete labs")
    try:
        locked(Lab.objects.all(), lab.pk).delete()
    except ProtectedError as error:
        kinds = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
        raise Forbidden(f"lab {lab.name} still has {', '.join(kinds)}") from None


@transaction.atomic
def change_location(*, actor: Any, location: Location, changes: Mapping[str, Any]) -> Location:
    """Change a rig's record. Raises Forbidden, Invalid."""
    location = locked(Location.objects.all(), location.pk)
    _authorise_location(actor, location.lab)
    columns = dict(changes)
    if "lab" in columns:
        name = columns.pop("lab")
        columns["lab"] = all_by_name(Lab.objects.all(), [name], field="lab", what="lab")[0] if name else None
        _authorise_location(actor, columns["lab"])
    if Location.objects.filter(name=columns.get("name", location.name)).exclude(pk=location.pk).exists():
        raise _unique("location", columns["name"])
    store(location, columns)
    return location


def _authorise_location(actor: Any, lab: Lab | None) -> None:
    if lab is None:
        authorise_anywhere(actor, act="change a location of no lab")
    else:
        authorise(actor, lab, act="change locations")


@transaction.atomic
def create_project(*, actor: Any, values: Mapping[str, Any]) -> Project:
    """A new project; repeated by the same name it is refused. Raises Forbidden, Invalid."""
    authorise_anywhere(actor, act="make projects")
    columns, users = _split(values, "users")
    try:
        with transaction.atomic():
            project = Project.objects.create(**columns)
    except IntegrityError:
        raise _unique("project", columns["name"]) from None
    if users is not None:
        project.users.set(_people(users, "users"))
    return project


@transaction.atomic
def change_project(*, actor: Any, project: Project, changes: Mapping[str, Any]) -> Project:
    """Change a project; who is in it reads its data, so that is for those who write in every lab that has data in it.

    Raises Forbidden, Invalid.
    """
    project = locked(Project.objects.all(), project.pk)
    authorise_anywhere(actor, act="change projects")
    columns, users = _split(changes, "users")
    if Project.objects.filter(name=columns.get("name", project.name)).exclude(pk=project.pk).exists():
        raise _unique("project", columns["name"])
    store(project, columns)
    if users is not None:
        people = _people(users, "users")
        if set(people) != set(project.users.all()):
            for lab in labs_in(project):
                authorise(actor, lab, act=f"say who is in project {project.name}")
            project.users.set(people)
    return project


@transaction.atomic
def delete_project(*, actor: Any, project: Project) -> None:
    """Remove a project that nothing belongs to. Raises Forbidden."""
    project = locked(Project.objects.all(), project.pk)
    authorise_anywhere(actor, act="delete projects", to=Right.MANAGE)
    for relation in ("sessions", "subjects"):
        if count := getattr(project, relation).count():
            raise Forbidden(f"project {project.name} still has {count} {relation}")
    project.delete()


@transaction.atomic
def create_user(*, actor: Any, values: Mapping[str, Any]) -> User:
    """A new person without a password: an administrator sets it, or gives a token. Raises Forbidden, Invalid."""
    _superuser(actor, "make users")
    columns, allowed = _split(values, "allowed_users")
    try:
        with transaction.atomic():
            user = User.objects.create_user(**columns)
    except IntegrityError:
        raise Invalid.of("username", f"there is a user named {columns['username']!r} already") from None
    if allowed is not None:
        user.allowed_users.set(_people(allowed, "allowed_users"))
    return user


@transaction.atomic
def change_user(*, actor: Any, user: User, changes: Mapping[str, Any]) -> User:
    """Change a person's record: their own, except what decides about rights; or anybody's as superuser.

    Raises Forbidden, Invalid.
    """
    user = locked(User.objects.all(), user.pk)
    own = {"email", "allowed_users"}
    if not getattr(actor, "is_superuser", False) and (actor != user or not set(changes) <= own):
        raise Forbidden(f"{actor} may change {', '.join(sorted(own))} of their own record only")
    columns, allowed = _split(changes, "allowed_users")
    if User.objects.filter(username=columns.get("username", user.username)).exclude(pk=user.pk).exists():
        raise Invalid.of("username", f"there is a user named {columns['username']!r} already")
    store(user, columns)
    if allowed is not None:
        user.allowed_users.set(_people(allowed, "allowed_users"))
    return user


@transaction.atomic
def deactivate_user(*, actor: Any, user: User) -> None:
    """The person can no longer log in; what they recorded keeps their name. Raises Forbidden."""
    _superuser(actor, "deactivate users")
    user = locked(User.objects.all(), user.pk)
    store(user, {"is_active": False})
    Token.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=AlyxNow())


def _people(names: Sequence[str], field: str) -> list[User]:
    return all_by_name(User.objects.all(), names, field=field, what="user", column="username")


def _split(values: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Any]:
    """The columns, and the list of names that is a relation (None when not sent)."""
    columns = dict(values)
    return columns, columns.pop(name, None)


def may_see_email(actor: Any, user: User) -> bool:
    """Whose address is shown: one's own, and all to superusers."""
    return bool(actor == user or getattr(actor, "is_superuser", False))
