"""Which ways of having a say in a lab are enough for what: one table. Pure.

Somebody has a say by their role in the lab, by a role in the thing's project (which counts as a role in the lab, for that
project's things), or by a duty that crosses labs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What is done to a lab's records."""

    REGISTER = "register"
    """Sessions, datasets and their copies: make and change."""
    PROBE = "probe"
    """Insertions and fields of view: make and change."""
    JUDGE = "judge"
    """Say how good data are: qc and extended_qc."""
    LOCATE = "locate"
    """Say where probes and fields of view lay: trajectories, channels, locations, chronic insertions."""
    ANNOTATE = "annotate"
    """Write notes."""
    RUN = "run"
    """Make and move on pipeline tasks."""
    MANAGE = "manage"
    """Withdraw what others registered; places, tags, what may be deleted."""
    HEAD = "head"
    """The lab itself, its people and its welfare policy."""


@dataclass(frozen=True)
class Grant:
    """Who may: roles in the lab, and duties."""

    roles: frozenset[str]
    duties: frozenset[str] = frozenset()

    def __str__(self) -> str:
        duties = [f"the duty {duty}" for duty in sorted(self.duties)]
        return " or ".join([f"the role {' or '.join(sorted(self.roles))}", *duties])


_WRITE = frozenset({"experimenter", "rig", "data_manager", "head"})
_MANAGE = frozenset({"data_manager", "head"})
TABLE: dict[Right, Grant] = {
    Right.REGISTER: Grant(_WRITE, frozenset({"pipeline"})),
    Right.PROBE: Grant(_WRITE, frozenset({"histology", "pipeline"})),
    Right.JUDGE: Grant(_WRITE, frozenset({"qc", "pipeline"})),
    Right.LOCATE: Grant(_WRITE, frozenset({"histology"})),
    Right.ANNOTATE: Grant(_WRITE, frozenset({"histology", "qc", "pipeline"})),
    Right.RUN: Grant(_WRITE, frozenset({"pipeline"})),
    Right.MANAGE: Grant(_MANAGE),
    Right.HEAD: Grant(frozenset({"head"})),
}

AS_ROLE = {"records": "experimenter", "manages": "data_manager"}
"""What a role in a project counts as, for the things of that project."""


@dataclass(frozen=True)
class Verdict:
    """Yes or no, and which rule decided."""

    allowed: bool
    rule: str

    def __bool__(self) -> bool:
        return self.allowed


def decide(
    grant: Grant, *, where: str, role: str | None, project_roles: Iterable[tuple[str, str]], duties: Iterable[str]
) -> Verdict:
    """Whether one of the ways is enough.

    Args:
        grant: what is enough.
        where: the lab, for people.
        role: the role in it.
        project_roles: (project, role in it) of the thing's projects.
        duties: those that reach this lab.
    """
    if role in grant.roles:
        return Verdict(True, f"the role {role} in {where}")
    for project, kind in project_roles:
        if AS_ROLE[kind] in grant.roles:
            return Verdict(True, f"who {kind} in project {project} may, as a {AS_ROLE[kind]} may")
    for duty in duties:
        if duty in grant.duties:
            return Verdict(True, f"the duty {duty} reaches {where}")
    return Verdict(False, f"it needs {grant} in {where}")
