"""Pages of what belongs to an animal: buttons and forms for whom the services would let, by how they stand to it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest

from alyx.labs.admin import LabPage
from alyx.labs.grants import AS_ROLE
from alyx.labs.holding import held_by, remembered
from alyx.labs.models import Lab
from alyx.labs.permissions import by_person
from subjects.models import Subject
from subjects.permissions import Act, may_animal, may_breed
from subjects.rules.permissions import allowed, stands


def may_do(request: HttpRequest, act: Act, subject: Subject) -> bool:
    """To this animal; asked for once per request."""
    return bool(remembered(request, (act, subject.pk), lambda: may_animal(request.user, subject, act)))


def may_do_somewhere(request: HttpRequest, act: Act) -> bool:
    """To some animal that there may be: whatever it is, one of their roles is enough for the nearest way to stand to it."""
    user: Any = request.user
    known = by_person(user)
    if known is not None:
        return bool(known)
    held = held_by(request)
    return any(
        allowed(
            act,
            stands(
                role=role,
                is_responsible=True,
                is_delegate=True,
                is_stock_manager=user.is_stock_manager,
                has_responsible=False,
                animal_is_stock=True,
            ),
        )
        for role in {*held.roles.values(), *(AS_ROLE[share] for share in held.shares.values())}
    )


def may_keep(request: HttpRequest, lab: Lab | None) -> bool:
    """The colony of the lab (None: of some); asked for once per request."""
    key = ("breed", lab.pk if lab else None)
    return bool(remembered(request, key, lambda: may_breed(request.user, lab)))


class OfAnimalPage(LabPage):
    """A row of an animal."""

    lab_path = "subject.lab"
    act: ClassVar[Act] = Act.RECORD
    """What its form needs."""
    acts: ClassVar[Mapping[str, Act]] = {}
    """Page action → what it needs, where that is something else."""

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """By how the person stands to the animal."""
        return self._may(request, self.act, obj)

    def may_press(self, request: HttpRequest, action: str, obj: Any) -> bool:
        """As the action's service asks."""
        return self._may(request, self.acts.get(action, self.act), obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service asks about the animal, and says for whom it is."""
        super(LabPage, self).save_model(request, obj, form, change)

    def _may(self, request: HttpRequest, act: Act, obj: Any) -> bool:
        if obj is None or obj.subject_id is None:
            return may_do_somewhere(request, act)
        return may_do(request, act, obj.subject)
