"""Every file of a collection in path order, a page at a time: one request for each folder."""

from collections.abc import Iterator
from itertools import islice

from transfers.backends.base import BackendFailure, Entry, Listing, Unknown
from transfers.backends.globus.collection import Collection
from transfers.backends.paths import DEEPEST, OURS, Parts, split
from transfers.rules.errors import ErrorCode

_BLIND = {ErrorCode.PERMISSION_DENIED, ErrorCode.NOT_A_FILE}
"""What is wrong with one folder only. Anything else ends the listing: silence is not an empty folder."""


def page(collection: Collection, prefix: str, cursor: str | None, limit: int) -> Listing:
    """Up to `limit` files below `prefix` after `cursor`. Raises BackendFailure."""
    below: Parts = split(prefix) if prefix else ()
    after: Parts = split(cursor) if cursor else ()
    unseen: list[Unknown] = []
    found = list(islice(_files(collection, below, after, unseen), limit + 1))
    more = len(found) > limit
    return Listing(tuple(found[:limit]), found[limit - 1].path if more else None, tuple(unseen))


def _files(collection: Collection, folder: Parts, after: Parts, unseen: list[Unknown]) -> Iterator[Entry]:
    try:
        entries = collection.entries("/".join(folder)) or []
    except BackendFailure as failure:
        if failure.code not in _BLIND:
            raise
        unseen.append(Unknown(failure.code, "/".join(folder)))
        return
    for seen in entries:
        path = (*folder, seen.name)
        if (not folder and seen.name.startswith(OURS)) or path < after[: len(path)]:
            continue
        if seen.folder and len(path) < DEEPEST:
            yield from _files(collection, path, after, unseen)
        elif seen.regular and path > after:
            yield Entry("/".join(path), seen.size_bytes, seen.modified_ns)
