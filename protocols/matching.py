"""What the helper of a join does: find equal tags in two lists. Plaintext, on pseudonyms; nothing is sent.

Tags are 128 bits, (n, 2) words, and pseudorandom if their senders follow the protocol. If they do not, the kernels
still stay within their arrays and in linear expected time: the place of a tag in the hash table depends on random
numbers of the helper's own.
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

_T = nb.types.Array(nb.uint64, 2, "C")
_I = nb.types.Array(nb.int32, 1, "C")


@nb.njit(cache=True, nogil=True, inline="always")
def _home(tags: Tags, i: int, odd: Tags, shift: np.uint64) -> Any:
    """The slot where a tag is looked for first: the upper bits of a random combination of its words."""
    return (tags[i, 0] * odd[0, 0] + tags[i, 1] * odd[0, 1]) >> shift


@nb.njit([nb.void(_T, _T, _T, nb.uint64, _I, _I)], cache=True, nogil=True)
def _match(a: Tags, b: Tags, odd: Tags, shift: np.uint64, slots: Index, at: Index) -> None:
    """at[i] = the first row of b equal to a[i], or -1. ``slots``: 2^(64 - shift) times -1, more than b has rows."""
    last = slots.size - 1
    for j in range(b.shape[0]):
        s = np.int64(_home(b, j, odd, shift))
        while slots[s] >= 0 and not (b[slots[s], 0] == b[j, 0] and b[slots[s], 1] == b[j, 1]):
            s = (s + 1) & last
        if slots[s] < 0:
            slots[s] = j
    for i in range(a.shape[0]):
        s = np.int64(_home(a, i, odd, shift))
        while slots[s] >= 0 and not (b[slots[s], 0] == a[i, 0] and b[slots[s], 1] == a[i, 1]):
            s = (s + 1) & last
        at[i] = slots[s]


def match(a: Tags, b: Tags) -> Index:
    """For each row of a the row of b with the same tag, or -1; of several the first.

    Args:
        a, b: (n, 2) uint64, contiguous, below 2^30 rows.
    """
    at = np.full(len(a), -1, np.int32)
    if not len(a) or not len(b):
        return at
    size = max(4, 1 << (2 * len(b) - 1).bit_length())
    odd = np.frombuffer(secrets.token_bytes(16), np.uint64).reshape(1, 2) | np.uint64(1)
    _match(a, b, odd, np.uint64(64 - (size.bit_length() - 1)), np.full(size, -1, np.int32), at)
    return at
