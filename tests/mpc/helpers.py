"""What the engine's tests share: every number of parties, and a function of secrets run on shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mpc import MemoryCluster, Party
from mpc.secret import Secret
from mpc.sharing import Layout, split

PARTIES = (3, 4, 5, 7)
EACH = (3, 4, 5, pytest.param(7, marks=pytest.mark.slow))
"""As parameters: seven parties take as long as all others together, and are in `make test` where shares are dealt,
passed on and opened, and where tests draw from PARTIES."""

each_m = pytest.mark.parametrize("m", EACH)
every_m = pytest.mark.parametrize("m", PARTIES)

LARGEST = (1 << 62) - 1
EDGES = (0, 1, -1, 2, -2, LARGEST, -LARGEST, 1 << 61, -(1 << 61), (1 << 32) - 1, -(1 << 32))

Words = npt.NDArray[np.uint64]


def on_shares(
    m: int | MemoryCluster, f: Callable[..., Any], *values: Any, frac: Sequence[int | None] | int | None = None
) -> Any:
    """``f(*secrets)`` revealed to all: parties input the values in turn. All parties must see the same.

    ``f`` gives a secret, or a list or tuple of secrets.
    """
    cluster = m if isinstance(m, MemoryCluster) else MemoryCluster(m, seed=m)
    fracs = frac if isinstance(frac, (list, tuple)) else [frac] * len(values)

    async def program(party: Party) -> Any:
        secrets = [
            await party.input(v, owner=i % party.m, frac=g) for i, (v, g) in enumerate(zip(values, fracs, strict=True))
        ]
        result = f(*secrets)
        if isinstance(result, Secret):
            return await _checked(party, result)
        return [await _checked(party, r) for r in result]

    answers = cluster.run(program)
    for answer in answers[1:]:
        for a, b in zip(_list(answers[0]), _list(answer), strict=True):
            np.testing.assert_array_equal(a, b)
    return answers[0]


def _list(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


async def _checked(party: Party, result: Any) -> npt.NDArray[Any]:
    """The revealed value, with the shape and dtype that the secret announced."""
    await result
    value = await party.reveal(result)
    assert np.shape(value) == result.shape
    assert value.dtype == result.dtype
    return np.asarray(value)


def same(actual: npt.NDArray[Any], expected: Any) -> None:
    """Equal in values, shape and dtype."""
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def near(actual: npt.NDArray[Any], expected: Any, tolerance: float) -> None:
    """As ``same``, up to an absolute tolerance."""
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def shares_of(
    layout: Layout, values: npt.NDArray[Any], rng: np.random.Generator, *, boolean: bool = False
) -> list[Words]:
    """A fresh sharing of these words: for each party its components (k, *shape), all of them random."""
    secret = np.array(values, order="C").view(np.uint64)
    randomness = [rng.integers(0, 1 << 64, secret.shape, np.uint64) for _ in layout.components[:-1]]
    parts = split(layout, secret, randomness, boolean=boolean)
    return [np.stack([parts[a] for a in held]) for held in layout.held]


def random_values(rng: np.random.Generator, shape: tuple[int, ...] = (), bits: int = 62) -> npt.NDArray[np.int64]:
    """Signed integers below 2^bits in magnitude, of all sizes, with the edges among them."""
    magnitude = rng.integers(0, 1 << 63, shape, np.int64) >> rng.integers(63 - bits, 63, shape)
    values = np.where(rng.integers(0, 2, shape) == 1, -magnitude, magnitude)
    edges = np.array([e for e in EDGES if abs(e) < 1 << bits] + [(1 << bits) - 1, 1 - (1 << bits)], np.int64)
    pick = rng.integers(0, 4, shape) == 0
    return np.asarray(np.where(pick, rng.choice(edges, shape), values), np.int64)
