"""A large array travels in several frames."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from mpc.mailbox import LABEL_BYTES

__all__ = ["deepest", "frames"]

_LARGEST = 8 << 20  # bytes of payload in one frame


def frames(label: bytes, array: Any) -> list[tuple[bytes, memoryview]]:
    """The frames an array travels in: (label, bytes) each; the first has the label given."""
    if array.nbytes <= _LARGEST:
        return [(label, memoryview(array).cast("B") if array.nbytes else memoryview(bytearray()))]
    view = memoryview(array).cast("B")
    starts = range(0, len(view), _LARGEST)
    return [(_part(label, i), view[lo : lo + _LARGEST]) for i, lo in enumerate(starts)]


def _part(label: bytes, i: int) -> bytes:
    return label if i == 0 else hashlib.blake2b(label + b"part %d" % i, digest_size=LABEL_BYTES).digest()


async def deepest(receipts: list[Awaitable[int]]) -> int:
    """The deepest of these receipts."""
    return max([await receipt for receipt in receipts])
