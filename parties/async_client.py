"""The client of client.py for programs on trio and on asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from parties.asking.client_common import (
    MOST_ANSWER,
    Progress,
    check_id,
    keeping,
    made,
    open_calls,
    parted,
    quoted,
    watched,
)
from parties.asking.client_questions import Questions
from parties.asking.client_wire import AsyncWire
from parties.asking.node_calls import NodeCalls
from parties.asking.plan_card import Card
from parties.asking.questions import DEADLINE, Question, submission
from parties.keys.identity import Identity
from parties.models.fitted import FittedLogistic
from parties.planning.results import frame_of_jobs, frame_of_models, frame_of_tables, model_of
from parties.wire.model_messages import ModelList, OwnModel
from parties.wire.people_messages import Approvals, Consortium, JobList, JobProgress, JobView, NodeStatus

__all__ = ["AsyncClient", "AsyncJobHandle"]


class AsyncClient(Questions[Awaitable[pd.DataFrame], Awaitable[FittedLogistic]]):
    """As Client, for programs on trio and on asyncio. Close it by ``aclose``, or use it in an ``async with``."""

    def __init__(
        self,
        url: str,
        identity: Identity | str | Path,
        node: str | bytes | None = None,
        *,
        passphrase: bytes | None = None,
        timeout: float = 30.0,
        patience: float = 30.0,
        connect: float = 5.0,
        most_answer: int = MOST_ANSWER,
    ) -> None:
        self._calls = open_calls(
            AsyncWire, url, identity, node, passphrase,
            timeout=timeout, patience=patience, connect=connect, most_answer=most_answer,
        )  # fmt: skip
        self._member = ""

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncClient of the node at {self._calls.wire.url}>"

    async def aclose(self) -> None:
        """As Client.close."""
        await self._calls.wire.aclose()

    async def status(self) -> NodeStatus:
        """As Client.status."""
        return await self._calls.status()

    async def consortium(self) -> Consortium:
        """As Client.consortium."""
        return await self._calls.consortium()

    async def tables(self) -> pd.DataFrame:
        """As Client.tables."""
        return frame_of_tables(await self.consortium())

    async def model_list(self) -> ModelList:
        """As Client.model_list."""
        return await self._calls.models()

    async def models(self) -> pd.DataFrame:
        """As Client.models."""
        return frame_of_models(await self.model_list())

    async def model(self, name: str) -> FittedLogistic:
        """As Client.model."""
        return model_of(await self.model_list(), name)

    async def keep_model(self, job: str, name: str) -> OwnModel:
        """As Client.keep_model."""
        return await self._calls.keep_model(keeping(job, name))

    async def job_list(self, most: int = 100, before: int | None = None) -> JobList:
        """As Client.job_list."""
        return await self._calls.jobs(most, before)

    async def approvals(self) -> Approvals:
        """As Client.approvals."""
        return await self._calls.approvals()

    async def approve(self, job: str, approved: bool = True) -> JobView:
        """As Client.approve."""
        return await self._calls.approve(job, approved)

    async def jobs(self, most: int = 100) -> pd.DataFrame:
        """As Client.jobs."""
        return frame_of_jobs(await self.job_list(most))

    def job(self, id: str) -> AsyncJobHandle:
        """As Client.job; nobody is asked yet."""
        return AsyncJobHandle(self._calls, id)

    async def submit(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        tables: Sequence[str] = (),
        results: Sequence[str] | None = None,
        *,
        deadline: int = DEADLINE,
        on_loss: str = "abort",
        key: str | None = None,
        purpose: str = "",
        fresh: bool = False,
    ) -> AsyncJobHandle:
        """As Client.submit."""
        asked = submission(kind, parameters, tables, results or ["x"], deadline, on_loss, key, purpose, fresh)
        if results is None:
            asked = asked.model_copy(update={"results": [await self._own_name()]})
        view = await self._calls.submit(asked)
        return AsyncJobHandle(self._calls, view.job, kind, view.replayed)

    async def quote(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        tables: Sequence[str] = (),
        results: Sequence[str] | None = None,
        *,
        deadline: int = DEADLINE,
        on_loss: str = "abort",
        purpose: str = "",
    ) -> Card:
        """As Client.quote."""
        results = results or [await self._own_name()]
        asked = submission(kind, parameters, tables, results, deadline, on_loss, None, purpose)
        return Card(await self._calls.quote(asked))

    @property
    def cards(self) -> AsyncCards:
        """As Client.cards; each is awaited."""
        return AsyncCards(self)

    async def _own_name(self) -> str:
        self._member = self._member or (await self.status()).member
        return self._member

    async def _ask(self, question: Question, how: Mapping[str, Any]) -> Any:
        waiting, submitting = parted(how)
        submitting.setdefault("results", question.results)
        handle = await self.submit(question.kind, question.parameters, question.tables, **submitting)
        return await handle.result(**waiting)


class AsyncCards(Questions[Awaitable[Card], Awaitable[Card]]):
    """AsyncClient.cards."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def _ask(self, question: Question, how: Mapping[str, Any]) -> Card:
        asking = quoted(question, how)
        return await self._client.quote(question.kind, question.parameters, question.tables, **asking)


class AsyncJobHandle:
    """As JobHandle."""

    def __init__(self, calls: NodeCalls, id: str, kind: str = "", replayed: bool = False) -> None:
        self.id = check_id(id)
        self._calls = calls
        self._kind = kind
        self.replayed = replayed

    def __repr__(self) -> str:
        return f"<AsyncJobHandle {self.id}>"

    async def view(self) -> JobView:
        """As JobHandle.view."""
        return await self._calls.job(self.id)

    async def state(self) -> str:
        """As JobHandle.state."""
        return (await self.view()).state

    def progress(self) -> AsyncGenerator[JobProgress, None]:
        """As JobHandle.progress. Put it in a contextlib.aclosing if you may leave it before its end."""
        return self._calls.progress(self.id)

    async def cancel(self) -> JobView:
        """As JobHandle.cancel."""
        return await self._calls.cancel(self.id)

    async def result(self, timeout: float | None = None, progress: Progress = True) -> Any:  # noqa: ASYNC109
        """As JobHandle.result; cancelled, the job goes on too."""
        with watched(self.id, progress) as tell:
            content = await self._calls.result(self.id, timeout, tell)
        kind = self._kind or (await self.view()).kind
        return made(self._calls.wire.url, kind, content, self.id)

    async def answer(self) -> bytes:
        """As JobHandle.answer."""
        return await self._calls.answer(self.id)

    async def receipt(self, without_result: bool = False) -> bytes:
        """As JobHandle.receipt."""
        return await self._calls.receipt(self.id, without_result)
