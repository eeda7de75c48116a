"""Min-max, imputation, one-hot, clipping and the split against scikit-learn and numpy; the scaler is in test_linear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import impute, preprocessing

from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.errors import NotFitted
from protocols.preprocessing import MinMaxScaler, OneHotEncoder, SimpleImputer, clip, train_test_split
from tests.protocols.fitted import each_m, fitted, sizes_sent


def _rows(n: int, d: int) -> Any:
    r = np.random.default_rng([n, d])
    return r.normal(size=(n, d)) * np.geomspace(0.05, 30, d) + r.normal(size=d) * 5


@each_m
def test_min_max(m: int) -> None:
    x = np.column_stack([_rows(30, 3), np.full(30, 2.5)])
    present = np.arange(30) % 3 > 0

    async def body(X: Any, P: Any) -> Any:
        scaler = await MinMaxScaler((-1.0, 2.0)).fit(X, present=P)
        held = await MinMaxScaler(clip=True).fit(X, present=P)
        return scaler.data_min_, scaler.data_max_, scaler.scale_, await scaler.transform(X), await held.transform(X)

    low, high, scale, moved, held = fitted(m, body, x, present)
    theirs = preprocessing.MinMaxScaler((-1.0, 2.0)).fit(x[present])
    np.testing.assert_allclose(low, theirs.data_min_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(high, theirs.data_max_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(scale, theirs.scale_, rtol=2e-4)
    np.testing.assert_allclose(moved, theirs.transform(x), rtol=0, atol=5e-4)
    theirs = preprocessing.MinMaxScaler(clip=True).fit(x[present])
    np.testing.assert_allclose(held, theirs.transform(x), rtol=0, atol=3e-4)


@pytest.mark.parametrize(
    ("column", "good"),
    [
        ([0, 2.0**8], True),
        ([8000, 8191.5], True),
        ([3, 3], True),
        ([0, 2.0**-6], True),
        ([0, 2.0**-6.5], False),
        ([0, 300], False),
        ([0, 2.0**44], False),
        ([-(2.0**44), 2.0**45], False),
        ([8191, 8193], False),
        ([-8193, -8191], False),
    ],
)
def test_min_max_says_whether_columns_are_in_range(column: list[float], good: bool) -> None:
    """On the rows that are present; without any it is not."""
    x = np.column_stack([[0, 1, 0, 2.0**40], [*column, column[0], 2.0**30]])

    async def body(X: Any, P: Any, none: Any) -> Any:
        fits = [await MinMaxScaler().fit(X, present=P), await MinMaxScaler().fit(X, present=none)]
        return [*[f.in_range_ for f in fits], (await MinMaxScaler().fit(X[:3])).in_range_]

    found = fitted(3, body, x, np.array([True, True, True, False]), np.zeros(4, bool))
    assert [bool(v) for v in found] == [good, False, good]


@each_m
def test_mean_imputation(m: int) -> None:
    x = _rows(40, 3)
    missing = np.random.default_rng(1).random((40, 3)) < 0.3
    present = np.arange(40) % 4 > 0

    async def body(X: Any, M: Any, P: Any) -> Any:
        imputer = SimpleImputer()
        filled = await imputer.fit_transform(X, missing=M, present=P)
        return imputer.statistics_, filled, await SimpleImputer().fit_transform(X, missing=M)

    means, filled, all_rows = fitted(m, body, np.where(missing, 999.0, x), missing, present)
    with_holes = np.where(missing, np.nan, x)
    theirs = impute.SimpleImputer().fit(with_holes[present])
    np.testing.assert_allclose(means, theirs.statistics_, rtol=1e-5, atol=5e-5)
    np.testing.assert_allclose(filled, theirs.transform(with_holes), rtol=1e-5, atol=6e-5)
    np.testing.assert_allclose(all_rows, impute.SimpleImputer().fit_transform(with_holes), rtol=1e-5, atol=6e-5)


def test_a_column_without_a_value_gets_zero() -> None:
    async def body(X: Any, M: Any) -> Any:
        return [(await SimpleImputer().fit(X, missing=M)).statistics_]

    (means,) = fitted(3, body, np.ones((4, 2)), np.array([[True, False]] * 4))
    assert means[0] == 0
    assert abs(means[1] - 1) < 1e-4


@each_m
def test_one_hot(m: int) -> None:
    x = np.array([[1, 10], [2, -5], [3, 10], [1, 7], [9, -5]])
    categories = [[1, 2, 3], [-5, 10]]

    async def body(X: Any) -> Any:
        return [await OneHotEncoder(categories).fit_transform(X)]

    (marks,) = fitted(m, body, x)
    theirs = preprocessing.OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)
    np.testing.assert_array_equal(marks, theirs.fit_transform(x))


def test_clip() -> None:
    x = _rows(20, 3)
    low, high = np.array([-1.0, 0.0, -2.0]), np.array([1.0, 0.5, 2.0])

    async def body(X: Any) -> Any:
        return [await clip(X, low, high)]

    (held,) = fitted(3, body, x)
    np.testing.assert_allclose(held, np.clip(x, low, high), rtol=0, atol=1e-5)


@each_m
@pytest.mark.parametrize(("test_size", "tested"), [(0.25, 5), (3, 3), (0.9, 16)])
def test_split(m: int, test_size: Any, tested: int) -> None:
    n = 17
    x, y = np.arange(2 * n).reshape(n, 2), np.arange(n) * 7

    async def body(X: Any, Y: Any) -> Any:
        return await train_test_split(X, Y, test_size=test_size)

    x_train, x_test, y_train, y_test = fitted(m, body, x, y)
    assert len(x_test) == len(y_test) == tested
    rows = np.concatenate([y_train, y_test]) // 7
    assert sorted(rows) == list(range(n))
    assert rows.tolist() != list(range(n))
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), x[rows])


def test_messages_depend_on_sizes_only() -> None:
    async def body(X: Any, M: Any) -> Any:
        filled = await SimpleImputer().fit_transform(X, missing=M)
        train, _ = await train_test_split(await MinMaxScaler(clip=True).fit_transform(filled))
        await train
        return []

    x = _rows(16, 2)
    missing = np.random.default_rng(1).random((16, 2)) < 0.5
    assert sizes_sent(body, x, missing, seed=1) == sizes_sent(body, x * 0, np.zeros((16, 2), bool), seed=2)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda X: MinMaxScaler((1.0, 1.0)).fit(X), OutOfRange),
        (lambda X: MinMaxScaler((0.0, np.nan)).fit(X), OutOfRange),
        (lambda X: MinMaxScaler((1.0,)).fit(X), OutOfRange),  # type: ignore[arg-type]
        (lambda X: MinMaxScaler(1.0).fit(X), OutOfRange),  # type: ignore[arg-type]
        (lambda X: MinMaxScaler(("0", "1")).fit(X), OutOfRange),  # type: ignore[arg-type]
        (lambda X: MinMaxScaler().transform(X), NotFitted),
        (lambda X: MinMaxScaler().fit(X, present=np.ones(6, bool)), WrongType),
        (lambda X: SimpleImputer(strategy="median").fit(X, missing=X), OutOfRange),
        (lambda X: SimpleImputer().fit(X, missing=np.zeros((6, 2), bool)), WrongType),
        (lambda X: SimpleImputer().fit(X, missing=X[:, :1]), ShapeMismatch),
        (lambda X: OneHotEncoder([[1, 1], [2]]).fit(X), OutOfRange),
        (lambda X: OneHotEncoder([["a"], ["b"]]).fit(X), WrongType),  # type: ignore[list-item]
        (lambda X: OneHotEncoder(5).fit(X), WrongType),  # type: ignore[arg-type]
        (lambda X: OneHotEncoder([[[1]], [2]]).fit(X), WrongType),  # type: ignore[list-item]
        (lambda X: train_test_split(X, test_size=np.nan), OutOfRange),
        (lambda X: train_test_split(X, test_size=np.inf), OutOfRange),
        (lambda X: train_test_split(X, test_size="a"), OutOfRange),  # type: ignore[arg-type]
        (lambda X: train_test_split(X, test_size=True), OutOfRange),
        (lambda X: train_test_split(X, test_size=0), OutOfRange),
        (lambda X: train_test_split(X, test_size=1.0), OutOfRange),
        (lambda X: train_test_split(np.ones(3)), WrongType),
    ],
)
def test_faults_have_names(fault: Any, error: type[Exception]) -> None:
    async def body(X: Any) -> Any:
        await X
        party, before = X.party, X.party.transport.traffic.bytes_sent
        try:
            await fault(X)
        finally:
            assert party.transport.traffic.bytes_sent == before
        return []

    with pytest.raises(error):
        fitted(3, body, _rows(6, 2))
