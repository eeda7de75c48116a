"""What a node answers its own people: analysts, operators, programs of theirs.

They come over mutual TLS as members do, each with an identity, whose public key node.toml names under [people]. Who it
is, the connection's certificate says (trust.person_of). What they may ask the consortium for, the node's rules and the
other members decide.

``python -m parties.calls.people_api`` prints the OpenAPI document.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Protocol, cast

from fastapi import Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from parties.calls.replies import Api, Lines, read_body, reply
from parties.membership.peers import People
from parties.wire.envelope import LAST_NONCE
from parties.wire.message_form import read_json
from parties.wire.model_messages import MOST_KEEP, Keep, ModelList, OwnModel
from parties.wire.people_messages import (
    MOST_APPROVE,
    MOST_SUBMIT,
    Approvals,
    Approve,
    Consortium,
    JobList,
    JobProgress,
    JobView,
    NodeStatus,
    Submit,
)
from parties.wire.quote_messages import PlanCard

__all__ = ["PeopleHandlers", "people_api"]

_Job = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The job's id.")]
_Most = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
_Before = Annotated[int | None, Query(ge=0, le=LAST_NONCE, description="What the list before this one said.")]
_Ends = Annotated[bool, Query(description="The first line and the last one only.")]
_Without = Annotated[bool, Query(description="Leave out all that tells of the answer.")]
_JSON_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, as the job's kind writes it.", "content": {"application/json": {}}}
}
_JSON_RECEIPT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The receipt, see parties/proof/receipt.py.", "content": {"application/json": {}}}
}


class PeopleHandlers(Protocol):
    """What the node does for a person, known by name. Each may raise an AccordError, which is the answer."""

    async def submit(self, person: str, asked: Submit) -> JobView:
        """Make it a job; the one that is here if its key is known, and it asks the same."""
        ...

    async def quote(self, person: str, asked: Submit) -> PlanCard:
        """What it would cost, and what every owner would say, without asking for it."""
        ...

    async def jobs(self, person: str, most: int, before: int | None) -> JobList:
        """The latest first."""
        ...

    async def job(self, person: str, job: str) -> JobView: ...

    async def cancel(self, person: str, job: str) -> JobView:
        """Want it ended; it may be released all the same, if that was decided."""
        ...

    def progress(self, person: str, job: str, ends: bool) -> AsyncGenerator[JobProgress, None]:
        """A line at once, and with every change, up to the last; ``ends``: at once, and the last. Closed when the
        caller goes."""
        ...

    async def answer(self, person: str, job: str) -> bytes:
        """JSON."""
        ...

    async def receipt(self, person: str, job: str, without_result: bool) -> bytes:
        """JSON: what proves a released job, at a member that receives its answer."""
        ...

    async def approvals(self, person: str) -> Approvals:
        """Jobs that wait for a person at this node."""
        ...

    async def approve(self, person: str, job: str, approved: bool) -> JobView:
        """Approve one of them, or deny it."""
        ...

    async def tables(self, person: str) -> Consortium: ...

    async def models(self, person: str) -> ModelList:
        """This member's own, and what others offer it."""
        ...

    async def keep_model(self, person: str, asked: Keep) -> OwnModel:
        """The answer of a train job as a model of this member's; the one that is kept, where it was under this name."""
        ...

    async def status(self, person: str) -> NodeStatus: ...


