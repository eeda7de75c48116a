"""What a server bears of its callers, and what an application is told of the one it serves. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Allowance", "Caller", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server bears. Times are seconds, sizes bytes.

    Attributes:
        handshake: for TLS, from the connection on.
        idle: for a request's head, from the connection or the answer before on.
        body: for a request's body.
        write: for 64 KiB of an answer.
        grace: for requests under way when the server stops.
        head_bytes, headers: of a request's head.
        body_bytes: of a body, where a route does not allow more.
        handshakes, per_address: connections that have not shown a certificate yet, of all and of one address.
        connections, per_caller: connections that have, of all and of one identity.
    """

    handshake: float = 5.0
    idle: float = 75.0
    body: float = 30.0
    write: float = 30.0
    grace: float = 5.0
    head_bytes: int = 16 * 1024
    headers: int = 64
    body_bytes: int = 1 << 20
    handshakes: int = 256
    per_address: int = 64
    connections: int = 512
    per_caller: int = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end, after TLS and the server's ``admit``.

    Attributes:
        certificate: DER.
        who: what ``admit`` gave: the fingerprint of its identity.
        address: host and port.
    """

    certificate: bytes
    who: str
    address: tuple[str, int]


@dataclass(slots=True)
class Allowance:
    """How much of one request's body may come, and how long that may take. A route may change it before it reads."""

    size: int
    seconds: float
