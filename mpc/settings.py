"""What a node is told when it is made: who it is, who the others are, and every limit."""

from __future__ import annotations

import socket
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

from mpc.errors import OutOfRange, ThresholdTooLarge, TooFewParties, UnknownParty
from mpc.sharing import check_components

__all__ = ["NodeConfig", "Peer", "read_pem"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One line of the roster.

    Attributes:
        index: party index, 0..m-1.
        host, port: where it listens.
        fingerprint: SHA-256 of its certificate's DER form, in hex.
    """

    index: int
    host: str
    port: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Settings of one node. The same at all parties: the roster, threshold, session, max_frame.

    Attributes:
        index: this party.
        roster: all parties, this one too, in order of index.
        certificate, key: this party's, PEM, or a path to it.
        authority: certificate of the authority all parties' certificates come from, PEM, or a path to it.
        session: id of the session all parties agreed on; keys are derived from it, so never use one twice
            for data that must not be linked.
        threshold: most parties that may collude; default the most an honest majority allows, (m-1)//2.
        start_deadline: seconds in which all parties must have connected.
        heartbeat: seconds between checks whether all parties wait for each other, and scale of ``silence``.
        silence: seconds of a stopped peer's silence that are borne; default heartbeat + 1.
        farewell_deadline: seconds in which the others must have said farewell, when closing.
        max_frame: most payload bytes of one frame, 4,096 to 2^32 - 1; what is larger travels in several.
        mailbox_limit: most bytes kept of one peer that this party's program has not asked for yet, 600 for each
            frame included; as many again for programs this party has not begun yet. Also the most a message of
            MPyC may have that is larger than a frame.
        rtt: round-trip time in milliseconds to inject, for measuring.
        sec_param: MPyC's statistical security parameter, in bits.
        unsafe_peek: allow MPyC's ``peek``, which logs secrets.
        bind: address of the network interface to listen on; '' is all of them.
        listener: a bound and listening socket to take instead of binding the roster's port.
    """

    index: int
    roster: tuple[Peer, ...]
    certificate: bytes | str | Path = field(repr=False)
    key: bytes | str | Path = field(repr=False)
    authority: bytes | str | Path = field(repr=False)
    session: bytes
    threshold: int | None = None
    start_deadline: float = 30.0
    heartbeat: float = 1.0
    silence: float | None = None
    farewell_deadline: float = 5.0
    max_frame: int = 1 << 26
    mailbox_limit: int = 1 << 30
    rtt: float = 0.0
    sec_param: int = 40
    unsafe_peek: bool = False
    bind: str = ""
    listener: socket.socket | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.m < 3:
            raise TooFewParties(f"{self.m} parties: an honest majority needs at least 3")
        if not 0 <= 2 * self.t < self.m:
            raise ThresholdTooLarge(
                f"threshold {self.t} with {self.m} parties: at most {(self.m - 1) // 2} may collude, and at least 0"
            )
        check_components(self.m, self.t)
        if [peer.index for peer in self.roster] != list(range(self.m)):
            raise UnknownParty(f"the roster must list the parties 0..{self.m - 1} in order")
        if not 0 <= self.index < self.m:
            raise UnknownParty(f"party {self.index} is not on the roster of {self.m}")
        if len(set(self.fingerprints.values())) != self.m:
            raise UnknownParty("two parties on the roster have one certificate")
        if min(self.start_deadline, self.heartbeat, self.farewell_deadline, self.mailbox_limit) <= 0:
            raise OutOfRange("deadlines and limits must be positive")
        if not 4096 <= self.max_frame < 1 << 32:
            raise OutOfRange(f"max_frame {self.max_frame}: 4,096 to 2^32 - 1 bytes")
        if self.rtt < 0 or (self.silence is not None and self.silence <= 0) or not 0 < len(self.session) <= 1024:
            raise OutOfRange("rtt must not be negative, silence be positive, the session id have 1 to 1,024 bytes")

    @property
    def m(self) -> int:
        """Number of parties."""
        return len(self.roster)

    @property
    def t(self) -> int:
        """Threshold."""
        return (self.m - 1) // 2 if self.threshold is None else self.threshold

    @property
    def borne_silence(self) -> float:
        """Seconds of silence after which a peer is given up."""
        return self.heartbeat + 1.0 if self.silence is None else self.silence

    @property
    def fingerprints(self) -> dict[int, str]:
        """Fingerprints by index, in lower case."""
        return {peer.index: peer.fingerprint.lower().replace(":", "") for peer in self.roster}

    def mpyc_options(self) -> Namespace:
        """What MPyC's runtime would have read from the command line."""
        return Namespace(
            threshold=self.t,
            sec_param=self.sec_param,
            bit_length=32,
            no_prss=False,
            no_async=False,
            no_barrier=False,
            no_log=True,
            mix32_64bit=False,
            ssl=True,
            workers=0,
        )


def read_pem(given: bytes | str | Path) -> bytes:
    """PEM text given as such, or as a path."""
    if isinstance(given, bytes):
        return given
    if isinstance(given, str) and given.lstrip().startswith("-----BEGIN"):
        return given.encode("ascii")
    return Path(given).read_bytes()
