"""What both of a node's applications have in common: bounded bodies in, named errors and lines of JSON out."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import trio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mpc.errors import AccordError, UsageError
from parties.calls.quiet_log import QuietLog, place_of
from parties.errors import (
    BodyTooLarge,
    BodyTooSlow,
    BootStale,
    CharterOutdated,
    CharterUnknown,
    MessageInvalid,
    MessageReplayed,
    PeerRefused,
    RouteUnknown,
)
from parties.wire.message_form import Problem

__all__ = ["Api", "Lines", "read_body", "reply", "status_of"]

_STATUS: tuple[tuple[type[AccordError], int], ...] = (
    (RouteUnknown, 404),
    (BodyTooSlow, 408),
    (BodyTooLarge, 413),
    (MessageInvalid, 400),
    (BootStale, 409),
    (MessageReplayed, 409),
    (CharterOutdated, 409),
    (CharterUnknown, 409),
    (PeerRefused, 403),
    (UsageError, 400),
    (AccordError, 409),
)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "Refused, and why."},
    "500": {"model": Problem, "description": "A fault of this node's own; its log has the place."},
}

Endpoint = Callable[..., Awaitable[Response]]


def status_of(error: AccordError) -> int:
    """The HTTP status a named error is answered with: that of the first of its classes that has one."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def reply(answer: BaseModel, status: int = 200) -> Response:
    """A model as JSON."""
    return Response(answer.model_dump_json(), status, media_type="application/json")


async def read_body(request: Request, most: int) -> bytes:
    """All of a request's body. BodyTooLarge for more than ``most`` bytes, before they are there if it is stated."""
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated[:19]) > most:  # h11 takes 20 digits at most
        raise BodyTooLarge(f"the body has {stated[:19]} bytes, this route takes {most}")
    request.scope["state"]["allowance"].size = most
    parts = []
    while True:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise MessageInvalid("the body ended before it was whole")
        parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(parts)


class Api(FastAPI):
    """A FastAPI application whose errors are named, and whose requests are read as bytes and validated once.

    Args:
        title, version, description: of the document.
        log: where a fault of this node's own goes, by class and place.
    """

    def __init__(self, title: str, version: str, description: str, log: logging.Logger) -> None:
        super().__init__(
            title=title, version=version, description=description, docs_url=None, redoc_url=None, redirect_slashes=False
        )
        self._log = QuietLog(log, trio.current_time)
        self._bodies: dict[tuple[str, str], type[BaseModel]] = {}
        self._lines: list[type[BaseModel]] = []
        self.add_exception_handler(HTTPException, _no_route)
        self.add_exception_handler(Exception, _fault)
        self.add_exception_handler(RequestValidationError, _bad_parameter)

    def route_to(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        answers: type[BaseModel] | None = None,
        takes: type[BaseModel] | None = None,
        media: str | None = None,
        good: dict[int | str, dict[str, Any]] | None = None,
        **more: Any,
    ) -> None:
        """Add a route.

        Args:
            answers: the answer's model; with ``media``, that of each line.
            takes: the body's model; the endpoint reads it by itself.
            good: what the document says of good answers, where no model does.
            more: see FastAPI.add_api_route.
        """
        if takes is not None:
            self._bodies[path, method.lower()] = takes
        if answers is not None and media is not None:
            said = f"Lines of JSON, each a {answers.__name__}; the last may be a Problem."
            good = {200: {"content": {media: {}}, "description": said}}
            self._lines.append(answers)
        self.add_api_route(
            path,
            self._guarded(endpoint),
            methods=[method],
            response_model=answers if media is None else None,
            response_class=Response if media else JSONResponse,
            responses={**_PROBLEMS, **(good or {})},
            **more,
        )

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the bodies that endpoints read themselves."""
        if self.openapi_schema is None:
            document = super().openapi()
            names, definitions = models_json_schema(
                [(model, "validation") for model in dict.fromkeys([*self._bodies.values(), *self._lines])],
                ref_template="#/components/schemas/{model}",
            )
            for (path, method), model in self._bodies.items():
                document["paths"][path][method]["requestBody"] = {
                    "content": {"application/json": {"schema": names[model, "validation"]}},
                    "required": True,
                }
            known = document.setdefault("components", {}).setdefault("schemas", {})
            for name, definition in definitions.get("$defs", {}).items():
                known.setdefault(name, definition)
        assert self.openapi_schema is not None
        return self.openapi_schema

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """The same, whose errors are answers."""

        @functools.wraps(endpoint)
        async def guarded(*args: Any, **named: Any) -> Response:
            try:
                return await endpoint(*args, **named)
            except AccordError as error:
                return reply(problem_of(error), status_of(error))
            except Exception as error:
                self._log.note("a request failed for a fault of this node's own", place_of(error), logging.ERROR)
                return await _fault(None, error)

        return guarded


class Lines(Response):
    """A stream of models, a line of JSON each, until they end or the caller is gone. A named error is the last line."""

    media_type = "application/x-ndjson"

    def __init__(self, lines: AsyncGenerator[BaseModel, None]) -> None:
        self._lines = lines
        self.status_code = 200
        self.background = None
        self.init_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with contextlib.aclosing(self._lines) as lines:
            try:
                first = await anext(lines)
            except AccordError as error:  # before the first line an answer can still say it by its status
                await reply(problem_of(error), status_of(error))(scope, receive, send)
                return
            with contextlib.suppress(OSError):  # the caller is gone
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await _send_line(send, first)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                    await _write(lines, send)
                    nursery.cancel_scope.cancel()
                await send({"type": "http.response.body", "body": b""})


async def _write(lines: AsyncGenerator[BaseModel, None], send: Send) -> None:
    with contextlib.suppress(OSError):
        try:
            async for line in lines:
                await _send_line(send, line)
        except AccordError as error:
            await _send_line(send, problem_of(error))


async def _send_line(send: Send, line: BaseModel) -> None:
    body = line.model_dump_json().encode() + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def problem_of(error: AccordError) -> Problem:
    """A named error as an answer."""
    return Problem(error=type(error).__name__, text=str(error)[:2000])


async def _no_route(request: Request, error: Exception) -> Response:
    path = request.url.path[:100]
    unknown = RouteUnknown(f"there is no {request.method[:10]} {path!r}: is it a node of this release?")
    return reply(problem_of(unknown), 404)


async def _fault(request: Request | None, error: Exception) -> Response:
    return reply(Problem(error="InternalFault", text="a fault of this node's own: see its log"), 500)


async def _bad_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part)[:64] for part in first["loc"][:4])
    return reply(problem_of(MessageInvalid(f"{where}: {str(first['msg'])[:200]}")), 400)
