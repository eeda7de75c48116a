"""A node's answers to its own people: people_api.PeopleHandlers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from parties.calls.members import Members
from parties.errors import JobRefused, NotReleased
from parties.jobs.session import State
from parties.node.approval_view import waiting_jobs
from parties.node.asked_job import answered_before, asked_job
from parties.node.catalogue import Catalogue
from parties.node.model_offers import ModelOffers
from parties.node.quoting import Quoting
from parties.proof.receipts import Receipts
from parties.running.board import Board
from parties.running.head_store import Fork
from parties.running.job_node import JobNode
from parties.running.job_records import JobRecord
from parties.running.progress_board import ProgressBoard
from parties.wire.model_messages import Keep, ModelList, OwnModel
from parties.wire.people_messages import (
    Approvals,
    Consortium,
    ForkView,
    JobList,
    JobProgress,
    JobView,
    MemberView,
    NodeStatus,
    Submit,
)
from parties.wire.quote_messages import PlanCard

__all__ = ["PeopleHandlers"]


class PeopleHandlers:
    """See people_api.PeopleHandlers.

    Args:
        board, jobs, members: of the node.
        receipts: makes them.
        progress: how far jobs are.
        catalogue: of what members publish.
        quoting: what jobs would cost.
        offers: models, its own and others'.
        lanes: gives how many lanes are connected.
        release: of Accord.
    """

    def __init__(
        self,
        board: Board,
        jobs: JobNode,
        members: Members,
        receipts: Receipts,
        progress: ProgressBoard,
        catalogue: Catalogue,
        quoting: Quoting,
        offers: ModelOffers,
        lanes: Callable[[], int],
        release: str,
    ) -> None:
        self._board = board
        self._jobs = jobs
        self._members = members
        self._receipts = receipts
        self._progress = progress
        self._catalogue = catalogue
        self._quoting = quoting
        self._offers = offers
        self._lanes = lanes
        self._release = release
        self._started = board.clock()

    async def submit(self, person: str, asked: Submit) -> JobView:
        """Make it a job; or give the one by which an identical question was answered."""
        board = self._board
        job, texts = await asked_job(board, self._catalogue, person, asked)
        if not asked.fresh and await board.find(job.id) is None:
            same = await answered_before(board, job)
            if same is not None:
                view = await self._view(await board.get(same))
                return view.model_copy(update={"replayed": True})
        return await self._view(await self._jobs.submit(job, texts))

    async def quote(self, person: str, asked: Submit) -> PlanCard:
        """Quoting.quote."""
        return await self._quoting.quote(person, asked)

    async def jobs(self, person: str, most: int, before: int | None) -> JobList:
        """The latest first."""
        board = self._board
        records = await board.disk(board.store.jobs, most, before)
        views = [await self._view(record) for record in records]
        return JobList(jobs=views, before=records[-1].number if len(records) == most else None)

    async def job(self, person: str, job: str) -> JobView:
        """One."""
        return await self._view(await self._board.get(job))

    async def cancel(self, person: str, job: str) -> JobView:
        """Want it ended."""
        return await self._view(await self._jobs.cancel(job, person))

    async def approvals(self, person: str) -> Approvals:
        """Those that wait, the oldest first."""
        return await self._board.disk(waiting_jobs, self._board.store)

    async def approve(self, person: str, job: str, approved: bool) -> JobView:
        """Let it go on, or deny it."""
        return await self._view(await self._jobs.approve(job, approved, person))

    async def progress(self, person: str, job: str, ends: bool = False) -> AsyncGenerator[JobProgress, None]:
        """A line at once, and with every change; or with the last one only."""
        told = False
        while True:
            news = self._board.news(job)
            line = await self._line(await self._board.get(job))
            over = line.state == "ABORTED" or (line.state == "RELEASED" and (line.answer or not await self._comes(job)))
            if over or not (told and ends):
                told = True
                yield line
            if over:
                return
            await news.wait()

    async def answer(self, person: str, job: str) -> bytes:
        """JSON; waits for a released one that is on its way."""
        await self._arrived(job)
        answer = await self._board.disk(self._board.store.answers.answer, job)
        assert answer is not None
        return answer

    async def receipt(self, person: str, job: str, without_result: bool) -> bytes:
        """See receipts.py; waits for the answer of a released one that is on its way."""
        if not (await self._board.disk(self._board.store.get, job)).purged:
            await self._arrived(job)
        return await self._receipts.receipt(job, without_result)

    async def tables(self, person: str) -> Consortium:
        """What all members publish."""
        return await self._catalogue.all()

    async def models(self, person: str) -> ModelList:
        """ModelOffers.all."""
        return await self._offers.all()

    async def keep_model(self, person: str, asked: Keep) -> OwnModel:
        """ModelOffers.keep."""
        return await self._offers.keep(asked.job, asked.name)

    async def status(self, person: str) -> NodeStatus:
        """This node."""
        board = self._board
        now = board.clock()
        views = [
            MemberView(
                member=member.name,
                up=member == board.me or self._members.is_there(member),
                since=self._members.since(member) or self._started,
                cause=self._members.why(member)[:2000],
            )
            for member in board.charter.members
        ]
        return NodeStatus(
            member=board.me.name,
            fingerprint=board.identity.fingerprint,
            release=self._release,
            consortium=board.charter.consortium,
            charter=board.charter.digest,
            version=board.charter.version,
            time=now,
            started=self._started,
            lanes=self._lanes(),
            open_jobs=len(await board.disk(board.store.open_jobs)),
            members=views,
            forked=[_fork(fork) for fork in (await board.disk(board.store.heads.forks))[-1000:]],
        )

    # -- how ---------------------------------------------------------------------------------------

    async def _arrived(self, job: str) -> None:
        """Wait until the answer of a released job is here. JobRefused where it is for others, NotReleased."""
        board = self._board
        record = await board.get(job)
        if board.me.name not in record.job.results:
            raise JobRefused(f"job {job}: its answer is for {', '.join(record.job.results)}, not for {board.me.name}")
        while True:
            news = board.news(job)
            if await board.disk(board.store.answers.is_here, job):
                return
            fault = (await board.disk(board.store.facts, job)).get("answer")
            if fault is not None:
                raise NotReleased(f"job {job}: {fault}")
            await news.wait()

    async def _comes(self, job: str) -> bool:
        """Whether an answer that is not here may still come: it is for this member, and its shares fit together."""
        board = self._board
        record = await board.get(job)
        return board.me.name in record.job.results and "answer" not in await board.disk(board.store.facts, job)

    async def _has_answer(self, record: JobRecord) -> bool:
        if record.state is not State.RELEASED or record.purged:
            return False
        return await self._board.disk(self._board.store.answers.has_answer, record.job.id)

    async def _view(self, record: JobRecord) -> JobView:
        job = record.job
        proposer = self._board.charter.by_fingerprint.get(job.proposer)
        error, cause = error_of(record)
        return JobView(
            job=job.id,
            kind=job.kind,
            state=record.state.value,
            proposer="" if proposer is None else proposer.name,
            by=job.analyst,
            purpose=job.purpose,
            proposed=float(job.proposed),
            changed=record.changed,
            deadline=job.deadline,
            error=error,
            cause=cause,
            answer=await self._has_answer(record),
        )

    async def _line(self, record: JobRecord) -> JobProgress:
        error, cause = error_of(record)
        done = self._progress.of(record.job.id)
        runs = record.state is State.RESERVED and done.operation and not record.standing.computes
        return JobProgress(
            state=State.RUNNING.value if runs else record.state.value,
            operation=done.operation,
            rounds=done.rounds,
            sent=done.sent,
            fraction=done.fraction,
            error=error,
            cause=cause,
            answer=await self._has_answer(record),
        )


def error_of(record: JobRecord) -> tuple[str, str]:
    """(class of the error, text) of a job that was aborted; ('', '') of others."""
    if record.state is not State.ABORTED:
        return "", ""
    name, colon, text = record.cause.partition(": ")
    if colon and name.isidentifier() and name.isascii():
        return name[:64], text[:2000]
    return "JobAborted", record.cause[:2000]


def _fork(fork: Fork) -> ForkView:
    heads = (fork.one, fork.other)
    return ForkView(
        member=fork.member,
        found=fork.at,
        entries=[head.number for head in heads],
        digests=[head.digest for head in heads],
    )
