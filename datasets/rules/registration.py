"""What one registration does: to the bytes a dataset means, and to each copy of it.

Pure: no Django. The table is "What each client call does" of the copy lifecycle; every step returned here is one
of `datasets.rules.copies.MOVES`. The caller has refused protected datasets already.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from datasets.rules.copies import Cause, CopyState, is_legal
from datasets.rules.refusals import Refusal

S = CopyState


@dataclass(frozen=True, slots=True)
class Content:
    """Which bytes: size in bytes and hex digests in lower case, each None when not known."""

    size: int | None = None
    md5: str | None = None
    sha256: str | None = None

    @property
    def hashed(self) -> bool:
        return self.md5 is not None or self.sha256 is not None


class Change(StrEnum):
    """What a call says about the bytes of a dataset, compared with what is stored."""

    NEW = "new"
    """No such dataset yet."""
    SAME = "same"
    FILLED = "filled"
    """The same bytes; the call knows a size or a digest that was missing."""
    NEW_VERSION = "new_version"
    RETURNED = "returned"
    """The bytes of an earlier version came back: a new version, with a flag."""

    @property
    def is_new_version(self) -> bool:
        return self in {Change.NEW_VERSION, Change.RETURNED}


def bytes_change(stored: Content | None, sent: Content, earlier: Iterable[Content] = ()) -> Change:
    """Compare what a call says with what is stored; `earlier` are the contents of older versions.

    Digests decide where both sides have one of the same kind. A digest of another kind than the stored one proves
    nothing, so it counts as another digest. Sizes decide only where a side has no digest.
    """
    if stored is None:
        return Change.NEW
    if _same_bytes(stored, sent):
        return Change.SAME if merged(stored, sent) == stored else Change.FILLED
    returned = any(_digests_agree(old, sent) for old in earlier)
    return Change.RETURNED if returned else Change.NEW_VERSION


def merged(stored: Content, sent: Content) -> Content:
    """The stored content with its gaps filled from `sent` (for SAME and FILLED; a new version is `sent` itself)."""
    return replace(
        stored,
        size=sent.size if stored.size is None else stored.size,
        md5=stored.md5 or sent.md5,
        sha256=stored.sha256 or sent.sha256,
    )


def size_contradicts(stored: Content, sent: Content) -> bool:
    """Whether equal digests come with two sizes: the stored size stays, and a flag says so."""
    return _digests_agree(stored, sent) and not _sizes_agree(stored, sent)


def _same_bytes(stored: Content, sent: Content) -> bool:
    if stored.hashed and sent.hashed:
        return _digests_agree(stored, sent)
    return _sizes_agree(stored, sent)


def _digests_agree(one: Content, other: Content) -> bool:
    shared = [(a, b) for a, b in ((one.md5, other.md5), (one.sha256, other.sha256)) if a is not None and b is not None]
    return bool(shared) and all(a == b for a, b in shared)


def _sizes_agree(one: Content, other: Content) -> bool:
    return one.size is None or other.size is None or one.size == other.size


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository as the table sees it: `is_server` by its role; `of_lab` when the session's lab, or one of the
    labs the call names, has it."""

    id: UUID
    is_server: bool
    of_lab: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """Where a registration says the files are. `repository`: the one it names, else None. `aggregate`: a dataset
    without a session."""

    exists: bool = True
    server_only: bool = False
    repository: UUID | None = None
    aggregate: bool = False


class RepositoryMissing(Refusal):
    """A dataset without a session was registered without saying where it is."""

    rule = "aggregate_names_repository"


def copies_for(call: Call, repositories: Iterable[Repo]) -> dict[UUID, CopyState]:
    """The state the call asks for at each repository; a repository left out is not touched by the call.

    `repositories` must hold the named one, whether of the lab or not. EXPECTED means "if new". Raises
    RepositoryMissing for an aggregate without a named repository.
    """
    if call.aggregate and call.repository is None:
        raise RepositoryMissing("a dataset without a session needs the repository it is in", "send `name`")
    asked = ((repo.id, _asked_at(call, repo)) for repo in repositories)
    return {repo_id: state for repo_id, state in asked if state is not None}


def _asked_at(call: Call, repo: Repo) -> CopyState | None:
    if call.repository is not None and repo.id == call.repository:
        return S.CLAIMED if call.exists else S.ANNOUNCED
    if call.aggregate or not repo.of_lab:
        return None
    unplaced = call.repository is None and not (call.server_only and call.exists)
    if (
        unplaced and not repo.is_server
    ):  # nobody says where: look at the lab's own (ibllib sends this with server_only too)
        return S.ANNOUNCED
    if call.server_only:
        if not repo.is_server:
            return None
        return S.CLAIMED if call.exists else S.EXPECTED
    return S.EXPECTED


def nowhere_to_look(asked: Iterable[CopyState]) -> bool:
    """Whether the call leaves no place where the bytes could be found, which deserves a flag (a lab without a
    lab-role repository)."""
    return not ({S.CLAIMED, S.ANNOUNCED} & set(asked))


@dataclass(frozen=True, slots=True)
class Step:
    """One move of one copy, and why it is legal."""

    state: CopyState
    cause: Cause


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call does to one copy: at most two steps, taken in order, each an update of its own.

    `renews`: the record now speaks of the dataset's current version (its version column is set to it), also when
    the state stays.
    """

    steps: tuple[Step, ...] = ()
    renews: bool = False


UNTOUCHED = Effect()


def effect(current: CopyState | None, asked: CopyState | None, *, outdated: bool) -> Effect:
    """What happens to a copy in `current` (None: no record yet) when the call asks for `asked` (None: it does not
    ask for this repository). Total over all combinations.

    `outdated`: the record speaks of another version than the dataset has after the call; true for every record when
    the call made a new version.
    """
    if current is None:
        return UNTOUCHED if asked is None else Effect((Step(asked, Cause.CLIENT),), renews=True)
    if asked is S.CLAIMED:
        return _claim(current, outdated=outdated)
    if asked is S.ANNOUNCED:
        return _announce(current, outdated=outdated)
    if current is S.ANNOUNCED:  # "look here" speaks of whatever version is meant: nobody else would ever look
        return Effect(renews=outdated)
    if outdated and (step := _superseding(current)):
        return Effect((step,), renews=step.state is S.EXPECTED)
    return UNTOUCHED


def _claim(current: CopyState, *, outdated: bool) -> Effect:
    if not is_legal(current, S.CLAIMED, Cause.CLIENT):
        return UNTOUCHED
    if current in {S.CLAIMED, S.VERIFIED} and not outdated:
        return UNTOUCHED
    return Effect((Step(S.CLAIMED, Cause.CLIENT),), renews=True)


def _announce(current: CopyState, *, outdated: bool) -> Effect:
    announced = Step(S.ANNOUNCED, Cause.CLIENT)
    if current is S.ANNOUNCED:
        return Effect(renews=outdated)
    if is_legal(current, S.ANNOUNCED, Cause.CLIENT):
        return Effect((announced,), renews=True)
    if outdated and (step := _superseding(current)):
        return Effect((step, announced), renews=True)
    return UNTOUCHED


def _superseding(current: CopyState) -> Step | None:
    for state in (S.SUPERSEDED, S.EXPECTED):
        if is_legal(current, state, Cause.NEW_VERSION):
            return Step(state, Cause.NEW_VERSION)
    return None
