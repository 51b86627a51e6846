"""Looking through a repository for files that nobody registered, page by page; what is finished and fits is registered.

A killed scan goes on at the page it was at: every page may be done twice and ends in the same rows. Nothing is believed of a
place whose mark is not read before and after.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from datasets.models import Repository, RepositoryRole
from datasets.rules.alf import SessionPath
from transfers.backends.base import Backend, BackendFailure, Entry, Evidence, Feature, LeaseLost, Stat
from transfers.models import Scan
from transfers.models.scan import ScanKind, ScanState
from transfers.rules.errors import policy as error_policy
from transfers.rules.intake import WAITS, Why
from transfers.rules.quiescence import Sight, seen_again
from transfers.services import scan_reports, scans
from transfers.services.places import backend_for, reachable
from transfers.services.scan_reports import Left
from transfers.services.sorting import Candidate, Surroundings, sort_page
from transfers.services.taking_in import Making, ReadFile, Taken, agrees, take_in

HASHED = declare("scan.hashed")
REGISTERED = declare("scan.registered")
PAGE_DONE = declare("scan.page_done")
PAGE = 1000
"""Files looked at, registered and written down together."""
EXAMPLES = 1000
PASSES_A_NIGHT = 2
"""The first look and the one that finds what has not changed since; what still changes then is left to the next night."""


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
class Pass:
    """What one pass through a repository came to, so far. `look_again`: files were made that it may not have seen.
    `registered` and `left` hold examples, the counts are the scan's."""

    registered: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    whole: bool = False
    look_again: bool = False

    def add(self, taken: Taken, look_again: bool) -> None:
        """Count a page."""
        self.registered += taken.registered[: EXAMPLES - len(self.registered)]
        self.left += taken.left[: EXAMPLES - len(self.left)]
        self.look_again |= look_again


def _go_on() -> bool:
    return True


def why_not(repository: Repository) -> str:
    """Why a repository cannot be looked through from here; "" when it can."""
    if not reachable(repository):
        return f"nothing of ours reaches {repository.name}: it needs a root of a kind that can be listed"
    if repository.role != RepositoryRole.LAB:
        return f"{repository.name} is filled by the night, not by rigs: only repositories of the role lab are scanned"
    if repository.uuid_in_names:
        return f"names at {repository.name} carry UUIDs: only the engine writes there"
    if not repository.labs.exists():
        return f"{repository.name} belongs to no lab"
    return ""


def one_pass(
    scan: Scan, *, hands: Hands | None = None, patient: bool = True, go_on: Callable[[], bool] = _go_on
) -> Pass:
    """Go through the repository, from where this scan stopped, until the end or until `go_on` says no.

    Raises BackendFailure (the place cannot be read now), ScanLost.
    """
    hands = hands or Hands()
    backend = backend_for(scan.repository)
    around = Surroundings.of(scan.repository)
    if not scan.cursor:
        scans.begin_pass(scan)
    done = Pass()
    while True:
        listing = backend.entries("", scan.cursor or None, PAGE)
        page = _Page(scan, backend, around, hands, patient)
        taken, known, passed, look_again = page.work(listing.entries)
        taken.left += [Left(one.detail or "?", Why.UNSEEN, error_policy(one.code).sentence) for one in listing.unseen]
        _write_down(scan, taken, [*known, *passed])
        counted = {"files": len(listing.entries), "known": len(known), "registered": len(taken.registered)}
        counted |= {"sessions_made": taken.sessions_made, **scan_reports.counts(taken.left, WAITS)}
        scans.store_page(scan, listing.cursor or "", counted)
        failpoint(PAGE_DONE)
        done.add(taken, look_again)
        if listing.cursor is None:
            if scan.pass_began_at is not None:
                scan_reports.forget_unseen(scan.repository, scan.pass_began_at)
            done.whole = True
            return done
        if not go_on():
            return done


def _write_down(scan: Scan, taken: Taken, settled: Sequence[str]) -> None:
    scan_reports.keep(scan.repository, taken.left, clock.now())
    scan_reports.forget(scan.repository, [*settled, *taken.registered])


