"""Large objects in parts. The service's own list of parts is the ledger: who resumes asks it what has arrived."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import BackendFailure, Beat, Reader
from transfers.backends.parallel import each
from transfers.backends.s3.errors import failure_of
from transfers.backends.s3.objects import (
    MEMORY_BYTES,
    ConditionRefused,
    Objects,
    conditionally,
    part_bytes,
    pieces,
    sha256_of,
)
from transfers.backends.s3.place import WORKERS
from transfers.rules.errors import ErrorCode, Side

BEGUN = declare("s3.upload_begun")
PART_SENT = declare("s3.part_sent")
ALL_SENT = declare("s3.all_parts_sent")
COMPLETED = declare("s3.upload_completed")
ABORTED = declare("s3.upload_aborted")

Part = dict[str, Any]


def upload(objects: Objects, key: str, source: Reader, begun: Iterable[Mapping[str, Any]], beat: Beat) -> None:
    """Send a file in parts, going on where an earlier upload to this key stopped. `begun`: the uploads under way here.

    Raises BackendFailure, LeaseLost.
    """
    upload_id, sent = _resumed(objects, key, source.size_bytes, begun)

    def send(number: int, start: int, length: int) -> Part:
        data = source.read(start, length)
        if len(data) != length:
            raise BackendFailure(ErrorCode.SOURCE_UNSTABLE, "the source ended early", Side.SOURCE)
        objects.meter.take(length)
        answer = objects.ask(
            "upload_part",
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=data,
            ChecksumSHA256=sha256_of(data),
        )
        return _part(number, answer)

    _finish(objects, key, upload_id, sent, source.size_bytes, send, beat, {})


def copy(objects: Objects, source: str, etag: str, size_bytes: int, key: str, beat: Beat, **condition: str) -> str:
    """Copy an object inside the bucket, in the parts its upload had; the copy's ETag. The bytes never leave the service.

    Raises ConditionRefused when `condition` does not hold for `key`, BackendFailure, LeaseLost.
    """
    upload_id = _begin(objects, key)

    def send(number: int, start: int, length: int) -> Part:
        answer = objects.ask(
            "upload_part_copy",
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource={"Bucket": objects.place.bucket, "Key": source},
            CopySourceRange=f"bytes={start}-{start + length - 1}",
            CopySourceIfMatch=f'"{etag}"',
        )
        return _part(number, answer["CopyPartResult"])

    try:
        return _finish(objects, key, upload_id, {}, size_bytes, send, beat, condition)
    except ConditionRefused:
        abort(objects, key, upload_id)
        raise


def abort(objects: Objects, key: str, upload_id: str) -> None:
    """Forget an upload and its parts. One that is gone already is fine. Raises BackendFailure."""
    try:
        objects.ask("abort_multipart_upload", Key=key, UploadId=upload_id)
    except (ClientError, BotoCoreError) as error:
        failure = failure_of(error, objects.side)
        if failure.code is not ErrorCode.STAGED_LOST:
            raise failure from error
    failpoint(ABORTED)


def uploads(objects: Objects, prefix: str) -> list[dict[str, Any]]:
    """Uploads under way to keys that begin so, as the service lists them. Raises BackendFailure."""
    pages = objects.pages("list_multipart_uploads", Prefix=prefix)
    return [one for page in pages for one in page.get("Uploads", ())]


def _begin(objects: Objects, key: str) -> str:
    try:
        upload_id = str(objects.ask("create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256")["UploadId"])
    except (ClientError, BotoCoreError) as error:
        raise failure_of(error, objects.side) from error
    failpoint(BEGUN)
    return upload_id


def _resumed(
    objects: Objects, key: str, size_bytes: int, begun: Iterable[Mapping[str, Any]]
) -> tuple[str, dict[int, Part]]:
    """An upload and what it has. Of several (two owners met) the first is kept; one in other parts begins anew."""
    known = [one["UploadId"] for one in begun if one["Key"] == key]
    for upload_id in known[1:]:
        abort(objects, key, upload_id)
    if not known:
        return _begin(objects, key), {}
    lengths = dict(enumerate((length for _, length in pieces(size_bytes)), start=1))
    sent: dict[int, Part] = {}
    for page in objects.pages("list_parts", Key=key, UploadId=known[0]):
        for one in page.get("Parts", ()):
            if lengths.get(one["PartNumber"]) != one["Size"]:
                abort(objects, key, known[0])
                return _begin(objects, key), {}
            sent[one["PartNumber"]] = _part(one["PartNumber"], one)
    return known[0], sent


def _finish(
    objects: Objects,
    key: str,
    upload_id: str,
    sent: dict[int, Part],
    size_bytes: int,
    send: Callable[[int, int, int], Part],
    beat: Beat,
    condition: dict[str, str],
) -> str:
    """Send the parts that are missing and put all together; the object's ETag."""
    todo = [(number, *piece) for number, piece in enumerate(pieces(size_bytes), start=1) if number not in sent]
    workers = max(1, min(WORKERS, MEMORY_BYTES // part_bytes(size_bytes)))
    try:
        for (number, _, _), part in each(lambda piece: send(*piece), todo, beat, workers):
            sent[number] = part
            failpoint(PART_SENT)
        failpoint(ALL_SENT)
        parts = [sent[number] for number in sorted(sent)]
        answer = conditionally(
            lambda **given: objects.ask(
                "complete_multipart_upload", Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}, **given
            ),
            condition,
        )
    except (ClientError, BotoCoreError) as error:
        raise failure_of(error, objects.side) from error
    failpoint(COMPLETED)
    return str(answer["ETag"]).strip('"')


def _part(number: int, answer: dict[str, Any]) -> Part:
    checksum = answer.get("ChecksumSHA256")
    return {"PartNumber": number, "ETag": answer["ETag"]} | ({"ChecksumSHA256": checksum} if checksum else {})
