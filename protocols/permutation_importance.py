"""Permutation importance: by how much a model gets worse where a column is put in an order that nobody knows.

    drops = await permutation_importance(model, X, y, scoring="accuracy", n_repeats=5)         # secret, (d, repeats)
    told = await release_permutation_importance(
        party, model, X_test, y_test, DiscreteLaplace(1.0), loss="zero_one", to=0)

For any model with ``predict``: of this package, shared trees (trees.py), a pipeline. Values are permuted among the
rows present only, by a secret shuffle of rows and flags, after which the flags sort the rows present to the front. In
one repeat all columns, or sets of columns, take their values in the same order (Breiman, Random Forests, Machine
Learning 45, 2001, section 10; scikit-learn draws one for each column, which changes no column's distribution).

*What one row changes.* Take a row out of a table and of a uniform order of its rows: the row that had its value now has
the one that it had, and what is left is a uniform order of the others. So besides the row's own loss, plain and
permuted, one other row's permuted loss changes. With losses from 0 to b, each of its own row only, a sum over rows of
(permuted loss - plain loss) changes by b for the one and b for the other: 2 b, for each set of columns, also of a mean
over repeats.

*What epsilon of a release means here.* The model is taken as it is. It bounds what the release tells of the rows
tested, where the model was not fitted to them. Of its training rows it says nothing: one of those moves the model, and
with it all predictions. For such rows fit and test by blocks: blocks.release_block_means.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange
from mpc.party import Party
from mpc.shapes import concatenate, stack
from mpc.shuffle import shuffle
from mpc.sorting import sort_by
from protocols.averages import fixed
from protocols.columns import as_flags, as_numbers, constant, read_on_grid
from protocols.estimator import as_table
from protocols.exact import as_exact, check_rows, is_whole
from protocols.means import release_column_means
from protocols.mechanisms import Mechanism
from protocols.release import Released, check_mechanism, receivers_of
from protocols.scorers import as_labels, scorer_of
from protocols.side_by_side import check_n_jobs, side_by_side
from protocols.stock import NoiseStock

__all__ = ["permutation_importance", "release_permutation_importance"]

Columns = Sequence[int | Sequence[int]]
Score = Callable[[SecretArray], Awaitable[Any]]

MOST_REPEATS = 64


async def permutation_importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    n_repeats: int = 5,
    columns: Columns | None = None,
    present: Any = None,
    n_jobs: int = 4,
) -> SecretArray:
    """The score less that with a column permuted, (sets of columns, n_repeats), secret, 16 bits. scikit-learn's
    ``importances``; over the second axis ``.mean(axis=1)`` is its importances_mean.

    Args:
        model: fitted. scoring: see scorers.scorer_of.
        columns: what is permuted: a column, or several together, such as those of one category; None: each by itself.
        present: (n,), which rows count.
        n_jobs: predictions under way at once.

    Sensitivity: none where the score is not a sum over rows; to release: release_permutation_importance.
    Rounds: 2 and with ``present`` a sort by one bit, for all repeats together; a prediction and a score for each
    ``n_jobs`` of sets * repeats. Leaks nothing. Raises WrongType, ShapeMismatch, OutOfRange before anything is sent.
    """
    scorer = scorer_of(scoring)
    check_n_jobs(n_jobs)
    _repeats(n_repeats)
    X, y, present = await as_table(X, y, present)
    sets = _sets(columns, X.shape[1])
    (X, y, here), mixed = await _mixed(X, y, present, n_repeats)

    async def one(table: SecretArray) -> Any:
        return await scorer.parts(model, table, y, here)

    work: list[Any] = [functools.partial(one, X)]
    work += [functools.partial(_with, one, X, other, which) for which in sets for other in mixed]
    scores = await scorer.values(await side_by_side(work, n_jobs))
    drops: SecretArray = await (scores[0] - scores[1:].reshape(len(sets), n_repeats))
    return drops


async def release_permutation_importance(
    party: Party,
    model: Any,
    X: Any,
    y: Any,
    mechanism: Mechanism,
    *,
    loss: Literal["zero_one", "absolute"],
    to: Sequence[int] | int,
    high: float = 1.0,
    n_repeats: int = 5,
    columns: Columns | None = None,
    present: Any = None,
    rows: int = 1,
    n_jobs: int = 4,
    stock: NoiseStock | None = None,
) -> Released:
    """The mean over the rows present, and repeats, of (permuted loss - plain loss), with noise: (sets of columns,).

    Args:
        loss: "zero_one": 1 where another label is predicted, so it is the drop of accuracy; "absolute":
            |y - prediction|, cut to ``high``, which must be given for it.
        n_repeats: a power of two, so that a mean over repeats is exact. More cost no more epsilon, and no less: each
            may show the same row.
        rows: most rows a person has. Else as permutation_importance.

    Sensitivity, for the model as it is: 2 high for each set of columns, see above, and 1 of the count, half of epsilon
    each (means.release_column_means). Of a person with several rows: times as many, one row after the other.
    Rounds, bytes: those of permutation_importance, and release. Leaks: the noised sums and count to the receivers.
    """
    check_mechanism(mechanism)
    receivers_of(party, to)
    check_rows(rows)
    check_n_jobs(n_jobs)
    _repeats(n_repeats)
    if n_repeats & (n_repeats - 1):
        raise OutOfRange(f"n_repeats={n_repeats!r}: a power of two, so that their mean is exact")
    if loss not in ("zero_one", "absolute"):
        raise OutOfRange(f'loss={loss!r}: "zero_one" or "absolute"')
    most = as_exact(high)
    if most is None or most <= 0 or (loss == "zero_one" and most != 1):
        raise OutOfRange(f"high={high!r}: the most a row can lose, above 0; 1 for zero_one")
    X, y, present = await as_table(X, y, present)
    sets = _sets(columns, X.shape[1])
    (X, y, here), mixed = await _mixed(X, y, present, n_repeats)
    mask = constant(X, np.ones(X.shape[0], np.int64), 0) if here is None else await here.to_array()

    async def one(table: SecretArray) -> SecretArray:
        return await _loss(await model.predict(table), as_labels(model, y), loss, float(most), mask)

    plain = await one(X)
    work: list[Any] = [functools.partial(_with, one, X, other, which) for which in sets for other in mixed]
    table: SecretArray = stack(await side_by_side(work, n_jobs)).reshape(len(sets), n_repeats)
    more = await (table.sum(axis=1) - plain * n_repeats)
    sums = read_on_grid(more, more.frac + n_repeats.bit_length() - 1)  # over a power of two: exact
    steps = math.ceil(most * (1 << more.frac))
    return await release_column_means(
        party, sums, mask.sum(), mechanism, low=-float(most), high=float(most), to=to,
        change=Fraction(2 * steps, 1 << more.frac), rows=rows, stock=stock,
    )  # fmt: skip


# -- rows --------------------------------------------------------------------------------------


async def _mixed(X: SecretArray, y: Any, present: Any, repeats: int) -> tuple[tuple[Any, Any, Any], list[SecretArray]]:
    """(X, y, present flags), rows present first; and as often X with rows present first, those in a secret order."""
    if present is None:
        return (X, y, None), [await x for x in [shuffle(X)[0] for _ in range(repeats)]]
    here = await as_flags(present)
    _, (first, labels, flags) = sort_by(~here, [X, y, here])
    orders = [shuffle(X, here) for _ in range(repeats)]
    mixed = [sort_by(~flag, [x])[1][0] for x, flag in orders]
    return (await first, await labels, await flags), [await x for x in mixed]


async def _with(one: Score, X: SecretArray, other: SecretArray, which: tuple[int, ...]) -> Any:
    """What ``one`` gives of X with some columns of the other table."""
    d = X.shape[1]
    places = np.arange(d)
    places[list(which)] += d
    return await one(await concatenate([X, other], axis=1)[:, places])


async def _loss(found: Any, y: Any, loss: str, most: float, mask: SecretArray) -> SecretArray:
    """The sum of the losses of the rows that count, (), on their grid."""
    if loss == "zero_one":
        missed = 1 - (as_numbers(y) == as_numbers(found)).to_array()
        return await (mask @ missed)
    distance = abs(await fixed(y) - await fixed(found))
    return await (mask @ distance.clip(0, most))


# -- arguments ---------------------------------------------------------------------------------


def _repeats(n_repeats: Any) -> None:
    if not is_whole(n_repeats) or not 1 <= n_repeats <= MOST_REPEATS:
        raise OutOfRange(f"n_repeats={n_repeats!r}: a whole number from 1 to {MOST_REPEATS}")


def _sets(columns: Any, d: int) -> list[tuple[int, ...]]:
    """Which columns are permuted together, for each figure."""
    given = range(d) if columns is None else columns
    sets = [tuple(c) if isinstance(c, Sequence) else (c,) for c in given]
    for which in sets:
        if not which or len(set(which)) != len(which) or not all(is_whole(c) and 0 <= c < d for c in which):
            raise OutOfRange(f"columns {columns!r}: each a column from 0 to {d - 1}, or several different ones")
    if not sets:
        raise OutOfRange("columns: at least one")
    return sets
