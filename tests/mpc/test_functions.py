"""Numeric functions against numpy: the stated errors over the stated ranges, and what happens beyond them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, coefficients, functions, waves
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.separable import Series
from mpc.sharing import default_threshold
from tests.mpc.helpers import on_shares, same

Reals = npt.NDArray[np.float64]
ULP = 2.0**-16
DENSE = {3: 120_000, 4: 4_000, 5: 2_000, 7: 150}
each_size = pytest.mark.parametrize("m", DENSE)


def wide(n: int, low: int, high: int, seed: int = 0) -> Reals:
    """Positive multiples of 2^-16 of all sizes from 2^low to 2^high, powers of two and their neighbours too."""
    rng = np.random.default_rng(seed)
    powers = 2.0 ** np.arange(low, high)
    edges = np.concatenate([powers, powers - ULP, powers + ULP, [np.nextafter(2.0**high, 0)]])
    values = np.concatenate([edges, 2.0 ** rng.uniform(low, high, max(0, n - edges.size))])
    return np.clip(np.rint(values / ULP) * ULP, ULP, np.nextafter(2.0**high, 0))


def even(n: int, low: float, high: float) -> Reals:
    """Multiples of 2^-16, evenly spread, and the ends."""
    return np.asarray(np.rint(np.linspace(low, high, n) / ULP) * ULP)


def signed(x: Reals) -> Reals:
    return x * np.random.default_rng(1).choice([-1.0, 1.0], x.shape)


def check(m: int, actual: Any, exact: Reals, ulps: float, relative: float = 0.0) -> None:
    """|actual - exact| <= (ulps + (t - 1) / 2) ulp + relative |exact|."""
    allowed = (ulps + (default_threshold(m) - 1) / 2) * ULP + relative * np.abs(exact)
    worst = int(np.argmax(np.abs(actual - exact) - allowed))
    assert abs(actual[worst] - exact[worst]) <= allowed[worst], (actual[worst], exact[worst])


# -- accuracy ------------------------------------------------------------------------------


@each_size
def test_reciprocal(m: int) -> None:
    x = signed(wide(DENSE[m], -16, 40))
    check(m, on_shares(m, functions.reciprocal, x), 1 / x, 1.5, 2.0**-24)


@each_size
def test_sqrt(m: int) -> None:
    x = np.append(wide(DENSE[m], -16, 40), 0.0)
    check(m, on_shares(m, functions.sqrt, x), np.sqrt(x), 1.1, 2.0**-21)


@each_size
def test_inverse_sqrt(m: int) -> None:
    x = wide(DENSE[m], -16, 40)
    check(m, on_shares(m, functions.inverse_sqrt, x), 1 / np.sqrt(x), 1.1, 2.0**-21)


@each_size
def test_log(m: int) -> None:
    x = wide(DENSE[m], -16, 40)
    check(m, on_shares(m, functions.log, x), np.log(x), 1.1)


@each_size
def test_exp(m: int) -> None:
    x = even(DENSE[m], -14, functions.EXP_LIMIT)
    check(m, on_shares(m, functions.exp, x), np.exp(x), 1.6, 2.0**-17)


@each_size
def test_sigmoid(m: int) -> None:
    x = even(DENSE[m], -13, 13)
    check(m, on_shares(m, functions.sigmoid, x), 1 / (1 + np.exp(-x)), 2.2)


@each_size
def test_tanh(m: int) -> None:
    x = even(DENSE[m], -7, 7)
    check(m, on_shares(m, functions.tanh, x), np.tanh(x), 3.3)


@each_size
def test_softplus(m: int) -> None:
    x = even(DENSE[m], -13, 13)
    check(m, on_shares(m, functions.softplus, x), np.logaddexp(0, x), 1.5)


def quotients(n: int, seed: int) -> tuple[Reals, Reals]:
    """Pairs with |x|, |y| < 2^40 and |x / y| < 2^27."""
    rng = np.random.default_rng(seed)
    y = signed(wide(n, -16, 40, seed))
    limit = np.minimum(2.0**40 - 1, np.abs(y) * (2.0**27 - 1))
    x = np.rint(limit * 2.0 ** -rng.uniform(0, 50, n) / ULP) * ULP * rng.choice([-1, 1], n)
    x[:300] = np.abs(y[:300])
    return np.where(np.abs(x) < limit, x, 0.0), y


@each_size
def test_divide(m: int) -> None:
    x, y = quotients(max(DENSE[m], 500), m)
    check(m, on_shares(m, lambda a, b: a / b, x, y), x / y, 1.1, (default_threshold(m) + 1) * 2.0**-19)


@each_size
def test_floor_divide(m: int) -> None:
    n, limit = DENSE[m], 1 << 36
    rng = np.random.default_rng(m)
    y = np.floor(2.0 ** rng.uniform(0, 36, n)).astype(np.int64) * rng.choice([-1, 1], n)
    x = rng.integers(1 - limit, limit, n) >> rng.integers(0, 36, n)
    multiple = x // y * y + rng.integers(-1, 2, n)
    x = np.where((rng.integers(0, 3, n) == 0) & (np.abs(multiple) < limit), multiple, x)
    x[:8], y[:8] = [limit - 1, 1 - limit] * 4, [1, 1, -1, -1, limit - 1, limit - 1, 1 - limit, 1 - limit]
    same(on_shares(m, lambda a, b: a // b, x, y), x // y)


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize("by", [1, 2, 3, 7, 10, -3, -8, 12_345, 1_000_003, (1 << 29) - 1])
def test_floor_divide_by_a_public_number(m: int, by: int) -> None:
    limit = 1 << 46
    rng = np.random.default_rng(abs(by))
    x = rng.integers(1 - limit, limit, 20_000 if m == 3 else 500) >> rng.integers(0, 46, 20_000 if m == 3 else 500)
    x[:100] = abs(by) * np.arange(-50, 50)
    x[100:200] = abs(by) * np.arange(-50, 50) - 1
    x[200:202] = limit - 1, 1 - limit
    same(on_shares(m, lambda a: a // by, x), x // by)


# -- beyond the range ----------------------------------------------------------------------

BEYOND = np.array([0.0, -ULP, -1.0, -(2.0**30), 2.0**40, 2.0**45, -(2.0**45)])


@pytest.mark.parametrize("m", [3, 4, 5])
def test_beyond_the_range(m: int) -> None:
    near = {"rtol": 0, "atol": default_threshold(m) * ULP}
    with np.errstate(divide="ignore"):
        inverse = np.where(np.abs(BEYOND) < 2.0**17, np.where(BEYOND == 0, 0, 1 / BEYOND), 0)
    np.testing.assert_allclose(on_shares(m, functions.reciprocal, BEYOND), inverse, 2.0**-24, near["atol"])
    np.testing.assert_allclose(on_shares(m, functions.sqrt, BEYOND), 0, **near)
    np.testing.assert_allclose(on_shares(m, functions.inverse_sqrt, BEYOND), 0, **near)
    np.testing.assert_allclose(on_shares(m, functions.log, BEYOND[:4]), np.log(ULP), rtol=0, atol=3 * ULP)
    np.testing.assert_allclose(on_shares(m, lambda a: 5.0 / a, np.array([0.0, 2.0**45])), 0, **near)


@pytest.mark.parametrize("m", [3, 4, 5])
def test_saturation_is_exact(m: int) -> None:
    far = np.array([11 + ULP, 12.0, 1e3, 2.0**40, 2.0**45])
    same(on_shares(m, functions.sigmoid, np.concatenate([far, -far])), np.repeat([1.0, 0.0], far.size))
    same(on_shares(m, functions.tanh, np.concatenate([far, -far])), np.repeat([1.0, -1.0], far.size))
    top, bottom = np.split(on_shares(m, functions.exp, np.concatenate([far + 5, -far - 1])), 2)
    assert (top == top[0]).all() and abs(top[0] - np.exp(functions.EXP_LIMIT)) < ULP
    assert (bottom == 0).all()
    far = far[:-1]
    same(on_shares(m, functions.softplus, np.concatenate([far, -far])), np.concatenate([far, far * 0]))


FAR = {0: [2**46, 2**47, 2**48 + 1, 2**60 + 5, 2**62 - 1], 1: [2**46, 2**59 + 2, 2**60], 9: [2**46, 2**48 + 1, 2**52]}
"""Numbers that would lose their leading bits if they were given 16 fractional ones."""


@pytest.mark.parametrize("m", [3, 4])
@pytest.mark.parametrize("frac", FAR)
def test_saturation_of_what_has_no_room_for_16_fractional_bits(m: int, frac: int) -> None:
    far = np.array(FAR[frac])
    values = np.concatenate([far, -far])
    top, bottom = np.split(on_shares(m, functions.exp, values, frac=frac), 2)
    assert (np.abs(top - np.exp(functions.EXP_LIMIT)) < ULP).all() and (bottom == 0).all()
    same(on_shares(m, functions.sigmoid, values, frac=frac), np.repeat([1.0, 0.0], far.size))
    same(on_shares(m, functions.tanh, values, frac=frac), np.repeat([1.0, -1.0], far.size))
    for f in (functions.sqrt, functions.inverse_sqrt, functions.reciprocal, lambda a: 5.0 / a):
        np.testing.assert_allclose(on_shares(m, f, values, frac=frac), 0, rtol=0, atol=default_threshold(m) * ULP)
    top, bottom = np.split(on_shares(m, functions.log, values, frac=frac), 2)
    assert (top < -11).all() and (top > -16.01).all() and (np.abs(bottom - np.log(ULP)) < 3 * ULP).all()


@pytest.mark.parametrize("frac", [0, 1, 4])
def test_saturation_begins_where_it_should(frac: int) -> None:
    """With few fractional bits the limits 5.5, 11, -12 and 15 may lie between two numbers."""
    x = np.arange(-16 << frac, 17 << frac) / (1 << frac)
    values: Any = x.astype(int) if frac == 0 else x
    names = ("sigmoid", "tanh", "exp", "softplus")
    sigmoid, tanh, exp, softplus = on_shares(3, lambda a: [getattr(functions, n)(a) for n in names], values, frac=frac)
    check(3, sigmoid, 1 / (1 + np.exp(-x)), 2.2)
    check(3, tanh, np.tanh(x), 3.3)
    check(3, exp, np.exp(np.minimum(x, 15)), 1.6, 2.0**-17)
    check(3, softplus, np.logaddexp(0, x), 1.5)


@pytest.mark.parametrize("m", [3, 4])
def test_integers_up_to_the_range(m: int) -> None:
    x = np.concatenate([2 ** np.arange(40), 2 ** np.arange(1, 41) - 1])
    check(m, on_shares(m, functions.sqrt, x), np.sqrt(x), 1.1, 2.0**-21)
    check(m, on_shares(m, functions.log, x), np.log(x), 1.1)
    check(m, on_shares(m, functions.reciprocal, signed(x)), 1 / signed(x), 1.5, 2.0**-24)
    y = np.minimum(x * 99, 2**40 - 1)
    check(m, on_shares(m, lambda a, b: a / b, y, signed(x)), y / signed(x), 1.1, 2.0**-18)


def test_bad_divisors() -> None:
    async def program(party: Party) -> None:
        x = await party.input(np.arange(3), owner=0)
        with pytest.raises(OutOfRange, match="zero"):
            x // np.array([1, 0, 2])
        with pytest.raises(OutOfRange, match="2\\^29"):
            x // ((1 << 29) + 1)
        with pytest.raises(WrongType, match="integers"):
            x // 2.5
        with pytest.raises(WrongType, match="integers"):
            await (x.astype(float) // x)
        with pytest.raises(ShapeMismatch):
            x / await party.input(np.arange(1, 5), owner=1)

    MemoryCluster(3).run(program)


# -- operands ------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.sampled_from([3, 4]), st.lists(st.integers(0, 3), max_size=3), st.integers(0, 2), st.integers(0, 99))
def test_shapes_broadcast_and_either_side_may_be_public(m: int, shape: list[int], drop: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = even(int(np.prod(shape)), -50, 50).reshape(shape)
    y = rng.integers(1, 100, shape[drop:]).astype(float)
    answers = on_shares(m, lambda a, b: [a / b, x / b, a / (b + 0)], x, y)
    for answer in answers:
        assert answer.shape == (x / y).shape
        np.testing.assert_allclose(answer, x / y, rtol=0, atol=2 * ULP)
    whole, by = rng.integers(-1000, 1000, shape), rng.integers(1, 50, shape[drop:])
    for answer in on_shares(m, lambda a, b: [a // b, whole // b, a // by], whole, by):
        same(answer, whole // by)


@pytest.mark.parametrize("name", ["reciprocal", "sqrt", "inverse_sqrt", "log", "exp", "sigmoid", "tanh", "softplus"])
def test_integers_bits_and_other_precisions(name: str) -> None:
    f: Callable[[Any], Any] = getattr(functions, name)
    exact = {
        "reciprocal": lambda v: 1 / v,
        "inverse_sqrt": lambda v: v**-0.5,
        "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "softplus": lambda v: np.logaddexp(0, v),
    }
    oracle: Callable[[Any], Any] = exact.get(name) or getattr(np, name)
    whole = np.arange(1, 8)
    check(3, on_shares(3, f, whole), oracle(whole.astype(float)), 4, 2.0**-16)
    for frac in (8, 24):
        check(3, on_shares(3, f, whole / 2, frac=frac), oracle(whole / 2), 4, 2.0**-15)
    check(3, on_shares(3, lambda a: f(a > 0), whole), oracle(np.ones(7)), 4)


# -- the numbers behind ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "f", "error"),
    [
        (coefficients.RECIPROCAL, lambda n: 1 / n, 6e-9),
        (coefficients.ROOT, np.sqrt, 2.5e-7),
        (coefficients.INVERSE_ROOT, lambda n: n**-0.5, 3.1e-8),
        (coefficients.LOG, np.log, 3.3e-8),
        (coefficients.POWER, lambda n: 2 ** (2 * n - 1), 1.7e-8),
    ],
)
def test_series_on_the_normalised_interval(series: Series, f: Callable[[Any], Any], error: float) -> None:
    n = np.linspace(0.5, 1, 100_001)
    scale = 1 if series is coefficients.LOG else np.abs(f(n))
    assert np.max(np.abs(series(n / 2) - f(n)) / scale) < error


def test_series_of_the_sigmoid() -> None:
    x = np.linspace(-coefficients.SIGMOID_LIMIT, coefficients.SIGMOID_LIMIT, 100_001)
    assert np.max(np.abs(coefficients.SIGMOID(x / coefficients.SIGMOID_PERIOD) - 1 / (1 + np.exp(-x)))) < 1.6e-5


def test_series_of_softplus() -> None:
    x = np.linspace(-coefficients.SOFTPLUS_LIMIT, coefficients.SOFTPLUS_LIMIT, 100_001)
    found = coefficients.SOFTPLUS(x / coefficients.SOFTPLUS_PERIOD)
    assert np.max(np.abs(found - np.log(2 * np.cosh(x / 2)))) < 3.8e-6


def test_waves() -> None:
    phase = np.random.default_rng(0).integers(0, 1 << 64, 10_000, np.uint64)
    angle = 2 * np.pi * ((phase >> np.uint64(32)).astype(float) / 2.0**32)
    for odd, k in ((False, np.arange(1, 12)), (True, np.arange(1, 22, 2))):
        found = waves.fixed_waves(phase, odd, 11, 30).view(np.int64) / 2.0**30
        allowed = (2.0**-31 + 2.0**-35 * k**2)[:, None]
        assert (np.abs(found[0::2] - np.cos(np.outer(k, angle))) < allowed).all()
        assert (np.abs(found[1::2] - np.sin(np.outer(k, angle))) < allowed).all()


def test_every_machine_computes_the_same_bits() -> None:
    """Two parties multiply random words by these numbers: one bit of difference between machines and all is lost."""
    phase = np.random.default_rng(0).integers(0, 1 << 64, 5_000, np.uint64)
    digest = hashlib.sha256()
    for s in (coefficients.SIGMOID, coefficients.RECIPROCAL):
        out = np.empty((2 * len(s.cos), phase.size), np.uint64)
        waves.weights(phase, s.odd, np.array(s.cos) * 2.0**28, np.array(s.sin) * 2.0**28, out)
        digest.update(out.tobytes())
        ones = np.zeros(phase.size, np.uint64)
        waves.waves_follow(phase, s.odd, np.array(s.cos) * 2.0**28, np.array(s.sin) * 2.0**28, out, ones)
        np.testing.assert_array_equal(ones, (out * out).sum(axis=0, dtype=np.uint64))
    power = np.zeros(phase.size, np.uint64)
    waves.exp2_follow(phase, np.ones((phase.size, 8), np.uint64), power)
    digest.update(power.tobytes())
    assert digest.hexdigest() == "2d07b237d13a3d4286b78e099e6e11260c9249b25cd168d219f25f887166bc73"


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        ("reciprocal", 25),
        ("sqrt", 26),
        ("inverse_sqrt", 26),
        ("log", 22),
        ("exp", 8),
        ("sigmoid", 8),
        ("tanh", 8),
        ("softplus", 8),
    ],
)
def test_rounds_and_sizes_of_messages(name: str, rounds: int) -> None:
    """As documented for m = 3, and independent of the values."""
    sent: list[list[int]] = []
    for values in (np.zeros(50), np.linspace(-20, 20, 50), np.arange(50), np.arange(50) << 55):
        cluster = MemoryCluster(3, seed=0)
        more = 0 if values.dtype == np.float64 or rounds < 10 else 2

        async def program(party: Party, values: Any = values) -> int:
            x = await party.input(values, owner=0)
            await getattr(functions, name)(x)
            return party.transport.traffic.rounds

        assert max(cluster.run(program)) - 1 <= rounds + more  # without the input
        sent.append([t.bytes_sent for t in cluster.traffic])
    assert sent[0] == sent[1] and sent[2] == sent[3]


@each_size
@pytest.mark.parametrize("frac", [17, 24, 40])
def test_sigmoid_of_more_fractional_bits(m: int, frac: int) -> None:
    """Words are taken as they are: no rounding before, and no other range."""
    values = np.concatenate([np.linspace(-12, 12, 300), [10.9999, -10.9999, 11.001, -11.001, 4000.0, -(2.0**20)]])
    found = on_shares(m, functions.sigmoid, values, frac=frac)
    np.testing.assert_allclose(
        found, 1 / (1 + np.exp(-np.clip(values, -30, 30))), rtol=0, atol=5e-5 if m > 4 else 3.4e-5
    )


@each_size
def test_precise_inverse_sqrt(m: int) -> None:
    x = 2.0 ** np.linspace(-14, 15, 40 if m == 7 else 400)
    x = np.rint(x * 2**22) / 2**22

    def root(x: Any) -> Any:
        return functions.precise_inverse_sqrt(x, 28, -14)

    np.testing.assert_allclose(on_shares(m, root, x, frac=22), x**-0.5, rtol=2.0**-20, atol=1.5 * 2.0**-28 * m)
    beyond = on_shares(m, root, np.array([0.0, 2.0**-22, 2.0**-15, -1.0]), frac=22)
    assert np.abs(beyond).max() <= m * 2.0**-28
