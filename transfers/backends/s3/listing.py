"""Listing a bucket's folder page by page, in the order of keys."""

from collections.abc import Iterator

from transfers.backends.base import BackendFailure, Entry, Listing, Unknown
from transfers.backends.paths import OURS, split
from transfers.backends.s3.objects import Objects, Seen
from transfers.rules.errors import ErrorCode


def page(objects: Objects, folder: str, after: str | None, limit: int) -> Listing:
    """Up to `limit` files below `folder` that come after `after` (paths below the root). Raises BackendFailure."""
    found: list[Entry] = []
    unseen: list[Unknown] = []
    for path, seen in _below(objects, folder, after):
        if len(found) == limit:
            return Listing(tuple(found), found[-1].path, tuple(unseen))
        try:
            split(path)
        except BackendFailure:
            if not path.endswith("/") or seen.size_bytes:  # consoles mark folders so
                unseen.append(Unknown(ErrorCode.PATH_REFUSED, ascii(path)))
            continue
        found.append(Entry(path, seen.size_bytes, seen.modified_ns))
    return Listing(tuple(found), None, tuple(unseen))


def _below(objects: Objects, folder: str, after: str | None) -> Iterator[tuple[str, Seen]]:
    """All but our own folders, which are stepped over whole: they sort together, and `OURS` before the next character."""
    root = objects.place.prefix
    prefix = f"{root}{folder}/" if folder else root
    past_ours = f"{root}{OURS[:-1]}{chr(ord(OURS[-1]) + 1)}"
    start = {"StartAfter": f"{root}{after}"} if after else {}
    for key, seen in objects.listed(prefix, **start):
        if key.startswith(f"{root}{OURS}"):
            break
        yield key.removeprefix(root), seen
    else:
        return
    for key, seen in objects.listed(prefix, StartAfter=max(past_ours, f"{root}{after or ''}")):
        yield key.removeprefix(root), seen
