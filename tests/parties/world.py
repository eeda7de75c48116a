"""A consortium's jobs over a network in memory, in one trio loop under a clock that jumps: every message a boundary.

Real: stores on disk, signatures, all of the jobs' code. Not: sockets, workers. A node can be killed and started anew,
or cut off and joined again, at any message.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from mpc.errors import AccordError, PartyFailed
from parties.errors import PeerRefusedUs, PeerTimedOut, PeerUnreachable
from parties.jobs.job import Job, job_id
from parties.jobs.session import State
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.planning.job_work import Consent, Outcome
from parties.proof.acceptance_watch import kept_acceptance, kept_acceptances
from parties.proof.head_watch import entries_of
from parties.running.board import Board
from parties.running.job_node import JobNode
from parties.running.job_store import JobStore
from parties.running.tasks import Tasks
from parties.wire.log_messages import AcceptanceQuery, AcceptancesQuery, EntriesQuery
from parties.wire.messages import Abort, Accept, Decided, Message, Prepare, Propose, Ready, Reserve, Run, StateQuery
from tests.parties.consortium import charter, identity, member

START = 1_800_000_000.0
NOTICED = 0.3  # seconds until a death is noticed
CHARTER = charter(*(member(i) for i in range(3)), member(3, "input", "result"))
"""alfa, bravo, charlie compute; delta has tables and receives answers."""


TABLE = "{}"
DIGEST = hashlib.sha256(TABLE.encode()).hexdigest()
TABLES = [TABLE, TABLE]


def now() -> float:
    return START + trio.current_time()


class Lane:
    """Where the compute members meet: all give an answer, or none."""

    def __init__(self, m: int) -> None:
        self.m = m
        self.entered: set[str] = set()
        self.all_in = trio.Event()
        self.broken = trio.Event()
        self.failure = ""

    async def meet(self, name: str, long: float) -> None:
        self.entered.add(name)
        if len(self.entered) == self.m:
            self.all_in.set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until, self.broken, nursery.cancel_scope)
                nursery.start_soon(self._until, self.all_in, nursery.cancel_scope)
        except BaseException:
            self.fail(f"{name} left")
            raise
        if not self.all_in.is_set():
            raise PartyFailed(0, "PeerLost", self.failure)
        try:
            with trio.move_on_after(long):
                await self.broken.wait()
        except BaseException:
            self.fail(f"{name} left")
            raise
        if self.broken.is_set():
            raise PartyFailed(0, "PeerLost", self.failure)

    def fail(self, why: str) -> None:
        self.failure = self.failure or why
        self.broken.set()

    @staticmethod
    async def _until(event: trio.Event, scope: trio.CancelScope) -> None:
        await event.wait()
        scope.cancel()


@dataclass
class Node:
    """One member's node; ``alive`` while it runs."""

    name: str
    identity: Identity
    path: Path
    alive: bool = False
    cut: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    over: trio.Event = field(default_factory=trio.Event)
    nursery: Any = None
    store: Any = None
    board: Any = None
    jobs: Any = None


class FakeWork:
    """Consents, deals nothing, and computes by meeting the others."""

    def __init__(self, world: World, node: Node) -> None:
        self.world = world
        self.node = node

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        refusal = self.world.refusals.get(self.node.name)
        if refusal is not None:
            raise refusal
        return Consent("d" * 64, waits=self.world.waits.get(self.node.name, ""))

    async def deal(self, job: Job) -> None:
        self.world.dealt.add(self.node.name)

    async def compute(self, job: Job, order: Run) -> Outcome:
        self.world.orders.append((self.node.name, order))
        lane = self.world.lanes.setdefault((job.id, order.epoch, order.number), Lane(len(self.world.charter.compute)))
        try:
            if self.node.name in self.world.failing:
                await trio.sleep(self.world.fails_after.get(self.node.name, 0.0))
                raise self.world.failing[self.node.name]
            await lane.meet(self.node.name, self.world.long)
        except BaseException:
            lane.fail(f"{self.node.name} failed")
            raise
        return Outcome(f"share of {self.node.name}".encode(), {"rounds": 7})

    async def may_begin_anew(self, job: Job) -> bool:
        return self.world.anew

    async def held(self, job: Job) -> list[tuple[str, int]]:
        return self.world.held.get(self.node.name, [])


class MemoryNetwork:
    """network.Network for one node of a world."""

    def __init__(self, world: World, node: Node) -> None:
        self.world = world
        self.node = node

    async def call(self, member: Member, message: Message[Any], job: str = "", *, within: float | None = None) -> Any:
        return await self.world.bring(self.node, member, message, job, within)

    async def send_part(
        self, member: Member, job: str, purpose: str, name: str, part: int, content: bytes, parts: int = 1
    ) -> None:
        assert purpose == name == "answer"
        await self.world.bring(self.node, member, (part, parts, content), job, 5.0)

    def is_there(self, member: Member) -> bool:
        return self.world.reaches(self.node, self.world.nodes[member.name])

    async def await_there(self, member: Member) -> None:
        while not self.is_there(member):  # noqa: ASYNC110 - a world's clock jumps
            await trio.sleep(0.2)


