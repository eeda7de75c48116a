"""Bit-sliced kernels: 64 rows to a word. Pure; no parties.

A *plane* holds one bit of every row: bit r of word w is the bit of row 64 w + r. An array of n words of 64 bits
is 64 planes of ceil(n/64) words; rows that fill up the last word are zero.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["and3", "and_table", "from_planes", "pack", "plane_words", "to_planes", "unpack"]

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

_V = nb.types.Array(nb.uint64, 1, "C")
_P = nb.types.Array(nb.uint64, 2, "C")
_T = nb.types.Array(nb.boolean, 2, "C")


def plane_words(n: int) -> int:
    """Words a plane of n rows takes."""
    return -(-n // 64)


@nb.njit(cache=True, nogil=True, inline="always")
def _transpose(block: Words) -> None:
    """In place: bit j of word i <-> bit i of word j, of 64 words (Warren, Hacker's Delight, 7-3)."""
    j = np.uint64(32)
    mask = np.uint64(0x00000000FFFFFFFF)
    while j != np.uint64(0):
        width = np.int64(j)
        for base in range(0, 64, 2 * width):
            for k in range(base, base + width):
                t = ((block[k] >> j) ^ block[k + width]) & mask
                block[k] ^= t << j
                block[k + width] ^= t
        j >>= np.uint64(1)
        mask ^= mask << j


@nb.njit([nb.void(_V, _P)], cache=True, nogil=True)
def to_planes(words: Words, planes: Words) -> None:
    """planes[b] = bit b of every word, for as many low bits as ``planes`` has rows."""
    n = words.size
    count = planes.shape[0]
    block = np.empty(64, np.uint64)
    for w in range(planes.shape[1]):
        lo = 64 * w
        rows = min(64, n - lo)
        for r in range(rows):
            block[r] = words[lo + r]
        for r in range(rows, 64):
            block[r] = np.uint64(0)
        _transpose(block)
        for b in range(count):
            planes[b, w] = block[b]


@nb.njit([nb.void(_P, _V)], cache=True, nogil=True)
def from_planes(planes: Words, words: Words) -> None:
    """The words whose low bits are these planes; higher bits are zero."""
    n = words.size
    count = planes.shape[0]
    block = np.empty(64, np.uint64)
    for w in range(planes.shape[1]):
        for b in range(count):
            block[b] = planes[b, w]
        for b in range(count, 64):
            block[b] = np.uint64(0)
        _transpose(block)
        lo = 64 * w
        for r in range(min(64, n - lo)):
            words[lo + r] = block[r]


@nb.njit([nb.void(_V, _V, _V, _V, _V)], cache=True, nogil=True)
def and3(x0: Words, x1: Words, y0: Words, y1: Words, out: Words) -> None:
    """out = x0 (y0 + y1) + x1 y0 over bits: the m = 3 product before its share of zero."""
    for i in range(out.size):
        out[i] = (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i])


@nb.njit([nb.void(_P, _P, _T, _V)], cache=True, nogil=True)
def and_table(x: Words, y: Words, table: Bools, out: Words) -> None:
    """out = XOR of x[a] & y[b] over the pairs (a, b) of the table: the product before its share of zero."""
    k, n = x.shape
    out[:] = np.uint64(0)
    step = 2048
    inner = np.empty(step, np.uint64)
    for lo in range(0, n, step):
        hi = min(n, lo + step)
        for a in range(k):
            used = False
            for b in range(k):
                if table[a, b]:
                    if used:
                        for i in range(lo, hi):
                            inner[i - lo] ^= y[b, i]
                    else:
                        for i in range(lo, hi):
                            inner[i - lo] = y[b, i]
                        used = True
            if used:
                for i in range(lo, hi):
                    out[i] ^= x[a, i] & inner[i - lo]


def pack(bools: Bools) -> Words:
    """A flat array of booleans as ceil(n/64) words."""
    n = bools.size
    padded = np.zeros(plane_words(n) * 64, np.uint8)
    padded[:n] = bools.reshape(-1)
    return np.packbits(padded, bitorder="little").view(np.uint64)


def unpack(words: Words, n: int) -> Bools:
    """The first n bits of packed words."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), count=n, bitorder="little").view(np.bool_)
