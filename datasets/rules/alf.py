"""ALF paths: text from clients to parts and back, and the names files carry at a repository.

    subject / date / number / collection / #revision# / name
    └────── session ──────┘   └─ folders ─┘

What parses here can be written to every kind of repository and read back by ONE; all else is a Refusal that names the
rule and the fix. Text is kept as it was sent (no Unicode normalisation); `path_key` is what two names are compared by.
"""

import datetime
import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from datasets.rules.refusals import Refusal, shown

COMPONENT_LIMIT = 255
"""Bytes in one name, as file systems have it."""
PATH_LIMIT = 1000
"""Bytes in a path below the subjects' folder."""
UUID_LENGTH = 37
"""Bytes that a dataset's UUID with its dot adds to a name: kept free below both limits."""
NUMBER_LIMIT = 999
"""ONE reads session numbers of at most three digits."""
OUR_PREFIX = ".alyx"
"""Names with this start are ours (trash, staging, canary)."""

_ALPHABET = re.compile(r"[\w.-]+")
_REVISION = re.compile(r"#[\w.-]+#")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS = re.compile(r"[0-9]+")
_DRIVE = re.compile(r"[A-Za-z]:")
_ILLEGAL = re.compile(r'[:*?"<>|]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PARTS = re.compile(
    r"_?(?:(?<=_)[a-zA-Z0-9]+)?_?(?P<object>\w+)"
    r"\.(?P<attribute>(?:_[a-z]+_)?[a-zA-Z0-9]+(?:_times(?=[_.])|_intervals(?=[_.]))?)"
    r"(?:_\w+)?(?:\.[.\w-]+)*\.\w+"
)


class PathRefused(Refusal):
    """A path or file name that cannot be registered. The subclasses name the rules."""

    rule = "path"


class NotText(PathRefused):
    """Not a text that UTF-8 can hold."""

    rule = "path_is_utf8_text"


class ControlCharacter(PathRefused):
    """NUL, a line break or another control character."""

    rule = "path_without_control_characters"


class EmptyPath(PathRefused):
    """No file name."""

    rule = "path_names_a_file"


class AbsolutePath(PathRefused):
    """Starts at a root or a drive."""

    rule = "path_is_relative"


class Traversal(PathRefused):
    """Climbs with `..`."""

    rule = "path_does_not_climb"


class IllegalCharacter(PathRefused):
    """Cannot be written on every file system."""

    rule = "path_legal_on_every_file_system"


class OutsideAlphabet(PathRefused):
    """Not made of the characters ALF allows."""

    rule = "path_in_alf_alphabet"


class TooLong(PathRefused):
    """Longer than file systems allow."""

    rule = "path_short_enough"


class ReservedName(PathRefused):
    """One of the names we keep for ourselves."""

    rule = "path_not_reserved"


class RevisionMisplaced(PathRefused):
    """A revision folder that is not the last folder, or is not `#name#`."""

    rule = "revision_is_last_folder"


class NotASession(PathRefused):
    """Does not begin with subject/date/number."""

    rule = "path_begins_with_session"


@dataclass(frozen=True, slots=True, order=True)
class SessionPath:
    """Where a session's files lie: subject's nickname, day, number on that day (0–999)."""

    subject: str
    date: datetime.date
    number: int

    def __str__(self) -> str:
        return f"{self.subject}/{self.date.isoformat()}/{self.number:03d}"


@dataclass(frozen=True, slots=True)
class AlfPath:
    """A file in its parts. `collection` and `revision` (without its #) are "" when there is none; `session` is None for
    an aggregate, whose folders are all collection."""

    session: SessionPath | None
    collection: str
    revision: str
    name: str

    @property
    def in_session(self) -> str:
        """`collection/#revision#/name`."""
        return join_in_session(self.collection, self.revision, self.name)

    def __str__(self) -> str:
        """The path below the subjects' folder, without UUID."""
        return f"{self.session}/{self.in_session}" if self.session else self.in_session

    def stored(self, dataset_id: UUID | None = None) -> str:
        """The path at a repository whose names carry the dataset's UUID, or (None) do not."""
        return str(self) if dataset_id is None else with_uuid(str(self), dataset_id)


