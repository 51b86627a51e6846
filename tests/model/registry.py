"""The registry in memory: rows, and the few doors through which their states change.

Each method is one database transaction: it happens whole, or not at all. The doors use the production tables.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from datasets.rules.copies import FILLABLE, Cause, CopyState, is_legal
from datasets.rules.registration import (
    UNTOUCHED,
    Call,
    Change,
    Content,
    Repo,
    bytes_change,
    copies_for,
    effect,
    merged,
)
from tests.model.disks import Disk
from tests.model.safeguards import Broken, Promise, Safeguard
from transfers.rules.evidence import Meant, lease_lapsed
from transfers.rules.lifecycle import (
    IN_FLIGHT,
    ITEM_MOVES,
    JOB_MOVES,
    JOB_WRITING,
    LEASE_SECONDS,
    LIVE,
    ItemState,
    JobState,
)

S = CopyState
LAB, CENTRAL, MIRROR = "lab", "central", "mirror"
SERVERS = (CENTRAL, MIRROR)
REPOS = {name: Repo(id=UUID(int=number), is_server=name in SERVERS) for number, name in enumerate((LAB, *SERVERS), 1)}
NAMES = {repo.id: name for name, repo in REPOS.items()}


@dataclass(eq=False)
class Dataset:
    """Which bytes are meant, and were."""

    id: int
    content: Content
    version: int = 1
    earlier: dict[int, Content] = field(default_factory=dict)

    def meant(self, version: int | None = None) -> Meant:
        """The bytes of a version (default: the current one)."""
        content = self.content if version in {None, self.version} else self.earlier[version or 0]
        return Meant(version or self.version, content.size, content.md5)


@dataclass(eq=False)
class Copy:
    """A file record. `proved_at`: the step of the read that proved it."""

    dataset: Dataset
    repo: str
    state: CopyState
    version: int
    doubted_at: datetime | None = None
    proved_at: int = -1
    flagged: bool = False

    @property
    def path(self) -> str:
        return f"final/{self.dataset.id}"


@dataclass(eq=False)
class Item:
    """A transfer item."""

    id: int
    copy: Copy
    source: str
    version: int
    state: ItemState = ItemState.PLANNED
    job: "Job | None" = None
    failures: int = 0
    not_before: datetime | None = None
    error: str = ""


@dataclass(eq=False)
class Job:
    """A transfer job with its lease."""

    id: int
    source: str
    destination: str
    items: list[Item]
    state: JobState = JobState.PREPARED
    fence: int = 0
    lease_until: datetime | None = None


@dataclass(eq=False)
class Actor:
    """A process. A suspended one is alive: it keeps its files open."""

    kind: str
    life: Iterator[None] = field(default_factory=lambda: iter(()))
    alive: bool = True
    frozen: bool = False
    checks: int = 0
    """How often it was told that its lease is its own."""
    looks_at: Copy | None = None
    renames: tuple[str, int] | None = None
    """The (repository, dataset) whose name it is about to replace."""


class Registry:
    """All rows, the clock, and the disks the rows speak of."""

    def __init__(self, without: Safeguard | None = None) -> None:
        self.without = without
        self.now = datetime(2026, 3, 1, 2, tzinfo=UTC)
        self.step = 0
        self.disks = {name: Disk(name) for name in REPOS}
        self.datasets: dict[int, Dataset] = {}
        self.copies: dict[tuple[int, str], Copy] = {}
        self.items: list[Item] = []
        self.jobs: list[Job] = []
        self.stats: Counter[str] = Counter()

    # --- the doors ------------------------------------------------------------------------------------------------

    def move_copy(self, copy: Copy, target: CopyState, cause: Cause) -> None:
        """The one way a copy changes its state."""
        if not is_legal(copy.state, target, cause):
            raise Broken(Promise.LEGAL, f"{copy.repo}: {copy.state} → {target} by {cause}")
        copy.state = target
        self.stats[f"copy {target}"] += 1

    def move_item(self, item: Item, target: ItemState) -> None:
        """The one way an item changes its state, with the guard of the table: not away from a living writer."""
        if (item.state, target) not in ITEM_MOVES:
            raise Broken(Promise.LEGAL, f"item {item.id}: {item.state} → {target}")
        leaves = item.state in IN_FLIGHT and target not in IN_FLIGHT | {ItemState.DONE}
        writing = item.job is not None and item.job.state in JOB_WRITING
        if leaves and writing and self.without is not Safeguard.WRITER_ENDED:
            raise Broken(Promise.LEGAL, f"item {item.id} left {item.state} while its job was {item.job}")
        item.state = target

    def move_job(self, job: Job, target: JobState) -> None:
        """The one way a job changes its state."""
        if (job.state, target) not in JOB_MOVES:
            raise Broken(Promise.LEGAL, f"job {job.id}: {job.state} → {target}")
        job.state = target

    # --- clients ----------------------------------------------------------------------------------------------------

    def register(self, number: int, sent: Content, call: Call) -> Change:
        """`register-file` for one file."""
        dataset = self.datasets.get(number)
        change = bytes_change(dataset.content if dataset else None, sent, dataset.earlier.values() if dataset else ())
        if dataset is None:
            dataset = self.datasets[number] = Dataset(number, sent)
        elif change.is_new_version:
            dataset.earlier[dataset.version] = dataset.content
            dataset.version += 1
            dataset.content = sent
        elif change is Change.FILLED:
            dataset.content = merged(dataset.content, sent)
        asked = copies_for(call, REPOS.values())
        for repo_id, name in NAMES.items():
            self._affect(dataset, name, asked.get(repo_id))
        self.stats[f"registered {change}"] += 1
        return change

    def _affect(self, dataset: Dataset, repo: str, asked: CopyState | None) -> None:
        copy = self.copies.get((dataset.id, repo))
        outdated = copy is not None and copy.version != dataset.version
        asked_there = asked is S.ANNOUNCED or asked is S.CLAIMED
        does = effect(copy.state if copy else None, asked, outdated=outdated)
        if self.without is Safeguard.SUPERSEDES and any(step.state is S.SUPERSEDED for step in does.steps):
            does = UNTOUCHED
        if self.without is Safeguard.ANNOUNCEMENT_RENEWED and copy and copy.state is S.ANNOUNCED and not asked_there:
            does = UNTOUCHED
        if copy is None:
            if does.steps:
                self.copies[dataset.id, repo] = Copy(dataset, repo, does.steps[0].state, dataset.version)
            return
        for step in does.steps:
            self.move_copy(copy, step.state, step.cause)
            copy.doubted_at = None
        if does.renews:
            copy.version, copy.doubted_at = dataset.version, None

    def patch_exists(self, copy: Copy, *, exists: bool) -> None:
        """`PATCH files/<id> {exists}`."""
        if exists and copy.state is not S.VERIFIED and is_legal(copy.state, S.CLAIMED, Cause.CLIENT):
            self.move_copy(copy, S.CLAIMED, Cause.CLIENT)
            copy.version, copy.doubted_at = copy.dataset.version, None
        elif not exists and is_legal(copy.state, S.SUSPECT, Cause.CLIENT):
            self.move_copy(copy, S.SUSPECT, Cause.CLIENT)
            copy.doubted_at = None

    def withdraw(self, copy: Copy) -> None:
        """`DELETE files/<id>`."""
        if is_legal(copy.state, S.WITHDRAWN, Cause.WITHDRAWAL):
            self.move_copy(copy, S.WITHDRAWN, Cause.WITHDRAWAL)

    # --- what the night asks -----------------------------------------------------------------------------------------

    def source_for(self, copy: Copy) -> str | None:
        """The best copy of the current version to read from: proved before claimed, a hashed dataset only."""
        dataset = copy.dataset
        if not dataset.content.hashed:
            return None
        others = [
            other
            for (number, repo), other in self.copies.items()
            if number == dataset.id and repo != copy.repo and other.version == dataset.version
        ]
        for state in (S.VERIFIED, S.CLAIMED):
            for other in others:
                if other.state is state:
                    return other.repo
        return None

    def fillable(self) -> list[Copy]:
        """The copies at servers that the night should fill and can."""
        return [
            copy
            for copy in self.copies.values()
            if copy.repo in SERVERS and copy.state in FILLABLE and self.source_for(copy) is not None
        ]

    def live_item(self, copy: Copy) -> Item | None:
        """The live item to this copy, if any."""
        return next((item for item in self.items if item.copy is copy and item.state in LIVE), None)

    def in_flight(self, copy: Copy) -> bool:
        """Whether an item may be writing to this copy."""
        return any(item.copy is copy and item.state in IN_FLIGHT for item in self.items)

    def plan(self, copy: Copy, source: str, version: int) -> None:
        """Insert an item; the unique index turns a second live one away."""
        if self.without is not Safeguard.UNIQUE_LIVE_ITEM and self.live_item(copy) is not None:
            return
        self.items.append(Item(len(self.items), copy, source, version))
        self.mark_incoming(copy, version)

    def mark_incoming(self, copy: Copy, version: int) -> None:
        """A transfer to here is planned; a copy that somebody claimed meanwhile stays claimed."""
        if copy.state in FILLABLE:
            self.move_copy(copy, S.INCOMING, Cause.NIGHT)
            copy.version, copy.doubted_at = version, None

    def may_take(self, job: Job) -> bool:
        """Whether a job is nobody's: new, or its lease lapsed."""
        if job.state is JobState.SETTLED:
            return False
        if self.without is Safeguard.LEASE_EXPIRES and job.lease_until is not None:
            return False
        return job.lease_until is None or lease_lapsed(job.lease_until, self.now)

    def take(self, job: Job) -> int:
        """Claim a job: a lease and a new fence."""
        job.fence += 1
        job.lease_until = self.now + timedelta(seconds=LEASE_SECONDS)
        return job.fence

    def holds(self, job: Job, fence: int) -> bool:
        """Whether `fence` is still the job's: the condition of every write of a worker."""
        return self.without is Safeguard.FENCED or (job.fence == fence and job.state is not JobState.SETTLED)

    def beat(self, job: Job, fence: int) -> bool:
        """Heartbeat."""
        if not self.holds(job, fence):
            return False
        job.lease_until = self.now + timedelta(seconds=LEASE_SECONDS)
        return True
