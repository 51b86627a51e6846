"""Which copies may serve which, and how files are put together into jobs. Pure: no Django."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from datasets.rules.copies import CopyState

SERVING = (CopyState.VERIFIED, CopyState.CLAIMED)
"""States a copy may be read from, best first."""
LARGE_FROM_BYTES = 256 * 1024**2
"""A file of this size travels alone, so that neither small files wait for it nor it for them."""
FILES_PER_JOB = 2_000
BYTES_PER_JOB = 16 * 1024**3
FILES_PER_STEP = 500
BYTES_PER_STEP = 2 * 1024**3
"""How much of a job is copied, proved, named and registered before the next part of it begins."""
APART = ("globus",)
"""Kinds of repository whose service carries files between its own places only, and only by one login."""
JOBS_TO_ONE = 8
"""Jobs that run at once to one destination. More only wait there, where their order cannot be mended any more."""
LARGE_JOBS_TO_ONE = 3
"""Of these, jobs of large files: small ones always find room."""
JOBS_BETWEEN_TWO = 2
"""Jobs that a service is given at once between the same two places: it works on three of a login at a time."""
FILE_COSTS_BYTES = 1024**2
"""What a file costs besides its bytes, in bytes, when labs are given equal shares."""
COMPANY_AT_MOST = 50
"""Files in a job after one of a larger job spoiled it for the others."""
CLAIMS_AT_MOST = 5
"""A job whose worker died this often is taken apart: its files travel alone from then on."""

STEP_S = 900
"""Where a place has a limit, a step is what it lets pass in so many seconds, so that proofs are on record before it closes."""

Key = TypeVar("Key", bound=Hashable)


class End(Protocol):
    """A repository at one end of a way."""

    name: str
    kind: str
    root: str
    endpoint: str
    credential: str
    on_personal_computer: bool


def why_no_way(source: End, destination: End) -> str:
    """Why nothing is carried from one place to the other, and what to do; "" where there is a way. The planner asks the same."""
    if (source.kind, source.root, source.endpoint) == (destination.kind, destination.root, destination.endpoint):
        return f"{source.name} and {destination.name} are the same folder: correct the root of one of them"
    apart = [end for end in (source, destination) if end.kind in APART]
    if not apart:
        return ""
    if len(apart) == 1:
        other = destination if apart[0] is source else source
        return (
            f"{apart[0].name} is reached over Globus and {other.name} is not, and Globus carries files between its own places"
            f" only: give {other.name} a Globus collection, or {apart[0].name} a folder or bucket that this server reaches"
        )
    logins = [end.credential or "default" for end in (source, destination)]
    if logins[0] != logins[1]:
        return (
            f"{source.name} is reached by the Globus login “{logins[0]}” and {destination.name} by “{logins[1]}”, and a task"
            " has one login: let one login reach both"
        )
    if source.on_personal_computer and destination.on_personal_computer:
        return (
            f"{source.name} and {destination.name} are both on personal computers (Globus Connect Personal), and Globus carries"
            " nothing between two of these: register the files at a server first"
        )
    return ""


def is_large(size_bytes: int | None) -> bool:
    """Whether a file travels alone. An unknown size counts as small: nearly all files are."""
    return size_bytes is not None and size_bytes >= LARGE_FROM_BYTES


@dataclass(frozen=True, slots=True)
class Bounds:
    """What fits into one part: at least one file always does."""

    files: int
    size_bytes: int

    def capped(self, files: int, size_bytes: int) -> "Bounds":
        """The smaller of these bounds and others (a backend's)."""
        return Bounds(max(1, min(self.files, files)), min(self.size_bytes, size_bytes))


def fewer(files: int) -> int:
    """How many files travel together at most after a job of so many ended as a whole because of one: the culprit is alone
    after a few rounds, and the good ones have gone on their way by then."""
    return max(1, min(COMPANY_AT_MOST, files // 8))


JOB = Bounds(FILES_PER_JOB, BYTES_PER_JOB)
STEP = Bounds(FILES_PER_STEP, BYTES_PER_STEP)


def step_at(rate: float | None) -> Bounds:
    """How much of a job is done before the next part of it begins, at so many bytes a second (None: no limit)."""
    return STEP if rate is None else STEP.capped(FILES_PER_STEP, int(rate * STEP_S))


def cut(files: Iterable[tuple[Key, int | None]], bounds: Bounds) -> Iterator[list[Key]]:
    """Put (file, bytes) together in their order, no part beyond `bounds` unless by a single file; none is left out."""
    part: list[Key] = []
    total = 0
    for key, size in files:
        if part and (len(part) >= bounds.files or total + (size or 0) > bounds.size_bytes):
            yield part
            part, total = [], 0
        part.append(key)
        total += size or 0
    if part:
        yield part
