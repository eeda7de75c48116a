"""A node's answers to other members, each by the part of it that knows: member_api.Handlers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping

import trio

from parties.data.description import describe
from parties.data.published import PublishedTable
from parties.errors import CharterUnknown, JobRefused, LaneInvalid
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.membership.charter_file import write_charter
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import write_signatures
from parties.mesh.lane_keeper import entry_of, offers_of
from parties.mesh.lanes import Lanes
from parties.node.model_offers import ModelOffers
from parties.node.quoting import Quoting
from parties.proof.acceptance_watch import kept_acceptance, kept_acceptances
from parties.proof.head_watch import entries_of
from parties.running.board import Board
from parties.running.delivery import ANSWER
from parties.running.job_node import JobNode
from parties.running.kind_work import part_name
from parties.running.part_files import PartFiles
from parties.wire.lane_messages import Connected, LaneConnect, LanePrepare, Prepared
from parties.wire.log_messages import (
    AcceptanceQuery,
    AcceptancesQuery,
    Entries,
    EntriesQuery,
    KeptAcceptance,
    KeptAcceptances,
)
from parties.wire.meeting import CharterAnswer, Table, Tables
from parties.wire.message_form import Done
from parties.wire.messages import (
    Abort,
    Accept,
    Accepted,
    Accepting,
    Decided,
    Piece,
    Prepare,
    ProgressReport,
    Promise,
    Propose,
    Ready,
    Reserve,
    Run,
    StateAnswer,
    StateQuery,
)
from parties.wire.model_messages import Offers
from parties.wire.quote_messages import Quote, Quoted

__all__ = ["MemberHandlers"]

_OPEN = (State.ACCEPTED, State.RESERVED)
_PIECES = 4  # of one member's, in memory at the same time; others wait


class MemberHandlers:
    """See member_api.Handlers.

    Args:
        board, jobs: the node's jobs.
        charters: what is in force, and was.
        tables: gives what this member publishes; blocks.
        lanes: this node's; None where it does not compute.
        parts: what is dealt to this node.
        progressed: called with what another member says of a job's progress.
        quoting: what its rules say to a job beforehand.
        offers: models that this member offers.
    """

    def __init__(
        self,
        board: Board,
        jobs: JobNode,
        charters: CharterStore,
        tables: Callable[[], Mapping[str, PublishedTable]],
        lanes: Lanes | None,
        parts: PartFiles,
        progressed: Callable[[str, ProgressReport], None],
        quoting: Quoting,
        offers: ModelOffers,
    ) -> None:
        self._board = board
        self._jobs = jobs
        self._charters = charters
        self._tables = tables
        self._lanes = lanes
        self._parts = parts
        self._progressed = progressed
        self._quoting = quoting
        self._offers = offers
        self._reading: dict[str, trio.Semaphore] = {}  # by sender

    async def charter(self, peer: Member, version: int) -> CharterAnswer:
        """A version that is or was in force here."""
        signed = self._charters.bundle().chain
        latest = len(signed)
        if not 0 <= version <= latest:
            raise CharterUnknown(f"version {version} of the charter was never in force here: the latest is {latest}")
        one = signed[(version or latest) - 1]
        return CharterAnswer(
            latest=latest, charter=write_charter(one.charter), signatures=write_signatures(one.signatures).decode()
        )

    async def tables(self, peer: Member) -> Tables:
        """What this member publishes, without what is private of it."""

        def described() -> list[Table]:
            return [Table(name=name, description=json.loads(describe(t))) for name, t in self._tables().items()]

        return Tables(tables=await self._board.aside(described))

    async def models(self, peer: Member) -> Offers:
        """ModelOffers.to."""
        return await self._offers.to(peer)

    # -- lanes -------------------------------------------------------------------------------------

    async def lane_prepare(self, peer: Member, job: str, body: LanePrepare) -> Prepared:
        """Lanes.prepare, for the coordinator."""
        return entry_of(await self._of(peer).prepare(body.lane, body.epoch))

    async def lane_connect(self, peer: Member, job: str, body: LaneConnect) -> Connected:
        """Lanes.connect, for the coordinator."""
        offers = offers_of(body, self._board.charter)
        return Connected(session=await self._of(peer).connect(body.lane, body.epoch, offers))

    def _of(self, peer: Member) -> Lanes:
        if self._lanes is None or peer.fingerprint != self._board.coordinator().fingerprint:
            raise LaneInvalid(
                f"{peer.name} asks for a lane at {self._board.me.name}: the coordinator does, of computers"
            )
        return self._lanes

    # -- jobs --------------------------------------------------------------------------------------

    async def quote(self, peer: Member, job: str, body: Quote) -> Quoted:
        """Quoting.answer."""
        return await self._quoting.answer(peer, job, body)

    async def propose(self, peer: Member, job: str, body: Propose) -> Accepting:
        """JobNode.propose."""
        return await self._jobs.propose(peer, job, body)

    async def reserve(self, peer: Member, job: str, body: Reserve) -> Done:
        """Participant.reserve."""
        return await self._jobs.participant.reserve(peer, job, body)

    async def run(self, peer: Member, job: str, body: Run) -> Done:
        """Participant.run."""
        return await self._jobs.participant.run(peer, job, body)

    async def ready(self, peer: Member, job: str, body: Ready) -> Done:
        """Participant.ready."""
        return await self._jobs.participant.ready(peer, job, body)

    async def prepare(self, peer: Member, job: str, body: Prepare) -> Promise:
        """Participant.prepare."""
        return await self._jobs.participant.prepare(peer, job, body)

    async def accept(self, peer: Member, job: str, body: Accept) -> Accepted:
        """Participant.accept_ballot."""
        return await self._jobs.participant.accept_ballot(peer, job, body)

    async def decided(self, peer: Member, job: str, body: Decided) -> Done:
        """Participant.decided."""
        return await self._jobs.participant.decided(peer, job, body)

    async def state(self, peer: Member, job: str, body: StateQuery) -> StateAnswer:
        """Participant.state."""
        return await self._jobs.participant.state(peer, job, body)

    async def abort(self, peer: Member, job: str, body: Abort) -> Done:
        """Participant.abort; and to the coordinator, whether the job's lane is still good for another. WorkerLost."""
        done = await self._jobs.participant.abort(peer, job, body)
        if body.lane is not None and body.epoch is not None:
            self._of(peer).lane(body.lane, body.epoch)
        return done

    async def progress(self, peer: Member, job: str, body: ProgressReport) -> Done:
        """From the coordinator, for who asked for the job."""
        if peer.fingerprint == self._board.coordinator().fingerprint:
            self._progressed(job, body)
        return Done()

    async def entries(self, peer: Member, job: str, body: EntriesQuery) -> Entries:
        """head_watch.entries_of: digests of this node's log, for any member."""
        return await entries_of(self._board, body)

    async def acceptances(self, peer: Member, job: str, body: AcceptancesQuery) -> KeptAcceptances:
        """acceptance_watch.kept_acceptances."""
        return await kept_acceptances(self._board, peer, body)

    async def acceptance(self, peer: Member, job: str, body: AcceptanceQuery) -> KeptAcceptance:
        """acceptance_watch.kept_acceptance."""
        return await kept_acceptance(self._board, peer, job, body)

    # -- shares ------------------------------------------------------------------------------------

    async def piece(self, peer: Member, job: str, piece: Piece, content: AsyncIterator[bytes]) -> Done:
        """Of an answer for this node, or of a table that its owner deals."""
        async with self._reading.setdefault(peer.fingerprint, trio.Semaphore(_PIECES)):
            if piece.purpose == ANSWER:
                await self._jobs.delivery.check_awaited(peer, job)
            else:
                await self._check_dealer(peer, job, piece)
            whole = b"".join([part async for part in content])
            if piece.purpose == ANSWER:
                await self._jobs.delivery.take_part(peer, job, piece.part, piece.parts, whole)
            else:
                await trio.to_thread.run_sync(self._parts.put, job, piece.name, piece.part, whole)
        return Done()

    async def _check_dealer(self, peer: Member, job: str, piece: Piece) -> None:
        board = self._board
        record = await board.find(job)
        if record is None or record.state not in _OPEN or board.index is None:
            raise JobRefused(f"job {job}: nothing is dealt to {board.me.name} for it now")
        names = [part_name(place) for place, (owner, _) in enumerate(record.job.tables) if owner == peer.name]
        if piece.name not in names or board.index_of(peer.fingerprint) is not None:
            raise JobRefused(f"job {job}: {peer.name} deals no {piece.name} for it")
