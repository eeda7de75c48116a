"""Kernels for comparing in blocks of four bits: thermometers and their look-up. Pure; no parties.

Of a block U (4 bits) one party makes the thermometer T_j = [U >= j], j = 1..15. Who knows the block V of the other
summand looks up, in any XOR-component of T, two planes with V' = 15 - V:

    GE = [U >= V'] = T_{V'}      (T_0 = 1)         P = GE ^ G = [U + V = 15]   a carry passes through
    G  = [U > V']  = T_{V'+1}    (T_16 = 0)        G = [U + V >= 16]           a carry is made

Both are linear in T, so XOR-components of T give XOR-components of G and P. (The leaves of CrypTFlow2, Rathee et
al. CCS 2020, with the oblivious transfer replaced by a third party.)
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["BLOCKS", "THERMOMETER", "look_up", "thermometers"]

Words = npt.NDArray[np.uint64]

BLOCKS = 16
THERMOMETER = 15 * BLOCKS

_P = nb.types.Array(nb.uint64, 2, "C")
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


@nb.njit([nb.void(_P, _P)], cache=True, nogil=True)
def thermometers(u: Words, out: Words) -> None:
    """out[15 b + j - 1] = T_j of block b, from the planes of u; as many blocks as fit into ``out``."""
    width = u.shape[1]
    for b in range(out.shape[0] // 15):
        row = 15 * b
        for w in range(width):
            b0 = u[4 * b, w]
            b1 = u[4 * b + 1, w]
            b2 = u[4 * b + 2, w]
            b3 = u[4 * b + 3, w]
            l1 = b1 | b0
            l3 = b1 & b0
            h1 = b3 | b2
            h3 = b3 & b2
            out[row, w] = h1 | l1
            out[row + 1, w] = h1 | b1
            out[row + 2, w] = h1 | l3
            out[row + 3, w] = h1
            out[row + 4, w] = b3 | (h1 & l1)
            out[row + 5, w] = b3 | (h1 & b1)
            out[row + 6, w] = b3 | (h1 & l3)
            out[row + 7, w] = b3
            out[row + 8, w] = h3 | (b3 & l1)
            out[row + 9, w] = h3 | (b3 & b1)
            out[row + 10, w] = h3 | (b3 & l3)
            out[row + 11, w] = h3
            out[row + 12, w] = h3 & l1
            out[row + 13, w] = h3 & b1
            out[row + 14, w] = h3 & l3


@nb.njit(inline="always")
def _pick(v: np.uint64, one: np.uint64, zero: np.uint64) -> np.uint64:
    """``one`` where v is set, else ``zero``."""
    return zero ^ (v & (one ^ zero))


@nb.njit(inline="always")
def _choose(v0, v1, v2, v3, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15):  # type: ignore[no-untyped-def]
    """a_{15 - v}."""
    c0 = _pick(v0, a0, a1)
    c1 = _pick(v0, a2, a3)
    c2 = _pick(v0, a4, a5)
    c3 = _pick(v0, a6, a7)
    c4 = _pick(v0, a8, a9)
    c5 = _pick(v0, a10, a11)
    c6 = _pick(v0, a12, a13)
    c7 = _pick(v0, a14, a15)
    d0 = _pick(v1, c0, c1)
    d1 = _pick(v1, c2, c3)
    d2 = _pick(v1, c4, c5)
    d3 = _pick(v1, c6, c7)
    return _pick(v3, _pick(v2, d0, d1), _pick(v2, d2, d3))


@nb.njit([nb.void(_P, _P, nb.boolean, _P)], cache=True, nogil=True)
def look_up(t: Words, v: Words, first: bool, out: Words) -> None:
    """out[b] = G and out[B + b] = P of each of B blocks, in the component ``t`` of the thermometers.

    ``first`` is true for the one component that stands for the constant T_0 = 1.
    """
    width = v.shape[1]
    one = _ONES if first else np.uint64(0)
    zero = np.uint64(0)
    blocks = out.shape[0] // 2
    for b in range(blocks):
        r = 15 * b
        for w in range(width):
            v0 = v[4 * b, w]
            v1 = v[4 * b + 1, w]
            v2 = v[4 * b + 2, w]
            v3 = v[4 * b + 3, w]
            t1 = t[r, w]
            t2 = t[r + 1, w]
            t3 = t[r + 2, w]
            t4 = t[r + 3, w]
            t5 = t[r + 4, w]
            t6 = t[r + 5, w]
            t7 = t[r + 6, w]
            t8 = t[r + 7, w]
            t9 = t[r + 8, w]
            t10 = t[r + 9, w]
            t11 = t[r + 10, w]
            t12 = t[r + 11, w]
            t13 = t[r + 12, w]
            t14 = t[r + 13, w]
            t15 = t[r + 14, w]
            ge = _choose(v0, v1, v2, v3, one, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15)
            g = _choose(v0, v1, v2, v3, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15, zero)
            out[b, w] = g
            out[blocks + b, w] = ge ^ g
