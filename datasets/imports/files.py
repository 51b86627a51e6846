"""Datasets and what is claimed of their copies. Nothing that a file says is a proof."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from alyx.core.flags import Doubt
from alyx.core.qc import QC
from datasets.imports.generic import Things
from datasets.imports.importer import USER, Here, Importer, Made, New
from datasets.imports.recordings import labs_of
from datasets.imports.registry import DATA_FORMAT, DATASET_TYPE, REPOSITORY, REVISION, TAG
from datasets.imports.sessions import SESSION
from datasets.imports.spool import Row
from datasets.imports.values import Refused, Take
from datasets.models import (
    ContentVersion,
    DataFormat,
    DataNotice,
    Dataset,
    DatasetType,
    Download,
    FileRecord,
    HashState,
    Importance,
    Repository,
    Revision,
)
from datasets.rules.alf import (
    IllegalCharacter,
    OutsideAlphabet,
    PathRefused,
    join_in_session,
    parse_relative,
    path_key,
    with_uuid,
    without_uuid,
)
from datasets.rules.copies import HIDDEN, CopyState

DATASET, FILE_RECORD = "data.dataset", "data.filerecord"
LARGEST_SIZE = 2**63 - 1
MD5_DIGITS, SHA256_DIGITS = 32, 64
UNKNOWN_WORD = "unknown"
SAID = {
    CopyState.CLAIMED: "the imported database said that the bytes are here",
    CopyState.EXPECTED: "meant to come here",
}
LONGEST = 1000
_HEX = re.compile(r"[0-9a-f]+")


class Datasets(Importer):
    """A dataset of a session or of another object. Its size and digest are what somebody said, for the first version.

    Two of the same path and bytes are one; of two with other bytes the second is kept withdrawn.
    """

    label, model = DATASET, Dataset
    natural = ("session_id", "content_type_id", "object_id", "collection", "name", "revision_id")
    refs = {
        "session": SESSION,
        "created_by": USER,
        "dataset_type": DATASET_TYPE,
        "data_format": DATA_FORMAT,
        "revision": REVISION,
        "tags": TAG,
    }
    uncompared = frozenset({"created_at", "updated_at", "is_default", "withdrawn_at", "hash_state"})
    whole_groups = True

    def __init__(self, models: dict[str, type[Model]]) -> None:
        self._things = Things(models)
        self._words: dict[type[Model], UUID] = {}
        self._revisions: dict[UUID, str] = {}
        self._names: dict[str, str] = {}

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of a session, or of an object, together; defaults first."""
        group = str(fields.get("session") or fields.get("object_id") or "")
        return group, "1" if fields.get("default_dataset") is False else "0"

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """What aggregates are about, the names of revisions, and of those datasets that only their files name."""
        self._things.look_for([row for row in rows if not row.fields.get("session")], here)
        self._words = {}
        self._revisions = dict(Revision.objects.values_list("pk", "name"))
        nameless = [row.pk for row in rows if not row.fields.get("name")]
        self._names = {}
        for record in here.spool.of_groups(FILE_RECORD, nameless) if nameless else []:
            path = record.fields.get("relative_path")
            if isinstance(path, str):
                self._names.setdefault(record.group, without_uuid(path).rpartition("/")[2])

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The dataset."""
        owner, lab = self._owner(take, here)
        revision = take.link("revision", REVISION)
        name = take.text("name") or self._names.get(row.pk, "")
        if not name:
            raise Refused("it has no name, and no file that has one")
        collection = "/".join(part for part in take.text("collection", 1000).split("/") if part not in {"", "."})
        _check_path(take, join_in_session(collection, self._revisions.get(revision, ""), name), name)
        columns = {
            **owner,
            "collection": collection,
            "revision_id": revision,
            "name": name,
            "dataset_type_id": take.link("dataset_type", DATASET_TYPE) or self._word(DatasetType),
            "data_format_id": take.link("data_format", DATA_FORMAT) or self._word(DataFormat),
            **_content(take),
            "software_version": take.text("version") or None,
            "generating_software": take.text("generating_software"),
            "qc": take.choice("qc", QC.values, QC.NOT_SET.value),
            "is_default": take.yes("default_dataset", default=True),
            "created_by_id": take.link("created_by", USER),
            "json": take.json(),
        }
        made_at = take.instant("created_datetime", here.server)
        changed_at = take.instant("auto_datetime", here.server)
        columns |= {"created_at": made_at} if made_at else {}
        columns |= {"updated_at": changed_at or made_at} if changed_at or made_at else {}
        content = {name: columns[name] for name in ("size_bytes", "md5", "sha256")}
        first = ContentVersion(dataset_id=UUID(row.pk), content_version=1, **content)
        return Made(columns, {"tags": take.links("tags", TAG)}, lab_id=lab, along=[first], doubts=take.doubts)

    def _owner(self, take: Take, here: Here) -> tuple[dict[str, Any], UUID | None]:
        """Whose it is: a session's, else the object's."""
        content_type, object_id = take.raw("content_type"), take.raw("object_id")
        if take.raw("session"):
            session = take.link("session", SESSION, needed=True)
            if object_id:
                take.odd("object_id", object_id, "belongs to a session already")
            return {"session_id": session, "content_type_id": None, "object_id": None}, None
        if not object_id:
            raise Refused("it belongs to no session and to no other object")
        thing = self._things.of(content_type, object_id, here)
        if thing is None:
            raise Refused("the object it belongs to is neither in the file nor here")
        return {"session_id": None, "content_type_id": thing[0], "object_id": thing[1]}, thing[2]

    def _word(self, model: type[Model]) -> UUID:
        """The type or format of what has none."""
        if model not in self._words:
            more = {"file_extension": f".{UNKNOWN_WORD}"} if model is DataFormat else {}
            self._words[model] = model._default_manager.get_or_create(name=UNKNOWN_WORD, defaults=more)[0].pk
        return self._words[model]

    def is_same(self, made: Made, other: Any, *, in_file: bool) -> bool:
        """Of the same bytes, as far as anybody says."""
        mine = made.columns
        for kind in ("md5", "sha256"):
            if mine[kind] and getattr(other, kind):
                return bool(mine[kind] == getattr(other, kind))
        return None in (mine["size_bytes"], other.size_bytes) or mine["size_bytes"] == other.size_bytes

    def set_aside(self, made: Made, other: Any, here: Here) -> bool:
        """Another with other bytes has its path: it is kept, and shown to nobody."""
        made.columns |= {"withdrawn_at": here.now, "is_default": False}
        words = f"its path is that of dataset {other.pk}, which means other bytes; this one is kept withdrawn"
        facts = {"other": str(other.pk), "hash": made.columns["md5"] or made.columns["sha256"]}
        fix = "look which of the two is right, and register the right bytes again"
        made.doubts.append(Doubt("path-taken", words, facts, fix))
        return True

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Labs, and one default among the revisions of a file: what is here keeps it, else the newest has it."""
        labs = labs_of({one.columns["session_id"] for one in new})
        for one in new:
            one.made.lab_id = one.made.lab_id or labs.get(one.columns["session_id"])
        stored = Dataset.objects.shown().filter(
            Q(session__in={one.columns["session_id"] for one in new} - {None})
            | Q(session=None, object_id__in={one.columns["object_id"] for one in new} - {None}),
            is_default=True,
            name__in={one.columns["name"] for one in new},
        )
        taken: set[tuple[Any, ...]] = set(stored.values_list(*self.natural[:-1]))
        for one in sorted((one for one in new if one.columns["is_default"]), key=_newness, reverse=True):
            path = tuple(one.columns[name] for name in self.natural[:-1])
            if path in taken:
                one.columns["is_default"] = False
                words = f"another revision of {one.columns['name']} is the default; two cannot be"
                fix = "choose the revision that users get"
                one.made.doubts.append(Doubt("default-taken", words, {"default_dataset": True}, fix))
            taken.add(path)


