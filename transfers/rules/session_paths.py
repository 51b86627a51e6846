"""Which files below a repository's root are files of a session, and which nobody would register. Pure: no Django."""

from dataclasses import dataclass

from datasets.rules.alf import AlfPath, PathRefused, SessionPath, parse_relative

_NO_DATA = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
_FLAGS = (".flag", ".error", ".tmp", ".part", ".partial", ".crdownload")


@dataclass(frozen=True, slots=True)
class NotOfASession:
    """A file that lies outside every session's folder, or whose path cannot be registered; `words` say why and what to do."""

    words: str


def is_no_data(path: str, flag_name: str = "") -> bool:
    """Whether this is no data of anybody's: hidden files, what desktops leave behind, flags and unfinished downloads."""
    name = path.rpartition("/")[2].casefold()
    return (
        any(part.startswith(".") for part in path.split("/"))
        or name in _NO_DATA
        or name.endswith(_FLAGS)
        or (flag_name != "" and name == flag_name.casefold())
    )


def of_session(path: str) -> tuple[SessionPath, AlfPath] | NotOfASession:
    """The session whose file this is, and the file's parts; `path` is relative to the repository's root.

    A folder that is written otherwise than the registry would write it (a number without its zeros) is refused: the
    registered file would be looked for where it is not.
    """
    try:
        parts = parse_relative(path)
    except PathRefused as refusal:
        return NotOfASession(f"{refusal}{_root_hint(path)}")
    if parts.session is None:
        return NotOfASession("it lies in no session's folder")
    if str(parts) != path:
        return NotOfASession(f"the registry would look for it at {parts}: rename its folder")
    return parts.session, parts


def _root_hint(path: str) -> str:
    folders = path.split("/")[:-1]
    if "Subjects" not in folders:
        return ""
    above = "/".join(folders[: folders.index("Subjects") + 1])
    return f" (or let the repository's root end in {above})"
