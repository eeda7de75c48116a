"""Linear and bilinear maps over bits, on planes: what circuits with few rounds are made of. Pure; no parties.

A map with many outputs is computed in one pass over its planes, a stretch of words at a time, so that what it needs
stays in the cache. Which planes are combined is data, so the maps can be derived where they are defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Form", "Linear"]

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]

_R = nb.types.Array(nb.uint64, 2, "C")
_B = nb.types.Array(nb.uint64, 3, "C")
_X = nb.types.Array(nb.uint64, 4, "C")
_I = nb.types.Array(nb.int64, 1, "C")
_J = nb.types.Array(nb.int64, 2, "C")
_T = nb.types.Array(nb.boolean, 2, "C")


# Loops over few rows at a time, views of one stretch: more of them at once and LLVM gives up on vectors.


@nb.njit(inline="always")
def _add(out: Words, a: Words) -> None:
    for i in range(out.size):
        out[i] ^= a[i]


@nb.njit(inline="always")
def _add_two(out: Words, a: Words, b: Words) -> None:
    for i in range(out.size):
        out[i] ^= a[i] ^ b[i]


@nb.njit(inline="always")
def _add_product(out: Words, a: Words, b: Words) -> None:
    for i in range(out.size):
        out[i] ^= a[i] & b[i]


@nb.njit(inline="always")
def _add_product_of_two(out: Words, a: Words, b: Words, c: Words, d: Words) -> None:
    for i in range(out.size):
        out[i] ^= (a[i] ^ b[i]) & (c[i] ^ d[i])


@nb.njit([nb.void(_I, _I, _R, _R)], cache=True, nogil=True)
def _linear(starts: Indexes, sources: Indexes, x: Words, out: Words) -> None:
    """Linear.apply."""
    width = x.shape[1]
    step = 64
    for lo in range(0, width, step):
        hi = min(width, lo + step)
        for o in range(out.shape[0]):
            row = out[o, lo:hi]
            row[:] = np.uint64(0)
            s = starts[o]
            end = starts[o + 1]
            while s + 2 <= end:
                _add_two(row, x[sources[s], lo:hi], x[sources[s + 1], lo:hi])
                s += 2
            if s < end:
                _add(row, x[sources[s], lo:hi])


@nb.njit([nb.void(_X, _X, _T, _J, _J, _I, _I, _B)], cache=True, nogil=True)
def _bilinear(
    x: Words, y: Words, table: Bools, left: Indexes, right: Indexes, starts: Indexes, sources: Indexes, out: Words
) -> None:
    """Form.product."""
    k, groups, _, width = x.shape
    planes = y.shape[2]
    step = 256
    inner = np.empty((planes, step), np.uint64)
    products = np.empty((len(left), step), np.uint64)
    u = np.empty(step, np.uint64)
    v = np.empty(step, np.uint64)
    for lo in range(0, width, step):
        hi = min(width, lo + step)
        n = hi - lo
        for g in range(groups):
            products[:] = np.uint64(0)
            for a in range(k):
                used = False
                for b in range(k):
                    if table[a, b]:
                        for j in range(planes):
                            if used:
                                _add(inner[j, :n], y[b, g, j, lo:hi])
                            else:
                                inner[j, :n] = y[b, g, j, lo:hi]
                        used = True
                if not used:
                    continue
                mine = x[a, g, :, lo:hi]
                for q in range(len(left)):
                    total = products[q, :n]
                    i, j = left[q], right[q]
                    if i[1] < 0:
                        _add_product(total, mine[i[0]], inner[j[0], :n])
                    elif i[2] < 0:
                        _add_product_of_two(total, mine[i[0]], mine[i[1]], inner[j[0], :n], inner[j[1], :n])
                    else:
                        u[:n] = mine[i[0]]
                        v[:n] = inner[j[0], :n]
                        for s in range(1, 4):
                            _add(u[:n], mine[i[s]])
                            _add(v[:n], inner[j[s], :n])
                        _add_product(total, u[:n], v[:n])
            for o in range(out.shape[1]):
                row = out[g, o, lo:hi]
                row[:] = np.uint64(0)
                for s in range(starts[o], starts[o + 1]):
                    _add(row, products[sources[s], :n])


@dataclass(frozen=True)
class Linear:
    """A matrix over bits, by the planes that each plane of the result is the XOR of."""

    starts: Indexes
    sources: Indexes

    @property
    def outputs(self) -> int:
        """Planes of the result."""
        return self.starts.size - 1

    @staticmethod
    def of(matrix: Bools) -> Linear:
        """The map of a matrix (planes of the result, planes of the argument)."""
        starts = np.zeros(len(matrix) + 1, np.int64)
        np.cumsum(matrix.sum(axis=1), out=starts[1:])
        return Linear(starts, np.nonzero(matrix)[1].astype(np.int64))

    def apply(self, x: Words, out: Words) -> None:
        """out (planes, W) = the map of x (planes, W); both contiguous, no memory in common."""
        _linear(self.starts, self.sources, x, out)

    def of_components(self, x: Words) -> Words:
        """The map of every component of x (k, planes, W), so of what they share."""
        out = np.empty((len(x), self.outputs, x.shape[2]), np.uint64)
        for c in range(len(x)):
            self.apply(np.ascontiguousarray(x[c]), out[c])
        return out


@dataclass(frozen=True)
class Form:
    """A bilinear map: sums of products of one sum of planes of x with one of y.

    Attributes:
        left, right: the planes summed up in the factors of each product, (products, 4): 1, 2 or 4 of them, as many on
            either side, then -1.
        back: from the products to the result.
    """

    left: Indexes
    right: Indexes
    back: Linear

    def product(self, x: Words, y: Words, table: Bools, out: Words) -> None:
        """Of every group of planes: out (groups, outputs, W) = the sum of form(x[a], y[b]) over the pairs of the table.

        x (k, groups, planes, W), y alike with planes of its own; contiguous. It is the product before its share of zero
        (Layout.product_table). With y = x the product of a factor with itself is, over all parties, the factor.
        """
        _bilinear(x, y, table, self.left, self.right, self.back.starts, self.back.sources, out)
