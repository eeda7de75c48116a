"""Attacks on released figures, each beside a mechanism on which it works."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from protocols.accounting import DELTA_LIMIT, Event
from protocols.composition import composed_epsilon
from protocols.divergence import hockey_stick
from protocols.gaussian import discrete_gaussian_law
from protocols.laplace import laplace_law
from protocols.law import Law
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace, RoundedGaussian
from protocols.noise import sample
from protocols.release import release, total_cost, total_epsilon
from protocols.sensitivity import Change


def released(figure: Any, mechanism: Any, sensitivity: float, seed: int, frac: int | None = None) -> Any:
    async def program(party: Any) -> Any:
        return await release(party, party.input(figure, 0, frac=frac), mechanism, sensitivity=sensitivity, to=0)

    return MemoryCluster(3, seed=seed).run(program)[0].values


# -- the bits of a floating-point number (Mironov, CCS 2012) ----------------------------------------


def _could_be_exponential(noise: Any) -> Any:
    """Whether -log(u) of a double u = k / 2^53 gives this noise exactly: the doubles have gaps there."""
    k = np.rint(np.exp(-np.abs(noise)) * 2.0**53)
    near = (k + np.arange(-4, 5)[:, None]) / 2.0**53
    return (-np.log(near) == np.abs(noise)).any(axis=0)


def test_floating_point_noise_tells_the_figure_by_its_low_bits() -> None:
    """The attack works on the textbook: which of two neighbours it was, far beyond epsilon = 0.1 with one answer."""
    rng = np.random.default_rng(1)
    scale = 10.0
    u = rng.integers(1, 1 << 53, 20_000) / 2.0**53
    guesses = [(_could_be_exponential((y - 0.0) / scale)).mean() for y in (-np.log(u) * scale, 1.0 - np.log(u) * scale)]
    assert abs(guesses[0] - guesses[1]) > 2 * (math.exp(0.1) - 1)


@pytest.mark.parametrize("frac", [0, 8, 16])
def test_what_is_released_has_no_low_bits_of_its_own(frac: int) -> None:
    """All values are whole steps of the grid, for either neighbour, and no residue tells which one it was."""
    n, scale = 20_000, 1 << frac
    found = []
    for figure in (0.0, 1.0):
        figures = np.full(n, figure) if frac else np.full(n, int(figure))
        values = released(figures, DiscreteLaplace(0.1), 1.0, seed=7 + int(figure), frac=frac or None) * scale
        assert np.array_equal(values, np.rint(values))
        found.append(values.astype(np.int64) % 16)
    counts = [np.bincount(f, minlength=16) for f in found]
    advantage = np.abs(counts[0] - counts[1]).sum() / 2 / n
    if frac:  # on a fine grid the residue is uniform
        assert advantage < 0.035
    assert advantage < (math.exp(0.1) - 1) / (math.exp(0.1) + 1) + 0.035


@pytest.mark.parametrize(
    "mechanism", [DiscreteLaplace(0.5), Binomial(0.5, 1e-6), DiscreteGaussian(0.5, 1e-6), RoundedGaussian(0.5, 1e-6)]
)
def test_no_set_of_outputs_tells_more_than_promised(mechanism: Any) -> None:
    """The best attack on one figure there is, whatever it looks at: the exact divergence of the law as sampled."""
    event = Event(mechanism, Change((1,), False))
    epsilon, delta = event.promise
    worst = hockey_stick(event.law.pmf(), epsilon, 1)  # type: ignore[arg-type]
    assert worst <= delta + DELTA_LIMIT
    assert hockey_stick(event.law.pmf(), epsilon * Fraction(9, 10), 1) > worst  # type: ignore[arg-type]


# -- averaging by asking again ----------------------------------------------------------------------


def test_asking_again_is_charged_again_and_tells_no_more_than_that() -> None:
    """25 answers at epsilon 0.1 each: their mean is 5 times as close, and 25 times as dear."""
    asked, trials = 25, 4000
    means = [
        released(np.full((trials, asked), figure), DiscreteLaplace(0.1), 1, seed=11 + figure).mean(axis=1)
        for figure in (0, 1)
    ]
    advantage = max(abs((means[0] > t).mean() - (means[1] > t).mean()) for t in np.linspace(-10, 10, 81))
    one = Event(DiscreteLaplace(0.1), Change((1,), False))
    charged = composed_epsilon([one] * asked, 1e-6)
    assert (math.exp(0.1) - 1) / (math.exp(0.1) + 1) < advantage  # it does tell more than one answer may,
    assert advantage < (math.exp(charged) - 1) / (math.exp(charged) + 1)  # and less than what it is charged allows

    async def program(party: Any) -> Any:
        x = party.input([7], 0)
        return [await release(party, x, DiscreteLaplace(0.1), sensitivity=1, to=0) for _ in range(asked)]

    answers = MemoryCluster(3).run(program)[0]
    assert len({float(a.values[0]) for a in answers}) > 10
    assert total_epsilon(*answers) == pytest.approx(2.5)
    assert charged * 0.999 < total_cost(*answers, delta=1e-6) < 2.5


# -- a coalition that subtracts what it knows of the noise --------------------------------------------


def _explained(noise: Any, known: Any) -> float:
    """The share of the noise's variance that the best linear guess from what is known explains."""
    x = known - known.mean(axis=0)
    x /= np.maximum(x.std(axis=0), 1e-12)
    y = noise - noise.mean()
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    return float(1 - ((y - x @ coefficients) ** 2).sum() / (y**2).sum())


def _features(words: Any) -> Any:
    """Of each component: its value, its low byte, and its low and high bits."""
    columns = []
    for w in words:
        columns += [w.astype(np.float64), (w & np.uint64(255)).astype(np.float64)]
        columns += [(w >> np.uint64(b) & np.uint64(1)).astype(np.float64) for b in (*range(8), 62, 63)]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(("m", "coalition"), [(3, (0,)), (3, (2,)), (5, (0, 1)), (5, (1, 4))])
@pytest.mark.parametrize("law", [laplace_law(0.5, 1), discrete_gaussian_law(8.0)], ids=["laplace", "gaussian"])
def test_a_coalition_knows_no_part_of_the_noise(m: int, coalition: tuple[int, ...], law: Law) -> None:
    n = 20_000

    async def program(party: Any) -> Any:
        x = await sample(party, law, (n,))
        return [*x.share, x.share.sum(axis=0, dtype=np.uint64)], await party.reveal(x)

    answers = MemoryCluster(m, seed=31).run(program)
    noise = answers[0][1].astype(np.float64)
    known = _features([w for i in coalition for w in answers[i][0]])
    assert _explained(noise, known) < 3 * known.shape[1] / n  # as much as so many random columns explain
    # where every party adds noise of its own instead, the coalition subtracts its part
    parts = np.random.default_rng(2).normal(0, 1, (m, n))
    assert _explained(parts.sum(axis=0), parts[list(coalition)].T) > 0.9 * len(coalition) / m
