"""Rows of bounded length: made so by their owner, and made sure of in the computation, whatever the owner did.

What differentially private training promises rests on how much one row can change a sum. An owner's word for that is
not enough: by mistake or on purpose it may put in longer rows, and then the noise covers nobody in them. So the
computation looks at every row itself, and one that is too long counts nothing. Which ones are too long is opened to
nobody, not to the owner either.

The length is that of the words, in steps of 2^-16, so rounding is in it. A sum of d squares is exact as long as none
of the d numbers is large; a number of 2^32 steps squared is 0 on the ring. So each number is compared by itself first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpc.arithmetic import row_dots
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC, LIMIT
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.secret import operation
from mpc.shapes import concatenate
from protocols.columns import as_flags, as_numbers, read_on_grid
from protocols.exact import as_exact
from protocols.own_rows import check_bounds, clip_rows

__all__ = ["RowBound", "bounded_rows", "kept_rows"]

_SHORTER = 1.0 - 2.0**-30
"""Of a row that is cut to the bound: more than what floats may be off by, less than half a step of the grid."""


@dataclass(frozen=True)
class RowBound:
    """How long a row may be, in whole steps of 2^-16.

    Attributes:
        most: the square of the length of the features is at most this.
        level: the constant that an intercept's column holds; 0: no such column.
    """

    most: int
    level: int

    @classmethod
    def of(cls, bound: Any, level: Any, features: int) -> Self:
        """From a length and a constant as numbers; OutOfRange unless from 2^-6, and squares of rows fit a word."""
        length, constant_ = as_exact(bound), as_exact(level)
        if length is None or not length >= 2**-6:
            raise OutOfRange(f"bound {bound!r}: the greatest length of a row, a number from 2^-6")
        if constant_ is None or constant_ < 0:
            raise OutOfRange(f"intercept_scaling {level!r}: a number from 0")
        made = cls(math.floor(length * length * (1 << 2 * FRAC)), math.floor(constant_ * (1 << FRAC)))
        if (features + 1) * max(made.most, made.level**2) >= LIMIT:
            raise OutOfRange(
                f"bound {bound!r}, intercept_scaling {level!r} with {features} features: their squares times the "
                f"features must be below 2^{LIMIT.bit_length() - 1 - 2 * FRAC}; divide rows and bound by one number"
            )
        return made

    @property
    def box(self) -> int:
        """No number in a row is larger than this."""
        return math.isqrt(self.most)

    @property
    def squared(self) -> int:
        """The most that the square of a row's length can be, the intercept's column included."""
        return self.most + self.level**2

    def times(self, factor: int) -> int:
        """At least the length of a row times a whole number, rounded up to a whole one."""
        return math.isqrt(self.squared * factor * factor - 1) + 1


def bounded_rows(
    values: Any, low: Sequence[float], high: Sequence[float], *, bound: float = 1.0, spread: float = 2.0
) -> npt.NDArray[np.float64]:
    """An owner's rows (n, d) as private training takes them: each of a length of at most ``bound``. Plaintext.

    Nothing is read off the rows as a whole: each is changed by public numbers and by itself, so one person's row moves
    no other. Rows to be predicted must be prepared alike.

    Args:
        values: (n, d), numbers.
        low, high: (d,), public bounds of each column, agreed beforehand; values are cut to them.
        bound: greatest length.
        spread: a value at a bound of its column becomes spread bound / sqrt(d), one in the middle 0. With 1 no row is
            too long, but most are short and drown in noise; the larger, the more rows are cut, to their direction only.

    The numbers are whole steps of 2^-16, rounded towards 0. Raises OutOfRange, WrongType, ShapeMismatch.
    """
    table = np.asarray(values)
    if table.ndim != 2 or not table.shape[1] or not len(low) == len(high) == table.shape[1]:
        raise ShapeMismatch(
            f"{table.ndim} dimensions, {len(low)} and {len(high)} bounds: rows (n, d), a low and a high for each column"
        )
    if not (as_exact(spread) or 0) > 0:
        raise OutOfRange(f"spread {spread!r}: a number above 0")
    d = table.shape[1]
    most = RowBound.of(bound, 0, d).most
    out = np.empty(table.shape, np.float64)
    for j in range(d):
        least, greatest = check_bounds(low[j], high[j])
        if least == greatest:
            raise OutOfRange(f"column {j}: bounds {low[j]!r} to {high[j]!r} leave one value; leave the column out")
        column = clip_rows(table[:, j], low[j], high[j], what=f"column {j}").astype(np.float64)
        out[:, j] = (column - float(least)) * (2.0 / float(greatest - least)) - 1.0
    out *= float(bound) * float(spread) / math.sqrt(d)
    length = np.sqrt((out * out).sum(axis=1, keepdims=True))
    limit = math.sqrt(most) * 2.0**-FRAC * _SHORTER
    out *= np.minimum(1.0, limit / np.maximum(length, limit / 2))
    return np.asarray(np.trunc(out * 2.0**FRAC) * 2.0**-FRAC)


async def kept_rows(X: SecretArray, present: SecretArray | SecretBits | None, bound: RowBound) -> SecretArray:
    """X (n, d) with 16 bits where the row is present and no longer than the bound, else 0; beside it the constant.

    (n, d), or (n, d + 1) with a constant: 0 too where the row is not kept. Exact for every word that can be in X.
    Rounds: 13 + log2 d (m = 3), those of the comparisons once. Sends: 40 bytes an element. Leaks nothing.
    """
    if X.frac != FRAC:
        raise WrongType(f"rows with {X.frac} fractional bits: {FRAC} are needed")
    box = bound.box * 2.0**-FRAC
    small = ((box >= X) & (-box <= X)).all(axis=1)
    kept = small & (_squares(X) <= bound.most)
    if present is not None:
        kept = kept & as_flags(present)
    marks = as_numbers(kept).reshape(-1, 1)
    z = X * marks
    if not bound.level:
        return await z
    level = read_on_grid(marks * bound.level, FRAC)
    return await concatenate([z, level], axis=1)  # type: ignore[no-any-return]


@operation(SecretArray, lambda X: X.shape[:1])
async def _squares(X: SecretArray) -> SecretArray:
    """The sum of the squared words of each row, (n,), integers modulo 2^64. Rounds: 1."""
    return SecretArray(X.party, await row_dots(X.party, X.share, X.share), 0)