def join_in_session(collection: str, revision: str, name: str) -> str:
    """`collection/#revision#/name`, leaving out what is empty."""
    return "/".join(part for part in (collection, revision and f"#{revision}#", name) if part)


def parse_registration(path: object, filename: object, *, aggregate: bool = False) -> AlfPath:
    """Take apart a registration's `path` and one of its `filenames`; either may hold the folders.

    Backslashes, doubled slashes and `.` components are put right. An aggregate's path begins with no session; ONE cuts
    off what all its files share, so of a single one the path is everything and the name a dot. Raises a PathRefused.
    """
    alone = aggregate and filename == "." and "." in str(path).rpartition("/")[2]
    parts = _components(path, is_file=True) if alone else [*_components(path), *_components(filename, is_file=True)]
    session = None if aggregate else _session(parts)
    folders = parts[0 if aggregate else 3 : -1]
    name = parts[-1]
    if not aggregate and len(parts) < 4:
        raise EmptyPath(f"{shown('/'.join(parts))} names no file", "send subject/date/number and a file name below it")
    revision = _take_revision(folders)
    for folder in folders:
        _check_alphabet(folder, "folder")
    _check_alphabet(name, "file name")
    if len(name.encode()) > COMPONENT_LIMIT - UUID_LENGTH:
        raise TooLong(
            f"the file name {shown(name, 60)} has {len(name.encode())} bytes",
            f"use at most {COMPONENT_LIMIT - UUID_LENGTH} (servers add the dataset's UUID)",
        )
    parsed = AlfPath(session, "/".join(folders), revision, name)
    if (size := len(str(parsed).encode())) > PATH_LIMIT - UUID_LENGTH:
        raise TooLong(
            f"the path of {shown(name, 60)} has {size} bytes",
            f"use at most {PATH_LIMIT - UUID_LENGTH} (servers add the dataset's UUID)",
        )
    return parsed


def parse_relative(path: str, *, aggregate: bool = False) -> AlfPath:
    """Take apart a path below the subjects' folder: the inverse of `str(AlfPath)`. Raises a PathRefused."""
    return parse_registration("", path, aggregate=aggregate)


def parse_session(path: object) -> SessionPath:
    """The session that a path begins with; what follows is ignored. Raises a PathRefused."""
    return _session(_components(path))


def _components(text: object, *, is_file: bool = False) -> list[str]:
    """The safe components of a client's path. Raises a PathRefused."""
    path = _checked_text(text).replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path):
        raise AbsolutePath(f"{shown(path)} is an absolute path", "send it relative to the subjects' folder")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if is_file and (not parts or path.endswith(("/", "/."))):
        raise EmptyPath(f"{shown(path)} names no file", "send the name of a file")
    for part in parts:
        _check_component(part)
    return parts


