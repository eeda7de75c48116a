"""A member's node: everything put together, as one tree of trio tasks under one parent. ``accord serve`` runs it.

    members' server    people's server    the watch of each member    lanes, each worker    jobs, deliveries    the leaf

Whatever ends, ends the tasks below it; what a task cannot mend ends the node, with its error. A worker's crash costs
its lane. A disk that does not keep what is written to it ends the node: it can keep no promise.
"""

from __future__ import annotations

import functools
import logging
import socket
import time
from collections.abc import Mapping
from importlib import metadata

import trio

from parties.calls.member_api import member_api
from parties.calls.members import Members
from parties.calls.people_api import people_api
from parties.consent.rulebook import Rulebook
from parties.consent.rules import Rules
from parties.data.published import PublishedTable
from parties.data.table_source import load_engine
from parties.data.tables_file import load_tables
from parties.errors import NotAMember
from parties.jobs.job import Job, coordinator
from parties.keys.identity import Identity
from parties.keys.leaf import Leaf, utc_now
from parties.keys.store_key import store_key
from parties.membership.charter import Charter, Member
from parties.membership.charter_store import CharterStore
from parties.membership.peers import Peers, People
from parties.mesh.lane_keeper import LaneKeeper
from parties.mesh.lanes import Lanes, free_listener
from parties.models.model_assets import ModelAssets
from parties.node.catalogue import Catalogue
from parties.node.charter_follower import CharterFollower
from parties.node.door import Door
from parties.node.member_handlers import MemberHandlers
from parties.node.model_offers import ModelOffers
from parties.node.people_handlers import PeopleHandlers
from parties.node.quoting import Quoting
from parties.node.upkeep import drop_parts, forget
from parties.planning.costs import load_costs
from parties.planning.job_plans import Plans
from parties.planning.job_work import PUBLISHED
from parties.proof.head_watch import HeadWatch
from parties.proof.receipts import Receipts
from parties.running.board import Board
from parties.running.checkpoint_files import CheckpointFiles
from parties.running.job_node import JobNode
from parties.running.job_store import JobStore
from parties.running.kind_work import KindWork
from parties.running.part_files import PartFiles
from parties.running.progress_board import ProgressBoard
from parties.running.progress_teller import ProgressTeller
from parties.running.tasks import Tasks
from parties.setup.home import Home
from parties.setup.settings import NodeSettings
from parties.setup.software import software_digest
from parties.wire.envelope import ReplayGuard

__all__ = ["Daemon", "part_of"]

_LEAF = 3600.0  # seconds between looks whether the certificate is to be made anew
_SILENCE = 60.0  # seconds of a peer's silence that a worker bears; the daemons know sooner
_log = logging.getLogger("accord.node")


