"""People and labs."""

from itertools import count
from typing import Any

from alyx.labs.models import Lab, Membership, Project, Role, User

NUMBERS = count(1)
PASSWORD = "a long pass phrase of the tests"


def a_user(name: str = "", **columns: Any) -> User:
    """Staff, with `PASSWORD`."""
    values: dict[str, Any] = {"is_staff": True, **columns}
    return User.objects.create_user(username=name or f"user{next(NUMBERS)}", password=PASSWORD, **values)


def a_superuser(name: str = "") -> User:
    """Who may do everything."""
    return a_user(name, is_superuser=True)


def a_lab(name: str = "", **columns: Any) -> Lab:
    """A lab in London."""
    return Lab.objects.create(name=name or f"lab{next(NUMBERS)}", **{"timezone": "Europe/London", **columns})


def a_member(lab: Lab, role: Role | str = Role.EXPERIMENTER, name: str = "", **columns: Any) -> User:
    """Somebody of the lab."""
    user = a_user(name, **columns)
    Membership.objects.create(user=user, lab=lab, role=role)
    return user


def a_project(name: str = "") -> Project:
    """A project."""
    return Project.objects.create(name=name or f"project{next(NUMBERS)}")
