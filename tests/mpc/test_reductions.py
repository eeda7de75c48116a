"""Minimum, maximum and their positions, mean, clip, abs, any, all against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import MemoryCluster, Party, maximum, minimum
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from tests.mpc.helpers import EDGES, PARTIES, each_m, near, on_shares, random_values, same

NAMES = ("min", "max", "argmin", "argmax")


@settings(max_examples=30)
@given(st.sampled_from(PARTIES), hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5), st.data())
def test_extremes(m: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    few = data.draw(st.booleans())  # ties: the first one counts
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(-1, 2, shape) if few else random_values(rng, shape)
    for name, result in zip(NAMES, on_shares(m, lambda a: [getattr(a, n)(axis) for n in NAMES], x), strict=True):
        same(result, getattr(x, name)(axis))


@each_m
def test_extremes_at_the_edges_and_of_one(m: int) -> None:
    for x in (np.array(EDGES), np.array(EDGES[::-1]), np.array([7]), np.array(7)):
        for name, result in zip(NAMES, on_shares(m, lambda a: [getattr(a, n)() for n in NAMES], x), strict=True):
            same(result, getattr(x, name)())


@settings(max_examples=40)
@given(st.sampled_from(PARTIES), hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9), st.data())
def test_extremes_of_bits_are_bits(m: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    keep = data.draw(st.booleans())
    likely = data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < likely
    got = on_shares(m, lambda a: [getattr(a > 0, n)(axis, keepdims=keep) for n in NAMES], x)
    for name, result in zip(NAMES, got, strict=True):
        same(result, np.asarray(getattr(x, name)(axis=axis, keepdims=keep)))


@pytest.mark.parametrize("n", [1, 2, 3, 64, 65, 1000])
def test_the_first_bit_that_is_set(n: int) -> None:
    for place in {0, n // 2, n - 1}:
        x = np.arange(n) >= place
        first, none, only = on_shares(3, lambda a: [(a > 0).argmax(), (a > 1).argmax(), np.argmin(a == 0)], x)
        same(first, np.asarray(place))
        same(none, np.asarray(0))
        same(only, np.asarray(place))


def test_rounds_of_the_first_bit_that_is_set() -> None:
    async def program(party: Party) -> int:
        p = await (await party.input(np.arange(1024), owner=0) > 0)
        before = party.transport.traffic.rounds
        await p.argmax()
        return party.transport.traffic.rounds - before

    assert max(MemoryCluster(3).run(program)) <= 12


@each_m
def test_positions_that_keep_dimensions(m: int) -> None:
    x = np.random.default_rng(m).integers(-9, 9, (3, 4, 2))
    axes = (None, 0, 1, -1)
    got = on_shares(
        m, lambda a: [f for b in axes for f in (a.argmax(b, keepdims=True), np.argmin(a, b, keepdims=True))], x
    )
    expected = [f for b in axes for f in (x.argmax(b, keepdims=True), np.argmin(x, b, keepdims=True))]
    for result, e in zip(got, expected, strict=True):
        same(result, np.asarray(e))


@each_m
def test_two_by_two_of_bits_are_bits(m: int) -> None:
    x, q = np.array([[1, -1, 2], [0, 5, -3]]), np.array([True, False, True])
    p, s = x > 0, x > 1

    def f(p: Any, s: Any) -> list[Any]:
        return [np.minimum(p, s), np.maximum(p, s), np.minimum(p, q), np.maximum(q, p), np.maximum(p, True)]

    got = on_shares(m, lambda a: [*f(a > 0, a > 1), np.maximum(a > 0, 2), np.minimum(a, a > 0)], x)
    for result, e in zip(got, [*f(p, s), np.maximum(p, 2), np.minimum(x, p)], strict=True):
        same(result, e)


def test_bits_have_the_methods_of_numbers() -> None:
    x = np.array([[1, -1, 2], [0, 5, -3]])
    i = (x > 0).astype(int)
    got = on_shares(
        3,
        lambda a: [
            (a > 0).clip(0, 1), np.clip(a > 0, 1, None), (a > 0).std(), (a > 0).var(axis=0, ddof=1),
            np.std(a > 0, axis=1), np.max(a > 0), np.min(a > 0, axis=1), np.argmax(a > 0, axis=0, keepdims=True),
        ],
        x,
    )  # fmt: skip
    expected = [
        i, i.clip(1, None), i.std(), i.var(axis=0, ddof=1), i.std(axis=1), (x > 0).max(), (x > 0).min(axis=1),
        (x > 0).argmax(axis=0, keepdims=True),
    ]  # fmt: skip
    for result, e in zip(got, expected, strict=True):
        near(result, np.asarray(e), 1e-3 if np.asarray(e).dtype == np.float64 else 0)


@each_m
def test_extremes_of_reals(m: int) -> None:
    x = np.array([[0.5, -0.5, 0.25], [-3.0, 7.75, 7.75]])
    low, at = on_shares(m, lambda a: [a.min(axis=1), a.argmax(axis=1)], x)
    near(low, x.min(axis=1), 0)
    same(at, x.argmax(axis=1))


@settings(max_examples=20)
@given(st.sampled_from(PARTIES), st.integers(0, 99))
def test_two_by_two(m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = random_values(rng, (3, 1)), random_values(rng, (4,))
    got = on_shares(m, lambda a, b: [minimum(a, b), maximum(a, b), minimum(a, 5), maximum(y, a), abs(a), abs(b)], x, y)
    expected = [
        np.minimum(x, y), np.maximum(x, y), np.minimum(x, 5), np.maximum(y, x), abs(x), abs(y),
    ]  # fmt: skip
    for result, e in zip(got, expected, strict=True):
        same(result, e)


@each_m
def test_clip(m: int) -> None:
    x, low, high = np.array([[-9, -1, 0, 1, 9]]), np.array([[-2], [0]]), 3
    cases: list[tuple[Any, Any]] = [
        (-2, 2),
        (None, 1),
        (0, None),
        (None, None),
        (low, high),
        (5, 5),
        (-2, np.full((2, 5), 4)),
    ]
    got = on_shares(m, lambda a: [a.clip(*case) for case in cases], x)
    for result, (a, b) in zip(got, cases, strict=True):
        same(result, x if a is b is None else np.clip(x, a, b))
    r = np.array([-1.5, 0.25, 2.0])
    same(on_shares(m, lambda a: a.clip(min=-1, max=1), x), x.clip(min=-1, max=1))
    same(on_shares(m, lambda a: a.clip(max=1), x), x.clip(max=1))
    near(on_shares(m, lambda a: a.clip(-0.5, 0.5), r), r.clip(-0.5, 0.5), 0)
    near(on_shares(m, lambda a, b: a.clip(b, 1), r, [0.5, 0.5, 0.5]), r.clip(0.5, 1), 0)


@each_m
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_mean(m: int, axis: Any, keepdims: bool) -> None:
    x = np.random.default_rng(m).integers(-999, 999, (5, 7))
    integers, reals, flags = on_shares(
        m, lambda a, b: [a.mean(axis, keepdims), b.mean(axis, keepdims), (a > 0).mean(axis, keepdims)], x, x / 256
    )
    close = 1000 * 2.0**-18 + 6 * 2.0**-16
    near(integers, x.mean(axis=axis, keepdims=keepdims), close)
    near(reals, (x / 256).mean(axis=axis, keepdims=keepdims), close)
    near(flags, (x > 0).mean(axis=axis, keepdims=keepdims), close)


@each_m
@pytest.mark.parametrize("value", [600_000.0, -600_000.0, 2.0**25])
def test_the_mean_of_many_large_values(m: int, value: float) -> None:
    """Sums of thousands of costs: the product in the division must not overflow."""
    near(on_shares(m, lambda a: a.mean(), np.full(9105, value)), np.float64(value), abs(value) * 2.0**-17)


@each_m
@pytest.mark.parametrize("shape", [(0,), (1,), (5,), (64,), (65,), (3, 4), (3, 0), (0, 3), ()])
def test_any_and_all(m: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(m)
    for x in (np.zeros(shape, int), np.ones(shape, int), rng.integers(0, 2, shape)):
        for axis in (None, *range(len(shape))):
            got = on_shares(
                m, lambda a, axis=axis: [(a == 1).all(axis), (a == 1).any(axis), a.all(axis), a.any(axis)], x
            )
            for result, e in zip(got, [x.all(axis), x.any(axis)] * 2, strict=True):
                same(result, e)


@each_m
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 0), (1,), (), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_several_axes(m: int, axis: Any, keepdims: bool) -> None:
    x = np.random.default_rng(m).integers(-3, 4, (2, 3, 4))
    names = ("min", "max", "any", "all")
    got = on_shares(
        m,
        lambda a: [
            *(getattr(a, n)(axis, keepdims) for n in names), (a > 1).any(axis, keepdims), (a < 1).all(axis, keepdims),
        ],
        x,
    )  # fmt: skip
    expected = [
        *(getattr(x, n)(axis=axis, keepdims=keepdims) for n in names), (x > 1).any(axis=axis, keepdims=keepdims),
        (x < 1).all(axis=axis, keepdims=keepdims),
    ]  # fmt: skip
    for result, e in zip(got, expected, strict=True):
        same(result, np.asarray(e))


def test_empty_axes() -> None:
    same(on_shares(3, lambda a: a.max(axis=1), np.zeros((0, 3), int)), np.zeros(0, int))
    near(on_shares(3, lambda a: a.mean(axis=1), np.zeros((0, 3))), np.zeros(0), 0)
    for name in NAMES:
        with pytest.raises(OutOfRange, match="empty"):
            on_shares(3, lambda a, n=name: getattr(a, n)(), np.zeros(0, int))
        with pytest.raises(OutOfRange, match="empty"):
            on_shares(3, lambda a, n=name: getattr(a > 0, n)(), np.zeros(0, int))
    with pytest.raises(OutOfRange, match="empty"):
        on_shares(3, lambda a: a.mean(axis=0), np.zeros((0, 3)))


def test_axes_that_do_not_exist() -> None:
    async def program(party: Party) -> None:
        x = await party.input(np.zeros((2, 3), int), owner=0)
        p = await (x > 0)
        before = party.transport.traffic.frames_sent
        for secret in (x, p):
            for name in (*NAMES, "any", "all", "sum", "mean", "var", "std", "cumsum", "sort", "argsort"):
                for axis in (2, -3, 1.5, "a"):
                    with pytest.raises(ShapeMismatch, match="axis"):
                        getattr(secret, name)(axis)
            for name in ("argmin", "argmax", "cumsum", "sort", "argsort"):
                with pytest.raises(ShapeMismatch, match="one axis"):
                    getattr(secret, name)((0,))
        for f in (minimum, maximum):
            with pytest.raises(WrongType, match="numpy"):
                f(1, 2)
        with pytest.raises(WrongType, match="twice"):
            x.clip(0, min=1)
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)
