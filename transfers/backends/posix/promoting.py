"""Giving proved files their final names; moving what had those names into the trash. Nothing is ever overwritten.

New name: one rename that refuses to replace. Name taken: the old bytes get a second name in the trash, then old and
new swap names in one step, then the old bytes' staging name goes. Whatever the moment of a crash, the final name
holds one of the two versions whole, and the old bytes have a name in the trash before they lose their own.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    BackendFailure,
    Beat,
    Evidence,
    Failure,
    FileSpec,
    JobSpec,
    LeaseLost,
    Promoted,
    Proved,
    Trashed,
)
from transfers.backends.judging import accounted, check, same_bytes
from transfers.backends.paths import STAGING, TRASH, Parts, split
from transfers.backends.posix.calls import exchange, link, rename_to_free_name, sync_file_system
from transfers.backends.posix.content import seal_of
from transfers.backends.posix.sending import as_failure, read
from transfers.backends.posix.staging import Staging
from transfers.backends.posix.tree import Tree
from transfers.rules.errors import ErrorCode, Side

BEFORE_RENAME = declare("posix.before_rename")
AFTER_RENAME = declare("posix.after_rename")
AFTER_TRASH = declare("posix.after_trash")

_FEW_FOLDERS = 8
_TRIES = 5


@dataclass
class Promotion:
    """One pass over the proved files of a job. `touched`: folders to sync before anything is said to be done."""

    staging: Staging
    on: date
    beat: Beat
    touched: set[Parts] = field(default_factory=set)

    @property
    def tree(self) -> Tree:
        """The destination."""
        return self.staging.tree

    def promote(self, spec: FileSpec, proof: Proved) -> Promoted | Failure:
        """One file. Raises LeaseLost, BackendFailure, OSError."""
        parts = split(spec.final_path)
        for _ in range(_TRIES):
            staged = self.staging.look(spec.key)
            if staged is not None and seal_of(staged) == proof.evidence.seal:
                outcome = self._give_name(spec, parts, proof.evidence)
            else:
                outcome = self._given_before(spec, parts, proof.evidence, staged)
            if outcome is not None:
                return outcome
        return Failure(ErrorCode.TOO_BUSY, "somebody else keeps changing the final name")

    def _give_name(self, spec: FileSpec, parts: Parts, proved: Evidence) -> Promoted | Failure | None:
        """The staged bytes are the proved ones. None: the world changed meanwhile, look again."""
        folder = self.tree.folder(parts[:-1], create=True)
        failpoint(BEFORE_RENAME)
        try:
            rename_to_free_name(self.staging.fd, self.staging.path(spec.key), folder, parts[-1])
        except FileExistsError:
            return self._replace(spec, parts, proved)
        except FileNotFoundError:
            self._still_ours()
            return None
        failpoint(AFTER_RENAME)
        self.touched |= {parts[:-1], (STAGING, self.staging.name)}
        return Promoted()

    def _replace(self, spec: FileSpec, parts: Parts, proved: Evidence) -> Promoted | Failure | None:
        holder = os.stat(parts[-1], dir_fd=self.tree.folder(parts[:-1]), follow_symlinks=False)
        if not stat.S_ISREG(holder.st_mode):
            return Failure(ErrorCode.NAME_TAKEN, "not a regular file")
        old = read(self.tree, parts, self.beat)
        if old is None:
            return None
        if same_bytes(old, proved):
            self.staging.drop(spec.key)
            self.touched.add(parts[:-1])
            return Promoted()
        trashed = self._second_name(spec, parts, old)
        failpoint(AFTER_TRASH)
        folder = self.tree.folder(parts[:-1])
        try:
            swapped = exchange(self.staging.fd, self.staging.path(spec.key), folder, parts[-1])
            if not swapped:
                trashed = self._replace_by_rename(spec, parts, old, trashed)
        except FileNotFoundError:
            self._still_ours()
            return None
        failpoint(AFTER_RENAME)
        self.touched |= {parts[:-1], (STAGING, self.staging.name)}
        if not swapped:
            return Promoted(trashed)
        return Promoted(self._bury(spec, parts, old))

    def _second_name(self, spec: FileSpec, parts: Parts, old: Evidence) -> Trashed | None:
        """The bytes at the final name under a name in the trash as well; None where the file system has no links."""
        known, stem = accounted(spec.replaces, old)
        folder, target = self._trash_folder(parts)
        for name in _names(parts[-1], stem):
            try:
                linked = link(self.tree.folder(parts[:-1]), parts[-1], self.tree.folder(folder), name)
            except FileExistsError:
                if self._number(folder, name) != self._number(parts[:-1], parts[-1]):
                    continue
                linked = True
            self.touched.add(folder)
            return Trashed(f"{target}/{name}", known, old) if linked else None
        raise _trash_is_full(parts)

    def _replace_by_rename(self, spec: FileSpec, parts: Parts, old: Evidence, linked: Trashed | None) -> Trashed:
        """Where names cannot be swapped. Without links the final name is free for a moment."""
        folder = self.tree.folder(parts[:-1])
        if linked is not None:
            os.rename(self.staging.path(spec.key), parts[-1], src_dir_fd=self.staging.fd, dst_dir_fd=folder)
            return linked
        known, stem = accounted(spec.replaces, old)
        where = to_trash(self.tree, parts, stem, self.on, self.touched)
        rename_to_free_name(self.staging.fd, self.staging.path(spec.key), folder, parts[-1])
        return Trashed(where, known, old)

    def _given_before(
        self, spec: FileSpec, parts: Parts, proved: Evidence, staged: os.stat_result | None
    ) -> Promoted | Failure | None:
        """What is staged (if anything) is not what was proved: the rename may have happened in an earlier life."""
        self._still_ours()
        try:
            final = self.tree.look(parts)
        except FileNotFoundError:
            final = None
        if final is None or seal_of(final) != proved.seal:
            code = ErrorCode.STAGED_LOST if staged is None else ErrorCode.DIGEST_MISMATCH
            return Failure(code, "the staged bytes are not the proved ones any more")
        self.touched |= {parts[:-1], (STAGING, self.staging.name)}
        if staged is None:
            return Promoted()
        old = self._staged_evidence(spec.key)
        if old is None:
            return None
        if same_bytes(old, proved):
            self.staging.drop(spec.key)
            return Promoted()
        return Promoted(self._bury(spec, parts, old))

    def _bury(self, spec: FileSpec, parts: Parts, old: Evidence) -> Trashed | None:
        """What was swapped out leaves the staging place: its name in the trash is enough; without one it gets one."""
        staged = self.staging.look(spec.key)
        if staged is None:
            self._still_ours()
            return None
        if seal_of(staged) != old.seal:  # somebody exchanged the final name between our look and our swap
            old = self._staged_evidence(spec.key) or old
        known, stem = accounted(spec.replaces, old)
        folder, target = self._trash_folder(parts)
        self.touched.add(folder)
        for name in _names(parts[-1], stem):
            if self._number(folder, name) == staged.st_ino:
                self.staging.drop(spec.key)
                return Trashed(f"{target}/{name}", known, old)
            try:
                rename_to_free_name(self.staging.fd, self.staging.path(spec.key), self.tree.folder(folder), name)
            except FileExistsError:
                continue
            return Trashed(f"{target}/{name}", known, old)
        raise _trash_is_full(parts)

    def _staged_evidence(self, key: str) -> Evidence | None:
        return read(self.tree, (STAGING, self.staging.name, key), self.beat)

    def _trash_folder(self, parts: Parts) -> tuple[Parts, str]:
        folder = (TRASH, self.on.isoformat(), *parts[:-1])
        self.tree.folder(folder, create=True)
        return folder, "/".join(folder)

    def _number(self, folder: Parts, name: str) -> int | None:
        try:
            return os.stat(name, dir_fd=self.tree.folder(folder), follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def _still_ours(self) -> None:
        if self.staging.holder() != self.staging.job.fence:
            raise LeaseLost(f"{self.staging.name} was taken over")


def promote(staging: Staging, job: JobSpec, proofs: Mapping[str, Proved], beat: Beat) -> dict[str, Promoted | Failure]:
    """Promote the proved files of the job and sync the folders touched, each once."""
    outcomes: dict[str, Promoted | Failure] = {}
    promotion = Promotion(staging, job.on, beat)
    for spec in job.files:
        if spec.key not in proofs:
            continue
        check(beat)
        try:
            outcomes[spec.key] = promotion.promote(spec, proofs[spec.key])
        except (BackendFailure, OSError) as error:
            outcomes[spec.key] = as_failure(error, Side.DESTINATION)
    try:
        sync_folders(staging.tree, promotion.touched | staging.tree.created)
    except OSError as error:
        failure = as_failure(error, Side.DESTINATION)
        outcomes = {key: failure if isinstance(done, Promoted) else done for key, done in outcomes.items()}
    return outcomes


def to_trash(tree: Tree, parts: Parts, stem: str, on: date, touched: set[Parts]) -> str:
    """Rename a file into the trash; its path there. Raises FileNotFoundError, OSError."""
    folder = (TRASH, on.isoformat(), *parts[:-1])
    tree.folder(folder, create=True)
    for name in _names(parts[-1], stem):
        try:
            rename_to_free_name(tree.folder(parts[:-1]), parts[-1], tree.folder(folder), name)
        except FileExistsError:
            continue
        touched |= {folder, parts[:-1]}
        return "/".join((*folder, name))
    raise _trash_is_full(parts)


def sync_folders(tree: Tree, folders: set[Parts]) -> None:
    """Names given and taken in these folders survive a power cut afterwards. Raises OSError."""
    if len(folders) > _FEW_FOLDERS:
        sync_file_system(tree.root_fd)
        return
    for folder in folders:
        os.fsync(tree.folder(folder))


def _names(name: str, stem: str) -> Iterator[str]:
    yield f"{name}.{stem}"
    yield from (f"{name}.{stem}.{count}" for count in range(1, 1000))


def _trash_is_full(parts: Parts) -> BackendFailure:
    return BackendFailure(ErrorCode.NAME_TAKEN, f"a thousand versions of {'/'.join(parts)} in one day's trash")
