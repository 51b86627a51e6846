"""Wire records written the plain way, row by row in Python: what PostgreSQL's JSON is compared with."""

from typing import Any

from alyx.core.qc import QC
from datasets.api.wire import server_time
from datasets.models import Dataset, FileRecord
from datasets.rules.alf import with_uuid


def dataset_record(row: Dataset, base: str) -> dict[str, Any]:
    """A dataset on the wire."""
    tags = sorted(row.tags.all(), key=lambda tag: tag.name)
    copies = FileRecord.objects.shown().filter(dataset=row).order_by("repository__name")
    return {
        "url": f"{base}/datasets/{row.pk}",
        "name": row.name,
        "created_by": row.created_by.username if row.created_by else None,
        "created_datetime": server_time(row.created_at),
        "dataset_type": row.dataset_type.name,
        "data_format": row.data_format.name,
        "collection": row.collection,
        "session": f"{base}/sessions/{row.session_id}" if row.session_id else None,
        "file_size": row.size_bytes,
        "hash": row.md5 or None,
        "version": row.software_version,
        "experiment_number": row.session.number if row.session else None,
        "file_records": [_copy(copy) for copy in copies],
        "auto_datetime": server_time(row.updated_at),
        "revision": row.revision.name if row.revision else "",
        "default_dataset": row.is_default,
        "protected": any(tag.protected for tag in tags),
        "public": any(tag.public for tag in tags),
        "tags": [tag.name for tag in tags],
        "qc": QC(row.qc).name,
        "json": row.json,
    }


def _copy(copy: FileRecord) -> dict[str, Any]:
    place = copy.repository
    return {
        "id": str(copy.pk),
        "data_repository": place.name,
        "data_repository_path": place.globus_path or "/",
        "relative_path": copy.relative_path,
        "data_url": f"{place.data_url}{with_uuid(copy.relative_path, copy.dataset_id)}" if place.data_url else None,
        "exists": copy.exists,
    }


def file_record(copy: FileRecord, base: str) -> dict[str, Any]:
    """A copy on the wire."""
    return {
        "url": f"{base}/files/{copy.pk}",
        "dataset": f"{base}/datasets/{copy.dataset_id}",
        "data_repository": copy.repository.name,
        "name": copy.dataset.name,
        "json": copy.json,
        "relative_path": copy.relative_path,
        "exists": copy.exists,
    }
