"""One page of a listing: what is finished is read, proved to be what it was, and registered; the rest stays, with its reason.

Nothing is believed of a place whose mark is not read before and after.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from transfers.backends.base import (
    Backend,
    BackendFailure,
    Beat,
    Entry,
    Evidence,
    Feature,
    LeaseLost,
    Stat,
    Stopped,
    unattended,
)
from transfers.models import Scan
from transfers.rules.errors import policy as error_policy
from transfers.rules.intake import Why
from transfers.rules.quiescence import Sight, seen_again
from transfers.services import scans
from transfers.services.scan_reports import Left
from transfers.services.sorting import Candidate, Surroundings, sort_page
from transfers.services.taking_in import Making, ReadFile, Taken, agrees, take_in

HASHED = declare("scan.hashed")
REGISTERED = declare("scan.registered")
BEAT_S = 30.0
BATCH_BYTES = 4 << 30
"""Read before something of it is registered."""


class NotCompressed(Exception):
    """A file could not be compressed; it is as it was. The message says why."""


class Hands:
    """What may be done to files before they are registered. A server's scan does nothing; a copy agent compresses."""

    name = "scan"
    compresses = False

    def makings(self) -> Mapping[str, Making]:
        """Files that we made ourselves and that are not registered yet, by path."""
        return {}

    def compress(self, candidate: Candidate, evidence: Evidence) -> bool:
        """Compress it, whose bytes were read. True: other files lie there now, look again; False: there is nothing to do,
        it is registered as it is. Only where `compresses`. Raises NotCompressed, BackendFailure."""
        raise NotCompressed(f"{self.name} compresses nothing ({candidate.path}, {evidence.size_bytes} bytes)")

    def registered(self, paths: Iterable[str]) -> None:
        """These are registered."""


@dataclass
class Outcome:
    """What became of a page. `settled`: paths that are registered already, or no data. `whole`: every file was come to.
    `look_again`: files were made that the listing did not show."""

    taken: Taken
    settled: list[str]
    known: int
    whole: bool = True
    look_again: bool = False


