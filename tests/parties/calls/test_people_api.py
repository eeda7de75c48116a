"""A member's people at its node, over real TLS: who they are, what they ask, and how answers and errors come back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
import trio
import trio.lowlevel

from mpc.errors import UsageError
from parties.calls.https_limits import Limits
from parties.calls.https_server import HttpsServer, listening
from parties.calls.people_api import PeopleHandlers, people_api
from parties.errors import CharterNotInForce
from parties.keys.leaf import contexts, issue
from parties.membership.peers import People
from parties.wire.meeting import Table
from parties.wire.message_form import Problem, read_json
from parties.wire.model_messages import Keep, ModelList, OwnModel
from parties.wire.people_messages import (
    MOST_SUBMIT,
    Approvals,
    Consortium,
    JobList,
    JobProgress,
    JobView,
    MemberTables,
    NodeStatus,
    Submit,
    TableChoice,
)
from parties.wire.quote_messages import Cost, PlanCard
from tests.parties.calls.test_member_api import check_document
from tests.parties.consortium import identity
from tests.parties.control_plane import JOB
from tests.parties.people_node import OWN

NODE, ANN = identity(0), identity(7)
ASKED = Submit(
    kind="count",
    parameters={"by": "sex", "epsilon": 1.0, "bounds": [0, 10], "nested": {"deep": None}},
    tables=[TableChoice(member="alfa", table="patients")],
    results=["alfa"],
    deadline=60,
    key="one",
)
VIEW = JobView(job=JOB, kind="count", state="RUNNING", proposer="alfa", proposed=1e9, changed=1e9, deadline=60)


@dataclass
class Noting:
    """Handlers that keep what they were called with."""

    heard: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None
    closed: trio.Event = field(default_factory=trio.Event)
    quiet: bool = False  # after its first line of progress
    lines: int | None = None  # of progress; None: no end

    def _note(self, *what: Any) -> None:
        self.heard.append(what)
        if self.error is not None:
            raise self.error

    async def submit(self, person: str, asked: Submit) -> JobView:
        self._note("submit", person, asked)
        return VIEW

    async def quote(self, person: str, asked: Submit) -> PlanCard:
        self._note("quote", person, asked)
        return PlanCard(
            verdict="allowed", kind=asked.kind, parameters=asked.parameters, purpose=asked.purpose, by=person,
            results=asked.results, tables=[], plan="0" * 64, epsilon=1.0, delta=0.0, groups=1, minimum=None, figures=[],
            leaks=[], explained="", owners=[], cost=Cost(seconds=1.0, megabytes=1.0),
        )  # fmt: skip

    async def jobs(self, person: str, most: int, before: int | None) -> JobList:
        self._note("jobs", person, most, before)
        return JobList(jobs=[VIEW], before=3)

    async def job(self, person: str, job: str) -> JobView:
        self._note("job", person, job)
        return VIEW

    async def approvals(self, person: str) -> Approvals:
        self._note("approvals", person)
        return Approvals(waiting=[])

    async def approve(self, person: str, job: str, approved: bool) -> JobView:
        self._note("approve", person, job, approved)
        return VIEW

    async def cancel(self, person: str, job: str) -> JobView:
        self._note("cancel", person, job)
        return VIEW

    async def progress(self, person: str, job: str, ends: bool = False) -> AsyncGenerator[JobProgress, None]:
        self._note("progress", person, job)
        try:
            count = 0
            while self.lines is None or count < self.lines:
                count += 1
                yield JobProgress(state="RUNNING", rounds=count)
                if self.quiet:
                    await trio.sleep_forever()
                await trio.lowlevel.checkpoint()
            if self.error is None:
                raise CharterNotInForce("the job's charter was replaced")
        finally:
            self.closed.set()

    async def answer(self, person: str, job: str) -> bytes:
        self._note("answer", person, job)
        return b'{"count":12}'

    async def receipt(self, person: str, job: str, without_result: bool) -> bytes:
        self._note("receipt", person, job, without_result)
        return b'{"format":"accord receipt 1"}'

    async def tables(self, person: str) -> Consortium:
        self._note("tables", person)
        return Consortium(members=[MemberTables(member="alfa", tables=[Table(name="patients", description={})])])

    async def models(self, person: str) -> ModelList:
        self._note("models", person)
        return ModelList(member="alfa", own=[], strays=[], members=[])

    async def keep_model(self, person: str, asked: Keep) -> OwnModel:
        self._note("keep_model", person, asked)
        return OWN

    async def status(self, person: str) -> NodeStatus:
        self._note("status", person)
        return NodeStatus(
            member="alfa", fingerprint="0" * 64, release="1", consortium="Banks", charter="0" * 64, version=1,
            time=1e9, started=1e9, lanes=2, open_jobs=0, members=[],
        )  # fmt: skip


def run(test: Callable[[Noting, httpx.AsyncClient, HttpsServer], Awaitable[None]], who: int = 7) -> None:
    async def main() -> None:
        handlers, keys = Noting(), {"ann": ANN.public, "node": NODE.public}
        people = People(lambda: keys)
        server = HttpsServer(
            people_api(handlers, people, "1"), contexts(issue(NODE), keys.values())[0], people.admit, Limits()
        )
        listeners = await listening("127.0.0.1:0")
        port = listeners[0].socket.getsockname()[1]
        context = contexts(issue(identity(who)), [NODE.public])[1]
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, listeners)
                async with httpx.AsyncClient(
                    verify=context, trust_env=False, base_url=f"https://127.0.0.1:{port}"
                ) as client:
                    await test(handlers, client, server)
                nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize(("who", "name"), [(7, "ann"), (0, "node")])
def test_every_route_reaches_its_handler_with_the_persons_name(who: int, name: str) -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        answers = [
            read_json(JobView, (await client.post("/v1/jobs", content=ASKED.model_dump_json())).content),
            read_json(JobList, (await client.get("/v1/jobs?most=5&before=9")).content).jobs[0],
            read_json(JobView, (await client.get(f"/v1/jobs/{JOB}")).content),
            read_json(JobView, (await client.post(f"/v1/jobs/{JOB}/cancel")).content),
        ]
        assert answers == [VIEW] * 4
        assert (await client.get(f"/v1/jobs/{JOB}/answer")).json() == {"count": 12}
        for more in ("", "?without_result=true"):
            found = await client.get(f"/v1/jobs/{JOB}/receipt{more}")
            assert found.json() == {"format": "accord receipt 1"}
        assert read_json(Consortium, (await client.get("/v1/tables")).content).members[0].member == "alfa"
        assert read_json(NodeStatus, (await client.get("/v1/status")).content).lanes == 2
        assert handlers.heard == [
            ("submit", name, ASKED), ("jobs", name, 5, 9), ("job", name, JOB), ("cancel", name, JOB),
            ("answer", name, JOB), ("receipt", name, JOB, False), ("receipt", name, JOB, True),
            ("tables", name), ("status", name),
        ]  # fmt: skip

    run(test, who)


@pytest.mark.parametrize("who", [1, 9])
def test_members_and_strangers_are_none_of_the_people(who: int) -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        with pytest.raises(httpx.TransportError):
            await client.get("/v1/status")
        assert handlers.heard == []

    run(test, who)


def test_bad_requests_are_named() -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        good = json.loads(ASKED.model_dump_json())
        for changes in ({"more": 1}, {"deadline": 0}, {"results": []}, {"kind": "A"}, {"key": ""}, {"parameters": []}):
            answer = await client.post("/v1/jobs", json={**good, **changes})
            assert (answer.status_code, read_json(Problem, answer.content).error) == (400, "MessageInvalid")
        answer = await client.post("/v1/jobs", content=b" " * (MOST_SUBMIT + 1))
        assert (answer.status_code, read_json(Problem, answer.content).error) == (413, "BodyTooLarge")
        for path in ("/v1/jobs/x", "/v1/jobs?most=0", "/v1/jobs?before=-1", f"/v1/jobs/{JOB.upper()}/answer"):
            answer = await client.get(path)
            assert (answer.status_code, read_json(Problem, answer.content).error) == (400, "MessageInvalid")
        handlers.error = UsageError("there is no such job")
        answer = await client.get(f"/v1/jobs/{JOB}")
        assert (answer.status_code, read_json(Problem, answer.content).text) == (400, "there is no such job")
        assert len(handlers.heard) == 1

    run(test)


def test_progress_is_lines_and_an_error_is_the_last() -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        handlers.lines = 3
        async with client.stream("GET", f"/v1/jobs/{JOB}/progress") as answer:
            lines = [line async for line in answer.aiter_lines()]
        assert [read_json(JobProgress, line).rounds for line in lines[:3]] == [1, 2, 3]
        assert read_json(Problem, lines[3]).error == "CharterNotInForce"
        assert len(lines) == 4

    run(test)


def test_progress_that_fails_at_once_is_a_plain_error() -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        for error, status in ((UsageError("there is no such job"), 400), (ValueError("a secret"), 500)):
            handlers.error = error
            answer = await client.get(f"/v1/jobs/{JOB}/progress")
            assert answer.status_code == status
            assert "secret" not in read_json(Problem, answer.content).text

    run(test)


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_closed_when_the_caller_goes(quiet: bool) -> None:
    async def test(handlers: Noting, client: httpx.AsyncClient, server: HttpsServer) -> None:
        handlers.quiet = quiet
        async with client.stream("GET", f"/v1/jobs/{JOB}/progress") as answer:
            async for _ in answer.aiter_lines():
                break
        await handlers.closed.wait()

    run(test)


def test_the_document_is_complete() -> None:
    document = people_api(cast(PeopleHandlers, PeopleHandlers), People(dict), "1").openapi()
    check_document(document)
    assert len(document["paths"]) == 12
    assert document["paths"]["/v1/jobs"]["post"]["requestBody"]["required"]
    assert {"JobProgress", "Submit", "Problem"} <= document["components"]["schemas"].keys()
