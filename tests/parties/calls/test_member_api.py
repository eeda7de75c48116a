"""What a node's routes refuse before its handlers hear of it: replays, bodies out of bounds, unknown routes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc.errors import OutOfRange
from parties.calls.https_limits import Allowance, Caller
from parties.calls.member_api import MOST_PIECE, Handlers, member_api
from parties.calls.replies import status_of
from parties.errors import (
    BodyTooLarge,
    BootStale,
    CertificateInvalid,
    CharterNotInForce,
    CharterOutdated,
    MessageInvalid,
    NotAMember,
    RouteUnknown,
)
from parties.keys.leaf import contexts, issue
from parties.membership.peers import Peers
from parties.wire.envelope import ReplayGuard
from parties.wire.message_form import Envelope, Problem, Strict, read_json
from parties.wire.messages import MESSAGES, Abort, Piece, Propose, StateQuery
from tests.parties.consortium import charter, identity
from tests.parties.control_plane import JOB, SIGNATURE, Node, Noting, nodes
from tests.parties.keys.test_leaf import der


@contextlib.asynccontextmanager
async def calling(caller: Node, called: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client that shows the caller's certificate: it sends whatever a test wants."""
    context = contexts(caller.leaf.current, [called.identity.public])[1]
    host, port = called.listener.getsockname()
    async with httpx.AsyncClient(verify=context, trust_env=False, base_url=f"https://{host}:{port}") as client:
        yield client


def sealed(node: Node, body: Strict, nonce: int, *, job: str = JOB, charter: str | None = None) -> bytes:
    envelope = cast(Any, Envelope)[type(body)]
    made = envelope(charter=charter or node.chain[-1].digest, job=job, boot=node.guard.boot, nonce=nonce, body=body)
    return cast(str, made.model_dump_json()).encode()


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, read_json(Problem, answer.content).error


