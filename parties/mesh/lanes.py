"""Lanes: a node's part of the mesh. A lane is one warm worker at every compute member, all connected to each other.

Jobs run at the same time in different lanes, one after another in one; a crash costs its lane only. A lane is made in
two steps, which the coordinator asks for and in which nobody believes it:

1. prepare: every node takes a worker that has loaded its modules, and offers where it listens, a new certificate, and
   its contribution to the session's id.
2. connect: every node gets all offers, makes sure that each certificate is one of that member's identity
   (trust.peer_of), and lets its worker connect to those and no others. The session's id comes from everybody's
   contribution, so no session is ever had twice.

Source of the certificates: leaf.py. Keys of the session: mpc/agreement.py.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mpc.certificates import Credentials
from mpc.settings import Peer
from parties.errors import CertificateInvalid, LaneInvalid, LaneLost, WorkerLost
from parties.keys.leaf import anchors
from parties.membership.charter import Charter
from parties.membership.trust import peer_of
from parties.mesh.worker_process import WorkerProcess

__all__ = ["Lane", "Lanes", "Offer", "free_listener"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node offers for a lane.

    Attributes:
        port: where its worker listens, at the host of the member's address.
        certificate: its worker's, PEM.
        contribution: 32 random bytes to the session's id.
    """

    port: int
    certificate: str
    contribution: bytes


@dataclass
class Lane:
    """One lane as this node has it.

    Attributes:
        epoch: names this making of it.
        worker: this node's.
        credentials: of its worker.
        offer: this node's.
        session: of its workers' connections, hex; '' before they are all there.
        asked: its worker was told to connect.
        runs: how many were ordered, at the coordinator.
        taken: number of the latest run here.
        turn: held by the run under way.
    """

    epoch: int
    worker: WorkerProcess
    credentials: Credentials
    offer: Offer
    session: str = ""
    asked: bool = False
    runs: int = 0
    taken: int = 0
    turn: trio.Lock = field(default_factory=trio.Lock)

    @property
    def ready(self) -> bool:
        """Whether all workers are connected."""
        return self.session != ""

    def take(self, number: int) -> None:
        """Take a run's number, once: what masks its shares follows from it. LaneInvalid if it was taken."""
        if not self.ready:
            raise LaneInvalid("a job was to run in a lane that is not connected")
        if number <= self.taken:
            raise LaneInvalid(f"run {number} of a lane in which run {self.taken} was ordered before: numbers grow")
        self.taken = number


