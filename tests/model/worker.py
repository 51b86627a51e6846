"""The worker: carries the items of one job. Between a check of its fence and an act on a disk it may be suspended."""

from collections.abc import Generator, Iterator

from tests.model.disks import Disk, DiskError, Inode
from tests.model.looks import see
from tests.model.night import bar, blame_source, copy_wants, register, settle, staging
from tests.model.registry import Actor, Item, Job, Registry
from tests.model.safeguards import Broken, Promise, Safeguard
from transfers.rules import evidence
from transfers.rules.errors import ErrorCode
from transfers.rules.evidence import Arrival, Presence
from transfers.rules.lifecycle import IN_FLIGHT, ItemState, JobState

I, J = ItemState, JobState  # noqa: E741


class LeaseLost(Exception):
    """Somebody else has the job."""


class Failed(Exception):
    """This item did not get through."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


class Stale(Exception):
    """The registry no longer waits for these bytes."""


def worker(world: Registry, me: Actor) -> Iterator[None]:
    """Claim a job, bar its former owner, carry its items, settle it, clean up."""
    yield
    job = next((job for job in world.jobs if world.may_take(job)), None)
    if job is None:
        return
    world.stats["taken over"] += job.lease_until is not None
    fence = world.take(job)
    if job.state is J.PREPARED:
        world.move_job(job, J.SUBMITTING)
    try:
        yield from Carrier(world, me, job, fence).run()
    except LeaseLost:
        world.stats["stopped by the fence"] += 1


class Carrier:
    """One owner of one job."""

    def __init__(self, world: Registry, me: Actor, job: Job, fence: int) -> None:
        self.world, self.me, self.job, self.fence = world, me, job, fence
        self.disk: Disk = world.disks[job.destination]
        self.late = 0

    def run(self) -> Iterator[None]:
        yield from self.checked()
        self.act()
        if not bar(self.world, self.job, self.fence, self.me):
            return
        yield
        if self.job.state is J.SUBMITTING and self.world.holds(self.job, self.fence):
            self.world.move_job(self.job, J.SUBMITTED)
        outcomes: dict[Item, ErrorCode | None] = {}
        for item in list(self.job.items):
            if item.job is self.job and item.state in IN_FLIGHT:
                outcomes[item] = yield from self.outcome(item)
        yield
        if not settle(self.world, self.job, self.fence, outcomes):
            raise LeaseLost
        yield
        for name in self.disk.under(staging(self.job, self.fence)):
            if self.disk.canary():
                self.disk.names.pop(name)

    def outcome(self, item: Item) -> Generator[None, None, ErrorCode | None]:
        """Carry one item; what went wrong with it, None if it is done or out of date."""
        try:
            yield from self.carry(item)
        except (Failed, DiskError) as failure:
            return failure.code
        except FileNotFoundError:
            return ErrorCode.STAGED_LOST
        except Stale:
            pass
        return None

    # --- the two halves of every step: ask, then act -------------------------------------------------------------------

    def checked(self) -> Iterator[None]:
        """Heartbeat, and the moment after it."""
        yield
        self.beat()
        yield

    def beat(self) -> None:
        if not self.world.beat(self.job, self.fence):
            raise LeaseLost
        self.me.checks += 1

    def act(self) -> None:
        """Count an act on the disk. One act of a superseded worker may slip through after its check; never two."""
        if self.job.fence > self.fence:
            self.late += 1
            self.world.stats["late acts"] += 1
            if self.late > 1:
                raise Broken(Promise.ONE_WRITER, f"a superseded worker goes on with job {self.job.id}")

    def advance(self, item: Item, target: ItemState) -> None:
        """Move an item, if the job is still ours and the item still in flight with it."""
        if not self.world.holds(self.job, self.fence):
            raise LeaseLost
        if item.job is not self.job or item.state not in IN_FLIGHT:
            raise Stale
        self.world.move_item(item, target)

    # --- one item ------------------------------------------------------------------------------------------------------

    def carry(self, item: Item) -> Iterator[None]:
        staged = f"{staging(self.job, self.fence)}{item.id}"
        if item.state is I.BOUND:
            yield from self.copy(item, staged)
            self.advance(item, I.MOVED)
            yield
        read_at = self.world.step
        if item.state in {I.MOVED, I.VERIFYING}:
            read_at = yield from self.prove_and_promote(item, staged)
            self.advance(item, I.PROMOTED)
            yield
        else:  # PROMOTED by a former owner: its name is read back before it is believed
            reading = self.disk.read(item.copy.path)
            if not evidence.proves(reading, item.copy.dataset.meant(item.version)):
                raise Failed(ErrorCode.DIGEST_MISMATCH)
            yield
        if not register(self.world, item, self.job, self.fence, read_at):
            raise Stale

    def copy(self, item: Item, staged: str) -> Iterator[None]:
        """Slice by slice into the staging file; goes on at its size."""
        source = self.world.disks[self.job.source]
        try:
            original = source.open(item.copy.path)
        except (DiskError, FileNotFoundError):
            raise Failed((yield from blame_source(self.world, self.job, item)) or ErrorCode.SOURCE_UNSTABLE) from None
        yield from self.checked()
        self.act()
        target = self.disk.names.get(staged) or self.disk.create(staged, self.me)
        while len(target.data) < len(original.data):
            piece = original.data[len(target.data)]
            yield from self.checked()
            if not source.reachable:
                raise Failed(ErrorCode.UNREACHABLE)
            self.act()
            self.disk.append(target, piece)

    def prove_and_promote(self, item: Item, staged: str) -> Generator[None, None, int]:
        """Read back, then give the proved bytes their final name. Returns the step of the read that proved them."""
        meant = item.copy.dataset.meant(item.version)
        if staged not in self.disk.names and self.disk.canary():  # promoted by a former owner, or barred
            presence, reading = see(self.world, self.disk, item.copy.path)
            if reading is None or not evidence.proves(reading, meant):
                raise Failed(ErrorCode.STAGED_LOST if presence is not Presence.UNKNOWN else ErrorCode.UNREACHABLE)
            if item.state is I.MOVED:
                self.advance(item, I.VERIFYING)
            return self.world.step
        staged_reading, read_at = self.disk.read(staged), self.world.step
        yield
        if not evidence.proves(staged_reading, meant):
            at_source = yield from blame_source(self.world, self.job, item)
            raise Failed(evidence.arrival_trouble(staged_reading, meant, at_source) or ErrorCode.UNKNOWN)
        if item.state is I.MOVED:
            self.advance(item, I.VERIFYING)
        placed_at = yield from self.promote(item, staged)
        return read_at if placed_at is None else placed_at

    def promote(self, item: Item, staged: str) -> Generator[None, None, int | None]:
        """Staging to final. Returns the step at which the final name was read, if it held the meant bytes already."""
        final, meant = item.copy.path, item.copy.dataset.meant(item.version)
        for _ in range(3):
            yield from self.still_wanted(item)
            read_at = self.world.step
            what = evidence.arrival(*see(self.world, self.disk, final), meant)
            if what is Arrival.WAIT:
                raise Failed(ErrorCode.UNREACHABLE)
            if what is Arrival.ALREADY_THERE:
                return read_at
            yield
            if what is Arrival.PLACE:
                if (yield from self.place(staged, final)):
                    return None
                continue
            if (yield from self.replace(item, staged, final)):
                return None
        raise Failed(ErrorCode.UNKNOWN)

    def still_wanted(self, item: Item) -> Iterator[None]:
        """The last questions before a name is touched: is the job ours, does the registry wait for this?"""
        yield
        self.beat()
        if not copy_wants(item):
            raise Stale
        yield

    def place(self, staged: str, final: str) -> Generator[None, None, bool]:
        """Onto a free name."""
        self.act()
        try:
            self.disk.link(staged, final)
        except FileExistsError:
            return False
        yield from self.checked()
        self.act()
        self.disk.unlink(staged)
        return True

    def replace(self, item: Item, staged: str, final: str) -> Generator[None, None, bool]:
        """Over other bytes: these are linked into the trash first, never moved away."""
        old: Inode = self.disk.open(final)
        if self.world.without is not Safeguard.TRASH_FIRST:
            self.act()
            self.disk.trashed += 1
            trash = f"trash/{item.copy.dataset.id}.{self.disk.trashed}"
            if self.world.without is Safeguard.LINKED_TO_TRASH:
                self.disk.rename(final, trash)
            else:
                self.disk.link(final, trash)
            self.world.stats["trashed"] += 1
        yield from self.still_wanted(item)
        moved = self.world.without is Safeguard.LINKED_TO_TRASH and final not in self.disk.names
        if self.disk.names.get(final) is not old and not moved:
            return False
        self.me.renames = (self.job.destination, item.copy.dataset.id)
        yield
        self.act()
        self.disk.rename(staged, final)
        self.me.renames = None
        return True
