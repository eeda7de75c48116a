"""Random schedules of faults over a world: who dies, is cut off, comes back and when, drawn from one seed.

Beside world.py's, what can go wrong here too: the disk takes its time, so that handlers of one job overlap; messages
come late, or twice; a run that is cancelled takes a while to end; several jobs share lanes.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from mpc.errors import AccordError, OutOfRange, PartyFailed
from parties.errors import LaneInvalid
from parties.jobs.job import Job
from parties.jobs.session import Event, State
from parties.membership.charter import Charter
from parties.planning.job_work import Consent, Outcome
from parties.wire.messages import Run
from tests.parties.consortium import charter, member
from tests.parties.world import TABLES, FakeWork, Lane, MemoryNetwork, Node, World

__all__ = ["play_schedule"]

STOPS = 0.7  # seconds that a cancelled run takes at most
QUIET = 1500.0  # seconds in which all must be over after the last fault: twice the longest deadline


def consortium(m: int) -> Charter:
    return charter(*(member(i) for i in range(m)), member(m, "input", "result"))


class MixedUp(BaseException):
    """What must never happen."""


class LaneWork(FakeWork):
    """Runs in lanes as workers do: one after another, by numbers that grow, with everybody or not at all."""

    def __init__(self, world: Schedule, node: Node) -> None:
        super().__init__(world, node)
        self.turns: dict[tuple[int, int], trio.Lock] = {}

    async def consent(self, job: Job, tables: Any) -> Consent:
        await trio.sleep(self.world.rng.random() * 0.05)
        return await super().consent(job, tables)

    async def deal(self, job: Job) -> None:
        await trio.sleep(self.world.rng.random() * 0.2)

    async def compute(self, job: Job, order: Run) -> Outcome:
        world: Schedule = self.world
        place = (order.lane, order.epoch)
        if place in world.broken:
            raise LaneInvalid("it is broken")
        name = f"{order.lane}x{order.epoch}x{order.number}"
        world.begun.setdefault((self.node.name, job.id), []).append(name)
        async with self.turns.setdefault(place, trio.Lock()):
            if order.checkpoint is not None:
                held = [(order.checkpoint.run, order.checkpoint.step)]
                if held[0] not in world.kept.get((self.node.name, job.id), []):
                    raise MixedUp(f"{self.node.name} is told to go on from {held}, which it does not have")
            lane = world.meetings.setdefault((*place, order.number), Lane(world.m))
            ran = world.ran.setdefault((*place, order.number), (job.id, order.checkpoint))
            if ran != (job.id, order.checkpoint):
                raise MixedUp(f"run {name}: {ran} here, {job.id} from {order.checkpoint} there")
            inside = world.inside.setdefault(self.node.name, set())
            if job.id in inside:
                raise MixedUp(f"{self.node.name}: {job.id} runs twice at once")
            inside.add(job.id)
            long = world.rng.choice(world.lengths)
            try:
                if self.node.name in world.failing:
                    raise world.failing[self.node.name]
                await lane.meet(self.node.name, 0.0)
                for step in range(1, 4):
                    with trio.move_on_after(long):
                        await lane.broken.wait()
                        raise PartyFailed(0, "PeerLost", lane.failure)
                    if job.on_loss == "wait":
                        kept = world.kept.setdefault((self.node.name, job.id), [])
                        kept[:] = [*kept, (name, step)][-2:]
            except BaseException as error:
                if not isinstance(error, OutOfRange):
                    lane.fail(f"{self.node.name} failed")
                    world.broken.add(place)
                if not isinstance(error, AccordError) and self.node.alive:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(world.rng.random() * STOPS)
                raise
            finally:
                inside.discard(job.id)
        return Outcome(f"{job.id} {name}".encode(), {"rounds": 7})

    async def held(self, job: Job) -> list[tuple[str, int]]:
        return list(self.world.kept.get((self.node.name, job.id), []))


class LateNetwork(MemoryNetwork):
    """Messages come late, or twice."""

    async def call(self, member: Any, message: Any, job: str = "", *, within: float | None = None) -> Any:
        world = self.world
        if world.rng.random() < world.twice:
            self.node.nursery.start_soon(self._again, member, message, job)
        with trio.move_on_after(within if within is not None else 1e9):
            await trio.sleep(world.late())
        return await super().call(member, message, job, within=within)

    async def _again(self, member: Any, message: Any, job: str) -> None:
        with contextlib.suppress(AccordError):
            await trio.sleep(self.world.rng.random() * 3)
            await super().call(member, message, job, within=5.0)


class Schedule(World):
    """A world under faults."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.m = rng.choice((3, 3, 5))
        super().__init__(directory, consortium(self.m))
        self.lengths = rng.choice(((0.0, 0.01), (0.01, 0.5), (0.3, 3.0)))
        self.twice = rng.choice((0.0, 0.05, 0.2))
        self.slow_disk = rng.choice((0.0, 0.001, 0.03))
        self.slow_wire = rng.choice((0.0, 0.01, 0.2))
        self.broken: set[tuple[int, int]] = set()
        self.meetings: dict[tuple[int, int, int], Lane] = {}
        self.ran: dict[tuple[int, int, int], Any] = {}
        self.begun: dict[tuple[str, str], list[str]] = {}
        self.inside: dict[str, set[str]] = {}
        self.kept: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self.made = [(0, 1, 0), (1, 2, 0)]
        self.epoch = 2

    def late(self) -> float:
        return self.rng.random() * self.slow_wire if self.rng.random() < 0.97 else self.rng.random() * 4

    def work_of(self, node: Node) -> FakeWork:
        self.inside.pop(node.name, None)
        return LaneWork(self, node)

    def network_of(self, node: Node) -> MemoryNetwork:
        return LateNetwork(self, node)

    def disk_of(self, node: Node) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
        """One call after another, each to its end; what is called last is done last."""
        turn = trio.Lock()

        async def disk(call: Callable[[], Any]) -> Any:
            await trio.lowlevel.checkpoint()
            async with turn:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.rng.random() * self.slow_disk)
                if not node.alive:
                    await trio.sleep_forever()
                return call()

        return disk

    def rebuilt(self, job: Job, parts: Mapping[str, bytes]) -> bytes | None:
        if len(set(parts.values())) > 1:
            raise MixedUp(f"shares of several runs: {parts}")
        return b"the answer" if len(parts) >= 2 else None

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Run]:
        async with self.slots:
            lane, epoch, number = self.made.pop()
            if (lane, epoch) in self.broken:
                self.epoch += 1
                epoch, number = self.epoch, 0
            number += 1
            try:
                yield Run(lane=lane, epoch=epoch, number=number)
            except BaseException:
                self.broken.add((lane, epoch))
                raise
            finally:
                self.made.append((lane, epoch, number))

    # -- the schedule ------------------------------------------------------------------------------

    async def faults(self) -> None:
        """As many as the seed has, some of them at a message and not at a time."""
        rng, names = self.rng, list(self.nodes)
        at: dict[int, list[Callable[[], Awaitable[None]]]] = {}

        async def message(number: int, when: str) -> None:
            if when == "before":
                for fault in at.pop(number, ()):
                    await fault()

        self.at = message
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
            name = rng.choice(names)
            fault = rng.choice((self._dies, self._dies, self._is_cut, self._moment))

            async def one(fault: Any = fault, name: str = name) -> None:
                self._nursery.start_soon(fault, name, rng.random() * rng.choice((0.1, 1.0, 5.0, 40.0)))

            if rng.random() < 0.7:
                at.setdefault(rng.randrange(1, 120), []).append(one)
            else:
                self._nursery.start_soon(self._then, rng.random() * 10, one)
        await trio.sleep(100)
        self.at = None
        await trio.sleep(50)

    async def _then(self, when: float, fault: Any) -> None:
        await trio.sleep(when)
        await fault()

    async def _dies(self, name: str, long: float) -> None:
        if self.nodes[name].alive:
            await self.kill(name)
            self._break_lanes(name)
            await trio.sleep(long)
            await self.nodes[name].over.wait()
            if not self.nodes[name].alive:
                with contextlib.suppress(RuntimeError):  # killed again while it starts
                    await self.start(name)

    async def _is_cut(self, name: str, long: float) -> None:
        self.sever(name)
        self._break_lanes(name)
        await trio.sleep(long)
        self.join(name)

    async def _moment(self, name: str, long: float) -> None:
        await self._is_cut(name, min(long, 0.5))

    def _break_lanes(self, name: str) -> None:
        """All lanes lose their peer there, where it computes."""
        if self.nodes[name].board.index is not None:
            self.broken |= {place[:2] for place in self.made}
            for key, lane in self.meetings.items():
                self.broken.add(key[:2])
                lane.fail(f"{name} was lost")


