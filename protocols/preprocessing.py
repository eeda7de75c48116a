"""Preparing secret columns for a model, fitted on everybody's rows together without opening anything.

The names, parameters and attributes are scikit-learn's; ``fit`` and ``transform`` are coroutines, and the attributes
are secret arrays. ``present`` says which rows count, as a join gives it: the others may hold anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

import mpc
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.quotients import rescale
from mpc.relations import where
from mpc.secret import Secret
from mpc.shuffle import shuffle
from protocols.columns import as_flags, constant
from protocols.estimator import Estimator, as_column, as_rows, row_weights
from protocols.exact import as_exact, is_whole
from protocols.fixed_point import product
from protocols.standardise import FRAC_ROOT, moments, scaled_rows

__all__ = ["MinMaxScaler", "OneHotEncoder", "SimpleImputer", "StandardScaler", "clip", "train_test_split"]


class StandardScaler(Estimator):
    """Columns less their mean, by their standard deviation (of the population, as scikit-learn's).

    Ranges and errors: standardise.moments. Columns whose deviation is below 2^-7 count as constant and keep scale 1,
    as constant ones do in scikit-learn; give such a column in a smaller unit.

    Attributes:
        mean_, var_, scale_: (d,), secret. n_features_in_: d.
        in_range_: SecretBits (), whether every deviation is in range: else the rest is a wrong number.
    """

    def __init__(self, *, with_mean: bool = True, with_std: bool = True) -> None:
        self.with_mean, self.with_std = with_mean, with_std

    async def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Mean and deviation of the rows present. Rounds and bytes: standardise.moments. Leaks nothing."""
        X = await as_rows(X)
        found = await moments(X, *await row_weights(X, sample_weight, present))
        self.n_features_in_ = X.shape[1]
        self.in_range_ = found.in_range
        self.mean_, self.var_, self.scale_, self._root = found.mean, found.variance, found.scale, found.root
        return self

    async def transform(self, X: Any) -> SecretArray:
        """(n, d), 16 fractional bits. Error: 2 ulp and 2^-17 by the scale. Rounds: 3 a block (m = 3). Leaks nothing."""
        self._fitted("mean_")
        X = await as_rows(X, self.n_features_in_)
        one = np.full(X.shape[1], 1 << FRAC_ROOT)
        mean = self.mean_ if self.with_mean else constant(X, 0 * one, self.mean_.frac)
        return await scaled_rows(X, mean, self._root if self.with_std else constant(X, one, FRAC_ROOT))

    async def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, present: Any = None
    ) -> SecretArray:
        """fit, then transform of the same rows."""
        return await (await self.fit(X, y, sample_weight, present=present)).transform(X)

    async def inverse_transform(self, X: Any) -> SecretArray:
        """Back to the columns' own units: x scale_ + mean_. Rounds: 3 (m = 3)."""
        self._fitted("mean_")
        X = await as_rows(X, self.n_features_in_)
        out = product(X, self.scale_, X.frac) if self.with_std else X
        return await rescale(out + self.mean_ if self.with_mean else out, X.frac)


