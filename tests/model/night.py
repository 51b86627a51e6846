"""The actors of the night. Each `yield` is a place where an actor may be killed or suspended."""

from collections.abc import Generator, Iterator

from datasets.rules.copies import Cause, CopyState
from tests.model.looks import begin, conclude, see
from tests.model.registry import Actor, Item, Job, Registry
from tests.model.safeguards import Safeguard
from transfers.rules import evidence
from transfers.rules.errors import ErrorCode, policy, retry_delay
from transfers.rules.lifecycle import IN_FLIGHT, LIVE, ItemState, JobState

S, I, J = CopyState, ItemState, JobState  # noqa: E741
BATCH = 2


def planner(world: Registry, _me: Actor) -> Iterator[None]:
    """What is due again, what is out of date, what is missing. A copy is INCOMING from the plan on."""
    yield
    for item in world.items:
        if item.state in LIVE:
            _refresh(world, item)
    for copy in world.copies.values():
        if copy.state is S.INCOMING and world.live_item(copy) is None:
            world.move_copy(copy, S.EXPECTED, Cause.NIGHT)
    yield
    snapshot = [(copy, world.source_for(copy), copy.dataset.version) for copy in world.fillable()]
    for copy, source, version in snapshot:
        yield
        world.plan(copy, source or "", version)


def _refresh(world: Registry, item: Item) -> None:
    copy = item.copy
    if item.version != copy.dataset.version:
        _stale(world, item)
    elif item.state is I.PLANNED and copy.state is S.VERIFIED:
        world.move_item(item, I.DONE)
    elif item.state is I.PLANNED and copy.state not in {S.INCOMING, S.CLAIMED}:
        world.move_item(item, I.STALE)
    elif _goes_on(world, item):
        world.move_item(item, I.PLANNED)
        world.mark_incoming(copy, item.version)


def _stale(world: Registry, item: Item) -> None:
    writer_ended = item.job is None or evidence.may_leave_in_flight(item.job.state)
    if item.state in IN_FLIGHT and not writer_ended and world.without is not Safeguard.WRITER_ENDED:
        return
    world.move_item(item, I.STALE)
    world.stats["stale"] += 1
    if item.job is not None and item.job.state is J.PREPARED:
        item.job.items.remove(item)  # nobody has begun it, and a worker takes only items in flight


def _goes_on(world: Registry, item: Item) -> bool:
    """A pause is over, or a source is back."""
    if world.source_for(item.copy) is None:
        return False
    due = item.state is I.RETRY_WAIT and item.not_before is not None and item.not_before <= world.now
    return due or (item.state is I.NEEDS_HUMAN and evidence.reopens(ErrorCode(item.error)))


def human(world: Registry, _me: Actor) -> Iterator[None]:
    """A person presses *retry* on everything that waits for one."""
    yield
    for item in world.items:
        if item.state is I.NEEDS_HUMAN:
            world.move_item(item, I.PLANNED)
            world.mark_incoming(item.copy, item.version)
            item.failures = 0


def packer(world: Registry, _me: Actor) -> Iterator[None]:
    """Planned items to jobs: one transaction for each route."""
    yield
    for route in {(item.source, item.copy.repo): None for item in world.items if item.state is I.PLANNED}:
        yield
        _pack(world, *route)


def _pack(world: Registry, source: str, destination: str) -> None:
    bound: list[Item] = []
    for item in world.items:
        planned = item.state is I.PLANNED and (item.source, item.copy.repo) == (source, destination)
        if not planned or not copy_wants(item) or len(bound) == BATCH:
            continue
        best = world.source_for(item.copy)
        if best == source:
            bound.append(item)
        else:
            item.source = best or item.source
    if not bound:
        return
    job = Job(len(world.jobs), source, destination, bound)
    world.jobs.append(job)
    for item in bound:
        item.job = job
        world.move_item(item, I.BOUND)


