"""A stock of noise: each sample once, whatever crashes, and no rounds at the release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ProgramDiverged
from mpc.party import current_scope
from protocols.errors import StockInvalid
from protocols.gaussian import discrete_gaussian_law
from protocols.laplace import laplace_law
from protocols.mechanisms import DiscreteLaplace
from protocols.release import MinimumGroup, release
from protocols.sensitivity import Change
from protocols.stock import Batch, MemoryStore, NoiseStock
from tests.protocols.laws import p_value

PARTIES = (3, 4, 5)
LAW, OTHER = laplace_law(0.001, 1, 45), discrete_gaussian_law(1000.0)  # wide: two equal samples are the same sample


def stores(m: int) -> list[MemoryStore]:
    return [MemoryStore() for _ in range(m)]


@pytest.mark.parametrize("m", PARTIES)
def test_what_is_taken_is_noise_of_the_law(m: int) -> None:
    law = laplace_law(1.0, 1)

    async def program(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        stock.fill(law, 20_000)
        x = stock.take(law, (100, 200), frac=2)
        assert x.shape == (100, 200)
        return (await x).frac, await party.reveal(x)

    frac, values = MemoryCluster(m, seed=3).run(program, stores(m))[0]
    assert frac == 2
    assert 0.001 < p_value((values * 4).astype(np.int64).reshape(-1), law) < 0.999


@pytest.mark.parametrize("m", PARTIES)
def test_every_sample_is_used_once_over_runs_and_batches(m: int) -> None:
    kept = stores(m)

    async def first(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 50)
        stock.fill(OTHER, 30)
        stock.fill(LAW, 40)
        parts = [stock.take(LAW, (n,)) for n in (20, 0, 25, 10)]
        assert (stock.left(LAW), stock.left(OTHER)) == (35, 30)
        return np.concatenate([await party.reveal(x) for x in parts])

    async def second(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        assert (stock.left(LAW), stock.left(OTHER)) == (35, 30)
        with pytest.raises(OutOfRange, match="36 samples asked of a stock that has 35"):
            stock.take(LAW, (36,))
        a, b = stock.take(LAW, (35,)), stock.take(OTHER, ())
        return await party.reveal(a), await party.reveal(b)

    one = MemoryCluster(m, seed=1).run(first, kept)[0]
    two, other = MemoryCluster(m, seed=2).run(second, kept)[m - 1]
    together = np.concatenate([one, two])
    assert together.size == 90 and np.unique(together).size >= 88
    assert other.shape == ()


def test_taking_costs_no_round_and_no_byte() -> None:
    async def program(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 100)
        await party.reveal(party.input(1, 0))
        traffic = party.transport.traffic
        before = traffic.copy()
        await stock.take(LAW, (60,))
        return traffic.rounds - before.rounds, traffic.bytes_sent - before.bytes_sent

    assert MemoryCluster(3).run(program, stores(3)) == [(0, 0)] * 3


@pytest.mark.parametrize("pooled", [False, True])
def test_a_release_from_stock_takes_the_one_round_of_the_opening(pooled: bool) -> None:
    async def program(party: Any, store: Any) -> Any:
        mechanism = DiscreteLaplace(1.0)
        stock = await NoiseStock.open(party, store)
        await stock.fill(mechanism.law(Change((1,), False), 3), 3)
        figures = await party.input([100, 200, 300], 0)
        before, depth = party.transport.traffic.copy(), current_scope().depth
        given = stock if pooled else None
        answer = await release(party, figures, mechanism, sensitivity=1, to=[0, 1, 2], stock=given)
        sent = party.transport.traffic.bytes_sent - before.bytes_sent
        return depth, current_scope().depth, sent, answer.values, stock.left(answer.law)

    answers = MemoryCluster(3).run(program, stores(3))
    before, after = (max(a[i] for a in answers) for i in (0, 1))
    assert after - before == 1 if pooled else after - before >= 9
    for _, _, sent, values, left in answers:
        assert np.abs(values - [100, 200, 300]).max() < 30
        assert left == (0 if pooled else 3)
        assert (sent == 24) == pooled


def test_what_is_released_from_stock_has_noise_of_the_law_the_minimum_too() -> None:
    n, mechanism = 20_000, DiscreteLaplace(0.5)

    async def program(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        law = mechanism.law(Change((1,), False), n)
        stock.fill(law, 2 * n)
        x = party.input(np.full(n, 7), 0)
        plain = await release(party, x, mechanism, sensitivity=1, to=[0], stock=stock)
        assert stock.left(law) == n
        minimum = MinimumGroup(8, x, 0.5)
        await stock.fill(law, n)
        gated = await release(party, x, mechanism, sensitivity=1, to=[0], minimum=minimum, stock=stock)
        assert stock.left(law) == 0
        return plain, gated

    plain, gated = MemoryCluster(3, seed=5).run(program, stores(3))[0]
    assert 0.001 < p_value(plain.values - 7, plain.law) < 0.999
    alpha = np.exp(-0.5)
    assert gated.shown.mean() == pytest.approx(alpha / (1 + alpha), abs=0.02)  # P(X >= 1)
    assert 0.001 < p_value(gated.values[gated.shown] - 7, plain.law) < 0.999  # independent of the minimum's noise


def test_a_release_draws_what_the_stock_lacks() -> None:
    async def program(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        mechanism = DiscreteLaplace(50.0)
        stock.fill(mechanism.law(Change((1,), False), 3), 2)
        counts = party.input([100, 2, 300], 0)
        minimum = MinimumGroup(50, counts, 50.0)
        return await release(party, counts, mechanism, sensitivity=1, to=[0], minimum=minimum, stock=stock)

    answer = MemoryCluster(3).run(program, stores(3))[0]
    assert answer.values.tolist() == [100, 0, 300]


# -- crashes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [0, 1, 2])
def test_after_a_crash_the_farthest_party_counts(behind: int) -> None:
    """One party had handed out more, or written down less, than the others when all went down."""
    kept = stores(3)

    async def first(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 40)
        return await party.reveal(stock.take(LAW, (10,)))

    async def second(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        left = stock.left(LAW)
        return left, await party.reveal(stock.take(LAW, (left,)))

    one = MemoryCluster(3).run(first, kept)[0]
    batch = kept[behind].batches()[0]
    kept[behind].spend(batch.name, 25, kept[behind].claim(behind, 3, 1))
    left, two = MemoryCluster(3, seed=1).run(second, kept)[0]
    assert left == 15
    assert not set(one) & set(two)
    assert [b.spent for b in kept[1].batches()] == [40]


def test_a_batch_that_one_party_lacks_is_forgotten_by_all() -> None:
    kept = stores(3)

    async def fill(party: Any, store: Any) -> None:
        await (await NoiseStock.open(party, store)).fill(LAW, 40)

    async def look(party: Any, store: Any) -> int:
        return (await NoiseStock.open(party, store)).left(LAW)

    MemoryCluster(3).run(fill, kept)
    kept[2].discard(kept[2].batches()[0].name)
    assert MemoryCluster(3).run(look, kept) == [0, 0, 0]
    assert [s.batches() for s in kept] == [[], [], []]


def test_a_batch_of_another_sampling_is_not_mixed_in() -> None:
    """Two parties' stocks of one consortium, the third's of another: names are random, so nothing is in common."""
    one, other = stores(3), stores(3)

    async def fill(party: Any, store: Any) -> int:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 40)
        return stock.left(LAW)

    async def look(party: Any, store: Any) -> int:
        return (await NoiseStock.open(party, store)).left(LAW)

    MemoryCluster(3, seed=1).run(fill, one)
    MemoryCluster(3, seed=2).run(fill, other)
    assert MemoryCluster(3).run(look, [one[0], one[1], other[2]]) == [0, 0, 0]


@pytest.mark.parametrize("m", PARTIES)
def test_two_stocks_of_one_store_never_give_the_same_sample(m: int) -> None:
    async def program(party: Any, store: Any) -> Any:
        old = await NoiseStock.open(party, store)
        await old.fill(LAW, 40)
        first = await party.reveal(old.take(LAW, (10,)))
        new = await NoiseStock.open(party, store)
        assert (old.left(LAW), new.left(LAW)) == (30, 30)
        with pytest.raises(StockInvalid, match="opened anew since"):
            await old.take(LAW, (10,))
        return first, await party.reveal(new.take(LAW, (30,)))

    first, second = MemoryCluster(m).run(program, stores(m))[0]
    assert np.unique(np.concatenate([first, second])).size >= 38


def test_it_is_written_down_before_it_is_handed_out() -> None:
    """A store that fails at spend: the run ends, and nobody got the samples."""

    class Failing(MemoryStore):
        def spend(self, name: int, upto: int, claim: int) -> None:
            raise OSError("disk full")

        def read(self, name: int, low: int, high: int) -> Any:
            raise AssertionError("read before it was spent")

    async def program(party: Any, store: Any) -> None:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 5)
        await party.reveal(stock.take(LAW, (5,)))

    with pytest.raises(OSError, match="disk full"):
        MemoryCluster(3).run(program, [MemoryStore(), Failing(), MemoryStore()])


def test_another_partys_store_is_refused() -> None:
    kept = stores(3)

    async def program(party: Any, store: Any) -> None:
        await NoiseStock.open(party, store)

    MemoryCluster(3).run(program, kept)
    with pytest.raises(StockInvalid, match="each party needs its own"):
        MemoryCluster(3).run(program, [kept[1], kept[0], kept[2]])


def test_parties_that_take_different_noise_are_told() -> None:
    async def program(party: Any, store: Any) -> Any:
        stock = await NoiseStock.open(party, store)
        await stock.fill(LAW, 40)
        await stock.fill(OTHER, 40)
        await stock.take(LAW if party.index else OTHER, (3,))
        await party.reveal(party.input(1, 0))  # not what was taken: that the answers differ would be found anyway

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3).run(program, stores(3))


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_batches_have_a_size(size: Any) -> None:
    async def program(party: Any, store: Any) -> None:
        stock = await NoiseStock.open(party, store)
        stock.fill(LAW, size)

    with pytest.raises(OutOfRange):
        MemoryCluster(3).run(program, stores(3))


def test_a_batch_is_a_value() -> None:
    assert replace(Batch(1, "x", 5), spent=3) == Batch(1, "x", 5, 3)


def test_opening_takes_two_rounds_whatever_the_number_of_parties() -> None:
    async def program(party: Any, store: Any) -> None:
        await NoiseStock.open(party, store)

    for m in PARTIES:
        cluster = MemoryCluster(m)
        cluster.run(program, stores(m))
        assert max(t.rounds for t in cluster.traffic) == 2
