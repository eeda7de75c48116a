"""Kernels for looking up public tables with XOR-shared indexes (separable.py). Pure; no parties."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["table_deal", "table_follow"]

Words = npt.NDArray[np.uint64]

_P = nb.types.Array(nb.uint64, 2, "C")
_C = nb.types.Array(nb.uint64, 3, "C")


@nb.njit(inline="always")
def _index(planes: Words, i: int) -> int:
    """Row i of the planes as a number, lowest plane first."""
    index = np.uint64(0)
    for b in range(planes.shape[0]):
        index |= ((planes[b, i >> 6] >> np.uint64(i & 63)) & np.uint64(1)) << np.uint64(b)
    return np.int64(index)  # type: ignore[return-value]


@nb.njit([nb.void(_P, _P, _C)], cache=True, nogil=True)
def table_deal(planes: Words, tables: Words, out: Words) -> None:
    """out[i, c, j] = tables[c, p_i ^ j] minus what is in it, for the index p_i in the planes."""
    columns, size = tables.shape
    for i in range(out.shape[0]):
        p = _index(planes, i)
        for c in range(columns):
            for j in range(size):
                out[i, c, j] = tables[c, p ^ j] - out[i, c, j]


@nb.njit([nb.void(_P, _C, _P)], cache=True, nogil=True)
def table_follow(planes: Words, dealt: Words, out: Words) -> None:
    """out[c, i] = dealt[i, c, q_i] minus what is in it, for the index q_i in the planes."""
    for i in range(out.shape[1]):
        q = _index(planes, i)
        for c in range(out.shape[0]):
            out[c, i] = dealt[i, c, q] - out[c, i]
