"""Every operator against numpy: shapes, dtypes, edges of the range, broadcasting, views, public operands."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import MemoryCluster, Party, where
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.quotients import rescale
from tests.mpc.helpers import EDGES, LARGEST, PARTIES, each_m, near, on_shares, random_values, same

parties = st.sampled_from(PARTIES)
shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=4).map(
    lambda s: s.input_shapes
)
seeds = st.integers(0, 999)
ULP = 2.0**-16

LINEAR: dict[str, tuple[Callable[..., Any], int]] = {
    "add": (operator.add, 61), "sub": (operator.sub, 61), "mul": (operator.mul, 30),
}  # fmt: skip
COMPARE = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)


def operands(shapes: Any, seed: int, bits: int) -> list[Any]:
    """Two integer arrays that are equal here and there; every other one a view that is not contiguous."""
    rng = np.random.default_rng(seed)
    x = random_values(rng, shapes[0], bits)
    y = random_values(rng, shapes[1], bits)
    if x.shape == y.shape and x.ndim:
        y = np.where(rng.integers(0, 3, x.shape) == 0, x, y)
    if seed % 2:
        x = np.repeat(np.asarray(x)[..., None], 2, axis=-1)[..., 0]
        y = np.asfortranarray(y)
    return [np.asarray(x), np.asarray(y)]


@settings(max_examples=60)
@given(parties, shapes, seeds, st.sampled_from(sorted(LINEAR)))
def test_arithmetic_on_integers(m: int, shapes: Any, seed: int, name: str) -> None:
    f, bits = LINEAR[name]
    x, y = operands(shapes, seed, bits)
    both = on_shares(m, lambda a, b: [f(a, b), f(a, y), f(x, b)], x, y)
    for result in both:
        same(result, f(x, y))


@settings(max_examples=40)
@given(parties, shapes, seeds)
def test_comparisons_of_integers(m: int, shapes: Any, seed: int) -> None:
    x, y = operands(shapes, seed, 62)
    got = on_shares(m, lambda a, b: [g for f in COMPARE for g in (f(a, b), f(a, y), f(x, b))], x, y)
    for i, f in enumerate(COMPARE):
        for result in got[3 * i : 3 * i + 3]:
            same(result, f(x, y))


@each_m
def test_comparisons_at_the_edges(m: int) -> None:
    x, y = (e.reshape(-1) for e in np.meshgrid(np.array(EDGES), np.array(EDGES)))
    got = on_shares(m, lambda a, b: [f(a, b) for f in COMPARE], x, y)
    for f, result in zip(COMPARE, got, strict=True):
        same(result, f(x, y))


@settings(max_examples=40)
@given(parties, shapes, seeds, st.sampled_from([1, 8, 16, 20]))
def test_fixed_point(m: int, shapes: Any, seed: int, frac: int) -> None:
    """Sums and comparisons are exact; a product is up to 1 + t units in the last place too low, by public reals off."""
    rng = np.random.default_rng(seed)
    unit = 2.0**-frac
    x, y = (np.asarray(rng.integers(-(1 << 20), 1 << 20, s) * unit) for s in shapes)
    add, sub, less, equal, mul, public, turned = on_shares(
        m, lambda a, b: [a + b, y - a, a < b, a == b, a * b, a * y, x * b], x, y, frac=frac
    )
    near(add, x + y, 0)
    near(sub, y - x, 0)
    same(less, x < y)
    same(equal, x == y)
    t = (m - 1) // 2
    near(mul, x * y, (1 + t) * unit)
    assert (mul <= x * y).all()
    for product in (public, turned):
        near(product, x * y, (1 + t) * unit)


@each_m
def test_mixed_integers_and_reals(m: int) -> None:
    n, r = np.array([3, -4, 0]), np.array([0.5, 1.25, -2.0])
    add, mul, less, by_real, by_int, turned = on_shares(
        m, lambda a, b: [a + b, a * b, a < b, a * 0.5, b * n, 2.5 - a], n, r
    )
    near(add, n + r, 0)
    near(mul, n * r, 0)
    same(less, n < r)
    near(by_real, n * 0.5, 0)
    near(by_int, r * n, 0)
    near(turned, 2.5 - n, 0)


@each_m
def test_negative_positive_power_and_rescale(m: int) -> None:
    x, r = np.array([3, -4, 0, 1]), np.array([1.5, -2.0, 0.25, 0.0])
    neg, pos, *powers = on_shares(m, lambda a: [-a, +a, *(a**k for k in range(6))], x)
    same(neg, -x)
    same(pos, x)
    for k, result in enumerate(powers):
        same(result, x**k)
    one, cube = on_shares(m, lambda a: [a**0, a**3], r)
    near(one, r**0, 0)
    near(cube, r**3, 16 * ULP)
    more, fewer, integers, up = on_shares(
        m, lambda a: [rescale(a, 20), rescale(a, 2), a.astype(int), a.astype(int).astype(float)], r
    )
    near(more, r, 0)
    near(fewer, r, 2.0**-2 * ((m - 1) // 2))
    same(integers, np.floor(r).astype(np.int64))
    near(up, np.floor(r), 0)


# -- quotients -----------------------------------------------------------------------------

DIVISORS = [1, 2, 3, 7, 10, -3, 1000, 65537, 2.0**20, 1e6, 1e12, 0.5, 0.3, 0.01, np.float32(1.5)]


@each_m
@pytest.mark.parametrize("by", DIVISORS, ids=str)
@pytest.mark.parametrize("frac", [0, 16])
def test_division_by_public_numbers_up_to_its_range(m: int, by: float, frac: int) -> None:
    """|x / by| < 2^46; relative error 2^-24, and 2 + t in the last place."""
    largest = min(2.0**46 * abs(float(by)), 2.0**62 / 2**frac) * 0.999
    x = np.random.default_rng(3).uniform(-1, 1, 60) * largest
    x[:3] = largest, -largest, 0
    x = np.rint(x).astype(np.int64) if frac == 0 else np.rint(x * 2.0**16) / 2.0**16
    quotient = on_shares(m, lambda a: a / by, x)
    assert quotient.dtype == np.float64
    error = np.abs(quotient - x / float(by))
    assert np.all(error <= np.abs(x / float(by)) * 2.0**-24 + (2 + (m - 1) // 2) * ULP)


@each_m
def test_division_by_a_public_array(m: int) -> None:
    x, by = np.array([[100.0], [-7.5]]), np.array([4, 8, -3.0])
    near(on_shares(m, lambda a: a / by, x), x / by, 100 * 2.0**-18 + 5 * ULP)
    near(on_shares(m, lambda a: a / by[:0], x), x / by[:0], 0)


@pytest.mark.parametrize("by", [0, [1, 0], np.nan, np.inf, 1e-30])
def test_impossible_public_divisors(by: Any) -> None:
    with pytest.raises(OutOfRange, match="divi"):
        on_shares(3, lambda a: a / by, [1.0])


@each_m
@pytest.mark.parametrize("k", [0, 1, 5, 31, 58, 59, 60, 61, 62, 63])
def test_floor_division_by_powers_of_two_is_exact(m: int, k: int) -> None:
    x = np.concatenate([random_values(np.random.default_rng(k), (40,)), np.array(EDGES)])
    expected = x // (1 << k) if k < 63 else -(x < 0).astype(np.int64)
    same(on_shares(m, lambda a: (a * 1) // (1 << k), x), expected)


@pytest.mark.parametrize("by", [2.5, 2.0, "2", None, [[1], [1, 2]]])
def test_floor_division_by_anything_but_integers(by: Any) -> None:
    with pytest.raises(WrongType):
        on_shares(3, lambda a: a // by, [1, 2])
    with pytest.raises(WrongType, match="for integers"):
        on_shares(3, lambda a: a // 2, [1.5, 2])


@each_m
def test_to_integers_rounds_down_exactly(m: int) -> None:
    rng = np.random.default_rng(m)
    x = np.concatenate(
        [np.rint(rng.uniform(-9, 9, 50) * 2**16) / 2**16, [0, -1, 1, ULP, -ULP, 1 - ULP, -1 + ULP, 2.0**45]]
    )
    same(on_shares(m, lambda a: (a + 0).astype(int), x), np.floor(x).astype(np.int64))


# -- matrix products -------------------------------------------------------------------------

MATRICES = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 2)), ((4, 1, 2, 3), (2, 3, 1)),
    ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0,), (0,)), ((1,), (1,)), ((2, 3), (0, 3, 2)),
]  # fmt: skip


@each_m
@pytest.mark.parametrize(("a", "b"), MATRICES, ids=str)
def test_matrix_products(m: int, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(m)
    x, y = random_values(rng, a, 29), random_values(rng, b, 29)
    for result in on_shares(m, lambda s, u: [s @ u, s @ y, x @ u], x, y):
        same(result, x @ y)
    r, q = rng.integers(-999, 999, a) / 256, rng.integers(-999, 999, b) / 256
    for result in on_shares(m, lambda s, u: [s @ u, s @ q, r @ u], r, q):
        near(result, r @ q, (1 + (m - 1) // 2) * ULP)


@each_m
def test_matrix_products_of_views_and_dot(m: int) -> None:
    x = random_values(np.random.default_rng(m), (4, 6), 29)
    got = on_shares(m, lambda s: [s.T @ s, s[:, ::-2] @ s.T[::2][:, ::-1], s[0].dot(s[1]), s @ x.T[:, ::2]], x)
    for result, e in zip(got, [x.T @ x, x[:, ::-2] @ x.T[::2][:, ::-1], x[0] @ x[1], x @ x.T[:, ::2]], strict=True):
        same(result, e)


DOTS = [
    *MATRICES[:4], ((2, 4, 3), (3,)), ((2, 4, 3), (3, 2)), ((3,), (2, 3, 4)), ((5, 3), (2, 3, 4)),
    ((2, 5, 3), (2, 3, 4)), ((2, 5, 3), (4, 2, 3, 1)), ((1, 2, 3), (0, 3, 2)), ((0, 3), (2, 3, 0)), ((2, 0), (3, 0, 2)),
    ((), ()), ((), (2, 3)), ((2, 3), ()), ((2, 1, 2), ()),
]  # fmt: skip


@each_m
@pytest.mark.parametrize(("a", "b"), DOTS, ids=str)
def test_dot(m: int, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(m)
    x, y = random_values(rng, a, 29), random_values(rng, b, 29)
    for result in on_shares(m, lambda s, u: [s.dot(u), s.dot(y.tolist()) if y.size else s.dot(y), np.dot(x, u)], x, y):
        same(result, np.asarray(np.dot(x, y)))
    r = np.asarray(rng.integers(-999, 999, b) / 256)
    near(on_shares(m, lambda s, u: s.dot(u), x % 999, r), np.dot(x % 999, r), 0)


@each_m
def test_dot_with_numbers_and_of_bits(m: int) -> None:
    x, y = np.arange(24).reshape(2, 3, 4) - 9, np.arange(12).reshape(4, 3) - 5
    got = on_shares(m, lambda s, u: [s.dot(3), np.dot(3, s), s.dot(0.5), (s > 0).dot(u), (s > 0).dot(2)], x, y)
    b = (x > 0).astype(int)
    for result, e in zip(got, [x * 3, x * 3, x * 0.5, b.dot(y), b * 2], strict=True):
        near(result, e, 2 * ULP if e.dtype == np.float64 else 0)


def test_dot_of_shapes_that_do_not_fit_and_before_they_are_known() -> None:
    x, y = np.arange(6).reshape(2, 3), np.arange(12).reshape(2, 3, 2)

    async def program(party: Party) -> Any:
        a, b = party.input(x, owner=0), party.input(y, owner=1)  # shapes known to the owner only
        product = a.dot(b)
        await a
        await b
        before = party.transport.traffic.frames_sent
        for wrong in (lambda: b.dot(b), lambda: a.dot(a), lambda: a.dot(y[:, :2]), lambda: np.dot(y, b[0])):
            with pytest.raises(ShapeMismatch, match="last but one"):
                wrong()
        assert party.transport.traffic.frames_sent == before
        return await party.reveal(product)

    for result in MemoryCluster(3).run(program):
        same(result, np.dot(x, y))


# -- bits ----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(parties, shapes, seeds)
def test_logic(m: int, shapes: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (np.asarray(rng.integers(0, 2, s)) for s in shapes)
    p, q = x == 1, y == 1
    logic = (operator.and_, operator.or_, operator.xor, operator.eq, operator.ne)

    def f(a: Any, b: Any) -> list[Any]:
        s, u = a == 1, b == 1
        return [~s, *(g for f in logic for g in (f(s, u), f(s, q), f(p, u)))]

    inverted, *rest = on_shares(m, f, x, y)
    same(inverted, ~p)
    for i, g in enumerate(logic):
        for result in rest[3 * i : 3 * i + 3]:
            same(result, g(p, q))


@each_m
def test_bits_as_numbers(m: int) -> None:
    x, y = np.array([[1, -1, 2], [0, 5, -3]]), np.array([0, 1, -1])
    p, q = x > 0, y > 0

    def f(a: Any, b: Any) -> list[Any]:
        s, u = a > 0, b > 0
        return [
            s.to_array(), s.astype(int), s.astype(float), s * a, a * s, s * u, s + u, s - u, 1 - s, s + 1, s.sum(),
            s.sum(axis=0),
            s.mean(), s.any(), s.all(), s.any(axis=1), s.all(axis=0), s * 2.5,
            s.T @ a if False else a.T @ s.astype(int),
        ]  # fmt: skip

    i, j = p.astype(int), q.astype(int)
    expected = [
        i, i, i * 1.0, i * x, x * i, i * j, i + j, i - j, 1 - i, i + 1, i.sum(), i.sum(axis=0), i.mean(), p.any(),
        p.all(),
        p.any(axis=1), p.all(axis=0), i * 2.5, x.T @ i,
    ]  # fmt: skip
    for result, e in zip(on_shares(m, f, x, y), expected, strict=True):
        near(result, e, 2 * ULP if np.asarray(e).dtype == np.float64 else 0)


@settings(max_examples=30)
@given(parties, shapes, seeds)
def test_comparisons_of_bits(m: int, shapes: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = (np.asarray(rng.integers(0, 2, s)) == 1 for s in shapes)
    n = rng.integers(-1, 3, shapes[1])

    def f(a: Any, b: Any) -> list[Any]:
        s, u = a == 1, b == 1
        bits = [g for c in COMPARE for g in (c(s, u), c(s, q), c(p, u))]
        return [*bits, *(c(s, n) for c in COMPARE[:4]), s < b]

    got = on_shares(m, f, p.astype(int), q.astype(int))
    expected = [e for c in COMPARE for e in [c(p, q)] * 3]
    for result, e in zip(got, [*expected, *(c(p, n) for c in COMPARE[:4]), p < q], strict=True):
        same(result, e)


@each_m
def test_bits_in_arithmetic(m: int) -> None:
    x = np.array([[1, -1, 2], [0, 5, -3]])
    i = (x > 0).astype(int)
    got = on_shares(
        m,
        lambda a: [
            abs(a > 0), (a > 0) // 2, 7 // ((a > 0) + 1), (a > 0) % 2, *divmod(a > 0, 1), (a > 0) ** 2, (a > 0).round(),
            3 % ((a > 0) + 1),
        ],
        x,
    )  # fmt: skip
    for result, e in zip(got, [x > 0, i // 2, 7 // (i + 1), i % 2, i, i * 0, i, i, 3 % (i + 1)], strict=True):
        same(result, e)


@settings(max_examples=30)
@given(parties, shapes, seeds)
def test_where_of_bits_is_bits(m: int, shapes: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    c, q = (np.asarray(rng.integers(0, 2, s)) == 1 for s in shapes)

    def f(a: Any, b: Any) -> list[Any]:
        s, u = a == 1, b == 1
        return [
            where(s, True, False), where(s, False, np.True_), where(s, u, False), where(s, q, u), where(s, q, True),
            where(s, [True], q),
        ]  # fmt: skip

    got = on_shares(m, f, c.astype(int), q.astype(int))
    expected = [c, ~c, np.where(c, q, False), np.where(c, q, q), np.where(c, q, True), np.where(c, [True], q)]
    for result, e in zip(got, expected, strict=True):
        same(result, e)


def test_where_of_public_booleans_sends_nothing() -> None:
    async def program(party: Party) -> None:
        p = await (await party.input([1, -1], owner=0) > 0)
        before = party.transport.traffic.frames_sent
        await where(p, True, False)
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


@settings(max_examples=30)
@given(parties, shapes, seeds)
def test_where(m: int, shapes: Any, seed: int) -> None:
    x, y = operands(shapes, seed, 61)
    c = x < y
    got = on_shares(
        m, lambda a, b: [where(s, u, v) for s in [a < b] for u, v in ((a, b), (a, y), (x, b), (7, -7), (a, 0))], x, y
    )
    for result, e in zip(got, [np.where(c, x, y)] * 3 + [np.where(c, 7, -7), np.where(c, x, 0)], strict=True):
        same(result, e)


@each_m
def test_where_with_reals_and_bits(m: int) -> None:
    x, r = np.array([1, -2, 3]), np.array([0.5, 2.5, -1.5])
    mixed, public, of_bits = on_shares(
        m, lambda a, b: [where(a > 0, a, b), where(a > 0, 0.5, -1), where(a > 0, b > 0, a > 1)], x, r
    )
    near(mixed, np.where(x > 0, x, r), 0)
    near(public, np.where(x > 0, 0.5, -1), 0)
    same(of_bits, np.where(x > 0, r > 0, x > 1))


# -- numpy's habits and their limits -----------------------------------------------------------


def at_all(f: Callable[[Party, Any, Any], Any], m: int = 3) -> None:
    """Run ``f(party, x, bits)`` at every party."""

    async def program(party: Party) -> None:
        x = await party.input([[12345, -678], [0, LARGEST]], owner=0)
        f(party, x, await (x > 0))

    MemoryCluster(m).run(program)


def test_a_secret_never_becomes_a_python_value() -> None:
    def check(party: Party, x: Any, p: Any) -> None:
        for secret in (x, p):
            for use in (bool, int, float, complex, operator.index, np.asarray, np.array, range, lambda s: [1, 2][s]):
                with pytest.raises(WrongType, match="reveal"):
                    use(secret)
            with pytest.raises(WrongType):
                if secret == secret:
                    pass
            assert hash(secret) == hash(secret)  # by identity, so that asyncio.gather takes it

    at_all(check)


def test_repr_shows_shape_and_type_but_no_secret() -> None:
    def check(party: Party, x: Any, p: Any) -> None:
        for secret in (x, p, x * x, x[0], x.astype(float), x * 0.5):
            for text in (repr(secret), str(secret), f"{secret}"):
                assert f"party {party.index}" in text
                for word in secret.share.reshape(-1) if secret is x else ():
                    assert str(int(word)) not in text
                assert "12345" not in text
        assert repr(x) == f"<SecretArray (2, 2) int64, party {party.index}>"
        real = party.input([[0.5]], owner=0, shape=(1, 1))
        assert repr(real).startswith("<SecretArray (1, 1) ")

    at_all(check)


def test_length_and_iteration_are_numpys() -> None:
    def check(party: Party, x: Any, p: Any) -> None:
        for secret in (x, p):
            assert len(secret) == 2
            rows = list(secret)
            assert [r.shape for r in rows] == [(2,), (2,)]
            first, second = rows[0]
            assert first.shape == second.shape == ()
            with pytest.raises(TypeError):
                len(first)
            with pytest.raises(TypeError):
                list(first)

    at_all(check)


def test_operands_of_other_kinds_are_refused() -> None:
    def check(party: Party, x: Any, p: Any) -> None:
        before = party.transport.traffic.frames_sent
        for f in (operator.add, operator.sub, operator.mul, operator.lt, operator.eq, operator.truediv):
            for other in ("a", None, 1j, np.array(["a"]), np.datetime64("2020-01-01"), [[1], [1, 2]], object()):
                with pytest.raises(WrongType):
                    f(x, other)
        for f in (operator.add, operator.mul):
            for other in (np.nan, np.inf, 1 << 62, -(1 << 62), np.array([1 << 63], np.uint64), 2.0**62):
                with pytest.raises(OutOfRange):
                    f(x, other)
        for f in (operator.add, operator.mul, operator.lt):
            for other in (np.zeros(3), np.zeros((3, 2), int), [1, 2, 3], x[:, :1].reshape(1, 1, 2)[..., [0, 0, 0]]):
                with pytest.raises(ShapeMismatch):
                    f(x, other)
        arithmetic = (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod)
        for f in (*arithmetic, operator.matmul, divmod, pow, np.dot, np.minimum, operator.lt, operator.le):
            with pytest.raises((WrongType, OutOfRange, ShapeMismatch)):
                f(p, "a")
            if f is not pow:
                with pytest.raises(ShapeMismatch):
                    f(p, np.ones((3, 5), int))
        for f in (operator.truediv, operator.floordiv):
            with pytest.raises(OutOfRange):
                f(p, 0)
        for f in (operator.and_, operator.or_, operator.xor):
            for other in (1, [1, 0], "a", x):
                with pytest.raises(WrongType):
                    f(p, other)
            with pytest.raises(ShapeMismatch):
                f(p, np.zeros(3, np.bool_))
        for other in (np.zeros((3, 2), int), 3, np.zeros((2, 3, 2), int)):
            with pytest.raises(ShapeMismatch):
                x @ other
        for exponent in (-1, 1.5, x, True, "2"):
            with pytest.raises((OutOfRange, WrongType)):
                x**exponent
        for kind in (str, complex, "M8[D]", object, "nonsense"):
            with pytest.raises(WrongType):
                x.astype(kind)
        for condition in (x, True, np.ones((2, 2), np.bool_), None):
            with pytest.raises(WrongType):
                where(condition, x, x)
        for unsupported, instead in [
            (lambda: x << 1, r"x \* 2\*\*k"), (lambda: 1 >> p, r"x // 2\*\*k"), (lambda: -p, "~ is not"),
            (lambda: +p, "to_array"), (lambda: x**x, r"mpc\.exp\(y \* mpc\.log\(x\)\)"),
            (lambda: x**p, r"mpc\.exp"), (lambda: 2**p, r"mpc\.exp"), (lambda: p.dot("a"), "dtype"),
            (lambda: p < "a", "dtype"), (lambda: f"{x:.2f}", "reveal it first"), (lambda: f"{p:>9}", "reveal it first"),
        ]:  # fmt: skip
            with pytest.raises(WrongType, match=instead):
                unsupported()
        for numbers in (lambda: x & x, lambda: p | x, lambda: x ^ p, lambda: ~x, lambda: where(x, x, x)):
            with pytest.raises(WrongType, match="!= 0 to get SecretBits"):
                numbers()
        assert party.transport.traffic.frames_sent == before

    at_all(check)