def _newness(one: New) -> tuple[str, str]:
    made_at = one.columns.get("created_at")
    return made_at.isoformat() if isinstance(made_at, datetime) else "", one.row.pk


def _check_path(take: Take, path: str, name: str) -> None:
    """A path that leads elsewhere or is ours is refused; one that only ALF would not have is kept and flagged."""
    if ".." in path.split("/") or "/" in name:
        raise Refused("its path climbs out of its folder, or its name is a path")
    try:
        parse_relative(path, aggregate=True)
    except (IllegalCharacter, OutsideAlphabet) as error:
        words = f"its path is not ALF: {error}"
        take.doubts.append(Doubt("path-not-alf", words[:LONGEST], {"path": path}, "rename the file"))
    except PathRefused as error:
        raise Refused(f"its path cannot be kept ({error.rule})") from None


def _content(take: Take) -> dict[str, Any]:
    """Size and digest. A digest without a size says too little."""
    size = take.whole("file_size", most=LARGEST_SIZE)
    said, old = take.text("hash").strip().lower(), take.text("md5").replace("-", "").strip().lower()
    digest = said or old
    kept = {"size_bytes": size, "md5": "", "sha256": "", "hash_state": HashState.PENDING}
    if not digest:
        return kept
    kind = {MD5_DIGITS: "md5", SHA256_DIGITS: "sha256"}.get(len(digest))
    if kind is None or not _HEX.fullmatch(digest):
        take.odd("hash", digest, "is neither an MD5 nor a SHA-256")
        return kept
    if size is None:
        take.odd("hash", digest, "is kept only beside the size of the file; it will be read again")
        return kept
    return {**kept, kind: digest, "hash_state": HashState.ATTESTED}


