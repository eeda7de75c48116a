"""Indexing, reshape, transpose, joins and sums against numpy: local, of arrays and of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import MemoryCluster, Party, broadcast_to, concatenate, stack
from mpc.errors import ShapeMismatch, WrongType
from tests.mpc.helpers import PARTIES, each_m, near, on_shares, random_values, same

X = np.arange(24).reshape(2, 3, 4) - 9
KEYS: list[Any] = [
    0, -1, slice(None), slice(None, None, -1), slice(5, 1), ..., None, (0, 1), (0, 1, 2), (..., 0),
    (slice(None), 0), (None, ..., None),
    (slice(1, None), slice(None, None, 2), slice(None, None, -3)), [0, 1, 0], (slice(None), [2, 0]), ([0, 1], [1, 2]),
    ([0, 1], slice(None), [1, 2]), (0, slice(None), [1, 2]), np.array([[0, 1], [1, 0]]), np.array([True, False]),
    X > 0,
    (slice(None), np.array([True, False, True])), np.int64(1), [], True,
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing(key: Any) -> None:
    numbers, flags = on_shares(3, lambda a: [a[key], (a > 0)[key]], X)
    same(numbers, X[key])
    same(flags, (X > 0)[key])


@settings(max_examples=40)
@given(st.data())
def test_indexing_like_numpy(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    m = data.draw(st.sampled_from(PARTIES))
    x = random_values(np.random.default_rng(1), shape)
    numbers, flags = on_shares(m, lambda a: [a[key], (a > 0)[key]], x)
    same(numbers, x[key])
    same(flags, (x > 0)[key])


@each_m
def test_reshape_and_transpose(m: int) -> None:
    def f(x: Any) -> list[Any]:
        return [
            x.reshape(6, 4), x.reshape((4, -1)), x.reshape(-1), x.reshape([3, 8]), x.ravel(), x.T, x.transpose(),
            x.transpose(1, 0, 2),
            x.transpose(-1, 0, 1), x.transpose((2, 0, 1)), x.T.reshape(-1), x.transpose(0, 2, 1)[::-1].T,
        ]  # fmt: skip

    got = on_shares(m, lambda a: [*f(a), *f(a > 0)], X)
    for result, expected in zip(got, [*f(X), *f(X > 0)], strict=True):
        same(result, expected)


@each_m
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (), (1, 0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums(m: int, axis: Any, keepdims: bool) -> None:
    number, count = on_shares(m, lambda a: [a.sum(axis, keepdims), (a > 0).sum(axis=axis, keepdims=keepdims)], X)
    same(number, X.sum(axis=axis, keepdims=keepdims))
    same(count, (X > 0).sum(axis=axis, keepdims=keepdims))


@each_m
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_running_sums(m: int, axis: Any) -> None:
    same(on_shares(m, lambda a: a.cumsum(axis), X), X.cumsum(axis))


@each_m
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concatenate_and_stack(m: int, axis: int) -> None:
    Y = X[::-1] * 2

    def f(join: Any, a: Any, b: Any) -> list[Any]:
        return [join([a, b, a], axis=axis), join([a > 0, b > 0], axis=axis), join([a], axis=axis)]

    got = on_shares(m, lambda a, b: [*f(concatenate, a, b), *f(stack, a, b)], X, Y)
    for result, expected in zip(got, [*f(np.concatenate, X, Y), *f(np.stack, X, Y)], strict=True):
        same(result, expected)


@each_m
def test_joins_align_fractional_bits(m: int) -> None:
    r = np.array([0.5, -1.25])
    joined, stacked = on_shares(m, lambda a, b: [concatenate([a, b]), stack([b, a])], [1, -2], r)
    near(joined, np.concatenate([[1, -2], r]), 0)
    near(stacked, np.stack([r, [1, -2]]), 0)


@each_m
def test_joins_with_public_arrays(m: int) -> None:
    r = np.array([0.5, -1.25])
    p = np.array([True, False])
    numbers, mixed, eight, flags = on_shares(
        m,
        lambda a, b: [concatenate([a, [3, 4]]), stack([r, a]), concatenate([b, r, [7]]), stack([a > 1, p])],
        [1, 2], r, frac=[None, 8],
    )  # fmt: skip
    same(numbers, np.array([1, 2, 3, 4]))
    near(mixed, np.stack([r, [1, 2]]), 0)
    near(eight, np.concatenate([r, r, [7]]), 0)
    same(flags, np.stack([[False, True], p]))


@each_m
def test_other_shapes(m: int) -> None:
    x = X[:, :1]

    def f(x: Any) -> list[Any]:
        return [
            x.flatten(), x.squeeze(), x.squeeze(1), x.squeeze(axis=(1,)), x.swapaxes(0, -1), x.copy(), x.take([3, 0]),
            x.take(np.array([[1, 0]]), axis=0), x.take(2, axis=-1),
        ]  # fmt: skip

    got = on_shares(m, lambda a: [*f(a), *f(a > 0)], x)
    for result, expected in zip(got, [*f(x), *f(x > 0)], strict=True):
        same(result, expected)


@each_m
def test_expand_dims(m: int) -> None:
    def f(x: Any) -> list[Any]:
        axes = (0, 3, -1, -4, np.int64(1), (0, 1), [0, -1], (), (-1, 0, 2))
        return [*(np.expand_dims(x, a) for a in axes), np.expand_dims(x[0, 0, 0], 0)]

    got = on_shares(m, lambda a: [*f(a), *f(a > 0)], X)
    for result, expected in zip(got, [*f(X), *f(X > 0)], strict=True):
        same(result, expected)


def test_expand_dims_before_the_shape_is_known() -> None:
    async def program(party: Party) -> Any:
        return await party.reveal(np.expand_dims(party.input(X, owner=0), (0, -1)))

    for result in MemoryCluster(3).run(program):
        same(result, np.expand_dims(X, (0, -1)))


@each_m
def test_axes_of_transpose_in_every_form(m: int) -> None:
    def f(x: Any) -> list[Any]:
        return [
            np.transpose(x[0, 0], 0), x[0, 0].transpose(-1), np.transpose(x, (1, 2, 0)), np.transpose(x, [2, 0, 1]),
            np.transpose(x, np.array([0, 2, 1])), np.transpose(x), x.transpose(None), np.transpose(x, None),
            x[0, 0, 0].transpose(()), np.ravel(x, "C"), x.reshape(24, order="C"), np.reshape(x, (6, 4), order="C"),
        ]  # fmt: skip

    for result, expected in zip(on_shares(m, f, X), f(X), strict=True):
        same(result, expected)


@each_m
def test_broadcast_to(m: int) -> None:
    x = X[:, :1]
    same(on_shares(m, lambda a: broadcast_to(a, (5, 2, 3, 4)), x), np.broadcast_to(x, (5, 2, 3, 4)))


def test_what_cannot_be_done_raises_at_once_and_sends_nothing() -> None:
    async def program(party: Party) -> None:
        x = await party.input(X, owner=0)
        p = await (x > 0)
        before = party.transport.traffic.frames_sent
        for secret in (x, p):
            for shape in (7, (5, 5), (-1, 5), (-1, -1)):
                with pytest.raises(ShapeMismatch):
                    secret.reshape(shape)
            for key in (2, (0, 3), (0, 0, 0, 0), "a", 1.5, [5], np.zeros(3, np.bool_)):
                with pytest.raises(IndexError):
                    secret[key]
            for key in (x, p, x[0, 0, 0], [x]):
                with pytest.raises((WrongType, IndexError)):
                    secret[key]
            for axes in ((0, 1), (0, 0, 1), (0, 1, 3), (2, 1), ("a", 0, 1)):
                with pytest.raises(ShapeMismatch):
                    secret.transpose(*axes)
            for move in (lambda s: s.squeeze(0), lambda s: s.swapaxes(0, 3), lambda s: s.take([0], axis=5)):
                with pytest.raises(ShapeMismatch):
                    move(secret)
            for key in (0, slice(None), p):
                with pytest.raises(WrongType, match=r"x = where\(x > 3, 0, x\)"):
                    secret[key] = 1
            for axis in (5, 3 + 1, -5, 1.0, "a", (0, 0), (0, 6), None):
                with pytest.raises(ShapeMismatch, match="expand_dims"):
                    np.expand_dims(secret, axis)
            for order in ("F", "A", None, 3):
                for reorder in (
                    lambda s, o: s.reshape(24, order=o), lambda s, o: s.ravel(o), lambda s, o: s.flatten(order=o)
                ):  # fmt: skip
                    with pytest.raises(WrongType, match="'C' only"):
                        reorder(secret, order)
            for axis in (3, -4, (0, 0), 1.5, "0"):
                for name in ("sum", "cumsum", "mean", "any", "all"):
                    with pytest.raises(ShapeMismatch, match="axis"):
                        getattr(secret, name)(axis)
        for join in (concatenate, stack):
            with pytest.raises(ShapeMismatch):
                join([x, x[0]])
            with pytest.raises(ShapeMismatch, match="to_array"):
                join([x, p])
            with pytest.raises(WrongType, match="to_array"):
                join([p, X])
            with pytest.raises(ShapeMismatch, match="no arrays"):
                join([])
            with pytest.raises(WrongType, match="use numpy"):
                join([X, X])
            with pytest.raises(WrongType, match="public part"):
                join([x, ["a"]])
        with pytest.raises(ShapeMismatch):
            broadcast_to(x, (3, 3, 4))
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


@each_m
def test_nothing_here_sends(m: int) -> None:
    async def program(party: Party) -> tuple[int, int]:
        x = await party.input(X, owner=0)
        before = party.transport.traffic.frames_sent
        _ = [
            x[0],
            x.T,
            x.reshape(-1),
            x.sum(),
            x.cumsum(),
            concatenate([x, x]),
            stack([x, x]),
            broadcast_to(x, (2, *X.shape)),
        ]
        return before, party.transport.traffic.frames_sent

    assert all(before == after for before, after in MemoryCluster(m).run(program))
