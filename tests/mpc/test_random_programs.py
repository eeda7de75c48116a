"""A machine of random programs: the same chain of operations in numpy and on shares, for every number of parties.

A program works on a pool of arrays: integers and booleans, which must come out exactly, and fixed-point numbers, for
which the greatest possible error is carried along. Steps whose operands do not fit, or whose result would leave the
documented range, are left out. Nothing is awaited until the end, so results depend on pending ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mpc
from mpc import MemoryCluster, Party
from tests.mpc.helpers import PARTIES, random_values

ULP = 2.0**-16
MOST = 1 << 61  # integers stay below, so that differences and sums stay in range
MOST_REAL = 2.0**13  # products of two stay far below 2^30
SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (3, 2), (0,), (2, 0)]


@dataclass
class Value:
    """An array of the pool in numpy, and how far off its shared twin may be."""

    plain: Any
    error: float = 0.0

    @property
    def kind(self) -> str:
        return {"b": "bits", "i": "int", "f": "real"}[self.plain.dtype.kind]


Apply = Callable[..., Any]


class Skip(Exception):
    """This step does not fit."""


def need(condition: Any) -> None:
    if not condition:
        raise Skip


def of(kind: str, *values: Value) -> None:
    need(all(v.kind in kind for v in values))


def largest(x: Any) -> float:
    return float(np.abs(x).max()) if x.size else 0.0


def real_product(x: Value, y: Value, t: int, terms: int = 1) -> float:
    cross = largest(x.plain) * y.error + largest(y.plain) * x.error + x.error * y.error
    both = x.kind == y.kind == "real"
    return terms * cross + (1 + t) * ULP * both


# Each step: (x, y, k, t) -> (the operation, for arrays and secrets alike, and the error of its result).
# ``lib`` in an operation is numpy or mpc.


def add(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x, y)
    return lambda lib, a, b: (a + b, a - b, b - a)[k % 3], x.error + y.error


def mul(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x, y)
    bound = MOST if x.kind == y.kind == "int" else MOST_REAL
    need(largest(x.plain) * largest(y.plain) < bound)
    return lambda lib, a, b: a * b, real_product(x, y, t)


def times_public(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x)
    by = [3, -1, 0, 0.5, -2.25, np.array([[2], [-3]]), np.array([0.5, 1.5, -0.25])][k % 7]
    public = Value(np.asarray(by))
    need(largest(x.plain) * largest(public.plain) < (MOST_REAL if "real" in (x.kind, public.kind) else MOST))
    return lambda lib, a, b: (a * by, by * a)[k % 2], real_product(x, public, t)


def plus_public(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x)
    by = [3, -1, 0.5, np.array([[2], [-3]]), np.array([0.5, 1.5, -0.25])][k % 5]
    need(x.kind == "real" or np.asarray(by).dtype.kind == "i" or largest(x.plain) < MOST_REAL)
    return lambda lib, a, b: (a + by, a - by, by - a)[k % 3], x.error


def matmul(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x, y)
    need(x.plain.ndim and y.plain.ndim)
    terms = x.plain.shape[-1]
    bound = MOST if x.kind == y.kind == "int" else MOST_REAL
    need(largest(x.plain) * largest(y.plain) * max(1, terms) < bound)
    return lambda lib, a, b: a @ b, real_product(x, y, t, terms)


def divide(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x)
    need(largest(x.plain) < MOST_REAL)
    by = [3, -7, 0.5, 1000, np.array([2.0, 5.0, -10.0])][k % 5]
    factor = float((1 / np.abs(np.asarray(by))).max())
    return lambda lib, a, b: a / by, x.error * factor + largest(x.plain) * factor * 2.0**-18 + (3 + t) * ULP


def shift(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int", x)
    return lambda lib, a, b: a // (1 << k % 62), 0.0


def floor(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("real", x)
    need(apart(x.plain, np.rint(x.plain), x.error, exact_allowed=x.error == 0))
    return lambda lib, a, b: np.floor(a).astype(np.int64) if lib is np else a.astype(int), 0.0


def to_real(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int bits", x)
    need(largest(x.plain) < MOST_REAL)
    return lambda lib, a, b: a.astype(float), 0.0


def to_int(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("bits", x)
    return lambda lib, a, b: a.astype(int), 0.0


def apart(x: Any, y: Any, error: float, *, exact_allowed: bool) -> bool:
    """Can the errors not change how these compare?"""
    return exact_allowed or bool(np.all(np.abs(x - y) > error))


def compare(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x, y)
    need(x.kind == y.kind or max(largest(x.plain), largest(y.plain)) < MOST_REAL)
    error = x.error + y.error
    need(apart(x.plain, y.plain, error, exact_allowed=error == 0))

    def f(lib: Any, a: Any, b: Any) -> Any:
        return [a < b, a <= b, a > b, a >= b, a == b, a != b][k % 6]

    return f, 0.0


def compare_public(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int", x)
    return lambda lib, a, b: [a < 3, a <= -1, a > 0, a >= 1, a == 0, a != 2][k % 6], 0.0


def logic(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("bits", x, y)
    return lambda lib, a, b: [a & b, a | b, a ^ b, ~a][k % 4], 0.0


def where(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int real", x, y)
    need(x.kind == y.kind or max(largest(x.plain), largest(y.plain)) < MOST_REAL)
    error = x.error + y.error
    need(apart(x.plain, y.plain, error, exact_allowed=error == 0))

    def f(lib: Any, a: Any, b: Any) -> Any:
        return lib.where(a < b, *((a, b) if k % 2 else (b, a)))

    return f, max(x.error, y.error)


def total(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    axis = axis_of(x, k)
    of("int real bits", x)
    need(largest(x.plain) * max(1, x.plain.size) < (MOST_REAL if x.kind == "real" else MOST))
    return lambda lib, a, b: a.sum(axis=axis), x.error * x.plain.size


def axis_of(x: Value, k: int) -> int | None:
    axes: list[int | None] = [None, *range(-x.plain.ndim, x.plain.ndim)]
    return axes[k % len(axes)]


def extreme(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int", x)
    axis = axis_of(x, k)
    need(x.plain.size)
    return lambda lib, a, b: [a.min(axis), a.max(axis), a.argmin(axis), a.argmax(axis)][k % 4], 0.0


def any_all(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("bits", x)
    axis = axis_of(x, k)
    return lambda lib, a, b: a.any(axis) if k % 2 else a.all(axis), 0.0


def one_by_one(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    of("int", x)
    return lambda lib, a, b: [abs(a), -a, a.clip(-2, 5), a.clip(0, None)][k % 4], 0.0


def move(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    def f(lib: Any, a: Any, b: Any) -> Any:
        return [a.T, a.reshape(-1), a[..., None], a[None], a[::-1] if a.shape else a[()], a.ravel()[:2], a.T.ravel()][
            k % 7
        ]

    return f, x.error


def join(x: Value, y: Value, k: int, t: int) -> tuple[Apply, float]:
    need(x.kind == y.kind and x.plain.ndim)
    how = ("concatenate", "stack")[k % 2]
    return lambda lib, a, b: getattr(lib, how)([a, b], axis=-1 if k % 3 else 0), max(x.error, y.error)


STEPS = [
    add, mul, times_public, plus_public, matmul, divide, shift, floor, to_real, to_int, compare, compare_public, logic,
    where, total, extreme, any_all, one_by_one, move, join,
]  # fmt: skip


def plan(pool: list[Value], steps: list[tuple[int, int, int, int]], t: int) -> list[tuple[Apply, int, int]]:
    """Run the steps that fit in numpy, extending the pool; give the same steps for shares."""
    program = []
    for which, i, j, k in steps:
        i, j = i % len(pool), j % len(pool)
        x, y = pool[i], pool[j]
        try:
            f, error = STEPS[which](x, y, k, t)
            with np.errstate(all="raise"):
                result = np.asarray(f(np, x.plain, y.plain))
            need(result.size <= 64 and result.ndim <= 4)
            need(largest(result) < (MOST if result.dtype.kind != "f" else MOST_REAL) and error < 0.5)
        except (Skip, ValueError):  # ValueError: numpy says that the shapes do not fit
            continue
        pool.append(Value(result, error))
        program.append((f, i, j))
    return program


def check(m: int, seed: int, steps: list[tuple[int, int, int, int]]) -> int:
    rng = np.random.default_rng(seed)
    inputs = [
        np.asarray(random_values(rng, SHAPES[i], bits))
        for i, bits in zip(rng.integers(0, 8, 3), (61, 20, 3), strict=True)
    ]
    inputs += [np.asarray(rng.integers(-(1 << 19), 1 << 19, SHAPES[i]) * ULP) for i in rng.integers(0, 8, 2)]
    pool = [Value(x) for x in inputs]
    program = plan(pool, steps, (m - 1) // 2)

    async def on_shares(party: Party) -> list[Any]:
        secrets = [party.input(x, owner=i % m, shape=x.shape) for i, x in enumerate(inputs)]
        for f, i, j in program:
            secrets.append(f(mpc, secrets[i], secrets[j]))
        opened = [party.reveal(s) for s in secrets]
        return [np.asarray(await o) for o in opened]

    for answers in MemoryCluster(m, seed=seed).run(on_shares):
        for value, answer in zip(pool, answers, strict=True):
            assert answer.dtype == value.plain.dtype and answer.shape == value.plain.shape
            assert (
                not answer.size or np.abs(answer - value.plain).max() <= value.error
                if value.kind == "real"
                else (np.array_equal(answer, value.plain))
            )
    return len(program)


steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999)), max_size=25
)


@settings(max_examples=50)
@given(st.sampled_from(PARTIES), st.integers(0, 999), steps)
def test_random_programs(m: int, seed: int, steps: list[tuple[int, int, int, int]]) -> None:
    check(m, seed, steps)


@pytest.mark.slow
def test_long_random_programs() -> None:
    """Programs of up to hundreds of steps; most steps must fit, or the machine tests nothing."""
    done = 0
    for trial in range(16):
        rng = np.random.default_rng(trial)
        drawn = rng.integers(0, [len(STEPS), 10_000, 10_000, 1000], (150, 4))
        done += check(PARTIES[trial % 4], trial, [tuple(s) for s in drawn.tolist()])
    assert done > 16 * 40