class MinMaxScaler(Estimator):
    """Columns from their smallest to their largest value onto ``feature_range``.

    Ranges: |x| < 2^13 and below 2^16 times the column's range; that range from 2^-6 to 2^8, or below 2^-7: such a
    column counts as constant, its range as 1, as scikit-learn's does. Error: 3 ulp, and 2^-16 by the column's range.

    Attributes:
        data_min_, data_max_, data_range_, scale_, min_: (d,), secret. n_features_in_: d.
        in_range_: SecretBits (), whether a row is present, and all columns are in range on those that are: else the
            rest is a wrong number.
    """

    def __init__(self, feature_range: tuple[float, float] = (0.0, 1.0), *, clip: bool = False) -> None:
        self.feature_range, self.clip = feature_range, clip

    async def fit(self, X: Any, y: Any = None, *, present: Any = None) -> Self:
        """Extremes of the rows present. Rounds: 9 for each of log2 n halvings, and 60 (m = 3). Leaks nothing."""
        low, high = _rising_pair(self.feature_range)
        X = await as_rows(X)
        n, d = X.shape
        lows = highs = X
        if present is not None:
            here = await _flags(present, n)
            far = constant(X, np.full((n, d), 1 << (13 + FRAC)), FRAC)
            lows, highs = where(here.reshape(n, 1), X, far), where(here.reshape(n, 1), X, -far)
        self.data_min_, self.data_max_ = await lows.min(axis=0), await highs.max(axis=0)
        self.data_range_ = await (self.data_max_ - self.data_min_)
        within = (self.data_min_ > -(2.0**13)) & (self.data_max_ < 2.0**13)
        flat = (self.data_range_ >= 0) & (self.data_range_ < 2.0**-7)  # without a row it is below 0
        wide = (self.data_range_ >= 2.0**-6) & (self.data_range_ <= 2.0**8)
        in_range = (within & (flat | wide)).all()
        one = constant(X, np.full(d, 1 << FRAC), FRAC)
        used = where(self.data_range_ < 2.0**-7, one, self.data_range_)
        root = rescale(mpc.reciprocal(used), FRAC_ROOT)
        for _ in range(2):  # to more bits: each step squares the relative error, 2^-7 at most
            root = product(root, 2 - product(used, root, 26), FRAC_ROOT)
        self.n_features_in_ = d
        self.scale_ = await (root * (high - low))
        self.min_ = await (low - product(self.data_min_, self.scale_, FRAC))
        self.in_range_ = await in_range
        return self

    async def transform(self, X: Any) -> SecretArray:
        """(n, d), 16 fractional bits, held within feature_range with ``clip``. Rounds: 3, with ``clip`` 14 (m = 3)."""
        self._fitted("scale_")
        X = await as_rows(X, self.n_features_in_)
        low, high = self.feature_range
        moved = await scaled_rows(X, self.data_min_, self.scale_) + low
        return await (moved.clip(low, high) if self.clip else moved)

    async def fit_transform(self, X: Any, y: Any = None, *, present: Any = None) -> SecretArray:
        """fit, then transform of the same rows."""
        return await (await self.fit(X, y, present=present)).transform(X)


class SimpleImputer(Estimator):
    """The mean of a column in the place of what is missing.

    A secret number cannot be NaN: what is missing is said beside it, in secret bits (n, d); what stands there does not
    matter. A column without any value gets 0.

    Attributes:
        statistics_: (d,), secret, 16 bits, the means. n_features_in_: d.
    """

    def __init__(self, *, strategy: str = "mean") -> None:
        self.strategy = strategy

    async def fit(self, X: Any, y: Any = None, *, missing: Any, present: Any = None) -> Self:
        """Means of what is there in the rows present.

        Range: sums of |x| below 2^40. Error: that of a division, 1.1 ulp and 2^-18 of it. Rounds: 36 (m = 3). Sends: 16
        bytes an element. Leaks nothing.
        """
        if self.strategy != "mean":
            raise OutOfRange(f'strategy={self.strategy!r}: "mean"')
        X = await as_rows(X)
        n, d = X.shape
        there = ~await self._missing(missing, X)
        if present is not None:
            there = there & (await _flags(present, n)).reshape(n, 1)
        known = there.to_array()
        self.statistics_ = await ((X * known).sum(axis=0) / known.sum(axis=0))
        self.n_features_in_ = d
        return self

    async def transform(self, X: Any, *, missing: Any) -> SecretArray:
        """(n, d), exact where nothing is missing. Rounds: 3 (m = 3). Sends: 16 bytes an element. Leaks nothing."""
        self._fitted("statistics_")
        X = await as_rows(X, self.n_features_in_)
        filled: SecretArray = await where(await self._missing(missing, X), self.statistics_, X)
        return filled

    async def fit_transform(self, X: Any, y: Any = None, *, missing: Any, present: Any = None) -> SecretArray:
        """fit, then transform of the same rows."""
        return await (await self.fit(X, y, missing=missing, present=present)).transform(X, missing=missing)

    async def _missing(self, missing: Any, X: SecretArray) -> SecretBits:
        if not isinstance(missing, Secret):
            raise WrongType(f"missing: secret bits (n, d) are needed, not {type(missing).__name__}")
        given = await missing
        if given.shape != X.shape:
            raise ShapeMismatch(f"missing of shape {given.shape} beside X of shape {X.shape}")
        return await as_flags(given)  # type: ignore[arg-type]


