"""Answers that broke off before they had said what they must.

Python takes a head that ends early for a whole one: without this, half an answer would be read as an object without a
size, or as an empty listing.
"""

from typing import Any

from botocore.exceptions import ConnectionClosedError
from botocore.parsers import ResponseParserError

UNREADABLE = (ResponseParserError, ValueError)
"""What botocore raises when half a value is left."""

MUST_SAY: dict[str, tuple[str, ...]] = {
    "head_object": ("ContentLength", "ETag", "LastModified"),
    "get_object": ("ContentLength", "ETag"),
    "put_object": ("ETag",),
    "upload_part": ("ETag",),
    "upload_part_copy": ("CopyPartResult",),
    "create_multipart_upload": ("UploadId",),
    "complete_multipart_upload": ("ETag",),
    "list_objects_v2": ("IsTruncated",),
    "list_object_versions": ("IsTruncated",),
    "list_multipart_uploads": ("IsTruncated",),
    "list_parts": ("IsTruncated",),
}


def whole(operation: str, answer: Any, endpoint: str) -> Any:
    """The answer. Raises ConnectionClosedError when it ended early."""
    etag = str(answer.get("ETag", ""))
    if any(name not in answer for name in MUST_SAY.get(operation, ())) or etag.startswith('"') > etag.endswith('"'):
        raise broken_off(endpoint)
    return answer


def broken_off(endpoint: str) -> ConnectionClosedError:
    """What is raised."""
    return ConnectionClosedError(endpoint_url=endpoint or "S3")
