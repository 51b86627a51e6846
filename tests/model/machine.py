"""Histories: clients, nights, kills, suspensions, faults and the clock, in any order."""

import sys
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from datasets.rules.registration import Call, Content
from tests.model.registry import CENTRAL, LAB, MIRROR, REPOS, SERVERS, Actor, Copy
from tests.model.safeguards import Safeguard
from tests.model.world import KINDS, NIGHT, World

NUMBERS = st.sampled_from([1, 1, 2])
BYTES = st.sampled_from(["aa", "aa", "bb", "cc", "d", "eee"])
PLACES = st.sampled_from([LAB, LAB, CENTRAL, MIRROR])
SERVER = st.sampled_from([CENTRAL, CENTRAL, MIRROR])
STEPS = st.integers(1, 30)
JUMPS = st.sampled_from([timedelta(seconds=10), timedelta(seconds=60), timedelta(hours=13), timedelta(hours=25)])
CALLS = st.sampled_from(
    [
        Call(repository=REPOS[LAB].id),
        Call(repository=REPOS[LAB].id),
        Call(repository=REPOS[LAB].id, exists=False),
        Call(),
        Call(repository=REPOS[CENTRAL].id, exists=False),
        Call(repository=REPOS[CENTRAL].id),
        Call(server_only=True),
        Call(server_only=True, exists=False, repository=REPOS[CENTRAL].id),
    ]
)
NAMED = {repo.id: name for name, repo in REPOS.items()}