@dataclass
class Page:
    """Files looked at, registered and written down together."""

    scan: Scan
    backend: Backend
    around: Surroundings
    hands: Hands
    patient: bool
    paced: Beat = unattended
    beaten_s: float = 0.0

    def work(self, entries: Sequence[Entry], go_on: Callable[[], bool]) -> Outcome:
        """Register what can be; the rest stays. A folder after the other, so that a kill costs one folder's reading, and no
        small file waits for a large one of another session. Raises BackendFailure, ScanLost."""
        makings = self.hands.makings()
        found = sort_page(self.around, entries, clock.now(), made=makings, patient=self.patient)
        done = Outcome(Taken(left=found.left), [*found.known, *found.passed], len(found.known))
        batches = list(_batches(self._flagged(found.ready, makings, done.taken)))
        for number, batch in enumerate(batches, 1):
            self._take(batch, makings, done)
            if number < len(batches) and not go_on():
                done.whole = False
                break
        self.hands.registered([*found.known, *done.taken.registered])
        return done

    def _take(self, batch: Sequence[Candidate], makings: Mapping[str, Making], done: Outcome) -> None:
        read = self._read(batch, makings, done)
        failpoint(HASHED)
        fine = self._unchanged(read, done.taken) if read else []
        if fine:
            done.taken.add(take_in(repository=self.around.repository, files=fine, by=self.hands.name))
            failpoint(REGISTERED)

    def _beat(self) -> bool:
        """Called thousands of times in a large file; the row is asked each half minute."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
        if not self.paced():
            return False
        if now - self.beaten_s < BEAT_S:
            return True
        self.beaten_s = now
        return scans.beat(self.scan)

    def _flagged(self, ready: Sequence[Candidate], makings: Mapping[str, Making], taken: Taken) -> list[Candidate]:
        """Those whose session's flag is there, where the lab wants one."""
        flags = {
            f"{one.session}/{one.policy.flag_name}"
            for one in ready
            if self.patient and one.policy.flag_name and one.path not in makings
        }
        looks = self.backend.stat(sorted(flags)) if flags else {}
        there = []
        for one in ready:
            look = looks.get(f"{one.session}/{one.policy.flag_name}") if one.path not in makings else None
            if look is None or isinstance(look, Stat):
                there.append(one)
            else:
                taken.left.append(one.left(Why.NO_FLAG, one.policy.flag_name))
        return there

    def _read(self, batch: Sequence[Candidate], makings: Mapping[str, Making], done: Outcome) -> list[ReadFile]:
        """Read each whole, compress what is to be; what differs from the registry or changes stays."""
        read: list[ReadFile] = []
        for one in batch:
            try:
                found = self._read_one(one, makings.get(one.path))
            except LeaseLost as lost:
                raise scans.ScanLost(str(self.scan)) from lost
            except Stopped:
                raise
            except BackendFailure as failure:
                if error_policy(failure.code).blocks_repository:
                    raise
                found = one.left(Why.UNSEEN, f"{error_policy(failure.code).sentence} ({failure.detail})")
            if isinstance(found, ReadFile):
                read.append(found)
            elif found is not None:
                done.taken.left.append(found)
            done.look_again |= found is None
        return read

    def _read_one(self, one: Candidate, making: Making | None) -> ReadFile | Left | None:
        """The file read, or why it stays; None: other files were made of it. Raises BackendFailure, LeaseLost."""
        to_make = one.recipe is not None and making is None
        if to_make and not self.hands.compresses:
            return one.left(Why.TO_COMPRESS)
        evidence = self._evidence(one, whole=to_make)
        file = ReadFile(one, evidence, making)
        if evidence.size_bytes != one.sighting.sight.size_bytes:
            return _changed(one, Sight(evidence.size_bytes, -1))
        if one.known is not None and not agrees(one.known.content, file.content):
            return file.left(Why.DIFFERS, f"read {evidence.md5}")
        if making is not None and making.sha256 != evidence.sha256:
            words = "this is not the file that the copy agent made under this name: move it away"
            return file.left(Why.NOT_COMPRESSED, words)
        try:
            return None if to_make and self.hands.compress(one, evidence) else file
        except NotCompressed as refused:
            return file.left(Why.NOT_COMPRESSED, str(refused))

    def _evidence(self, one: Candidate, *, whole: bool) -> Evidence:
        """Its digests. Bytes that an earlier look has read, and that were not registered for some reason, are not read
        again (unless `whole`); such a read proves no copy any more."""
        before = one.before.read(one.sighting.sight)
        if before is not None and not whole:
            return before
        if Feature.READ_BACK not in self.backend.features:
            return Evidence(one.sighting.sight.size_bytes, None, None, level=1)
        return self.backend.digest(one.path, self._beat)

    def _unchanged(self, read: Sequence[ReadFile], taken: Taken) -> list[ReadFile]:
        """Those that are after the read what they were before it, at a place that still bears its mark. Raises
        BackendFailure."""
        looks = self.backend.stat([file.candidate.path for file in read])
        health = self.backend.probe()
        if health.problem is not None:
            raise BackendFailure(health.problem, health.detail)
        fine = []
        for file in read:
            look = looks[file.candidate.path]
            if not isinstance(look, Stat):
                taken.left.append(file.candidate.left(Why.UNSEEN, "it went while it was looked at"))
            elif Sight(look.size_bytes, look.modified_ns) != file.candidate.sighting.sight:
                taken.left.append(_changed(file.candidate, Sight(look.size_bytes, look.modified_ns)))
            else:
                fine.append(file)
        return fine


def _batches(ready: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """Files of one session, so many that reading them again costs little; what is to be compressed comes alone, last."""
    plain = [one for one in ready if one.recipe is None]
    for _, group in groupby(plain, key=lambda one: (one.session, one.session_id)):
        batch, size = list[Candidate](), 0
        for one in group:
            batch.append(one)
            size += one.sighting.sight.size_bytes
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
    for one in ready:
        if one.recipe is not None:
            yield [one]


def _changed(one: Candidate, sight: Sight) -> Left:
    sighting = seen_again(one.sighting, sight, clock.now())
    return replace(one, sighting=sighting).left(Why.CHANGING, "it changed while it was read")
