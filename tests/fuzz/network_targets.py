"""What comes over a connection to a node: messages, meetings, certificates, HTTP."""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Iterator
from random import Random
from typing import Any, cast

import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypercorn.trio.worker_context import WorkerContext

from parties.beginning.meeting_wire import Answer, Draft, Hello, InForce, Join, Pipe, Progress, Welcome
from parties.calls.https_connection import Connection
from parties.calls.https_limits import Caller, Limits
from parties.calls.https_server import _config
from parties.calls.member_api import member_api
from parties.calls.quiet_log import QuietLog
from parties.errors import CertificateInvalid, JobInvalid, MeetingBroken, MessageInvalid, PeerRefused
from parties.jobs.job import read_job
from parties.keys.leaf import signer_name
from parties.membership.peers import Peers
from parties.membership.trust import peer_of, person_of
from parties.mesh.lanes import _der
from parties.wire.envelope import ReplayGuard
from parties.wire.lane_messages import LaneConnect, LaneEntry, LanePrepare
from parties.wire.meeting import Beat, CharterAnswer, HelloAnswer, Table, Tables
from parties.wire.message_form import Envelope, Strict, read_json
from parties.wire.messages import (
    Abort,
    Accept,
    Ballot,
    Decided,
    Piece,
    Prepare,
    ProgressReport,
    Propose,
    Ready,
    Reserve,
    Run,
    StateAnswer,
    StateQuery,
)
from parties.wire.people_messages import Submit, TableChoice
from tests.fuzz.mutations import BYTES, JSON
from tests.fuzz.target import Target
from tests.parties.consortium import charter, identity
from tests.parties.control_plane import ACCEPTANCE, JOB, SIGNATURE, Noting
from tests.parties.made_jobs import job

__all__ = ["BOOT", "ENVELOPES", "REQUESTS", "certificate", "network_targets"]

BOOT = "0" * 32
_FIRST = charter()
_NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_ENTRY = LaneEntry(member="0f" * 32, port=7700, certificate="-----", contribution="0f" * 32)
VOTE = SIGNATURE + "0f" * 32
_BALLOT = Ballot(round=1, member=2)
_BODIES: tuple[Strict, ...] = (
    LanePrepare(lane=1, epoch=2),
    LaneConnect(lane=1, epoch=2, entries=[_ENTRY] * 3),
    Propose(job=job().canonical.decode(), signature=SIGNATURE, tables=['{"name":"patients"}']),
    Reserve(acceptances={"alfa": ACCEPTANCE, "bravo": ACCEPTANCE}),
    Run(lane=0, epoch=1, number=1),
    Ready(epoch=1, vote=VOTE),
    Prepare(ballot=_BALLOT),
    Accept(ballot=_BALLOT, value="release", votes={"alfa": VOTE}),
    Decided(value="release", text="why", votes={"alfa": VOTE}),
    Abort(text="bravo is gone", job=job().canonical.decode(), signature=SIGNATURE),
    StateQuery(),
    ProgressReport(operation="join", rounds=3, sent=10**9, fraction=0.5),
    Piece(purpose="answer", name="answer", part=0, parts=1, size=5, sha256="0f" * 32),
)


def _enveloped(body: Strict) -> bytes:
    about = "" if isinstance(body, LanePrepare | LaneConnect) else JOB
    model = cast(Any, Envelope)[type(body)]
    made = model(charter=_FIRST.digest, job=about, boot=BOOT, nonce=1, body=body)
    return cast(str, made.model_dump_json()).encode()


ENVELOPES: dict[str, bytes] = {getattr(body, "path", "/v1/job/piece"): _enveloped(body) for body in _BODIES}
"""A good message of each route."""

# -- messages --------------------------------------------------------------------------------------


