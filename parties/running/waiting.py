"""Jobs that wait for whoever was lost: what a node does about one of its own accord, and when it is there again.

Such a job stays where it is: before it began as it was accepted, RESERVED once it has begun. Only its deadline, a
person, or who cannot go on with it ends it. The coordinator goes on with it by itself (coordinator.py); what another
node does not hear by itself, as it was not there, it asks when it starts:

1. who proposed a job that has not begun proposes it once more: the coordinator may never have heard of it;
2. everybody else asks the coordinator where the job is. Ended there, it ends here; unknown there, nobody drives it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from mpc.errors import AccordError
from parties.errors import PeerTimedOut, PeerUnreachable
from parties.jobs.job import Job
from parties.jobs.session import State
from parties.planning.job_work import PUBLISHED
from parties.rule_errors import waits_for_person
from parties.running.board import Board
from parties.running.job_records import JobRecord
from parties.wire.messages import Propose, StateQuery

__all__ = ["Waiting", "unbegun", "waits_out"]

_STEP = 10.0  # seconds for a call
_AGAIN = 1.0  # seconds between two

GiveUp = Callable[[Job, str], Awaitable[None]]


def waits_out(job: Job, error: AccordError) -> bool:
    """Whether a call failed for somebody who is lost, and the job waits for that member."""
    return job.on_loss == "wait" and isinstance(error, PeerUnreachable | PeerTimedOut)


def unbegun(state: State) -> bool:
    """Whether nothing of a job in this state was dealt or computed anywhere."""
    return state in (State.PROPOSED, State.ACCEPTED)


class Waiting:
    """Of one node that does not coordinate.

    Args:
        board: its jobs.
        give_up: ends a job here, and tells the others.
    """

    def __init__(self, board: Board, give_up: GiveUp) -> None:
        self._board = board
        self._give_up = give_up

    async def take_up(self, record: JobRecord) -> None:
        """At this node's start: until it is known whether the job goes on, or it is at its end."""
        board, job = self._board, record.job
        tables = (await board.disk(board.store.facts, job.id)).get(PUBLISHED, [])
        while True:
            await board.network.await_there(board.coordinator())
            state = (await board.get(job.id)).state
            if state.terminal:
                return
            try:
                if unbegun(state) and job.proposer == board.identity.fingerprint:
                    ended = await self._proposed(record, tables)
                else:
                    ended = await self._asked(job)
            except (PeerUnreachable, PeerTimedOut):
                await trio.sleep(_AGAIN)
                continue
            except AccordError as error:
                ended = f"{type(error).__name__}: {error}"
            if ended:
                await self._give_up(job, ended)
            return

    async def _proposed(self, record: JobRecord, tables: Sequence[str]) -> str:
        """'' where the coordinator has the job, also if it waits for a person there. Raises what the call does."""
        text = record.job.canonical.decode("ascii")
        message = Propose(job=text, signature=record.proposal.hex(), tables=list(tables))
        try:
            await self._board.network.call(self._board.coordinator(), message, record.job.id, within=_STEP)
        except AccordError as error:
            if not waits_for_person(error):
                raise
        return ""

    async def _asked(self, job: Job) -> str:
        """Why the job does not go on at the coordinator; '' if it does. Raises what the call does."""
        board = self._board
        coordinator = board.coordinator()
        answer = await board.network.call(coordinator, StateQuery(), job.id, within=_STEP)
        if answer.state is None:
            return f"JobUnknown: {coordinator.name}, who coordinates, does not know the job"
        return (answer.cause or f"ended at {coordinator.name}") if answer.state == "ABORTED" else ""
