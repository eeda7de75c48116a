"""Secret integers as arrays of their bits, and back: what decompose.py does, on SecretArray and SecretBits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import bits, decompose
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange, ShapeMismatch
from mpc.secret import Shape, operation

__all__ = ["from_bits", "to_bits"]

Words = npt.NDArray[np.uint64]


def _with_bits(x: SecretArray, count: int) -> Shape:
    return (*x.shape, count)


def to_bits(x: SecretArray, count: int = 64) -> SecretBits:
    """The ``count`` low bits of every word, lowest first along a new last axis (two's complement; 1 <= count <= 64).

    Of 64 bits the packed components are an XOR-sharing of the words themselves. Rounds: 9 (m = 3, 64 bits). Sends:
    see decompose.to_bits. Leaks nothing.
    """
    if not 1 <= count <= 64:
        raise OutOfRange(f"{count} bits of a word of 64")
    return _to_bits(x, count)


@operation(SecretBits, _with_bits)
async def _to_bits(x: SecretArray, count: int) -> SecretBits:
    k, n = x.party.layout.k, x.size
    planes = await decompose.to_bits(x.party, np.ascontiguousarray(x.share).reshape(k, n), count)
    words = np.empty((k, n), np.uint64)
    for c in range(k):
        bits.from_planes(planes[c], words[c])
    if count == 64:
        return SecretBits(x.party, words, (*x.shape, 64))
    rows = np.stack([bits.unpack(w, 64 * n).reshape(n, 64)[:, :count] for w in words])
    return SecretBits.packed(x.party, rows.reshape(k, *x.shape, count))


def _without_bits(b: SecretBits) -> Shape:
    if not b.shape or not 1 <= b.shape[-1] <= 64:
        raise ShapeMismatch(f"shape {b.shape}: the last axis has the bits of a number, 1 to 64")
    return b.shape[:-1]


@operation(SecretArray, _without_bits)
async def from_bits(b: SecretBits) -> SecretArray:
    """The integers whose bits, lowest first, are along the last axis: of 64 bits two's complement, of fewer unsigned.

    Rounds: 12 (m = 3), and up to 16 bits 2. Sends: see decompose.from_bits. Leaks nothing.
    """
    shape = _without_bits(b)
    k, count = b.party.layout.k, b.shape[-1]
    n = b.size // count
    if count == 64:
        words = b.words
    else:
        rows = np.zeros((k, n, 64), np.bool_)
        rows[:, :, :count] = b.unpacked().reshape(k, n, count)
        words = np.stack([bits.pack(r) for r in rows])
    planes = np.empty((k, count, bits.plane_words(n)), np.uint64)
    for c in range(k):
        bits.to_planes(np.ascontiguousarray(words[c]), planes[c])
    numbers = await decompose.from_bits(b.party, planes, n)
    return SecretArray(b.party, numbers.reshape(k, *shape))
