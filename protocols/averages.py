"""Averages of figures that rows have, as what they are made of: a secret total and a secret count.

A metric is worked out inside the computation from both (``value``); what leaves are noised totals and counts, divided
in the open (means.release_mean). Which rows count is secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.long_division import MOST, quotient
from mpc.quotients import floor_shift, rescale
from mpc.relations import where
from mpc.secret import Secret
from protocols.columns import as_flags, as_numbers, check_columns, constant, cut_at_point, read_on_grid

__all__ = [
    "Average", "Column", "Present", "Rows", "average", "count_of", "fixed", "ratio", "real_ratio", "rows_of", "settled",
    "sum_of_products",
]  # fmt: skip

Column = SecretArray | SecretBits
Present = SecretArray | SecretBits | None


@dataclass(frozen=True)
class Rows:
    """Columns that fit together, settled, and which of their rows count.

    Attributes:
        columns: in the order given.
        present: None: all.
        weights: 0/1 where only ``present`` was given, else the weight of each row, 0 where absent; None: all 1.
        whole: whether weights are all 0 or 1.
        n: how many rows, absent ones among them; public.
    """

    columns: tuple[Any, ...]
    present: SecretBits | None
    weights: SecretArray | None
    whole: bool
    n: int


async def settled(x: Any) -> Any:
    """x when its shape is known; what is no secret as it is, for rows_of to refuse."""
    return await x if isinstance(x, Secret) else x


async def rows_of(
    columns: Mapping[str, Any], present: Present, sample_weight: Column | None = None, *, whole: Collection[str] = ()
) -> Rows:
    """The columns, checked: WrongType, ShapeMismatch, and OutOfRange for 2^27 rows or more, before anything is sent."""
    named = dict(columns) if sample_weight is None else {**columns, "sample_weight": sample_weight}
    check_columns(present, named, whole=whole)
    _check_number(named)
    settled = [await x for x in named.values()]
    here = None if present is None else await as_flags(present)
    check_columns(here, dict(zip(named, settled, strict=True)), whole=whole)
    _check_number(dict(zip(named, settled, strict=True)))
    weights = None if here is None else here.to_array()
    if sample_weight is not None:
        own = as_numbers(settled.pop())
        weights = own if weights is None else own * weights
    return Rows(tuple(settled), here, weights, sample_weight is None, len(settled[0]))


def _check_number(columns: Mapping[str, Any]) -> None:
    for name, x in columns.items():
        if x._shape is not None and x._shape[0] >= MOST // 2:
            raise OutOfRange(f"{name}: {x._shape[0]} rows, but fewer than 2^27 are needed")


@dataclass(frozen=True)
class Average:
    """A total over rows and how many there are, both secret, ().

    Attributes:
        total: of the rows' figures, times their weights where given.
        count: rows present, an integer; or the sum of their weights.
        most: public bound on a count of rows; None where rows have weights.
    """

    total: SecretArray
    count: SecretArray
    most: int | None

    async def value(self) -> SecretArray:
        """total / count, fixed point, for use inside; 0 where nothing counts. Accuracy, rounds, leaks: see ratio."""
        return await ratio(self.total, self.count, self.most)


def average(values: SecretArray, rows: Rows) -> Average:
    """The average of a figure of each row. Rounds: at most 3. Sends: 8 bytes in all (m = 3).

    Range: the total below 2^(62 - frac), with fixed-point weights below 2^30.
    """
    total = values.sum() if rows.weights is None else rows.weights @ values
    return Average(total, count_of(values, rows), max(1, rows.n) if rows.whole else None)


def count_of(like: SecretArray, rows: Rows) -> SecretArray:
    """How many rows are present, or the sum of the weights."""
    return constant(like, rows.n, 0) if rows.weights is None else rows.weights.sum()


async def ratio(part: SecretArray, whole: SecretArray, most: int | None) -> SecretArray:
    """part / whole elementwise, 16 fractional bits or those of part if more; 0 where whole is 0 (scikit-learn's
    zero_division=0).

    With ``most``, whole are integers up to it, and the result is exact, rounded down (long_division.quotient): it is
    below 2^46. Rounds: about 140 (m = 3), of few bytes. Without, see real_ratio. Leaks nothing.
    """
    if most is None:
        return await real_ratio(part, whole)
    more = max(0, FRAC - (await part).frac)
    by = where(whole < 1, 1, whole)
    return read_on_grid(quotient(part, by, most, more), part.frac + more)


async def real_ratio(part: SecretArray, whole: SecretArray) -> SecretArray:
    """part / whole elementwise, of numbers that are not negative, 16 fractional bits; 0 (t = 1; else within an ulp of
    it) where whole is 0.

    Range: with h fractional bits, the most of both and 16, part, whole below 2^(62 - h), the result below 2^46. Error:
    1.1 ulp + (t + 1) 2^-19 of the result (t = 1); from 2^24 on 2^-16 of it over a whole below 1, too.
    Rounds: about 65 (m = 3), of few bytes. Leaks nothing.

    Three ways to give functions.divide numbers below 2^40 with a quotient below 2^27:
    1. As they are, read with 16 bits.
    2. Where one is 2^38 or more: both / 2^8.
    3. Where the quotient is about 2^24 or more: part / 2^8 by whole 2^11; their quotient 2^19.
    """
    most = max(FRAC, (await part).frac, (await whole).frac)
    part, whole = [read_on_grid(await rescale(x, most), FRAC) for x in (part, whole)]
    far = (part >= 2.0**38) | (whole >= 2.0**38)
    steep = read_on_grid(await floor_shift(read_on_grid(part, 0), 24), FRAC) > whole
    smaller = [rescale(read_on_grid(x, FRAC + 8), FRAC) for x in (part, whole)]
    above = where(far | steep, smaller[0], part)
    below = where(steep, whole * (1 << 11), where(far, smaller[1], whole))
    share = above / below
    return await where(steep, share * (1 << 19), share)


# -- exact sums of products --------------------------------------------------------------------


async def fixed(x: Column) -> SecretArray:
    """With 16 fractional bits: local from fewer, from more an error of t in the last place."""
    return await rescale(await as_numbers(x), FRAC)


async def sum_of_products(x: SecretArray, y: SecretArray) -> SecretArray:
    """The sum of x y over rows, (), both with 16 fractional bits, rounded down to 16; exact before that.

    So a row with |x y| <= b changes it by no more than b, rounded up to the grid.
    Range: the sum of |x y| below 2^45, n < 2^27. Rounds: 2 + 1 + 14 (m = 3). Sends: 4.7 bytes a row of each of x and
    y. Leaks nothing.

    1. Cut both in two at the point, x = h + l.                                     (2 rounds)
    2. Sums of h h', of h l' + l h', of l l'.                                       (1 round)
    3. The last is rounded down to 16 bits, exactly.                                (floor_shift)
    """
    xs = await cut_at_point(x)
    ys = xs if y is x else await cut_at_point(y)
    cross = xs[0] @ ys[1]
    cross = cross * 2 if y is x else cross + xs[1] @ ys[0]
    small = await floor_shift(await (xs[1] @ ys[1]), x.frac)
    return read_on_grid(xs[0] @ ys[0] * (1 << x.frac) + cross + small, x.frac)
