"""Variance, standard deviation, rounding, remainders, powers with real exponents: against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, functions
from mpc.errors import OutOfRange, WrongType
from mpc.sharing import default_threshold
from tests.mpc.helpers import each_m, near, on_shares, same

ULP = 2.0**-16


def check(m: int, actual: Any, values: Any, ddof: int = 0, axis: Any = None, frac: int = 16) -> None:
    """Within the stated error of the variance."""
    t = default_threshold(m)
    expected = np.asarray(values).var(axis=axis, ddof=ddof)
    allowed = (3 * t + 4) * 2.0**-frac + 2.0**-23 * expected + (2.0**-48 * np.mean(values)) ** 2
    assert np.all(np.abs(actual - expected) <= allowed), (actual, expected)


@each_m
@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_variance(m: int, ddof: int, axis: Any) -> None:
    x = np.random.default_rng(m).integers(-999, 999, (7, 3)) + 20_000_000
    for values in (x, (x - 20_000_000) / 256):
        options: dict[str, Any] = {"axis": axis, "ddof": ddof, "keepdims": True}
        v, s = on_shares(m, lambda a, options=options: [a.var(**options), a.std(**options)], values)
        expected = values.var(**options)
        near(v, expected, (3 * default_threshold(m) + 4) * ULP + 2.0**-23 * expected.max())
        near(s, np.sqrt(expected), (8 * m * ULP + 2.0**-20) * max(1, np.sqrt(expected).max()))


@each_m
@pytest.mark.parametrize(
    "x",
    [
        np.array([0, 100_000, 200_000, 300_000]), np.random.default_rng(0).integers(0, 300_000, 500),
        np.random.default_rng(1).uniform(0, 300_000, 500).round(), 1_700_000_000 + np.arange(40) * 86_400,
        np.array([2.0**40, 2.0**40 + 1]), np.array([0.5]), np.full(50, 7), np.full(50, 1 / 3),
        np.array([2**45, 2**45 - 20]), np.random.default_rng(2).normal(0, 0.5, (200,)).round(3),
    ],
    ids=["charges", "more", "reals", "seconds", "far", "one", "same", "third", "farther", "small"],
)  # fmt: skip
def test_variance_of_ordinary_columns(m: int, x: Any) -> None:
    v, s = on_shares(m, lambda a: [a.var(), a.std()], x)
    values = x if x.dtype.kind == "i" else np.rint(x * 2**16) / 2**16
    check(m, v, values)
    exact, t = values.var(), default_threshold(m)
    off = (3 * t + 4) * ULP + 2.0**-23 * exact + (2.0**-48 * values.mean()) ** 2
    least, most = np.sqrt(max(0, exact - off)), np.sqrt(exact + off)
    rounding = (1.1 + (t - 1) / 2) * ULP + 2.0**-21 * most
    assert least - rounding <= s <= most + rounding


@pytest.mark.parametrize("n", [2, 3, 1000, 1024])
@pytest.mark.parametrize("m", [3, 5])
def test_variance_up_to_its_range(m: int, n: int) -> None:
    most = 2**23 - 1
    for x in (np.where(np.arange(n) % 2, most, -most), np.where(np.arange(n) % 2, most, -most) + 0.5):
        check(m, on_shares(m, lambda a: a.var(), x), x)
    outlier = np.zeros(n, int)  # as far from the mean as the variance allows
    outlier[-1] = most * int(np.sqrt(n))
    check(m, on_shares(m, lambda a: a.var(), outlier), outlier)


@pytest.mark.parametrize("n", [1 << 20, (1 << 20) + 1, 1 << 21])
def test_variance_of_many_up_to_its_range(n: int) -> None:
    most = int(0.99 * min(2.0**23, 2.0**43 / n))
    x = np.where(np.arange(n) % 2, most, -most)
    check(3, on_shares(3, lambda a: a.var(), x), x)


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize("frac", [4, 8, 24, 30, 40])
def test_variance_with_other_fractional_bits(m: int, frac: int) -> None:
    rng = np.random.default_rng(frac)
    for x in (rng.normal(0, 1, 100), rng.normal(100, 20, 100), 2.0 ** ((60 - frac) / 2) * np.array([1, -1, 0.5])):
        x = np.rint(x * 2.0**frac) / 2.0**frac
        check(m, on_shares(m, lambda a: a.var(), x, frac=frac), x, frac=frac)


@each_m
def test_rounds_and_sizes_of_a_variance(m: int) -> None:
    sent = []
    for values in (np.zeros(1000, int), np.arange(1000)):
        cluster = MemoryCluster(m)

        async def program(party: Party, values: Any = values) -> int:
            x = await party.input(values, owner=0)
            before = party.transport.traffic.rounds
            await x.var()
            return party.transport.traffic.rounds - before

        assert max(cluster.run(program)) <= 11 or m > 3
        sent.append([t.bytes_sent for t in cluster.traffic])
    assert sent[0] == sent[1]


def test_variance_of_bits_other_bits_and_nothing() -> None:
    x = np.array([0.5, 1.25, -2.0])
    fine, coarse = (on_shares(3, lambda a: a.var(), x, frac=f) for f in (30, 8))
    check(3, fine, x, frac=30)
    check(3, coarse, x, frac=8)
    near(on_shares(3, lambda a: a.var(axis=1), np.zeros((0, 3))), np.zeros(0), 0)
    near(on_shares(3, lambda a: np.var(a > 0), x), np.float64(2 / 9), 7 * ULP)

    async def program(party: Party) -> None:
        a = await party.input(x, owner=0)
        for ddof in (3, 4):
            with pytest.raises(OutOfRange, match="ddof"):
                a.var(ddof=ddof)
        with pytest.raises(WrongType, match="ddof"):
            a.std(ddof=0.5)
        with pytest.raises(OutOfRange, match="ddof"):
            a[:0].var()

    MemoryCluster(3).run(program)


@each_m
def test_round(m: int) -> None:
    x = np.array([2.5, -2.5, 0.5, -0.5, 0.49, -0.51, 3.0, -1e6 + 0.25])
    rounded, python, integers = on_shares(m, lambda a, b: [a.round(), round(a), b.round()], x, [5, -5])
    same(rounded, np.floor(x + 0.5).astype(np.int64))
    same(python, np.floor(x + 0.5).astype(np.int64))
    same(integers, np.array([5, -5]))


@each_m
def test_remainders(m: int) -> None:
    x, y = np.array([7, -7, 0, 12345, -1]), np.array([3, 3, 5, -100, 7])

    def f(x: Any, y: Any) -> list[Any]:
        return [x % 3, x % 8, x % y, *divmod(x, 10), *divmod(x, y), 100 % y, *divmod(100, y), x % -4]

    for result, expected in zip(on_shares(m, f, x, y), f(x, y), strict=True):
        same(result, expected)


def test_what_has_no_remainder_or_power() -> None:
    async def program(party: Party) -> None:
        x = await party.input([1.5, 2.5], owner=0)
        whole = await x.astype(int)
        before = party.transport.traffic.frames_sent
        with pytest.raises(WrongType, match="//"):
            whole % 1.5
        with pytest.raises(WrongType, match="sqrt"):
            x**0.5
        for exponent in (1.5, -1.0, np.nan, np.inf, np.float64(2.5)):
            with pytest.raises(OutOfRange, match="non-negative"):
                x**exponent
        for f in (
            functions.sqrt,
            functions.inverse_sqrt,
            functions.exp,
            functions.log,
            functions.sigmoid,
            functions.tanh,
            functions.reciprocal,
        ):
            with pytest.raises(WrongType, match="no secret"):
                f(4.0)
        for g in (functions.divide, functions.floor_divide):
            with pytest.raises(WrongType, match="no secret"):
                g(4, 2)
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


def test_powers_with_real_exponents() -> None:
    x = np.array([3, -2, 0])
    square, cube, one = on_shares(3, lambda a: [a**2.0, a ** np.float32(3), a**0.0], x)
    same(square, x**2)
    same(cube, x**3)
    same(one, x**0)
