"""Kernels over Z_2^64: whole arrays of uint64, wrapping. Pure; no parties.

Signatures are declared, so numba compiles each kernel once and keeps it in its cache (``python -m mpc.warm``).
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = [
    "as_words",
    "dots_into",
    "matmul",
    "matmul_into",
    "matvec_into",
    "mul3",
    "outer3",
    "product",
    "row_dots_into",
    "upper_dots",
    "vecmat_into",
]

Words = npt.NDArray[np.uint64]

_FEW = 3  # columns that are multiplied one after the other
_V = nb.types.Array(nb.uint64, 1, "C")
_M = nb.types.Array(nb.uint64, 2, "A")
_R = nb.types.Array(nb.uint64, 2, "C")
_T = nb.types.Array(nb.boolean, 2, "C")


def as_words(values: npt.NDArray[np.generic]) -> Words:
    """The same 64-bit integers as unsigned words, contiguous."""
    return np.ascontiguousarray(values).view(np.uint64)


@nb.njit([nb.void(_V, _V, _V, _V, _V, _V, _V)], cache=True, nogil=True)
def mul3(x0: Words, x1: Words, y0: Words, y1: Words, plus: Words, minus: Words, out: Words) -> None:
    """out = x0 (y0 + y1) + x1 y0 + plus - minus, the m = 3 product and its share of zero."""
    for i in range(out.size):
        out[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + plus[i] - minus[i]


@nb.njit([nb.void(_R, _R, _R, _R, _V, _V)], cache=True, nogil=True)
def outer3(x0: Words, x1: Words, y0: Words, y1: Words, minus: Words, out: Words) -> None:
    """out += x0 (y0 + y1) + x1 y0 - minus for every row of x (p, n) with every row of y (q, n); flat, (p, q, n)."""
    n = x0.shape[1]
    at = 0
    for i in range(x0.shape[0]):
        for j in range(y0.shape[0]):
            for l in range(n):
                out[at + l] += x0[i, l] * (y0[j, l] + y1[j, l]) + x1[i, l] * y0[j, l] - minus[at + l]
            at += n


@nb.njit([nb.void(_M, _M, _T, _V)], cache=True, nogil=True)
def product(x: Words, y: Words, table: npt.NDArray[np.bool_], out: Words) -> None:
    """out = sum of x[a] * y[b] over the pairs (a, b) of the table."""
    k, n = x.shape
    out[:] = np.uint64(0)
    step = 4096
    inner = np.empty(step, np.uint64)
    for lo in range(0, n, step):
        hi = min(n, lo + step)
        for a in range(k):
            used = False
            for b in range(k):
                if table[a, b]:
                    if used:
                        for i in range(lo, hi):
                            inner[i - lo] += y[b, i]
                    else:
                        for i in range(lo, hi):
                            inner[i - lo] = y[b, i]
                        used = True
            if used:
                for i in range(lo, hi):
                    out[i] += x[a, i] * inner[i - lo]


@nb.njit([nb.void(_R, _R, _R)], cache=True, nogil=True)
def matmul_into(a: Words, b: Words, out: Words) -> None:
    """out += a @ b for contiguous a (n, l), b (l, p). Four rows of b at once stay in registers and L1."""
    n, inner = a.shape
    p = b.shape[1]
    block = 256
    for lo in range(0, inner, block):
        hi = min(inner, lo + block)
        for i in range(n):
            k = lo
            while k + 4 <= hi:
                a0 = a[i, k]
                a1 = a[i, k + 1]
                a2 = a[i, k + 2]
                a3 = a[i, k + 3]
                for j in range(p):
                    out[i, j] += a0 * b[k, j] + a1 * b[k + 1, j] + a2 * b[k + 2, j] + a3 * b[k + 3, j]
                k += 4
            while k < hi:
                a0 = a[i, k]
                for j in range(p):
                    out[i, j] += a0 * b[k, j]
                k += 1


@nb.njit([nb.void(_R, _V, _V)], cache=True, nogil=True)
def matvec_into(a: Words, b: Words, out: Words) -> None:
    """out += a @ b for contiguous a (n, l) and b (l,)."""
    n, inner = a.shape
    for i in range(n):
        total = np.uint64(0)
        for k in range(inner):
            total += a[i, k] * b[k]
        out[i] += total


@nb.njit([nb.void(_R, _R, _V)], cache=True, nogil=True)
def row_dots_into(a: Words, b: Words, out: Words) -> None:
    """out[i] += a[i] . b[i] for contiguous a, b (n, l)."""
    n, inner = a.shape
    for i in range(n):
        total = np.uint64(0)
        for k in range(inner):
            total += a[i, k] * b[i, k]
        out[i] += total


@nb.njit([nb.void(_R, _R, _R, nb.boolean)], cache=True, nogil=True)
def dots_into(a: Words, b: Words, out: Words, upper: bool) -> None:
    """out[i, j] += a[i] . b[j] for contiguous a (p, l), b (q, l): few long rows, in blocks that stay in the cache.

    With ``upper`` for i <= j only: what a symmetric result needs.
    """
    p, inner = a.shape
    q = b.shape[0]
    block = 512
    for lo in range(0, inner, block):
        for i in range(p):
            x = a[i, lo : lo + block]  # a slice: loops from 0 are the ones the compiler makes wide
            j = i if upper else 0
            while j + 4 <= q:
                y0 = b[j, lo : lo + block]
                y1 = b[j + 1, lo : lo + block]
                y2 = b[j + 2, lo : lo + block]
                y3 = b[j + 3, lo : lo + block]
                t0 = t1 = t2 = t3 = np.uint64(0)
                for k in range(x.size):
                    t0 += x[k] * y0[k]
                    t1 += x[k] * y1[k]
                    t2 += x[k] * y2[k]
                    t3 += x[k] * y3[k]
                out[i, j] += t0
                out[i, j + 1] += t1
                out[i, j + 2] += t2
                out[i, j + 3] += t3
                j += 4
            while j < q:
                y0 = b[j, lo : lo + block]
                t0 = np.uint64(0)
                for k in range(x.size):
                    t0 += x[k] * y0[k]
                out[i, j] += t0
                j += 1


@nb.njit([nb.void(_V, _R, _V)], cache=True, nogil=True)
def vecmat_into(a: Words, b: Words, out: Words) -> None:
    """out += a @ b for contiguous a (l,) and b (l, p)."""
    for k in range(a.size):
        x, row = a[k], b[k]
        for j in range(row.size):
            out[j] += x * row[j]


def upper_dots(a: Words, b: Words) -> Words:
    """The upper triangle of a @ b.T (p, p), of a and b (p, l); zeros below it."""
    out = np.zeros((a.shape[0], a.shape[0]), np.uint64)
    dots_into(np.ascontiguousarray(a), np.ascontiguousarray(b), out, True)
    return out


def matmul(a: Words, b: Words) -> Words:
    """a @ b modulo 2^64 for a (..., n, l) and b (..., l, p), leading axes broadcast."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.zeros((*lead, a.shape[-2], b.shape[-1]), np.uint64)
    if not out.size or not a.shape[-1]:
        return out
    flat = out.reshape(-1, *out.shape[-2:])
    left = np.broadcast_to(a, (*lead, *a.shape[-2:])).reshape(-1, *a.shape[-2:]) if lead else a[None]
    right = np.broadcast_to(b, (*lead, *b.shape[-2:])).reshape(-1, *b.shape[-2:]) if lead else b[None]
    for x, y, z in zip(left, right, flat, strict=True):
        x, y = np.require(x, None, ["C", "W"]), np.require(y, None, ["C", "W"])  # the kernels take no read-only arrays
        if y.shape[1] <= _FEW:
            for j in range(y.shape[1]):
                column = np.zeros(z.shape[0], np.uint64)
                matvec_into(x, np.ascontiguousarray(y[:, j]), column)
                z[:, j] = column
        else:
            matmul_into(x, y, z)
    return out