def settle(world: Registry, job: Job, fence: int, outcomes: dict[Item, ErrorCode | None]) -> bool:
    """End a job and give each of its items its outcome, in one transaction under the fence. None: stale.

    Whoever settles has seen to it that no writer of the job is left: itself is the last, the former are barred.
    """
    if not world.holds(job, fence) or job.state is J.SETTLED:
        return False
    left = [item for item in job.items if item.job is job and item.state in IN_FLIGHT]
    world.move_job(job, J.FAILED if left else J.SUCCEEDED)
    for item in left:
        _give_up(world, item, outcomes.get(item, ErrorCode.WORKER_DIED))
    world.move_job(job, J.SETTLED)
    job.lease_until = None
    return True


def _give_up(world: Registry, item: Item, code: ErrorCode | None) -> None:
    copy = item.copy
    if code is None or item.version != copy.dataset.version or copy.state is not S.INCOMING:
        world.move_item(item, I.STALE)
    else:
        item.error = code
        item.failures += policy(code).consumes
        item.not_before = world.now + retry_delay(code, max(1, item.failures), 0.5)
        world.move_item(item, evidence.after_failure(code, item.failures))
        world.stats[f"trouble {code}"] += 1
    if copy.state is S.INCOMING and copy.version == item.version:
        world.move_copy(copy, S.EXPECTED, Cause.NIGHT)


def register(world: Registry, item: Item, job: Job, fence: int, read_at: int) -> bool:
    """The copy is proved and the item done, by compare-and-set on fence, state and version: one transaction."""
    copy = item.copy
    if not world.holds(job, fence):
        return False
    same_version = item.version == copy.version == copy.dataset.version
    if not same_version and world.without is not Safeguard.VERSION_COMPARED:
        return False
    if copy.state is not S.INCOMING or item.state is not I.PROMOTED:
        return False
    world.move_copy(copy, S.VERIFIED, Cause.NIGHT)
    copy.version, copy.proved_at, copy.flagged = copy.dataset.version, read_at, False
    world.move_item(item, I.DONE)
    world.stats["verified by the night"] += 1
    return True


def copy_wants(item: Item) -> bool:
    """Whether the registry still waits for this item's bytes."""
    copy = item.copy
    return copy.state is S.INCOMING and item.version == copy.version == copy.dataset.version


def blame_source(world: Registry, job: Job, item: Item) -> Generator[None, None, ErrorCode | None]:
    """A second read of the source, which is a look at it: says what is wrong there (returned), and tells the record."""
    yield
    disk = world.disks[job.source]
    copy = world.copies[item.copy.dataset.id, job.source]
    begun, canary = begin(world, copy), disk.canary()
    yield
    seen, read_at = see(world, disk, copy.path), world.step
    yield
    canary = canary and disk.canary()
    if begun.meant.version == item.version:
        conclude(world, copy, begun, seen, canary=canary, read_at=read_at)
    return evidence.source_trouble(*seen, item.copy.dataset.meant(item.version), canary=canary)


def sweeper(world: Registry, me: Actor) -> Iterator[None]:
    """Ends jobs whose worker was not heard of: raise the fence, bar the former owner's staging, then settle."""
    yield
    for job in list(world.jobs):
        if job.lease_until is None or not world.may_take(job):
            continue
        fence = world.take(job)
        yield
        if not bar(world, job, fence) and world.without is not Safeguard.BARRED_BEFORE_SETTLED:
            continue
        yield
        world.stats["swept"] += settle(world, job, fence, {})
        yield


def bar(world: Registry, job: Job, fence: int, heir: Actor | None = None) -> bool:
    """Take the staging folder of former owners away: to the heir where their process is dead, else for good.

    False: the disk cannot be reached, so a former owner may still promote, and nobody may go on.
    """
    disk = world.disks[job.destination]
    if not disk.canary():
        return False
    if world.without is Safeguard.FORMER_BARRED:
        return True
    for name in disk.under(f"staging/{job.id}."):
        folder, file = name.rsplit("/", 1)
        if int(folder.rsplit(".", 1)[1]) >= fence:
            continue
        inode = disk.names.pop(name)
        held = (inode.writer is not None and inode.writer.alive) and world.without is not Safeguard.FRESH_FILE
        if heir is not None and not held:
            inode.writer = heir
            disk.names[f"{staging(job, fence)}{file}"] = inode
            world.stats["resumed"] += 1
    return True


def staging(job: Job, fence: int) -> str:
    """The staging folder of one owner of a job."""
    return f"staging/{job.id}.{fence}/"
