"""schemathesis against both OpenAPI documents: what they promise is kept, whatever is sent, and no answer is a fault.

In memory, where an interface is called as its server calls it; and over the server itself, with its TLS.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import requests.adapters
import schemathesis
import trio
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks as conformance

from parties.calls.https_limits import Allowance, Caller, Limits
from parties.calls.https_server import HttpsServer, listening
from parties.calls.member_api import member_api
from parties.calls.people_api import people_api
from parties.calls.replies import Api
from parties.keys.leaf import contexts, issue
from parties.membership.peers import Peers, People
from parties.wire.envelope import ReplayGuard
from parties.wire.message_form import Problem, read_json
from parties.wire.messages import MESSAGES
from tests.fuzz.network_targets import BOOT, ENVELOPES, certificate
from tests.parties.calls.test_people_api import Noting as Person
from tests.parties.consortium import charter, identity
from tests.parties.control_plane import JOB
from tests.parties.control_plane import Noting as Member

CHARTER = charter()
ME, CALLER = identity(0), identity(1)
PEOPLE = {"ann": CALLER.public, "node": ME.public}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
]
ABOUT_JOB = {message.path: message.about_job for message in MESSAGES}


def _member() -> Api:
    return member_api(Member(), Peers(ME.fingerprint, lambda: [CHARTER]), ReplayGuard(BOOT), "1")


def _people() -> Api:
    return people_api(Person(lines=2), People(lambda: PEOPLE), "1")


APIS: dict[str, Callable[[], Api]] = {"member": _member, "people": _people}


class InMemory:
    """An application that needs trio, for a client that has asyncio: each request in a run of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        parts = [await receive()]
        while parts[-1].get("more_body"):
            parts.append(await receive())
        body = b"".join(part.get("body", b"") for part in parts)
        for event in trio.run(self._answered, scope, body):
            await send(event)

    async def _answered(self, scope: Any, body: bytes) -> list[Any]:
        events: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
        answered: list[Any] = []
        stopping = trio.Event()
        stopping.set()  # so that a watch ends
        caller = Caller(certificate(1), CALLER.fingerprint, ("127.0.0.1", 1))

        async def receive() -> Any:
            return events.pop() if events else await trio.sleep_forever()

        async def send(event: Any) -> None:
            answered.append(event)

        state = {"caller": caller, "allowance": Allowance(1 << 20, 5.0), "stopping": stopping}
        with trio.fail_after(20):
            await self._api({**scope, "state": state}, receive, send)
        return answered


class Fitting:
    """Makes good messages fit the moment: the charter in force, this start, a number that is new."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def fit(self, case: Any) -> None:
        now = {"charter": CHARTER.digest, "boot": BOOT, "nonce": next(self._numbers)}
        if case.path in ABOUT_JOB:
            case.body |= {**now, "job": JOB if ABOUT_JOB[case.path] else ""}
        if "charter" in case.query:
            case.query["charter"] = CHARTER.digest
        if case.path == "/v1/job/piece":
            said, content = json.loads(ENVELOPES[case.path]), case.as_transport_kwargs(base_url="http://x")["data"]
            said["body"] |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            case.headers["accord-envelope"] = json.dumps({**said, **now})


@dataclass(frozen=True)
class Interface:
    """A document, and a way to what it describes.

    Attributes:
        schema: of schemathesis.
        fitting: keeps count of its messages.
        call: arguments for each request.
    """

    schema: Any
    call: dict[str, Any] = field(default_factory=dict)
    fitting: Fitting = field(default_factory=Fitting)

    def operations(self) -> list[str]:
        return [f"{found.ok().method.upper()} {found.ok().path}" for found in self.schema.get_all_operations()]

    def takes_anything(self, operation: str) -> bool:
        """Whether there is something in a request for this operation that can be wrong."""
        method, path = operation.split(" ")
        found = self.schema[path][method]
        return bool(found.body or found.query or found.headers)

    def check(self, operation: str, mode: GenerationMode, examples: int) -> set[int]:
        """Draw requests for one operation and judge the answers; gives the statuses that came."""
        method, path = operation.split(" ")
        found, seen = self.schema[path][method], set[int]()

        @given(case=found.as_strategy(generation_mode=mode))
        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        def drawn(case: Any) -> None:
            if mode is GenerationMode.POSITIVE:
                self.fitting.fit(case)
            answer = case.call(**self.call)
            late = answer.status_code == 413  # a refusal too, by the size, before it is read
            case.validate_response(answer, checks=CHECKS[:-1] if late else CHECKS)
            if answer.status_code != 200:
                read_json(Problem, answer.content)
            seen.add(answer.status_code)

        drawn()
        return seen


@functools.cache
def in_memory(name: str) -> Interface:
    return Interface(schemathesis.openapi.from_asgi("/openapi.json", InMemory(APIS[name]())))


# -- over the server -------------------------------------------------------------------------------


class _Adapter(requests.adapters.HTTPAdapter):
    """Shows member 1's certificate, and believes member 0 alone, whatever its address."""

    def init_poolmanager(self, *args: Any, **more: Any) -> Any:
        context = contexts(issue(CALLER), [ME.public])[1]
        return super().init_poolmanager(*args, **more, ssl_context=context, assert_hostname=False)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context does it."""


@contextlib.contextmanager
def served(name: str) -> Iterator[Interface]:
    """The same interface behind HttpsServer, in a thread of its own."""
    api, begun, ready = APIS[name](), list[Any](), threading.Event()
    admit = Peers(ME.fingerprint, lambda: [CHARTER]).admit if name == "member" else People(lambda: PEOPLE).admit

    async def serve() -> None:
        with trio.CancelScope() as scope:
            listeners = await listening("127.0.0.1:0")
            begun.extend((trio.lowlevel.current_trio_token(), scope, listeners[0].socket.getsockname()[1]))
            server = HttpsServer(api, contexts(issue(ME), [CALLER.public])[0], admit, Limits())
            ready.set()
            await server.serve(listeners)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(20)
    token, scope, port = begun
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", _Adapter())
        try:
            call = {"session": session, "base_url": f"https://127.0.0.1:{port}"}
            yield Interface(schemathesis.openapi.from_dict(api.openapi()), call)
        finally:
            token.run_sync_soon(scope.cancel)
            thread.join(20)


# -- tests -----------------------------------------------------------------------------------------

OPERATIONS = [(name, operation) for name in APIS for operation in in_memory(name).operations()]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_the_interface_keeps_what_its_document_says(name: str, operation: str) -> None:
    interface = in_memory(name)
    assert 200 in interface.check(operation, POSITIVE, 4)
    if interface.takes_anything(operation):
        assert 400 in interface.check(operation, NEGATIVE, 5)


@pytest.mark.parametrize("name", list(APIS))
def test_so_does_the_server(name: str) -> None:
    with served(name) as interface:
        for operation in interface.operations():
            if operation != "GET /v1/watch":  # which does not end there
                assert 200 in interface.check(operation, POSITIVE, 2)
            if interface.takes_anything(operation):
                assert 400 in interface.check(operation, NEGATIVE, 5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_at_length(name: str, operation: str) -> None:
    in_memory(name).check(operation, POSITIVE, 100)
    if in_memory(name).takes_anything(operation):
        in_memory(name).check(operation, NEGATIVE, 300)
