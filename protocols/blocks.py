"""Sample and aggregate: any statistic of rows, released with a sensitivity that holds whatever is computed.

Rows are cut into disjoint blocks, public parts of a public random order. The statistic is computed of each block by
itself, fits and all, and cut to public bounds. One row is in one block, so it changes the sum over the blocks by one
block's range at most; nothing need be known of how the statistic depends on rows (Nissim, Raskhodnikova, Smith, Smooth
Sensitivity and Sampling in Private Data Analysis, STOC 2007, section 4, with the mean as the aggregate).

It is what lets scores of models leave that were fitted to the same rows, as well as coefficients, importances,
explanations. The price: the statistic is one of n / blocks rows, and its mean over blocks has their bias.

    async def coefficients(X, y, here):
        return (await Ridge(1.0).fit(X, y, present=here)).coef_

    told = await release_block_means(
        party, coefficients, (X, y, here), DiscreteLaplace(1.0), blocks=50, low=-2, high=2, to=0)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from mpc.quotients import rescale
from mpc.scope import checksum, current_scope
from mpc.secret import Secret
from mpc.shapes import stack
from protocols.exact import check_rows
from protocols.mechanisms import Mechanism
from protocols.own_rows import check_bounds
from protocols.public_order import public_parts
from protocols.release import Released, check_mechanism, receivers_of, release
from protocols.sensitivity import Sensitivity
from protocols.side_by_side import check_n_jobs, side_by_side
from protocols.stock import NoiseStock

__all__ = ["Statistic", "block_figures", "release_block_means"]

Statistic = Callable[..., Awaitable[SecretArray]]


async def block_figures(
    statistic: Statistic, arrays: Sequence[Any], *, blocks: int, random_state: int = 0, n_jobs: int = 4
) -> SecretArray:
    """What the statistic gives of each block, (blocks, d), secret, as it is.

    Args:
        statistic: coroutine function of as many arrays, a block's rows of each (None stays None), that gives (d,) of
            any fixed d. It may draw secret randomness; its branches are on public values, as everywhere.
        arrays: secret, n rows each, or None.
        blocks: 2 to n. random_state: public seed of the order that is cut.
        n_jobs: blocks under way at once, which share their rounds.

    Rounds, bytes: the statistic's, for each ``n_jobs`` blocks. Leaks nothing. WrongType, ShapeMismatch, OutOfRange.
    """
    check_n_jobs(n_jobs)
    for place, x in enumerate(arrays):
        if x is not None and not isinstance(x, Secret):
            raise WrongType(f"array {place}: a secret array, or None, is needed, not {type(x).__name__}")
    sizes = {len(await x) for x in arrays if x is not None}
    if len(sizes) != 1:
        raise ShapeMismatch(f"arrays of {sorted(sizes)} rows: as many rows of each are needed")
    (n,) = sizes

    async def one(rows: Any) -> SecretArray:
        found: Any = await statistic(*(None if x is None else x[rows] for x in arrays))
        if not isinstance(found, SecretArray) or len((await found).shape) != 1:
            raise WrongType("a statistic of a block: a secret array (d,) is needed")
        return found

    parts = public_parts(n, blocks, random_state)
    current_scope().note(checksum(f"blocks {blocks} {random_state}"))  # with other parts somewhere rows would be mixed
    work: list[Any] = [functools.partial(one, rows) for rows in parts]
    table: SecretArray = await stack(await side_by_side(work, n_jobs))
    return table


async def release_block_means(
    party: Party,
    statistic: Statistic,
    arrays: Sequence[Any],
    mechanism: Mechanism,
    *,
    blocks: int,
    low: float,
    high: float,
    to: Sequence[int] | int,
    rows: int = 1,
    random_state: int = 0,
    n_jobs: int = 4,
    stock: NoiseStock | None = None,
) -> Released:
    """The mean over blocks of each of the statistic's figures, cut to [low, high] in each block, with noise.

    A person with ``rows`` rows changes as many blocks, and each figure of a block by the range at most: the change of a
    mean is rows (high - low) / blocks, that of all d together d times as much (L1), or the root of d (L2, Gaussian
    noise, for a person with one row). It holds for a row more or less, by ``present``, and for one that is changed.

    Error and interval are those of the noise on the mean of the blocks as they are; the sum is ``parts[0]``.
    Rounds, bytes: block_figures, two comparisons a block and figure, release. Leaks: the noised means to the receivers.
    """
    bounds = check_bounds(low, high)
    if bounds[0] == bounds[1]:
        raise OutOfRange(f"bounds {low!r} to {high!r}: the lower one first, and not the same")
    check_mechanism(mechanism)
    check_rows(rows)
    receivers_of(party, to)
    current_scope().note(checksum(f"bounds {bounds} {rows}"))
    figures = await block_figures(statistic, arrays, blocks=blocks, random_state=random_state, n_jobs=n_jobs)
    held = await cut(figures, low, high)
    total = await release(
        party, held.sum(axis=0), mechanism,
        sensitivity=Sensitivity(((_range(bounds), rows),) * figures.shape[1]), to=to, stock=stock,
    )  # fmt: skip
    return _mean(total, blocks)


async def cut(figures: SecretArray, low: float, high: float) -> SecretArray:
    """The figures with 16 fractional bits, within the bounds whatever words they are: also those out of any range."""
    return await (await rescale(figures, FRAC)).clip(low, high)


def _range(bounds: tuple[Fraction, Fraction]) -> Fraction:
    """The most two values can differ that were cut to bounds rounded to the grid, either way."""
    steps = math.ceil(bounds[1] * (1 << FRAC)) - math.floor(bounds[0] * (1 << FRAC))
    return Fraction(steps, 1 << FRAC)


def _mean(total: Released, blocks: int) -> Released:
    ends = total.interval95
    return Released(
        values=None if total.values is None else total.values / blocks,
        standard_error=None if total.standard_error is None else np.asarray(total.standard_error) / blocks,
        interval95=None if ends is None else (ends[0] / blocks, ends[1] / blocks),
        shown=None,
        epsilon=total.epsilon,
        delta=total.delta,
        sensitivity=total.sensitivity / blocks,
        events=total.events,
        parts=(total,),
    )
