"""Variance, standard deviation, rounding, remainders, powers with real exponents: against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, functions
from mpc.errors import OutOfRange, WrongType
from tests.mpc.helpers import each_m, near, on_shares, same

ULP = 2.0**-16


@each_m
@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_variance(m: int, ddof: int, axis: Any) -> None:
    x = np.random.default_rng(m).integers(-999, 999, (7, 3)) + 20_000_000
    for values in (x, (x - 20_000_000) / 256):
        options: dict[str, Any] = {"axis": axis, "ddof": ddof, "keepdims": True}
        v, s = on_shares(m, lambda a, options=options: [a.var(**options), a.std(**options)], values)
        expected = values.var(**options)
        near(v, expected, 8 * m * ULP + 2.0**-29 * expected.max())
        near(s, np.sqrt(expected), (8 * m * ULP + 2.0**-20) * max(1, np.sqrt(expected).max()))


@pytest.mark.parametrize("n", [2, 3, 1000, 1024])
@pytest.mark.parametrize("m", [3, 5])
def test_variance_up_to_its_range(m: int, n: int) -> None:
    x = np.where(np.arange(n) % 2, 32_767, -32_767)
    near(on_shares(m, lambda a: a.var(), x), x.var(), x.var() * 2.0**-28 + 20 * ULP)


def test_variance_of_bits_other_bits_and_nothing() -> None:
    x = np.array([0.5, 1.25, -2.0])
    fine, coarse = (on_shares(3, lambda a: a.var(), x, frac=f) for f in (30, 8))
    near(fine, x.var(), 20 * 2.0**-30)
    near(coarse, x.var(), 8 * 2.0**-8)
    near(on_shares(3, lambda a: a.var(axis=1), np.zeros((0, 3))), np.zeros(0), 0)
    near(on_shares(3, lambda a: np.var(a > 0), x), np.float64(2 / 9), 4 * ULP)

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