def _checked_text(text: object) -> str:
    if not isinstance(text, str):
        raise NotText(f"{shown(text)} is not a text", "send paths and file names as text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotText(f"{shown(text)} cannot be written as UTF-8", "rename the file in plain characters") from None
    if _CONTROL.search(text):
        raise ControlCharacter(f"{shown(text)} holds a control character", "rename the file without it")
    return text


def _check_component(part: str) -> None:
    if part == "..":
        raise Traversal('".." climbs out of its folder', "send the path without `..`")
    if illegal := _ILLEGAL.search(part):
        raise IllegalCharacter(f"{shown(part)} holds {illegal[0]}", 'use none of \\ : * ? " < > |')
    if part.endswith((".", " ")):
        raise IllegalCharacter(f"{shown(part)} ends in a dot or a space", "rename it without")
    if part.casefold().startswith(OUR_PREFIX):
        raise ReservedName(f"{shown(part)} is a name this server keeps for itself", f"use no name in {OUR_PREFIX}…")
    if len(part.encode()) > COMPONENT_LIMIT:
        raise TooLong(f"{shown(part, 60)} has {len(part.encode())} bytes", f"use at most {COMPONENT_LIMIT}")


def _check_alphabet(part: str, what: str) -> None:
    if not _ALPHABET.fullmatch(unicodedata.normalize("NFC", part)):
        raise OutsideAlphabet(
            f"the {what} {shown(part)} is outside the ALF alphabet", "use letters, digits, `_`, `-` and `.` only"
        )


def _session(parts: list[str]) -> SessionPath:
    fix = "begin the path with subject/YYYY-MM-DD/number"
    if len(parts) < 3:
        raise NotASession(f"{shown('/'.join(parts))} does not begin with a session", fix)
    subject, day, number = parts[:3]
    _check_alphabet(subject, "subject")
    if not _DIGITS.fullmatch(number) or int(number[-9:]) > NUMBER_LIMIT or len(number) > 9:
        raise NotASession(f"{shown(number)} is not a session number", f"{fix}, the number from 0 to {NUMBER_LIMIT}")
    try:
        if not _DATE.fullmatch(day):
            raise ValueError
        return SessionPath(subject, datetime.date.fromisoformat(day), int(number))
    except ValueError:
        raise NotASession(f"{shown(day)} is not a date", fix) from None


def _take_revision(folders: list[str]) -> str:
    """Remove the revision from the end of `folders` and return its name, or ""."""
    revision = ""
    if folders and _REVISION.fullmatch(unicodedata.normalize("NFC", folders[-1])):
        revision = folders.pop()[1:-1]
    for folder in folders:
        if "#" in folder:
            raise RevisionMisplaced(
                f"{shown(folder)} is not a revision in its place",
                "a revision is one folder, #name#, directly around the file",
            )
    return revision


def path_key(path: str, *, case_sensitive: bool) -> str:
    """What two paths at one repository are compared by: NFC, and without case where the file system has none."""
    normal = unicodedata.normalize("NFC", path)
    return normal if case_sensitive else unicodedata.normalize("NFC", normal.casefold())


def with_uuid(path: str, dataset_id: UUID) -> str:
    """The path with the dataset's UUID before the extension, as ONE puts it (a UUID that is there is replaced)."""
    folder, slash, name = path.rpartition("/")
    stem, suffix = _stem_and_suffix(name)
    head, _, last = stem.rpartition(".")
    if last == str(dataset_id):
        return path
    return f"{folder}{slash}{head if _is_replaced(last) else stem}.{dataset_id}{suffix}"


def without_uuid(path: str) -> str:
    """The path without the UUID before its extension, as ONE takes it away."""
    folder, slash, name = path.rpartition("/")
    stem, suffix = _stem_and_suffix(name)
    head, _, last = stem.rpartition(".")
    uuid = _uuid(last)
    if uuid and str(uuid) == last and uuid.version in {3, 4, 5} and head + suffix:
        return f"{folder}{slash}{head}{suffix}"
    return path


def _stem_and_suffix(name: str) -> tuple[str, str]:
    at = name.rfind(".")
    return (name[:at], name[at:]) if 0 < at < len(name) - 1 else (name, "")


def _is_replaced(part: str) -> bool:
    uuid = _uuid(part)
    return uuid is not None and uuid.version in {3, 4}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def object_attribute(name: str) -> str | None:
    """`object.attribute` of a file name, without namespace and timescale; None when ALF cannot parse the name."""
    match = _PARTS.fullmatch(name)
    return f"{match['object']}.{match['attribute']}" if match else None


def insertion_labels(collection: str) -> tuple[str, ...]:
    """The names a probe insertion or field of view of the session may have for this collection to be linked to it.

    The folders below the first, innermost first: `alf/probe00` gives ("probe00",), `alf` nothing.
    """
    return tuple(reversed(collection.split("/")[1:]))
