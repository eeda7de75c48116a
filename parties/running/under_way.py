"""What a node has of its jobs in memory only: runs under way here, what it dealt, votes that came to the coordinator.

None of it outlives the job's end: see ending.Ending.at_its_end.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

__all__ = ["Running", "UnderWay"]


@dataclass(frozen=True, slots=True)
class Running:
    """A run under way: cancel it by ``scope``; ``over`` is set when all of it has ended, its vote or failure kept."""

    scope: trio.CancelScope
    over: trio.Event


class UnderWay:
    """Of one node, by job.

    Attributes:
        running: runs that are not over.
        votes: what the coordinator has, by member.
        dealt: for which of them this member dealt its rows since it started.
    """

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}
        self.votes: dict[str, dict[str, bytes]] = {}
        self.dealt: set[str] = set()

    def keep_vote(self, job_id: str, member: str, vote: bytes) -> None:
        """A member's vote, checked."""
        self.votes.setdefault(job_id, {})[member] = vote

    def votes_of(self, job_id: str) -> dict[str, bytes]:
        """The votes the coordinator has, by member."""
        return self.votes.get(job_id, {})

    def cancel(self, job_id: str) -> None:
        """Stop its run, if there is one."""
        running = self.running.get(job_id)
        if running is not None:
            running.scope.cancel()

    async def stopped(self, job_id: str) -> None:
        """Until the run of this job, if there is one, is over here."""
        running = self.running.get(job_id)
        if running is not None:
            await running.over.wait()
