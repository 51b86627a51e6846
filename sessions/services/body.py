"""From the wire fields of a session to columns and rows.

People and labs must exist. Projects, procedures and rigs that do not are left out and flagged: a rig must not lose its
session over a word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alyx.core.errors import Invalid
from alyx.core.flags import Doubt
from alyx.core.rest.names import all_by_name, split_by_name
from alyx.labs.models import Location, Project, User
from sessions.models import Session
from subjects.models import ProcedureType

PLAIN = ("type", "task_protocol", "narrative", "n_trials", "n_correct_trials", "qc", "extended_qc", "json")
"""Wire fields that are columns of the same name."""
LISTS = ("users", "projects", "procedures")


@dataclass
class Content:
    """What a body says apart from subject, lab, start and number: columns, lists of rows (absent: not sent), findings."""

    columns: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)


def read_content(sent: Mapping[str, Any]) -> Content:
    """Resolve the names in a body. Raises Invalid for unknown users and parent sessions."""
    content = Content({name: sent[name] for name in PLAIN if name in sent})
    if "users" in sent:
        people = User.objects.all()
        content.lists["users"] = all_by_name(people, sent["users"], field="users", what="user", column="username")
    if sent.get("users_unnamed"):
        content.doubts.append(
            Doubt("session-user-missing", "the client named no user (null)", {"users": [None]}, "name who recorded it")
        )
    for name, rows in (("projects", Project.objects.all()), ("procedures", ProcedureType.objects.all())):
        if name in sent:
            content.lists[name] = _known(rows, sent[name], name, content.doubts)
    if "location" in sent:
        wanted = [sent["location"]] if sent["location"] else []
        found = _known(Location.objects.all(), wanted, "location", content.doubts)
        if found or not wanted:
            content.columns["location"] = found[0] if found else None
    if "parent_session" in sent:
        content.columns["parent"] = _parent(sent["parent_session"])
    return content


def _known(rows: Any, names: Sequence[str], field_name: str, doubts: list[Doubt]) -> list[Any]:
    found, missing = split_by_name(rows, names)
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        text = f"{field_name}: nothing is named {listed}; left out"
        doubts.append(Doubt(f"unknown-{field_name}", text, {field_name: missing}, "make it, or correct the session"))
    return found


def _parent(key: Any) -> Session | None:
    if key is None:
        return None
    parent: Session | None = Session.objects.shown().filter(pk=key).first()
    if parent is None:
        raise Invalid.of("parent_session", f"there is no session {key}")
    return parent
