"""Which revision of a file is its default: the one a client gets that names none.

A file is (session or other object, collection, name); its revisions are told apart by name, "" being the original.
Every file has exactly one default. Revisions are ordered as text, as ONE orders them, so "" comes first and
"2024-01-10a" after "2024-01-10".
"""

from collections.abc import Iterable, Mapping


def default_after_registration(defaults: Mapping[str, bool], registered: str, wanted: bool | None) -> str:
    """The default after `registered` was registered.

    `defaults`: revisions registered before, each with whether it was the default. `wanted`: what the call said; None
    when it said nothing, which makes a new revision the default and leaves a known one as it is. False gives the
    default to another revision, the latest, if there is one.
    """
    if wanted or (wanted is None and registered not in defaults):
        return registered
    if wanted is None:
        return current_default(defaults)
    others = {revision: flag for revision, flag in defaults.items() if revision != registered}
    return current_default(others) if others else registered


def current_default(defaults: Mapping[str, bool]) -> str:
    """The flagged revision, or the latest when none (or, in old data, more than one) is flagged.

    Also the rule after the default was withdrawn. `defaults` must not be empty.
    """
    flagged = [revision for revision, flag in defaults.items() if flag]
    return flagged[0] if len(flagged) == 1 else latest(flagged or defaults)


def latest(revisions: Iterable[str]) -> str:
    """The last in the order of ONE. Raises ValueError when there is none."""
    return max(revisions)
