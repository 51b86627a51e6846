"""Finished files of one session become registered: by the service the rigs use, in the name of the lab's account.

A file is registered only while nothing else is registered under its name, or the very same bytes: what somebody decided is
never overruled by what a scan finds.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from alyx.core.audit import acting
from alyx.core.errors import DomainError, Invalid
from alyx.core.flags import Doubt, raise_flags
from datasets.models import FileRecord, Repository
from datasets.rules.copies import Cause, CopyState
from datasets.rules.registration import Change, Content, bytes_change
from datasets.services import copies
from datasets.services.provenance import record_making
from datasets.services.register_call import RegisterCall, SaidFile
from datasets.services.registration import register_files
from sessions.models import Session
from sessions.services.session import register_session
from transfers.backends.base import Evidence
from transfers.rules.intake import Why
from transfers.services.scan_reports import Left
from transfers.services.sorting import SAID, Candidate, known_files


@dataclass(frozen=True, slots=True)
class Making:
    """How we made a file before it was registered: the software, its version, what it was made from with the proof, and the
    SHA-256 it has if it is still the one."""

    software: str
    version: str
    facts: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A candidate whose bytes were read."""

    candidate: Candidate
    evidence: Evidence
    making: Making | None = None

    @property
    def content(self) -> Content:
        """As registration has it."""
        return Content(self.evidence.size_bytes, self.evidence.md5, self.evidence.sha256)

    def left(self, why: Why, detail: str) -> Left:
        """It stays, with its digests."""
        return self.candidate.left(why, detail, md5=self.evidence.md5 or "", sha256=self.evidence.sha256 or "")


@dataclass
class Taken:
    """What became of the files of some sessions."""

    registered: list[str] = field(default_factory=list)
    sessions_made: int = 0
    left: list[Left] = field(default_factory=list)

    def add(self, other: "Taken") -> None:
        """Count together."""
        self.registered += other.registered
        self.sessions_made += other.sessions_made
        self.left += other.left


def agrees(stored: Content, read: Content) -> bool:
    """Whether registering what was read would say nothing new about the bytes."""
    return bytes_change(stored, read) in {Change.SAME, Change.FILLED}


def take_in(*, repository: Repository, files: Sequence[ReadFile], by: str) -> Taken:
    """Register the files of one session that were read at this repository. `by`: who looked ("scan", "copy agent").

    Raises nothing: what is refused stays, with the reason. One refused file does not keep back the others.
    """
    try:
        return _take_in(repository, files, by)
    except Invalid as refused:
        bad = {one["index"]: str(one["reason"]) for one in refused.extra.get("files", [])}
        if not bad or len(bad) == len(files):
            return _refused(files, refused.detail)
        taken = Taken(left=[files[index].left(Why.REFUSED, reason) for index, reason in bad.items()])
        taken.add(take_in(repository=repository, files=[f for n, f in enumerate(files) if n not in bad], by=by))
        return taken
    except DomainError as refused:
        return _refused(files, refused.detail)


def _refused(files: Sequence[ReadFile], why: str) -> Taken:
    return Taken(left=[file.left(Why.REFUSED, why) for file in files])


@transaction.atomic
def _take_in(repository: Repository, files: Sequence[ReadFile], by: str) -> Taken:
    first = files[0].candidate
    policy, account = first.policy, first.policy.account
    with acting(actor=account, path=f"{by} of {repository.name}", reason="files found at the lab's repository"):
        session, made = _session(first, repository, by)
        taken = Taken(sessions_made=int(made))
        fresh = _still_open(repository, session.pk, files, taken)
        if not fresh:
            return taken
        call = RegisterCall(
            files=tuple(_said(file) for file in fresh),
            session=first.session,
            session_id=session.pk,
            repository=repository.name,
            labs=(policy.lab.name,),
        )
        answers = register_files(actor=account, call=call)
        ids = {answer.dataset_id: file for answer, file in zip(answers, fresh, strict=True)}
        _prove(account, repository, ids, by)
        for dataset, file in ids.items():
            if file.making is not None:
                making = file.making
                record_making(
                    actor=account,
                    dataset_id=dataset,
                    software=making.software,
                    version=making.version,
                    facts=making.facts,
                )
        taken.registered += [file.candidate.path for file in fresh]
        return taken


def _said(file: ReadFile) -> SaidFile:
    version = file.making.version[:255] if file.making else None
    return SaidFile(file.candidate.path, file.candidate.parts, file.content, version)


def _session(first: Candidate, repository: Repository, by: str) -> tuple[Session, bool]:
    """The session, locked as a registration locks it; made where the folder has none and the lab's policy says so."""
    if first.session_id is not None:
        rows = Session.objects.shown().select_for_update(of=("self",), no_key=True)
        session: Session | None = rows.filter(pk=first.session_id).first()
        if session is None:
            raise Invalid(f"the session {first.session} was withdrawn")
        return session, False
    values = {
        "subject": first.session.subject,
        "lab": first.policy.lab.name,
        "start_time": datetime.datetime.combine(first.session.date, datetime.time()),
        "number": first.session.number,
    }
    session, made = register_session(actor=first.policy.account, values=values)
    if made:
        doubt = Doubt(
            "session_made_from_folder",
            f"a {by} made this session from the folder {first.session} at {repository.name}: nobody had registered it",
            {"folder": str(first.session), "repository": repository.name},
            "add its start time, people, task and project",
        )
        raise_flags(Session, [(session.pk, doubt)], lab_id=first.policy.lab_id)
    return session, made


def _still_open(repository: Repository, session: uuid.UUID, files: Sequence[ReadFile], taken: Taken) -> list[ReadFile]:
    """Those that nobody registered meanwhile with other bytes; the session is locked, so it stays so."""
    known = known_files(repository, [session], {file.candidate.parts.name for file in files})
    fresh = []
    for file in files:
        parts = file.candidate.parts
        stored = known.get((session, parts.collection, parts.name, parts.revision))
        if stored is not None and not agrees(stored.content, file.content):
            taken.left.append(file.left(Why.DIFFERS, f"read {file.evidence.md5}, registered {_digest(stored.content)}"))
        elif stored is not None and stored.state in SAID and stored.state != CopyState.ANNOUNCED:
            taken.registered.append(file.candidate.path)
        else:
            fresh.append(file)
    return fresh


def _digest(stored: Content) -> str:
    return stored.md5 or stored.sha256 or f"{stored.size} bytes"


def _prove(actor: Any, repository: Repository, files: Mapping[uuid.UUID, ReadFile], by: str) -> None:
    """The read that gave the digests is a whole read where the bytes lie: the copy is proved by it."""
    records = FileRecord.objects.filter(
        repository=repository, dataset__in=list(files), state=CopyState.CLAIMED
    ).values_list("pk", "dataset_id", "content_version")
    proofs = [
        copies.Proof(
            pk,
            version,
            seen.size_bytes,
            seen.md5 or "",
            seen.sha256 or "",
            seen.level,
            {"by": by, "level": seen.level, "size_bytes": seen.size_bytes, "seal": seen.seal}
            | {"md5": seen.md5, "sha256": seen.sha256},
        )
        for pk, dataset, version in records
        if (seen := files[dataset].evidence).level >= copies.PROOF_LEVEL
    ]
    copies.mark_verified(actor=actor, cause=Cause.LOOK, proofs=proofs, seen_in={CopyState.CLAIMED})
