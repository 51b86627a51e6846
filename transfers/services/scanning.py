"""Looking through a repository for files that nobody registered, page by page; what is finished and fits is registered.

A killed scan goes on at the page it was at: every page may be done twice and ends in the same rows. Nothing is believed of a
place whose mark is not read before and after.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from datasets.models import Repository, RepositoryRole
from transfers.backends.base import BackendFailure, Listing
from transfers.models import Scan
from transfers.models.scan import ScanKind, ScanState
from transfers.rules.errors import policy as error_policy
from transfers.rules.intake import WAITS, Why
from transfers.services import scan_reports, scans
from transfers.services.pacing import reading_at
from transfers.services.places import backend_for, reachable
from transfers.services.scan_page import Hands, Outcome, Page
from transfers.services.scan_reports import Left
from transfers.services.sorting import Surroundings, sort_page
from transfers.services.taking_in import Taken

PAGE_DONE = declare("scan.page_done")
PAGE = 1000
"""Files looked at, registered and written down together."""
EXAMPLES = 1000
PASSES_A_NIGHT = 2
"""The first look and the one that finds what has not changed since; what still changes then is left to the next night."""


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
    """Go through the repository, from where this scan stopped, until the end or until `go_on` says no. `hands`: of an agent, that
    reads on its own machine; others read at the speed that the place allows.

    Raises BackendFailure (the place cannot be read now), ScanLost.
    """
    if hands is not None:
        return _pass(Page(scan, backend_for(scan.repository), Surroundings.of(scan.repository), hands, patient), go_on)
    with reading_at(scan.repository) as (backend, pace):
        page = Page(scan, backend, Surroundings.of(scan.repository), Hands(), patient, paced=pace.beat)
        return _pass(page, go_on)


def _pass(page: Page, go_on: Callable[[], bool]) -> Pass:
    scan, backend = page.scan, page.backend
    if scan.pass_began_at is None:
        scans.begin_pass(scan)
    done = Pass()
    while True:
        listing = backend.entries("", scan.cursor or None, PAGE)
        found = page.work(listing.entries, go_on)
        _write_down(scan, listing, found)
        done.add(found.taken, found.look_again)
        failpoint(PAGE_DONE)
        if listing.cursor is None and found.whole:
            scan_reports.forget_unseen(scan.repository, scans.end_pass(scan))
            done.whole = True
            return done
        if not (found.whole and go_on()):
            return done


def _write_down(scan: Scan, listing: Listing, found: Outcome) -> None:
    """What is left and what is not any more; then how far the scan has come. A page that was not done whole is begun again:
    what it registered is counted, what it saw is not."""
    unseen = [Left(one.detail or "?", Why.UNSEEN, error_policy(one.code).sentence) for one in listing.unseen]
    found.taken.left += unseen
    scan_reports.keep(scan.repository, found.taken.left, clock.now())
    scan_reports.forget(scan.repository, [*found.settled, *found.taken.registered])
    counted = {"registered": len(found.taken.registered), "sessions_made": found.taken.sessions_made}
    if found.whole:
        counted |= {"files": len(listing.entries), "known": found.known}
        counted |= scan_reports.counts(found.taken.left, WAITS)
    scans.store_page(scan, (listing.cursor or "") if found.whole else scan.cursor, counted)


def by_hand(
    repository: Repository, *, patient: bool = True, said: Callable[[Scan], None] = lambda _: None
) -> tuple[Scan, Pass]:
    """One pass now. Without `patience` a person has said that all files there are finished.

    Raises BackendFailure: the place cannot be read, nothing was registered.
    """
    scan = scans.open_scan(repository=repository, kind=ScanKind.HAND)

    def go_on() -> bool:
        said(scan)
        return True

    try:
        done = one_pass(scan, patient=patient, go_on=go_on)
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
    whole = scan.passes > 0 and scan.pass_began_at is None
    return scan.problem or ("" if whole else "the night ended before everything was seen")


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