async def _scenario(world: Schedule) -> dict[str, State]:
    rng = world.rng
    jobs: list[Job] = []
    if rng.random() < 0.1:
        world.failing[rng.choice(list(world.nodes))] = OutOfRange("column age")
    if rng.random() < 0.05:
        world.refusals[rng.choice(list(world.nodes))] = OutOfRange("epsilon")

    async def client(i: int) -> None:
        await trio.sleep(rng.random() * rng.choice((0.01, 5)))
        name = rng.choice(list(world.nodes))
        if not world.nodes[name].alive:
            return
        last = list(world.nodes)[-1]
        job = world.job(
            name,
            key=f"{i}",
            deadline=rng.choice((3, 30, 600)),
            on_loss=rng.choice(("abort", "wait")),
            tables=(("bravo", "patients"), (last, "patients")),
            results=rng.choice((("alfa",), ("alfa", last), (last,), ("bravo", last))),
        )
        jobs.append(job)

        async def submit() -> None:
            with contextlib.suppress(AccordError):
                await world.nodes[name].jobs.submit(job, TABLES)

        async def cancel() -> None:
            await trio.sleep(rng.random() * 3)
            node = world.nodes[name]
            if node.alive:
                with contextlib.suppress(AccordError):
                    await node.jobs.cancel(job.id, "ann")

        world.nodes[name].nursery.start_soon(submit)
        if rng.random() < 0.1:
            world.nodes[name].nursery.start_soon(cancel)

    for i in range(rng.choice((1, 1, 2, 4))):
        world._nursery.start_soon(client, i)
    await world.faults()
    for name, node in world.nodes.items():
        world.join(name)
        if not node.alive:
            await node.over.wait()
            await world.start(name)
    with trio.move_on_after(QUIET):
        while any(not s.terminal for job in jobs for s in world.states(job.id).values()):  # noqa: ASYNC110 - see world.py
            await trio.sleep(5)
    await trio.sleep(30)
    ends: dict[str, State] = {}
    for job in jobs:
        _check(world, job, ends)
    return ends


def _check(world: Schedule, job: Job, ends: dict[str, State]) -> None:
    """One end everywhere; one vote at most, and nothing after it; the answer where it belongs."""
    states = world.states(job.id)
    told = (job, states, world.causes(job.id))
    assert len(set(states.values())) <= 1 and all(state.terminal for state in states.values()), told
    for name in states:
        happened = [change.event for change in world.nodes[name].store.history(job.id)]
        assert happened.count(Event.READY) <= 1, (name, happened)
        if Event.READY in happened:
            assert Event.RUN not in happened[happened.index(Event.READY) :], (name, happened)
    end = next(iter(states.values()), None)
    if end is not None:
        ends[job.id] = end
    wanted = set(job.results) if end is State.RELEASED else set()
    assert set(world.answers(job.id)) == wanted, (told, world.answers(job.id))


def play_schedule(directory: Path, seed: int) -> dict[str, State]:
    """One schedule, from its beginning to all jobs' ends, which it gives. Raises AssertionError, MixedUp."""

    async def main() -> dict[str, State]:
        with trio.fail_after(100_000):
            world = Schedule(directory, seed)
            async with world.running():
                return await _scenario(world)

    return trio.run(main, clock=MockClock(autojump_threshold=0))
