"""A node as its people reach it: real TLS on loopback, in a thread; behind it handlers that remember what was asked."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from parties.asking.client_wire import at_once
from parties.async_client import AsyncClient
from parties.calls.https_connection import Limits
from parties.calls.https_server import HttpsServer, listening
from parties.calls.people_api import people_api
from parties.client import Client
from parties.errors import JobConflict, JobUnknown, NotReleased
from parties.keys.identity import Identity
from parties.keys.leaf import contexts, issue
from parties.membership.peers import People
from parties.wire.meeting import Table
from parties.wire.model_messages import FromJob, Keep, MemberModels, ModelList, Offer, OwnModel, RulesForm
from parties.wire.people_messages import (
    Approval,
    Approvals,
    Consortium,
    ForkView,
    JobList,
    JobProgress,
    JobView,
    MemberTables,
    NodeStatus,
    Submit,
)
from tests.parties.consortium import identity

NODE, ANN, STRANGER = identity(0), identity(7), identity(9)

COUNTED = {
    "by": "ward",
    "rows": [
        {"figure": "count", "column": None, "group": group, "shown": group != "c", **numbers}
        for group, numbers in (
            ("a", {"value": 12, "standard_error": 1.5, "low": 9.0, "high": 15.0}),
            ("b", {"value": 40, "standard_error": 1.5, "low": 37.0, "high": 43.0}),
            ("c", {"value": None, "standard_error": None, "low": None, "high": None}),
        )
    ],
    "epsilon": 1.0,
    "delta": 0.0,
}

DESCRIBED = {
    "format": "accord table 1", "name": "patients", "person": "id", "rows_a_person": 1, "capacity": 1000,
    "uses": ["count"], "epsilon_a_job": 2.0,
    "columns": [
        {"name": "id", "kind": "key", "uses": ["join"], "profile": "raw"},
        {"name": "age", "kind": "integer", "uses": ["sum"], "low": 0, "high": 120},
    ],
}  # fmt: skip

OFFER = Offer(
    name="risk", version=2, id="a" * 64, family="trees", features=["age", "cost"],
    facts={"depth": 3, "trees": 10, "outputs": 1, "link": "sigmoid"}, answers=["predict"], purposes=None,
)  # fmt: skip
LINEAR = OFFER.model_copy(
    update={
        "name": "stay", "version": 1, "family": "logistic", "features": ["age"], "predicts": "died",
        "facts": {"terms": [{"column": "age", "category": None, "low": 0.0, "high": 1.0}], "bound": 1.0, "spread": 2.0},
        "coefficients": {
            "coefficients": [{"column": "age", "category": None, "low": 0.0, "high": 1.0, "coefficient": 0.5}],
            "intercept": 0.25, "bound": 1.0, "spread": 2.0, "label": "died", "epsilon": 1.0, "delta": 1e-6,
        },
    }
)  # fmt: skip
OWN = OwnModel(
    offer=OFFER.model_copy(update={"name": "mine", "version": 1}),
    lineage=FromJob(job="1" * 32, plan="b" * 64, tables=["alfa.patients"], policies={"alfa": {"patients": "c" * 64}}),
    rules=RulesForm(members=[], purposes=None, answers=["predict"], receivers=[], coefficients=False),
    kept=1e9,
    withdrawn=None,
)
MODELS = ModelList(
    member="alfa",
    own=[OWN],
    strays=["loose.json"],
    members=[
        MemberModels(member="bravo", models=[OFFER, LINEAR]),
        MemberModels(member="charlie", models=[], error="is down"),
    ],
)  # fmt: skip


@dataclass
class Memory:
    """Handlers: jobs by their key, as a node keeps them through a restart. Hooks say when something goes wrong.

    Attributes:
        heard: (what, person, body).
        lines: of progress, of all jobs; the last is there already, or told when ``ending`` is set.
        before: called with what is asked, before it is done; may raise, or crash the node.
        after: likewise, when it is done and the answer is still to go.
    """

    heard: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[str, Submit]] = field(default_factory=dict)
    lines: list[JobProgress] = field(default_factory=list)
    waiting: list[Approval] = field(default_factory=list)
    content: bytes = json.dumps(COUNTED).encode()
    proof: bytes = b'{"format": "accord receipt 1"}\n'
    before: Callable[[str], Awaitable[None]] | None = None
    after: Callable[[str], Awaitable[None]] | None = None

    async def _hear(self, what: str, person: str, body: Any = None) -> None:
        self.heard.append((what, person, body))
        if self.before is not None:
            await self.before(what)

    async def _done(self, what: str) -> None:
        if self.after is not None:
            await self.after(what)

    def _view(self, job: str) -> JobView:
        known = {job: asked for job, asked in self.keys.values()}
        if job not in known:
            raise JobUnknown(f"there is no job {job} here")
        last = self.lines[-1] if self.lines else JobProgress(state="PROPOSED")
        told = last.model_dump(include={"state", "error", "cause", "answer"})
        return JobView(
            job=job, kind=known[job].kind, proposer="alfa", proposed=1e9, changed=1e9, deadline=60, **told
        )  # fmt: skip

    async def submit(self, person: str, asked: Submit) -> JobView:
        await self._hear("submit", person, asked)
        job, before = self.keys.setdefault(asked.key, (f"{len(self.keys) + 1:032x}", asked))
        if before != asked:
            raise JobConflict(f"job {job} was asked for under this key, and asks for something else")
        await self._done("submit")
        return self._view(job)

    async def jobs(self, person: str, most: int, before: int | None) -> JobList:
        await self._hear("jobs", person, (most, before))
        return JobList(jobs=[self._view(job) for job, _ in reversed(self.keys.values())][:most])

    async def job(self, person: str, job: str) -> JobView:
        await self._hear("job", person, job)
        return self._view(job)

    async def approvals(self, person: str) -> Approvals:
        await self._hear("approvals", person)
        return Approvals(waiting=self.waiting)

    async def approve(self, person: str, job: str, approved: bool) -> JobView:
        await self._hear("approve", person, (job, approved))
        return self._view(job)

    async def cancel(self, person: str, job: str) -> JobView:
        await self._hear("cancel", person, job)
        self.lines = [JobProgress(state="ABORTED", error="JobRefused", cause="somebody wanted it ended")]
        await self._done("cancel")
        return self._view(job)

    async def progress(self, person: str, job: str, ends: bool = False) -> AsyncGenerator[JobProgress, None]:
        await self._hear("progress", person, job)
        self._view(job)
        for place, line in enumerate(self.lines[:1] + self.lines[1:][-1:] if ends else list(self.lines)):
            yield line
            await self._done(f"line {place}")

    async def answer(self, person: str, job: str) -> bytes:
        await self._hear("answer", person, job)
        if not self._view(job).answer:
            raise NotReleased(f"job {job}: its answer is not here")
        return self.content

    async def receipt(self, person: str, job: str, without_result: bool) -> bytes:
        await self._hear("receipt", person, (job, without_result))
        if not self._view(job).answer:
            raise NotReleased(f"job {job}: its answer is not here")
        return self.proof

    async def tables(self, person: str) -> Consortium:
        await self._hear("tables", person)
        return Consortium(
            members=[
                MemberTables(member="alfa", tables=[Table(name="patients", description=DESCRIBED)]),
                MemberTables(member="bravo", tables=[], error="not reached"),
            ]
        )

    async def models(self, person: str) -> ModelList:
        await self._hear("models", person)
        return MODELS

    async def keep_model(self, person: str, asked: Keep) -> OwnModel:
        await self._hear("keep_model", person, asked)
        self._view(asked.job)
        return OWN.model_copy(update={"offer": OWN.offer.model_copy(update={"name": asked.name})})

    async def status(self, person: str) -> NodeStatus:
        await self._hear("status", person)
        return NodeStatus(
            member="alfa", fingerprint=NODE.fingerprint, release="1", consortium="Banks", charter="0" * 64, version=1,
            time=1e9, started=1e9, lanes=2, open_jobs=0, members=[],
            forked=[ForkView(member="bravo", found=60.0, entries=[3, 5], digests=["0" * 64, "1" * 64])],
        )  # fmt: skip


class PeopleNode:
    """Serves ``memory`` in a thread until ``stop``. ``crash``, from a handler or not, breaks all connections, as a
    process that dies does, and serves again at the same port."""

    def __init__(self, memory: Memory, served_as: Identity, people: Mapping[str, bytes]) -> None:
        self.memory = memory
        self.port = 0
        self._identity = served_as
        self.people = dict(people)
        self._begun = threading.Event()
        self._stopping = False
        self._scope: trio.CancelScope | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread = threading.Thread(target=trio.run, args=(self._main,), daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._begun.wait(30)

    def stop(self) -> None:
        self._stopping = True
        assert self._token is not None
        self._token.run_sync_soon(self.crash)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def crash(self) -> None:
        assert self._scope is not None
        self._scope.cancel()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        people = People(lambda: self.people)
        while not self._stopping:
            listeners = await listening(f"127.0.0.1:{self.port}")
            self.port = listeners[0].socket.getsockname()[1]
            context = contexts(issue(self._identity), self.people.values())[0]
            server = HttpsServer(people_api(self.memory, people, "1"), context, people.admit, Limits())
            with trio.CancelScope() as self._scope:
                self._begun.set()
                await server.serve(listeners)


@contextlib.contextmanager
def people_node(memory: Memory | None = None, served_as: Identity = NODE) -> Iterator[PeopleNode]:
    """One that serves Ann, and whoever has the node's own key."""
    node = PeopleNode(memory or Memory(), served_as, {"ann": ANN.public, "node": served_as.public})
    node.start()
    try:
        yield node
    finally:
        node.stop()


FLAVOURS = ("blocking", "trio", "asyncio")


def run(flavour: str, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test; on trio and on asyncio with a deadline, which only a fault meets."""

    async def on_trio() -> None:
        with trio.fail_after(30):
            await test()

    async def on_asyncio() -> None:
        async with asyncio.timeout(30):
            await test()

    if flavour == "blocking":
        at_once(test())
    elif flavour == "trio":
        trio.run(on_trio)
    else:
        asyncio.run(on_asyncio())


@contextlib.asynccontextmanager
async def client(flavour: str, url: str, who: Any = ANN, node: Any = NODE.public, **more: Any) -> AsyncIterator[Any]:
    """A client of that flavour."""
    if flavour == "blocking":
        with Client(url, who, node, **more) as blocking:
            yield blocking
    else:
        async with AsyncClient(url, who, node, **more) as other:
            yield other


async def got(found: Any) -> Any:
    """What a method gave, of whichever client."""
    return await found if inspect.isawaitable(found) else found


async def each(lines: Any) -> list[Any]:
    """All of an iterator, of whichever client."""
    return [line async for line in lines] if hasattr(lines, "__aiter__") else list(lines)
