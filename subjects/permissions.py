"""Who may do what to which animal, and who may breed in which lab; the same for REST, pages, commands and jobs.

The table is `subjects.rules.permissions`; here it meets the rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alyx.core.errors import Forbidden
from alyx.labs.grants import AS_ROLE, Verdict
from alyx.labs.models import Lab, Membership, ProjectRole, User
from subjects.models import Subject
from subjects.rules.permissions import TABLE, Act, Stand, allowed, needed, stands

__all__ = ["Act", "authorise_animal", "authorise_breeding", "may_animal", "may_breed", "permitted", "verdict_animal"]


def permitted(actor: Any, subjects: Iterable[Subject], act: Act) -> set[UUID]:
    """Those of the animals to which the actor may do this; a constant number of queries (with `responsible_user` fetched)."""
    animals = list(subjects)
    if not isinstance(actor, User) or not actor.is_active or actor.is_public_user:
        return set()
    if actor.is_superuser:
        return {animal.pk for animal in animals}
    held = _Held.of(actor, animals)
    return {animal.pk for animal in animals if allowed(act, held.stands(animal))}


def verdict_animal(actor: Any, subject: Subject, act: Act) -> Verdict:
    """Whether the actor may do this to the animal, and which rule decides."""
    if isinstance(actor, User) and actor.is_active and actor.is_superuser:
        return Verdict(True, "superusers may do everything")
    if not permitted(actor, [subject], act):
        return Verdict(False, f"that is for {needed(act)}")
    ways = sorted(str(way) for way in _Held.of(actor, [subject]).stands(subject) & TABLE[act])
    return Verdict(True, f"{' and '.join(ways)}, in lab {subject.lab.name}")


def may_animal(actor: Any, subject: Subject, act: Act) -> bool:
    """Whether the actor may do this to the animal."""
    return bool(permitted(actor, [subject], act))


def authorise_animal(actor: Any, subject: Subject, act: Act, *, what: str = "") -> None:
    """Raise Forbidden, saying what is missing, unless the actor may do this to the animal."""
    if not may_animal(actor, subject, act):
        raise Forbidden(
            f"{actor} may not {what or act.value} subject {subject.nickname} of lab {subject.lab.name}: that is for {needed(act)}"
        )


def may_breed(actor: Any, lab: Lab | None) -> bool:
    """Whether the actor may change the colony of the lab (None: lines of no lab, for breeders of any lab)."""
    if not isinstance(actor, User) or not actor.is_active or actor.is_public_user:
        return False
    if actor.is_superuser:
        return True
    roles = Membership.objects.filter(user=actor)
    if lab is not None:
        roles = roles.filter(lab=lab)
    return any(
        allowed(
            Act.BREED,
            stands(
                role=role,
                is_responsible=False,
                is_delegate=False,
                is_stock_manager=actor.is_stock_manager,
                has_responsible=True,
                animal_is_stock=True,
            ),
        )
        for role in roles.values_list("role", flat=True)
    )


def authorise_breeding(actor: Any, lab: Lab | None) -> None:
    """Raise Forbidden unless the actor may change the colony of the lab."""
    if not may_breed(actor, lab):
        where = f"lab {lab.name}" if lab else "no particular lab"
        raise Forbidden(f"{actor} may not change the colony of {where}: that is for {needed(Act.BREED)}")


@dataclass(frozen=True)
class _Held:
    """What a person holds that may let them touch some animals."""

    actor: User
    roles: Mapping[UUID, str]
    """By lab."""
    shares: Mapping[UUID, set[str]]
    """Roles by animal, of its projects."""
    delegators: set[UUID]

    @classmethod
    def of(cls, actor: User, animals: Sequence[Subject]) -> "_Held":
        shares: dict[UUID, set[str]] = defaultdict(set)
        links = ProjectRole.objects.filter(user=actor, project__subjects__in=[animal.pk for animal in animals])
        for animal, kind in links.values_list("project__subjects", "role"):
            shares[animal].add(AS_ROLE[kind])
        return cls(
            actor=actor,
            roles=dict(Membership.objects.filter(user=actor).values_list("lab_id", "role")),
            shares=shares,
            delegators=set(User.objects.filter(allowed_users=actor).values_list("pk", flat=True)),
        )

    def stands(self, animal: Subject) -> set[Stand]:
        """By the role in the animal's lab, and by what roles in its projects count as."""
        responsible = animal.responsible_user
        found: set[Stand] = set()
        for role in {self.roles.get(animal.lab_id), *self.shares.get(animal.pk, ())}:
            found |= stands(
                role=role,
                is_responsible=animal.responsible_user_id == self.actor.pk,
                is_delegate=animal.responsible_user_id in self.delegators,
                is_stock_manager=self.actor.is_stock_manager,
                has_responsible=responsible is not None,
                animal_is_stock=bool(responsible and responsible.is_stock_manager),
            )
        return found
