"""One node's part in every job, its rooms put together: what it answers the others, what it runs, when it gives up.

    step_answers.py      what it answers to proposals and to the coordinator's orders
    job_run.py           a run, from the order to this node's vote
    ballot_answers.py    what it answers to ballots, and to who says what was decided
    ending.py            giving up, ending, what follows from an end
    waiting.py           what became of jobs that wait, asked whoever is there again

What is decided is kept, then the share is given to the result members (delivery.py). session.py has the rules of all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from parties.jobs.job import Job
from parties.planning.job_work import Work
from parties.running.ballot_answers import BallotAnswers
from parties.running.board import Board
from parties.running.ending import Ending
from parties.running.job_run import Runs
from parties.running.settling import Settling
from parties.running.step_answers import StepAnswers
from parties.running.tasks import Tasks
from parties.running.under_way import UnderWay
from parties.running.waiting import Waiting

__all__ = ["Participant"]


class Participant:
    """The jobs of one node. Its methods are those of its rooms.

    Args:
        board: what is kept, and whom it can reach.
        settling: its ballots.
        work: what is done.
        tasks: where runs live.
        released: called when a job is released here.

    Attributes:
        under_way: its runs and votes, in memory.
    """

    def __init__(
        self,
        board: Board,
        settling: Settling,
        work: Work,
        tasks: Tasks,
        released: Callable[[Job], Awaitable[None]],
    ) -> None:
        self.under_way = under_way = UnderWay()
        self.stopped, self.votes = under_way.stopped, under_way.votes_of

        ending = Ending(board, settling, under_way, tasks, released)
        self.abort, self.give_up, self.give_up_or_wait = ending.abort, ending.give_up, ending.give_up_or_wait
        self.lost, self.watch = ending.lost, ending.watch
        self.settle, self.at_its_end = ending.settle, ending.at_its_end

        self.found = Waiting(board, ending.give_up, tasks).found
        runs = Runs(board, ending, under_way, work, tasks)
        self.may_begin = runs.may_begin
        steps = StepAnswers(board, ending, runs, under_way, work)
        self.propose, self.accept, self.reserve = steps.propose, steps.accept, steps.reserve
        self.run, self.ready, self.state = steps.run, steps.ready, steps.state

        ballots = BallotAnswers(board, ending)
        self.prepare, self.accept_ballot, self.decided = ballots.prepare, ballots.accept_ballot, ballots.decided
