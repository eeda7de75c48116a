"""numpy's own functions and operators with secrets in them, against numpy."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mpc
from mpc import MemoryCluster, Party, SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.numpy_habits import INSTEAD
from tests.mpc.helpers import near, on_shares, same

X = np.array([[3, -1, 0], [7, -7, 3]])
P = np.array([[1, 2, 3], [4, 5, 7]])
R = np.array([[0.5, 1.5, 4.0], [9.0, 0.25, 2.0]])

FUNCTIONS: list[Callable[[Any], Any]] = [
    np.sum, np.max, np.min, np.any, np.all, np.argmax, np.argmin, np.sort, np.cumsum, np.abs, np.square, np.sign,
    np.negative, np.positive, np.transpose, np.ravel, np.copy, np.count_nonzero, np.logical_not,
    lambda x: np.sum(x, axis=(0, 1), keepdims=True), lambda x: np.max(x, axis=1, keepdims=True),
    lambda x: np.amin(x, 0),
    lambda x: np.argsort(x, axis=0, kind="stable"), lambda x: np.sort(x, axis=None), lambda x: np.any(x, axis=(0, 1)),
    lambda x: np.concatenate([x, x], axis=1), lambda x: np.concatenate([P, x]), lambda x: np.stack([x, P], axis=-1),
    lambda x: np.concatenate([x, P], axis=None), lambda x: np.where(x > 0, x, P),
    lambda x: np.where(x > 0, x > 1, x < 0),
    lambda x: np.add(x, P), lambda x: np.subtract(P, x), lambda x: np.multiply(x, x), lambda x: np.maximum(x, P),
    lambda x: np.minimum(P, x), lambda x: np.clip(x, -1, 2), lambda x: np.clip(x, a_min=-1, a_max=None),
    lambda x: np.clip(x, min=0, max=2), lambda x: np.dot(x, P.T), lambda x: np.matmul(P.T, x), lambda x: P.T @ x,
    lambda x: np.reshape(x, (3, 2)), lambda x: np.reshape(x, -1), lambda x: np.expand_dims(x, 1),
    lambda x: np.swapaxes(x, 0, 1), lambda x: np.squeeze(x[:1]), lambda x: np.take(x, [0, 1, 0], axis=1),
    lambda x: np.broadcast_to(x, (2, 2, 3)), lambda x: np.power(x, 3), lambda x: np.floor_divide(x, 2),
    lambda x: np.remainder(x, 4), lambda x: np.divmod(x, 3)[1], lambda x: np.less(x, P), lambda x: np.less(P, x),
    lambda x: np.greater_equal(P, x), lambda x: np.less_equal(x, 3), lambda x: np.greater(x, 0),
    lambda x: np.equal(P, x),
    lambda x: np.not_equal(x, P), lambda x: np.logical_and(x, x > 0), lambda x: np.logical_or(x > 3, x < 0),
    lambda x: np.logical_xor(x > 3, P > 2), lambda x: np.bitwise_and(x > 0, P > 2), lambda x: ~(x > 0),
    lambda x: np.invert(x > 0),
    lambda x: (P > 2) | (x > 0), lambda x: (P > 2) ^ (x > 0), lambda x: np.equal(P > 2, x > 0),
    lambda x: P * x, lambda x: np.int64(2) * x, lambda x: P - x, lambda x: np.float64(2) < x,
    lambda x: P % (x * x + 1),
    lambda x: (x > 0).cumsum(axis=1), lambda x: (x > 0) @ P.T, lambda x: P.T @ (x > 0), lambda x: (x > 0).dot(P.T),
]  # fmt: skip


@pytest.mark.parametrize("m", [3, 4])
def test_functions_of_integers(m: int) -> None:
    def every(x: Any) -> list[Any]:
        return [f(x) for f in FUNCTIONS]

    for i, (result, expected) in enumerate(zip(on_shares(m, every, X), every(X), strict=True)):
        try:
            same(result, expected)
        except AssertionError as error:
            raise AssertionError(f"function {i}") from error


REALS: list[Callable[[Any], Any]] = [
    np.mean, np.var, np.std, np.sqrt, np.exp, np.log, np.tanh, np.reciprocal, np.floor, np.ceil,
    lambda x: np.mean(x, axis=0, keepdims=True), lambda x: np.var(x, 1, ddof=1), lambda x: np.divide(x, P),
    lambda x: np.divide(P, x), lambda x: P / x, lambda x: R * x, lambda x: np.float64(2.5) * x,
    lambda x: np.add(x, 0.5),
    lambda x: np.concatenate([x, P]), lambda x: np.stack([R, x]), lambda x: (x > 1) / 4, lambda x: 4 / ((x > 1) + 1),
    lambda x: x**2.0, lambda x: np.power(x, np.float64(2)),
]  # fmt: skip


@pytest.mark.parametrize("m", [3, 5])
def test_functions_of_reals(m: int) -> None:
    def every(x: Any) -> list[Any]:
        return [f(x) for f in REALS]

    for result, expected in zip(on_shares(m, every, R), every(R), strict=True):
        near(result, expected, 0.15 if np.max(expected) > 1000 else 5e-4)


def test_shape_size_and_dimensions() -> None:
    async def program(party: Party) -> None:
        x = await party.input(X, owner=0)
        assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
        assert (np.shape(x > 0), np.size(x > 0)) == ((2, 3), 6)

    MemoryCluster(3).run(program)


def test_pandas_on_the_left() -> None:
    s, b = pd.Series([1, 2, 3]), pd.Series([True, False, True])
    f = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    x = np.array([4, 0, -2])
    got = on_shares(
        3,
        lambda x, y: [s * x, s - x, s == x, s < x, b & (x > 0), np.multiply(s, x), x * s, f * y, y + f],
        x, X,
    )  # fmt: skip
    v, w = s.to_numpy(), f.to_numpy()
    expected = [v * x, v - x, v == x, v < x, b.to_numpy() & (x > 0), v * x, x * v, w * X, X + w]
    for result, e in zip(got, expected, strict=True):
        same(result, e)


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (np.median, r"numpy\.median.*sort\(\)"), (np.unique, r"numpy\.unique.*x == c"),
    (np.nonzero, r"numpy\.nonzero.*where"), (np.isnan, r"numpy\.isnan.*never NaN"),
    (np.log10, r"numpy\.log10.*mpc\.log"),
    (np.linalg.norm, r"norm.*sqrt"), (np.fft.fft, r"fft.*reveal"), (np.sin, r"numpy\.sin.*mpc\.sqrt"),
    (np.add.reduce, r"numpy\.add\.reduce.*sum"), (lambda x, p: np.sum(x, dtype=float), r"numpy\.sum.*dtype"),
    (lambda x, p: np.add(x, 1, where=[True]), r"numpy\.add.*where"),
    (lambda x, p: np.add(x, 1, out=np.zeros(3)), r"numpy\.add.*cannot hold"),
    (lambda x, p: operator.iadd(np.zeros((2, 3), int), x), "cannot hold"),
    (lambda x, p: np.where(p), "where it holds"), (lambda x, p: np.where(x, x, 0), "!= 0 to get SecretBits"),
    (lambda x, p: np.clip(5, x, x), "maximum"), (lambda x, p: np.reshape(x, (3, 2), order="F"), "'C' only"),
    (np.asarray, "reveal"), (np.array, "reveal"),
    (lambda x, p: np.arange(9)[x], r"where\(mask, x, 0\).*mpc\.take"),
    (lambda x, p: np.arange(9)[x[0, 0]], r"where\(mask, x, 0\).*mpc\.take"),
    (lambda x, p: x[p], r"where\(mask, x, 0\).*mpc\.take"), (lambda x, p: x[x], r"mpc\.take"),
    (lambda x, p: x[0, x[0, 0]], "must be public"), (lambda x, p: x[: x[0, 0]], "must be public"),
    (lambda x, p: x.take(x), r"mpc\.take"), (lambda x, p: 2**x, "exp"), (lambda x, p: x**0.5, r"mpc\.sqrt"),
    (lambda x, p: x**-0.5, r"mpc\.inverse_sqrt"), (lambda x, p: p == 1, "take booleans"),
    (lambda x, p: p & 1, "take booleans"), (lambda x, p: p & x, "!= 0 to get SecretBits"),
    (lambda x, p: x & p, "!= 0 to get SecretBits"), (lambda x, p: ~x, "!= 0 to get SecretBits"),
    (lambda x, p: x ^ 1, "!= 0 to get SecretBits"), (lambda x, p: np.array(True) | x, "!= 0 to get SecretBits"),
    (lambda x, p: x.round(1), "decimals"), (lambda x, p: x.astype("nonsense"), "bool"),
    (lambda x, p: x.clip(1, min=2), "twice"), (lambda x, p: np.power(x, x), r"mpc\.exp"),
    (lambda x, p: np.isnan(x), "leave the check out"), (lambda x, p: np.cov(x[0], x[1]), r"cov.*x\.mean\(\)"),
    (lambda x, p: np.corrcoef(x[0], x[1]), r"corrcoef.*x\.std\(\)"),
    (lambda x, p: x.take([0], mode="wrap"), "take of a secret: .*'mode'"),
    (lambda x, p: x.cumsum(dtype=int), "cumsum of a secret: .*'dtype'"),
    (lambda x, p: p.sum(out=3), "sum of a secret: .*'out'"),
    (lambda x, p: x.argmax(out=3), "argmax of a secret: .*'out'"),
    (lambda x, p: x.astype(int, copy=False), "astype of a secret: .*'copy'"),
    (lambda x, p: x.mean(0, True, 1, 2), "mean of a secret: too many"),
    (lambda x, p: x.dot(), "dot of a secret: missing"), (lambda x, p: np.negative(p), "~ is not"),
    (lambda x, p: np.take(x, x), r"mpc\.take"),
]  # fmt: skip


def test_what_is_refused_says_what_to_use_and_sends_nothing() -> None:
    async def program(party: Party) -> None:
        x = await party.input(X, owner=0)
        p = await (x > 0)
        before = party.transport.traffic.frames_sent
        for f, text in REFUSED:
            with pytest.raises(WrongType, match=text):
                f(x, p) if f.__name__ == "<lambda>" else f(x)
        for f in (np.sum, np.max, np.any, np.mean, np.argmin, np.sort, np.cumsum, np.var, np.squeeze):
            with pytest.raises(ShapeMismatch):
                f(x, axis=2)  # type: ignore[operator]
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


def test_hints_name_what_users_import() -> None:
    for hint in [*INSTEAD.values(), *(text for _, text in REFUSED)]:
        for name in re.findall(r"mpc\\?\.(\w+)", hint):
            assert name in mpc.__all__, name


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_recipes_of_hints(n: int) -> None:
    """Medians of odd and even lengths, covariance and correlation, straight after an input without a shape."""
    rng = np.random.default_rng(n)
    u, v = rng.integers(-50, 50, n), rng.normal(size=n).round(3)

    async def program(party: Party) -> Any:
        x, y = party.input(u, owner=0), party.input(v, owner=1)
        s = (await x).sort()
        half = (s[(len(s) - 1) // 2] + s[len(s) // 2]) / 2
        assert "s = (await x).sort(); n = len(s); (s[(n - 1) // 2] + s[n // 2]) / 2" in INSTEAD["median"]
        if n == 1:
            return [await party.reveal(half)]
        d, e = x - x.mean(), y - y.mean()
        assert INSTEAD["cov"].endswith("(d * e).sum() / (len(x) - 1)")
        assert INSTEAD["corrcoef"].endswith("(d * e).mean() / (x.std() * y.std())")
        both = [(d * e).sum() / (len(x) - 1), (d * e).mean() / (x.std() * y.std())]
        return [await party.reveal(r) for r in (half, *both)]

    found = MemoryCluster(3).run(program)[0]
    np.testing.assert_allclose(found[0], np.median(u), atol=1e-3)
    if n > 1:
        np.testing.assert_allclose(found[1], np.cov(u, v)[0, 1], atol=1e-2)
        np.testing.assert_allclose(found[2], np.corrcoef(u, v)[0, 1], atol=1e-2)


def test_booleans_become_integers_at_all_parties() -> None:
    mask = np.array([True, False, True])

    async def program(party: Party) -> Any:
        x = await party.input(mask if party.index == 1 else None, owner=1)
        assert type(x) is SecretArray and x.dtype == np.int64
        bits = x.astype(bool)
        assert type(bits) is SecretBits and type(bits.astype(bool)) is SecretBits
        return await party.reveal(~(x != 0)), await party.reveal(bits & mask)

    for inverted, both in MemoryCluster(3).run(program):
        same(inverted, ~mask)
        same(both, mask)
