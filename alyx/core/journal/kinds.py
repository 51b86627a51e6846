"""What each kind of entry does: apps register their handlers when they are ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from alyx.core.errors import Conflict, Invalid

T = TypeVar("T")
Result = dict[str, Any]


def _made_nothing(key: UUID) -> Result:
    raise Conflict(f"there is no earlier entry {key} that was done")


def _no_picture(digest: str) -> Any:
    raise Invalid.of("picture", "the picture has not arrived")


@dataclass(frozen=True)
class Applied:
    """An entry, as its handler gets it. The handler calls one service and returns JSON."""

    actor: Any
    about: UUID | None
    body: Mapping[str, Any]
    at: datetime
    """The instant, aware: the tablet's clock, corrected."""
    key: UUID
    confirmed: bool = False
    """The person has said that what is doubted is right."""
    made_by: Callable[[UUID], Result] = field(default=_made_nothing)
    """The result of an earlier entry of this person. Raises Conflict when it was not done."""
    picture: Callable[[str], Any] = field(default=_no_picture)
    """The open file of a picture that was sent before, by its SHA-256. Raises Invalid."""

    def said(self, name: str, kind: type[T], default: Any = ...) -> T:
        """A value of the body, of that type; whole numbers pass for `float`. Without a default it must be there. Raises Invalid."""
        value = self.body.get(name)
        if value is None:
            if default is ...:
                raise Invalid.of(name, "is missing")
            return default  # type: ignore[no-any-return]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is UUID and isinstance(value, str):
            value = as_uuid(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Invalid.of(name, f"{value!r} is no {NAMES.get(kind, kind.__name__)}"[:300])
        return value

    def subject_of(self) -> UUID:
        """What it is about. Raises Invalid when it says nothing."""
        if self.about is None:
            raise Invalid.of("about", "is missing: say what this is about")
        return self.about


NAMES: dict[type, str] = {
    str: "text",
    float: "number",
    int: "whole number",
    bool: "yes or no",
    UUID: "id",
    dict: "object",
}


def as_uuid(text: Any) -> UUID | None:
    """The UUID that the text is; None when it is none."""
    try:
        return UUID(text) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        return None


Apply = Callable[[Applied], Result]
Undo = Callable[[Applied, Result], Result]
LabOf = Callable[[UUID | None, Mapping[str, Any]], UUID | None]


@dataclass(frozen=True)
class Kind:
    """What a kind does, how it is undone, and whose lab's business it is when it cannot be done."""

    apply: Apply
    undo: Undo | None = None
    lab_of: LabOf | None = None
    label: str = ""
    """For people: "weight"."""


KINDS: dict[str, Kind] = {}


def register(
    kind: str, apply: Apply, *, undo: Undo | None = None, lab_of: LabOf | None = None, label: str = ""
) -> None:
    """Declare a kind (`"weighing.weight"`). Raises ValueError when somebody has.

    `apply` calls one service and returns JSON; what it raises as DomainError is said to the person. `undo(applied, result)` takes
    back what `apply` returned `result` for. `lab_of(about, body)` finds the lab whose managers also see what was kept.
    """
    if kind in KINDS:
        raise ValueError(f"the kind {kind} is registered twice")
    KINDS[kind] = Kind(apply, undo, lab_of, label or kind.replace(".", " "))
