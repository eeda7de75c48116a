"""A large array, or a large message of MPyC, travels in several frames."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from mpc.mailbox import LABEL_BYTES

__all__ = ["deepest", "frames", "pieces"]

_LARGEST = 8 << 20  # bytes of payload in one frame


def frames(label: bytes, array: Any, largest: int) -> list[tuple[bytes, memoryview]]:
    """The frames of at most ``largest`` bytes an array travels in: (label, bytes) each; the first has the label given.

    Sender and receiver cut alike: ``largest`` is the same at all parties.
    """
    if not array.nbytes:
        return [(label, memoryview(bytearray()))]
    if array.nbytes <= min(largest, _LARGEST):
        return [(label, memoryview(array).cast("B"))]
    return [(_part(label, i), piece) for i, piece in enumerate(pieces(memoryview(array).cast("B"), largest))]


def pieces(whole: memoryview, largest: int) -> list[memoryview]:
    """``whole`` in as few pieces of at most ``largest`` bytes, and of at most 8 MiB, as it takes; at least one."""
    largest = min(largest, _LARGEST)
    if len(whole) <= largest:
        return [whole]
    return [whole[start : start + largest] for start in range(0, len(whole), largest)]


def _part(label: bytes, i: int) -> bytes:
    return label if i == 0 else hashlib.blake2b(label + b"part %d" % i, digest_size=LABEL_BYTES).digest()


async def deepest(receipts: list[Awaitable[int]]) -> int:
    """The deepest of these receipts."""
    return max([await receipt for receipt in receipts])