@dataclass
class _Page:
    scan: Scan
    backend: Backend
    around: Surroundings
    hands: Hands
    patient: bool

    def work(self, entries: Sequence[Entry]) -> tuple[Taken, list[str], list[str], bool]:
        """Register what can be; the rest stays. With it the paths known before, those passed over, and whether to look
        again."""
        makings = self.hands.makings()
        found = sort_page(self.around, entries, clock.now(), made=makings, patient=self.patient)
        taken = Taken(left=found.left)
        ready = self._flagged(found.ready, makings, taken)
        read, look_again = self._read(ready, makings, taken)
        failpoint(HASHED)
        for files in self._unchanged(read, taken).values():
            got = take_in(repository=self.around.repository, files=files, by=self.hands.name)
            failpoint(REGISTERED)
            taken.add(got)
        self.hands.registered([*found.known, *taken.registered])
        return taken, found.known, found.passed, look_again

    def _beat(self) -> bool:
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

    def _read(
        self, ready: Sequence[Candidate], makings: Mapping[str, Making], taken: Taken
    ) -> tuple[list[ReadFile], bool]:
        """Read each whole, compress what is to be; what differs from the registry or changes stays. With it whether files
        were made."""
        read: list[ReadFile] = []
        look_again = False
        for one in ready:
            try:
                found = self._read_one(one, makings.get(one.path))
            except LeaseLost as lost:
                raise scans.ScanLost(str(self.scan)) from lost
            except BackendFailure as failure:
                if error_policy(failure.code).blocks_repository:
                    raise
                found = one.left(Why.UNSEEN, f"{error_policy(failure.code).sentence} ({failure.detail})")
            if isinstance(found, ReadFile):
                read.append(found)
            elif found is not None:
                taken.left.append(found)
            look_again |= found is None
        return read, look_again

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

    def _unchanged(self, read: Sequence[ReadFile], taken: Taken) -> dict[SessionPath, list[ReadFile]]:
        """By session, those that are after the read what they were before it, at a place that still bears its mark.
        Raises BackendFailure."""
        looks = self.backend.stat([file.candidate.path for file in read]) if read else {}
        health = self.backend.probe()
        if health.problem is not None:
            raise BackendFailure(health.problem, health.detail)
        groups: dict[SessionPath, list[ReadFile]] = defaultdict(list)
        for file in read:
            look = looks[file.candidate.path]
            if not isinstance(look, Stat):
                taken.left.append(file.candidate.left(Why.UNSEEN, "it went while it was looked at"))
            elif Sight(look.size_bytes, look.modified_ns) != file.candidate.sighting.sight:
                taken.left.append(_changed(file.candidate, Sight(look.size_bytes, look.modified_ns)))
            else:
                groups[file.candidate.session].append(file)
        return groups


def _changed(one: Candidate, sight: Sight) -> Left:
    sighting = seen_again(one.sighting, sight, clock.now())
    return replace(one, sighting=sighting).left(Why.CHANGING, "it changed while it was read")


def by_hand(
    repository: Repository, *, patient: bool = True, said: Callable[[Scan], None] = lambda _: None
) -> tuple[Scan, Pass]:
    """One pass now. Without `patience` a person has said that all files there are finished.

    Raises BackendFailure: the place cannot be read, nothing was registered.
    """
    scan = scans.open_scan(repository=repository, kind=ScanKind.HAND)
    try:
        done = Pass()
        while not done.whole:
            part = one_pass(scan, patient=patient, go_on=lambda: False)
            done.registered += part.registered[: EXAMPLES - len(done.registered)]
            done.left += part.left[: EXAMPLES - len(done.left)]
            done.whole = part.whole
            said(scan)
    except BackendFailure as failure:
        scans.end(scan, ScanState.FAILED, _sentence(failure))
        raise
    scans.end(scan)
    return scan, done


def work_on_scans(*, budget_seconds: float) -> int:
    """Go on with scans of nights, one after the other, until none is due or the time is over; how many were worked on."""
    until = time.monotonic() + budget_seconds
    worked = 0
    while time.monotonic() < until and (scan := scans.claim_scan()) is not None:
        worked += 1
        try:
            _go_on_with(scan, lambda: time.monotonic() < until)
        except scans.ScanLost:
            continue
    return worked


def _go_on_with(scan: Scan, go_on: Callable[[], bool]) -> None:
    """This scan's next pages; then when it goes on, or that it has ended."""
    over = scan.until is not None and clock.now() >= scan.until
    if over or (problem := why_not(scan.repository)):
        scans.end(scan, ScanState.DONE if over else ScanState.FAILED, _over(scan) if over else problem)
        return
    try:
        done = one_pass(scan, go_on=go_on)
    except BackendFailure as failure:
        scans.leave(scan, due_at=clock.now() + scans.TRY_AGAIN_AFTER, problem=_sentence(failure))
        return
    if not done.whole:
        scans.leave(scan)
    elif scan.waiting and scan.passes < PASSES_A_NIGHT:
        scans.leave(scan, due_at=clock.now() + _patience(scan.repository))
    else:
        scans.end(scan)


def _over(scan: Scan) -> str:
    """What to say of a scan whose night has ended before it."""
    return scan.problem or ("" if scan.passes and not scan.cursor else "the night ended before everything was seen")


def _patience(repository: Repository) -> timedelta:
    """As long as the most patient of its labs waits."""
    around = Surroundings.of(repository)
    return timedelta(minutes=max((one.quiet_minutes for one in around.policies.values() if one), default=0))


def _sentence(failure: BackendFailure) -> str:
    words = error_policy(failure.code).sentence
    return (
        f"{words} ({failure.detail}) Nothing was registered." if failure.detail else f"{words} Nothing was registered."
    )


def preview(repository: Repository, *, patient: bool = True) -> tuple[dict[str, int], Pass]:
    """What a pass would do, without reading a file or writing a row: counts and examples. Raises BackendFailure."""
    backend, around = backend_for(repository), Surroundings.of(repository)
    counts = dict.fromkeys(("files", "known", "registered", "waiting", "left"), 0)
    cursor: str | None = None
    done = Pass(whole=True)
    while True:
        listing = backend.entries("", cursor, PAGE)
        found = sort_page(around, listing.entries, clock.now(), patient=patient)
        made = [one.left(Why.TO_COMPRESS) for one in found.ready if one.recipe]
        ready = [one.path for one in found.ready if not one.recipe]
        left = [*found.left, *made]
        for name, count in {
            "files": len(listing.entries),
            "known": len(found.known),
            "registered": len(ready),
            **scan_reports.counts(left, WAITS),
        }.items():
            counts[name] += count
        done.add(Taken(registered=ready, left=left), False)
        if (cursor := listing.cursor) is None:
            return counts, done
