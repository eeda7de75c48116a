"""Kernels of the m = 3 recipes for truncation and for bits as numbers. Pure; no parties.

Names as in truncate.py and convert.py: party d knows u, its followers d+1 and d+2 both know v. ``r``, ``s``, ``q`` are
pseudorandom; the arrays of f-bit numbers are uint16, uint32 or uint64, whichever holds f bits.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = [
    "gate_deal",
    "gate_follow",
    "inject_deal",
    "inject_follow",
    "truncate_deal",
    "truncate_follow",
    "truncate_join",
    "weigh_deal",
    "weigh_follow",
]

Words = npt.NDArray[np.uint64]
Narrow = npt.NDArray[Any]

_V = nb.types.Array(nb.uint64, 1, "C")
_P = nb.types.Array(nb.uint64, 2, "C")
_NARROW = [nb.types.Array(t, 1, "C") for t in (nb.uint16, nb.uint32, nb.uint64)]


@nb.njit(
    [nb.void(_V, _V, _V, n, n, n, nb.uint64, nb.uint64, _V, _V, _V, n) for n in _NARROW],
    cache=True,
    nogil=True,
)
def truncate_deal(
    x0: Words, x1: Words, mask: Words, r: Narrow, q: Narrow, s: Narrow, f: np.uint64, offset: np.uint64,
    out0: Words, out1: Words, sent: Words, e: Narrow,
) -> None:  # fmt: skip
    """Party d: u = x0 + x1 + offset; deals u >> f into ``sent``, its top bit into ``e``; its share is out0, out1."""
    up = np.uint64(64) - f
    for i in range(x0.size):
        u = x0[i] + x1[i] + offset
        high = (u >> f) - mask[i]
        sent[i] = high
        e[i] = (u >> np.uint64(63)) - np.uint64(r[i])
        out0[i] = high + (np.uint64(s[i]) << up)
        out1[i] = mask[i] + (np.uint64(q[i]) << up)


@nb.njit([nb.void(_V, n, n, n) for n in _NARROW], cache=True, nogil=True)
def truncate_follow(v: Words, e: Narrow, mask: Narrow, out: Narrow) -> None:
    """Parties d+1 (e) and d+2 (r): minus the piece of mu (1 - mv), masked."""
    for i in range(v.size):
        free = np.uint64(1) - (v[i] >> np.uint64(63))
        out[i] = np.uint64(0) - np.uint64(e[i]) * free - np.uint64(mask[i])


@nb.njit([nb.void(_V, n, n, nb.uint64, nb.uint64, _V) for n in _NARROW], cache=True, nogil=True)
def truncate_join(v: Words, a: Narrow, b: Narrow, f: np.uint64, offset: np.uint64, out: Words) -> None:
    """The component of d+1 and d+2: (v >> f) - (offset >> f) - (mv - a - b) 2^(64-f)."""
    up = np.uint64(64) - f
    for i in range(v.size):
        wrap = (v[i] >> np.uint64(63)) - np.uint64(a[i]) - np.uint64(b[i])
        out[i] = (v[i] >> f) - (offset >> f) - (wrap << up)


@nb.njit([nb.void(_V, _V, _V, _P)], cache=True, nogil=True)
def gate_deal(bit: Words, other: Words, u: Words, e: Words) -> None:
    """Party d: rows of e = p u, p, u and the other bit, for the bit p, minus what is in e."""
    one = np.uint64(1)
    for i in range(u.size):
        p = (bit[i >> 6] >> np.uint64(i & 63)) & one
        e[0, i] = p * u[i] - e[0, i]
        e[1, i] = p - e[1, i]
        e[2, i] = u[i] - e[2, i]
        e[3, i] = ((other[i >> 6] >> np.uint64(i & 63)) & one) - e[3, i]


@nb.njit([nb.void(_V, _V, _V, _P, nb.uint64, nb.boolean, _V)], cache=True, nogil=True)
def gate_follow(bit: Words, other: Words, v: Words, e: Words, by: np.uint64, first: bool, out: Words) -> None:
    """Parties d+1 (``first``) and d+2: their piece of (p ^ q) (u + v) + (the other bit) by, minus what is in out."""
    one = np.uint64(1)
    plus = one if first else np.uint64(0)
    for i in range(v.size):
        q = (bit[i >> 6] >> np.uint64(i & 63)) & one
        r = (other[i >> 6] >> np.uint64(i & 63)) & one
        passed = (e[0, i] + v[i] * e[1, i]) * (one - q - q) + q * (e[2, i] + v[i] * plus)
        out[i] = passed + by * (e[3, i] * (one - r - r) + r * plus) - out[i]


@nb.njit([nb.void(_V, _V)], cache=True, nogil=True)
def inject_deal(bit: Words, e: Words) -> None:
    """Party d: e = the bit of every row as a number, minus what is in e."""
    for i in range(e.size):
        e[i] = ((bit[i >> 6] >> np.uint64(i & 63)) & np.uint64(1)) - e[i]


@nb.njit([nb.void(_V, _V, nb.boolean, _V)], cache=True, nogil=True)
def inject_follow(bit: Words, e: Words, first: bool, out: Words) -> None:
    """Parties d+1 (``first``) and d+2: out = e (1 - 2q), plus q at the first, minus what is in out, for the bit q."""
    one = np.uint64(1)
    plus = one if first else np.uint64(0)
    for i in range(e.size):
        q = (bit[i >> 6] >> np.uint64(i & 63)) & one
        out[i] = e[i] * (one - q - q) + q * plus - out[i]


@nb.njit([nb.void(_P, _P)], cache=True, nogil=True)
def weigh_deal(planes: Words, e: Words) -> None:
    """Party d: row b of e = the bits of plane b as numbers, minus what is in e."""
    for b in range(planes.shape[0]):
        for i in range(e.shape[1]):
            e[b, i] = ((planes[b, i >> 6] >> np.uint64(i & 63)) & np.uint64(1)) - e[b, i]


@nb.njit([nb.void(_P, _P, _V, nb.boolean, _V)], cache=True, nogil=True)
def weigh_follow(planes: Words, e: Words, weights: Words, first: bool, out: Words) -> None:
    """Parties d+1 (``first``) and d+2: as inject_follow for every plane, times its weight, summed up."""
    one = np.uint64(1)
    plus = one if first else np.uint64(0)
    for i in range(out.size):
        out[i] = np.uint64(0) - out[i]
    for b in range(planes.shape[0]):
        weight = weights[b]
        for i in range(out.size):
            q = (planes[b, i >> 6] >> np.uint64(i & 63)) & one
            out[i] += weight * (e[b, i] * (one - q - q) + q * plus)
