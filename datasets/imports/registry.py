"""Repositories and the words of the registry: types, formats, revisions, tags."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

from alyx.core import clock
from alyx.core.flags import Doubt
from datasets.imports.importer import LAB, USER, Here, Importer, Made, New, named
from datasets.imports.spool import Row
from datasets.imports.values import Take, as_key
from datasets.models import DataFormat, DatasetType, Repository, RepositoryRole, RepositoryType, Revision, Tag
from datasets.services.secrets import without_secrets

REPOSITORY, REPOSITORY_TYPE = "data.datarepository", "data.datarepositorytype"
DATASET_TYPE, DATA_FORMAT, REVISION, TAG = "data.datasettype", "data.dataformat", "data.revision", "data.tag"
SCHEMES = {"http", "https", "s3"}


class RepositoryTypes(Importer):
    """A kind of repository."""

    label, model = REPOSITORY_TYPE, RepositoryType
    natural = ("name",)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name."""
        return Made({"name": named(take.text("name", 64), row, take), "json": take.json()}, doubts=take.doubts)


class Repositories(Importer):
    """A place for copies. Which labs use it stands at the labs in the file. Secrets in its JSON stay behind."""

    label, model = REPOSITORY, Repository
    natural = ("name",)
    refs = {"repository_type": REPOSITORY_TYPE}
    uncompared = frozenset({"json", "role", "uuid_in_names", "labs"})

    def __init__(self) -> None:
        self._labs: dict[str, list[Any]] = {}
        self._types: dict[UUID, str] = {}

    def prepare(self, rows: Sequence[Row], here: Here) -> None:
        """The labs that name these repositories. Labs are few."""
        self._types = dict(RepositoryType.objects.values_list("pk", "name"))
        self._labs = {}
        for labs in here.spool.batches(LAB, 1000):
            ours = here.spool.known(LAB, {key for lab in labs if (key := lab.key)})
            for lab in labs:
                key, listed = ours.get(lab.key) if lab.key else None, lab.fields.get("repositories")
                for repository in listed if key and isinstance(listed, list) else []:
                    self._labs.setdefault(str(repository), []).append(key)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """The repository. One that is nobody's own is a server, whose names carry UUIDs."""
        zone = take.text("timezone", 64)
        if zone not in available_timezones():
            if zone:
                take.odd("timezone", zone, "is no time zone; the server's is taken")
            zone = clock.server_zone().key
        kind = take.link("repository_type", REPOSITORY_TYPE)
        role = RepositoryRole.LAB if take.yes("globus_is_personal") else RepositoryRole.CENTRAL
        endpoint = take.raw("globus_endpoint_id")
        if endpoint and as_key(endpoint) is None:
            take.odd("globus_endpoint_id", endpoint, "is no UUID")
        columns = {
            "name": named(take.text("name"), row, take),
            "timezone": zone,
            "role": role,
            "uuid_in_names": role != RepositoryRole.LAB,
            "data_url": _address(take),
            "globus_path": take.text("globus_path", 1000),
            "globus_endpoint_id": as_key(endpoint),
            "hostname": take.text("hostname", 200),
            "repository_type": self._types.get(kind, "") if kind else "",
            "json": _public(take),
        }
        labs = list(dict.fromkeys(self._labs.get(row.pk, [])))
        return Made(columns, {"labs": labs}, lab_id=labs[0] if len(labs) == 1 else None, doubts=take.doubts)


def _address(take: Take) -> str | None:
    """Where files are fetched from, with the slash at its end."""
    url = take.text("data_url", 999)
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in SCHEMES or not parts.netloc or parts.username or parts.query or parts.fragment:
        take.odd("data_url", parts.netloc.rpartition("@")[2], "is no address without password, query and fragment")
        return None
    return url if url.endswith("/") else f"{url}/"


def _public(take: Take) -> Any:
    """The JSON without secrets: every user reads it."""
    said = take.json()
    kept = without_secrets(said)
    if kept != said:
        take.doubts.append(
            Doubt(
                "secret-not-kept",
                "its JSON held a secret, which every user would read",
                {"field": "json"},
                "give the secret to the server's environment, and change it at its source",
            )
        )
    return kept


class DatasetTypes(Importer):
    """A kind of dataset."""

    label, model = DATASET_TYPE, DatasetType
    natural = ("name",)
    refs = {"created_by": USER}

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name and pattern."""
        columns = {
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "filename_pattern": take.text("filename_pattern").lower(),
            "created_by_id": take.link("created_by", USER),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)


class DataFormats(Importer):
    """A file format. Two with the same extension cannot be told apart by a name: the second one recognises none."""

    label, model = DATA_FORMAT, DataFormat
    natural = ("name",)
    uncompared = frozenset({"file_extension"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name, extension and loaders."""
        columns = {
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "file_extension": take.text("file_extension", 64),
            "python_loader_function": take.text("python_loader_function"),
            "matlab_loader_function": take.text("matlab_loader_function"),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)

    def complete(self, new: Sequence[New], here: Here) -> None:
        """Extensions stand once."""
        taken = set(DataFormat.objects.values_list("file_extension", flat=True))
        for one in new:
            wanted = one.columns["file_extension"]
            if wanted in taken:
                given = f"{wanted[:50]}~{one.row.pk[:8]}"
                one.columns["file_extension"] = given
                words = f"the extension {wanted!r} is another format's already; here it is {given!r}"
                fix = "merge the two formats, or give this one an extension of its own"
                one.made.doubts.append(Doubt("extension-taken", words, {"file_extension": wanted}, fix))
            taken.add(one.columns["file_extension"])


class Revisions(Importer):
    """A named revision."""

    label, model = REVISION, Revision
    natural = ("name",)
    uncompared = frozenset({"created_at"})

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name."""
        columns = {
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "json": take.json(),
        }
        if made_at := take.instant("created_datetime", here.server):
            columns["created_at"] = made_at
        return Made(columns, doubts=take.doubts)


class Tags(Importer):
    """A tag, and what it protects and opens."""

    label, model = TAG, Tag
    natural = ("name",)

    def make(self, row: Row, take: Take, here: Here) -> Made:
        """Its name and what it does."""
        columns = {
            "name": named(take.text("name"), row, take),
            "description": take.text("description", None),
            "protected": take.yes("protected"),
            "public": take.yes("public"),
            "hash": take.text("hash", 64),
            "json": take.json(),
        }
        return Made(columns, doubts=take.doubts)
