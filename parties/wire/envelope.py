"""How every message between members is stamped, and why none is ever taken twice. Pure: no clock, disk or sockets.

At each start a node draws a *boot id*. Its peers learn it by ``hello``, with the highest number it has had from them,
and put it on every message beside a number that grows. So a message is new if it states the boot id of now and a number
not seen yet; one that was recorded before a restart states another boot id. Nothing of this has to survive on disk.

TLS lets nobody but the sender itself repeat a message. This guards against a sender that lies, or that was restored
from a copy of its machine.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from parties.errors import BootStale, MessageReplayed

__all__ = ["LAST_NONCE", "WINDOW", "Outbox", "ReplayGuard", "Stamp"]

WINDOW = 1024
"""How far behind the highest number of its sender a message may come in."""

LAST_NONCE = 2**53 - 1
"""Numbers go from 1 to this one, the largest that every reader of JSON has exactly."""

_MOST_SENDERS = 4096


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one message is stamped with.

    Attributes:
        boot: the receiver's boot id, 32 hex digits.
        nonce: 1 to LAST_NONCE.
    """

    boot: str
    nonce: int


class Outbox:
    """The numbers of one sender's messages to one receiver."""

    def __init__(self) -> None:
        self._boot = ""
        self._nonce = 0
        self._known = False

    def greeted(self, boot: str, seen: int) -> None:
        """The receiver's answer to hello: its boot id, and the highest number it has had from this member.

        The highest number counts, for this sender may have started anew while the receiver went on.
        """
        if boot == self._boot:
            self._nonce = max(self._nonce, seen)
        else:
            self._boot, self._nonce = boot, seen
        self._known = True

    def stamp(self) -> Stamp | None:
        """For the next message; None if hello comes first."""
        if not self._known or self._nonce >= LAST_NONCE:
            return None
        self._nonce += 1
        return Stamp(self._boot, self._nonce)

    def forget(self, boot: str) -> None:
        """A message with this boot id was refused: hello comes first. One learnt meanwhile stays."""
        if self._boot == boot:
            self._known = False


class ReplayGuard:
    """What one receiver has had of all senders, in bounded memory: 150 bytes a sender, and 4,096 senders.

    Args:
        boot: 32 hex digits; by default drawn from the operating system's randomness. Give one only in tests.
    """

    def __init__(self, boot: str | None = None) -> None:
        self.boot = secrets.token_hex(16) if boot is None else boot
        self._seen: dict[str, tuple[int, int]] = {}  # by sender: highest number, and bit i: that number - i was seen

    def highest(self, sender: str) -> int:
        """The highest number had from this sender, 0 if none: what hello answers."""
        return self._seen.get(sender, (0, 0))[0]

    def check(self, sender: str, boot: str, nonce: int) -> None:
        """Take note of a message; BootStale or MessageReplayed if it must not be acted on.

        1. It states the boot id of now.                                              (else BootStale)
        2. Its number is new: above all so far, or one of the 1,024 below and not seen. (else MessageReplayed)
        """
        if boot != self.boot:
            raise BootStale("the message is meant for an earlier start of this node: say hello, and send it anew")
        top, bits = self._seen.get(sender, (0, 0))
        if nonce > top:
            shift = nonce - top
            bits = 1 | (bits << shift if shift < WINDOW else 0)
            top = nonce
        else:
            behind = top - nonce
            if nonce < 1 or behind >= WINDOW or bits >> behind & 1:
                raise MessageReplayed(f"message {nonce} was taken before, or is too old to tell: the highest was {top}")
            bits |= 1 << behind
        if sender not in self._seen and len(self._seen) >= _MOST_SENDERS:
            self._begin_anew()
            raise BootStale("too many members were heard to remember them all: say hello, and send it anew")
        self._seen[sender] = top, bits & ((1 << WINDOW) - 1)

    def _begin_anew(self) -> None:
        """Forget all senders; safe, since no message stamped so far fits the new boot id."""
        self._seen.clear()
        self.boot = secrets.token_hex(16)
