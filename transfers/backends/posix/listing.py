"""Walking a tree in path order, page by page, without holding more than one folder's names for each level."""

import os
import stat
from collections.abc import Iterator
from itertools import islice

from transfers.backends.base import BackendFailure, Entry, Listing, Unknown
from transfers.backends.paths import OURS, Parts
from transfers.backends.posix.calls import code_of
from transfers.backends.posix.tree import Tree, names_in
from transfers.rules.errors import ErrorCode


def page(tree: Tree, prefix: Parts, after: Parts, limit: int) -> Listing:
    """Up to `limit` files below `prefix` that come after `after` (both relative to the root; `after` may be empty)."""
    unseen: list[Unknown] = []
    found = list(islice(_below(tree, prefix, after[len(prefix) :], unseen), limit + 1))
    more = len(found) > limit
    return Listing(tuple(found[:limit]), found[limit - 1].path if more else None, tuple(unseen))


def _below(tree: Tree, folder: Parts, after: Parts, unseen: list[Unknown]) -> Iterator[Entry]:
    try:
        names = sorted(names_in(tree.folder(folder)))
    except FileNotFoundError:
        return
    except (OSError, BackendFailure) as error:
        unseen.append(_unknown(error, folder))
        return
    first = after[0] if after else ""
    for name in names:
        if name < first or (not folder and name.startswith(OURS)):
            continue
        parts = (*folder, name)
        rest = after[1:] if name == first else ()
        try:
            own = os.stat(name, dir_fd=tree.folder(folder), follow_symlinks=False)
            seen = tree.look(parts) if stat.S_ISLNK(own.st_mode) else own
            name.encode()
        except FileNotFoundError:
            continue
        except (OSError, BackendFailure, UnicodeEncodeError) as error:
            unseen.append(_unknown(error, parts))
            continue
        if stat.S_ISDIR(own.st_mode):
            yield from _below(tree, parts, rest, unseen)
        elif not stat.S_ISREG(seen.st_mode):
            unseen.append(Unknown(ErrorCode.NOT_A_FILE, "/".join(parts)))
        elif name != first or len(after) != 1:
            yield Entry("/".join(parts), seen.st_size, seen.st_mtime_ns)


def _unknown(error: OSError | BackendFailure | UnicodeEncodeError, parts: Parts) -> Unknown:
    path = ascii("/".join(parts))
    if isinstance(error, UnicodeEncodeError):
        return Unknown(ErrorCode.PATH_REFUSED, path)
    return Unknown(error.code if isinstance(error, BackendFailure) else code_of(error), path)
