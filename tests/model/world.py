"""The world: the registry, the disks, the actors, and what must hold after every step."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from datasets.rules.copies import EXISTS, HIDDEN, CopyState
from tests.model.looks import looker
from tests.model.night import human, packer, planner, sweeper
from tests.model.registry import SERVERS, Actor, Copy, Dataset, Registry
from tests.model.safeguards import Broken, Promise, Safeguard
from tests.model.worker import worker
from transfers.rules.lifecycle import JOB_WRITING, LIVE, ItemState, JobState

S = CopyState
KINDS: dict[str, Callable[[Registry, Actor], Iterator[None]]] = {
    "looker": looker,
    "planner": planner,
    "packer": packer,
    "worker": worker,
    "sweeper": sweeper,
    "human": human,
}
NIGHT = ("looker", "planner", "packer", "worker", "worker")
TOUCH_DISKS = {"worker", "sweeper"}
NAP = timedelta(seconds=1)
NEXT_NIGHT = timedelta(hours=13)
ROUNDS = 40


def _once(copies: list[Copy], what: str) -> None:
    if len(copies) != len(set(copies)):
        raise Broken(Promise.ONE_WRITER, f"{what} to one of {[(copy.repo, copy.path) for copy in copies]}")


class World(Registry):
    """Everything, and the clock that moves it."""

    def __init__(self, without: Safeguard | None = None) -> None:
        super().__init__(without)
        self.actors: list[Actor] = []

    def start(self, kind: str) -> Actor:
        """A new process."""
        self.actors = [actor for actor in self.actors if actor.alive]
        actor = Actor(kind)
        actor.life = KINDS[kind](self, actor)
        self.actors.append(actor)
        return actor

    def run(self, actor: Actor, steps: int) -> None:
        """Let a process do some steps, and check every promise after each."""
        for _ in range(steps):
            if not actor.alive or actor.frozen:
                return
            self.step += 1
            self.now += NAP
            good = self.good() if actor.kind in TOUCH_DISKS else set()
            try:
                next(actor.life)
            except StopIteration:
                actor.alive = False
            if good and (lost := [dataset.id for dataset in good - self.good()]):
                raise Broken(Promise.NEVER_LOST, f"{actor.kind} destroyed the last good copy of {lost}")
            self.check()

    def finish(self, kind: str) -> None:
        """A process that nothing disturbs."""
        self.run(self.start(kind), 1_000)

    def kill(self, actor: Actor) -> None:
        """SIGKILL: nothing is tidied up."""
        actor.alive = False
        self.stats["killed"] += 1
        self.stats[f"killed {actor.kind}"] += 1

    # --- what is true -------------------------------------------------------------------------------------------------

    def good(self) -> set[Dataset]:
        """The datasets whose meant bytes lie somewhere (not counting staging)."""
        found = {inode.data for disk in self.disks.values() for name, inode in disk.names.items() if name[0] != "s"}
        return {dataset for dataset in self.datasets.values() if dataset.content.md5 in found}

    def is_good(self, copy: Copy) -> bool:
        """Whether the meant bytes lie at the place of a copy."""
        inode = self.disks[copy.repo].names.get(copy.path)
        return inode is not None and copy.dataset.content.md5 == inode.data

    # --- the promises ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """I1 and I3 over all rows (I2, I4 are checked where things happen)."""
        for copy in self.copies.values():
            if copy.state in EXISTS:
                self._check_claim(copy)
        _once([item.copy for item in self.items if item.state in LIVE], "two live items")
        writing = [job for job in self.jobs if job.state in JOB_WRITING]
        _once([item.copy for job in writing for item in job.items if item.state is not ItemState.DONE], "two writers")

    def _check_claim(self, copy: Copy) -> None:
        if copy.version != copy.dataset.version:
            raise Broken(Promise.NO_FALSE_CLAIM, f"{copy.repo} reads exists with an older version")
        if copy.state is not S.VERIFIED or self.is_good(copy):
            return
        disk = self.disks[copy.repo]
        inode = disk.names.get(copy.path)
        harmed_at = max(disk.touched_at.get(copy.path, -1), inode.harmed_at if inode else -1)
        if harmed_at < copy.proved_at or copy.proved_at < 0:
            held = inode.data if inode else None
            raise Broken(
                Promise.NO_FALSE_CLAIM, f"{copy.repo} holds {held!r}, verified as {copy.dataset.content.md5!r}"
            )

    # --- the end ----------------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """The faults stop; the processes that were suspended wake, late; nights follow one another."""
        for disk in self.disks.values():
            disk.reachable = disk.mounted = True
            disk.flipped_at = self.step
            disk.sick.clear()
            disk.corrupt_next_write = False
        sleepers = [actor for actor in self.actors if actor.alive]
        for number in range(ROUNDS):
            before = self._picture()
            self.now += NEXT_NIGHT
            for kind in ("sweeper", *NIGHT, "human"):
                self.finish(kind)
                if number and sleepers:
                    sleepers[-1].frozen = False
                    self.run(sleepers.pop(), 1_000)
            if number > 3 and not sleepers and before == self._picture():
                break
        self.stats["calmed"] += 1

    def _picture(self) -> object:
        return (
            [(copy.state, copy.version) for copy in self.copies.values()],
            [item.state for item in self.items if item.state in LIVE],
            sum(job.state is not JobState.SETTLED for job in self.jobs),
            [dataset.version for dataset in self.datasets.values()],
        )

    def converged(self) -> None:
        """I7: what has a good source is proved at every server; what has none is named with a reason."""
        for dataset in self.datasets.values():
            copies = {repo: copy for (number, repo), copy in self.copies.items() if number == dataset.id}
            to_fill = [copies[repo] for repo in SERVERS if repo in copies and copies[repo].state not in HIDDEN]
            sources = [copy for copy in copies.values() if self._is_source(copy)]
            for copy in to_fill:
                if sources and copy.state is not S.VERIFIED:
                    raise Broken(
                        Promise.CONVERGES, f"{copy.repo} stays {copy.state} with a source at {sources[0].repo}"
                    )
                if copy.state is not S.VERIFIED and not self.reason(copy):
                    raise Broken(Promise.CONVERGES, f"{copy.repo} stays {copy.state} and nobody says why")
                self.stats["ends proved" if copy.state is S.VERIFIED else "ends named"] += 1

    def _is_source(self, copy: Copy) -> bool:
        known = copy.state in {S.ANNOUNCED, S.CLAIMED, S.VERIFIED, S.SUSPECT}
        return known and self.is_good(copy)

    def reason(self, copy: Copy) -> str:
        """Why a copy is not proved, from what the registry knows alone: the line of `transfers status`."""
        item = self.live_item(copy)
        if item is not None and item.error:
            return item.error
        if not copy.dataset.content.hashed:
            return "not hashed: no copy could be read"
        if self.source_for(copy) is None:
            others = [other for (number, _), other in self.copies.items() if number == copy.dataset.id]
            return "no source: " + ", ".join(f"{other.repo} {other.state}" for other in others)
        return ""
