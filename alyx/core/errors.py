"""What can go wrong, said once. Services raise these; REST and admin turn them into answers."""

from collections.abc import Mapping, Sequence
from typing import Any


class DomainError(Exception):
    """A request that cannot be done. Carries a sentence for people and, where it fits, the fields concerned.

    `fields` maps a field name to one or more sentences. `status` is the HTTP status that says it best.
    """

    status = 400
    code = "invalid"

    def __init__(
        self,
        detail: str,
        *,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = {name: [text] if isinstance(text, str) else list(text) for name, text in (fields or {}).items()}
        self.extra = dict(extra or {})


class Invalid(DomainError):
    """A value that cannot be stored or understood."""

    @classmethod
    def of(cls, field: str, text: str) -> "Invalid":
        """The usual case: one field, one sentence."""
        return cls(f"{field}: {text}", fields={field: text})


class Doubtful(DomainError):
    """A value that a person typed and a rule doubts: asked back, beside the field; said again as right, it is kept."""

    status = 409
    code = "doubtful"


class NotFound(DomainError):
    """The named thing does not exist, or this caller may not know that it does."""

    status = 404
    code = "not_found"


class Forbidden(DomainError):
    """This actor may not do this."""

    status = 403
    code = "forbidden"


class Ambiguous(DomainError):
    """Several things have this name; the sentence names them."""

    status = 409
    code = "ambiguous"


class Conflict(DomainError):
    """Somebody else was faster, or the state no longer allows it."""

    status = 409
    code = "conflict"


class IllegalMove(Conflict):
    """A state change that is not in the table of legal moves."""

    code = "illegal_move"
