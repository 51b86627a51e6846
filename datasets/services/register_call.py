"""What a client says when it registers files, read and checked as far as that needs no database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from uuid import UUID

from alyx.core.errors import Invalid
from alyx.core.qc import QC
from datasets.rules.alf import AlfPath, SessionPath, parse_registration, parse_session
from datasets.rules.digests import parse_digest, parse_size
from datasets.rules.refusals import Refusal, shown
from datasets.rules.registration import Content

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})

MOST_FILES = 10_000
"""Of one call: more would hold the session's lock for long."""


@dataclass(frozen=True, slots=True)
class SaidFile:
    """One file of a call: its name as sent, its parts, its content, and what else was said (None: nothing)."""

    sent: str
    path: AlfPath
    content: Content
    software_version: str | None = None
    qc: QC | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Collection, name, revision: the file within its owner."""
        return self.path.collection, self.path.name, self.path.revision


@dataclass(frozen=True, slots=True)
class RegisterCall:
    """A registration. `repository` by name, `hostname` as the older word for it; `labs` whose repositories get records
    besides those of the session's lab; `content_type` and `object_id` for a dataset without a session. `default` None:
    nothing was said.

    The last four are our own callers': the session by key, no word about copies, type and format by name ("": by the
    file's name)."""

    files: tuple[SaidFile, ...]
    session: SessionPath | None
    repository: str = ""
    hostname: str = ""
    labs: tuple[str, ...] = ()
    exists: bool = True
    server_only: bool = False
    default: bool | None = None
    created_by: str = ""
    check_protected: bool = False
    content_type: str = ""
    object_id: UUID | None = None
    session_id: UUID | None = None
    copies: bool = True
    dataset_type: str = ""
    data_format: str = ""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "RegisterCall":
        """Read the body of `POST /register-file`. Raises Invalid, with a reason for each file that has one."""
        content_type, object_id = _owner(data)
        session = None if object_id else _session(data)
        return cls(
            files=_files(data, aggregate=object_id is not None),
            session=session,
            repository=_text(data, "name"),
            hostname=_text(data, "hostname"),
            labs=tuple(_words(data, "labs") or _words(data, "projects")),
            exists=_truth(data, "exists", default=True),
            server_only=_truth(data, "server_only", default=False),
            default=_truth(data, "default", default=None),
            created_by=_text(data, "created_by"),
            check_protected=_truth(data, "check_protected", default=False),
            content_type=content_type,
            object_id=object_id,
        )

    @classmethod
    def parse_question(cls, data: Mapping[str, Any]) -> "RegisterCall":
        """Read the body of `GET /check-protected`: the files and whose they are. Raises Invalid."""
        names = {"path", "filenames", "created_by", "content_type", "object_id"}
        return cls.parse({name: value for name, value in data.items() if name in names})


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid.of(name, f"{shown(value)} is not a text")
    return value.strip()


def _words(data: Mapping[str, Any], name: str) -> list[str]:
    value = data.get(name) or []
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise Invalid.of(name, "send a list of names, or names separated by commas")
    return [word.strip() for word in words if word.strip()]


def _truth(data: Mapping[str, Any], name: str, *, default: Any) -> Any:
    value = data.get(name)
    if value is None or value == "":
        return default
    word = str(value).strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise Invalid.of(name, f"{shown(value)} is neither true nor false")


def _owner(data: Mapping[str, Any]) -> tuple[str, UUID | None]:
    content_type, object_id = _text(data, "content_type"), data.get("object_id") or None
    if not content_type and object_id is None:
        return "", None
    if not content_type or object_id is None:
        missing = "content_type" if object_id else "object_id"
        raise Invalid.of(missing, "a dataset without a session needs both content_type and object_id")
    try:
        return content_type, UUID(str(object_id))
    except ValueError:
        raise Invalid.of("object_id", f"{shown(object_id)} is not a UUID") from None


