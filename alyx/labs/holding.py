"""What a person holds, read once for a page that asks for many buttons; the same table as the services ask (`alyx.labs.grants`)."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, Value
from django.http import HttpRequest

from alyx.labs.grants import AS_ROLE, TABLE, Right, Verdict, decide
from alyx.labs.models import Collaboration, Lab, Membership, ProjectRole, User
from alyx.labs.permissions import Projects, by_person


@dataclass(frozen=True)
class Held:
    """Roles, shares in projects, duties. `verdict` and `somewhere` say what `verdict` and `verdict_anywhere` of the services say."""

    actor: Any
    roles: Mapping[UUID, str]
    """By lab."""
    shares: Mapping[UUID, str]
    """By project."""
    duties: Sequence[tuple[str, UUID | None]]
    """(duty, lab; None: all labs)."""

    @classmethod
    def of(cls, actor: Any) -> "Held":
        """Everything this person holds; one statement, none for those whom the table is not asked about."""
        if by_person(actor) is not None:
            return cls(actor, {}, {}, ())
        found: dict[str, list[tuple[Any, str]]] = {"role": [], "share": [], "duty": []}
        for what, key, word in _held(actor):
            found[what].append((key, word))
        return cls(actor, dict(found["role"]), dict(found["share"]), [(word, key) for key, word in found["duty"]])

    def verdict(self, lab: Lab | UUID | None, right: Right, projects: Projects = None) -> Verdict:
        """In this lab, for a thing of these projects; one statement at most."""
        known = by_person(self.actor)
        if known is not None:
            return known
        if lab is None:
            return self.somewhere(Right.MANAGE)
        key = lab.pk if isinstance(lab, Lab) else lab
        grant, role = TABLE[right], self.roles.get(key)
        shared: list[tuple[str, str]] = []
        if role not in grant.roles and self.shares and projects is not None:
            mine = projects.filter(pk__in=list(self.shares)).order_by().values_list("name", "pk").distinct()
            shared = [(name, self.shares[project]) for name, project in mine]
        return decide(
            grant,
            where=f"lab {lab.name}" if isinstance(lab, Lab) else "the lab",
            role=role,
            project_roles=shared,
            duties=[duty for duty, where in self.duties if where in {None, key}],
        )

    def somewhere(self, right: Right, *, of_projects: bool = True) -> Verdict:
        """In some lab; `of_projects`: also who has a share in a project (never enough to manage what all labs have)."""
        known = by_person(self.actor)
        if known is not None:
            return known
        shares = self.shares.values() if of_projects and right is not Right.MANAGE else ()
        roles = {*self.roles.values(), *(AS_ROLE[share] for share in shares)}
        found = [
            decide(TABLE[right], where="a lab", role=role, project_roles=(), duties=[duty for duty, _ in self.duties])
            for role in (*roles, None)
        ]
        return next((one for one in found if one), found[-1])


def _held(actor: User) -> QuerySet[Any, Any]:
    def rows(what: str, found: QuerySet[Any, Any], key: str, word: str) -> QuerySet[Any, Any]:
        return found.filter(user=actor).order_by().values_list(Value(what, CharField()), key, word)

    return rows("role", Membership.objects.all(), "lab", "role").union(
        rows("share", ProjectRole.objects.all(), "project", "role"),
        rows("duty", Collaboration.objects.all(), "lab", "duty"),
        all=True,
    )


def held_by(request: HttpRequest) -> Held:
    """What the user of this request holds, asked for once per request."""
    held: Held = remembered(request, "held", lambda: Held.of(request.user))
    return held


def remembered(request: HttpRequest, key: Hashable, ask: Callable[[], Any]) -> Any:
    """What was asked in this request already."""
    known: dict[Hashable, Any] = getattr(request, "remembered", {})
    if key not in known:
        known = {**known, key: ask()}
        setattr(request, "remembered", known)  # noqa: B010  (mypy: a request has no such attribute)
    return known[key]
