"""Files of ours for everybody, in a bucket: written whole, read back, and only then named to others."""

import hashlib
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from transfers.backends.base import BackendFailure
from transfers.backends.s3.errors import failure_of
from transfers.backends.s3.objects import Objects
from transfers.backends.s3.place import Place
from transfers.rules.errors import ErrorCode, Side


def publish(place: Place, path: str, file: Path) -> None:
    """Put the file under this path of the place; what was there is replaced in one step.

    Raises:
        BackendFailure: it could not be written, or reads back as something else (DIGEST_MISMATCH).
    """
    objects, key = Objects(place), place.key(path)
    try:
        place.client().upload_file(str(file), place.bucket, key)
    except S3UploadFailedError as error:  # its cause is the service's own word
        raise failure_of(_cause(error), Side.DESTINATION) from error
    except (ClientError, BotoCoreError) as error:
        raise failure_of(error, Side.DESTINATION) from error
    seen = objects.look(key)
    with file.open("rb") as ours:
        digest = hashlib.file_digest(ours, "sha256").hexdigest()
    if seen is None or objects.evidence(key, seen).sha256 != digest:
        raise BackendFailure(ErrorCode.DIGEST_MISMATCH, f"{key} reads back as something else", Side.DESTINATION)


def _cause(error: S3UploadFailedError) -> ClientError | BotoCoreError:
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, ClientError | BotoCoreError) else ClientError({}, "PutObject")
