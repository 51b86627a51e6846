"""Who may write sessions and what hangs on them. One place for all of them; the same for REST, pages, commands and jobs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Exists, Q, QuerySet
from django.utils.functional import SimpleLazyObject

from alyx.labs.models import Lab, Project
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from sessions.models import Session

__all__ = ["GRADES", "Right", "authorise_atlas", "authorise_of_animal", "authorise_session", "projects_of"]

GRADES = {"qc", "extended_qc"}
"""Fields that say how good the data are."""


def projects_of(session: Session) -> QuerySet[Project]:
    """The projects of the session; of one that names none, those of its animal."""

    def compose() -> QuerySet[Project]:
        names_some = Exists(Session.projects.through._base_manager.filter(session=session.pk))
        return Project.objects.filter(Q(sessions=session.pk) | Q(~names_some, subjects=session.subject_id))

    return _when_asked(compose)


def _when_asked(compose: Callable[[], QuerySet[Project]]) -> QuerySet[Project]:
    """Mostly the role in the lab decides, and nobody asks for the projects: composing the query would be most of the cost."""
    rows: Any = SimpleLazyObject(compose)
    return rows  # type: ignore[no-any-return]


def authorise_session(actor: Any, session: Session, *, act: str, to: Right = Right.REGISTER) -> None:
    """Raise Forbidden unless the actor may do `act` to the session, or to what was recorded in it."""
    authorise(actor, session.lab, act=act, to=to, projects=projects_of(session))


def authorise_of_animal(actor: Any, lab: Lab, subject: UUID, *, act: str, to: Right = Right.REGISTER) -> None:
    """Raise Forbidden unless the actor may do `act` in the lab to what is the animal's: a new session, a chronic insertion."""
    authorise(actor, lab, act=act, to=to, projects=_when_asked(lambda: Project.objects.filter(subjects=subject)))


def authorise_atlas(actor: Any, *, act: str) -> None:
    """Raise Forbidden unless the actor may do `act` to what all labs share."""
    authorise_anywhere(actor, act=act, to=Right.MANAGE)