class OneHotEncoder(Estimator):
    """0/1 columns for public categories: secret integers (n, c) become (n, sum of the categories' numbers).

    Args:
        categories: for each column its labels, integers, in the order of the new columns. A value that is none of them
            gives zeros, as scikit-learn's handle_unknown="ignore".
    """

    def __init__(self, categories: Sequence[Sequence[int]]) -> None:
        self.categories = categories

    async def fit(self, X: Any, y: Any = None) -> Self:
        """Nothing is learnt: the categories are public. Sets categories_, n_features_in_."""
        given = self.categories if isinstance(self.categories, (list, tuple, np.ndarray)) else []
        self.categories_ = [np.asarray(c) for c in given]
        if not given or any(c.dtype.kind not in "iu" or not c.size or c.ndim != 1 for c in self.categories_):
            raise WrongType("categories: for each column a list of integers; number other labels at their owner")
        if any(len(np.unique(c)) != len(c) for c in self.categories_):
            raise OutOfRange("categories: a label of a column is given twice")
        self.n_features_in_ = len(self.categories_)
        return self

    async def transform(self, X: Any) -> SecretArray:
        """(n, columns), integers 0 and 1. Rounds: 8 (m = 3). Sends: 21 bytes an element of the result."""
        self._fitted("categories_")
        if not isinstance(X, SecretArray):
            raise WrongType(f"X: secret integers (n, {self.n_features_in_}) are needed, not {type(X).__name__}")
        X = await X
        if len(X.shape) != 2 or X.shape[1] != self.n_features_in_:
            raise ShapeMismatch(f"X of shape {X.shape}: (n, {self.n_features_in_}) is needed")
        parts = [X[:, j].reshape(-1, 1) == labels for j, labels in enumerate(self.categories_)]
        marks: SecretArray = await mpc.concatenate(parts, axis=1).to_array()
        return marks

    async def fit_transform(self, X: Any, y: Any = None) -> SecretArray:
        """fit, then transform."""
        return await (await self.fit(X, y)).transform(X)


def _rising_pair(given: Any) -> tuple[float, float]:
    pair = list(given) if isinstance(given, (tuple, list, np.ndarray)) else []
    if len(pair) != 2 or any(as_exact(v) is None for v in pair) or not -1024 <= pair[0] < pair[1] <= 1024:
        raise OutOfRange(f"feature_range={given!r}: two numbers, rising, within 1024")
    return pair[0], pair[1]


async def _flags(present: Any, n: int) -> SecretBits:
    if not isinstance(present, Secret):
        raise WrongType(f"present: secret bits (n,) are needed, not {type(present).__name__}")
    await as_column(present, n, "present")
    return await as_flags(present)  # type: ignore[arg-type]


async def clip(X: Any, low: Any, high: Any) -> SecretArray:
    """X (n, d) held between bounds, public or secret, for all columns or for each. Rounds: 11 (m = 3)."""
    return await (await as_rows(X)).clip(low, high)


async def train_test_split(*arrays: Any, test_size: float | int = 0.25) -> list[Any]:
    """Each array's rows in two parts, train and test, after one shuffle of all that nobody knows.

    Args:
        arrays: secret, of n rows each: X, y, present, weights.
        test_size: a share of the rows, rounded up, or how many: public, as the sizes of both parts are.

    Gives [a train, a test, b train, b test ...], as scikit-learn's. Rows that are not present are spread over both
    parts. Raises OutOfRange if one part would be empty. Rounds: 2 (m = 3). Leaks nothing.
    """
    if not arrays or not all(isinstance(a, Secret) for a in arrays):
        raise WrongType("train_test_split: secret arrays of as many rows each")
    n, share = len(await arrays[0]), as_exact(test_size)
    part = 0 if share is None else int(share) if is_whole(test_size) else int(np.ceil(test_size * n))
    if not 0 < part < n:
        raise OutOfRange(
            f"test_size={test_size!r} of {n} rows: a number of rows, or a share, so that both parts have rows"
        )
    mixed = shuffle(*arrays)
    return [half for x in mixed for half in (x[: n - part], x[n - part :])]