class World:
    """Nodes and the messages between them.

    Attributes:
        count: messages so far.
        at: called with each message's number, "before" it is delivered and "after" it was handled.
    """

    def __init__(self, directory: Path, members: Charter = CHARTER, reliable: bool = True) -> None:
        self.charter = members
        self.chain = [members]
        self.nodes = {
            m.name: Node(m.name, identity(i), directory / f"{m.name}.db") for i, m in enumerate(members.members)
        }
        self.count = 0
        self.at: Callable[[int, str], Awaitable[None]] | None = None
        self.log: list[tuple[str, str, str]] = []
        self.refusals: dict[str, AccordError] = {}
        self.waits: dict[str, str] = {}  # why a person has to approve, by member
        self.failing: dict[str, AccordError] = {}
        self.fails_after: dict[str, float] = {}  # seconds
        self.dealt: set[str] = set()
        self.held: dict[str, list[tuple[str, int]]] = {}
        self.orders: list[tuple[str, Run]] = []
        self.long = 0.01  # seconds a run takes
        self.far = 0.0  # seconds every message takes there and back
        self.anew = True
        self.lanes: dict[tuple[str, int, int], Lane] = {}
        self.epoch = 0
        self.slots = trio.CapacityLimiter(2)
        self.says_free = True
        self.disorder = 0  # lanes that are not used again
        self.died: dict[str, float] = {}
        self._nursery: Any = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for name in self.nodes:
                await self.start(name)
            yield self
            for node in self.nodes.values():
                node.alive = False
                node.scope.cancel()
            for node in self.nodes.values():
                await node.over.wait()
            nursery.cancel_scope.cancel()

    async def start(self, name: str) -> None:
        node = self.nodes[name]
        await self._nursery.start(self._live, node)
        self._meet(node)

    async def _live(self, node: Node, task_status: Any) -> None:
        node.scope, node.over, node.alive = trio.CancelScope(), trio.Event(), True
        node.store = JobStore(node.path, bytes([7]) * 32, node.identity.fingerprint)
        try:
            with node.scope:
                async with trio.open_nursery() as nursery:
                    node.nursery = nursery
                    network, disk = self.network_of(node), self.disk_of(node)
                    node.board = Board(
                        node.identity, lambda: self.charter, node.store, network, now, disk, lambda: self.chain
                    )
                    computes = node.board.index is not None
                    node.jobs = JobNode(
                        node.board,
                        self.work_of(node),
                        self.rebuilt,
                        self if computes else None,
                        Tasks(nursery),
                        pause=lambda: 0.1 + 0.07 * (node.board.index or 0),
                    )
                    await node.jobs.recover()
                    task_status.started()
                    await trio.sleep_forever()
        finally:
            node.store.close()
            node.over.set()

    def change(self, new: Charter) -> None:
        """Another charter is in force, at all nodes."""
        self.charter = new
        self.chain.append(new)

    def work_of(self, node: Node) -> FakeWork:
        return FakeWork(self, node)

    def network_of(self, node: Node) -> MemoryNetwork:
        return MemoryNetwork(self, node)

    def disk_of(self, node: Node) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
        return inline

    def rebuilt(self, job: Job, parts: Mapping[str, bytes]) -> bytes | None:
        return b"the answer" if len(parts) >= 2 else None

    @property
    def any_free(self) -> bool:
        return self.says_free and self.slots.available_tokens > 0

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Run]:
        async with self.slots:
            self.epoch += 1
            try:
                yield Run(lane=0, epoch=self.epoch, number=1)
            except BaseException:
                self.disorder += 1
                raise

    # -- faults ------------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """At once, whatever it is doing; the others notice a little later. May be called by the victim itself."""
        node = self.nodes[name]
        if not node.alive:
            return
        node.alive = False
        self.died[name] = trio.current_time()
        node.scope.cancel()
        self._nursery.start_soon(self._notice, node, "its node ended")

    def sever(self, name: str) -> None:
        """Its messages, and those to it, get lost from now on; itself goes on."""
        node = self.nodes[name]
        if node.cut:
            return
        node.cut = True
        self.died[name] = trio.current_time()
        self._nursery.start_soon(self._notice, node, "nothing was heard of it")

    def join(self, name: str) -> None:
        self.nodes[name].cut = False
        self._meet(self.nodes[name])

    def _meet(self, node: Node) -> None:
        """It is there again, for all others, and they for it."""
        for other in self.nodes.values():
            if other is not node and self.reaches(node, other) and node.alive:
                node.nursery.start_soon(node.jobs.participant.found, self._member(other))
                other.nursery.start_soon(other.jobs.participant.found, self._member(node))

    async def _notice(self, node: Node, reason: str) -> None:
        await trio.sleep(NOTICED)
        for other in self.nodes.values():
            if other is not node and other.alive:
                other.nursery.start_soon(other.jobs.participant.lost, self._member(node), reason)
                if node.alive:
                    node.nursery.start_soon(node.jobs.participant.lost, self._member(other), "nothing was heard of it")

    def reaches(self, sender: Node, receiver: Node) -> bool:
        return receiver.alive and not sender.cut and not receiver.cut

    # -- messages ----------------------------------------------------------------------------------

    async def bring(self, sender: Node, member: Member, message: Any, job: str, within: float | None) -> Any:
        receiver = self.nodes[member.name]
        self.count += 1
        number = self.count
        await trio.sleep(self.far)
        self.log.append((sender.name, receiver.name, type(message).__name__))
        if self.at is not None:
            await self.at(number, "before")
        await trio.lowlevel.checkpoint()
        if not receiver.alive:
            raise PeerUnreachable(member.name, "its node is not up")
        with trio.move_on_after(math.inf if within is None else within):
            await self._until_reached(sender, receiver)
            done, answers = trio.Event(), []

            async def handle() -> None:
                try:
                    answers.append(await self._handled(receiver, self._member(sender), message, job))
                except AccordError as error:
                    answers.append(error)
                finally:
                    done.set()

            receiver.nursery.start_soon(handle)
            await done.wait()
            if self.at is not None:
                await self.at(number, "after")
            await trio.lowlevel.checkpoint()
            if answers:  # else its node ended
                await self._until_reached(sender, receiver)
            if not answers:
                raise PeerUnreachable(member.name, "its node ended, or broke the connection")
            if isinstance(answers[0], AccordError):
                raise PeerRefusedUs(member.name, type(answers[0]).__name__, str(answers[0]))
            return answers[0]
        raise PeerTimedOut(member.name, f"no answer within {within} s")

    async def _until_reached(self, sender: Node, receiver: Node) -> None:
        """As Members does: who is cut off is lost as soon as it is noticed."""
        while not self.reaches(sender, receiver):
            if not receiver.alive:
                raise PeerUnreachable(receiver.name, "its node is not up")
            cut = max(self.died[node.name] for node in (sender, receiver) if node.cut)
            if trio.current_time() >= cut + NOTICED:
                raise PeerUnreachable(receiver.name, "nothing was heard of it")
            await trio.sleep(0.1)

    @staticmethod
    async def _handled(receiver: Node, peer: Member, message: Any, job: str) -> Any:
        jobs = receiver.jobs
        part = jobs.participant
        if isinstance(message, tuple):
            return await jobs.delivery.take_part(peer, job, *message)
        handlers: Mapping[type, Any] = {
            Propose: jobs.propose,
            Reserve: part.reserve,
            Run: part.run,
            Ready: part.ready,
            Prepare: part.prepare,
            Accept: part.accept_ballot,
            Decided: part.decided,
            StateQuery: part.state,
            Abort: part.abort,
            EntriesQuery: lambda peer, job, query: entries_of(receiver.board, query),
            AcceptancesQuery: lambda peer, job, query: kept_acceptances(receiver.board, peer, query),
            AcceptanceQuery: lambda peer, job, query: kept_acceptance(receiver.board, peer, job, query),
        }
        return await handlers[type(message)](peer, job, message)

    def _member(self, node: Node) -> Member:
        return next(m for charter in reversed(self.chain) for m in charter.members if m.name == node.name)

    # -- what tests ask ----------------------------------------------------------------------------

    def job(self, proposer: str = "delta", key: str = "one", **changes: Any) -> Job:
        fields: dict[str, Any] = {
            "charter": self.charter.digest,
            "id": job_id(self.nodes[proposer].identity.fingerprint, key),
            "kind": "count",
            "parameters": {},
            "tables": (("bravo", "patients"), ("delta", "patients")),
            "published": (DIGEST,) * 2,
            "results": ("alfa", "delta"),
            "proposer": self.nodes[proposer].identity.fingerprint,
            "proposed": int(now()),
            "deadline": 600,
            **changes,
        }
        return Job(**fields)

    def states(self, job: str) -> dict[str, State]:
        """At nodes that are alive and know the job."""
        found = {}
        for node in self.nodes.values():
            record = node.store.find(job) if node.alive else None
            if record is not None:
                found[node.name] = record.state
        return found

    def causes(self, job: str) -> dict[str, str]:
        return {n.name: r.cause for n in self.nodes.values() if n.alive and (r := n.store.find(job)) is not None}

    def answers(self, job: str) -> dict[str, bytes]:
        """At result members that are alive and have one."""
        found = {}
        for node in self.nodes.values():
            record = node.store.find(job) if node.alive else None
            if record is not None and record.state is State.RELEASED and node.name in record.job.results:
                answer = node.store.answers.answer(job)
                if answer is not None:
                    found[node.name] = answer
        return found

    async def at_their_end(self, job: str, within: float) -> float:
        """Until every node that is alive and knows the job has it at its end; when that was. Fails after ``within``."""
        with trio.move_on_after(within):
            while True:
                if all(state.terminal for state in self.states(job).values()):
                    return trio.current_time()
                await trio.sleep(0.02)
        raise AssertionError(f"after {within} s: {self.states(job)}, {self.causes(job)}")


async def inline(call: Callable[[], Any]) -> Any:
    await trio.lowlevel.checkpoint()
    return call()
