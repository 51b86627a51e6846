"""Who reads what of people and labs. Names are open to every user: clients look people, labs, rigs and projects up."""

from django.db.models import Q

from alyx.core.models import JournalEntry, ReviewFlag
from alyx.core.reading import Reach, declare, declare_personal, everybody, of_lab, own, through
from alyx.labs.models import (
    MANAGING_ROLES,
    Collaboration,
    Delivery,
    Lab,
    Location,
    Membership,
    Mute,
    Notification,
    NotificationRule,
    PolicyWindow,
    Project,
    ProjectRole,
    RigWatch,
    Token,
    User,
    WelfarePolicy,
)

declare(
    {
        **dict.fromkeys([User, Lab, Membership, Location, Project, ProjectRole, Collaboration], everybody),
        RigWatch: of_lab("location__lab", of_none=True),
        WelfarePolicy: of_lab(),
        PolicyWindow: through("policy", WelfarePolicy),
        Notification: of_lab(of_none=True),
        ReviewFlag: of_lab("lab_id", of_none=True),
    },
    public={Lab: everybody, Project: everybody},
)
declare_personal(NotificationRule, Mute, Token, Delivery, JournalEntry)


def _entries(reach: Reach, at: str) -> Q:
    """One's own, and those that wait for a decision in labs whose data one manages."""
    managed = Membership.objects.filter(user=reach.user, role__in=MANAGING_ROLES)
    waiting = Q(**{f"{at}state__in": ["asked", "kept"], f"{at}lab_id__in": managed.values("lab")})
    return own()(reach, at) | waiting if reach.user else own()(reach, at)


declare({JournalEntry: _entries})