class Lanes:
    """This node's lanes, and one more worker that stands by.

    Args:
        me: this member's fingerprint; it computes.
        charter: gives the charter in force.
        credentials: makes a certificate and its key for a worker.
        listener: makes a listening socket.
        most: how many lanes.
        settings: further settings of the workers' nodes (mpc.settings.NodeConfig).
        clock: the time, UTC.
        silence: seconds a worker may be stopped.
    """

    def __init__(
        self,
        me: str,
        charter: Callable[[], Charter],
        credentials: Callable[[], Credentials],
        listener: Callable[[], socket.socket],
        most: int,
        settings: dict[str, Any],
        clock: Callable[[], datetime.datetime],
        silence: float = 1.0,
    ) -> None:
        self._me = me
        self._charter = charter
        self._credentials = credentials
        self._listener = listener
        self._most = most
        self._workers = 0
        self._settings = settings
        self._clock = clock
        self._silence = silence
        self._lanes: dict[int, Lane] = {}
        self._ended: dict[tuple[int, int], WorkerLost] = {}  # by number and epoch, the latest of each number
        self._spare: tuple[WorkerProcess, int] | None = None
        self._nursery: trio.Nursery | None = None

    def __repr__(self) -> str:
        states = (f"{n} {'ready' if lane.ready else 'not ready'}" for n, lane in self._lanes.items())
        return f"<lanes {', '.join(states)}>"

    @property
    def ready(self) -> int:
        """How many are connected."""
        return sum(lane.ready and lane.worker.lost is None for lane in self._lanes.values())

    async def attend(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The workers' lives: a task of the daemon. Cancelled, all end."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._stand_by()
            task_status.started()
            await trio.sleep_forever()

    async def prepare(self, number: int, epoch: int) -> Offer:
        """Step 1, here. A lane of this number that was there before is ended.

        LaneInvalid for more lanes than this node makes, or while too many workers of lanes before are still ending.
        """
        if number >= self._most:
            raise LaneInvalid(
                f"lane {number}: this node makes {self._most}, 0 to {self._most - 1}; `lanes` in node.toml, the same "
                "at all compute members, says how many"
            )
        if self._workers > 2 * self._most + 1:
            raise LaneInvalid(f"lane {number}: {self._workers} workers are here, some still ending: try again")
        self.drop(number, LaneLost(f"the lane is made anew, as {self._charter().compute[0].name} asked"))
        if self._spare is None or self._spare[0].lost is not None:
            self._stand_by()
        assert self._spare is not None
        (worker, port), self._spare = self._spare, None
        credentials = self._credentials()
        certificate = credentials.certificate.decode("ascii")
        lane = Lane(epoch, worker, credentials, Offer(port, certificate, secrets.token_bytes(32)))
        self._lanes[number] = lane
        return lane.offer

    async def connect(self, number: int, epoch: int, offers: Sequence[Offer]) -> str:
        """Step 2, here; it returns when all are connected: the session's id, hex.

        Args:
            offers: of all compute members, by index.

        Raises LaneInvalid, CertificateInvalid, WrongMember, NotAMember before anything is sent; WorkerLost, PeerMissing
        and the like if the workers do not find each other.
        """
        lane, charter = self.lane(number, epoch), self._charter()
        if lane.asked:
            raise LaneInvalid(f"lane {number} was connected before: it has to be made anew")
        compute = charter.compute
        index = next(i for i, member in enumerate(compute) if member.fingerprint == self._me)
        if len(offers) != len(compute) or offers[index] != lane.offer:
            raise LaneInvalid(f"lane {number}: the offers are not those of the {len(compute)} compute members")
        now, leaves = self._clock(), [_der(offer.certificate) for offer in offers]
        for i, (member, leaf) in enumerate(zip(compute, leaves, strict=True)):
            if i != index:
                peer_of(leaf, charter, self._me, now, member.fingerprint)
        roster = tuple(
            Peer(i, host_of(member.address or ""), offer.port, hashlib.sha256(leaf).hexdigest())
            for i, (member, offer, leaf) in enumerate(zip(compute, offers, leaves, strict=True))
        )
        session = session_of(charter.digest, number, epoch, offers)
        lane.asked = True
        try:
            await lane.worker.connect(
                {
                    **self._settings,
                    "index": index,
                    "roster": roster,
                    "certificate": lane.credentials.certificate,
                    "key": lane.credentials.key,
                    "authority": anchors(member.key for member in compute if member.fingerprint != self._me),
                    "threshold": charter.threshold,
                    "session": session,
                }
            )
        except BaseException:
            lane.worker.end("the lane was not made")
            raise
        lane.session = session.hex()
        if self._spare is None:  # not sooner: it would have taken the cores from those that are waited for
            self._stand_by()
        return lane.session

    def lane(self, number: int, epoch: int) -> Lane:
        """This making of this lane; WorkerLost, with what became of it, or LaneInvalid if it was never here."""
        lane = self._lanes.get(number)
        if lane is not None and lane.epoch == epoch:
            if lane.worker.lost is not None:
                raise lane.worker.lost
            return lane
        if (number, epoch) in self._ended:
            raise self._ended[number, epoch]
        raise LaneInvalid(f"lane {number} is not here (any more): it has to be made anew")

    def drop(self, number: int, why: str | WorkerLost) -> None:
        """End a lane here, and so everywhere: the other workers lose their peer."""
        lane = self._lanes.pop(number, None)
        if lane is not None:
            lane.worker.end(why)
            self._ended = {of: lost for of, lost in self._ended.items() if of[0] != number}
            if lane.worker.lost is not None:
                self._ended[number, lane.epoch] = lane.worker.lost

    def drop_all(self, why: str) -> None:
        """End all lanes here; the worker that stands by stays."""
        for number in list(self._lanes):
            self.drop(number, why)

    def _stand_by(self) -> None:
        assert self._nursery is not None
        listener = self._listener()
        port = listener.getsockname()[1]
        worker = WorkerProcess(listener, self._silence)
        self._workers += 1
        self._nursery.start_soon(self._attend, worker)
        self._spare = worker, port

    async def _attend(self, worker: WorkerProcess) -> None:
        try:
            await worker.attend()
        finally:
            self._workers -= 1


def session_of(digest: str, number: int, epoch: int, offers: Sequence[Offer]) -> bytes:
    """32 bytes for the session: everything that makes it one, under SHA-256."""
    said = hashlib.sha256(b"accord lane 1\0")
    for part in (digest.encode(), str(number).encode(), str(epoch).encode()):
        said.update(len(part).to_bytes(4, "big") + part)
    for offer in offers:
        leaf = hashlib.sha256(offer.certificate.encode()).digest()
        said.update(offer.port.to_bytes(2, "big") + leaf + offer.contribution)
    return said.digest()


def _der(certificate: str) -> bytes:
    try:
        return x509.load_pem_x509_certificate(certificate.encode("ascii")).public_bytes(Encoding.DER)
    except Exception:  # a foreign parser, given another member's bytes: whatever it raises, it is no certificate
        raise CertificateInvalid("a lane's offer holds no certificate of an Accord node") from None


def host_of(address: str) -> str:
    """The host in host:port or [v6]:port."""
    return address.rpartition(":")[0].strip("[]")


def free_listener(bind: str, ports: Sequence[int]) -> socket.socket:
    """A socket listening at the first port that is free; port 0 is any. LaneInvalid if none is."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    for port in ports:
        try:
            return socket.create_server((bind, port), family=family, backlog=128)
        except OSError:
            continue
    raise LaneInvalid(
        f"none of the ports {ports[0]} to {ports[-1]} at {bind or 'any address'} is free for a worker: give "
        "`worker_ports` in node.toml more of them, two for each lane"
    )
