"""Public real factors and divisors over the whole range: relative error 2^-25 of the factor, ulps of the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange
from mpc.scaling import pieces_of

ULP = 2.0**-16


def _run(m: int, program: Any, *, seed: int = 1) -> Any:
    return MemoryCluster(m, seed=seed).run(program)[0]


def _values(limit: float) -> Any:
    rng = np.random.default_rng(5)
    signs = rng.choice([-1.0, 1.0], 60)
    return np.concatenate(
        [[0.0, ULP, -ULP, 1.0, -1.0, limit, -limit], signs * 2.0 ** rng.uniform(-15, np.log2(limit), 60)]
    )


@pytest.mark.parametrize("m", [3, 4, 5, 7])
@pytest.mark.parametrize("c", [0.5, -4.0, 2.5, 1 / 3, 20000.5, 1e-3, 1e-6, -1e-9, 7.0, 0.0, 6.02e5])
def test_products_with_public_reals(m: int, c: float) -> None:
    limit = min(2.0**45.5, 2.0**45.5 / max(abs(c), 2.0**-45))
    x = np.rint(_values(limit) / ULP) * ULP

    async def program(party: Any) -> Any:
        return await party.reveal(party.input(x, owner=0) * c)

    exact = x * c
    allowed = np.abs(exact) * 2.0**-24 + ((m - 1) // 2 + 2) * ULP
    assert (np.abs(_run(m, program) - exact) <= allowed).all()


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize("d", [3.0, 1000.0, 1e-3, 7.5, 123456.789])
def test_quotients_of_integers_and_reals(m: int, d: float) -> None:
    x = np.rint(_values(min(2.0**45.5, 2.0**45.5 * d)))

    async def program(party: Any) -> Any:
        whole = party.input(x.astype(np.int64), owner=0)
        return await party.reveal(whole / d)

    exact = x / d
    allowed = np.abs(exact) * 2.0**-24 + ((m - 1) // 2 + 2) * ULP
    assert (np.abs(_run(m, program) - exact) <= allowed).all()


@pytest.mark.parametrize("m", [3, 5])
def test_factors_far_apart_and_matrices(m: int) -> None:
    c = np.array([1e-3, 2e-3, 3e-5, 0.0, 12.0])
    x = np.array([[1e3, 1e4, 1e6, 5.0, 0.25], [-7.0, 0.5, 1e9, 1e8, -1e7]])

    async def program(party: Any) -> Any:
        secret = party.input(x, owner=1)
        return await party.reveal(secret * c), await party.reveal(secret @ c), await party.reveal(c @ secret.T)

    each, right, left = _run(m, program)
    slack = 2 * ((m - 1) // 2 + 2) * ULP
    assert (np.abs(each - x * c) <= np.abs(x * c) * 2.0**-24 + slack).all()
    scale = (np.abs(x) * np.abs(c).max()).sum(axis=1)
    for got in (right, left):
        assert (np.abs(got - x @ c) <= scale * 2.0**-24 + slack).all()


@pytest.mark.parametrize("m", [3, 4])
def test_mean_of_large_numbers(m: int) -> None:
    x = np.array([1e8, 3e8, 2e8])

    async def program(party: Any) -> Any:
        return await party.reveal(party.input(x, owner=2).mean())

    assert abs(_run(m, program) - 2e8) <= 2e8 * 2.0**-24


def test_exact_factors_need_no_rounding() -> None:
    (piece,) = pieces_of(np.array([0.5, 3.0, -0.25]))
    assert piece.g == 2
    (piece,) = pieces_of(np.array([2.0, 8.0]))
    assert piece.words.tolist() == [1, 4]
    (piece,) = pieces_of(np.zeros(3))
    assert piece.bits == 1
    assert [p.words.size for p in pieces_of(np.zeros(0))] == [0]


@pytest.mark.parametrize("c", [float("nan"), float("inf")])
def test_factors_that_do_not_fit(c: float) -> None:
    with pytest.raises(OutOfRange):
        pieces_of(np.array([c, 0.3]))


def test_a_product_with_too_many_fractional_bits_is_refused() -> None:
    async def program(party: Any) -> Any:
        x = party.input(np.array([3.0]), owner=0, frac=40)
        return await party.reveal(x * x)

    with pytest.raises(OutOfRange, match="fractional bits"):
        MemoryCluster(3).run(program)