class FileRecords(Importer):
    """A copy: claimed where the file says that it exists, expected otherwise. Of two at one repository one is kept."""

    label, model = FILE_RECORD, FileRecord
    natural = ("dataset_id", "repository_id")
    refs = {"dataset": DATASET, "data_repository": REPOSITORY}
    uncompared = frozenset({"state", "content_version", "stored_path", "path_key", "reason", "json"})
    whole_groups = True

    def __init__(self) -> None:
        self._places: dict[UUID, Repository] = {}

    def order(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Those of a dataset together; what exists first."""
        return str(fields.get("dataset") or ""), "0" if fields.get("exists") is True else "1"

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """Repositories are few."""
        self._places = Repository.objects.in_bulk()

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The copy under the name that it has there."""
        dataset = take.link("dataset", DATASET, needed=True)
        place = self._places[take.link("data_repository", REPOSITORY, needed=True)]
        said = take.text("relative_path", 1000)
        relative = without_uuid("/".join(part for part in said.split("/") if part not in {"", "."}))
        if not relative:
            raise Refused("it has no path")
        _check_path(take, relative, "")
        stored = with_uuid(relative, dataset) if place.uuid_in_names else relative
        state = CopyState.CLAIMED if take.yes("exists") else CopyState.EXPECTED
        take.raw("name")
        columns = {
            "dataset_id": dataset,
            "repository_id": place.pk,
            "relative_path": relative,
            "stored_path": stored,
            "path_key": path_key(stored, case_sensitive=place.case_sensitive),
            "content_version": 1,
            "state": state,
            "reason": SAID[state],
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)

    def barred(self, made: Sequence[tuple[UUID, Made]], here: Here) -> Mapping[UUID, str]:
        """Names that another dataset's copy has at the same repository."""
        paths = {(one.columns["repository_id"], one.columns["path_key"]) for _, one in made}
        stored = FileRecord.objects.filter(
            repository__in={place for place, _ in paths}, path_key__in={path for _, path in paths}
        ).exclude(state__in=sorted(HIDDEN))
        bearers = {
            (place, path): dataset
            for place, path, dataset in stored.values_list("repository_id", "path_key", "dataset_id")
        }
        reasons = {}
        for key, one in made:
            columns = one.columns
            bearer = bearers.setdefault((columns["repository_id"], columns["path_key"]), columns["dataset_id"])
            if bearer != columns["dataset_id"]:
                reasons[key] = "another dataset's copy has its path at this repository"
        return reasons

    def twice(self, made: Made, other: Any) -> Doubt | None:
        """Two records of one copy."""
        exists = made.columns["state"] == CopyState.CLAIMED
        path = made.columns["relative_path"]
        words = f"the file had a second record of this copy ({path}, exists: {exists}); this one is kept"
        return Doubt("copy-twice", words, {"relative_path": path, "exists": exists}, "look where the file really is")

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Of a dataset that means other bytes by now, an old claim claims nothing."""
        datasets = Dataset.objects.filter(pk__in={one.columns["dataset_id"] for one in new})
        known = {
            pk: (version, lab) for pk, version, lab in datasets.values_list("pk", "content_version", "session__lab_id")
        }
        for one in new:
            version, one.made.lab_id = known[one.columns["dataset_id"]]
            one.columns["content_version"] = version
            if version > 1 and one.columns["state"] == CopyState.CLAIMED:
                one.columns.update(state=CopyState.EXPECTED, reason=SAID[CopyState.EXPECTED])
                words = "the file says that bytes are here, but the dataset has had other bytes since"
                one.made.doubts.append(Doubt("claim-of-old-bytes", words, {"exists": True}, "look what lies there"))


class Downloads(Importer):
    """How often somebody downloaded a dataset."""

    label, model = "data.download", Download
    natural = ("user_id", "dataset_id")
    refs = {"user": USER, "dataset": DATASET}
    uncompared = frozenset({"created_at", "updated_at", "count"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The counter. Projects are those of the session."""
        columns = {
            "user_id": take.link("user", USER, needed=True),
            "dataset_id": take.link("dataset", DATASET, needed=True),
            "count": take.whole("count") or 0,
            "json": take.json(),
        }
        for name, column in (("first_download", "created_at"), ("last_download", "updated_at")):
            if moment := take.instant(name, here.server):
                columns[column] = moment
        take.raw("name")
        take.raw("projects")
        return Made(columns, doubts=take.doubts)


class DataNotices(Importer):
    """What users of datasets have to know."""

    label, model = "data.datanotice", DataNotice
    refs = {"created_by": USER, "datasets": DATASET}
    uncompared = frozenset({"created_at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The notice."""
        columns = {
            "name": take.text("name"),
            "description": take.text("description", None),
            "importance": take.choice("importance", Importance.values, Importance.MEDIUM.value),
            "version_affected": take.text("version_affected"),
            "from_on": take.day("affected_date_start"),
            "to_on": take.day("affected_date_end"),
            "created_by_id": take.link("created_by", USER),
            "json": take.json(),
        }
        if made_at := take.instant("created_datetime", here.server):
            columns["created_at"] = made_at
        return Made(columns, {"datasets": take.links("datasets", DATASET)}, doubts=take.doubts)
