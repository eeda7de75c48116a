"""A node's answers to its own people: people_api.PeopleHandlers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping

import trio

from mpc.errors import AccordError
from parties.board import Board
from parties.charter import Member
from parties.description import describe, read_description
from parties.errors import JobRefused, NotReleased
from parties.job import Job, job_id
from parties.job_node import JobNode
from parties.job_records import JobRecord
from parties.meeting import Table
from parties.members import Members
from parties.people_messages import (
    Approval,
    Approvals,
    Consortium,
    JobList,
    JobProgress,
    JobView,
    MemberTables,
    MemberView,
    NodeStatus,
    Submit,
)
from parties.progress_board import ProgressBoard
from parties.published import PublishedTable
from parties.session import State

__all__ = ["PeopleHandlers"]

_KNOWN = 5.0  # seconds for which what another member publishes counts as known
_ASK = 5.0


class PeopleHandlers:
    """See people_api.PeopleHandlers.

    Args:
        board, jobs, members: of the node.
        progress: how far jobs are.
        tables: gives what this member publishes; blocks.
        lanes: gives how many lanes are connected.
        release: of Accord.
    """

    def __init__(
        self,
        board: Board,
        jobs: JobNode,
        members: Members,
        progress: ProgressBoard,
        tables: Callable[[], Mapping[str, PublishedTable]],
        lanes: Callable[[], int],
        release: str,
    ) -> None:
        self._board = board
        self._jobs = jobs
        self._members = members
        self._progress = progress
        self._tables = tables
        self._lanes = lanes
        self._release = release
        self._started = board.clock()
        self._known: dict[str, tuple[float, list[Table]]] = {}

    async def submit(self, person: str, asked: Submit) -> JobView:
        """Make it a job."""
        board = self._board
        tables = tuple((choice.member, choice.table) for choice in asked.tables)
        id_ = job_id(board.identity.fingerprint, asked.key)
        kept = await board.find(id_)
        texts = [] if kept is not None else [await self._described(member, name) for member, name in tables]
        job = Job(
            charter=board.charter.digest,
            id=id_,
            kind=asked.kind,
            parameters=asked.parameters,
            tables=tables,
            published=kept.job.published if kept is not None else tuple(_digest(text) for text in texts),
            results=tuple(asked.results),
            proposer=board.identity.fingerprint,
            proposed=int(board.clock()),
            deadline=asked.deadline,
            on_loss=asked.on_loss,
            analyst=person,
            purpose=asked.purpose,
        )
        return await self._view(await self._jobs.submit(job, texts))

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
        waiting = await self._board.disk(self._board.store.approvals.waiting)
        return Approvals(waiting=[Approval(job=w.job, since=w.since, why=w.why, asks=w.told) for w in waiting])

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
        board = self._board
        record = await board.get(job)
        if board.me.name not in record.job.results:
            raise JobRefused(f"job {job}: its answer is for {', '.join(record.job.results)}, not for {board.me.name}")
        while True:
            news = board.news(job)
            answer = await board.disk(board.store.answers.answer, job)
            if answer is not None:
                return answer
            fault = (await board.disk(board.store.facts, job)).get("answer")
            if fault is not None:
                raise NotReleased(f"job {job}: {fault}")
            await news.wait()

    async def tables(self, person: str) -> Consortium:
        """What all members publish."""
        found: dict[str, MemberTables] = {}

        async def one(member: Member) -> None:
            try:
                found[member.name] = MemberTables(member=member.name, tables=await self._published(member, 0.0))
            except AccordError as error:
                known = self._known.get(member.name, (0.0, []))[1]
                found[member.name] = MemberTables(member=member.name, tables=known, error=str(error))

        async with trio.open_nursery() as nursery:
            for member in self._board.charter.members:
                nursery.start_soon(one, member)
        return Consortium(members=[found[name] for name in sorted(found)])

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
        )

    # -- how ---------------------------------------------------------------------------------------

    async def _published(self, member: Member, known: float) -> list[Table]:
        board = self._board
        if member == board.me:
            return await board.aside(self._mine)
        at, tables = self._known.get(member.name, (-1e9, []))
        if trio.current_time() - at > known:
            tables = list((await self._members.client(member).tables(within=_ASK)).tables)
            self._known[member.name] = trio.current_time(), tables
        return tables

    def _mine(self) -> list[Table]:
        return [Table(name=name, description=json.loads(describe(table))) for name, table in self._tables().items()]

    async def _described(self, owner: str, name: str) -> str:
        """What is published of a table, in its canonical form. Raises JobRefused, PeerCallFailed, TableInvalid."""
        members = {member.name: member for member in self._board.charter.members}
        if owner not in members:
            raise JobRefused(f"{owner} is no member; there are {', '.join(members)}")
        tables: list[Table] = []
        for known in (_KNOWN, 0.0):
            tables = await self._published(members[owner], known)
            for table in tables:
                if table.name == name:
                    return describe(read_description(json.dumps(table.description).encode("ascii"))).decode("ascii")
        there = ", ".join(table.name for table in tables) or "none"
        raise JobRefused(f"{owner} publishes no table {name!r}; there are: {there}")

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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
