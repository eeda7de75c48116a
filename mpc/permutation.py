"""Kernels for permutations: draw one from a stream of random words, apply, compose, invert. Pure; no parties.

A permutation of n rows is an int32 array p; applying it to x gives y with y[i] = x[p[i]], as numpy indexing does.
``lanes`` equal blocks of rows may be permuted each within itself: p is then block-diagonal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numba as nb
import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange
from mpc.prss import Stream

__all__ = ["Index", "compose", "draw", "gather", "gather_flat", "inverse", "is_permutation", "uniform"]

Index = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

_I = nb.types.Array(nb.int32, 1, "C")
_N = nb.types.Array(nb.uint32, 1, "C")
_FLAT = [(nb.types.Array(t, 1, "A"), nb.types.Array(t, 1, "C")) for t in (nb.uint64, nb.uint8, nb.int32)]
_ROWS = [(nb.types.Array(t, 2, "A"), nb.types.Array(t, 2, "C")) for t in (nb.uint64, nb.uint8)]
_MOST = (1 << 31) - 1


@nb.njit([nb.int64(_N, _I, nb.int64, nb.int64)], cache=True, nogil=True)
def _fisher_yates(random: npt.NDArray[np.uint32], out: Index, length: int, done: int) -> int:
    """Go on with the shuffle of ``out`` in lanes of ``length``; the number of steps done so far, when words run out.

    Step number lane * length + s swaps place length - 1 - s of the lane with a place drawn from those up to it.
    """
    used = 0
    last = np.uint64(0xFFFFFFFF)
    while done < out.size:
        bound = np.uint64(length - done % length)
        start = done - done % length
        if bound > np.uint64(1):
            # Lemire, Fast random integer generation in an interval (2019): x * bound >> 32, the x that would make
            # some results likelier than others thrown away
            product = np.uint64(0)
            while True:
                if used == random.size:
                    return done
                product = np.uint64(random[used]) * bound
                used += 1
                low = product & last
                if low >= bound or low >= (last - bound + np.uint64(1)) % bound:
                    break
            i = start + np.int64(bound) - 1
            j = start + np.int64(product >> np.uint64(32))
            keep = out[i]
            out[i] = out[j]
            out[j] = keep
        done += 1
    return done


def uniform(draw: Callable[[int, int], Words], n: int, lanes: int = 1) -> Index:
    """A uniformly random permutation of each of ``lanes`` blocks of n / lanes rows.

    Fisher-Yates with exact rejection: every permutation is exactly as likely as every other.

    Args:
        draw: ``draw(attempt, count)`` gives ``count`` uniform words, other ones for every attempt 0, 1, ...
            The first attempt nearly always suffices.
        n: rows, below 2^31.
        lanes: blocks; divides n.
    """
    if n > _MOST:
        raise OutOfRange(f"a permutation of {n} rows: at most {_MOST}")
    out = np.arange(n, dtype=np.int32)
    attempt, done = 0, 0
    while done < n:
        spare = (n - done) * (n // lanes) // (1 << 32)
        words = draw(attempt, (n - done + spare) // 2 + 16)
        done = _fisher_yates(words.view(np.uint32), out, n // lanes, done)
        attempt += 1
    return out


def draw(stream: Stream, label: bytes, n: int, lanes: int = 1) -> Index:
    """The uniform permutation that all who share the stream draw under this label."""

    def words(attempt: int, count: int) -> Words:
        again = hashlib.blake2b(label + bytes([attempt]), digest_size=len(label)).digest()
        return stream.words(again if attempt else label, count)

    return uniform(words, n, lanes)


@nb.njit([nb.void(x, _I, out) for x, out in _FLAT], cache=True, nogil=True)
def gather_flat(x: npt.NDArray[np.generic], p: Index, out: npt.NDArray[np.generic]) -> None:
    """out[i] = x[p[i]], for as many i as ``p`` has; unchecked."""
    for i in range(p.size):
        out[i] = x[p[i]]


@nb.njit([nb.void(x, _I, out) for x, out in _ROWS], cache=True, nogil=True)
def _gather_rows(x: npt.NDArray[np.generic], p: Index, out: npt.NDArray[np.generic]) -> None:
    for i in range(p.size):
        for c in range(x.shape[1]):
            out[i, c] = x[p[i], c]


def gather(x: npt.NDArray[np.generic], p: Index, out: npt.NDArray[np.generic]) -> None:
    """Rows of x (n, columns): out[i] = x[p[i]]; unchecked, ``out`` contiguous."""
    if x.shape[1] == 1:
        gather_flat(x[:, 0], p, out[:, 0] if out.flags.c_contiguous else out.reshape(-1))
    else:
        _gather_rows(x, p, out)


def compose(p: Index, q: Index) -> Index:
    """The permutation that first applies p, then q: p[q]."""
    out = np.empty_like(q)
    gather_flat(p, q, out)
    return out


@nb.njit([nb.void(_I, _I)], cache=True, nogil=True)
def _invert(p: Index, out: Index) -> None:
    for i in range(p.size):
        out[p[i]] = i


def inverse(p: Index) -> Index:
    """The permutation that undoes p."""
    out = np.empty_like(p)
    _invert(p, out)
    return out


@nb.njit([nb.boolean(nb.types.Array(nb.int64, 1, "C"))], cache=True, nogil=True)
def _holds_all(values: npt.NDArray[np.int64]) -> bool:
    seen = np.zeros(values.size, np.bool_)
    for v in values:
        if v < 0 or v >= values.size or seen[v]:
            return False
        seen[v] = True
    return True


def is_permutation(values: npt.NDArray[np.integer]) -> bool:
    """Whether a flat integer array holds every number from 0 to its length - 1 once."""
    return bool(_holds_all(np.ascontiguousarray(values, dtype=np.int64)))
