"""What a person's program asks a node, once for blocking and other clients: patient, bounded, errors as the node's.

Every request may be sent twice: submit carries a key, and all others change nothing the second time. So when a
connection breaks, the node having been there before, it is sent again until ``patience`` is over. A node that is not
there at the first request is an error at once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from parties.asking.client_wire import Wire
from parties.errors import MessageInvalid, NodeAnswerInvalid, NodeTimedOut, NodeUnreachable, StillRunning
from parties.proof.receipt import MOST_RECEIPT
from parties.wire.message_form import Problem, Strict, read_json
from parties.wire.model_messages import Keep, ModelList, OwnModel
from parties.wire.people_messages import (
    Approvals,
    Approve,
    Consortium,
    JobList,
    JobProgress,
    JobView,
    NodeStatus,
    Submit,
)
from parties.wire.quote_messages import MOST_CARD, PlanCard
from parties.wire.told_errors import told_error

__all__ = ["NodeCalls"]

_MOST_VIEW = 64 * 1024
_MOST_LIST = 64 << 20
_MOST_LINE = 16 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds
_SLOWEST = 64 * 1024  # bytes a second, of a large answer

S = TypeVar("S", bound=Strict)
T = TypeVar("T")


class NodeCalls:
    """Asks one node.

    Args:
        wire: the way to it.
        timeout: seconds in which an answer must be there.
        patience: for how many seconds a request is sent again, after the connection broke.
        quiet: how many seconds nothing may come of a job's progress before it is asked for anew.
        most_answer: bytes of a job's answer.

    All methods raise NodeCallFailed, and what the node tells: see told_errors.
    """

    def __init__(self, wire: Wire, *, timeout: float, patience: float, quiet: float, most_answer: int) -> None:
        self.wire = wire
        self._timeout = timeout
        self._patience = patience
        self._quiet = quiet
        self._most_answer = most_answer

    async def status(self) -> NodeStatus:
        """The node."""
        return await self._model(NodeStatus, "GET", "/v1/status", _MOST_LIST)

    async def consortium(self) -> Consortium:
        """What all members publish."""
        return await self._model(Consortium, "GET", "/v1/tables", _MOST_LIST)

    async def jobs(self, most: int, before: int | None) -> JobList:
        """The latest first."""
        older = "" if before is None else f"&before={before}"
        return await self._model(JobList, "GET", f"/v1/jobs?most={most}{older}", _MOST_LIST)

    async def submit(self, asked: Submit) -> JobView:
        """Ask for a job. The same key again is the same job."""
        try:
            content = asked.model_dump_json().encode()
            return await self._model(JobView, "POST", "/v1/jobs", _MOST_VIEW, content=content)
        except (NodeUnreachable, NodeTimedOut) as error:
            if self.wire.proven:
                error.add_note(f"it may have taken the job: ask again with key={asked.key!r}, and it is the same one")
            raise

    async def job(self, job: str) -> JobView:
        """As the node has it."""
        return await self._model(JobView, "GET", f"/v1/jobs/{job}", _MOST_VIEW, job)

    async def cancel(self, job: str) -> JobView:
        """Want it ended."""
        return await self._model(JobView, "POST", f"/v1/jobs/{job}/cancel", _MOST_VIEW, job, content=b"")

    async def approvals(self) -> Approvals:
        """Jobs that wait for a person at the node."""
        return await self._model(Approvals, "GET", "/v1/approvals", _MOST_LIST)

    async def models(self) -> ModelList:
        """The member's own, and what others offer it."""
        return await self._model(ModelList, "GET", "/v1/models", _MOST_LIST)

    async def keep_model(self, asked: Keep) -> OwnModel:
        """The answer of a train job as a model."""
        return await self._model(OwnModel, "POST", "/v1/models", _MOST_LIST, content=asked.model_dump_json().encode())

    async def quote(self, asked: Submit) -> PlanCard:
        """A job's plan card. Nothing is asked for."""
        content = asked.model_dump_json().encode()
        return await self._model(PlanCard, "POST", "/v1/quotes", MOST_CARD, content=content)

    async def approve(self, job: str, approved: bool) -> JobView:
        """Let one go on, or not."""
        content = Approve(approved=approved).model_dump_json().encode()
        return await self._model(JobView, "POST", f"/v1/jobs/{job}/approve", _MOST_VIEW, job, content=content)

    async def answer(self, job: str, within: float = math.inf) -> bytes:
        """A released job's answer, JSON; the node waits for one that is on its way, and this so long at most."""
        return await self._bytes("GET", f"/v1/jobs/{job}/answer", self._most_answer, job, within=within)

    async def receipt(self, job: str, without_result: bool) -> bytes:
        """A released job's receipt, JSON, where its answer is for this node's member."""
        query = "?without_result=true" if without_result else ""
        return await self._bytes("GET", f"/v1/jobs/{job}/receipt{query}", MOST_RECEIPT, job)

    async def progress(
        self, job: str, within: float | None = None, *, ends: bool = False
    ) -> AsyncGenerator[JobProgress, None]:
        """Its lines, each one that differs from the one before, up to the last; asked for anew when the stream breaks.
        ``ends``: the first and the last only.

        Raises StillRunning when it is not over ``within`` so many seconds.
        """
        until = math.inf if within is None else self.wire.clock() + within
        last: JobProgress | None = None
        patience = _Patience(self.wire, self._patience)
        while True:
            heard = False
            try:
                async with contextlib.aclosing(self._lines(job, until, ends)) as lines:
                    async for line in lines:
                        heard = True
                        if line != last:
                            last = line
                            patience.renew()
                            yield line  # to the stream's own end: one cut off loses its connection
                if _is_over(last):
                    return  # if it is released, the answer is here, or goes to other members
                if self.wire.clock() >= until:
                    raise StillRunning(job, within or 0.0)
                raise NodeUnreachable(self.wire.url, "the job's progress broke off")
            except NodeTimedOut:
                if _is_over(last):
                    return
                if self.wire.clock() < until and not heard:
                    raise
                patience.renew()  # the connection stood, and nothing was to be told
            except NodeUnreachable as error:
                if _is_over(last):
                    return
                await patience.bear(error, until)
            if self.wire.clock() >= until:
                raise StillRunning(job, within or 0.0)

    async def result(self, job: str, within: float | None, tell: Callable[[JobProgress], None] | None) -> bytes:
        """Wait for its answer; ``tell`` hears of its progress.

        Raises what it was aborted for; for a released one, why the answer is not here.
        """
        until = math.inf if within is None else self.wire.clock() + within
        last: JobProgress | None = None
        async with contextlib.aclosing(self.progress(job, within, ends=tell is None)) as lines:
            async for last in lines:
                if tell is not None:
                    tell(last)
        if last is not None and last.state == "ABORTED":
            raise told_error(self.wire.url, last.error, last.cause, job)
        while True:
            try:
                return await self.answer(job, max(until - self.wire.clock(), 0.001))
            except NodeTimedOut:  # the answer is on its way from other members; or else the node answers nothing at all
                await self.job(job)
            if self.wire.clock() >= until:
                raise StillRunning(job, within or 0.0)

    # -- how -----------------------------------------------------------------------------------

    async def _model(
        self, model: type[S], method: str, path: str, most: int, job: str = "", content: bytes | None = None
    ) -> S:
        return self._read(model, await self._bytes(method, path, most, job, content))

    async def _bytes(
        self, method: str, path: str, most: int, job: str, content: bytes | None = None, within: float = math.inf
    ) -> bytes:
        wait = min(self._timeout, within)
        return await self._patiently(lambda: self._once(method, path, most, job, content, wait))

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        patience = _Patience(self.wire, self._patience)
        while True:
            try:
                return await attempt()
            except NodeUnreachable as error:
                await patience.bear(error)

    async def _once(self, method: str, path: str, most: int, job: str, content: bytes | None, wait: float) -> bytes:
        reply = await self.wire.open(method, path, content, wait)
        try:
            until = self.wire.clock() + self._timeout
            if reply.status != 200:
                problem = self._read(Problem, await self._all(reply.parts(), _MOST_VIEW, until))
                raise told_error(self.wire.url, problem.error, problem.text, job)
            return await self._all(reply.parts(), most, until)
        finally:
            await reply.close()

    async def _all(self, coming: AsyncGenerator[bytes, None], most: int, until: float) -> bytes:
        """A body of at most so many bytes. While it keeps coming, a large one may take longer than ``until``."""
        parts, size = [], 0
        async with contextlib.aclosing(coming):
            async for part in coming:
                size += len(part)
                if size > most:
                    raise NodeAnswerInvalid(self.wire.url, f"its answer has more than {most} bytes")
                if self.wire.clock() > until + size / _SLOWEST:
                    raise NodeTimedOut(self.wire.url, f"its answer comes too slowly: {size} bytes so far")
                parts.append(part)
        return b"".join(parts)

    async def _lines(self, job: str, until: float, ends: bool) -> AsyncGenerator[JobProgress, None]:
        """Of one stream. Raises NodeUnreachable if it breaks, NodeTimedOut if it is quiet for too long."""
        wait = max(min(self._quiet, until - self.wire.clock()), 0.001)
        reply = await self.wire.open("GET", f"/v1/jobs/{job}/progress{'?ends=true' if ends else ''}", None, wait)
        try:
            if reply.status != 200:
                problem = self._read(
                    Problem, await self._all(reply.parts(), _MOST_VIEW, self.wire.clock() + self._timeout)
                )
                raise told_error(self.wire.url, problem.error, problem.text, job)
            rest = b""
            async with contextlib.aclosing(reply.parts()) as parts:
                async for part in parts:
                    *whole, rest = (rest + part).split(b"\n")
                    if len(rest) > _MOST_LINE:
                        raise NodeAnswerInvalid(self.wire.url, "a line of progress too long to be one")
                    for line in whole:
                        yield self._line(line, job)
                        if self.wire.clock() >= until:
                            return
        finally:
            await reply.close()

    def _line(self, line: bytes, job: str) -> JobProgress:
        """JobProgress; or the error that a Problem tells, which may stand in its place."""
        with contextlib.suppress(MessageInvalid):
            return read_json(JobProgress, line)
        problem = self._read(Problem, line)
        raise told_error(self.wire.url, problem.error, problem.text, job)

    def _read(self, model: type[S], content: bytes) -> S:
        try:
            return read_json(model, content)
        except MessageInvalid as error:
            raise NodeAnswerInvalid(self.wire.url, f"its answer is no {model.__name__}: {error}") from None


class _Patience:
    """Pauses between attempts, ever longer, until it is over. A node that never was there gets none."""

    def __init__(self, wire: Wire, seconds: float) -> None:
        self._wire = wire
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Things went well."""
        self._since: float | None = None
        self._pause = _FIRST_PAUSE

    async def bear(self, error: NodeUnreachable, until: float = math.inf) -> None:
        """Pause, not beyond ``until``; or raise the error."""
        now = self._wire.clock()
        if self._since is None:
            self._since = now
        if not self._wire.proven or now - self._since >= self._seconds:
            raise error
        await self._wire.pause(max(min(self._pause, until - now), 0.0))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def _is_over(line: JobProgress | None) -> bool:
    return line is not None and line.state in ("RELEASED", "ABORTED")
