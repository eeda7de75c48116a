"""Jobs that wait for whoever was lost: what a node does about them when somebody is there again.

Such a job stays where it is: before it began as it was accepted, RESERVED once it has begun. Only its deadline, a
person, or who cannot go on with it ends it. The coordinator goes on with it by itself (coordinator.py). What a node did
not hear while one of two was away, it asks who is there again:

1. Who proposed a job that has not begun proposes it to the coordinator once more, which may never have heard of it.
2. Ended there, the job ends here. One that the coordinator does not know nobody drives: it ends too.

Asked about a job: 1 call, to each of its members as often as it was away. Nothing of it is secret.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

import trio

from mpc.errors import AccordError
from parties.errors import ApprovalAwaited, JobRefused, PeerRefusedUs, PeerTimedOut, PeerUnreachable
from parties.jobs.job import Job
from parties.jobs.session import State
from parties.membership.charter import Member
from parties.planning.job_work import PUBLISHED
from parties.running.board import Board
from parties.running.job_records import JobRecord
from parties.running.tasks import Tasks
from parties.wire.messages import Propose, StateAnswer, StateQuery

__all__ = ["Waiting", "unbegun", "until_there", "waits_for_person", "waits_out"]

_STEP = 10.0  # seconds for a call
_AGAIN = 1.0  # seconds between two

GiveUp = Callable[[Job, str], Awaitable[None]]


def waits_out(job: Job, error: AccordError) -> bool:
    """Whether a call failed for somebody who is lost, and the job waits for that member."""
    return job.on_loss == "wait" and isinstance(error, PeerUnreachable | PeerTimedOut)


def waits_for_person(error: AccordError) -> bool:
    """Whether a node says so, this one or another: a person has to approve the job first."""
    told = isinstance(error, PeerRefusedUs) and error.error == ApprovalAwaited.__name__
    return told or isinstance(error, ApprovalAwaited)


def unbegun(state: State) -> bool:
    """Whether nothing of a job in this state was dealt or computed anywhere."""
    return state in (State.PROPOSED, State.ACCEPTED)


async def until_there(board: Board, job: Job, members: Sequence[Member], pause: float) -> None:
    """A moment, and then until these members are there.

    JobRefused where the job came to its end before, at its deadline at the latest (ending.Ending.watch).
    """

    async def all_there() -> bool:
        await trio.sleep(pause)
        for member in members:
            if member != board.me:
                await board.network.await_there(member)
        return True

    if not await board.unless_over(job.id, all_there):
        until = f"{', '.join(member.name for member in members)} went on with it" if members else "a person approved it"
        raise JobRefused(f"job {job.id} ended before {until}")


class Waiting:
    """Of one node.

    Args:
        board: its jobs.
        give_up: ends a job here, and tells the others.
        tasks: where the questions live.
    """

    def __init__(self, board: Board, give_up: GiveUp, tasks: Tasks) -> None:
        self._board = board
        self._give_up = give_up
        self._tasks = tasks
        self._asked: set[tuple[str, str]] = set()  # member and job, while it is asked about

    async def found(self, member: Member) -> None:
        """A member is there, again or for the first time: it is asked about all jobs that wait and have it in them."""
        board = self._board
        for record in await board.disk(board.store.open_jobs):
            key = (member.fingerprint, record.job.id)
            if record.job.on_loss == "wait" and board.takes_part(member, record.job) and key not in self._asked:
                self._asked.add(key)
                self._tasks.start_soon(self._ask, member, record)

    async def _ask(self, member: Member, record: JobRecord) -> None:
        board, job = self._board, record.job
        try:
            while board.network.is_there(member):  # else it will be found again
                state = await board.state(job.id)
                if state is None or state.terminal:
                    return
                with contextlib.suppress(AccordError):  # whatever it is, the member may answer the next time
                    if member == board.coordinator() and job.proposer == board.identity.fingerprint and unbegun(state):
                        tables = (await board.disk(board.store.facts, job.id)).get(PUBLISHED)
                        if tables is None:  # it is being submitted, or will be again
                            return
                        await self._propose(member, record, tables)
                    answer = await board.network.call(member, StateQuery(), job.id, within=_STEP)
                    ended = self._ended(member, answer)
                    if ended:
                        await self._give_up(job, ended)
                    return
                await trio.sleep(_AGAIN)
        finally:
            self._asked.discard((member.fingerprint, job.id))

    async def _propose(self, coordinator: Member, record: JobRecord, tables: Sequence[str]) -> None:
        """Once more. What it answers shows in its state."""
        text = record.job.canonical.decode("ascii")
        message = Propose(job=text, signature=record.proposal.hex(), tables=list(tables))
        with contextlib.suppress(AccordError):
            await self._board.network.call(coordinator, message, record.job.id, within=_STEP)

    def _ended(self, member: Member, answer: StateAnswer) -> str:
        """Why the job does not go on, by what a member says of it; '' if it does."""
        if answer.state == "ABORTED":
            return answer.cause or f"ended at {member.name}"
        if answer.state is None and member == self._board.coordinator():
            return f"JobUnknown: {member.name}, who coordinates, does not know the job"
        return ""
