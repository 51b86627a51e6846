"""Who reads what of people and labs. Names are open to every user: clients look people, labs, rigs and projects up."""

from alyx.core.models import ReviewFlag
from alyx.core.reading import declare, declare_personal, everybody, of_lab, through
from alyx.labs.models import (
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
declare_personal(NotificationRule, Mute, Token, Delivery)