def run(test: Callable[[Node, Node, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(30):
            async with nodes() as (alfa, bravo, _), calling(alfa, bravo) as client:
                await test(alfa, bravo, client)

    trio.run(main)


def test_a_recorded_message_is_taken_once_in_one_start_and_never_in_another() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        path = Abort.path
        recorded = [sealed(bravo, Abort(text=""), nonce) for nonce in (1, 5, 3)]
        for message in recorded:
            assert (await client.post(path, content=message)).status_code == 200
        for message in recorded:
            assert problem(await client.post(path, content=message)) == (409, "MessageReplayed")
        bravo.guard.boot, bravo.guard._seen = ReplayGuard().boot, {}  # a restart
        for message in recorded:
            assert problem(await client.post(path, content=message)) == (409, "BootStale")
        assert len(bravo.handlers.heard) == 3

    run(test)


def test_a_number_is_a_senders_own_and_another_member_cannot_use_its_message() -> None:
    async def main() -> None:
        async with nodes() as (alfa, bravo, charlie):
            message = sealed(bravo, StateQuery(), 1)
            for caller in (alfa, charlie):  # the same bytes: who sent them, the certificate says
                async with calling(caller, bravo) as client:
                    assert (await client.post(StateQuery.path, content=message)).status_code == 200
            assert [peer for _, peer, _, _ in bravo.handlers.heard] == ["alfa", "charlie"]

    trio.run(main)


def test_a_refused_message_uses_no_number_up() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        bad = sealed(bravo, StateQuery(), 1).replace(b'"body":{}', b'"body":{"more":1}')
        assert problem(await client.post(StateQuery.path, content=bad)) == (400, "MessageInvalid")
        assert (await client.post(StateQuery.path, content=sealed(bravo, StateQuery(), 1))).status_code == 200

    run(test)


def test_bodies_are_bounded_by_their_route_stated_or_not() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        async def unstated(content: bytes) -> AsyncIterator[bytes]:
            yield content

        for message in MESSAGES:
            large = b" " * (message.most + 1)
            answer = await client.post(message.path, content=large)  # refused before it is read
            assert f"this route takes {message.most}" in read_json(Problem, answer.content).text
            assert problem(answer) == (413, "BodyTooLarge")
            assert problem(await client.post(message.path, content=unstated(large))) == (413, "BodyTooLarge")
            fits = b" " * message.most
            assert problem(await client.post(message.path, content=fits)) == (400, "MessageInvalid")
        assert bravo.handlers.heard == []

    run(test)


def test_a_body_of_another_message_is_refused_on_every_route() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        content = sealed(bravo, Propose(job="{}", signature=SIGNATURE), 1)
        for message in MESSAGES:
            if message is not Propose:
                assert problem(await client.post(message.path, content=content)) == (400, "MessageInvalid")
        assert bravo.handlers.heard == []

    run(test)


def test_unknown_routes_methods_and_parameters_are_named() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        for method, path in (
            ("GET", "/"),
            ("GET", "/v2/hello"),
            ("GET", Abort.path),
            ("POST", "/v1/hello"),
            ("GET", "/docs"),
            ("GET", "/v1/hello/"),
            ("GET", "/v1/%ff%00/..%2f"),
        ):
            assert problem(await client.request(method, path)) == (404, "RouteUnknown")
        for path in (
            "/v1/hello",
            "/v1/hello?charter=1",
            "/v1/watch",
            "/v1/charter?version=x",
            "/v1/charter?version=-1",
        ):
            assert problem(await client.get(path)) == (400, "MessageInvalid")
        assert problem(await client.post("/v1/job/piece", content=b"")) == (400, "MessageInvalid")
        assert bravo.handlers.heard == []

    run(test)


def piece(content: bytes, **changes: Any) -> Piece:
    digest = hashlib.sha256(content).hexdigest()
    said = {"purpose": "answer", "name": "x", "part": 0, "parts": 1, "size": len(content), "sha256": digest, **changes}
    return Piece(**said)


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"size": 4}, 413, "more than 4 bytes"),
        ({"size": 6}, 400, "not what was announced"),
        ({"sha256": "0" * 64}, 400, "not what was announced"),
        ({"part": 1}, 400, "below body.parts"),
        ({"size": MOST_PIECE + 1}, 400, f"at most {MOST_PIECE}"),
    ],
)
def test_a_piece_that_is_not_what_was_announced_is_not_kept(changes: dict[str, Any], status: int, says: str) -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        header = sealed(bravo, piece(b"12345", **changes), 1).decode()
        answer = await client.post("/v1/job/piece", content=b"12345", headers={"accord-envelope": header})
        assert answer.status_code == status
        assert says in read_json(Problem, answer.content).text
        assert bravo.handlers.heard == []
        header = sealed(bravo, piece(b"12345"), 2).decode()
        answer = await client.post("/v1/job/piece", content=b"12345", headers={"accord-envelope": header})
        assert answer.status_code == 200
        answer = await client.post("/v1/job/piece", content=b"12345", headers={"accord-envelope": header})
        assert problem(answer) == (409, "MessageReplayed")
        assert len(bravo.handlers.heard) == 1

    run(test)


def test_a_piece_needs_a_job_and_a_good_envelope() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        for header in (sealed(bravo, piece(b""), 1, job="").decode(), "{}", "x" * 9000):
            answer = await client.post("/v1/job/piece", content=b"", headers={"accord-envelope": header})
            assert problem(answer) == (400, "MessageInvalid")
        assert bravo.handlers.heard == []

    run(test)


def test_a_piece_states_the_charter_in_force() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        header = sealed(bravo, piece(b"1"), 1, charter="0" * 64).decode()
        answer = await client.post("/v1/job/piece", content=b"1", headers={"accord-envelope": header})
        assert problem(answer) == (409, "CharterUnknown")
        assert bravo.handlers.heard == []

    run(test)


def test_errors_have_the_status_of_their_class() -> None:
    for error, status in (
        (RouteUnknown("x"), 404),
        (BodyTooLarge("x"), 413),
        (MessageInvalid("x"), 400),
        (BootStale("x"), 409),
        (CharterOutdated("x"), 409),
        (NotAMember("x"), 403),
        (CertificateInvalid("x"), 403),
        (OutOfRange("x"), 400),
        (CharterNotInForce("x"), 409),
    ):
        assert status_of(error) == status