class Protocol(RuleBasedStateMachine):
    """The protocol as written; a mutant is a subclass that does without one safeguard."""

    without: ClassVar[Safeguard | None] = None
    totals: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.without)

    # --- clients ------------------------------------------------------------------------------------------------------

    def _register(self, number: int, data: str, call: Call, *, hashed: bool, puts: bool) -> None:
        world = self.world
        world.step += 1
        if puts:
            places = [NAMED[call.repository]] if call.repository else [CENTRAL, MIRROR] if call.server_only else [LAB]
            for place in places:
                self._put(number, place, data)
        world.register(number, Content(size=len(data), md5=data if hashed else None), call)
        world.check()

    def _put(self, number: int, place: str, data: str) -> None:
        """A client writes a file itself; not in the instant between a worker's last look at the name and its rename
        (the known limit of decision 020)."""
        if not any(actor.alive and actor.renames == (place, number) for actor in self.world.actors):
            self.world.disks[place].put(f"final/{number}", data, self.world.step)

    @initialize(data=BYTES, call=CALLS)
    def a_rig_registers(self, data: str, call: Call) -> None:
        self._register(1, data, call, hashed=True, puts=True)

    @rule(number=NUMBERS, data=BYTES, call=CALLS, kind=st.sampled_from(["", "", "", "unhashed", "not put"]))
    def registers(self, number: int, data: str, call: Call, kind: str) -> None:
        self._register(number, data, call, hashed=kind != "unhashed", puts=kind != "not put")

    @rule(number=NUMBERS, place=PLACES, word=st.sampled_from(["exists", "not", "not", "delete"]))
    def tells_of_a_copy(self, number: int, place: str, word: str) -> None:
        copy = self.world.copies.get((number, place))
        if copy is not None:
            self.world.step += 1
            if word == "delete":
                self.world.withdraw(copy)
            else:
                self.world.patch_exists(copy, exists=word == "exists")
            self.world.check()

    # --- the environment ------------------------------------------------------------------------------------------------

    def _held(self, number: int, place: str) -> Copy | None:
        copy = self.world.copies.get((number, place))
        return copy if copy is not None and copy.path in self.world.disks[place].names else None

    def _harm_source(self, number: int, harm: str) -> None:
        copy = self._held(number, LAB)
        if copy is not None:
            disk = self.world.disks[LAB]
            data = disk.names[copy.path].data
            self.world.step += 1
            new = {"edited": "x" * len(data), "longer": data + "x", "truncated": data[:-1], "vanished": None}[harm]
            disk.harm(copy.path, new, self.world.step)
            self.world.stats[f"source {harm}"] += 1

    @rule(number=NUMBERS, harm=st.sampled_from(["edited", "edited", "longer", "truncated", "vanished"]))
    def source_changes(self, number: int, harm: str) -> None:
        self._harm_source(number, harm)

    @rule(number=NUMBERS, place=SERVER, gone=st.booleans())
    def server_rots(self, number: int, place: str, gone: bool) -> None:
        copy = self._held(number, place)
        if copy is not None:
            disk = self.world.disks[place]
            self.world.step += 1
            disk.harm(copy.path, None if gone else "#" * len(disk.names[copy.path].data), self.world.step)

    @rule(place=SERVER)
    def next_write_is_damaged(self, place: str) -> None:
        self.world.disks[place].corrupt_next_write = True

    @rule(place=PLACES, fault=st.sampled_from(["unreachable", "wrong mount", "sick name", "sick name", "heal"]))
    def repository_ails(self, place: str, fault: str) -> None:
        disk = self.world.disks[place]
        self.world.step += 1
        disk.flip(self.world.step, reachable=fault != "unreachable", mounted=fault != "wrong mount")
        disk.sick = {"final/1"} if fault == "sick name" else set()

    @rule(jump=JUMPS)
    def time_passes(self, jump: timedelta) -> None:
        self.world.now += jump

    # --- processes ------------------------------------------------------------------------------------------------------

    def _pick(self, number: int) -> Actor | None:
        alive = [actor for actor in self.world.actors if actor.alive]
        return alive[number % len(alive)] if alive else None

    @rule(kind=st.sampled_from([*KINDS, "worker"]), steps=STEPS, then=st.sampled_from(["go on", "freeze", "kill"]))
    def burst(self, kind: str, steps: int, then: str) -> None:
        """Start a process and let it do some steps."""
        actor = self.world.start(kind)
        self.world.run(actor, steps)
        if actor.alive and then == "kill":
            self.world.kill(actor)
        elif actor.alive and then == "freeze":
            actor.frozen = True
            self.world.stats["frozen"] += 1

    @precondition(lambda self: any(actor.alive for actor in self.world.actors))
    @rule(which=st.integers(0, 5), steps=STEPS)
    def goes_on(self, which: int, steps: int) -> None:
        """Wake a process if it sleeps, and let it do some steps."""
        actor = self._pick(which)
        if actor is not None:
            self.world.stats["woken"] += actor.frozen
            actor.frozen = False
            self.world.run(actor, steps)

    @precondition(lambda self: any(actor.alive for actor in self.world.actors))
    @rule(which=st.integers(0, 5))
    def is_killed(self, which: int) -> None:
        actor = self._pick(which)
        if actor is not None:
            self.world.kill(actor)

    @rule(whole=st.booleans(), steps=st.integers(1, 120), freeze=st.booleans())
    def night(self, whole: bool, steps: int, freeze: bool) -> None:
        """A night from end to end, or cut after some step: who is at work then is killed or suspended."""
        world = self.world
        world.stats["nights"] += 1
        for kind in NIGHT:
            actor = world.start(kind)
            before = world.step
            world.run(actor, 1_000 if whole else steps)
            steps -= world.step - before
            if not whole and (actor.alive or steps <= 0):
                if actor.alive and freeze:
                    actor.frozen = True
                    world.stats["frozen"] += 1
                elif actor.alive:
                    world.kill(actor)
                return

    @rule(
        kind=st.sampled_from(["looker", "looker", "worker", "packer"]),
        steps=STEPS,
        number=NUMBERS,
        data=BYTES,
        call=CALLS,
        puts=st.booleans(),
    )
    def patched_meanwhile(self, kind: str, steps: int, number: int, data: str, call: Call, puts: bool) -> None:
        """A client registers between two steps of a process, which then goes on."""
        actor = self.world.start(kind)
        self.world.run(actor, steps)
        self._register(number, data, call, hashed=True, puts=puts)
        self.world.run(actor, 1_000)

    @rule(
        first=st.none() | st.sampled_from([("aa", "bb"), ("d", "aa"), ("bb", "d")]),
        checks=st.sampled_from([1, 2, 3, 4, 5, 5, 6, 6, 7, 8]),
        client=st.sampled_from(["", "patches", "puts and claims"]),
        data=BYTES,
        later=JUMPS,
        others=st.sampled_from([NIGHT, ("sweeper", *NIGHT), ("looker",), ("away", "sweeper", "back", *NIGHT)]),
        wakes=STEPS,
    )
    def worker_sleeps_through_a_night(
        self,
        first: tuple[str, str] | None,
        checks: int,
        client: str,
        data: str,
        later: timedelta,
        others: tuple[str, ...],
        wakes: int,
    ) -> None:
        """A worker is suspended between a check of its fence and the act that follows, others go on, it wakes.

        first: one after the other are registered before, with a night between, so that there is something to replace.
        """
        world = self.world
        if first is not None:
            self._register(1, first[0], Call(repository=REPOS[LAB].id), hashed=True, puts=True)
            self._finish(NIGHT)
            self._register(1, first[1], Call(repository=REPOS[LAB].id), hashed=True, puts=True)
        if client == "puts and claims":
            for place in SERVERS:
                self._put(1, place, data)
        self._finish(("planner", "packer"))
        sleeper = world.start("worker")
        while sleeper.alive and sleeper.checks < checks:
            world.run(sleeper, 1)
        sleeper.frozen = sleeper.alive
        if client == "patches":
            self._register(1, data, Call(repository=REPOS[LAB].id), hashed=True, puts=True)
        elif client:
            self._register(1, data, Call(server_only=True), hashed=True, puts=False)
        world.now += later
        self._finish(others)
        world.stats["woken"] += sleeper.frozen
        sleeper.frozen = False
        world.run(sleeper, wakes)

    @rule(data=BYTES, steps=st.integers(1, 12), harm=st.sampled_from(["vanished", "vanished", "truncated", "edited"]))
    def source_changes_under_a_worker(self, data: str, steps: int, harm: str) -> None:
        """A worker has taken its job, and perhaps begun to read, when the rig's file changes or goes."""
        self._register(1, data, Call(repository=REPOS[LAB].id), hashed=True, puts=True)
        self._finish(("planner", "packer"))
        worker = self.world.start("worker")
        self.world.run(worker, steps)
        self._harm_source(1, harm)
        self.world.run(worker, 1_000)

    @rule(place=PLACES, data=BYTES, claimed=BYTES, puts=st.booleans(), steps=st.integers(1, 4))
    def claims_during_a_look(self, place: str, data: str, claimed: str, puts: bool, steps: int) -> None:
        """A claimed copy is being looked at when a client claims another version there, with or without the bytes."""
        world, call = self.world, Call(repository=REPOS[place].id)
        self._register(1, data, call, hashed=True, puts=True)
        actor, copy = world.start("looker"), world.copies[1, place]
        while actor.alive and actor.looks_at is not copy:
            world.run(actor, 1)
        world.run(actor, steps)
        self._register(1, claimed, call, hashed=True, puts=puts)
        world.run(actor, 1_000)

    def _finish(self, kinds: tuple[str, ...]) -> None:
        for kind in kinds:
            if kind in KINDS:
                self.world.finish(kind)
                continue
            self.world.step += 1
            for place in SERVERS:
                self.world.disks[place].flip(self.world.step, reachable=kind == "back")

    # --- the end --------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if sys.exception() is not None:
            return  # a promise is broken already: say which
        self.world.calm()
        self.world.converged()
        for name, count in self.world.stats.items():
            self.totals[name] = self.totals.get(name, 0) + count