def _session(data: Mapping[str, Any]) -> SessionPath:
    path = data.get("path")
    try:
        return parse_session(path if path is not None else "")
    except Refusal as refusal:
        raise Invalid.of("path", str(refusal)) from None


def _listed(data: Mapping[str, Any], name: str) -> list[Any] | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, Sequence):
        return list(value)
    return [value]


def _per_file(data: Mapping[str, Any], name: str, count: int, *, one_for_all: bool) -> list[Any]:
    values = _listed(data, name)
    if values is None:
        return [None] * count
    if one_for_all and len(values) == 1:
        return values * count
    if len(values) != count:
        raise Invalid.of(name, f"{len(values)} values for {count} files; send one for each file")
    return values


@dataclass(slots=True)
class FileErrors:
    """Reasons collected file by file, so that a client reads all of them at once."""

    reasons: list[dict[str, Any]] = field(default_factory=list)

    def add(self, index: int, filename: object, where: str, error: Exception) -> None:
        """Keep one reason. `where`: the field of the call that it is about."""
        rule = error.rule if isinstance(error, Refusal) else "value"
        text = filename if isinstance(filename, str) else shown(filename)
        self.reasons.append({"index": index, "filename": text, "field": where, "rule": rule, "reason": str(error)})

    def raise_any(self) -> None:
        """Raise Invalid when there is a reason."""
        if not self.reasons:
            return
        fields: dict[str, list[str]] = {}
        for reason in self.reasons:
            fields.setdefault(reason["field"], []).append(f"{reason['filename']}: {reason['reason']}")
        count = len({reason["index"] for reason in self.reasons})
        first = self.reasons[0]
        raise Invalid(
            f"nothing was registered: {count} of the files cannot be; {first['filename']}: {first['reason']}",
            fields=fields,
            extra={"files": self.reasons},
        )


def _files(data: Mapping[str, Any], *, aggregate: bool) -> tuple[SaidFile, ...]:
    names = _listed(data, "filenames")
    if not names or names == [""]:
        raise Invalid.of("filenames", "send the names of the files, relative to path")
    count = len(names)
    if count > MOST_FILES:
        raise Invalid.of("filenames", f"{count} files in one call; send at most {MOST_FILES} at a time")
    digests = _per_file(data, "hashes", count, one_for_all=False)
    sizes = _per_file(data, "filesizes", count, one_for_all=False)
    versions = _per_file(data, "versions", count, one_for_all=True)
    qcs = _per_file(data, "qc", count, one_for_all=True)
    errors = FileErrors()
    said = [
        _file(errors, index, data.get("path") or "", *values, aggregate=aggregate)
        for index, values in enumerate(zip_longest(names, digests, sizes, versions, qcs))
    ]
    errors.raise_any()
    return tuple(file for file in said if file is not None)


def _file(
    errors: FileErrors, index: int, path: object, name: object, digest: object, size: object, version: object,
    qc: object, *, aggregate: bool,
) -> SaidFile | None:  # fmt: skip
    read: dict[str, Callable[[], Any]] = {
        "filenames": lambda: parse_registration(path, name, aggregate=aggregate),
        "hashes": lambda: parse_digest(digest),
        "filesizes": lambda: parse_size(size),
        "versions": lambda: _version(version),
        "qc": lambda: _qc(qc),
    }
    values: dict[str, Any] = {}
    for where, reader in read.items():
        try:
            values[where] = reader()
        except ValueError as error:
            errors.add(index, name, where, error)
    if len(values) < len(read):
        return None
    hashed: Content = values["hashes"]
    content = Content(values["filesizes"], hashed.md5, hashed.sha256)
    return SaidFile(str(name), values["filenames"], content, values["versions"], values["qc"])


def _qc(value: object) -> QC | None:
    return None if value is None or value == "" else QC.parse(value)


def _version(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float) or len(str(value)) > 255:
        raise ValueError(f"{shown(value)} is not a version of at most 255 characters")
    return str(value)
