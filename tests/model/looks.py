"""Looking at a copy, and what a look does to its record."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from datasets.rules.copies import CopyState
from tests.model.disks import Disk, DiskError
from tests.model.registry import Actor, Copy, Registry
from tests.model.safeguards import Broken, Promise, Safeguard
from transfers.rules import evidence
from transfers.rules.evidence import Finding, Meant, Presence, Reading

S = CopyState


@dataclass(frozen=True, slots=True)
class Begun:
    """What a look began with: its compare-and-set."""

    step: int
    state: CopyState
    doubted_at: datetime | None
    meant: Meant


def begin(world: Registry, copy: Copy) -> Begun:
    """Read the row."""
    return Begun(world.step, copy.state, copy.doubted_at, copy.dataset.meant())


def see(world: Registry, disk: Disk, path: str) -> tuple[Presence, Reading | None]:
    """Ask for a name and read it whole."""
    try:
        if disk.presence(path) is Presence.ABSENT:
            return Presence.ABSENT, None
        return Presence.PRESENT, disk.read(path)
    except DiskError:
        world.stats["errors seen"] += 1
        return (Presence.ABSENT if world.without is Safeguard.ERROR_IS_NOT_ABSENCE else Presence.UNKNOWN), None


def conclude(
    world: Registry, copy: Copy, begun: Begun, seen: tuple[Presence, Reading | None], *, canary: bool, read_at: int
) -> None:
    """Apply a look by compare-and-set: one transaction."""
    presence, reading = seen
    dataset, meant = copy.dataset, begun.meant
    same_version = dataset.version == meant.version
    if not same_version and world.without is not Safeguard.VERSION_COMPARED:
        return
    if (copy.state, copy.doubted_at) != (begun.state, begun.doubted_at) or _busy(world, copy):
        return
    canary = canary or world.without is Safeguard.CANARY_READ
    found = evidence.finding(presence, reading, meant, canary=canary)
    if found is Finding.UNPROVABLE and reading is not None and same_version and not dataset.content.hashed:
        dataset.content = replace(dataset.content, size=reading.size_bytes, md5=reading.md5)
        world.stats["observed"] += 1
        found = Finding.GOOD
    outcome = evidence.look_outcome(copy.state, found, doubted_at=copy.doubted_at, now=world.now)
    if outcome.move_to in {S.SUSPECT, S.MISSING, S.CORRUPT, S.EXPECTED}:
        _blame_is_earned(world, copy, begun, outcome.move_to)
    copy.doubted_at = outcome.doubted_at
    copy.flagged = outcome.flag or (copy.flagged and not outcome.proof)
    if outcome.move_to is not None:
        world.move_copy(copy, outcome.move_to, outcome.cause)
        world.stats["proved by a look"] += outcome.proof
    if outcome.proof or outcome.move_to is S.CLAIMED:
        copy.version, copy.proved_at = dataset.version, read_at


def _busy(world: Registry, copy: Copy) -> bool:
    return world.without is not Safeguard.LOOK_WAITS and world.in_flight(copy)


def _blame_is_earned(world: Registry, copy: Copy, begun: Begun, target: CopyState) -> None:
    """A copy that was good and in its place all through the look is not blamed."""
    disk = world.disks[copy.repo]
    inode = disk.names.get(copy.path)
    if inode is None or inode.data != copy.dataset.content.md5:
        return
    if max(inode.harmed_at, disk.touched_at.get(copy.path, -1), disk.flipped_at) <= begun.step:
        raise Broken(Promise.LEGAL, f"{copy.repo}: {copy.state} → {target}, although the bytes were there and good")


def look(world: Registry, copy: Copy) -> Iterator[None]:
    """One look, canary read before and after."""
    if copy.state not in evidence.LOOKED_AT or copy.version != copy.dataset.version or _busy(world, copy):
        return
    disk, begun = world.disks[copy.repo], begin(world, copy)
    canary = disk.canary()
    yield
    seen, read_at = see(world, disk, copy.path), world.step
    yield
    canary = canary and disk.canary()
    yield
    conclude(world, copy, begun, seen, canary=canary, read_at=read_at)


def looker(world: Registry, me: Actor) -> Iterator[None]:
    """`transfers verify`, the second looks, the announced files and the claims at a destination: all the same look."""
    for copy in list(world.copies.values()):
        yield
        me.looks_at = copy
        yield from look(world, copy)
        me.looks_at = None
