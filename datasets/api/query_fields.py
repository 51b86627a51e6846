"""What `django=` may ask about datasets and files."""

from django.db.models import F, Q

from alyx.core.rest.query_language import (
    QueryFields,
    boolean,
    computed,
    instant,
    json_path,
    number,
    qc_value,
    relation,
    text,
    uuid_,
)
from alyx.core.rest.query_values import as_number
from alyx.labs.query_fields import LABS, NOTES_ABOUT, USERS
from datasets.models import RepositoryRole
from datasets.rules.copies import EXISTS
from sessions.api.query_fields import FOVS, INSERTIONS, SESSIONS
from sessions.queries.folders import only_folders


def _personal(prefix: str, wanted: bool) -> Q:
    lab_role = Q(**{f"{prefix}role": RepositoryRole.LAB})
    return lab_role if wanted else ~lab_role


def _exists(prefix: str, wanted: bool) -> Q:
    current = Q(
        **{f"{prefix}state__in": sorted(EXISTS), f"{prefix}content_version": F(f"{prefix}dataset__content_version")}
    )
    return current if wanted else ~current


_NAMED = QueryFields({"name": text("name"), "description": text("description"), "json": json_path("json")})
_TYPES = _NAMED.plus({"filename_pattern": text("filename_pattern")})
_FORMATS = _NAMED.plus({"file_extension": text("file_extension")})
_TAGS = _NAMED.plus({"protected": boolean("protected"), "public": boolean("public")})

REPOSITORIES = QueryFields(
    {
        "name": text("name"),
        "hostname": text("hostname"),
        "data_url": text("data_url"),
        "globus_path": text("globus_path"),
        "globus_endpoint_id": uuid_("globus_endpoint_id"),
        "globus_is_personal": computed(_personal),
        "timezone": text("timezone"),
        "labs": relation("labs", LABS, many=True),
        "lab": relation("labs", LABS, many=True),
    }
)

_KINDS = QueryFields({"id": number("id"), "pk": number("id"), "model": text("model")})
"""Tables by their name, as clients say it: `subject`, `tag`."""

_INSERTED, _IMAGED = "session__insertions", "session__fields_of_view"

DATASETS = QueryFields(
    {
        "name": text("name"),
        "collection": text("collection"),
        "file_size": number("size_bytes"),
        "hash": text("md5"),
        "md5": text("md5"),
        "version": text("software_version"),
        "generating_software": text("generating_software"),
        "qc": number("qc", convert=qc_value),
        "default_dataset": boolean("is_default"),
        "created_datetime": instant("created_at"),
        "auto_datetime": instant("updated_at"),
        "object_id": uuid_("object_id"),
        "content_type": relation("content_type", _KINDS, convert=as_number),
        "notes": NOTES_ABOUT,
        "json": json_path("json"),
        "dataset_type": relation("dataset_type", _TYPES),
        "data_format": relation("data_format", _FORMATS),
        "revision": relation("revision", _NAMED),
        "created_by": relation("created_by", USERS),
        "session": relation("session", SESSIONS),
        "tags": relation("tags", _TAGS, many=True),
        "probe_insertion": relation(_INSERTED, INSERTIONS, many=True, only=only_folders(_INSERTED)),
        "field_of_view": relation(_IMAGED, FOVS, many=True, only=only_folders(_IMAGED)),
        "file_records": relation("file_records", lambda: FILES, many=True),
    }
)

FILES: QueryFields = QueryFields(
    {
        "relative_path": text("relative_path"),
        "exists": computed(_exists),
        "json": json_path("json"),
        "dataset": relation("dataset", DATASETS),
        "data_repository": relation("repository", REPOSITORIES),
        "created_datetime": instant("created_at"),
        "auto_datetime": instant("updated_at"),
    }
)
