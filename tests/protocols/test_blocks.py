"""Sample and aggregate: one row moves one block, by its range at most, whatever the statistic does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ProgramDiverged, ShapeMismatch, UnknownParty, WrongType
from mpc.exchange import public_share
from protocols.accounting import Event
from protocols.blocks import _range, block_figures, cut, release_block_means
from protocols.mechanisms import DiscreteGaussian, DiscreteLaplace
from protocols.own_rows import check_bounds
from protocols.public_order import public_parts
from protocols.sensitivity import Change
from tests.protocols.openings import opened_in, refuses_before_sending, run

HUGE = DiscreteLaplace(128)
N = 24


async def wild(X: Any, here: Any) -> Any:
    """Sums and a product of the rows present, far out of any bounds."""
    mask = here.to_array()
    total = await (mask @ X)
    return await (total * mask.sum() * 100 - 7)


def in_the_clear(x: Any, here: Any) -> Any:
    return (x * here[:, None]).sum(axis=0) * here.sum() * 100 - 7


def _table(seed: int = 0) -> tuple[Any, Any]:
    r = np.random.default_rng(seed)
    return r.integers(-128, 129, (N, 2)) / 64, r.random(N) < 0.8


@pytest.mark.parametrize("m", (3, 5))
def test_with_a_huge_epsilon_it_is_the_mean_over_blocks(m: int) -> None:
    x, here = _table()

    async def body(party: Any, X: Any, P: Any) -> Any:
        figures = await block_figures(wild, (X, P), blocks=5, random_state=2)
        told = await release_block_means(
            party, wild, (X, P), HUGE, blocks=5, random_state=2, low=-100, high=300.25, to=1, n_jobs=3
        )
        return await party.reveal(figures), told

    answers = run(m, body, x, here)
    blocks = [in_the_clear(x[rows], here[rows]) for rows in public_parts(N, 5, 2)]
    np.testing.assert_allclose(answers[0][0], blocks, atol=1e-3)
    told = answers[1][1]
    np.testing.assert_allclose(told.values, np.clip(blocks, -100, 300.25).mean(axis=0), atol=40 * told.standard_error)
    assert all(answers[j][1].values is None for j in range(m) if j != 1)
    assert (told.interval95[0] < told.values).all() and (told.values < told.interval95[1]).all()
    assert told.sensitivity == 2 * 400.25 / 5 and told.epsilon == 128
    assert told.events == (Event(HUGE, Change((400.25 * 65536,) * 2, False), 2, 16),)
    assert told.standard_error == told.parts[0].standard_error / 5


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, N - 1), st.integers(2, 9))
def test_a_row_more_or_less_moves_one_block(seed: int, row: int, blocks: int) -> None:
    """Also a row that is changed; and sums of clipped figures move by no more than what is charged."""
    x, here = _table(seed)
    without, other = here.copy(), x.copy()
    without[row] = ~here[row]
    other[row] = -x[row] + 1

    async def body(party: Any, X: Any, P: Any, Q: Any, Z: Any) -> Any:
        tables = [(X, P), (X, Q), (Z, P)]
        return [await party.reveal(await block_figures(wild, t, blocks=blocks)) for t in tables]

    first, *others = run(3, body, x, here, without, other)[0]
    (own,) = [b for b, rows in enumerate(public_parts(N, blocks, 0)) if row in rows]
    for figures in others:
        moved = np.abs(figures - first).max(axis=1)
        assert set(np.flatnonzero(moved > 1e-3)) <= {own}
        change = np.abs(np.clip(figures, -1, 2).sum(axis=0) - np.clip(first, -1, 2).sum(axis=0))
        assert (change <= 3).all()


def test_figures_are_within_bounds_whatever_the_words_are() -> None:
    """A statistic that left its range is a number from anywhere in the ring; it counts as one within the bounds."""
    words = [0, 1, (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1, (1 << 63) + (1 << 62), 3 << 60]
    words += [(1 << 63) + (5 << 16), (1 << 63) - (7 << 16)]

    async def body(party: Any) -> Any:
        garbage = SecretArray(party, public_share(party, np.array(words, np.uint64)), 16)
        return [await party.reveal(await cut(garbage, low, 5)) for low in (-7, 4.75)]

    for low, values in zip((-7, 4.75), run(3, body)[0], strict=True):
        assert (values >= low).all() and (values <= 5).all()
        assert values[0] == max(0, low) and values[2] == 5


def test_the_range_holds_for_bounds_as_they_are_rounded() -> None:
    step = 2.0**-16
    for low, high in ((0.4 * step, 1.6 * step), (-1.6 * step, -0.4 * step), (0.5 * step, 1.5 * step), (-1.0, 0.3)):

        async def body(party: Any, words: Any, low: float = low, high: float = high) -> Any:
            return await party.reveal(await cut(words, low, high))

        ends = run(3, body, np.array([-9, 9]))[0]
        assert ends[1] - ends[0] <= float(_range(check_bounds(low, high))) <= high - low + 2 * step


def test_noise_is_what_is_charged() -> None:
    x, here = _table()

    async def body(party: Any, X: Any, P: Any) -> Any:
        def told(mechanism: Any, **options: Any) -> Any:
            return release_block_means(party, wild, (X, P), mechanism, blocks=4, low=0, high=1, to=range(3), **options)

        return [
            await told(DiscreteLaplace(1.0)), await told(DiscreteLaplace(1.0), rows=3),
            await told(DiscreteGaussian(1.0, 1e-6)), await told(DiscreteGaussian(1.0, 1e-6), rows=3),
        ]  # fmt: skip

    one, three, normal, normal_three = run(3, body, x, here)[0]
    assert one.standard_error == pytest.approx(2**0.5 * 2 / 4, rel=1e-3)
    assert three.standard_error == pytest.approx(3 * one.standard_error, rel=1e-3)
    assert normal.events[0].change == Change((65536, 65536), False)
    assert normal_three.events[0].change == Change((3 * 65536, 3 * 65536), True)
    assert one.epsilon == three.epsilon == 1.0 and normal.delta <= 2e-6


def test_nothing_is_opened_but_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    x, here = _table()

    async def body(party: Any, X: Any, P: Any) -> Any:
        await release_block_means(party, wild, (X, P), HUGE, blocks=4, low=0, high=1, to=0)

    assert opened_in(monkeypatch, body, x, here)[1] == ["(2,)"]


def test_what_is_refused_before_anything_is_sent() -> None:
    x, here = _table()

    def told(arrays: Any = None, mechanism: Any = HUGE, **options: Any) -> Any:
        async def body(party: Any, X: Any, P: Any) -> None:
            given: Any = {"blocks": 3, "low": 0, "high": 1, "to": 0, **options}
            await release_block_means(party, wild, (X, P) if arrays is None else arrays(X, P), mechanism, **given)

        return body

    for body, error, match in (
        (told(blocks=1), OutOfRange, "1 parts"),
        (told(blocks=25), OutOfRange, "25 parts of 24 rows"),
        (told(low=1), OutOfRange, "not the same"),
        (told(low=float("nan")), OutOfRange, "bounds"),
        (told(rows=0), OutOfRange, "rows a person"),
        (told(n_jobs=0), OutOfRange, "n_jobs"),
        (told(to=3), UnknownParty, "3"),
        (told(mechanism=1.0), WrongType, "mechanism"),
        (told(lambda X, P: (X, P[:5])), ShapeMismatch, "5, 24"),
        (told(lambda X, P: (X, x)), WrongType, "array 1"),
    ):
        refuses_before_sending(body, error, match, x, here)


def test_a_statistic_is_one_figure_or_several() -> None:
    async def number(X: Any) -> Any:
        return X.sum()

    async def body(party: Any, X: Any) -> None:
        with pytest.raises(WrongType, match=r"\(d,\)"):
            await block_figures(number, (X,), blocks=2)

    run(3, body, np.ones(4))


@pytest.mark.parametrize("other", [{"random_state": 1}, {"low": 1.0, "high": 3.0}, {"rows": 2}])
def test_parties_that_cut_otherwise_find_out(other: Any) -> None:
    """With another seed at one party, shares of different rows would be added up, and released."""

    async def total(X: Any) -> Any:
        return X.sum(axis=0)

    async def program(party: Any) -> Any:
        options: Any = {"low": 0.0, "high": 2.0, **(other if party.index == 1 else {})}
        X = await party.input(np.ones((8, 2)) if party.index == 0 else None, 0)
        return await release_block_means(party, total, (X,), DiscreteLaplace(1.0), blocks=2, to=0, **options)

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3, seed=1).run(program)
