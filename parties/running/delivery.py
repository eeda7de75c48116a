"""How an answer reaches those it is for: every compute member gives each result member its share, until it has it.

Shares are on disk before anything is decided, so an answer that was released arrives, whoever was restarted meanwhile.
Who receives them keeps them until enough are there, and rebuilds the answer. Sends: the share, to each result member.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping

import trio

from mpc.errors import AccordError
from parties.errors import IllegalStep, JobRefused, NotReleased, StoreFailed
from parties.jobs.job import Job
from parties.jobs.job_signatures import check_share
from parties.membership.charter import Member
from parties.running.answer_store import MOST_SHARE
from parties.running.board import Board
from parties.running.job_records import JobRecord
from parties.running.tasks import Tasks
from parties.wire.message_form import bytes_of
from parties.wire.messages import StateQuery

__all__ = ["ANSWER", "Delivery"]

ANSWER = "answer"
"""Purpose and name of these shares."""

_WITHIN = 5.0  # seconds in which a sender proves that the job is released
_AGAIN = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds until the next tries with a member that is there and did not take it
_PIECE = 8 << 20  # bytes sent at once

Rebuild = Callable[[Job, Mapping[str, bytes]], bytes | None]
"""The answer from shares by member's name; None: too few of them. Raises AccordError for shares that do not fit."""


class Delivery:
    """Shares out of and into one node.

    Args:
        board: its jobs.
        rebuild: see Rebuild; called in a thread.
        tasks: where deliveries live.
    """

    def __init__(self, board: Board, rebuild: Rebuild, tasks: Tasks) -> None:
        self._board = board
        self._rebuild = rebuild
        self._tasks = tasks
        self._under_way: set[tuple[str, str]] = set()
        self._turns: dict[str, trio.Lock] = {}  # by receiver's name: one share at a time
        self._parts: dict[str, tuple[str, list[bytes]]] = {}  # by sender: the job whose share is half here, its parts

    async def begin(self, job: Job) -> None:
        """Start to deliver a job that is released here."""
        owed = await self._board.disk(self._board.store.answers.undelivered)
        self._start(job.id, owed.get(job.id, []))

    async def resume(self) -> None:
        """Start to deliver all that is still owed: after a restart."""
        for job_id, members in (await self._board.disk(self._board.store.answers.undelivered)).items():
            self._start(job_id, members)

    def _start(self, job_id: str, members: list[str]) -> None:
        named = {member.name: member for member in self._board.charter.members}
        for name in members:
            if name in named and (job_id, name) not in self._under_way:
                self._under_way.add((job_id, name))
                self._tasks.start_soon(self._deliver, job_id, named[name])

    async def _deliver(self, job_id: str, member: Member) -> None:
        board = self._board
        try:
            share = await board.disk(board.store.answers.share, job_id)
            for tries in itertools.count():
                try:
                    if member == board.me:
                        await self.take(member, job_id, share)
                    else:
                        await board.network.await_there(member)
                        async with self._turns.setdefault(member.name, trio.Lock()):
                            await self._send(member, job_id, share)
                    break
                except AccordError:
                    await trio.sleep(_AGAIN[min(tries, len(_AGAIN) - 1)])
            await board.disk(board.store.answers.delivered, job_id, member.name, board.clock())
        finally:
            self._under_way.discard((job_id, member.name))

    async def _send(self, member: Member, job_id: str, share: bytes) -> None:
        parts = [share[at : at + _PIECE] for at in range(0, len(share), _PIECE)] or [b""]
        for part, content in enumerate(parts):
            await self._board.network.send_part(member, job_id, ANSWER, ANSWER, part, content, len(parts))

    async def take_part(self, peer: Member, job_id: str, part: int, parts: int, content: bytes) -> None:
        """A part of a compute member's share; the whole of it is kept on disk when the last one returns.

        Parts come in their order; part 0 begins anew, and lets go of what came of another share of this member's.
        JobRefused for one out of order, or a share too large.
        """
        if parts == 1:
            await self.take(peer, job_id, content)
            return
        await self.check_awaited(peer, job_id)
        begun, kept = self._parts.pop(peer.fingerprint, ("", []))
        if part == 0 or begun != job_id:
            kept = []
        if len(kept) != part or sum(map(len, kept)) + len(content) > MOST_SHARE:
            raise JobRefused(
                f"job {job_id}: a part of a share out of order, or beyond {MOST_SHARE} bytes: begin with part 0"
            )
        kept.append(content)
        if len(kept) == parts:
            await self.take(peer, job_id, b"".join(kept))
        else:
            self._parts[peer.fingerprint] = job_id, kept

    async def take(self, peer: Member, job_id: str, share: bytes) -> None:
        """A compute member's share of an answer for this node. It is kept when this returns.

        Where nobody told this node that the job was released, the sender is asked for the votes that prove it.
        SignatureInvalid, and nothing is kept, if it does not give them all, or the share is another than the one it
        voted with; PeerCallFailed if it cannot be asked;
        JobRefused if the share is not for this node, or from nobody who computes.
        """
        board = self._board
        record = await self.check_awaited(peer, job_id)
        if not record.state.terminal:
            answer = await board.network.call(peer, StateQuery(), job_id, within=_WITHIN)
            with contextlib.suppress(IllegalStep):
                await board.release(record.job, bytes_of(answer.votes), f"told by {peer.name}")
                await self.begin(record.job)  # where this node computes too, others wait for its own
        await board.aside(self._check_voted, record.job, peer.name, share)
        try:
            await self._rebuild_from(
                record.job, await board.disk(board.store.answers.keep_part, job_id, peer.name, share)
            )
        except NotReleased as error:
            raise JobRefused(str(error)) from None

    def _check_voted(self, job: Job, name: str, share: bytes) -> None:
        """SignatureInvalid for another share than the one this member voted with, if its vote is here. Blocks."""
        vote = self._board.store.votes(job.id).get(name)
        if vote is not None:
            check_share(job, name, vote, share)

    async def check_awaited(self, peer: Member, job_id: str) -> JobRecord:
        """The job, if this member's share of its answer is for this node; else JobRefused."""
        board = self._board
        record = await board.find(job_id)
        awaited = record is not None and board.me.name in record.job.results
        if record is None or not awaited or board.index_of(peer.fingerprint, record.job) is None:
            raise JobRefused(f"job {job_id}: no share of {peer.name}'s is awaited at this node")
        return record

    async def _rebuild_from(self, job: Job, parts: Mapping[str, bytes]) -> None:
        """The answer, as soon as enough shares are here. Whose share was not made use of sends it again."""
        board = self._board
        if not parts:  # it is here
            return
        try:
            answer = await board.aside(self._rebuild, job, parts)
            if answer is not None:
                await board.disk(board.store.answers.keep_answer, job.id, answer, board.clock())
                board.wake(job.id)
        except StoreFailed:
            raise
        except AccordError as error:
            await board.disk(board.store.keep_facts, job.id, {"answer": f"{type(error).__name__}: {error}"})
            board.wake(job.id)
