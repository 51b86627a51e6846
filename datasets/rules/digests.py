"""Digests and sizes as clients send them.

Rigs send the MD5 of a file as 32 hex characters, null above their hash limit; our own tools may send SHA-256. Sizes
come as numbers of bytes, sometimes as text or as a number with a fraction of zero.
"""

import hashlib
import math
import re
from collections.abc import Iterable

from datasets.rules.refusals import Refusal, shown
from datasets.rules.registration import Content

EMPTY = Content(0, hashlib.md5(b"", usedforsecurity=False).hexdigest(), hashlib.sha256(b"").hexdigest())
"""The content of a file without a byte."""
SIZE_LIMIT = 2**63
"""Sizes are below this: what the database and every file system we write to can hold."""

_HEX = re.compile(r"[0-9a-f]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}(\.0*)?", re.ASCII)
_NOTHING = frozenset({"", "none", "null"})


class MalformedDigest(Refusal):
    """Neither an MD5 nor a SHA-256 in hex."""

    rule = "digest_is_hex"


class MalformedSize(Refusal):
    """Not a number of bytes that a file can have."""

    rule = "size_is_bytes"


class TwoContentsForOneFile(Refusal):
    """One call gives the same file twice, with different digests or sizes."""

    rule = "one_content_per_file"


def parse_digest(value: object) -> Content:
    """The digest a client sent, in lower case, as the `md5` or `sha256` of a Content without size.

    None, "" and the words none and null mean "not hashed". Raises MalformedDigest for anything else that is not 32 or
    64 hex characters.
    """
    if value is None:
        return Content()
    text = value.strip().lower() if isinstance(value, str) else None
    if text in _NOTHING:
        return Content()
    if text is not None and _HEX.fullmatch(text):
        if len(text) == 32:
            return Content(md5=text)
        if len(text) == 64:
            return Content(sha256=text)
    raise MalformedDigest(
        f"{shown(value)} is not a file digest",
        "send the MD5 as 32 hex characters (or the SHA-256 as 64), or null when the file was not hashed",
    )


def parse_size(value: object) -> int | None:
    """The size in bytes, 0 ≤ size < 2^63; None and "" mean "not known".

    Whole numbers sent as text or with a fraction of zero are taken. Raises MalformedSize for anything else.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    size = _whole_number(value)
    if size is None:
        raise MalformedSize(f"{shown(value)} is not a size in bytes", "send a whole number, or null when not known")
    if not 0 <= size < SIZE_LIMIT:
        raise MalformedSize(f"a file cannot have {shown(value)} bytes", "send a size from 0 to 2^63 - 1")
    return size


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    return None


def parse_content(digest: object, size: object) -> Content:
    """What a client says about one file. Raises MalformedDigest or MalformedSize."""
    hashed = parse_digest(digest)
    return Content(parse_size(size), hashed.md5, hashed.sha256)


def empty_file_contradiction(content: Content) -> str | None:
    """In a sentence, why size and digest cannot both be true of an empty file; None when they can.

    Not a refusal: what a rig says is kept and flagged, and no copy of it will ever be proved.
    """
    digests = ((content.md5, EMPTY.md5), (content.sha256, EMPTY.sha256))
    known = [(sent, empty) for sent, empty in digests if sent is not None]
    if content.size == 0 and any(sent != empty for sent, empty in known):
        return "the size is 0 but the digest is not that of an empty file"
    if content.size and any(sent == empty for sent, empty in known):
        return f"the digest is that of an empty file but the size is {content.size}"
    return None


def refuse_two_contents(files: Iterable[tuple[str, Content]]) -> None:
    """Refuse a call that names one file (its path or path key) twice with different digests or sizes.

    Raises TwoContentsForOneFile.
    """
    seen: dict[str, Content] = {}
    for path, content in files:
        if seen.setdefault(path, content) != content:
            raise TwoContentsForOneFile(
                f"{shown(path)} is in this call twice with different contents",
                "send each file once, with the digest and the size it has now",
            )
