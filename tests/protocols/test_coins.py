"""Coins of any bias from bits that nobody knows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, bits
from mpc.errors import OutOfRange
from mpc.exchange import public_share
from mpc.sharing import Layout, reconstruct
from protocols import coins
from protocols.coins import bernoulli, secret_coins

PARTIES = (3, 4, 5)


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("precision", [1, 2, 3, 5, 8])
def test_coin_for_every_draw_and_every_threshold(m: int, precision: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the random bits given, each coin is [r + T >= 2^l]: exactly T of the 2^l draws."""
    draws = np.arange(1 << precision, dtype=np.uint64)
    thresholds = list(range(1 << precision))

    def all_draws(party: Any, shape: tuple[int, ...]) -> Any:
        planes = np.zeros((64, bits.plane_words(draws.size)), np.uint64)
        bits.to_planes(draws, planes)
        drawn = np.tile(planes[:precision], (1, len(thresholds)))
        padding = np.zeros((shape[0] - precision, shape[1]), np.uint64)  # an odd precision: one bit more, the lowest
        return public_share(party, np.concatenate([padding, drawn]))

    monkeypatch.setattr(coins, "random_share", all_draws)

    async def program(party: Any) -> Any:
        return await party.reveal(bernoulli(party, thresholds, precision, (draws.size,)))

    found = MemoryCluster(m).run(program)[0]
    assert np.array_equal(found, draws[None, :] + np.array(thresholds, np.uint64)[:, None] >= 1 << precision)
    assert found.sum(axis=1).tolist() == thresholds


@pytest.mark.parametrize("m", PARTIES)
def test_coins_are_fair_to_their_thresholds(m: int) -> None:
    thresholds, precision, n = [0, 1 << 38, 3 << 37, (1 << 40) - 1, 12345678901], 40, 20_000

    async def program(party: Any) -> Any:
        return await party.reveal(bernoulli(party, thresholds, precision, (n,)))

    found = MemoryCluster(m, seed=m).run(program)[0]
    for row, t in zip(found, thresholds, strict=True):
        p = t / (1 << precision)
        assert abs(row.sum() - n * p) <= 4.5 * math.sqrt(n * p * (1 - p)) + 1e-9 * n


def test_coins_keep_their_shape_and_cost_log_rounds() -> None:
    async def program(party: Any) -> Any:
        return (await bernoulli(party, [1 << 40, 5], 44, (3, 5))).shape

    cluster = MemoryCluster(3)
    assert cluster.run(program)[0] == (2, 3, 5)
    assert max(t.rounds for t in cluster.traffic) == 6


@pytest.mark.parametrize(("thresholds", "precision"), [([8], 3), ([-1], 3), ([0], 0), ([0], 513)])
def test_impossible_coins_are_refused(thresholds: list[int], precision: int) -> None:
    async def program(party: Any) -> None:
        bernoulli(party, thresholds, precision, (4,))

    with pytest.raises(OutOfRange):
        MemoryCluster(3).run(program)


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("precision", [1, 2, 5, 8])
def test_secret_thresholds_for_every_draw(m: int, precision: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every draw beside every threshold, both in planes: the coin is [r + T >= 2^l]."""
    draws, thresholds = (a.reshape(-1) for a in np.mgrid[0 : 1 << precision, 0 : 1 << precision].astype(np.uint64))

    def planes(numbers: Any) -> Any:
        out = np.zeros((64, bits.plane_words(numbers.size)), np.uint64)
        bits.to_planes(numbers, out)
        return out[:precision]

    monkeypatch.setattr(coins, "random_share", lambda party, shape: public_share(party, planes(draws)))

    async def program(party: Any) -> Any:
        return await secret_coins(party, public_share(party, planes(thresholds)))

    shares = MemoryCluster(m).run(program)
    found = bits.unpack(reconstruct(Layout(m), dict(enumerate(shares)), boolean=True), draws.size)
    assert np.array_equal(found, draws + thresholds >= 1 << precision)
