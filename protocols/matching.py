"""What the helper of a join does: find equal tags in two lists. Plaintext, on pseudonyms; nothing is sent.

Tags are 128 bits, (n, 2) words, and pseudorandom if their senders follow the protocol. If they do not, the kernels
still stay within their arrays and in linear expected time: the place of a tag depends on random numbers of the
helper's own.

Both lists are first split by some bits of that place, so that the hash table of a part stays in the cache (Manegold,
Boncz, Kersten: Optimizing main-memory join on modern hardware, TKDE 2002).
"""

from __future__ import annotations

import secrets
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from mpc.permutation import Index

__all__ = ["match"]

Tags = npt.NDArray[np.uint64]
Starts = npt.NDArray[np.int64]

_PART = 11  # log2 of the rows of a part
_MOST = 12  # log2 of the parts

_T = nb.types.Array(nb.uint64, 2, "C")
_I = nb.types.Array(nb.int32, 1, "C")
_L = nb.types.Array(nb.int64, 1, "C")


@nb.njit(cache=True, nogil=True, inline="always")
def _hash(tags: Tags, i: int, odd: Tags) -> Any:
    """A random combination of the words; its upper bits are the part, those below them the place in it.

    Only upper bits of a product are random: of words with zeros below, the lower bits of all products are zeros.
    """
    return tags[i, 0] * odd[0, 0] + tags[i, 1] * odd[0, 1]


@nb.njit([_L(_T, _T, nb.int64, _T, _I)], cache=True, nogil=True)
def _split(tags: Tags, odd: Tags, parts: int, out: Tags, rows: Index) -> Starts:
    """The tags and their row numbers by part, of 2^parts; and where each part starts."""
    shift = np.uint64(64 - parts)
    starts = np.zeros((1 << parts) + 1, np.int64)
    for i in range(tags.shape[0]):
        starts[np.int64(_hash(tags, i, odd) >> shift) + 1] += 1
    for p in range(1, starts.size):
        starts[p] += starts[p - 1]
    at = starts[:-1].copy()
    for i in range(tags.shape[0]):
        to = np.int64(_hash(tags, i, odd) >> shift)
        out[at[to], 0] = tags[i, 0]
        out[at[to], 1] = tags[i, 1]
        rows[at[to]] = i
        at[to] += 1
    return starts


@nb.njit([nb.void(_T, _I, _L, _T, _I, _L, _T, nb.int64, _I, _I)], cache=True, nogil=True)
def _match(
    a: Tags, a_rows: Index, a_starts: Starts, b: Tags, b_rows: Index, b_starts: Starts, odd: Tags, parts: int,
    slots: Index, at: Index,
) -> None:  # fmt: skip
    """at[row of a] = the first row of b with the same tag, or -1. ``slots``: room for any part."""
    skip = np.uint64(parts)
    for p in range(a_starts.size - 1):
        size, low = 2, np.uint64(63)  # a power of two above twice the rows of the part; the bits below a place
        while size <= 2 * (b_starts[p + 1] - b_starts[p]):
            size *= 2
            low -= np.uint64(1)
        last = size - 1
        slots[:size] = -1
        for j in range(b_starts[p], b_starts[p + 1]):
            s = np.int64((_hash(b, j, odd) << skip) >> low)
            while slots[s] >= 0 and not (b[slots[s], 0] == b[j, 0] and b[slots[s], 1] == b[j, 1]):
                s = (s + 1) & last
            if slots[s] < 0:
                slots[s] = j
        for i in range(a_starts[p], a_starts[p + 1]):
            s = np.int64((_hash(a, i, odd) << skip) >> low)
            while slots[s] >= 0 and not (b[slots[s], 0] == a[i, 0] and b[slots[s], 1] == a[i, 1]):
                s = (s + 1) & last
            at[a_rows[i]] = b_rows[slots[s]] if slots[s] >= 0 else -1


def match(a: Tags, b: Tags) -> Index:
    """For each row of a the row of b with the same tag, or -1; of several the first.

    Args:
        a, b: (n, 2) uint64, contiguous, below 2^30 rows.
    """
    at = np.full(len(a), -1, np.int32)
    if not len(a) or not len(b):
        return at
    parts = min(_MOST, max(1, len(b).bit_length() - _PART))
    odd = np.frombuffer(secrets.token_bytes(16), np.uint64).reshape(1, 2) | np.uint64(1)
    split = []
    for tags in (a, b):
        out, rows = np.empty_like(tags), np.empty(len(tags), np.int32)
        split.append((out, rows, _split(tags, odd, parts, out, rows)))
    largest = int(np.diff(split[1][2]).max())
    slots = np.empty(1 << (2 * largest).bit_length(), np.int32)
    _match(*split[0], *split[1], odd, parts, slots, at)
    return at