def _messages() -> list[Target]:
    models = {type(body).__name__: (cast(Any, Envelope)[type(body)], _enveloped(body)) for body in _BODIES}
    answers: list[Strict] = [
        HelloAnswer(boot=BOOT, seen=0, charter=_FIRST.digest, version=1, release="0.1.0", time=1e9),
        CharterAnswer(latest=1, charter="a = 1", signatures="{}"),
        Tables(tables=[Table(name="patients", description={"columns": [{"name": "age"}]})]),
        Beat(boot=BOOT, number=0, charter=_FIRST.digest),
        StateAnswer(state="RELEASED", voted=True, votes={"alfa": VOTE}),
        Submit(kind="count", parameters={"by": ["a", 1, None, {"deep": True}]}, deadline=60, key="k",
               tables=[TableChoice(member="alfa", table="patients")], results=["alfa"]),
    ]  # fmt: skip
    models |= {type(one).__name__: (type(one), one.model_dump_json().encode()) for one in answers}

    def read(data: bytes) -> None:
        """The first byte says whose it is, so that one target has all: a seed's own model, and another's."""
        model, _ = list(models.values())[data[0] % len(models)] if data else models["Beat"]
        made = read_json(model, data[1:])
        for text in (getattr(getattr(made, "body", None), "job", None),):
            if text is not None:
                read_job(text.encode("utf-8"))  # as step_answers.py has it
        assert read_json(model, made.model_dump_json()) == made, "it is not read back as it was written"

    def changed(random: Random, seed: bytes, others: Any) -> bytes:
        first = bytes([random.getrandbits(8)]) if not random.getrandbits(5) else seed[:1]
        return first + JSON(random, seed[1:], [other[1:] for other in others])

    seeds = tuple(bytes([i]) + good for i, (_, good) in enumerate(models.values()))
    return [Target("messages", seeds, changed, read, (MessageInvalid, JobInvalid), 120)]


# -- certificates ----------------------------------------------------------------------------------