def people_api(handlers: PeopleHandlers, people: People, release: str, *, log: logging.Logger | None = None) -> Api:
    """The application for HttpsServer.

    Args:
        handlers: the node.
        people: who may call; ``people.admit`` is for the server.
        release: of Accord.
        log: for faults of this node's own.
    """
    api = Api("Accord, for a member's people", release, __doc__ or "", log or logging.getLogger(__name__))

    def caller(request: Request) -> str:
        return people.person_of(request.scope["state"]["caller"].certificate)

    async def submit(request: Request) -> Response:
        person = caller(request)
        return reply(await handlers.submit(person, read_json(Submit, await read_body(request, MOST_SUBMIT))))

    async def quote(request: Request) -> Response:
        person = caller(request)
        return reply(await handlers.quote(person, read_json(Submit, await read_body(request, MOST_SUBMIT))))

    async def jobs(request: Request, most: _Most = 100, before: _Before = None) -> Response:
        return reply(await handlers.jobs(caller(request), most, before))

    async def job(request: Request, job: _Job) -> Response:
        return reply(await handlers.job(caller(request), job))

    async def cancel(request: Request, job: _Job) -> Response:
        return reply(await handlers.cancel(caller(request), job))

    async def progress(request: Request, job: _Job, ends: _Ends = False) -> Response:
        return Lines(cast(AsyncGenerator[BaseModel, None], handlers.progress(caller(request), job, ends)))

    async def answer(request: Request, job: _Job) -> Response:
        return Response(await handlers.answer(caller(request), job), media_type="application/json")

    async def receipt(request: Request, job: _Job, without_result: _Without = False) -> Response:
        made = await handlers.receipt(caller(request), job, without_result)
        return Response(made, media_type="application/json")

    async def approvals(request: Request) -> Response:
        return reply(await handlers.approvals(caller(request)))

    async def approve(request: Request, job: _Job) -> Response:
        person, said = caller(request), read_json(Approve, await read_body(request, MOST_APPROVE))
        return reply(await handlers.approve(person, job, said.approved))

    async def tables(request: Request) -> Response:
        return reply(await handlers.tables(caller(request)))

    async def models(request: Request) -> Response:
        return reply(await handlers.models(caller(request)))

    async def keep_model(request: Request) -> Response:
        person = caller(request)
        return reply(await handlers.keep_model(person, read_json(Keep, await read_body(request, MOST_KEEP))))

    async def status(request: Request) -> Response:
        return reply(await handlers.status(caller(request)))

    api.route_to("POST", "/v1/jobs", submit, answers=JobView, takes=Submit, summary="Ask for a job.")
    api.route_to("POST", "/v1/quotes", quote, answers=PlanCard, takes=Submit, summary="A job's plan card.")
    api.route_to("GET", "/v1/jobs", jobs, answers=JobList, summary="Jobs, the latest first.")
    api.route_to("GET", "/v1/jobs/{job}", job, answers=JobView, summary="A job.")
    api.route_to("POST", "/v1/jobs/{job}/cancel", cancel, answers=JobView, summary="Want a job ended.")
    api.route_to(
        "GET",
        "/v1/jobs/{job}/progress",
        progress,
        answers=JobProgress,
        media=Lines.media_type,
        summary="How far it is.",
    )
    api.route_to("GET", "/v1/jobs/{job}/answer", answer, good=_JSON_ANSWER, summary="A released job's answer.")
    api.route_to("GET", "/v1/jobs/{job}/receipt", receipt, good=_JSON_RECEIPT, summary="What proves a released job.")
    api.route_to("GET", "/v1/approvals", approvals, answers=Approvals, summary="Jobs that wait for a person here.")
    api.route_to(
        "POST",
        "/v1/jobs/{job}/approve",
        approve,
        answers=JobView,
        takes=Approve,
        summary="Let a job go on, or not.",
    )
    api.route_to("GET", "/v1/tables", tables, answers=Consortium, summary="What all members publish.")
    api.route_to("GET", "/v1/models", models, answers=ModelList, summary="Models, own and offered.")
    api.route_to("POST", "/v1/models", keep_model, answers=OwnModel, takes=Keep, summary="Keep a trained model.")
    api.route_to("GET", "/v1/status", status, answers=NodeStatus, summary="This node.")
    return api


if __name__ == "__main__":
    print(json.dumps(people_api(cast(PeopleHandlers, PeopleHandlers), People(dict), "1").openapi(), indent=1))
