"""What a copy, its source and the registry together say: the same words for every kind of storage."""

from transfers.backends.base import Beat, Content, Evidence, Failure, LeaseLost, Proved
from transfers.rules.errors import ErrorCode, Side, policy


def check(beat: Beat) -> None:
    """Go on only while the lease is ours. Raises LeaseLost."""
    if not beat():
        raise LeaseLost


def concerns_all(code: ErrorCode) -> bool:
    """Whether the next file of the same job would meet the same."""
    return policy(code).blocks_repository or code is ErrorCode.UNREACHABLE


def size_failure(content: Content, size_bytes: int) -> Failure | None:
    """A source of another size than registered; None: nothing against it."""
    if content.size_bytes is None or content.size_bytes == size_bytes:
        return None
    code = ErrorCode.SOURCE_TRUNCATED if size_bytes < content.size_bytes else ErrorCode.SOURCE_CHANGED
    return Failure(code, f"{size_bytes} bytes, {content.size_bytes} registered", Side.SOURCE)


def explain(wanted: Content, staged: Evidence, source: Evidence) -> Proved | Failure:
    """The copy is not what was registered, or nothing was: a read of the source decides what that means."""
    same = (source.size_bytes, source.sha256) == (staged.size_bytes, staged.sha256)
    if not wanted.attested and same:
        return Proved(staged, observed=True)
    if wanted.attested and same:
        return Failure(ErrorCode.SOURCE_CHANGED, f"source and copy have sha256 {source.sha256}", Side.SOURCE)
    if wanted.matches(source):
        return Failure(ErrorCode.DIGEST_MISMATCH, f"the copy has sha256 {staged.sha256}", Side.BETWEEN)
    return Failure(ErrorCode.SOURCE_UNSTABLE, "source and copy differ, and neither is what was registered", Side.SOURCE)


def same_bytes(one: Evidence, other: Evidence) -> bool:
    """Whether two reads saw the same bytes."""
    return (one.size_bytes, one.md5, one.sha256) == (other.size_bytes, other.md5, other.sha256)


def accounted(wanted: tuple[int, Content] | None, old: Evidence) -> tuple[bool, str]:
    """Whether the bytes at a final name are the version the registry expected there, and how the trash calls them."""
    known = wanted is not None and wanted[1].matches(old)
    return known, f"v{wanted[0]}" if wanted is not None and known else "unaccounted"