def test_the_text_of_an_error_is_cut() -> None:
    async def test(alfa: Node, bravo: Node, client: httpx.AsyncClient) -> None:
        bravo.handlers.error = NotAMember("\u00e9" * 10_000)
        answer = await client.post(StateQuery.path, content=sealed(bravo, StateQuery(), 1))
        assert read_json(Problem, answer.content).text == "\u00e9" * 2000

    run(test)


# -- whatever is sent ----------------------------------------------------------------------------


class Alone:
    """Member 0's application without its server: member 1's requests, in memory."""

    def __init__(self) -> None:
        self.handlers = Noting()
        self.charter = charter()
        self.guard = ReplayGuard("0" * 32)
        self.api = member_api(self.handlers, Peers(identity(0).fingerprint, lambda: [self.charter]), self.guard, "1")
        self.caller = Caller(der(issue(identity(1))), identity(1).fingerprint, ("127.0.0.1", 1))

    def ask(self, method: str, path: bytes, body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
        answer: list[Any] = []
        events = [{"type": "http.request", "body": body, "more_body": False}]
        raw, _, query = path.partition(b"?")

        async def receive() -> Any:
            return events.pop() if events else {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            answer.append(event)

        async def main() -> None:
            stopping = trio.Event()
            stopping.set()
            state = {"caller": self.caller, "allowance": Allowance(1 << 20, 1.0), "stopping": stopping}
            scope = {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
                "path": unquote(raw.decode("ascii", "replace")), "raw_path": raw, "query_string": query,
                "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
                "state": state, "extensions": {},
            }  # fmt: skip
            await self.api(scope, receive, send)

        trio.run(main)
        return answer[0]["status"], b"".join(event.get("body", b"") for event in answer[1:])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
QUERIES = st.sampled_from([b"", b"?charter=" + charter().digest.encode(), b"?version=1", b"?charter=%ff%00&charter=1"])


def test_whatever_a_member_sends_the_answer_is_one_of_the_forms_agreed() -> None:
    alone = Alone()
    known = [message.path for message in MESSAGES] + [
        "/v1/hello",
        "/v1/watch",
        "/v1/charter",
        "/v1/tables",
        "/v1/models",
    ]

    @given(data=st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from([*known, "/v1/job/piece"])).encode() + data.draw(QUERIES)
        envelope = {
            "charter": data.draw(st.sampled_from([alone.charter.digest, "0" * 64])),
            "job": data.draw(st.sampled_from([JOB, ""])),
            "boot": "0" * 32,
            "nonce": data.draw(st.integers(0, 3)),
            "body": data.draw(JSON),
        }
        body = data.draw(st.one_of(st.binary(max_size=40), st.just(json.dumps(envelope).encode())))
        header = data.draw(st.one_of(st.binary(max_size=40), st.just(json.dumps(envelope).encode())))
        headers = [(b"accord-envelope", header), (b"content-length", data.draw(st.binary(max_size=4)))]
        status, answer = alone.ask(data.draw(st.sampled_from(["GET", "POST", "PUT", "HEAD"])), path, body, headers)
        if status != 200:
            assert status < 500
            read_json(Problem, answer)

    check()


# -- the document ------------------------------------------------------------------------------


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(inner) for inner in value)) if isinstance(value, list) else set()


def check_document(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= schemas.keys()
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["responses"]["200"]["content"]
            assert operation["responses"]["4XX"]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Problem"
            }
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


def test_the_document_has_every_message() -> None:
    document = member_api(cast(Handlers, Handlers), Peers("", tuple), ReplayGuard(), "1").openapi()
    check_document(document)
    for message in MESSAGES:
        operation = document["paths"][message.path]["post"]
        ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        envelope = document["components"]["schemas"][ref.rpartition("/")[2]]
        assert envelope["additionalProperties"] is False
        assert envelope["properties"]["body"] == {"$ref": f"#/components/schemas/{message.__name__}"}
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert answer == f"#/components/schemas/{message.answers.__name__}"


def test_the_command_prints_it() -> None:
    done = subprocess.run([sys.executable, "-m", "parties.calls.member_api"], capture_output=True, check=True)
    assert json.loads(done.stdout)["openapi"].startswith("3.")
