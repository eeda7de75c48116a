"""How a node's jobs reach other members: calls, pieces of shares, and who is there. The interface only.

Production: members.py. Tests: the same jobs over a network in memory, whose every message can be lost or kill a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from parties.membership.charter import Member
from parties.wire.message_form import Message, Strict

__all__ = ["MOST_PARTS", "Lost", "Network"]

MOST_PARTS = 1 << 20

A = TypeVar("A", bound=Strict)
Lost = Callable[[Member, str], None]
"""Called when a member is lost, with the reason in words."""


class Network(Protocol):
    """Calls from this node. Errors are PeerCallFailed, which name the member."""

    async def call(self, member: Member, message: Message[A], job: str = "", *, within: float | None = None) -> A:
        """Send a message, give the answer; ``within`` seconds. PeerUnreachable as soon as the member is lost."""
        ...

    async def send_part(
        self, member: Member, job: str, purpose: str, name: str, part: int, content: bytes, parts: int = MOST_PARTS
    ) -> None:
        """Send one part of shares; returns when the member has kept it. ``parts``: how many there are, if known."""
        ...

    def is_there(self, member: Member) -> bool:
        """Whether its node was heard within the last moments."""
        ...

    async def await_there(self, member: Member) -> None:
        """Until it is there."""
        ...