class Daemon:
    """One node, from its start to its end.

    Args:
        home: where it keeps its things.
        identity: this member's.
        settings: its own.
        sockets: listening already, for members and for people, in place of binding what the settings say.

    Attributes:
        anew: a charter came in force that gives this member another part, so another node has to take this one's place.

    Raises, when it is made, what the charter store raises, and NotAMember if the charter does not name this identity.
    """

    def __init__(
        self,
        home: Home,
        identity: Identity,
        settings: NodeSettings,
        sockets: tuple[socket.socket, socket.socket] | None = None,
    ) -> None:
        self.home = home
        self.identity = identity
        self.settings = settings
        self.charters = CharterStore(home)
        self._sockets = sockets
        self._release = metadata.version("accord")
        self._software = software_digest()
        self._leaf = Leaf(identity)
        self._guard = ReplayGuard()
        self._stop = trio.Event()
        self._known = self.charter
        self.anew = False
        me = self.charter.by_fingerprint.get(identity.fingerprint)
        if me is None:
            raise NotAMember(
                f"version {self.charter.version} of the charter does not name this identity, "
                f"{identity.fingerprint[:16]}...: join first, or give another home"
            )
        self.me: Member = me

    @property
    def charter(self) -> Charter:
        """In force."""
        return self.charters.current

    def stop(self) -> None:
        """End in good order, and for good. From this process's event loop, a signal say."""
        self.anew = False
        self._stop.set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until :meth:`stop`. Raises StoreFailed when the disk fails, AddressTaken."""
        peers = Peers(self.identity.fingerprint, lambda: self.charters.chain)
        with JobStore(
            self.home.jobs, store_key(self.identity, "jobs"), self.identity.fingerprint, self.settings.most_jobs
        ) as store:
            async with trio.open_nursery() as nursery:
                await self._assemble(nursery, peers, store)
                task_status.started()
                _log.info("%s serves %s", self.me.name, self.charter.consortium)
                await self._until_over()
                nursery.cancel_scope.cancel()
        if self._board.failure is not None:
            raise self._board.failure

    async def _until_over(self) -> None:
        """Until it is to stop, or the disk failed. Servers finish what is under way."""
        async with trio.open_nursery() as nursery:

            async def either(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(either, self._stop)
            nursery.start_soon(either, self._board.failed)
        for door in (self._members_door, self._people_door):
            door.shut()
        with trio.move_on_after(2.0):
            await self._members_door.until_shut()
            await self._people_door.until_shut()

    # -- putting it together -----------------------------------------------------------------------

    async def _assemble(self, nursery: trio.Nursery, peers: Peers, store: JobStore) -> None:
        computes = "compute" in self.me.roles
        plans = Plans(lambda: self.charters.chain)
        members = Members(
            self.identity.fingerprint,
            peers,
            self._leaf,
            self.settings.silence,
            self._lost,
            self._found,
            outdated=self._outdated,
        )
        self._follower = CharterFollower(self.charters, members, self._agreed)
        board = self._board = Board(
            self.identity,
            lambda: self.charter,
            store,
            members,
            time.time,
            chain=lambda: self.charters.chain,
            software=self._software,
        )
        rulebook = Rulebook(self.home, self.identity.public, lambda: self.charters.chain, store.in_force, time.time)
        await board.disk(rulebook.note, self._software)
        parts = await board.aside(
            PartFiles, self.home.parts, store_key(self.identity, "parts"), self.settings.most_dealt_bytes
        )
        lanes = self._make_lanes() if computes else None
        keeper = None
        if lanes is not None and board.coordinates:
            keeper = LaneKeeper(
                self.identity.fingerprint,
                lambda: self.charter,
                lanes,
                members,
                self.settings.lanes,
                self.settings.start_deadline,
            )
        tasks, progress = Tasks(nursery), ProgressBoard(board.wake)
        teller = ProgressTeller(board, progress, tasks)
        models = ModelAssets(self.home.models, rulebook.models)
        rules = Rules(lambda: board.me, plans, self._tables, rulebook.policies, store.ledger, time.time, models)
        work = KindWork(
            board,
            plans,
            rules,
            self._tables,
            parts,
            CheckpointFiles(self.home.parts),
            models,
            lanes,
            teller.worker,
        )

        def rebuild(job: Job, shares: Mapping[str, bytes]) -> bytes | None:
            return plans.answer(job, store.facts(job.id)[PUBLISHED], shares)

        self._jobs = JobNode(board, work, rebuild, keeper, tasks)
        self._tasks = tasks
        offers = ModelOffers(board, members, plans, models)
        catalogue = Catalogue(board, members, self._tables, offers)
        costs = load_costs(self.settings.rtt / 1000, members.round_trip)
        quoting = Quoting(board, catalogue, plans, rules, costs.cost)
        handlers = MemberHandlers(
            board, self._jobs, self.charters, self._tables, lanes, parts, progress.member, quoting, offers
        )
        people = People(self._people)
        asked = PeopleHandlers(
            board,
            self._jobs,
            members,
            Receipts(board, lambda: self.charters.signed_chain),
            progress,
            catalogue,
            quoting,
            offers,
            lambda: 0 if lanes is None else lanes.ready,
            self._release,
        )
        api = member_api(
            handlers, peers, self._guard, self._release, beat=self.settings.heartbeat, farthest=members.farthest
        )
        for_members, for_people = (None, None) if self._sockets is None else self._sockets
        self._members_door = Door(
            "members", self.settings.bind, "bind", api, self._other_keys, peers.admit, self._leaf, for_members
        )
        self._people_door = Door(
            "people",
            self.settings.people_address,
            "people_address",
            people_api(asked, people, self._release),
            lambda: self._people().values(),
            people.admit,
            self._leaf,
            for_people,
        )
        await board.aside(load_engine)  # now, not while others wait for a sign of life
        if lanes is not None:
            await nursery.start(lanes.attend)
        await self._members_door.open(nursery)
        await self._people_door.open(nursery)
        await self._jobs.recover()
        await nursery.start(members.attend)
        if keeper is not None:
            nursery.start_soon(keeper.attend)
        self._members, self._lanes = members, lanes
        nursery.start_soon(self._follower.attend)
        nursery.start_soon(self._renew)
        nursery.start_soon(drop_parts, parts, board)
        tasks.start_soon(forget, board, self.settings.most_answer_days)
        tasks.start_soon(HeadWatch(board).attend)

    def _make_lanes(self) -> Lanes:
        settings = self.settings
        ports = [0] if settings.worker_ports is None else list(settings.worker_ports)
        bind = "" if settings.bind.host == "*" else settings.bind.host
        return Lanes(
            self.identity.fingerprint,
            lambda: self.charter,
            lambda: self._leaf.current,
            functools.partial(free_listener, bind, ports),
            settings.lanes,
            {
                "start_deadline": settings.start_deadline,
                "heartbeat": 0.5,
                "silence": _SILENCE,
                "rtt": settings.rtt,
                "farewell_deadline": 2.0,
            },
            utc_now,
            settings.silence,
        )

    # -- what changes meanwhile --------------------------------------------------------------------

    def _lost(self, member: Member, reason: str) -> None:
        _log.warning("%s is lost: %s", member.name, reason)
        self._tasks.start_soon(self._jobs.participant.lost, member, reason)

    def _found(self, member: Member) -> None:
        self._tasks.start_soon(self._jobs.participant.found, member)

    def _outdated(self) -> None:
        self._follower.refused()

    def _agreed(self, charter: Charter) -> None:
        """Another charter is in force: whoever is no member any more is let go, jobs under the old one end."""
        _log.warning("version %d of the charter is in force", charter.version)
        me = charter.by_fingerprint.get(self.identity.fingerprint)
        if me is None or part_of(me, charter) != part_of(self.me, self._known):
            _log.warning("this member's part in it is another one: the node is put together anew")
            self.anew = not self._stop.is_set()
            self._stop.set()
            return
        self.me, self._known = me, charter
        self._members_door.renew()
        self._members.renew()
        if self._lanes is not None:
            self._lanes.drop_all("another charter is in force")
        self._tasks.start_soon(self._note_charter)
        self._tasks.start_soon(self._jobs.end_those_of_another_charter)

    async def _note_charter(self) -> None:
        board = self._board
        await board.disk(board.store.in_force.charters, self.charters.chain, board.clock())

    async def _renew(self) -> None:
        """A new certificate in time, for connections that are made from then on."""
        used = self._leaf.current
        while True:
            await trio.sleep(_LEAF)
            if self._leaf.current is not used:
                used = self._leaf.current
                self._members_door.renew()
                self._people_door.renew()

    def _tables(self) -> dict[str, PublishedTable]:
        """As they are published now: `accord publish` changes the file while the node runs."""
        return load_tables(self.home.directory)

    def _people(self) -> dict[str, bytes]:
        """Who may talk to this node: whom the settings name, and whoever has its own key."""
        return {**self.settings.people, self.me.name: self.identity.public}

    def _other_keys(self) -> list[bytes]:
        return [member.key for member in self.charter.members if member.fingerprint != self.identity.fingerprint]


def part_of(member: Member, charter: Charter) -> tuple[bool, bool, str | None]:
    """What a node is put together for: whether its member computes, whether it coordinates, and its address."""
    return "compute" in member.roles, member == coordinator(charter), member.address
