"""By which rule somebody reads, in words: for the command `can` and for the page of a person.

Nothing is decided here: each way of reading is a part of the person's reach, and the rules of the tables are asked with that part alone.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Model

from alyx.core.reading import Reach, condition, may_read
from alyx.labs.grants import AS_ROLE, TABLE, Verdict
from alyx.labs.models import Collaboration, Lab, Membership, Project, ProjectRole, User


@dataclass(frozen=True)
class Way:
    """One thing that lets a person read or write, and how far their eyes reach by it alone."""

    words: str
    reach: Reach
    writes: tuple[str, ...] = ()
    """The rights it gives (`alyx.labs.grants.Right`)."""


def ways(user: User) -> list[Way]:
    """Everything that lets this person read or write; a constant number of statements."""
    if not user.is_active:
        return []
    if user.is_public_user:
        return [Way("a public account: data tagged public", Reach(is_public=True, user=user.pk))]
    return [*_everywhere(user), *_in_labs(user), *_in_projects(user)]


def why_reads(user: User, row: Model) -> Verdict:
    """Whether the person reads the row (`may_read`), and which rule decides."""
    if not may_read(user, row):
        return Verdict(False, _why_not(user))
    own = Way("it is their own", Reach(user=user.pk))
    for way in (Way(f"every user reads {row._meta.verbose_name_plural}", Reach()), own, *ways(user)):
        if way.reach.everything or type(row)._base_manager.filter(condition(type(row), way.reach), pk=row.pk).exists():
            return Verdict(True, way.words)
    return Verdict(True, "their labs and projects together")


def _why_not(user: User) -> str:
    if not user.is_active:
        return "the account is deactivated"
    if user.is_public_user:
        return "a public account reads what is tagged public"
    return "it needs membership in its lab, a project of theirs that it is in, or a duty in its lab"


def _everywhere(user: User) -> list[Way]:
    everything = Reach(everything=True, is_superuser=user.is_superuser, user=user.pk)
    found = []
    if user.is_superuser:
        found.append(Way("superusers read and write everything", everything, tuple(TABLE)))
    if settings.ALYX_OPEN_READING:
        found.append(Way("reading is open to all users (ALYX_OPEN_READING)", everything))
    return found


def _in_labs(user: User) -> list[Way]:
    found = []
    members = list(Membership.objects.filter(user=user).select_related("lab"))
    for one in members:
        rights = tuple(right for right, grant in TABLE.items() if one.role in grant.roles)
        found.append(Way(f"the role {one.role} in lab {one.lab.name}", Reach(labs=frozenset({one.lab_id})), rights))
    duties = Collaboration.objects.filter(user=user).select_related("lab")
    for duty in duties:
        rights = tuple(right for right, grant in TABLE.items() if duty.duty in grant.duties)
        where = f"lab {duty.lab.name}" if duty.lab else "all labs"
        reach = Reach(labs=frozenset({duty.lab.pk})) if duty.lab else Reach(everything=True, user=user.pk)
        found.append(Way(f"the duty {duty.duty} in {where}", reach, rights))
    labs = set(Lab.objects.values_list("pk", flat=True))
    if labs <= {key for way in found for key in way.reach.labs}:
        words = "a member of the only lab" if len(labs) == 1 else "membership or a duty in every lab"
        found.append(Way(words, Reach(everything=True, user=user.pk)))
    return found


def _in_projects(user: User) -> list[Way]:
    found = []
    for share in ProjectRole.objects.filter(user=user).select_related("project"):
        rights = tuple(right for right, grant in TABLE.items() if AS_ROLE[share.role] in grant.roles)
        reach = Reach(projects=frozenset({share.project_id}))
        found.append(Way(f"{share.role} in project {share.project.name}", reach, rights))
    plain = Project.objects.filter(users=user)
    return [*found, *(Way(f"in project {one.name}", Reach(projects=frozenset({one.pk}))) for one in plain)]
