"""What a client raises of itself, when it asks a node."""

from __future__ import annotations

from typing import Any

from mpc.errors import AccordError, UsageError

__all__ = [
    "AddressInvalid",
    "JobFailed",
    "NodeAnswerInvalid",
    "NodeCallFailed",
    "NodeFailed",
    "NodeKeyUnknown",
    "NodeTimedOut",
    "NodeUnproven",
    "NodeUnreachable",
    "StillRunning",
]


class AddressInvalid(UsageError):
    """What was given as a node's address for its people is none; it looks like https://127.0.0.1:8600."""


class NodeKeyUnknown(UsageError):
    """Which key the node at an address has is not known here, or only its fingerprint: nobody was called."""


class NodeCallFailed(AccordError):
    """Somebody asked a member's node, and came to no answer. What the node did is not known, unless it is said.

    Attributes:
        url: of the node.
        text: what happened, and the way out.
    """

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.text = text
        super().__init__(f"the node at {url}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url, self.text)


class NodeUnreachable(NodeCallFailed):
    """No connection, no TLS handshake, or it broke before the answer, and for as long as the client was patient."""


class NodeTimedOut(NodeCallFailed):
    """The node is connected, and does not answer. You do not get it for a job that takes long: see StillRunning."""


class NodeUnproven(NodeCallFailed):
    """What answered has not the key that was expected. Nothing was sent to it."""


class NodeAnswerInvalid(NodeCallFailed):
    """The node's answer is too long, or not of the form agreed: is it of another release? Nothing of it was used."""


class NodeFailed(NodeCallFailed):
    """The node answered with an error that this release does not know, or with a fault of its own.

    Attributes:
        error: what the node calls it.
    """

    def __init__(self, url: str, error: str, text: str) -> None:
        self.error = error
        self.reason = text
        super().__init__(url, f"{error}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url, self.error, self.reason)


class JobFailed(AccordError):
    """A job ended without an answer, for a cause whose name this release does not know.

    Attributes:
        job: its id.
        error: name of the cause, as the node tells it.
        reason: the node's text.
    """

    def __init__(self, job: str, error: str, reason: str) -> None:
        self.job = job
        self.error = error
        self.reason = reason
        super().__init__(f"job {job}: {error}: {reason}" if reason else f"job {job}: {error}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.job, self.error, self.reason)


class StillRunning(AccordError, TimeoutError):
    """A job was not over within the time somebody waited for it. It goes on; ask for it again by its id.

    Attributes:
        job: its id.
    """

    def __init__(self, job: str, seconds: float) -> None:
        self.job = job
        self.seconds = seconds
        super().__init__(f"job {job} is not over after {seconds:g} s; it goes on, ask for it again by its id")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.job, self.seconds)
