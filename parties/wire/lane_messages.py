"""What nodes say to each other to make a lane: the parts of all, then all of them to everybody. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from parties.wire.message_form import Bytes32, Count, Digest, Fingerprint, Message, Strict

__all__ = ["Connected", "Lane", "LaneConnect", "LaneEntry", "LanePrepare", "Prepared"]

Lane = Annotated[int, Field(ge=0, le=255)]


class Prepared(Strict):
    """One compute member's part of a lane.

    Attributes:
        port: its worker listens at, at the host of the member's address.
        certificate: the worker's leaf, PEM.
        contribution: 32 random bytes for the session id.
    """

    port: Annotated[int, Field(ge=1, le=65535)]
    certificate: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=\n -]*$", max_length=4096)]
    contribution: Bytes32


class LanePrepare(Message[Prepared]):
    """Make a worker ready for a lane, under a new epoch."""

    path = "/v1/lane/prepare"
    answers = Prepared
    about_job = False
    lane: Lane
    epoch: Count


class LaneEntry(Prepared):
    """What one member answered."""

    member: Fingerprint


class Connected(Strict):
    """The worker is connected to all others.

    Attributes:
        session: digest of all that was agreed, the same at every member.
    """

    session: Digest


class LaneConnect(Message[Connected]):
    """Connect the lane's workers: everybody's part, in the order of the compute members' indexes."""

    path = "/v1/lane/connect"
    most = 512 * 1024
    answers = Connected
    about_job = False
    lane: Lane
    epoch: Count
    entries: Annotated[list[LaneEntry], Field(min_length=3, max_length=32)]