def certificate(i: int) -> bytes:
    """A leaf of identity ``i``, DER, good for a hundred years and the same every time."""
    key = ec.derive_private_key(1 + i, ec.SECP256R1()).public_key()
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accord node")]))
        .issuer_name(signer_name(identity(i).public))
        .public_key(key)
        .serial_number(1 + i)
        .not_valid_before(_NOW - datetime.timedelta(days=1))
        .not_valid_after(_NOW + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return identity(i).sign_certificate(builder).public_bytes(Encoding.DER)


def _certificates() -> list[Target]:
    ders = (certificate(1), certificate(2))
    pems = tuple(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)
    people = {"ann": identity(1).public}

    def judged(data: bytes) -> None:
        with contextlib.suppress(PeerRefused):
            person_of(data, people, _NOW)
        member = peer_of(data, _FIRST, identity(0).fingerprint, _NOW)
        assert data in ders, f"a certificate that was changed is {member.name}'s"

    def offered(data: bytes) -> None:
        _der(data.decode("ascii", "replace"))

    return [
        Target("certificate", ders, BYTES, judged, (PeerRefused,), 30),
        Target("offer", pems, BYTES, offered, (CertificateInvalid,), 15),
    ]


# -- meetings --------------------------------------------------------------------------------------


def _meetings() -> list[Target]:
    key, proof = "ed25519:" + identity(1).public.hex(), "0f" * 32
    said = [
        Hello(key=key, nonce=BOOT),
        Join(invitation=BOOT, key=key, address="a.example:1", nonce=BOOT, proof=proof, signature=SIGNATURE),
        Welcome(proof=proof, consortium="Banks", founder="alfa", name="bravo", address=None, roles=["compute"]),
        Progress(stage="joining", missing=["bravo"]),
        Draft(charter="a = 1", signatures="{}"),
        Answer(signatures="{}"),
        InForce(signatures="{}"),
    ]
    kinds = tuple(type(one) for one in said)
    seeds = []
    for one in said:
        content = one.model_dump_json().encode()
        seeds.append(len(content).to_bytes(4, "big") + content)
    seeds.append(b"".join(seeds))

    def changed(random: Random, seed: bytes, others: Any) -> bytes:
        size = int.from_bytes(seed[:4], "big")
        if random.getrandbits(1) or len(seed) != 4 + size:
            return BYTES(random, seed, others)
        content = JSON(random, seed[4:], [seed[4:]])
        return len(content).to_bytes(4, "big") + content

    async def heard(data: bytes) -> None:
        near, far = trio.testing.memory_stream_pair()
        await far.send_all(data)
        await far.send_eof()
        pipe = Pipe(near)
        try:
            while True:
                await pipe.receive(*kinds, most=1 << 16)
        except MeetingBroken as error:
            if "closed the connection" not in str(error):  # else that was all
                raise

    def run(data: bytes) -> None:
        trio.run(heard, data)

    return [Target("meeting", tuple(seeds), changed, run, (MeetingBroken,), 15, (1 << 20, 80))]


# -- HTTP ------------------------------------------------------------------------------------------


def _request(line: str, body: bytes = b"", *headers: str) -> bytes:
    head = [line + " HTTP/1.1", "host: x", *headers, *([f"content-length: {len(body)}"] if body else [])]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


REQUESTS: tuple[bytes, ...] = (
    *(_request(f"POST {path}", content) for path, content in ENVELOPES.items() if path != "/v1/job/piece"),
    _request("POST /v1/job/piece", b"12345", "accord-envelope: " + ENVELOPES["/v1/job/piece"].decode()),
    _request(f"GET /v1/hello?charter={_FIRST.digest}"),
    _request(f"GET /v1/watch?charter={_FIRST.digest}"),
    _request("GET /v1/charter?version=1") + _request("GET /v1/tables"),
    _request("POST /v1/job/state", b"", "transfer-encoding: chunked", "expect: 100-continue")
    + b"%x\r\n" % len(ENVELOPES["/v1/job/state"])
    + ENVELOPES["/v1/job/state"]
    + b"\r\n0\r\n\r\n",
)
"""Good ones, of a member; their bodies are ENVELOPES."""


class _Stream:
    """A TLS stream, after its handshake, of a peer that says ``data`` in pieces and reads everything."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._random = Random(len(data))
        self.transport_stream = self.socket = self
        self.answered = bytearray()
        self._sending = False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """As trio's streams have it."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        yield
        self._sending = False

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 2

    async def receive_some(self, most: int) -> bytes:
        await trio.lowlevel.checkpoint()
        low, self._at = self._at, self._at + min(most, 1 << self._random.randrange(4, 16))
        return self._data[low : self._at]

    async def send_all(self, data: bytes) -> None:
        with self._alone():
            for _ in range(self._random.randrange(1, 6)):  # a peer that reads slowly
                await trio.lowlevel.checkpoint()
            self.answered += data

    async def send_eof(self) -> None:
        with self._alone():
            await trio.lowlevel.checkpoint()


class _Http:
    """Member 0's interface to members, behind its HTTP; what member 1 sends is changed."""

    def __init__(self) -> None:
        self._notes = logging.getLogger("tests.fuzz.http")
        self._notes.propagate, self._faults = False, list[str]()
        self._notes.addFilter(lambda record: bool(self._faults.append(record.getMessage())) and False)
        self._notes.setLevel(logging.DEBUG)
        peers = Peers(identity(0).fingerprint, lambda: [_FIRST])
        self._caller = Caller(certificate(1), identity(1).fingerprint, ("127.0.0.1", 1))
        self._guard = ReplayGuard(BOOT)
        self._api = member_api(Noting(), peers, self._guard, "1", log=self._notes)

    def run(self, data: bytes) -> None:
        self._faults.clear()
        answered = trio.run(self._served, data)
        assert not self._faults, self._faults
        assert answered[:9] in (b"", b"HTTP/1.1 "), answered[:60]
        assert b"HTTP/1.1 500" not in answered, "a fault of its own"

    async def _served(self, data: bytes) -> bytes:
        self._guard._seen.clear()
        stopping = trio.Event()
        stopping.set()  # so that a watch ends
        stream, limits, log = _Stream(data), Limits(), QuietLog(self._notes, trio.current_time)
        context = WorkerContext(None)
        with trio.fail_after(20):
            connection = Connection(
                self._api, cast(Any, stream), self._caller, limits, _config(limits), context, stopping, log
            )
            await connection.run()
        return bytes(stream.answered)


def _https() -> list[Target]:
    def changed(random: Random, seed: bytes, others: Any) -> bytes:
        head, end, body = seed.partition(b"\r\n\r\n")
        if body[:1] == b"{" and random.getrandbits(1):
            body = JSON(random, body, list(ENVELOPES.values()))
            head = head.rpartition(b": ")[0] + b": %d" % len(body)
            return head + end + body
        return BYTES(random, seed, others)

    return [Target("http", REQUESTS, changed, _Http().run, (), 10, (8 << 20, 80))]


def network_targets() -> list[Target]:
    """All of them."""
    return [*_messages(), *_certificates(), *_meetings(), *_https()]
